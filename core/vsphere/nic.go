package vsphere

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// NICPlan is what a network adapter is to be.
type NICPlan struct {
	Network string
	Type    string // "": as it is, or vmxnet3 for a new one
	MAC     string // "": as it is, or as the vCenter makes it
}

// ConnectNICs makes the VM's network adapters be those that want lists, in
// that order. Adapters beyond the list are removed. All connect at power on. It
// does nothing if all is so already.
func (s *Session) ConnectNICs(ctx context.Context, vm Ref, want []NICPlan) error {
	const op = "connect the network adapters of"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	now, err := s.VM(ctx, vm)
	if err != nil {
		return err
	}
	networks, err := s.networks(ctx)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	var spec types.VirtualMachineConfigSpec
	// An adapter that is made anew comes last, so those behind one that must be
	// are made anew too: the guest knows its adapters by their order.
	anew := false
	for i := range max(len(want), len(now.NICs)) {
		present, planned := at(now.NICs, i), at(want, i)
		anew = anew || present != nil && planned != nil && planned.Type != "" && planned.Type != present.Type
		change, err := s.nicChange(ctx, networks, present, planned, i, anew)
		if err != nil {
			return s.fail(op, string(vm), err, reads)
		}
		spec.DeviceChange = append(spec.DeviceChange, change...)
	}
	if len(spec.DeviceChange) == 0 {
		return nil
	}
	return s.reconfigure(ctx, op, vm, spec)
}

func at[T any](list []T, i int) *T {
	if i < len(list) {
		return &list[i]
	}
	return nil
}

// nicChange is what turns now into want; either may be nil. vSphere cannot
// change an adapter's type: the old one goes, and a new one takes its MAC. With
// anew that is done although the type stays.
func (s *Session) nicChange(ctx context.Context, networks map[string][]types.ManagedObjectReference, now *NIC, want *NICPlan, i int, anew bool) ([]types.BaseVirtualDeviceConfigSpec, error) {
	if want == nil {
		return []types.BaseVirtualDeviceConfigSpec{removal(now)}, nil
	}
	kind, mac := want.Type, want.MAC
	if now != nil {
		if kind == "" {
			kind = now.Type
		}
		if mac == "" {
			mac = now.MAC
		}
		if !anew && kind == now.Type && strings.EqualFold(mac, now.MAC) && want.Network == now.Network {
			return nil, nil
		}
	} else if kind == "" {
		kind = "vmxnet3"
	}
	device, ok := newAdapter(kind)
	if !ok {
		return nil, s.refuse("connect", "network adapter "+strconv.Itoa(i+1), fmt.Sprintf("there is no adapter type %q", kind),
			"choose vmxnet3, e1000 or e1000e")
	}
	backing, err := s.backing(ctx, networks, want.Network)
	if err != nil {
		return nil, err
	}
	card := device.GetVirtualEthernetCard()
	card.Backing = backing
	card.Connectable = &types.VirtualDeviceConnectInfo{StartConnected: true, AllowGuestControl: true, Connected: true}
	if mac != "" {
		card.AddressType, card.MacAddress = string(types.VirtualEthernetCardMacTypeManual), mac
	}
	change := &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: device.(types.BaseVirtualDevice)}
	if now != nil && !anew {
		card.Key, change.Operation = now.Key, types.VirtualDeviceConfigSpecOperationEdit
		return []types.BaseVirtualDeviceConfigSpec{change}, nil
	}
	card.Key = int32(-1 - i) // temporary: the vCenter gives the real one
	if now != nil {
		return []types.BaseVirtualDeviceConfigSpec{removal(now), change}, nil
	}
	return []types.BaseVirtualDeviceConfigSpec{change}, nil
}

func removal(n *NIC) *types.VirtualDeviceConfigSpec {
	device, ok := newAdapter(n.Type)
	if !ok {
		device = &types.VirtualEthernetCard{} // the key alone says which
	}
	device.GetVirtualEthernetCard().Key = n.Key
	return &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: device.(types.BaseVirtualDevice)}
}

// networks are the site's networks by name.
func (s *Session) networks(ctx context.Context) (map[string][]types.ManagedObjectReference, error) {
	content, err := s.under(ctx, toResources(), types.PropertySpec{Type: "Network", PathSet: []string{"name"}})
	if err != nil {
		return nil, err
	}
	var found []mo.Network
	if err := mo.LoadObjectContent(content, &found); err != nil {
		return nil, err
	}
	byName := map[string][]types.ManagedObjectReference{}
	for _, n := range found {
		byName[n.Name] = append(byName[n.Name], n.Self)
	}
	return byName, nil
}

// backing connects a device to a network of any kind.
func (s *Session) backing(ctx context.Context, networks map[string][]types.ManagedObjectReference, name string) (types.BaseVirtualDeviceBackingInfo, error) {
	ref, err := s.only("network", networks, name)
	if err != nil {
		return nil, err
	}
	if ref.Type == "Network" { // saves a call; it is what the helper would say
		return &types.VirtualEthernetCardNetworkBackingInfo{
			VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: name},
		}, nil
	}
	return object.NewReference(s.vim, ref).(object.NetworkReference).EthernetCardBackingInfo(ctx)
}

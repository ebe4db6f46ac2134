package vcenter

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

// ReconfigVMTask changes extraConfig, name, annotation, CPUs, memory, adapters
// (add, edit, remove) and removes or edits other devices. Of disks only the
// storage policy changes. All of a spec is applied, or nothing.
func (c *vmCalls) ReconfigVMTask(ctx *simulator.Context, r *types.ReconfigVM_Task) soap.HasFault {
	b := new(methods.ReconfigVM_TaskBody)
	t, f := c.vmTask(ctx, work{method: "ReconfigVM_Task", duration: c.vc.config.Timing.Reconfigure, cancelable: true, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		return nil, c.vc.reconfigure(ctx, c.m, &r.Spec)
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.ReconfigVM_TaskResponse{Returnval: t}
	}
	return b
}

func (vc *VCenter) reconfigure(ctx *simulator.Context, m *machine, s *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	vm := m.vm
	if s.ChangeVersion != "" && s.ChangeVersion != vm.Config.ChangeVersion {
		return new(types.ConcurrentAccess)
	}
	if vm.Runtime.PowerState == poweredOn && (s.NumCPUs != 0 || s.MemoryMB != 0 || s.Firmware != "") {
		return &types.InvalidPowerState{RequestedState: poweredOff, ExistingState: poweredOn}
	}
	devices := slices.Clone(vm.Config.Hardware.Device)
	for i, change := range s.DeviceChange {
		var f types.BaseMethodFault
		if devices, f = vc.changeDevice(vm, devices, change.GetVirtualDeviceConfigSpec(), int32(i)); f != nil {
			return f
		}
	}
	policies, f := vc.policyChanges(m, s)
	if f != nil {
		return f
	}
	if s.Name != "" {
		if f := vc.rename(ctx, m, s.Name); f != nil {
			return f
		}
	}
	policies()
	vc.enterNetworks(ctx, m, devices)
	changes := []types.PropertyChange{
		set("config.hardware.device", devices), set("config.extraConfig", mergeExtraConfig(vm.Config.ExtraConfig, s.ExtraConfig)),
		set("summary.config.numEthernetCards", countNICs(devices)), set("config.changeVersion", nextVersion(vm.Config.ChangeVersion)),
		set("config.modified", vc.now()),
	}
	text := func(v string, paths ...string) {
		for _, p := range paths {
			if v != "" {
				changes = append(changes, set(p, v))
			}
		}
	}
	text(s.Annotation, "config.annotation", "summary.config.annotation")
	text(s.GuestId, "config.guestId", "summary.config.guestId")
	text(s.Firmware, "config.firmware")
	text(s.Uuid, "config.uuid", "summary.config.uuid")
	text(s.InstanceUuid, "config.instanceUuid", "summary.config.instanceUuid")
	if s.NumCPUs != 0 {
		changes = append(changes, set("config.hardware.numCPU", s.NumCPUs), set("summary.config.numCpu", s.NumCPUs))
	}
	if s.MemoryMB != 0 {
		changes = append(changes, set("config.hardware.memoryMB", int32(s.MemoryMB)), set("summary.config.memorySizeMB", int32(s.MemoryMB)))
	}
	ctx.WithLock(vm, func() {
		vc.guestNICs(vm, devices)
		ctx.Update(vm, changes)
	})
	vc.changed(event.VMReconfigured, vc.subject(vm.Name))
	return nil
}

// nextVersion follows a change version.
func nextVersion(v string) string {
	n := 0
	_, _ = fmt.Sscan(v, &n) // anything else counts as 0
	return fmt.Sprint(n + 1)
}

// mergeExtraConfig sets keys, and removes those whose value is "".
func mergeExtraConfig(old, change []types.BaseOptionValue) []types.BaseOptionValue {
	list := slices.Clone(old)
	for _, c := range change {
		v := *c.GetOptionValue()
		i := slices.IndexFunc(list, func(o types.BaseOptionValue) bool { return o.GetOptionValue().Key == v.Key })
		switch empty := v.Value == nil || v.Value == ""; {
		case empty && i >= 0:
			list = slices.Delete(list, i, i+1)
		case empty:
		case i >= 0:
			list[i] = &v
		default:
			list = append(list, &v)
		}
	}
	return list
}

// changeDevice applies one change to a copy of the devices.
func (vc *VCenter) changeDevice(vm *simulator.VirtualMachine, devices []types.BaseVirtualDevice, s *types.VirtualDeviceConfigSpec, index int32) ([]types.BaseVirtualDevice, types.BaseMethodFault) {
	if s.Device == nil {
		return nil, &types.InvalidDeviceSpec{DeviceIndex: index}
	}
	if d, isDisk := s.Device.(*types.VirtualDisk); isDisk {
		return devices, diskEdit(devices, s, d, index)
	}
	at := slices.IndexFunc(devices, func(d types.BaseVirtualDevice) bool {
		return d.GetVirtualDevice().Key == s.Device.GetVirtualDevice().Key
	})
	if s.Operation != types.VirtualDeviceConfigSpecOperationAdd && at < 0 {
		return nil, &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "deviceChange.device.key"}, DeviceIndex: index}
	}
	if s.Operation == types.VirtualDeviceConfigSpecOperationRemove {
		return slices.Delete(devices, at, at+1), nil
	}
	dev := copyDevice(s.Device)
	if card, ok := dev.(types.BaseVirtualEthernetCard); ok {
		if f := vc.prepareNIC(vm, devices, card, s.Operation); f != nil {
			return nil, f
		}
	}
	if s.Operation == types.VirtualDeviceConfigSpecOperationAdd {
		return append(devices, dev), nil
	}
	if reflect.TypeOf(dev) != reflect.TypeOf(devices[at]) {
		return nil, &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "deviceChange.device"}, DeviceIndex: index}
	}
	devices[at] = dev
	return devices, nil
}

// prepareNIC fills in what the API leaves to the vCenter.
func (vc *VCenter) prepareNIC(vm *simulator.VirtualMachine, devices []types.BaseVirtualDevice, d types.BaseVirtualEthernetCard, op types.VirtualDeviceConfigSpecOperation) types.BaseMethodFault {
	s, f := vc.nicSpec(d)
	if f != nil {
		return f
	}
	card := d.GetVirtualEthernetCard()
	network := vc.networks[s.Network]
	card.Backing = &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: s.Network}, Network: &network,
	}
	if op == types.VirtualDeviceConfigSpecOperationAdd {
		card.Key = freeKey(devices, keyNIC)
		unit := pciNICUnit + card.Key - keyNIC
		card.ControllerKey, card.UnitNumber = keyPCI, &unit
	}
	label := fmt.Sprintf("Network adapter %d", card.Key-keyNIC+1)
	if card.DeviceInfo != nil && card.DeviceInfo.GetDescription().Label != "" && op == types.VirtualDeviceConfigSpecOperationEdit {
		label = card.DeviceInfo.GetDescription().Label
	}
	card.DeviceInfo = &types.Description{Label: label, Summary: s.Network}
	if card.MacAddress == "" {
		card.MacAddress = nameMAC(fmt.Sprintf("%s/%s/%d", vc.config.Site, vm.Config.Uuid, card.Key))
		card.AddressType = string(types.VirtualEthernetCardMacTypeAssigned)
	}
	connect := types.VirtualDeviceConnectInfo{StartConnected: true, AllowGuestControl: true}
	if card.Connectable != nil {
		connect = *card.Connectable
	}
	on := vm.Runtime.PowerState == poweredOn
	if card.Connectable == nil {
		connect.Connected = on
	}
	connect.Connected = connect.Connected && on
	card.Connectable = &connect
	return nil
}

func freeKey(devices []types.BaseVirtualDevice, from int32) int32 {
	for key := from; ; key++ {
		if !slices.ContainsFunc(devices, func(d types.BaseVirtualDevice) bool { return d.GetVirtualDevice().Key == key }) {
			return key
		}
	}
}

// copyDevice copies a device one level deep: what readers hold stays as it is.
func copyDevice(d types.BaseVirtualDevice) types.BaseVirtualDevice {
	v := reflect.New(reflect.TypeOf(d).Elem())
	v.Elem().Set(reflect.ValueOf(d).Elem())
	return v.Interface().(types.BaseVirtualDevice)
}

func countNICs(devices []types.BaseVirtualDevice) (n int32) {
	for _, d := range devices {
		if _, ok := d.(types.BaseVirtualEthernetCard); ok {
			n++
		}
	}
	return n
}

// enterNetworks keeps VM.network and Network.vm in step with the adapters.
func (vc *VCenter) enterNetworks(ctx *simulator.Context, m *machine, devices []types.BaseVirtualDevice) {
	var now []ref
	for _, d := range devices {
		if r, ok := networkOf(d); ok && !slices.Contains(now, r) {
			now = append(now, r)
		}
	}
	for _, r := range m.vm.Network {
		if !slices.Contains(now, r) {
			n := vc.reg.Get(r).(*mo.Network)
			vc.update(ctx, n, set("vm", without(n.Vm, m.vm.Self)))
		}
	}
	for _, r := range now {
		if !slices.Contains(m.vm.Network, r) {
			n := vc.reg.Get(r).(*mo.Network)
			vc.update(ctx, n, set("vm", append(slices.Clone(n.Vm), m.vm.Self)))
		}
	}
	vc.update(ctx, m.vm, set("network", now))
}

// guestNICs tells which adapters tools would report.
func (vc *VCenter) guestNICs(vm *simulator.VirtualMachine, devices []types.BaseVirtualDevice) {
	var nets []types.GuestNicInfo
	for _, d := range devices {
		if card, ok := d.(types.BaseVirtualEthernetCard); ok {
			c := card.GetVirtualEthernetCard()
			nets = append(nets, types.GuestNicInfo{MacAddress: c.MacAddress, Connected: c.Connectable != nil && c.Connectable.Connected, DeviceConfigId: c.Key})
		}
	}
	vm.Guest.Net = nets
}

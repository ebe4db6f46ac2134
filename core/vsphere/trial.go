package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// MarkTrial holds the same key as MarkMade in a VM that only tries whether
// another one boots.
const MarkTrial = "hdm.trial"

// TrialClone is LinkedClone for a trial boot: the clone bears MarkTrial too, and
// none of its network adapters is connected, at power on or later.
//
// API: VirtualMachine.CloneVM_Task, with the adapters edited in spec.config.
func (s *Session) TrialClone(ctx context.Context, vm Ref, snapshotMark, name, mark string) (Ref, error) {
	return s.linkedClone(ctx, vm, snapshotMark, name, mark, func(snapshot Ref) (types.VirtualMachineConfigSpec, error) {
		spec := types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{option(MarkTrial, mark)}}
		var o mo.VirtualMachineSnapshot
		if err := s.one(ctx, snapshot.managed(), &o, "config.hardware.device"); err != nil {
			return spec, err
		}
		for _, d := range o.Config.Hardware.Device {
			if card, ok := d.(types.BaseVirtualEthernetCard); ok {
				spec.DeviceChange = append(spec.DeviceChange, unplugged(d, card.GetVirtualEthernetCard()))
			}
		}
		return spec, nil
	})
}

// unplugged edits an adapter so that it is connected to nothing, whatever the
// guest asks for. Its address is made anew: the source's is the source's.
func unplugged(d types.BaseVirtualDevice, card *types.VirtualEthernetCard) *types.VirtualDeviceConfigSpec {
	device, ok := newAdapter(adapters[typeName(d)])
	if !ok {
		device = &types.VirtualEthernetCard{} // the key alone says which
	}
	edit := device.GetVirtualEthernetCard()
	edit.Key, edit.Backing, edit.Connectable = card.Key, card.Backing, &types.VirtualDeviceConnectInfo{}
	edit.AddressType = string(types.VirtualEthernetCardMacTypeGenerated)
	return &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: device.(types.BaseVirtualDevice)}
}

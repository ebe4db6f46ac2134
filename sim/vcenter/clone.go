package vcenter

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// CloneVMTask makes a linked clone of a snapshot: a VM that is off, has the
// configuration of the snapshot, and disks that read the snapshot's layers and
// write their own. The layers stay as long as the clone needs them, even when
// the snapshot or the VM goes, as vCenter keeps files that a linked VM shares.
// Adapters get new addresses. Other clones are not simulated.
func (c *vmCalls) CloneVMTask(ctx *simulator.Context, r *types.CloneVM_Task) soap.HasFault {
	b := new(methods.CloneVM_TaskBody)
	at, home, f := c.clonePlace(r)
	if f == nil {
		f = c.m.servedFault("cloned")
	}
	if f != nil {
		b.Fault_ = fault(f, "%s", explain(f))
		return b
	}
	t, refused := c.vmTask(ctx, work{method: "CloneVM_Task", duration: c.vc.config.Timing.Clone, cancelable: true, run: func(*simulator.Context) (types.AnyType, types.BaseMethodFault) {
		s := c.m.snap(*r.Spec.Snapshot)
		if s == nil {
			return nil, &types.ManagedObjectNotFound{Obj: *r.Spec.Snapshot}
		}
		spec, f := c.vc.cloneSpec(c.m, s, r.Name, home)
		if f != nil {
			return nil, f
		}
		if r.Spec.Config != nil {
			if f := c.vc.amend(spec, s.config.Hardware.Device, r.Spec.Config); f != nil {
				return nil, f
			}
		}
		m, f := c.vc.createMachine(spec, at)
		if f != nil {
			return nil, f
		}
		return m.vm.Self, nil
	}})
	if b.Fault_ = refused; refused == nil {
		b.Res = &types.CloneVM_TaskResponse{Returnval: t}
	}
	return b
}

// clonePlace reads where a clone goes: by default beside its source. It refuses
// clones that are not linked, and the wishes that are not simulated.
func (c *vmCalls) clonePlace(r *types.CloneVM_Task) (at placement, home string, f types.BaseMethodFault) {
	to := r.Spec.Location
	switch {
	case r.Spec.Snapshot == nil || to.DiskMoveType != string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking):
		return at, "", notSupported("only linked clones of a snapshot are simulated: give it, and the disk move type createNewChildDiskBacking")
	case c.m.snap(*r.Spec.Snapshot) == nil:
		return at, "", &types.InvalidArgument{InvalidProperty: "spec.snapshot"}
	case r.Spec.Template || r.Spec.PowerOn || r.Spec.Customization != nil:
		return at, "", notSupported("clones that are templates, run at once or are customised are not simulated")
	case to.Service != nil || len(to.Disk) > 0 || len(to.DeviceChange) > 0 || len(to.Profile) > 0:
		return at, "", notSupported("clones to other vCenters, and disks of a clone that go their own ways, are not simulated")
	}
	pool, host := to.Pool, to.Host
	if pool == nil {
		pool = c.m.vm.ResourcePool
	}
	if host == nil && to.Pool == nil {
		host = c.m.vm.Runtime.Host
	}
	if pool == nil { // a template has none
		return at, "", &types.InvalidArgument{InvalidProperty: "spec.location.pool"}
	}
	if at, f = c.vc.placement(*pool, host, r.Folder); f != nil {
		return at, "", f
	}
	if to.Datastore != nil {
		d := c.vc.storeOf(*to.Datastore)
		if d == nil || d.served != nil {
			return at, "", &types.InvalidDatastore{Datastore: to.Datastore}
		}
		home = d.obj.Name
	}
	return at, home, nil
}

// cloneSpec describes the clone: the VM as it was at the snapshot.
func (vc *VCenter) cloneSpec(m *machine, s *snapshot, name, home string) (*VMSpec, types.BaseMethodFault) {
	c := &s.config
	spec := &VMSpec{
		Name: name, GuestID: c.GuestId, Firmware: c.Firmware, CPUs: c.Hardware.NumCPU, MemoryMB: c.Hardware.MemoryMB,
		Annotation: c.Annotation, ToolsStatus: m.vm.Guest.ToolsVersionStatus2, ExtraConfig: map[string]string{}, Home: home,
	}
	for _, o := range c.ExtraConfig {
		if text, ok := o.GetOptionValue().Value.(string); ok {
			spec.ExtraConfig[o.GetOptionValue().Key] = text
		}
	}
	kinds := map[int32]string{}
	for _, d := range c.Hardware.Device {
		if kind := controllerKind(d); kind != "" {
			kinds[d.GetVirtualDevice().Key] = kind
		}
	}
	for _, d := range c.Hardware.Device {
		if v, ok := d.(*types.VirtualDisk); ok {
			child, f := s.child(v, kinds[v.ControllerKey], home)
			if f != nil {
				return nil, f
			}
			spec.Disks = append(spec.Disks, child)
			continue
		}
		if f := vc.addToSpec(spec, &types.VirtualDeviceConfigSpec{Device: d}, kinds); f != nil {
			return nil, f
		}
	}
	for i := range spec.NICs {
		spec.NICs[i].MAC = ""
	}
	return spec, nil
}

// child is the disk of a clone that stands on the snapshot of one of the VM's.
func (s *snapshot) child(d *types.VirtualDisk, controller, home string) (DiskSpec, types.BaseMethodFault) {
	i := slices.IndexFunc(s.disks, func(a *attached) bool { return a.key == d.Key })
	if i < 0 {
		return DiskSpec{}, &types.FileNotFound{}
	}
	a := s.disks[i]
	layer, ok := s.layers[a.disk.ID()]
	if !ok {
		return DiskSpec{}, notSupported("the disk " + a.file() + " is not in the snapshot " + s.name + ": no linked clone can stand on it")
	}
	child, err := a.disk.Child(layer)
	if err != nil {
		return DiskSpec{}, &types.FileFault{File: a.path}
	}
	spec := DiskSpec{Disk: child, Controller: controller, Datastore: a.store.obj.Name, base: a.file()}
	if home != "" {
		spec.Datastore = home
	}
	return spec, nil
}

// amend changes a clone's description as its order says. Of its devices only
// adapters can be changed.
func (vc *VCenter) amend(s *VMSpec, devices []types.BaseVirtualDevice, c *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	setIf(&s.UUID, c.Uuid)
	setIf(&s.InstanceUUID, c.InstanceUuid)
	setIf(&s.Annotation, c.Annotation)
	for _, o := range c.ExtraConfig {
		key, value := o.GetOptionValue().Key, fmt.Sprint(o.GetOptionValue().Value)
		if s.ExtraConfig[key] = value; value == "" {
			delete(s.ExtraConfig, key)
		}
	}
	var cards []int32 // keys, in the order of s.NICs
	for _, d := range devices {
		if _, ok := d.(types.BaseVirtualEthernetCard); ok {
			cards = append(cards, d.GetVirtualDevice().Key)
		}
	}
	for _, change := range c.DeviceChange {
		edit := change.GetVirtualDeviceConfigSpec()
		card, ok := edit.Device.(types.BaseVirtualEthernetCard)
		if !ok || edit.Operation != types.VirtualDeviceConfigSpecOperationEdit {
			return notSupported("of a clone's devices only adapters are changed here")
		}
		i := slices.Index(cards, edit.Device.GetVirtualDevice().Key)
		if i < 0 {
			return &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "deviceChange.device.key"}}
		}
		nic, f := vc.nicSpec(card)
		if f != nil {
			return f
		}
		s.NICs[i] = nic
	}
	return nil
}

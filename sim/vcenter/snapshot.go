package vcenter

import (
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
)

// snapshot is one node of a VM's snapshot tree: a layer of each of its disks,
// and the configuration that the VM had.
type snapshot struct {
	ref         ref
	id          int32 // unique in the VM
	name        string
	description string
	created     time.Time
	parent      *snapshot
	layers      map[string]disk.LayerID // by disk id
	config      types.VirtualMachineConfigInfo
	disks       []*attached
}

// maxSnapshots is vSphere's limit on a chain of snapshots.
const maxSnapshots = 32

// CreateSnapshotTask takes a snapshot without memory.
func (c *vmCalls) CreateSnapshotTask(ctx *simulator.Context, r *types.CreateSnapshot_Task) soap.HasFault {
	b := new(methods.CreateSnapshot_TaskBody)
	t, f := c.createSnapshot(ctx, "CreateSnapshot_Task", r.Name, r.Description, r.Memory)
	if b.Fault_ = f; f == nil {
		b.Res = &types.CreateSnapshot_TaskResponse{Returnval: t}
	}
	return b
}

// CreateSnapshotExTask takes a snapshot without memory.
func (c *vmCalls) CreateSnapshotExTask(ctx *simulator.Context, r *types.CreateSnapshotEx_Task) soap.HasFault {
	b := new(methods.CreateSnapshotEx_TaskBody)
	t, f := c.createSnapshot(ctx, "CreateSnapshotEx_Task", r.Name, r.Description, r.Memory)
	if b.Fault_ = f; f == nil {
		b.Res = &types.CreateSnapshotEx_TaskResponse{Returnval: t}
	}
	return b
}

func (c *vmCalls) createSnapshot(ctx *simulator.Context, method, name, description string, memory bool) (ref, *soap.Fault) {
	if f := c.m.servedFault("snapshotted"); f != nil {
		return ref{}, fault(f, "%s", explain(f))
	}
	if memory && c.m.vm.Runtime.PowerState == poweredOn {
		return ref{}, fault(new(types.NotSupported), "snapshots with memory are not simulated")
	}
	return c.vmTask(ctx, work{method: method, duration: c.vc.config.Timing.CreateSnapshot, cancelable: true, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		s, f := c.vc.takeSnapshot(ctx, c.m, name, description)
		if f != nil {
			return nil, f
		}
		return s.ref, nil
	}})
}

// current is the snapshot that the VM's disks descend from, or nil.
func (m *machine) current() *snapshot {
	if m.vm.Snapshot == nil || m.vm.Snapshot.CurrentSnapshot == nil {
		return nil
	}
	return m.snap(*m.vm.Snapshot.CurrentSnapshot)
}

func (m *machine) snap(r ref) *snapshot {
	for _, s := range m.snaps {
		if s.ref == r {
			return s
		}
	}
	return nil
}

func (vc *VCenter) takeSnapshot(ctx *simulator.Context, m *machine, name, description string) (*snapshot, types.BaseMethodFault) {
	if len(m.snaps) >= maxSnapshots {
		return nil, &types.TooManySnapshotLevels{}
	}
	for _, a := range m.disks {
		if f := a.store.trouble.fault(a.path); f != nil {
			return nil, f
		}
	}
	vc.snapSeq++
	s := &snapshot{
		id: int32(vc.snapSeq), name: name, description: description, created: vc.now(), parent: m.current(),
		layers: map[string]disk.LayerID{}, config: *m.vm.Config, disks: slices.Clone(m.disks),
	}
	for _, a := range m.disks {
		if a.independent(m) {
			continue
		}
		l, err := a.disk.Snapshot()
		if err != nil {
			for id, l := range s.layers { //hdm:order-safe each is another disk's
				_ = m.diskOf(id).RemoveSnapshot(l)
			}
			return nil, &types.FileFault{File: a.path}
		}
		s.layers[a.disk.ID()] = l
	}
	obj := &simulator.VirtualMachineSnapshot{}
	obj.Self = ref{Type: "VirtualMachineSnapshot"}
	obj.Vm, obj.Config = m.vm.Self, s.config
	s.ref = vc.reg.Put(obj).Reference()
	m.snaps = append(m.snaps, s)
	vc.showSnapshots(ctx, m, s)
	vc.changed(event.VMSnapshot, vc.subject(m.vm.Name), "op", "created", "name", name)
	return s, nil
}

// independent says whether snapshots leave the disk alone.
func (a *attached) independent(m *machine) bool {
	for _, d := range m.vm.Config.Hardware.Device {
		if d.GetVirtualDevice().Key != a.key {
			continue
		}
		switch b := d.GetVirtualDevice().Backing.(type) {
		case *types.VirtualDiskFlatVer2BackingInfo:
			return b.DiskMode != string(types.VirtualDiskModePersistent)
		case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
			return b.CompatibilityMode == string(types.VirtualDiskCompatibilityModePhysicalMode)
		}
	}
	return false
}

func (m *machine) diskOf(id string) *disk.Disk {
	for _, a := range m.disks {
		if a.disk.ID() == id {
			return a.disk
		}
	}
	return nil
}

// showSnapshots puts the tree into the VM's properties.
func (vc *VCenter) showSnapshots(ctx *simulator.Context, m *machine, current *snapshot) {
	var tree func(parent *snapshot) []types.VirtualMachineSnapshotTree
	tree = func(parent *snapshot) (list []types.VirtualMachineSnapshotTree) {
		for _, s := range m.snaps {
			if s.parent == parent {
				list = append(list, types.VirtualMachineSnapshotTree{
					Snapshot: s.ref, Vm: m.vm.Self, Name: s.name, Description: s.description, Id: s.id,
					CreateTime: s.created, State: poweredOff, ChildSnapshotList: tree(s),
				})
			}
		}
		return list
	}
	children := func(parent *snapshot) (list []ref) {
		for _, s := range m.snaps {
			if s.parent == parent {
				list = append(list, s.ref)
			}
		}
		return list
	}
	var info *types.VirtualMachineSnapshotInfo
	if len(m.snaps) > 0 {
		info = &types.VirtualMachineSnapshotInfo{RootSnapshotList: tree(nil)}
		if current != nil {
			info.CurrentSnapshot = &current.ref
		}
	}
	ctx.WithLock(m.vm, func() {
		m.vm.Snapshot = info
		changes := []types.PropertyChange{set("rootSnapshot", children(nil))}
		if info != nil {
			changes = append(changes, set("snapshot", info))
		}
		ctx.Update(m.vm, changes)
	})
	for _, s := range m.snaps {
		vc.update(ctx, vc.reg.Get(s.ref), set("childSnapshot", children(s)))
	}
	vc.layout(m)
}

// snapshotCalls: vcsim's keep a tree and no data, and one of them panics.
type snapshotCalls struct{ call }

// snapshotTask starts a task on the VM of this snapshot.
func (c *snapshotCalls) snapshotTask(ctx *simulator.Context, w work, run func(*simulator.Context, *machine, *snapshot) types.BaseMethodFault) (ref, *soap.Fault) {
	vm := c.vc.reg.Get(c.Self).(*simulator.VirtualMachineSnapshot).Vm
	m := c.vc.machines[vm]
	w.run = func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		s := m.snap(c.Self)
		if s == nil {
			return nil, &types.ManagedObjectNotFound{Obj: c.Self}
		}
		return nil, run(ctx, m, s)
	}
	return (&vmCalls{call: c.call, m: m}).vmTask(ctx, w)
}

// RemoveSnapshotTask merges the snapshot's layers; the VM's disks hold what
// they held.
func (c *snapshotCalls) RemoveSnapshotTask(ctx *simulator.Context, r *types.RemoveSnapshot_Task) soap.HasFault {
	b := new(methods.RemoveSnapshot_TaskBody)
	t, f := c.snapshotTask(ctx, work{method: "RemoveSnapshot_Task", duration: c.vc.config.Timing.RemoveSnapshot}, func(ctx *simulator.Context, m *machine, s *snapshot) types.BaseMethodFault {
		return c.vc.removeSnapshot(ctx, m, s, r.RemoveChildren)
	})
	if b.Fault_ = f; f == nil {
		b.Res = &types.RemoveSnapshot_TaskResponse{Returnval: t}
	}
	return b
}

// RevertToSnapshotTask takes disks and configuration back to the snapshot. The
// VM is off then, since snapshots hold no memory.
func (c *snapshotCalls) RevertToSnapshotTask(ctx *simulator.Context, _ *types.RevertToSnapshot_Task) soap.HasFault {
	b := new(methods.RevertToSnapshot_TaskBody)
	t, f := c.snapshotTask(ctx, work{method: "RevertToSnapshot_Task", duration: c.vc.config.Timing.RevertSnapshot}, c.vc.revert)
	if b.Fault_ = f; f == nil {
		b.Res = &types.RevertToSnapshot_TaskResponse{Returnval: t}
	}
	return b
}

// RevertToCurrentSnapshotTask reverts to the snapshot that the disks descend
// from.
func (c *vmCalls) RevertToCurrentSnapshotTask(ctx *simulator.Context, _ *types.RevertToCurrentSnapshot_Task) soap.HasFault {
	b := new(methods.RevertToCurrentSnapshot_TaskBody)
	s := c.m.current()
	if s == nil {
		b.Fault_ = fault(new(types.NotFound), "the VM %q has no snapshot", c.m.vm.Name)
		return b
	}
	t, f := c.vmTask(ctx, work{method: "RevertToCurrentSnapshot_Task", duration: c.vc.config.Timing.RevertSnapshot, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		return nil, c.vc.revert(ctx, c.m, s)
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.RevertToCurrentSnapshot_TaskResponse{Returnval: t}
	}
	return b
}

// RemoveAllSnapshotsTask removes the whole tree.
func (c *vmCalls) RemoveAllSnapshotsTask(ctx *simulator.Context, _ *types.RemoveAllSnapshots_Task) soap.HasFault {
	b := new(methods.RemoveAllSnapshots_TaskBody)
	t, f := c.vmTask(ctx, work{method: "RemoveAllSnapshots_Task", duration: c.vc.config.Timing.RemoveSnapshot, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		for len(c.m.snaps) > 0 {
			if f := c.vc.removeSnapshot(ctx, c.m, c.m.snaps[0], false); f != nil {
				return nil, f
			}
		}
		return nil, nil
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.RemoveAllSnapshots_TaskResponse{Returnval: t}
	}
	return b
}

func (vc *VCenter) removeSnapshot(ctx *simulator.Context, m *machine, s *snapshot, children bool) types.BaseMethodFault {
	if children {
		for _, child := range slices.Clone(m.snaps) {
			if child.parent == s {
				if f := vc.removeSnapshot(ctx, m, child, true); f != nil {
					return f
				}
			}
		}
	}
	for _, a := range s.disks {
		if l, ok := s.layers[a.disk.ID()]; ok {
			if err := a.disk.RemoveSnapshot(l); err != nil {
				return &types.FileFault{File: a.path}
			}
		}
	}
	current := m.current()
	if current == s {
		current = s.parent
	}
	for _, child := range m.snaps {
		if child.parent == s {
			child.parent = s.parent
		}
	}
	m.snaps = slices.DeleteFunc(slices.Clone(m.snaps), func(o *snapshot) bool { return o == s })
	vc.reg.Remove(ctx, s.ref)
	vc.showSnapshots(ctx, m, current)
	vc.changed(event.VMSnapshot, vc.subject(m.vm.Name), "op", "removed", "name", s.name)
	return nil
}

func (vc *VCenter) revert(ctx *simulator.Context, m *machine, s *snapshot) types.BaseMethodFault {
	if !slices.Equal(s.disks, m.disks) {
		return notSupported("disks were added or removed since the snapshot " + s.name)
	}
	vc.setPower(ctx, m, poweredOff)
	for _, a := range m.disks {
		if l, ok := s.layers[a.disk.ID()]; ok {
			if err := a.disk.Revert(l); err != nil {
				return &types.FileFault{File: a.path}
			}
		}
	}
	config := s.config
	config.Name = m.vm.Name
	ctx.WithLock(m.vm, func() { ctx.Update(m.vm, []types.PropertyChange{set("config", &config)}) })
	vc.showSnapshots(ctx, m, s)
	vc.changed(event.VMSnapshot, vc.subject(m.vm.Name), "op", "reverted", "name", s.name)
	return nil
}

// RenameSnapshot changes a snapshot's name and description.
func (c *snapshotCalls) RenameSnapshot(ctx *simulator.Context, r *types.RenameSnapshot) soap.HasFault {
	b := new(methods.RenameSnapshotBody)
	vm := c.vc.reg.Get(c.Self).(*simulator.VirtualMachineSnapshot).Vm
	m := c.vc.machines[vm]
	s := m.snap(c.Self)
	setIf(&s.name, r.Name)
	setIf(&s.description, r.Description)
	c.vc.showSnapshots(ctx, m, m.current())
	b.Res = new(types.RenameSnapshotResponse)
	return b
}

func setIf(dst *string, v string) {
	if v != "" {
		*dst = v
	}
}

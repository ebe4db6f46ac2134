package vcenter

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

// RenameTask gives the VM another name. Its files keep theirs, as in vSphere.
func (c *vmCalls) RenameTask(ctx *simulator.Context, r *types.Rename_Task) soap.HasFault {
	b := new(methods.Rename_TaskBody)
	t, f := c.vmTask(ctx, work{method: "Rename_Task", duration: c.vc.config.Timing.Rename, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		return nil, c.vc.rename(ctx, c.m, r.NewName)
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.Rename_TaskResponse{Returnval: t}
	}
	return b
}

func (vc *VCenter) rename(ctx *simulator.Context, m *machine, name string) types.BaseMethodFault {
	old := m.vm.Name
	switch other := vc.byName[name]; {
	case name == "":
		return &types.InvalidName{Name: name}
	case other == m:
		return nil
	case other != nil:
		return &types.DuplicateName{Name: name, Object: other.vm.Self}
	}
	delete(vc.byName, old)
	vc.byName[name] = m
	vc.update(ctx, m.vm, set("name", name), set("config.name", name), set("summary.config.name", name))
	vc.changed(event.VMRenamed, vc.subject(old), "name", name)
	return nil
}

// DestroyTask removes the VM and its disks.
func (c *vmCalls) DestroyTask(ctx *simulator.Context, _ *types.Destroy_Task) soap.HasFault {
	b := new(methods.Destroy_TaskBody)
	t, f := c.vmTask(ctx, work{method: "Destroy_Task", duration: c.vc.config.Timing.Destroy, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		if f := c.m.powerFault(poweredOff, poweredOff); f != nil {
			return nil, f
		}
		c.vc.forget(ctx, c.m)
		return nil, nil
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.Destroy_TaskResponse{Returnval: t}
	}
	return b
}

// UnregisterVM is not simulated: a VM that nobody knows, with disks that still
// are, would be lost to every check.
func (c *vmCalls) UnregisterVM(*simulator.Context, *types.UnregisterVM) soap.HasFault {
	return &methods.UnregisterVMBody{Fault_: fault(new(types.NotSupported), "UnregisterVM is not simulated: destroy the VM instead")}
}

// MarkAsTemplate takes the VM out of its pool: it can be cloned and not run.
func (c *vmCalls) MarkAsTemplate(ctx *simulator.Context, _ *types.MarkAsTemplate) soap.HasFault {
	b := new(methods.MarkAsTemplateBody)
	if f := c.m.busyFault(); f != nil {
		b.Fault_ = fault(f, "%s", explain(f))
		return b
	}
	if f := c.m.powerFault(poweredOff, poweredOff); f != nil {
		b.Fault_ = fault(f, "%s", explain(f))
		return b
	}
	if b.Fault_ = c.m.unseen(); b.Fault_ != nil {
		return b
	}
	c.vc.leavePool(ctx, c.m)
	ctx.WithLock(c.m.vm, func() {
		c.m.vm.ResourcePool = nil
		ctx.Update(c.m.vm, []types.PropertyChange{set("config.template", true), set("summary.config.template", true)})
	})
	c.vc.changed(event.VMReconfigured, c.vc.subject(c.m.vm.Name))
	b.Res = new(types.MarkAsTemplateResponse)
	return b
}

// MarkAsVirtualMachine puts a template into a pool.
func (c *vmCalls) MarkAsVirtualMachine(ctx *simulator.Context, r *types.MarkAsVirtualMachine) soap.HasFault {
	b := new(methods.MarkAsVirtualMachineBody)
	pool, ok := c.vc.reg.Get(r.Pool).(*simulator.ResourcePool)
	switch {
	case !c.m.vm.Config.Template:
		b.Fault_ = invalidState("the VM %q is no template", c.m.vm.Name)
		return b
	case !ok:
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "pool"}, "%s is no resource pool", r.Pool)
		return b
	}
	c.vc.update(ctx, c.m.vm, set("config.template", false), set("summary.config.template", false))
	c.vc.move(ctx, c.m, pool)
	b.Res = new(types.MarkAsVirtualMachineResponse)
	return b
}

// RelocateVMTask moves a VM to another pool or host of this vCenter. Other
// datastores, folders and vCenters are not simulated.
func (c *vmCalls) RelocateVMTask(ctx *simulator.Context, r *types.RelocateVM_Task) soap.HasFault {
	b := new(methods.RelocateVM_TaskBody)
	pool, host, f := c.relocation(&r.Spec)
	if f != nil {
		b.Fault_ = f
		return b
	}
	t, f := c.vmTask(ctx, work{method: "RelocateVM_Task", duration: c.vc.config.Timing.Relocate, cancelable: true, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		if host != nil {
			if f := hostFault(host); f != nil {
				return nil, f
			}
			c.vc.moveHost(ctx, c.m, host)
		}
		if pool != nil {
			c.vc.move(ctx, c.m, pool)
		}
		return nil, nil
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.RelocateVM_TaskResponse{Returnval: t}
	}
	return b
}

func (c *vmCalls) relocation(s *types.VirtualMachineRelocateSpec) (pool *simulator.ResourcePool, host *simulator.HostSystem, f *soap.Fault) {
	if s.Service != nil || s.Folder != nil || len(s.Disk) > 0 || len(s.DeviceChange) > 0 || len(s.Profile) > 0 {
		return nil, nil, fault(new(types.NotSupported), "only moves to another pool or host of this vCenter are simulated")
	}
	if s.Datastore != nil && !slices.Contains(c.m.vm.Datastore, *s.Datastore) {
		return nil, nil, fault(new(types.NotSupported), "moves to another datastore are not simulated")
	}
	var ok bool
	if s.Pool != nil {
		if pool, ok = c.vc.reg.Get(*s.Pool).(*simulator.ResourcePool); !ok {
			return nil, nil, fault(&types.InvalidArgument{InvalidProperty: "spec.pool"}, "%s is no resource pool", *s.Pool)
		}
		if f := c.vc.moveFault(c.m, pool); f != nil {
			return nil, nil, f
		}
	}
	if s.Host != nil {
		if host, ok = c.vc.reg.Get(*s.Host).(*simulator.HostSystem); !ok {
			return nil, nil, fault(&types.InvalidArgument{InvalidProperty: "spec.host"}, "%s is no host", *s.Host)
		}
		if f := hostFault(host); f != nil {
			return nil, nil, fault(f, "the host %s is %s", host.Name, host.Runtime.ConnectionState)
		}
		if f := c.m.reachFault(host); f != nil {
			return nil, nil, fault(f, "%s", explain(f))
		}
	}
	return pool, host, nil
}

func (vc *VCenter) moveHost(ctx *simulator.Context, m *machine, to *simulator.HostSystem) {
	if from, ok := vc.reg.Get(*m.vm.Runtime.Host).(*simulator.HostSystem); ok {
		vc.update(ctx, from, set("vm", without(from.Vm, m.vm.Self)))
	}
	vc.update(ctx, to, set("vm", append(without(to.Vm, m.vm.Self), m.vm.Self)))
	vc.update(ctx, m.vm, set("runtime.host", &to.Self), set("summary.runtime.host", &to.Self))
	vc.changed(event.VMReconfigured, vc.subject(m.vm.Name))
}

// RefreshStorageInfo brings the VM's file sizes up to what its disks have in
// use now.
func (c *vmCalls) RefreshStorageInfo(*simulator.Context, *types.RefreshStorageInfo) soap.HasFault {
	for _, a := range c.m.disks {
		a.store.charge(a)
	}
	c.vc.layout(c.m)
	return &methods.RefreshStorageInfoBody{Res: new(types.RefreshStorageInfoResponse)}
}

// folderCalls: vcsim's CreateVM_Task writes files and runs beside the caller.
// New VMs come by AddVM, by CreateVM_Task here, or by an import.
type folderCalls struct {
	call
	folder *simulator.Folder
}

// CreateClusterEx is not simulated: clusters are built, not made by clients.
func (c *folderCalls) CreateClusterEx(*simulator.Context, *types.CreateClusterEx) soap.HasFault {
	return &methods.CreateClusterExBody{Fault_: fault(new(types.NotSupported), "CreateClusterEx is not simulated: add the cluster to the world")}
}

// MoveIntoFolderTask moves VMs into this folder, all or none.
func (c *folderCalls) MoveIntoFolderTask(ctx *simulator.Context, r *types.MoveIntoFolder_Task) soap.HasFault {
	b := new(methods.MoveIntoFolder_TaskBody)
	vc, to := c.vc, c.folder
	for _, vm := range r.List {
		if vc.machines[vm] == nil || !slices.Contains(to.ChildType, "VirtualMachine") {
			b.Fault_ = fault(new(types.NotSupported), "only moves of VMs between folders of VMs are simulated, not of %s into %s", vm, to.Name)
			return b
		}
	}
	b.Res = &types.MoveIntoFolder_TaskResponse{Returnval: vc.start(work{
		method: "MoveIntoFolder_Task", entity: c.Self, name: to.Name, duration: vc.config.Timing.Rename, user: ctx.Session.UserName,
		run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
			for _, vm := range r.List {
				if vc.machines[vm] == nil {
					return nil, &types.ManagedObjectNotFound{Obj: vm}
				}
			}
			for _, vm := range r.List {
				vc.moveFolder(ctx, vc.machines[vm], to)
			}
			return nil, nil
		},
	})}
	return b
}

func (vc *VCenter) moveFolder(ctx *simulator.Context, m *machine, to *simulator.Folder) {
	from := vc.reg.Get(*m.vm.Parent).(*simulator.Folder)
	vc.update(ctx, from, set("childEntity", without(from.ChildEntity, m.vm.Self)))
	vc.update(ctx, to, set("childEntity", append(without(to.ChildEntity, m.vm.Self), m.vm.Self)))
	vc.update(ctx, m.vm, set("parent", &to.Self))
	vc.changed(event.VMReconfigured, vc.subject(m.vm.Name))
}

// CreateVMTask makes a powered-off VM with empty disks.
func (c *folderCalls) CreateVMTask(ctx *simulator.Context, r *types.CreateVM_Task) soap.HasFault {
	b := new(methods.CreateVM_TaskBody)
	vc := c.vc
	spec, at, f := vc.fromConfigSpec(&r.Config, r.Pool, r.Host, c.Self)
	if f != nil {
		b.Fault_ = fault(f, "%s", explain(f))
		return b
	}
	b.Res = &types.CreateVM_TaskResponse{Returnval: vc.start(work{
		method: "CreateVM_Task", entity: c.Self, name: c.folder.Name, duration: vc.config.Timing.Create, user: ctx.Session.UserName,
		run: func(*simulator.Context) (types.AnyType, types.BaseMethodFault) {
			m, f := vc.createMachine(spec, at)
			if f != nil {
				return nil, f
			}
			return m.vm.Self, nil
		},
	})}
	return b
}

package vcenter

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

// poolCalls: vcsim has no MoveIntoResourcePool, and its pools share a summary
// with all pools of the process.
type poolCalls struct {
	call
	pool *simulator.ResourcePool
}

// addPool adds a pool below another. Its summary is its own.
func (vc *VCenter) addPool(parent *simulator.ResourcePool, name string, spec types.ResourceConfigSpec) *simulator.ResourcePool {
	p := simulator.NewResourcePool(vc.ctx())
	p.RecentTask, p.ResourcePool.ResourcePool, p.Vm = nil, nil, nil
	p.Owner = parent.Owner
	p.Config.CpuAllocation, p.Config.MemoryAllocation = spec.CpuAllocation, spec.MemoryAllocation
	vc.reg.PutEntity(parent, vc.reg.NewEntity(p))
	vc.ownPool(p, name)
	vc.update(vc.ctx(), parent, set("resourcePool", append(slices.Clone(parent.ResourcePool.ResourcePool), p.Self)))
	return p
}

// ownPool names a pool and gives it a summary of its own.
func (vc *VCenter) ownPool(p *simulator.ResourcePool, name string) {
	p.Name = name
	p.Config.Entity = &p.Self
	summary := types.ResourcePoolSummary{Name: name, Config: p.Config}
	if old := p.Summary.GetResourcePoolSummary(); old != nil {
		summary.Runtime = old.Runtime
	}
	p.Summary = &summary
}

func (vc *VCenter) childPool(p *simulator.ResourcePool, name string) *simulator.ResourcePool {
	for _, r := range p.ResourcePool.ResourcePool {
		if c, ok := vc.reg.Get(r).(*simulator.ResourcePool); ok && c.Name == name {
			return c
		}
	}
	return nil
}

// poolPath is a pool's path below its cluster's root pool: "" is the root,
// "a/b" a pool b in a pool a.
func (vc *VCenter) poolPath(r *ref) string {
	var names []string
	for r != nil {
		p, ok := vc.reg.Get(*r).(*simulator.ResourcePool)
		if !ok || p.Parent == nil || p.Parent.Type != "ResourcePool" {
			break
		}
		names = append(names, p.Name)
		r = p.Parent
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// CreateResourcePool adds a pool. vcsim's would write to a summary that all its
// pools share.
func (c *poolCalls) CreateResourcePool(_ *simulator.Context, r *types.CreateResourcePool) soap.HasFault {
	b := new(methods.CreateResourcePoolBody)
	if r.Name == "" {
		b.Fault_ = fault(&types.InvalidName{Name: r.Name}, "a resource pool needs a name")
		return b
	}
	if old := c.vc.childPool(c.pool, r.Name); old != nil {
		b.Fault_ = fault(&types.DuplicateName{Name: r.Name, Object: old.Self}, "The name '%s' already exists.", r.Name)
		return b
	}
	b.Res = &types.CreateResourcePoolResponse{Returnval: c.vc.addPool(c.pool, r.Name, r.Spec).Self}
	return b
}

// MoveIntoResourcePool moves VMs, at once and all or none.
func (c *poolCalls) MoveIntoResourcePool(ctx *simulator.Context, r *types.MoveIntoResourcePool) soap.HasFault {
	b := new(methods.MoveIntoResourcePoolBody)
	for _, vm := range r.List {
		m := c.vc.machines[vm]
		if m == nil {
			b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "list"}, "only VMs can be moved into a pool here, not %s", vm)
			return b
		}
		if f := c.vc.moveFault(m, c.pool); f != nil {
			b.Fault_ = f
			return b
		}
	}
	for _, vm := range r.List {
		c.vc.move(ctx, c.vc.machines[vm], c.pool)
	}
	b.Res = new(types.MoveIntoResourcePoolResponse)
	return b
}

func (vc *VCenter) moveFault(m *machine, to *simulator.ResourcePool) *soap.Fault {
	if m.vm.ResourcePool == nil {
		return fault(&types.InvalidArgument{InvalidProperty: "list"}, "the template %q is in no pool", m.vm.Name)
	}
	if f := m.unseen(); f != nil {
		return f
	}
	from, ok := vc.reg.Get(*m.vm.ResourcePool).(*simulator.ResourcePool)
	if !ok || from.Owner != to.Owner {
		return fault(&types.InvalidArgument{InvalidProperty: "list"}, "the VM %q is in another cluster than the pool %q", m.vm.Name, to.Name)
	}
	return nil
}

// move changes both sides: the VM's pool, and the pools' VMs.
func (vc *VCenter) move(ctx *simulator.Context, m *machine, to *simulator.ResourcePool) {
	if m.vm.ResourcePool != nil && *m.vm.ResourcePool == to.Self {
		return
	}
	vc.leavePool(ctx, m)
	vc.update(ctx, to, set("vm", append(slices.Clone(to.Vm), m.vm.Self)))
	vc.update(ctx, m.vm, set("resourcePool", &to.Self))
	vc.changed(event.VMPool, vc.subject(m.vm.Name), "pool", to.Name)
}

func (vc *VCenter) leavePool(ctx *simulator.Context, m *machine) {
	if m.vm.ResourcePool == nil {
		return
	}
	if from, ok := vc.reg.Get(*m.vm.ResourcePool).(*simulator.ResourcePool); ok {
		vc.update(ctx, from, set("vm", without(from.Vm, m.vm.Self)))
	}
}

// without is a new list, since readers may hold the old one.
func without(list []ref, r ref) []ref {
	return slices.DeleteFunc(slices.Clone(list), func(o ref) bool { return o == r })
}

// DestroyTask removes a pool; its VMs and pools move to its parent.
func (c *poolCalls) DestroyTask(ctx *simulator.Context, r *types.Destroy_Task) soap.HasFault {
	b := new(methods.Destroy_TaskBody)
	if c.pool.Parent == nil || c.pool.Parent.Type != "ResourcePool" {
		b.Fault_ = fault(new(types.NotSupported), "the root pool cannot be destroyed")
		return b
	}
	vc, pool := c.vc, c.pool
	t := vc.start(work{method: "Destroy_Task", entity: pool.Self, name: pool.Name, user: ctx.Session.UserName, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		parent, ok := vc.reg.Get(*pool.Parent).(*simulator.ResourcePool)
		if !ok || vc.reg.Get(pool.Self) == nil {
			return nil, &types.ManagedObjectNotFound{Obj: pool.Self}
		}
		for _, vm := range slices.Clone(pool.Vm) {
			vc.move(ctx, vc.machines[vm], parent)
		}
		children := without(parent.ResourcePool.ResourcePool, pool.Self)
		for _, child := range pool.ResourcePool.ResourcePool {
			vc.update(ctx, vc.reg.Get(child), set("parent", &parent.Self))
			children = append(children, child)
		}
		vc.update(ctx, parent, set("resourcePool", children))
		vc.reg.Remove(ctx, pool.Self)
		return nil, nil
	}})
	b.Res = &types.Destroy_TaskResponse{Returnval: t}
	return b
}

package vcenter

import (
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

// Event is one that somebody posted to the vCenter.
type Event struct {
	At       time.Time // of the vCenter's clock
	Type     string    // "com.hdm...", or the name of the API's type
	Severity string
	Text     string
	VM       string // the VM that it is about, or ""
}

// eventCalls: vcsim stamps events with the wall clock, and panics on an EventEx
// that does not say which object it is about.
type eventCalls struct{ call }

// PostEvent stamps the event with the vCenter's clock.
func (c *eventCalls) PostEvent(ctx *simulator.Context, r *types.PostEvent) soap.HasFault {
	vc := c.vc
	e := r.EventToPost.GetEvent()
	posted := Event{At: vc.now(), Type: typeName(r.EventToPost), Text: e.FullFormattedMessage}
	if x, ok := r.EventToPost.(*types.EventEx); ok {
		posted.Type, posted.Severity = x.EventTypeId, x.Severity
		if x.Message != "" {
			posted.Text = x.Message
			x.FullFormattedMessage = x.Message
		}
		if f := vc.about(x); f != nil {
			return &methods.PostEventBody{Fault_: f}
		}
		if m := vc.machines[ref{Type: x.ObjectType, Value: x.ObjectId}]; m != nil {
			posted.VM = m.vm.Name
		}
	} else if e.Vm != nil && vc.machines[e.Vm.Vm] != nil {
		posted.VM = vc.machines[e.Vm.Vm].vm.Name
	}
	message := posted.Text
	var b soap.HasFault
	manager := vc.reg.EventManager()
	ctx.WithLock(manager, func() {
		b = manager.PostEvent(ctx, r)
		e.CreatedTime = vc.now()
		if message != "" {
			e.FullFormattedMessage = message
		}
	})
	vc.events = append(vc.events, posted)
	if len(vc.events) > maxEvents {
		vc.events = vc.events[1:]
	}
	vc.changed(event.EventPosted, string(vc.config.Site), "type", posted.Type, "text", posted.Text)
	return b
}

// about makes sure that an EventEx names an entity that exists.
func (vc *VCenter) about(x *types.EventEx) *soap.Fault {
	r := ref{Type: x.ObjectType, Value: x.ObjectId}
	if x.ObjectId == "" {
		switch {
		case x.Vm != nil:
			r = x.Vm.Vm
		case x.Host != nil:
			r = x.Host.Host
		default:
			r = vc.content().RootFolder
		}
		x.ObjectType, x.ObjectId = r.Type, r.Value
	}
	entity, ok := vc.reg.Get(r).(mo.Entity)
	if !ok {
		return fault(&types.InvalidEvent{}, "the event is about %s, which is not there", r)
	}
	if m := vc.machines[r]; m != nil && x.Vm == nil { // filters by entity look here
		x.Vm = &types.VmEventArgument{Vm: r, EntityEventArgument: types.EntityEventArgument{Name: entity.Entity().Name}}
	}
	return nil
}

// LogUserEvent posts a message about an entity.
func (c *eventCalls) LogUserEvent(ctx *simulator.Context, r *types.LogUserEvent) soap.HasFault {
	b := new(methods.LogUserEventBody)
	entity, ok := c.vc.reg.Get(r.Entity).(mo.Entity)
	if !ok {
		b.Fault_ = fault(&types.ManagedObjectNotFound{Obj: r.Entity}, "%s is not there", r.Entity)
		return b
	}
	e := new(types.GeneralUserEvent)
	e.Message, e.FullFormattedMessage = r.Msg, r.Msg
	name := types.EntityEventArgument{Name: entity.Entity().Name}
	e.Entity = &types.ManagedEntityEventArgument{Entity: r.Entity, EntityEventArgument: name}
	if r.Entity.Type == "VirtualMachine" {
		e.Vm = &types.VmEventArgument{Vm: r.Entity, EntityEventArgument: name}
	}
	c.PostEvent(ctx, &types.PostEvent{EventToPost: e})
	b.Res = new(types.LogUserEventResponse)
	return b
}

// postVM posts one of the vCenter's own events about a VM, for people who look
// at its history. The trace has it as a change already.
func (vc *VCenter) postVM(ctx *simulator.Context, m *machine, build func(types.VmEvent) types.BaseEvent) {
	name := types.EntityEventArgument{Name: m.vm.Name}
	var e types.VmEvent
	e.Vm = &types.VmEventArgument{Vm: m.vm.Self, EntityEventArgument: name}
	if h, ok := vc.reg.Get(*m.vm.Runtime.Host).(*simulator.HostSystem); ok {
		e.Host = &types.HostEventArgument{Host: h.Self, EntityEventArgument: types.EntityEventArgument{Name: h.Name}}
	}
	e.Datacenter = &types.DatacenterEventArgument{Datacenter: vc.dc.Self, EntityEventArgument: types.EntityEventArgument{Name: vc.dc.Name}}
	full := build(e)
	manager := vc.reg.EventManager()
	ctx.WithLock(manager, func() {
		manager.PostEvent(ctx, &types.PostEvent{EventToPost: full})
		full.GetEvent().CreatedTime = vc.now()
	})
	if _, on := full.(*types.VmPoweredOnEvent); on {
		m.poweredOn = full
	}
}

// QueryEvents adds the newest power-on of a VM to what vcsim answers about it.
// vcsim forgets all but the last thousand events of all VMs, where a vCenter
// keeps those of a month, and whether a VM has run may be asked after many hours.
func (c *eventCalls) QueryEvents(ctx *simulator.Context, r *types.QueryEvents) soap.HasFault {
	var b soap.HasFault
	manager := c.vc.reg.EventManager()
	ctx.WithLock(manager, func() { b = manager.QueryEvents(ctx, r) })
	of, ok := b.(*methods.QueryEventsBody)
	if !ok || of.Res == nil {
		return b
	}
	f := r.Filter
	if f.Entity == nil || !slices.Contains(f.EventTypeId, "VmPoweredOnEvent") || f.Time != nil || f.EventChainId != 0 {
		return b
	}
	m := c.vc.machines[f.Entity.Entity]
	if m == nil || m.poweredOn == nil || slices.Contains(of.Res.Returnval, m.poweredOn) {
		return b
	}
	of.Res.Returnval = append(of.Res.Returnval, m.poweredOn)
	return b
}

// Events are those that were posted, oldest first, at most the last 4096.
func (vc *VCenter) Events() (list []Event) {
	vc.do(func() { list = append(list, vc.events...) })
	return list
}

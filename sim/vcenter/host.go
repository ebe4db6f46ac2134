package vcenter

import (
	"fmt"
	"strconv"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

// host is what we know of a host beside vcsim's object.
//
//	connected --RebootHost, RestartHost--> dark: its VMs are off --down--> connected, another boot
//	connected --DisconnectHost, no answer--> lost: its VMs run on --reconnected--> connected, the same boot
type host struct {
	obj      *simulator.HostSystem
	boot     uint64                          // of which this is the number, from 1
	dark     bool                            // it restarts
	lost     types.HostSystemConnectionState // why the vCenter does not see it, though it runs; "" if it does
	services *hostServices
	daemon   daemon
}

const (
	hostConnected    = types.HostSystemConnectionStateConnected
	hostDisconnected = types.HostSystemConnectionStateDisconnected
	hostSilent       = types.HostSystemConnectionStateNotResponding
)

// connection is what the vCenter tells of its connection to the host.
func (h *host) connection() types.HostSystemConnectionState {
	switch {
	case h.dark:
		return hostSilent
	case h.lost != "":
		return h.lost
	}
	return hostConnected
}

// HostStateError says that a host is not in the state in which that can happen
// to it.
type HostStateError struct {
	Host  string
	State string // "notResponding", ...
	Want  string
}

func (e *HostStateError) Error() string {
	return fmt.Sprintf("the host %s is %s: it has to be %s first", e.Host, e.State, e.Want)
}

// onHost runs f on a host by its name.
func (vc *VCenter) onHost(name string, f func(*host) error) (err error) {
	vc.do(func() {
		h := vc.hosts[name]
		if h == nil {
			err = &NotFoundError{"host", name}
			return
		}
		err = f(vc.hostOf(h.Self))
	})
	return err
}

func (vc *VCenter) hostOf(r ref) *host { return vc.runs[r] }

// machinesOn are the VMs on a host, by creation.
func (vc *VCenter) machinesOn(h *host) (list []*machine) {
	for _, m := range vc.order {
		if *m.vm.Runtime.Host == h.obj.Self {
			list = append(list, m)
		}
	}
	return list
}

// RestartHost makes a host restart: at once all its VMs are without power, and
// the vCenter does not see it for so long. Then it is there again, with another
// boot time and number, and its VMs are off until somebody powers them on: there
// is no HA. What was being done to its VMs fails, and is not done; their leases
// end. That they are off shows at once, too, where a vCenter would show what it
// knew last. Errors: *NotFoundError, *HostStateError for one that restarts already.
func (vc *VCenter) RestartHost(name string, down time.Duration) error {
	return vc.onHost(name, func(h *host) error {
		if h.dark {
			return &HostStateError{name, string(h.connection()), "up"}
		}
		vc.restartHost(h, down)
		return nil
	})
}

func (vc *VCenter) restartHost(h *host, down time.Duration) {
	h.dark = true
	vc.changed(event.HostDown, vc.subject(h.obj.Name), "how", "restart")
	vc.tellHost(h)
	vc.daemonDown(h)
	vc.cutWork(h)
	for _, m := range vc.machinesOn(h) {
		vc.setPower(vc.ctx(), m, poweredOff)
	}
	vc.showHost(h)
	vc.after(down, func() {
		h.dark = false
		h.boot++
		now := vc.now()
		ctx := vc.ctx()
		ctx.WithLock(h.obj, func() { h.obj.Runtime.BootTime = &now })
		vc.update(ctx, h.obj, set("runtime.bootTime", &now))
		vc.hostUp(h)
		vc.tellHost(h)
		vc.bootServices(h)
	})
}

// hostUp shows a host that has come up, or is seen again.
func (vc *VCenter) hostUp(h *host) {
	vc.showHost(h)
	vc.changed(event.HostUp, vc.subject(h.obj.Name), "boot", strconv.FormatUint(h.boot, 10))
}

// showHost tells the API of a host's connection, and of its VMs'.
func (vc *VCenter) showHost(h *host) {
	state, power, vms := h.connection(), types.HostSystemPowerStatePoweredOn, types.VirtualMachineConnectionStateConnected
	if state != hostConnected {
		power, vms = types.HostSystemPowerStateUnknown, types.VirtualMachineConnectionStateDisconnected
	}
	ctx := vc.ctx()
	vc.update(ctx, h.obj, set("runtime.connectionState", state), set("summary.runtime.connectionState", state),
		set("runtime.powerState", power), set("summary.runtime.powerState", power))
	for _, m := range vc.machinesOn(h) {
		vc.update(ctx, m.vm, set("runtime.connectionState", vms), set("summary.runtime.connectionState", vms))
	}
}

// cutWork ends what was being done to the VMs of a host that is not seen any more.
func (vc *VCenter) cutWork(h *host) {
	why := func() types.BaseMethodFault {
		return explained(new(types.HostCommunication), "Unable to communicate with the host "+h.obj.Name+".")
	}
	for _, m := range vc.machinesOn(h) {
		if m.busy != nil {
			vc.finish(m.busy, nil, why())
		}
		for _, l := range vc.leaseLog {
			if l.m == m {
				l.close(vc.ctx(), leaseAborted, why())
			}
		}
	}
}

// DisconnectHost takes a host off the vCenter as DisconnectHost_Task does, or
// puts it back; one that restarts is then seen when it is up. Its VMs run on
// unseen: nothing can be done to them, and nothing new can be placed there.
// Errors: *NotFoundError, *HostStateError for a host that is so already, or that
// is taken off and restarts.
func (vc *VCenter) DisconnectHost(name string, disconnected bool) error {
	return vc.onHost(name, func(h *host) error {
		switch {
		case disconnected && h.connection() != hostConnected:
			return &HostStateError{name, string(h.connection()), string(hostConnected)}
		case !disconnected && h.lost == "":
			return &HostStateError{name, string(h.connection()), string(hostDisconnected)}
		case !disconnected && h.dark:
			h.lost = ""
		case disconnected:
			vc.loseHost(h, hostDisconnected)
		default:
			vc.findHost(h)
		}
		return nil
	})
}

func (vc *VCenter) loseHost(h *host, why types.HostSystemConnectionState) {
	h.lost = why
	vc.changed(event.HostDown, vc.subject(h.obj.Name), "how", "disconnect")
	vc.cutWork(h)
	vc.showHost(h)
}

func (vc *VCenter) findHost(h *host) {
	h.lost = ""
	vc.hostUp(h)
	vc.remedy(h)
}

// SetHostConnected makes a host answer the vCenter, or not, as if it had been so
// for long. Without an answer the vCenter does not know of the host's VMs either:
// nothing can be done to them, though they run on. Errors: *NotFoundError.
func (vc *VCenter) SetHostConnected(name string, connected bool) error {
	return vc.onHost(name, func(h *host) error {
		h.lost = ""
		if !connected {
			h.lost = hostSilent
		}
		vc.showHost(h)
		return nil
	})
}

// OnHost has f called, in the order of changes, when a host goes down and when
// it is up again. That the vCenter does not see it is no business of those who
// are on it.
func (vc *VCenter) OnHost(f func(host string, up bool, boot uint64)) {
	vc.do(func() { vc.hostWatch = append(vc.hostWatch, f) })
}

func (vc *VCenter) tellHost(h *host) {
	name, up, boot := h.obj.Name, !h.dark, h.boot
	for _, f := range vc.hostWatch {
		vc.queue = append(vc.queue, func() { f(name, up, boot) })
	}
}

// unseen says that the vCenter does not reach the VM.
func (m *machine) unseen() *soap.Fault {
	if s := m.vm.Runtime.ConnectionState; s != types.VirtualMachineConnectionStateConnected {
		return invalidState("the VM %q is %s", m.vm.Name, s)
	}
	return nil
}

// hostFault says that nothing can be placed on a host.
func hostFault(h *simulator.HostSystem) types.BaseMethodFault {
	if h.Runtime.ConnectionState != hostConnected {
		return new(types.HostNotConnected)
	}
	return nil
}

// hostCalls: vcsim's tell nobody, and leave VMs alone.
type hostCalls struct {
	call
	host *host
}

func (c *hostCalls) task(ctx *simulator.Context, method string, run func() types.BaseMethodFault) ref {
	vc := c.vc
	return vc.start(work{
		method: method, entity: c.Self, name: c.host.obj.Name, duration: vc.config.Timing.HostTask, user: ctx.Session.UserName,
		run: func(*simulator.Context) (types.AnyType, types.BaseMethodFault) { return nil, run() },
	})
}

// RebootHostTask restarts the host: see RestartHost. The task is done when the
// host goes down.
func (c *hostCalls) RebootHostTask(ctx *simulator.Context, r *types.RebootHost_Task) soap.HasFault {
	b := new(methods.RebootHost_TaskBody)
	h := c.host
	switch f := hostFault(h.obj); {
	case f != nil:
		b.Fault_ = fault(f, "the host %s is %s", h.obj.Name, h.connection())
	case !r.Force && !h.obj.Runtime.InMaintenanceMode:
		b.Fault_ = invalidState("the host %s is not in maintenance mode: force it", h.obj.Name)
	default:
		b.Res = &types.RebootHost_TaskResponse{Returnval: c.task(ctx, "RebootHost_Task", func() types.BaseMethodFault {
			if f := hostFault(h.obj); f != nil {
				return f
			}
			c.vc.restartHost(h, c.vc.config.Timing.HostBoot)
			return nil
		})}
	}
	return b
}

// DisconnectHostTask takes the host off the vCenter: see DisconnectHost.
func (c *hostCalls) DisconnectHostTask(ctx *simulator.Context, _ *types.DisconnectHost_Task) soap.HasFault {
	b := new(methods.DisconnectHost_TaskBody)
	h := c.host
	if h.connection() != hostConnected {
		b.Fault_ = invalidState("the host %s is %s", h.obj.Name, h.connection())
		return b
	}
	b.Res = &types.DisconnectHost_TaskResponse{Returnval: c.task(ctx, "DisconnectHost_Task", func() types.BaseMethodFault {
		if h.connection() != hostConnected {
			return new(types.InvalidState)
		}
		c.vc.loseHost(h, hostDisconnected)
		return nil
	})}
	return b
}

// ReconnectHostTask puts the host back. One that does not answer stays away.
func (c *hostCalls) ReconnectHostTask(ctx *simulator.Context, _ *types.ReconnectHost_Task) soap.HasFault {
	b := new(methods.ReconnectHost_TaskBody)
	h := c.host
	if h.connection() == hostConnected {
		b.Fault_ = invalidState("the host %s is connected", h.obj.Name)
		return b
	}
	b.Res = &types.ReconnectHost_TaskResponse{Returnval: c.task(ctx, "ReconnectHost_Task", func() types.BaseMethodFault {
		switch {
		case h.dark || h.lost == hostSilent:
			return new(types.HostCommunication)
		case h.lost == "":
			return new(types.InvalidState)
		}
		c.vc.findHost(h)
		return nil
	})}
	return b
}

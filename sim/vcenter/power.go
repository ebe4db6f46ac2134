package vcenter

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

// vmCalls answers for a VM. Its methods are spread over the files of this
// package.
type vmCalls struct {
	call
	m *machine
}

const (
	poweredOn  = types.VirtualMachinePowerStatePoweredOn
	poweredOff = types.VirtualMachinePowerStatePoweredOff
	suspended  = types.VirtualMachinePowerStateSuspended
)

// vmTask starts a task on this VM, unless another task or a lease keeps it off
// or the VM cannot be reached.
func (c *vmCalls) vmTask(ctx *simulator.Context, w work) (ref, *soap.Fault) {
	if f := c.m.busyFault(); f != nil {
		return ref{}, fault(f, "%s", explain(f))
	}
	if f := c.m.unseen(); f != nil {
		return ref{}, f
	}
	w.entity, w.name, w.m, w.user = c.m.vm.Self, c.m.vm.Name, c.m, ctx.Session.UserName
	return c.vc.start(w), nil
}

// powerFault refuses a change of power that makes no sense in this state.
func (m *machine) powerFault(want types.VirtualMachinePowerState, from ...types.VirtualMachinePowerState) types.BaseMethodFault {
	now := m.vm.Runtime.PowerState
	for _, s := range from {
		if s == now {
			return nil
		}
	}
	return &types.InvalidPowerState{RequestedState: want, ExistingState: now}
}

// PowerOnVMTask powers the VM on.
func (c *vmCalls) PowerOnVMTask(ctx *simulator.Context, _ *types.PowerOnVM_Task) soap.HasFault {
	b := new(methods.PowerOnVM_TaskBody)
	if c.m.vm.Config.Template {
		b.Fault_ = fault(new(types.NotSupported), "the template %q cannot be powered on", c.m.vm.Name)
		return b
	}
	t, f := c.vmTask(ctx, work{method: "PowerOnVM_Task", duration: c.vc.config.Timing.PowerOn, cancelable: true, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		return nil, c.vc.power(ctx, c.m, poweredOn, poweredOff, suspended)
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.PowerOnVM_TaskResponse{Returnval: t}
	}
	return b
}

// PowerOffVMTask pulls the plug.
func (c *vmCalls) PowerOffVMTask(ctx *simulator.Context, _ *types.PowerOffVM_Task) soap.HasFault {
	b := new(methods.PowerOffVM_TaskBody)
	t, f := c.vmTask(ctx, work{method: "PowerOffVM_Task", duration: c.vc.config.Timing.PowerOff, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		return nil, c.vc.power(ctx, c.m, poweredOff, poweredOn, suspended)
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.PowerOffVM_TaskResponse{Returnval: t}
	}
	return b
}

// SuspendVMTask stops the VM with its memory kept. For the trace it is off.
func (c *vmCalls) SuspendVMTask(ctx *simulator.Context, _ *types.SuspendVM_Task) soap.HasFault {
	b := new(methods.SuspendVM_TaskBody)
	t, f := c.vmTask(ctx, work{method: "SuspendVM_Task", duration: c.vc.config.Timing.Suspend, cancelable: true, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		return nil, c.vc.power(ctx, c.m, suspended, poweredOn)
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.SuspendVM_TaskResponse{Returnval: t}
	}
	return b
}

// ResetVMTask powers the VM off and on.
func (c *vmCalls) ResetVMTask(ctx *simulator.Context, _ *types.ResetVM_Task) soap.HasFault {
	b := new(methods.ResetVM_TaskBody)
	t, f := c.vmTask(ctx, work{method: "ResetVM_Task", duration: c.vc.config.Timing.Reset, run: func(ctx *simulator.Context) (types.AnyType, types.BaseMethodFault) {
		if f := c.vc.power(ctx, c.m, poweredOff, poweredOn); f != nil {
			return nil, f
		}
		return nil, c.vc.power(ctx, c.m, poweredOn, poweredOff)
	}})
	if b.Fault_ = f; f == nil {
		b.Res = &types.ResetVM_TaskResponse{Returnval: t}
	}
	return b
}

// power changes the power state, from one of those that allow it.
func (vc *VCenter) power(ctx *simulator.Context, m *machine, to types.VirtualMachinePowerState, from ...types.VirtualMachinePowerState) types.BaseMethodFault {
	if f := m.powerFault(to, from...); f != nil {
		return f
	}
	if to == poweredOn {
		if f := vc.powerOnFault(m); f != nil {
			return f
		}
	}
	vc.setPower(ctx, m, to)
	return nil
}

// powerOnFault is what keeps a VM from running on its host.
func (vc *VCenter) powerOnFault(m *machine) types.BaseMethodFault {
	h, ok := vc.reg.Get(*m.vm.Runtime.Host).(*simulator.HostSystem)
	switch {
	case !ok || h.Runtime.ConnectionState != types.HostSystemConnectionStateConnected:
		return &types.HostNotConnected{}
	case h.Runtime.InMaintenanceMode:
		return new(types.InvalidState)
	}
	if f := m.reachFault(h); f != nil {
		return f
	}
	if f := vc.goneFault(m); f != nil {
		return f
	}
	return vc.lockFault(m)
}

// setPower makes the power state so. Whatever ran in the VM starts, or stops
// in the middle of what it did.
func (vc *VCenter) setPower(ctx *simulator.Context, m *machine, to types.VirtualMachinePowerState) {
	vm := m.vm
	if vm.Runtime.PowerState == to {
		return
	}
	wasOn := vm.Runtime.PowerState == poweredOn
	changes := []types.PropertyChange{
		set("runtime.powerState", to), set("summary.runtime.powerState", to),
		set("config.hardware.device", connected(vm.Config.Hardware.Device, to == poweredOn)),
	}
	ctx.WithLock(vm, func() {
		vm.Runtime.BootTime = nil
		if to == poweredOn {
			now := vc.now()
			vm.Runtime.BootTime = &now
		}
		vm.Summary.Runtime.BootTime = vm.Runtime.BootTime
		ctx.Update(vm, changes)
	})
	if to != poweredOn {
		vc.setGuest(m, GuestState{})
	}
	vc.postVM(ctx, m, powerEvent(to))
	switch {
	case to == poweredOn:
		vc.changed(event.VMPower, vc.subject(vm.Name), "state", "on")
	case wasOn:
		vc.changed(event.VMPower, vc.subject(vm.Name), "state", "off")
	}
}

func powerEvent(to types.VirtualMachinePowerState) func(types.VmEvent) types.BaseEvent {
	return func(e types.VmEvent) types.BaseEvent {
		switch to {
		case poweredOn:
			return &types.VmPoweredOnEvent{VmEvent: e}
		case suspended:
			return &types.VmSuspendedEvent{VmEvent: e}
		}
		return &types.VmPoweredOffEvent{VmEvent: e}
	}
}

// connected is a copy of the devices with those that start connected so.
func connected(devices []types.BaseVirtualDevice, on bool) []types.BaseVirtualDevice {
	list := make([]types.BaseVirtualDevice, len(devices))
	for i, d := range devices {
		list[i] = d
		if c := d.GetVirtualDevice().Connectable; c != nil {
			list[i] = copyDevice(d)
			fresh := *c
			fresh.Connected = on && c.StartConnected
			list[i].GetVirtualDevice().Connectable = &fresh
		}
	}
	return list
}

// ShutdownGuest asks the guest to shut down and returns. Config.ShutdownGuest
// hears of it; GuestHalted tells when it has.
func (c *vmCalls) ShutdownGuest(*simulator.Context, *types.ShutdownGuest) soap.HasFault {
	b := new(methods.ShutdownGuestBody)
	if b.Fault_ = c.guestFault(); b.Fault_ != nil {
		return b
	}
	c.vc.update(c.vc.ctx(), c.m.vm, set("guest.guestState", string(types.VirtualMachineGuestStateShuttingDown)))
	if tell := c.vc.config.ShutdownGuest; tell != nil {
		name := c.m.vm.Name
		c.vc.queue = append(c.vc.queue, func() { tell(name) })
	}
	b.Res = new(types.ShutdownGuestResponse)
	return b
}

// RebootGuest asks the guest to shut down and come up again, and returns.
// Config.RebootGuest hears of it; the VM stays powered on.
func (c *vmCalls) RebootGuest(*simulator.Context, *types.RebootGuest) soap.HasFault {
	b := new(methods.RebootGuestBody)
	if b.Fault_ = c.guestFault(); b.Fault_ != nil {
		return b
	}
	tell := c.vc.config.RebootGuest
	if tell == nil {
		b.Fault_ = fault(new(types.NotSupported), "no guest of this vCenter reboots by itself: shut it down and power the VM on")
		return b
	}
	c.vc.update(c.vc.ctx(), c.m.vm, set("guest.guestState", string(types.VirtualMachineGuestStateResetting)))
	name := c.m.vm.Name
	c.vc.queue = append(c.vc.queue, func() { tell(name) })
	b.Res = new(types.RebootGuestResponse)
	return b
}

// guestFault is why nothing can be asked of the guest.
func (c *vmCalls) guestFault() *soap.Fault {
	if f := c.m.unseen(); f != nil {
		return f
	}
	if f := c.m.powerFault(poweredOn, poweredOn); f != nil {
		return fault(f, "%s", explain(f))
	}
	if c.m.vm.Guest.ToolsRunningStatus != string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		return fault(new(types.ToolsUnavailable), "Cannot complete operation because VMware Tools is not running in this virtual machine.")
	}
	return nil
}

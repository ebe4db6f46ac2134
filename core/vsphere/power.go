package vsphere

import (
	"context"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// PowerOn starts a VM and waits until it runs. It does nothing if it does.
func (s *Session) PowerOn(ctx context.Context, vm Ref) error {
	return s.power(ctx, "power on", vm, types.VirtualMachinePowerStatePoweredOn, false)
}

// PowerOff takes a VM's power away and waits until it is off: the guest is not
// asked. It does nothing if the VM is off. A suspended VM it refuses, for its
// memory would be lost.
func (s *Session) PowerOff(ctx context.Context, vm Ref) error {
	return s.power(ctx, "power off", vm, types.VirtualMachinePowerStatePoweredOff, false)
}

// CutPower is PowerOff, of a suspended VM too: what it has in memory is lost.
//
// API: VirtualMachine.PowerOffVM_Task.
func (s *Session) CutPower(ctx context.Context, vm Ref) error {
	return s.power(ctx, "cut the power of", vm, types.VirtualMachinePowerStatePoweredOff, true)
}

func (s *Session) power(ctx context.Context, op string, vm Ref, want types.VirtualMachinePowerState, evenSuspended bool) error {
	// A start or stop that is still under way must end before the state means
	// anything.
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	var now powerState
	_, err := s.poll(ctx, haltPatience, func() (bool, error) {
		var err error
		now, err = s.powerState(ctx, vm)
		// What a guest that is shutting down will leave is a VM that is off.
		return !now.halting || want == types.VirtualMachinePowerStatePoweredOff, err
	})
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	switch {
	case now.power == want:
		return nil
	case now.power == types.VirtualMachinePowerStateSuspended && want == types.VirtualMachinePowerStatePoweredOff && !evenSuspended:
		return s.refuse(op, string(vm), "it is suspended, and what it has in memory would be lost", "resume it, and shut its guest down")
	}
	var task types.ManagedObjectReference
	if want == types.VirtualMachinePowerStatePoweredOn {
		res, e := methods.PowerOnVM_Task(ctx, s.vim, &types.PowerOnVM_Task{This: vm.managed()})
		if err = e; err == nil {
			task = res.Returnval
		}
	} else {
		res, e := methods.PowerOffVM_Task(ctx, s.vim, &types.PowerOffVM_Task{This: vm.managed()})
		if err = e; err == nil {
			task = res.Returnval
		}
	}
	if err == nil {
		err = s.await(ctx, op, string(vm), task)
	}
	if already(err, want) {
		return nil
	}
	return s.fail(op, string(vm), err, changes)
}

// already recognises the refusal of a VM that somebody else brought to the
// wanted state first.
func already(err error, want types.VirtualMachinePowerState) bool {
	f, ok := faultOf(err).(*types.InvalidPowerState)
	return ok && f.ExistingState == want
}

// haltPatience is how long a guest that is shutting down is waited for before a
// power-on takes it as running.
const haltPatience = 10 * time.Minute

type powerState struct {
	power   types.VirtualMachinePowerState
	tools   bool // VMware Tools run
	halting bool // the guest is shutting down
}

func (s *Session) powerState(ctx context.Context, vm Ref) (now powerState, err error) {
	var v mo.VirtualMachine
	err = s.one(ctx, vm.managed(), &v, "runtime.powerState", "guest.toolsRunningStatus", "guest.guestState")
	now.power = v.Runtime.PowerState
	if v.Guest != nil {
		now.tools = v.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
		now.halting = v.Guest.GuestState == string(types.VirtualMachineGuestStateShuttingDown) && now.power == types.VirtualMachinePowerStatePoweredOn
	}
	return now, err
}

// ShutdownGuest asks the guest to shut down and waits until the VM is off. It
// takes the power away when the guest has not done so after patience, or
// cannot be asked because no VMware Tools run in it. A suspended VM it refuses,
// as PowerOff does.
func (s *Session) ShutdownGuest(ctx context.Context, vm Ref, patience time.Duration) error {
	const op = "shut down the guest of"
	now, err := s.powerState(ctx, vm)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	if now.power == types.VirtualMachinePowerStatePoweredOff {
		return nil
	}
	if now.power != types.VirtualMachinePowerStatePoweredOn || !now.tools {
		return s.PowerOff(ctx, vm)
	}
	_, err = methods.ShutdownGuest(ctx, s.vim, &types.ShutdownGuest{This: vm.managed()})
	switch {
	case err == nil:
	case already(err, types.VirtualMachinePowerStatePoweredOff):
		return nil
	case isFault[types.ToolsUnavailable](err):
		return s.PowerOff(ctx, vm) // they stopped since we looked
	default:
		return s.fail(op, string(vm), err, changes)
	}
	_, err = s.poll(ctx, patience, func() (bool, error) {
		now, err = s.powerState(ctx, vm)
		return now.power != types.VirtualMachinePowerStatePoweredOn, err
	})
	if err != nil {
		return s.lostSight(op, string(vm), err)
	}
	return s.PowerOff(ctx, vm) // nothing is left to do if the guest obeyed
}

// poweredOnEvents are the types of event by which a vCenter tells that a VM
// began to run: filters match a type itself, not what it is a kind of.
var poweredOnEvents = []string{"VmPoweredOnEvent", "DrsVmPoweredOnEvent", "VmRestartedOnAlternateHostEvent"}

// LastPowerOn is the key of the newest event that tells of the VM beginning to
// run, 0 if the vCenter remembers none. Keys rise, so a key that is higher than
// an earlier answer tells that the VM ran in between, even if it is off again.
func (s *Session) LastPowerOn(ctx context.Context, vm Ref) (key int32, err error) {
	res, err := methods.QueryEvents(ctx, s.vim, &types.QueryEvents{
		This: *s.vim.ServiceContent.EventManager,
		Filter: types.EventFilterSpec{
			Entity:      &types.EventFilterSpecByEntity{Entity: vm.managed(), Recursion: types.EventFilterSpecRecursionOptionSelf},
			EventTypeId: poweredOnEvents,
		},
	})
	if err != nil {
		return 0, s.fail("read the events of", string(vm), err, reads)
	}
	for _, e := range res.Returnval { // in an order that no vCenter promises
		key = max(key, e.GetEvent().Key)
	}
	return key, nil
}

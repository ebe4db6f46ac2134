package vsphere

import (
	"context"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// AwaitTools waits until VMware Tools run in the guest, at most for patience. It
// says whether they do: they do not in a VM that is off, for which nobody waits.
func (s *Session) AwaitTools(ctx context.Context, vm Ref, patience time.Duration) (bool, error) {
	var now powerState
	_, err := s.poll(ctx, patience, func() (bool, error) {
		var err error
		now, err = s.powerState(ctx, vm)
		return now.tools || now.power != types.VirtualMachinePowerStatePoweredOn, err
	})
	return now.tools && err == nil, s.fail("wait for the tools of", string(vm), err, reads)
}

// RebootGuest asks the guest to reboot and waits until it has gone down. It
// resets the VM when the guest has not gone down after patience, or cannot be
// asked because no VMware Tools run in it. A VM that is not powered on it
// refuses. Called again after a lost answer, it reboots the guest again.
func (s *Session) RebootGuest(ctx context.Context, vm Ref, patience time.Duration) error {
	const op = "reboot the guest of"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	now, err := s.powerState(ctx, vm)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	if now.power != types.VirtualMachinePowerStatePoweredOn {
		return s.refuse(op, string(vm), "it is "+string(now.power), "power it on")
	}
	if !now.tools {
		return s.reset(ctx, op, vm)
	}
	_, err = methods.RebootGuest(ctx, s.vim, &types.RebootGuest{This: vm.managed()})
	if isFault[types.ToolsUnavailable](err) {
		return s.reset(ctx, op, vm) // they stopped since we looked
	} else if err != nil {
		return s.fail(op, string(vm), err, changes)
	}
	down, err := s.poll(ctx, patience, func() (bool, error) {
		now, err = s.powerState(ctx, vm)
		return !now.tools, err
	})
	switch {
	case err != nil:
		return s.lostSight(op, string(vm), err)
	case !down:
		return s.reset(ctx, op, vm)
	case now.power != types.VirtualMachinePowerStatePoweredOn:
		return s.retry(op, string(vm), "it went off instead", "")
	}
	return nil
}

// ResetVM takes a VM's power away and gives it back: its guest is not asked. One
// that is off it powers on. Called again after a lost answer, it resets the VM
// again.
//
// API: VirtualMachine.ResetVM_Task.
func (s *Session) ResetVM(ctx context.Context, vm Ref) error {
	const op = "reset"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	now, err := s.powerState(ctx, vm)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	if now.power != types.VirtualMachinePowerStatePoweredOn {
		return s.PowerOn(ctx, vm)
	}
	return s.reset(ctx, op, vm)
}

// reset takes the VM's power away and gives it back.
func (s *Session) reset(ctx context.Context, op string, vm Ref) error {
	res, err := methods.ResetVM_Task(ctx, s.vim, &types.ResetVM_Task{This: vm.managed()})
	if err != nil {
		return s.fail(op, string(vm), err, changes)
	}
	return s.await(ctx, op, string(vm), res.Returnval)
}

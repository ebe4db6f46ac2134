package vcenter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

func TestPowerTakesItsTimeAndIsToldOnce(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.told()
		task, err := vm.PowerOn(ctx)
		require.NoError(e, err)
		assert.Equal(e, types.TaskInfoStateQueued, e.info(task.Reference()).State)
		var last int32
		for range 3 {
			e.clock.advance(time.Second - time.Nanosecond)
			i := e.info(task.Reference())
			assert.Equal(e, types.TaskInfoStateRunning, i.State)
			assert.Greater(e, i.Progress, last, "progress rises")
			last = i.Progress
			assert.Equal(e, vsphere.Off, e.truth("db-01").Power, "applied at the end only")
		}
		e.clock.advance(time.Second)
		i := e.info(task.Reference())
		assert.Equal(e, types.TaskInfoStateSuccess, i.State)
		assert.True(e, i.CompleteTime.Equal(epoch.Add(3*time.Second)), "stamped by the vCenter's clock: %v", i.CompleteTime)
		assert.Equal(e, vsphere.On, e.truth("db-01").Power)
		assert.Equal(e, []string{
			"task.started on-premises task task-000001 method PowerOnVM_Task entity db-01",
			"vm.power on-premises/db-01 state on",
			"task.finished on-premises task task-000001 method PowerOnVM_Task entity db-01 state success",
		}, e.told())

		var o mo.VirtualMachine
		e.props(vm.Reference(), &o, "runtime", "summary.runtime", "config.hardware.device", "recentTask")
		assert.Equal(e, types.VirtualMachinePowerStatePoweredOn, o.Runtime.PowerState)
		assert.Equal(e, types.VirtualMachinePowerStatePoweredOn, o.Summary.Runtime.PowerState)
		assert.True(e, o.Runtime.BootTime.Equal(epoch.Add(3*time.Second)))
		assert.Equal(e, []types.ManagedObjectReference{task.Reference()}, o.RecentTask)
		assert.True(e, e.truth("db-01").NICs[0].Connected)

		e.done(vm.PowerOff(ctx))
		assert.Equal(e, vsphere.Off, e.truth("db-01").Power)
		assert.False(e, e.truth("db-01").NICs[0].Connected)
	})
}

func TestPowerThatMakesNoSenseFails(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		task, err := vm.PowerOff(ctx)
		f := failed[types.InvalidPowerState](e, task, err)
		assert.Equal(e, types.VirtualMachinePowerStatePoweredOff, f.ExistingState)
		e.done(vm.PowerOn(ctx))
		task, err = vm.PowerOn(ctx)
		failed[types.InvalidPowerState](e, task, err)

		spec := db("golden")
		spec.Template = true
		_, err = e.add(spec).PowerOn(ctx)
		refused[types.NotSupported](e, err)

		require.NoError(e, e.vc.SetVMConnection("db-01", types.VirtualMachineConnectionStateDisconnected))
		_, err = vm.PowerOff(ctx)
		refused[types.InvalidState](e, err)
	})
}

func TestOneTaskKeepsOthersOffItsVM(t *testing.T) {
	over(t, func(e *env) {
		vm, other := e.add(db("db-01")), e.add(db("db-02"))
		first, err := vm.PowerOn(ctx)
		require.NoError(e, err)
		_, err = vm.CreateSnapshot(ctx, "s", "", false, false)
		refused[types.TaskInProgress](e, err)
		e.done(other.PowerOn(ctx))
		e.done(first, nil)
		e.done(vm.CreateSnapshot(ctx, "s", "", false, false))
	})
}

func TestACancelledTaskIsNeverApplied(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		task, err := vm.PowerOn(ctx)
		require.NoError(e, err)
		e.clock.advance(2 * time.Second)
		require.NoError(e, task.Cancel(ctx))
		i := e.info(task.Reference())
		assert.Equal(e, types.TaskInfoStateError, i.State)
		assert.True(e, i.Cancelled)
		e.clock.advance(time.Hour)
		assert.Equal(e, vsphere.Off, e.truth("db-01").Power)
		refused[types.InvalidState](e, task.Cancel(ctx))
		e.done(vm.PowerOn(ctx)) // it keeps nobody off any more

		task, err = vm.PowerOff(ctx)
		require.NoError(e, err)
		refused[types.NotSupported](e, task.Cancel(ctx))
		e.done(task, nil)
	})
}

func TestAGuestIsAskedAndHaltsByItself(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		refused[types.InvalidPowerState](e, vm.ShutdownGuest(ctx))
		e.done(vm.PowerOn(ctx))
		refused[types.ToolsUnavailable](e, vm.ShutdownGuest(ctx))
		require.NoError(e, e.vc.SetGuest("db-01", vcenter.GuestState{ToolsRunning: true, IPAddress: "10.0.0.7"}))
		var o mo.VirtualMachine
		e.props(vm.Reference(), &o, "guest", "summary.guest")
		assert.Equal(e, "guestToolsRunning", o.Guest.ToolsRunningStatus)
		assert.Equal(e, "guestToolsCurrent", o.Guest.ToolsVersionStatus2)
		assert.Equal(e, "10.0.0.7", o.Summary.Guest.IpAddress)

		require.NoError(e, vm.ShutdownGuest(ctx))
		assert.Equal(e, []string{"db-01"}, e.asked)
		assert.Equal(e, vsphere.On, e.truth("db-01").Power, "asking is not stopping")
		e.told()
		require.NoError(e, e.vc.GuestHalted("db-01"))
		assert.Equal(e, []string{"vm.power on-premises/db-01 state off"}, e.told())
		assert.False(e, e.truth("db-01").ToolsRunning)
		var missing *vcenter.NotFoundError
		assert.ErrorAs(e, e.vc.GuestHalted("nobody"), &missing)
	})
}

func TestAGuestIsAskedToRebootAndTheVMStaysOn(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		refused[types.InvalidPowerState](e, vm.RebootGuest(ctx))
		e.done(vm.PowerOn(ctx))
		refused[types.ToolsUnavailable](e, vm.RebootGuest(ctx))
		require.NoError(e, e.vc.SetGuest("db-01", vcenter.GuestState{ToolsRunning: true}))
		require.NoError(e, vm.RebootGuest(ctx))
		assert.Equal(e, []string{"db-01"}, e.reboots)
		assert.Equal(e, vsphere.On, e.truth("db-01").Power)
	})
}

func TestSuspendResetAndTemplates(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.done(vm.PowerOn(ctx))
		e.told()
		e.done(vm.Reset(ctx))
		assert.Equal(e, []string{"vm.power on-premises/db-01 state off", "vm.power on-premises/db-01 state on"}, e.told("vm."))
		e.done(vm.Suspend(ctx))
		assert.Equal(e, vsphere.Suspended, e.truth("db-01").Power)
		refused[types.InvalidPowerState](e, vm.MarkAsTemplate(ctx))
		e.done(vm.PowerOff(ctx))
		require.NoError(e, vm.MarkAsTemplate(ctx))
		assert.True(e, e.truth("db-01").Template)
		require.NoError(e, vm.MarkAsVirtualMachine(ctx, *e.pool(), nil))
		assert.False(e, e.truth("db-01").Template)
		e.done(vm.PowerOn(ctx))
	})
}

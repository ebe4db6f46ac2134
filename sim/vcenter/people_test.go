package vcenter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/event"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/vcenter"
)

func TestEventsAreStampedByTheVCentersClock(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		m := event.NewManager(e.c)
		e.told()
		ev := &types.EventEx{EventTypeId: "com.hdm.migration.failed", Severity: "error", Message: "the WAN is down", ObjectType: "VirtualMachine", ObjectId: vm.Reference().Value,
			Arguments: []types.KeyAnyValue{{Key: "migration", Value: "m-0001"}}}
		require.NoError(e, m.PostEvent(ctx, ev))
		assert.Equal(e, []string{"vcenter.event on-premises type com.hdm.migration.failed text the WAN is down"}, e.told())
		assert.Equal(e, []vcenter.Event{{At: epoch, Type: "com.hdm.migration.failed", Severity: "error", Text: "the WAN is down", VM: "db-01"}}, e.vc.Events())
		list, err := m.QueryEvents(ctx, types.EventFilterSpec{
			EventTypeId: []string{"com.hdm.migration.failed"},
			Entity:      &types.EventFilterSpecByEntity{Entity: vm.Reference(), Recursion: types.EventFilterSpecRecursionOptionSelf},
			Time:        &types.EventFilterSpecByTime{BeginTime: &epoch, EndTime: &epoch},
		})
		require.NoError(e, err)
		require.Len(e, list, 1)
		assert.Equal(e, "the WAN is down", list[0].GetEvent().FullFormattedMessage)

		require.NoError(e, m.PostEvent(ctx, &types.EventEx{EventTypeId: "com.hdm.about-nothing"}), "vcsim panics here")
		err = m.PostEvent(ctx, &types.EventEx{EventTypeId: "com.hdm.x", ObjectType: "VirtualMachine", ObjectId: "vm-9999"})
		refused[types.InvalidEvent](e, err)
		_, err = methods.LogUserEvent(ctx, e.c, &types.LogUserEvent{This: m.Reference(), Entity: vm.Reference(), Msg: "hello"})
		require.NoError(e, err)
		assert.Equal(e, "hello", e.vc.Events()[2].Text)
	})
}

func TestEveryChangeOfPowerIsAnEventWhoeverMadeIt(t *testing.T) {
	over(t, func(e *env) {
		vm, other := e.add(db("db-01")), e.add(db("db-02"))
		e.told()
		e.done(vm.PowerOn(ctx))
		e.clock.advance(time.Hour)
		require.NoError(e, e.vc.GuestHalted("db-01"))
		e.done(vm.PowerOn(ctx))
		e.done(vm.Reset(ctx))
		e.done(vm.PowerOff(ctx))
		e.done(other.PowerOn(ctx))
		assert.Empty(e, e.told("vcenter.event"), "the trace has them as changes of power already")

		events := func(kind ...string) []types.BaseEvent {
			list, err := event.NewManager(e.c).QueryEvents(ctx, types.EventFilterSpec{
				EventTypeId: kind, Entity: &types.EventFilterSpecByEntity{Entity: vm.Reference(), Recursion: types.EventFilterSpecRecursionOptionSelf},
			})
			require.NoError(e, err)
			return list
		}
		assert.Len(e, events("VmPoweredOnEvent"), 3, "twice by somebody, once by the reset")
		assert.Len(e, events("VmPoweredOffEvent"), 3, "by the guest, by the reset and by somebody")
		keys, stamps := map[int32]bool{}, map[time.Time]bool{}
		var last types.Event
		for _, x := range events("VmPoweredOnEvent", "VmPoweredOffEvent") {
			v := *x.GetEvent()
			keys[v.Key], stamps[v.CreatedTime] = true, true
			if v.Key > last.Key {
				last = v
			}
			assert.False(e, v.CreatedTime.Before(epoch) || v.CreatedTime.After(e.clock.Now()), "stamped by the vCenter's clock: %v", v.CreatedTime)
		}
		assert.Len(e, keys, 6)
		assert.Len(e, stamps, 5, "a reset takes no time in between")
		assert.Equal(e, "db-01", last.Vm.Name)
		for stamp := range stamps {
			assert.False(e, stamp.After(last.CreatedTime), "a later one has a higher key")
		}
	})
}

func TestThatAVMRanIsNotForgottenOverTheEventsOfOthers(t *testing.T) {
	over(t, func(e *env) {
		vm, other := e.add(db("db-01")), e.add(db("db-02"))
		e.done(vm.PowerOn(ctx))
		m := event.NewManager(e.c)
		for range 1100 { // vcsim keeps a thousand
			require.NoError(e, m.PostEvent(ctx, &types.EventEx{EventTypeId: "com.hdm.x", ObjectType: "VirtualMachine", ObjectId: other.Reference().Value}))
		}
		for of, want := range map[types.ManagedObjectReference]int{vm.Reference(): 1, other.Reference(): 0} {
			list, err := m.QueryEvents(ctx, types.EventFilterSpec{EventTypeId: []string{"VmPoweredOnEvent"},
				Entity: &types.EventFilterSpecByEntity{Entity: of, Recursion: types.EventFilterSpecRecursionOptionSelf}})
			require.NoError(e, err)
			assert.Len(e, list, want)
		}
	})
}

func TestAnExtensionDrivesItsTasks(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		create := func() (types.TaskInfo, error) {
			r, err := methods.CreateTask(ctx, e.c, &types.CreateTask{This: *e.c.ServiceContent.TaskManager, Obj: vm.Reference(), TaskTypeId: "com.hdm.migrate", Cancelable: true})
			if err != nil {
				return types.TaskInfo{}, err
			}
			return r.Returnval, nil
		}
		_, err := create()
		refused[types.InvalidArgument](e, err)
		x, err := object.GetExtensionManager(e.c)
		require.NoError(e, err)
		require.NoError(e, x.Register(ctx, types.Extension{Key: "com.hdm", Version: "1.0", Description: &types.Description{Label: "HDM", Summary: "HDM"},
			LastHeartbeatTime: epoch, TaskList: []types.ExtensionTaskTypeInfo{{TaskID: "com.hdm.migrate"}}}))
		for _, how := range []types.TaskInfoState{types.TaskInfoStateSuccess, types.TaskInfoStateError} {
			info, err := create()
			require.NoError(e, err)
			task := object.NewTask(e.c, info.Task)
			refused[types.InvalidState](e, task.UpdateProgress(ctx, 1))
			require.NoError(e, task.SetState(ctx, types.TaskInfoStateRunning, nil, nil))
			require.NoError(e, task.UpdateProgress(ctx, 42))
			require.NoError(e, task.SetDescription(ctx, types.LocalizableMessage{Key: "com.hdm.step", Message: "copying"}))
			i := e.info(info.Task)
			assert.EqualValues(e, 42, i.Progress)
			assert.Equal(e, "copying", i.Description.Message)
			assert.Equal(e, "db-01", i.EntityName)
			assert.True(e, i.QueueTime.Equal(e.clock.Now()))
			require.NoError(e, task.Cancel(ctx))
			assert.True(e, e.info(info.Task).Cancelled, "a wish that the extension has to see")
			assert.Equal(e, types.TaskInfoStateRunning, e.info(info.Task).State)
			var why *types.LocalizedMethodFault
			if how == types.TaskInfoStateError {
				why = &types.LocalizedMethodFault{Fault: &types.SystemError{Reason: "wan"}, LocalizedMessage: "the WAN is down"}
			}
			require.NoError(e, task.SetState(ctx, how, nil, why))
			i = e.info(info.Task)
			assert.Equal(e, how, i.State)
			if why != nil {
				assert.Equal(e, "the WAN is down", i.Error.LocalizedMessage)
			}
			refused[types.InvalidState](e, task.SetState(ctx, types.TaskInfoStateRunning, nil, nil))
		}
		task, err := vm.PowerOn(ctx) // a migration's task keeps nobody off the VM
		require.NoError(e, err)
		refused[types.NotSupported](e, task.SetState(ctx, types.TaskInfoStateSuccess, nil, nil))
	})
}

func TestVMsMoveBetweenFolders(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		var before mo.VirtualMachine
		e.props(vm.Reference(), &before, "parent")
		old := object.NewFolder(e.c, *before.Parent)
		folder, err := old.CreateFolder(ctx, "archive")
		require.NoError(e, err)
		e.done(folder.MoveInto(ctx, []types.ManagedObjectReference{vm.Reference()}))
		var after mo.VirtualMachine
		e.props(vm.Reference(), &after, "parent")
		assert.Equal(e, folder.Reference(), *after.Parent)
		var from, to mo.Folder
		e.props(old.Reference(), &from, "childEntity")
		e.props(folder.Reference(), &to, "childEntity")
		assert.NotContains(e, from.ChildEntity, vm.Reference())
		assert.Equal(e, []types.ManagedObjectReference{vm.Reference()}, to.ChildEntity)

		_, err = folder.MoveInto(ctx, []types.ManagedObjectReference{old.Reference()})
		refused[types.NotSupported](e, err)
		e.done(vm.Destroy(ctx))
	})
}

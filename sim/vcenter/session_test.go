package vcenter_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

func TestNothingIsAnsweredWithoutASession(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		c := e.another()
		stranger := object.NewVirtualMachine(c, vm.Reference())
		_, err := stranger.PowerOn(ctx)
		refused[types.NotAuthenticated](e, err)
		var o mo.VirtualMachine
		err = stranger.Properties(ctx, vm.Reference(), []string{"name"}, &o)
		refused[types.NotAuthenticated](e, err)
		assert.Equal(e, vsphere.Off, e.truth("db-01").Power)
		for _, user := range []*url.Userinfo{url.UserPassword("administrator@vsphere.local", "wrong"), url.UserPassword("nobody", "password")} {
			err = session.NewManager(c).Login(ctx, user)
			refused[types.InvalidLogin](e, err)
			assert.NotContains(e, err.Error(), "wrong")
		}
	})
}

func TestATerminatedSessionCanDoNothingMore(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		old, fresh := e.again(), e.again()
		m := session.NewManager(fresh)
		mine, err := m.UserSession(ctx)
		require.NoError(e, err)
		require.NotNil(e, mine)
		var o mo.SessionManager
		require.NoError(e, object.NewCommon(fresh, *fresh.ServiceContent.SessionManager).Properties(ctx, *fresh.ServiceContent.SessionManager, []string{"sessionList"}, &o))
		assert.Len(e, o.SessionList, 3)
		var others []string
		for _, s := range o.SessionList {
			assert.Equal(e, "administrator@vsphere.local", s.UserName)
			if s.Key != mine.Key {
				others = append(others, s.Key)
			}
		}
		assert.Len(e, e.vc.Sessions(), 3)
		refused[types.InvalidArgument](e, m.TerminateSession(ctx, []string{mine.Key}))
		refused[types.NotFound](e, m.TerminateSession(ctx, []string{others[0], "no such session"}))
		assert.Len(e, e.vc.Sessions(), 3, "all or none")
		require.NoError(e, m.TerminateSession(ctx, others))
		assert.Len(e, e.vc.Sessions(), 1)

		_, err = object.NewVirtualMachine(old, vm.Reference()).PowerOn(ctx)
		refused[types.NotAuthenticated](e, err)
		_, err = vm.PowerOn(ctx)
		refused[types.NotAuthenticated](e, err)
		e.login(e.c)
		e.done(vm.PowerOn(ctx))
	})
}

func TestWhatASessionStartedGoesOnWithoutIt(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		task, err := vm.PowerOn(ctx)
		require.NoError(e, err)
		require.NoError(e, session.NewManager(e.c).Logout(ctx))
		_, err = vm.PowerOff(ctx)
		refused[types.NotAuthenticated](e, err)
		e.c = e.again()
		e.done(object.NewTask(e.c, task.Reference()), nil)
		assert.Equal(e, vsphere.On, e.truth("db-01").Power)
	})
}

func TestSessionsInProcessAndOverTLSSeeOneAnother(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	e.serve()
	direct := e.direct("hdm-appliance/1")
	e.login(direct)
	list, err := session.NewManager(e.c).UserSession(ctx)
	require.NoError(t, err)
	require.NotNil(t, list)
	var o mo.SessionManager
	e.props(*e.c.ServiceContent.SessionManager, &o, "sessionList")
	require.Len(t, o.SessionList, 2)
	for _, s := range o.SessionList {
		if s.UserAgent == "hdm-appliance/1" {
			require.NoError(t, session.NewManager(e.c).TerminateSession(ctx, []string{s.Key}))
		}
	}
	_, err = object.NewRootFolder(direct).Children(ctx)
	refused[types.NotAuthenticated](e, err)
	e.login(direct)
	require.NoError(t, session.NewManager(direct).TerminateSession(ctx, []string{list.Key}))
	_, err = object.NewRootFolder(e.c).Children(ctx)
	refused[types.NotAuthenticated](e, err)
}

func TestViewsBelongToTheirSession(t *testing.T) {
	over(t, func(e *env) {
		for _, n := range names(5) {
			e.add(db(n))
		}
		v, err := view.NewManager(e.c).CreateContainerView(ctx, e.c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
		require.NoError(e, err)
		var vms []mo.VirtualMachine
		require.NoError(e, v.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name", "config", "layoutEx"}, &vms))
		assert.Len(e, vms, 5)
		e.c = e.again()
		other := view.NewContainerView(e.c, v.Reference())
		require.Error(e, other.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name"}, &vms))
		require.NoError(e, v.Destroy(ctx))
	})
}

func TestACancelledContextSendsNothing(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	e.c = e.direct("test")
	e.login(e.c)
	vm := e.add(db("db-01"))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := vm.PowerOn(gone)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, vsphere.Off, e.truth("db-01").Power)
}

func TestAWatcherHearsOfChangesWithoutHoldingUpAnybody(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	e.serve()
	vm := e.add(db("db-01"))
	watcher := e.again()
	seen := make(chan string, 1)
	go func() {
		err := object.NewVirtualMachine(watcher, vm.Reference()).WaitForPowerState(ctx, types.VirtualMachinePowerStatePoweredOn)
		if err != nil {
			seen <- err.Error()
			return
		}
		seen <- "on"
	}()
	e.done(vm.PowerOn(ctx))
	assert.Equal(t, "on", <-seen)
}

func TestRequestsThatMakeNoSenseAreRefusedAndHarmNobody(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		gone := types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-9999"}
		_, err := object.NewVirtualMachine(e.c, gone).PowerOn(ctx)
		refused[types.ManagedObjectNotFound](e, err)
		var o mo.VirtualMachine
		err = vm.Properties(ctx, gone, []string{"name"}, &o)
		refused[types.ManagedObjectNotFound](e, err)
		_, err = methods.UpgradeVM_Task(ctx, e.c, &types.UpgradeVM_Task{This: vm.Reference()})
		refused[types.NotSupported](e, err)
		_, err = vm.Migrate(ctx, nil, nil, types.VirtualMachineMovePriorityDefaultPriority, "")
		refused[types.NotSupported](e, err)
		nowhere := types.ManagedObjectReference{Type: "HostSystem", Value: "host-9999"}
		_, err = vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Host: &nowhere}, types.VirtualMachineMovePriorityDefaultPriority)
		refused[types.InvalidArgument](e, err) // vcsim's would end the process
		_, err = methods.StartProgramInGuest(ctx, e.c, &types.StartProgramInGuest{This: types.ManagedObjectReference{Type: "GuestProcessManager", Value: "guestOperationsProcessManager"}, Vm: vm.Reference()})
		require.Error(e, err)
		e.done(vm.PowerOn(ctx))
	})
}

func TestTargetsOfRequestsAreFound(t *testing.T) {
	method, this := vcenter.Target(&methods.PowerOnVM_TaskBody{Req: &types.PowerOnVM_Task{This: types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-7"}}})
	assert.Equal(t, "PowerOnVM_Task VirtualMachine:vm-7", method+" "+this.String())
	body := `<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Header><operationID>x</operationID></Header><Body><Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this></Login></Body></Envelope>`
	method, this, err := vcenter.SOAPTarget([]byte(body))
	require.NoError(t, err)
	assert.Equal(t, "Login SessionManager:SessionManager", method+" "+this.String())
	for _, bad := range []string{"", "<a", "<Envelope><Body></Body></Envelope>", strings.Repeat("x", 100)} {
		_, _, err := vcenter.SOAPTarget([]byte(bad))
		assert.Error(t, err, bad)
	}
}

func TestTheVCenterTellsItsOwnTime(t *testing.T) {
	over(t, func(e *env) {
		e.clock.advance(time.Hour)
		now, err := methods.GetCurrentTime(ctx, e.c)
		require.NoError(e, err)
		assert.True(e, now.Equal(epoch.Add(time.Hour)), "%v", now)
		assert.Equal(e, e.vc.InstanceUUID(), e.c.ServiceContent.About.InstanceUuid)
	})
}

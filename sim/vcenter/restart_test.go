package vcenter_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

func TestAVCenterThatRestartsKnowsNobodyAndKeepsWhatItHad(t *testing.T) {
	over(t, func(e *env) {
		vm := e.on("db-01", "esx-1")
		e.done(vm.CreateSnapshot(ctx, "hdm", "", false, false))
		e.done(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "hdm.mark", Value: "x"}}}))
		before := e.truth("db-01")
		e.vc.Restart(3 * time.Minute)
		assert.True(e, e.vc.Down())
		assert.Empty(e, e.vc.Sessions())
		_, err := vm.PowerState(ctx)
		require.Error(e, err)
		assert.False(e, soap.IsSoapFault(err), "there is nobody who could say a fault: %v", err)
		assert.Equal(e, vsphere.Retryable, vsphere.ClassOf(err))
		require.Error(e, session.NewManager(e.c).Login(ctx, e.vc.Credentials()))

		e.clock.advance(3 * time.Minute)
		assert.False(e, e.vc.Down())
		_, err = vm.PowerState(ctx)
		refused[types.NotAuthenticated](e, err)
		e.c = e.again()
		assert.Equal(e, before, e.truth("db-01"))
		e.done(object.NewVirtualMachine(e.c, vm.Reference()).PowerOff(ctx))
	})
}

func TestARestartEndsTheVCentersOwnTasksAndLeasesUndone(t *testing.T) {
	over(t, func(e *env) {
		vm, exported := e.add(db("db-01")), e.add(db("db-02"))
		task, err := vm.PowerOn(ctx)
		require.NoError(e, err)
		_, err = exported.Export(ctx)
		require.NoError(e, err)
		e.clock.advance(time.Second)
		e.vc.Restart(time.Minute)
		e.clock.advance(time.Hour)
		assert.Equal(e, vsphere.Off, e.truth("db-01").Power)
		assert.Equal(e, "aborted", e.vc.Leases()[0].End)
		e.c = e.again()
		f := failed[types.SystemError](e, object.NewTask(e.c, task.Reference()), nil)
		assert.NotEmpty(e, f.Reason)
		e.done(object.NewVirtualMachine(e.c, vm.Reference()).PowerOn(ctx))
		e.done(object.NewVirtualMachine(e.c, exported.Reference()).PowerOn(ctx))
	})
}

func TestWhatRunsOnTheHostsDoesNotCareForTheVCenter(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	e.c = e.direct("test")
	e.login(e.c)
	e.on("db-01", "esx-1")
	e.on("db-02", "esx-2")
	e.vc.Restart(time.Hour)
	require.NoError(t, e.vc.GuestHalted("db-01"))
	require.NoError(t, e.vc.RestartHost("esx-2", time.Minute))
	e.clock.advance(2 * time.Minute)
	assert.True(t, e.vc.Down())
	assert.Equal(t, vsphere.Off, e.truth("db-01").Power)
	assert.Equal(t, "connected", e.truth("db-02").Connection)
	e.vc.Restart(time.Hour)
	e.clock.advance(59 * time.Minute)
	assert.True(t, e.vc.Down(), "it began anew")
	e.clock.advance(time.Minute)
	assert.False(t, e.vc.Down())
}

func TestAForeignClientsSessionAndWaitsEndWithTheVCenter(t *testing.T) {
	g := guard(t)
	vm := g.add(db("db-01"))
	c := g.login()
	waits := g.waits(t.Context(), c)
	g.porter.mu.Lock() // as the world's owner has it while nobody else is in it
	g.vc.Restart(time.Minute)
	g.porter.mu.Unlock()
	require.Error(t, <-waits)

	client, err := g.server.HTTPClient()
	require.NoError(t, err)
	answer, err := client.Get("https://" + g.server.URL.Host + "/folder/db-01/db-01-flat.vmdk?dcPath=DC&dsName=ds")
	require.NoError(t, err)
	answer.Body.Close()
	assert.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	_, err = object.NewVirtualMachine(c.Client, vm.Reference()).PowerOn(t.Context())
	require.Error(t, err)
	g.clock.advance(time.Minute)
	_, err = object.NewVirtualMachine(c.Client, vm.Reference()).PowerOn(t.Context())
	refused[types.NotAuthenticated](g.env, err)
	assert.Empty(t, g.porter.methods(), "who has no session changes nothing")
	_, err = object.NewVirtualMachine(g.login().Client, vm.Reference()).PowerOn(t.Context())
	require.NoError(t, err)
}

func TestAForeignClientRestartsHostsAndFiltersAndThatIsDoneAgain(t *testing.T) {
	g := guard(t)
	s := db("db-01")
	s.Host, s.On = "esx-1", true
	g.add(s)
	c := g.login()
	there := &env{T: t, vc: g.vc, clock: g.clock, c: c.Client}
	there.installFilter()
	services, err := there.host("esx-1").ConfigManager().ServiceSystem(t.Context())
	require.NoError(t, err)
	require.NoError(t, services.Restart(t.Context(), vcenter.FilterDaemon))
	_, err = methods.RebootHost_Task(t.Context(), c.Client, &types.RebootHost_Task{This: there.host("esx-1").Reference(), Force: true})
	require.NoError(t, err)
	_, err = there.host("esx-2").Disconnect(t.Context())
	require.NoError(t, err)
	_, err = there.host("esx-2").Reconnect(t.Context(), nil, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"InstallIoFilter_Task", "RestartService", "RebootHost_Task", "DisconnectHost_Task", "ReconnectHost_Task"}, g.porter.methods())

	twin := build(t, vsphere.OnPremises, vcenter.Timing{})
	twin.c = twin.direct("test")
	twin.add(s)
	repeater := twin.vc.Repeater()
	for _, call := range g.porter.changes {
		require.NoError(t, repeater.Do(call))
	}
	g.clock.advance(0)
	twin.clock.advance(0)
	told := g.told("host.", "vm.power")
	assert.Equal(t, told, twin.told("host.", "vm.power"))
	assert.Contains(t, told, "vm.power on-premises/db-01 state off")
	assert.Equal(t, g.vc.Filters(), twin.vc.Filters())
}

package vcenter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// on is a VM on a host that runs.
func (e *env) on(name, host string) *object.VirtualMachine {
	e.Helper()
	s := db(name)
	s.Host, s.On, s.ToolsRunning = host, true, true
	return e.add(s)
}

func (e *env) runtime(h *object.HostSystem) types.HostRuntimeInfo {
	e.Helper()
	var o mo.HostSystem
	e.props(h.Reference(), &o, "runtime")
	return o.Runtime
}

func TestAHostThatRestartsTakesItsVMsDownAndComesBackWithAnotherBoot(t *testing.T) {
	over(t, func(e *env) {
		vm, other := e.on("db-01", "esx-1"), e.on("db-02", "esx-2")
		h := e.host("esx-1")
		type heard struct {
			up   bool
			boot uint64
		}
		var hosts []heard
		e.vc.OnHost(func(host string, up bool, boot uint64) {
			assert.Equal(e, "esx-1", host)
			hosts = append(hosts, heard{up, boot})
		})
		e.clock.advance(time.Hour)
		e.told()
		require.NoError(e, e.vc.RestartHost("esx-1", 4*time.Minute))

		assert.Equal(e, vsphere.Off, e.truth("db-01").Power)
		assert.Equal(e, "disconnected", e.truth("db-01").Connection)
		assert.False(e, e.truth("db-01").ToolsRunning)
		assert.Equal(e, vsphere.On, e.truth("db-02").Power)
		assert.Equal(e, types.HostSystemConnectionStateNotResponding, e.runtime(h).ConnectionState)
		assert.Equal(e, []heard{{false, 1}}, hosts)
		_, err := vm.PowerOn(ctx)
		refused[types.InvalidState](e, err)
		e.done(other.PowerOff(ctx))
		require.ErrorAs(e, e.vc.RestartHost("esx-1", 0), new(*vcenter.HostStateError))

		e.clock.advance(4 * time.Minute)
		up := epoch.Add(time.Hour + 4*time.Minute)
		assert.Equal(e, types.HostSystemConnectionStateConnected, e.runtime(h).ConnectionState)
		assert.True(e, e.runtime(h).BootTime.Equal(up), "%v", e.runtime(h).BootTime)
		assert.Equal(e, []heard{{false, 1}, {true, 2}}, hosts)
		assert.Equal(e, vsphere.Off, e.truth("db-01").Power, "nobody powered it on")
		assert.Equal(e, "connected", e.truth("db-01").Connection)
		assert.Equal(e, []string{
			"host.down on-premises/esx-1 how restart",
			"vm.power on-premises/db-01 state off",
			"vm.power on-premises/db-02 state off",
			"host.up on-premises/esx-1 boot 2",
		}, e.told("host.", "vm.power"))
		e.done(vm.PowerOn(ctx))
		assert.Equal(e, uint64(2), e.vc.Filters()[0].Boot)
		require.ErrorAs(e, e.vc.RestartHost("nowhere", 0), new(*vcenter.NotFoundError))
	})
}

func TestWhatIsDoneToTheVMsOfAHostThatRestartsFails(t *testing.T) {
	over(t, func(e *env) {
		s := db("db-01")
		s.Host = "esx-1"
		vm, exported := e.add(s), db("db-02")
		exported.Host = "esx-1"
		off := e.add(exported)
		task, err := vm.PowerOn(ctx)
		require.NoError(e, err)
		_, err = off.Export(ctx)
		require.NoError(e, err)
		e.clock.advance(time.Second)
		require.NoError(e, e.vc.RestartHost("esx-1", time.Minute))
		failed[types.HostCommunication](e, task, nil)
		assert.Equal(e, "aborted", e.vc.Leases()[0].End)
		e.clock.advance(time.Hour)
		assert.Equal(e, vsphere.Off, e.truth("db-01").Power, "it was never applied")
		assert.False(e, e.truth("db-01").Busy)
		assert.False(e, e.truth("db-02").Busy)
		e.done(vm.PowerOn(ctx))
	})
}

func TestAHostIsRebootedOverTheAPI(t *testing.T) {
	over(t, func(e *env) {
		e.on("db-01", "esx-1")
		h := e.host("esx-1")
		_, err := methods.RebootHost_Task(ctx, e.c, &types.RebootHost_Task{This: h.Reference()})
		refused[types.InvalidState](e, err)
		res, err := methods.RebootHost_Task(ctx, e.c, &types.RebootHost_Task{This: h.Reference(), Force: true})
		require.NoError(e, err)
		e.done(object.NewTask(e.c, res.Returnval), nil)
		assert.Equal(e, vsphere.Off, e.truth("db-01").Power)
		_, err = methods.RebootHost_Task(ctx, e.c, &types.RebootHost_Task{This: h.Reference(), Force: true})
		refused[types.HostNotConnected](e, err)
		task, err := h.Reconnect(ctx, nil, nil)
		failed[types.HostCommunication](e, task, err)
		e.clock.advance(vcenter.DefaultTiming().HostBoot)
		assert.Equal(e, types.HostSystemConnectionStateConnected, e.runtime(h).ConnectionState)
	})
}

func TestTheVMsOfADisconnectedHostRunOnAndCannotBeTouched(t *testing.T) {
	over(t, func(e *env) {
		vm := e.on("db-01", "esx-1")
		e.on("db-02", "esx-2")
		h := e.host("esx-1")
		e.told()
		e.done(h.Disconnect(ctx))
		assert.Equal(e, vsphere.On, e.truth("db-01").Power)
		assert.Equal(e, "disconnected", e.truth("db-01").Connection)
		assert.Equal(e, types.HostSystemConnectionStateDisconnected, e.runtime(h).ConnectionState)
		for what, call := range map[string]func() error{
			"power off": func() error { _, err := vm.PowerOff(ctx); return err },
			"shut down": func() error { return vm.ShutdownGuest(ctx) },
			"reboot":    func() error { return vm.RebootGuest(ctx) },
			"snapshot":  func() error { _, err := vm.CreateSnapshot(ctx, "s", "", false, false); return err },
			"rename":    func() error { _, err := vm.Rename(ctx, "x"); return err },
			"again":     func() error { _, err := h.Disconnect(ctx); return err },
		} {
			t.Log(what)
			refused[types.InvalidState](e, call())
		}
		for i := range 3 { // the host of each would come in turn
			folder, pool := e.folder(), e.pool()
			e.done(folder.CreateVM(ctx, bare(names(3)[i]), pool, nil))
			assert.Equal(e, "esx-2", e.truth(names(3)[i]).Host)
		}
		_, err := e.folder().CreateVM(ctx, bare("there"), e.pool(), h)
		refused[types.HostNotConnected](e, err)
		ref := h.Reference()
		_, err = object.NewVirtualMachine(e.c, e.truth("db-02").Ref).Relocate(ctx, types.VirtualMachineRelocateSpec{Host: &ref}, types.VirtualMachineMovePriorityDefaultPriority)
		refused[types.HostNotConnected](e, err)

		e.done(h.Reconnect(ctx, nil, nil))
		assert.Equal(e, "connected", e.truth("db-01").Connection)
		assert.Equal(e, []string{"host.down on-premises/esx-1 how disconnect", "host.up on-premises/esx-1 boot 1"}, e.told("host."))
		e.done(vm.PowerOff(ctx))
		_, err = h.Reconnect(ctx, nil, nil)
		refused[types.InvalidState](e, err)
		require.ErrorAs(e, e.vc.DisconnectHost("esx-1", false), new(*vcenter.HostStateError))
	})
}

func TestAHostThatIsLostAndRestartsIsLostUntilItIsPutBack(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	e.c = e.direct("test")
	e.login(e.c)
	e.on("db-01", "esx-1")
	require.NoError(t, e.vc.DisconnectHost("esx-1", true))
	require.NoError(t, e.vc.RestartHost("esx-1", time.Minute))
	assert.Equal(t, vsphere.Off, e.truth("db-01").Power)
	e.clock.advance(time.Minute)
	assert.Equal(t, "disconnected", e.truth("db-01").Connection)
	require.NoError(t, e.vc.DisconnectHost("esx-1", false))
	assert.Equal(t, "connected", e.truth("db-01").Connection)

	require.NoError(t, e.vc.DisconnectHost("esx-1", true))
	require.NoError(t, e.vc.RestartHost("esx-1", time.Minute))
	require.ErrorAs(t, e.vc.DisconnectHost("esx-1", true), new(*vcenter.HostStateError))
	require.NoError(t, e.vc.DisconnectHost("esx-1", false))
	assert.Equal(t, "disconnected", e.truth("db-01").Connection, "it restarts")
	e.clock.advance(time.Minute)
	assert.Equal(t, "connected", e.truth("db-01").Connection)
}

func bare(name string) types.VirtualMachineConfigSpec {
	return types.VirtualMachineConfigSpec{Name: name, NumCPUs: 1, MemoryMB: 1024, Files: &types.VirtualMachineFileInfo{VmPathName: "[ds]"}}
}

package appliance_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
	"github.com/hdm-project/hdm/sim/wan"
)

// restartFilters restarts the iofilter daemon of every host on premises, as a person
// does.
func (w *world) restartFilters() {
	w.t.Helper()
	for _, host := range w.OnPremises.VCenter.Hosts() {
		require.NoError(w.t, w.OnPremises.VCenter.RestartFilter(host))
	}
}

// endsReset does what a reset waits for once the VMs are off, until it has ended.
func (w *world) endsReset() {
	w.t.Helper()
	w.until(time.Hour, func() bool { return w.step(recovery.ResetFilters)() || w.step(recovery.ResetAppliance)() })
	if w.step(recovery.ResetFilters)() {
		w.restartFilters()
	}
	w.until(time.Hour, w.step(recovery.ResetAppliance))
	w.restart(time.Minute)
	w.until(time.Hour, w.phase(recovery.Healthy))
}

// host is the first one on premises.
func (w *world) host() string { return w.OnPremises.VCenter.Hosts()[0] }

func (w *world) reset(o recovery.ResetOrder) appliance.Answer {
	w.t.Helper()
	return w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Reset(o) })
}

func (w *world) step(s recovery.ResetStep) func() bool {
	return func() bool { return w.app.Recovery().Reset.Step == s }
}

func TestAResetThatNothingCallsForIsRefused(t *testing.T) { // RST-01
	w := newWorld(t)
	require.NoError(t, w.boot())
	a := w.reset(recovery.ResetOrder{})
	require.Equal(t, appliance.Rejected, a.Outcome)
	assert.Contains(t, a.Reasons[0].What, "nothing calls for a reset")
}

func TestAnIOFilterThatRestartsIsRecoveredByAReset(t *testing.T) { // ESX-01, ESX-02, RST-02, RST-03
	w := migrated(t, "standard")
	w.give(migration.Order{VM: "web-01", Type: migration.TBC})
	w.comesTo("web-01", migration.StepBoot)
	require.NoError(t, w.OnPremises.VCenter.RestartFilter(w.host()))
	w.until(time.Hour, w.phase(recovery.Unrecoverable))
	w.isBack("db-01")
	for _, m := range w.app.Migrations() {
		if m.Order.VM == "web-01" && m.Order.Type == migration.TBC {
			assert.Equal(t, migration.Failed, m.State)
		}
	}
	require.Len(t, w.noted(appliance.EventFatal), 1)
	assert.Equal(t, "Fatal Unrecoverable failure detected in HDM component: IO Filter from "+w.host()+" Please reset the HDM system and retry migration operations for the VMs in db-01, web-01 and _HDM_MIGRATEPOOL resource pools", w.noted(appliance.EventFatal)[0])
	assert.Equal(t, "Services not ready or down IO Filter", w.app.Health().Details)
	assert.Equal(t, recovery.OfferFatal, w.app.Panel().Reset)
	require.Equal(t, appliance.Rejected, w.give(migration.Order{VM: "web-01", Type: migration.Cold}).Outcome)

	require.Equal(t, appliance.Accepted, w.reset(recovery.ResetOrder{}).Outcome)
	w.until(time.Hour, w.step(recovery.ResetFilters))
	w.pass(time.Hour)
	assert.Equal(t, recovery.ResetFilters, w.app.Recovery().Reset.Step, "it waits for a person")
	w.endsReset()
	assert.Equal(t, deployment.None, w.app.Deployment().Phase)
	waited := w.noted(appliance.EventResetWaits)
	assert.Contains(t, waited[0], "HDM reset waits for the iofilter daemon of "+w.host()+" to be restarted")
	assert.Equal(t, "HDM reset waits for the HDM appliance to be restarted", waited[len(waited)-1])
	w.nothingDeployed()
	assert.False(t, slices.ContainsFunc(w.Cloud.VCenter.VMs(), func(v vcenter.VM) bool { return strings.Contains(v.Name, "ARM") }))
	assert.Equal(t, health.Ready, w.app.Health().Status)
	w.deploy("standard")
	_, err := w.OnPremises.Power("web-01", true) // it had come back, off
	require.NoError(t, err)
	w.pass(5 * time.Minute)
	w.give(migration.Order{VM: "web-01", Type: migration.TBC})
	w.reaches("web-01", migration.Completed)
}

func TestAResetOfARunningSystemLeavesItsVMsOffInTheMigratePool(t *testing.T) { // RST-02, RST-03
	w := migrated(t, "standard")
	w.give(migration.Order{VM: "web-01", Type: migration.Warm})
	w.reaches("web-01", migration.Waiting)
	require.Equal(t, appliance.Accepted, w.reset(recovery.ResetOrder{Force: true}).Outcome)
	w.pass(10 * time.Minute)
	require.Equal(t, recovery.ResetVMsOff, w.app.Recovery().Reset.Step)
	assert.Equal(t, migration.Failed, w.last("web-01").State)
	assert.Contains(t, w.noted(appliance.EventResetWaits)[0], "db-01 ARM to be powered off")
	_, err := w.Cloud.Power("db-01 ARM", false)
	require.NoError(t, err)
	w.person("web-01", func(ctx context.Context, s *vsphere.Session, vm vsphere.Ref) error {
		return s.RemovePolicy(ctx, vm, appliance.Policy)
	})
	w.endsReset()
	for _, vm := range []string{"db-01", "web-01"} {
		w.stands(vsphere.OnPremises, vm, vsphere.Off, migration.MigratePool)
		v, _ := w.OnPremises.VCenter.VM(vm)
		assert.Len(t, v.Snapshots, 1)
		_, there := w.Cloud.VCenter.VM(migration.ComputeName(vm))
		assert.False(t, there)
	}
	_, there := w.OnPremises.VCenter.VM("web-01_hdm_clone")
	assert.False(t, there)
	assert.False(t, slices.ContainsFunc(w.app.Migrations(), func(m appliance.Status) bool { return m.Bound }))
	w.deploy("lite")
}

// person does something to a VM on premises, in the vCenter.
func (w *world) person(vm string, does func(ctx context.Context, s *vsphere.Session, vm vsphere.Ref) error) {
	w.t.Helper()
	v, ok := w.OnPremises.VCenter.VM(vm)
	require.True(w.t, ok)
	w.machine.Go(context.Background(), "a person", func(ctx context.Context) {
		here, _ := w.Endpoints("a person")
		s, err := vsphere.NewClient(w.machine, here).Open(ctx)
		if assert.NoError(w.t, err) {
			assert.NoError(w.t, does(ctx, s, vsphere.Ref("VirtualMachine:"+v.Ref.Value)))
			s.Close(ctx)
		}
	})
	w.pass(time.Minute)
}

func TestAResetWithADeadCloudDoesNotWaitForIt(t *testing.T) {
	w := migrated(t, "standard")
	w.WAN.SetDown(wan.Both, true)
	w.until(enough, func() bool { return w.app.Recovery().Offered != "" })
	require.Equal(t, appliance.Accepted, w.reset(recovery.ResetOrder{CloudDead: true}).Outcome)
	w.endsReset()
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, migration.MigratePool)
	assert.Equal(t, deployment.None, w.app.Deployment().Phase)
}

func TestAResetDuringADeploymentLeavesNothingOfIt(t *testing.T) { // RST-03
	w := newWorld(t)
	require.NoError(t, w.boot())
	mode, err := deployment.Parse("standard")
	require.NoError(t, err)
	w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Deploy(mode) })
	w.until(time.Hour, func() bool { _, there := w.OnPremises.VCenter.VM(premVM); return there })
	require.Equal(t, appliance.Accepted, w.reset(recovery.ResetOrder{Force: true}).Outcome)
	w.endsReset()
	w.pass(time.Hour)
	assert.Equal(t, deployment.None, w.app.Deployment().Phase)
	w.nothingDeployed()
	w.deploy("standard")
}

func TestAResetLeavesVMsOfAnEarlierOneWhereTheyAreByNow(t *testing.T) { // RST-03
	w := ready(t, "standard")
	w.give(migration.Order{VM: "db-01", Type: migration.TBC})
	w.comesTo("db-01", migration.StepBoot)
	require.Equal(t, appliance.Accepted, w.reset(recovery.ResetOrder{Force: true}).Outcome)
	w.pass(time.Minute)
	_, err := w.Cloud.Power("db-01 ARM", false)
	require.NoError(t, err)
	w.endsReset()
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, migration.MigratePool)
	w.person("db-01", func(ctx context.Context, s *vsphere.Session, db vsphere.Ref) error {
		return s.MoveIntoPool(ctx, db, w.last("db-01").Plan.HomePool)
	})
	v, _ := w.OnPremises.VCenter.VM("db-01")
	require.NotContains(t, v.Pool, migration.MigratePool)
	w.deploy("standard")
	require.Equal(t, appliance.Accepted, w.reset(recovery.ResetOrder{Force: true}).Outcome)
	w.endsReset()
	v, _ = w.OnPremises.VCenter.VM("db-01")
	assert.NotContains(t, v.Pool, migration.MigratePool)
}

func TestAResetWaitsForNothingThatIsGone(t *testing.T) { // RST-02
	w := migrated(t, "standard")
	w.Kernel.After(component.HeartbeatEvery, func() {
		w.app.Hear(component.Heartbeat{VM: "a host that was removed", Boot: 1, Services: []component.Beat{{Name: component.IOFilter, Epoch: 1}}})
	})
	w.pass(time.Minute)
	require.Equal(t, appliance.Accepted, w.reset(recovery.ResetOrder{Force: true}).Outcome)
	_, err := w.Cloud.Power("db-01 ARM", false)
	require.NoError(t, err)
	w.until(time.Hour, w.step(recovery.ResetFilters))
	w.restartFilters()
	w.until(time.Hour, w.step(recovery.ResetAppliance))
	w.person("db-01", func(ctx context.Context, s *vsphere.Session, db vsphere.Ref) error { return s.Destroy(ctx, db) })
	w.endsReset()
	assert.Equal(t, deployment.None, w.app.Deployment().Phase)
}

func TestAResetLeavesNothingOfATrialBoot(t *testing.T) { // RST-03, A-08
	w := migrated(t, "standard")
	require.NoError(t, w.Components.Restart(cacheVM, component.CloudCache))
	w.until(enough, func() bool {
		v, _ := w.OnPremises.VCenter.VM("db-01")
		return w.last("db-01").Step == migration.StepTrial && len(v.Snapshots) == 2
	})
	require.Equal(t, appliance.Accepted, w.reset(recovery.ResetOrder{Force: true}).Outcome)
	w.endsReset()
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, migration.MigratePool)
	w.nothingTried()
}

func TestAHostOnPremisesThatRestartsBringsEverythingBackAndThenNeedsAReset(t *testing.T) { // ESX-01
	w := migrated(t, "standard")
	require.NoError(t, w.OnPremises.VCenter.RestartHost(w.host(), 5*time.Minute))
	w.until(6*time.Hour, w.phase(recovery.Unrecoverable))
	w.isBack("db-01")
	require.NotEmpty(t, w.noted(appliance.EventFatal))
	require.Equal(t, appliance.Rejected, w.give(migration.Order{VM: "web-01", Type: migration.Cold}).Outcome)
}

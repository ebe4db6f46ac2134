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
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
	"github.com/hdm-project/hdm/sim/wan"
)

// ask does something with the appliance as a request handler of it does.
func (w *world) ask(what func(ctx context.Context) (appliance.Answer, error)) (a appliance.Answer) {
	w.t.Helper()
	w.machine.Go(context.Background(), "request", func(ctx context.Context) {
		var err error
		a, err = what(ctx)
		require.NoError(w.t, err)
	})
	w.pass(time.Second)
	return a
}

// deploy deploys a mode and waits until it is up.
func (w *world) deploy(mode string) {
	w.t.Helper()
	m, err := deployment.Parse(mode)
	require.NoError(w.t, err)
	a := w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Deploy(m) })
	require.Equal(w.t, appliance.Accepted, a.Outcome)
	w.until(30*time.Minute, func() bool { return w.app.Deployment().Phase == deployment.Deployed })
}

// ready is a world in which a mode is deployed.
func ready(t *testing.T, mode string, change ...func(*site.Description)) *world {
	t.Helper()
	w := newWorld(t, change...)
	require.NoError(t, w.boot())
	w.deploy(mode)
	return w
}

func (w *world) give(o migration.Order) appliance.Answer {
	w.t.Helper()
	o.Target.Networks = []migration.Mapping{{From: "VM Network", To: "Cloud Net"}}
	return w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Order(o) })
}

func (w *world) say(vm string, word migration.Word) appliance.Answer {
	w.t.Helper()
	return w.ask(func(ctx context.Context) (appliance.Answer, error) { return w.app.Say(ctx, vm, word) })
}

// awaitsCommit says the words of a warm migration but the last, which it then
// waits for.
func (w *world) awaitsCommit(vm string) {
	w.t.Helper()
	for _, word := range []migration.Word{migration.StartTransfer, migration.ConfigureSync} {
		w.reaches(vm, migration.Waiting)
		require.Equal(w.t, appliance.Accepted, w.say(vm, word).Outcome)
	}
	w.reaches(vm, migration.Waiting)
}

// last is the last migration of a VM.
func (w *world) last(vm string) (found migration.Migration) {
	for _, m := range w.app.Migrations() {
		if m.Order.VM == vm && m.Number > found.Number {
			found = m.Migration
		}
	}
	return found
}

func (w *world) reaches(vm string, state migration.State) {
	w.t.Helper()
	w.until(6*time.Hour, func() bool {
		m := w.last(vm)
		require.False(w.t, m.State.Final() && m.State != state, "%s is %s: %+v %+v", vm, m.State, m.Reasons, m.Leftovers)
		return m.State == state
	})
}

// comesTo waits until the last migration of a VM is at a step.
func (w *world) comesTo(vm string, step migration.StepName) {
	w.t.Helper()
	w.until(enough, func() bool { return w.last(vm).Step == step })
}

func (w *world) stands(site vsphere.Site, vm string, power vsphere.Power, pool string) {
	w.t.Helper()
	v, ok := w.At(site).VCenter.VM(vm)
	require.True(w.t, ok, "%s has no %s", site, vm)
	assert.Equal(w.t, []any{power, pool}, []any{v.Power, v.Pool}, "%s on %s", vm, site)
}

// nothingDeployed: no component VM is left at any site.
func (w *world) nothingDeployed() {
	w.t.Helper()
	for _, p := range w.Places() {
		assert.False(w.t, slices.ContainsFunc(p.VCenter.VMs(), func(v vcenter.VM) bool { return v.Marks[component.MarkComponent] != "" }), "%s", p.Site)
	}
}

func TestAVMIsTriedInTheCloudAndComesBack(t *testing.T) { // TBC-01, BACK-03, DEP-02, DEP-04
	w := ready(t, "standard")
	w.give(migration.Order{VM: "db-01", Type: migration.TBC})
	w.reaches("db-01", migration.Completed)
	w.stands(vsphere.Cloud, "db-01 ARM", vsphere.On, "")
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, "_HDM_MIGRATEPOOL")
	w.pass(time.Hour)
	assert.EqualValues(t, 3, w.last("db-01").Flushed.Number, "one every twenty minutes since it was bound")

	w.give(migration.Order{VM: "db-01", Type: migration.Back})
	w.reaches("db-01", migration.Completed)
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, "")
	_, there := w.Cloud.VCenter.VM("db-01 ARM")
	assert.False(t, there)

	a := w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Undeploy() })
	require.Equal(t, appliance.Accepted, a.Outcome, "%+v", a.Reasons)
	w.until(30*time.Minute, func() bool { return w.app.Deployment().Phase == deployment.None })
	w.nothingDeployed()
}

func TestAVMMovesWarmByItsThreeWords(t *testing.T) { // WARM-03, MIG-10
	w := ready(t, "lite")
	w.give(migration.Order{VM: "db-01", Type: migration.Warm})
	for _, word := range []migration.Word{migration.StartTransfer, migration.ConfigureSync, migration.Commit} {
		w.reaches("db-01", migration.Waiting)
		w.pass(time.Minute)
		a := w.say("db-01", word)
		require.Equal(t, appliance.Accepted, a.Outcome, "%s: %+v", word, a.Reasons)
	}
	w.reaches("db-01", migration.Completed)
	assert.Empty(t, w.last("db-01").Leftovers)
	w.stands(vsphere.Cloud, "db-01", vsphere.On, "")
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, "_HDM_MIGRATEPOOL")
	for _, gone := range []string{"db-01 ARM", "db-01 ARM image"} {
		_, there := w.Cloud.VCenter.VM(gone)
		assert.False(t, there, gone)
	}
	_, there := w.OnPremises.VCenter.VM("db-01_hdm_clone")
	assert.False(t, there)
}

func TestAnImageIsNotPoweredOnBesideAComputeVMThatSomebodyStartedAgain(t *testing.T) { // MIG-13
	w := ready(t, "lite")
	w.give(migration.Order{VM: "db-01", Type: migration.Warm})
	w.awaitsCommit("db-01")
	w.machine.Go(context.Background(), "request", func(ctx context.Context) {
		_, err := w.app.Say(ctx, "db-01", migration.Commit)
		assert.NoError(t, err)
	})
	for w.last("db-01").Step != migration.StepRename {
		require.NotEqual(t, migration.StepReboot, w.last("db-01").Step)
		w.pass(10 * time.Millisecond)
	}
	_, err := w.Cloud.Power("db-01 ARM", true)
	require.NoError(t, err)
	w.until(time.Hour, func() bool {
		image, _ := w.Cloud.VCenter.VM("db-01")
		compute, _ := w.Cloud.VCenter.VM("db-01 ARM")
		require.False(t, image.Power == vsphere.On && compute.Power == vsphere.On, "two copies run")
		return w.last("db-01").State.Final()
	})
	assert.Equal(t, migration.Failed, w.last("db-01").State)
	assert.Contains(t, w.last("db-01").Reasons[0].What, "powered on after HDM had stopped it")
	w.stands(vsphere.OnPremises, "db-01", vsphere.On, "")
}

func TestADeploymentThatTheApplianceCannotMakeIsGivenUpOnce(t *testing.T) { // DEP-02
	w := newWorld(t)
	w.without = true
	require.NoError(t, w.boot())
	m, err := deployment.Parse("lite")
	require.NoError(t, err)
	require.Equal(t, appliance.Accepted, w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Deploy(m) }).Outcome)
	w.until(30*time.Minute, func() bool { return w.app.Deployment().Phase == deployment.None })
	assert.Contains(t, w.app.Deployment().Why[0].What, "no component services")
	calls := w.calls()
	w.pass(time.Hour)
	assert.Equal(t, calls, w.calls(), "and nothing goes on")
}

func TestVCenterTellsOfEachDeployment(t *testing.T) { // DEP-01, DEP-04
	w := ready(t, "lite")
	a := w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Undeploy() })
	require.Equal(t, appliance.Accepted, a.Outcome, "%+v", a.Reasons)
	w.until(30*time.Minute, func() bool { return w.app.Deployment().Phase == deployment.None })
	assert.Equal(t, []string{
		"com.hdm.deployment.started: HDM deploy as lite standalone (deployment-1/1) began",
		"com.hdm.deployment.ended: HDM deploy as lite standalone (deployment-1/1) ended",
		"com.hdm.deployment.started: HDM undeploy of lite standalone (deployment-1/2) began",
		"com.hdm.deployment.ended: HDM undeploy of lite standalone (deployment-1/2) ended",
	}, w.told("com.hdm.deployment."))
}

func TestVCenterTellsWhyADeploymentFailed(t *testing.T) {
	w := newWorld(t, func(d *site.Description) {
		d.Cloud.Datastores = []site.Datastore{{Name: "small", Capacity: 1 << 30}}
	})
	require.NoError(t, w.boot())
	m, err := deployment.Parse("lite")
	require.NoError(t, err)
	w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Deploy(m) })
	w.until(time.Hour, func() bool { return w.app.Deployment().Phase == deployment.None })
	told := w.told("com.hdm.deployment.")
	require.Len(t, told, 4)
	assert.Equal(t, "com.hdm.deployment.started: HDM deploy as lite standalone (deployment-1/1) began", told[0])
	assert.Regexp(t, `^com\.hdm\.deployment\.failed: HDM deploy as lite standalone \(deployment-1/1\) failed: .*no datastore of .* has \d+ GB free`, told[1])
	assert.Equal(t, "com.hdm.deployment.ended: HDM undeploy of lite standalone (deployment-1/2) ended", told[len(told)-1], "what was made is removed")
}

// told are the events of a kind that the vCenter on premises has, the oldest
// first.
func (w *world) told(kind string) (told []string) {
	for _, e := range w.OnPremises.VCenter.Events() {
		if strings.HasPrefix(e.Type, kind) {
			told = append(told, e.Type+": "+e.Text)
		}
	}
	return told
}

func TestTheSourceStaysOffWhileSomebodyRunsItsClone(t *testing.T) { // MIG-13
	w := ready(t, "lite")
	w.give(migration.Order{VM: "db-01", Type: migration.Warm})
	w.reaches("db-01", migration.Waiting)
	_, err := w.OnPremises.Power("db-01_hdm_clone", true)
	require.NoError(t, err)
	w.pass(time.Minute)
	w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Cancel("db-01") })
	w.reaches("db-01", migration.Cancelled)
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, "")
	var left []migration.Kind
	for _, l := range w.last("db-01").Leftovers {
		left = append(left, l.Does)
	}
	assert.Equal(t, []migration.Kind{migration.RemoveClone, migration.RestartSource}, left, "and a person is told")
}

func TestWhoIsWaitedForAnewIsShownAsSilentNoMore(t *testing.T) { // HLT-04
	w := newWorld(t)
	require.NoError(t, w.boot())
	m, err := deployment.Parse("standard")
	require.NoError(t, err)
	w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Deploy(m) })
	w.until(5*time.Minute, func() bool { // it is waited for, and has not been heard
		cloud, ok := w.Cloud.VCenter.VM(cloudVM)
		return ok && cloud.Power == vsphere.On
	})
	w.pass(15 * time.Second)
	w.WAN.SetDown(wan.Both, true)
	w.pass(13 * time.Minute) // longer than a deployment waits: it begins again
	require.Contains(t, w.app.Health().Details, "Cloud Cache")
	w.WAN.SetDown(wan.Both, false)
	w.until(30*time.Minute, func() bool {
		shown := w.saw.panels[len(w.saw.panels)-1]
		require.True(t, shown.Equal(w.app.Panel()), "at %v it shows %v, and it is %v", w.Kernel.Now(), shown, w.app.Panel())
		return w.app.Deployment().Phase == deployment.Deployed
	})
}

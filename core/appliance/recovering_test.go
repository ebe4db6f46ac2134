package appliance_test

import (
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
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/wan"
)

const (
	cacheVM  = "HDM_Cloud_Cache-0"
	cloudVM  = "HDM_Cloud_Manager-0"
	esxiVM   = "HDM_OnPrem_ESXi_Manager-0"
	premVM   = "HDM_OnPrem_Manager-0"
	allUp    = "All the components are deployed and up."
	noBeats  = component.MissedAfter + 15*time.Second
	enough   = 30 * time.Minute
	notReady = health.NotReady
)

// migrated is a world in which db-01 runs in the cloud.
func migrated(t *testing.T, mode string) *world {
	t.Helper()
	w := ready(t, mode)
	w.give(migration.Order{VM: "db-01", Type: migration.TBC})
	w.reaches("db-01", migration.Completed)
	w.pass(time.Minute)
	return w
}

func (w *world) phase(p recovery.Phase) func() bool {
	return func() bool { return w.app.Recovery().Phase == p }
}

// notices waits until HDM has noticed that something failed.
func (w *world) notices() {
	w.t.Helper()
	w.until(noBeats, func() bool { return w.app.Recovery().Phase != recovery.Healthy })
}

// reboots takes a component VM off in its vCenter, and powers it on again.
func (w *world) reboots(vm string) {
	w.t.Helper()
	for _, on := range []bool{false, true} {
		_, err := w.At(component.SiteOf(vm)).Power(vm, on)
		require.NoError(w.t, err)
		w.pass(5 * time.Second)
	}
}

// recovers waits until HDM has noticed something, and is healthy again.
func (w *world) recovers() {
	w.t.Helper()
	w.notices()
	w.until(2*time.Hour, w.phase(recovery.Healthy))
	assert.Equal(w.t, allUp, w.app.Health().Details)
}

// noted are the texts of a type in HDM's log.
func (w *world) noted(kind string) (texts []string) {
	for _, n := range w.app.Log() {
		if n.Type == kind {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

func (w *world) isBack(vm string) {
	w.t.Helper()
	assert.Equal(w.t, migration.Recover, w.last(vm).Order.Type)
	assert.Equal(w.t, migration.Completed, w.last(vm).State)
	w.stands(vsphere.OnPremises, vm, vsphere.Off, migration.RecoverySuccessPool)
	_, there := w.Cloud.VCenter.VM(migration.ComputeName(vm))
	assert.False(w.t, there)
}

func TestAServiceThatCrashesIsRepairedAndItsVMsComeBack(t *testing.T) { // HLT-01, HLT-02, REC-04, REC-12
	w := migrated(t, "standard")
	require.NoError(t, w.Components.Crash(cacheVM, component.CloudCache))
	w.until(noBeats, w.phase(recovery.Probing))
	assert.Equal(t, health.State{Status: notReady, Details: "Services not ready or down Cloud Cache"}, w.app.Health())
	w.until(enough, w.phase(recovery.Repairing))
	a := w.give(migration.Order{VM: "web-01", Type: migration.Cold})
	require.Equal(t, appliance.Rejected, a.Outcome, "while it repairs nothing is served")
	assert.Equal(t, migration.CodeNotReady, a.Reasons[0].Code)
	assert.Contains(t, a.Reasons[0].What, "Cloud Cache")
	w.until(2*time.Hour, w.phase(recovery.Healthy))
	w.isBack("db-01")
	assert.Contains(t, w.noted(appliance.EventComponentFailed), "Cloud Cache from HDM_Cloud_Cache-0 crashed: it crashed")
	assert.Equal(t, []string{"Cloud Cache from HDM_Cloud_Cache-0 repaired successfully"}, w.noted(appliance.EventComponentRepaired))
	assert.Len(t, w.noted(appliance.EventRecoveryEnded), 1)
	w.pass(time.Minute)
	var log []string
	for _, n := range w.app.Log() {
		log = append(log, n.Type+": "+n.Text)
	}
	var posted []string
	for _, told := range w.told("com.hdm.") {
		if !strings.HasPrefix(told, "com.hdm.migration.") && !strings.HasPrefix(told, "com.hdm.deployment.") {
			posted = append(posted, told)
		}
	}
	assert.Equal(t, log, posted, "vCenter shows what HDM's log has, once each")
	w.give(migration.Order{VM: "web-01", Type: migration.TBC})
	w.reaches("web-01", migration.Completed)
}

func TestAServiceThatRestartsByItselfIsNoticedAtOnce(t *testing.T) {
	w := migrated(t, "standard")
	require.NoError(t, w.Components.Restart(cloudVM, component.CloudIOManager))
	w.until(15*time.Second, func() bool { return w.app.Recovery().Phase != recovery.Healthy })
	assert.Equal(t, notReady, w.app.Health().Status)
	w.until(enough, w.phase(recovery.Healthy))
	w.isBack("db-01")
}

func TestAComponentVMThatRebootsIsNamed(t *testing.T) { // CVM-01 to -03, HLT-07
	for _, vm := range []string{cacheVM, cloudVM, esxiVM, premVM} {
		t.Run(vm, func(t *testing.T) {
			w := migrated(t, "standard")
			w.reboots(vm)
			w.notices()
			assert.Equal(t, "HDM infrastructure VM rebooted or faulted ['"+vm+"']", w.app.Health().Details)
			assert.Regexp(t, "^Services not ready or down [CIO]", w.app.Panel().Notice)
			w.until(enough, w.phase(recovery.Healthy))
			require.Len(t, w.noted(appliance.EventDockerReboot), 1)
			assert.Contains(t, w.noted(appliance.EventDockerReboot)[0], "Docker reboot: "+vm)
			w.isBack("db-01")
			w.give(migration.Order{VM: "web-01", Type: migration.TBC})
			w.reaches("web-01", migration.Completed)
		})
	}
}

func TestAComponentVMThatIsOffIsPoweredOn(t *testing.T) { // REC-01
	w := ready(t, "standard")
	_, err := w.Cloud.Power(cacheVM, false)
	require.NoError(t, err)
	w.recovers()
	assert.True(t, w.runsAt(vsphere.Cloud, cacheVM))
	assert.Empty(t, w.noted(appliance.EventRecovered))
}

func TestOnlyVMsThatUsedWhatFailedComeBack(t *testing.T) { // REC-04, A-32
	w := migrated(t, "standard cluster 2")
	w.give(migration.Order{VM: "web-01", Type: migration.TBC})
	w.reaches("web-01", migration.Completed)
	require.NotEqual(t, w.last("db-01").Path.Cache, w.last("web-01").Path.Cache)
	require.NoError(t, w.Components.Crash(w.last("db-01").Path.Cache, component.CloudCache))
	w.recovers()
	w.isBack("db-01")
	w.stands(vsphere.Cloud, "web-01 ARM", vsphere.On, "")

	require.NoError(t, w.Components.Crash("HDM_Cloud_Manager-1", component.CloudGateway))
	w.until(noBeats, w.phase(recovery.Probing))
	w.until(enough, w.phase(recovery.Repairing))
	levels := map[string]health.Level{}
	for _, c := range w.app.Panel().Components {
		if c.Name == string(component.CloudGateway) {
			levels[c.VM] = c.Level
		}
	}
	assert.Equal(t, map[string]health.Level{"HDM_Cloud_Manager-0": health.Degraded, "HDM_Cloud_Manager-1": health.Poor}, levels)
	w.until(enough, w.phase(recovery.Healthy))
	w.stands(vsphere.Cloud, "web-01 ARM", vsphere.On, "")
}

func TestAnOutageOfTheLinkBringsNothingBackUnlessItIsPermanent(t *testing.T) { // WAN-01, WAN-02, A-05
	for _, c := range []struct {
		out  time.Duration
		back bool
	}{{time.Second, false}, {119 * time.Second, false}, {3 * time.Minute, false}, {299 * time.Second, false}, {331 * time.Second, true}, {time.Hour, true}} {
		t.Run(c.out.String(), func(t *testing.T) {
			w := migrated(t, "standard")
			w.WAN.SetDown(wan.Both, true)
			w.pass(c.out)
			w.WAN.SetDown(wan.Both, false)
			assert.True(t, w.runsAt(vsphere.Cloud, "db-01 ARM"))
			w.stands(vsphere.OnPremises, "db-01", vsphere.Off, migration.MigratePool)
			w.pass(time.Minute)
			w.until(enough, w.phase(recovery.Healthy))
			if c.back {
				w.isBack("db-01")
				assert.Len(t, w.noted(appliance.EventOutage), 1)
			} else {
				assert.Equal(t, migration.TBC, w.last("db-01").Order.Type)
				assert.True(t, w.runsAt(vsphere.Cloud, "db-01 ARM"))
				assert.Empty(t, w.noted(appliance.EventOutage))
				assert.Equal(t, c.out > 2*time.Minute, len(w.noted(appliance.EventLinkDown)) == 1)
			}
		})
	}
}

func TestACrashThatHappenedWhileTheApplianceWasDownIsNoticed(t *testing.T) {
	w := migrated(t, "standard")
	w.powerOff()
	require.NoError(t, w.Components.Restart(cacheVM, component.CloudCache))
	w.pass(2 * time.Minute)
	require.NoError(t, w.boot())
	w.recovers()
	w.isBack("db-01")
}

func TestARestartOfTheApplianceBringsNothingBack(t *testing.T) { // APP-01, A-03
	w := migrated(t, "standard")
	w.restart(10 * time.Minute)
	w.pass(time.Hour)
	assert.Equal(t, migration.TBC, w.last("db-01").Order.Type)
	assert.Len(t, w.app.Log(), len(w.noted(appliance.EventFlushLate)), "but that a flush was late")
}

func TestARecoveryGoesOnAfterARestartOfTheApplianceAtAnyPoint(t *testing.T) {
	for _, at := range []recovery.Phase{recovery.Probing, recovery.Repairing, recovery.Returning} {
		t.Run(string(at), func(t *testing.T) {
			w := migrated(t, "standard")
			require.NoError(t, w.Components.Crash(cacheVM, component.CloudCache))
			w.notices()
			for w.app.Recovery().Phase != at {
				w.pass(100 * time.Millisecond)
			}
			w.restart(2 * time.Minute)
			w.until(2*time.Hour, w.phase(recovery.Healthy))
			w.isBack("db-01")
			assert.Len(t, w.noted(appliance.EventRecoveryEnded), 1)
		})
	}
}

func TestAColdMigrationWaitsForTheRepairAndCompletes(t *testing.T) { // COLD-06
	w := ready(t, "standard")
	require.NoError(t, w.WAN.Configure(wan.Both, wan.Quality{Latency: 10 * time.Millisecond, Bandwidth: 20 << 10}))
	w.give(migration.Order{VM: "db-01", Type: migration.Cold})
	w.comesTo("db-01", migration.StepTransfer)
	require.NoError(t, w.Components.Restart(cloudVM, component.CloudSyncD))
	w.until(enough, func() bool { return w.last("db-01").Held })
	w.recovers()
	w.reaches("db-01", migration.Completed)
	assert.Zero(t, w.last("db-01").Tries)
}

func TestASecondFailureIsToldAndAResetIsOffered(t *testing.T) { // REC-09, RST-01
	w := migrated(t, "standard")
	require.NoError(t, w.Components.Crash(cacheVM, component.CloudCache))
	require.NoError(t, w.Components.Crash(esxiVM, component.PremIOManager))
	w.recovers()
	assert.Len(t, w.noted(appliance.EventMultipleFailures), 1)
	assert.NotEmpty(t, w.noted(appliance.EventResetOffered))
	w.isBack("db-01")
}

func TestHealthIsToldWheneverItChanges(t *testing.T) { // HLT-04
	w := ready(t, "standard")
	require.NoError(t, w.Components.Crash(premVM, component.PremSyncD))
	w.recovers()
	var said []string
	for _, p := range w.saw.panels {
		if s := p.State.String(); len(said) == 0 || said[len(said)-1] != s {
			said = append(said, s)
		}
	}
	assert.Equal(t, []string{"Ready: " + allUp, "Not Ready: Services not ready or down On Prem SyncD", "Ready: " + allUp}, said)
	for _, p := range w.saw.panels { // what the dashboard says is what is wrong, and nothing if nothing is
		assert.Equal(t, p.Ready(), p.Notice == "", "%v: %q", p.State, p.Notice)
	}
	last := w.saw.panels[len(w.saw.panels)-1]
	assert.False(t, slices.ContainsFunc(last.Components, func(c health.Component) bool { return c.Level != health.Healthy }))
	assert.Empty(t, last.Notice)
}

func TestAServiceThatHangsIsStartedAnew(t *testing.T) { // HLT-02
	w := migrated(t, "standard")
	require.NoError(t, w.Components.Hang(esxiVM, component.PremIOManager, 24*time.Hour))
	w.recovers()
	assert.Contains(t, w.noted(appliance.EventComponentFailed), "On Prem IO Manager from HDM_OnPrem_ESXi_Manager-0 hung")
	w.isBack("db-01")
}

func TestARepairThatCannotSucceedLeavesTheReset(t *testing.T) { // REC-08, RST-04
	w := migrated(t, "standard")
	require.NoError(t, w.Components.FailDevice(cacheVM, deployment.Cache, disk.Read, disk.ErrIO, 0, nil))
	require.NoError(t, w.Components.Crash(cacheVM, component.CloudCache))
	w.until(6*time.Hour, func() bool { return w.app.Recovery().Phase == recovery.Unrecoverable })
	require.Len(t, w.noted(appliance.EventFatal), 1)
	assert.Contains(t, w.noted(appliance.EventFatal)[0], "HDM component: Cloud Cache from HDM_Cloud_Cache-0 Please reset the HDM system")
	assert.Contains(t, w.noted(appliance.EventFatal)[0], "db-01")
	assert.Equal(t, recovery.OfferFatal, w.app.Panel().Reset)
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, migration.MigratePool)
}

func TestAFlushThatIsLateIsToldOnce(t *testing.T) { // POL-08
	w := migrated(t, "standard")
	w.pass(15 * time.Minute)
	w.WAN.SetDown(wan.Both, true)
	w.until(10*time.Minute, func() bool { return len(w.noted(appliance.EventFlushLate)) > 0 })
	w.pass(time.Hour)
	require.Len(t, w.noted(appliance.EventFlushLate), 1)
	assert.Contains(t, w.noted(appliance.EventFlushLate)[0], "db-01: flush 1 of m-0001 is late")
}

func TestAHostOfTheCloudThatIsLostIsWaitedFor(t *testing.T) { // HLT-02, REC-04
	w := migrated(t, "standard")
	v, ok := w.Cloud.VCenter.VM(cacheVM)
	require.True(t, ok)
	require.NoError(t, w.Cloud.VCenter.RestartHost(v.Host, 10*time.Minute))
	w.until(noBeats, w.phase(recovery.Probing))
	w.until(enough, w.phase(recovery.Repairing))
	assert.Equal(t, recovery.HostDown, w.app.Recovery().Failures[0].Cause)
	w.until(2*time.Hour, w.phase(recovery.Healthy))
	w.isBack("db-01")
}

func TestAComponentVMThatGoesDownAgainWhileItIsRepairedIsPoweredOn(t *testing.T) { // REC-09
	w := migrated(t, "standard")
	w.reboots(cacheVM)
	for w.app.Recovery().Phase != recovery.Repairing {
		w.pass(10 * time.Millisecond)
	}
	_, err := w.Cloud.Power(cacheVM, false)
	require.NoError(t, err)
	w.until(10*time.Minute, w.phase(recovery.Healthy))
	w.isBack("db-01")
}

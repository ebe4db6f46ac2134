package run_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
)

// tried is a scenario in which vm-1 runs in the cloud on a cloud cache.
func tried(t *testing.T, sections string) *scenario.Scenario {
	t.Helper()
	return parse(t, "title: A test\nworld: pair\nlimit: 9h\nuntil: 2h\nsteps:\n  - {at: 0s, deploy: {mode: standard}}\n"+
		"  - {at: 10m, migrate: {vm: vm-1, type: tbc, target: {networks: {VM Network: Cloud Net}}}}\n"+sections)
}

// deployedActs are the faults of component VMs, and of what they, the vCenters and
// the appliance stand on, each with what shows that it acted.
var deployedActs = []struct {
	kind  string
	fault string
	shows func(t *testing.T, tr *trace)
}{
	{"component-crash", "{at: 30m, component-crash: {vm: HDM_Cloud_Manager-0, service: Cloud SyncD}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 30*time.Minute, tr.at(t, "service.down", "=HDM_Cloud_Manager-0", "service=Cloud SyncD", "how=crash"))
	}},
	{"component-kill", "{at: 30m, component-kill: {vm: HDM_OnPrem_Manager-0, service: On Prem SyncD}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 30*time.Minute, tr.at(t, "service.down", "=HDM_OnPrem_Manager-0", "how=no-memory"))
	}},
	{"component-restart", "{at: 30m, component-restart: {vm: HDM_Cloud_Manager-0, service: Cloud IO Manager}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 30*time.Minute, tr.at(t, "service.up", "=HDM_Cloud_Manager-0", "service=Cloud IO Manager", "by=supervisor"))
	}},
	{"component-hang", "{at: 30m, component-hang: {vm: HDM_Cloud_Manager-0, service: Cloud SyncD, for: 1m}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 30*time.Minute, tr.at(t, "service.down", "how=hang"))
		assert.Equal(t, 31*time.Minute, tr.at(t, "fault.ended", "=1"))
	}},
	{"component-vm-reboot", "{at: 30m, component-vm-reboot: {vm: HDM_OnPrem_Manager-0}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("component.down", "=HDM_OnPrem_Manager-0"), 1)
		assert.Len(t, tr.find("component.up", "=HDM_OnPrem_Manager-0"), 2)
		assert.Len(t, tr.find("vm.power", "=on-premises/HDM_OnPrem_Manager-0", "state=off"), 1, "in its vCenter")
	}},
	{"host-restart", "{at: 30m, host-restart: {site: cloud, host: cloud-host-1, for: 3m}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 30*time.Minute, tr.at(t, "host.down", "=cloud/cloud-host-1", "how=restart"))
		assert.Equal(t, 33*time.Minute, tr.at(t, "host.up", "=cloud/cloud-host-1"))
	}},
	{"host-disconnect", "{at: 30m, host-disconnect: {site: on-premises, host: host-1, for: 3m}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 30*time.Minute, tr.at(t, "host.down", "=on-premises/host-1", "how=disconnect"))
		assert.Equal(t, 33*time.Minute, tr.at(t, "host.up", "=on-premises/host-1"))
	}},
	{"iofilter-restart", "{at: 30m, iofilter-restart: {host: host-2}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 30*time.Minute, tr.first(t, "host.filter", "=on-premises/host-2", "state=down"))
	}},
	{"vcenter-restart", "{at: 30m, vcenter-restart: {site: cloud, for: 1m}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 31*time.Minute, tr.at(t, "fault.ended", "=1"))
	}},
	{"session-expiry", "{when: {vm: vm-1, enters: boot, after: 1s}, session-expiry: {site: cloud}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("call.answered", "=cloud", "outcome=NotAuthenticated"))
	}},
	{"datastore-full", "{at: 30m, datastore-full: {site: on-premises, datastore: ds-01, for: 40m}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 70*time.Minute, tr.at(t, "fault.ended", "=1"))
	}},
	{"datastore-error", "{at: 30m, datastore-error: {site: on-premises, datastore: ds-01, op: write, for: 10m}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("disk.error", "op=write", "error=EIO"))
	}},
	{"storage-corrupt", "{at: 30m, storage-corrupt: {site: on-premises, vm: vm-2}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 30*time.Minute, tr.at(t, "fault.ended", "=1"))
	}},
	{"flush-torn", "{at: 29m, flush-torn: {vm: vm-1}}", func(t *testing.T, tr *trace) {
		tr.inAFlush(t, tr.at(t, "fault.began", "=1"))
	}},
	{"flush-fails", "{at: 29m, flush-fails: {vm: vm-1, times: 2}}", func(t *testing.T, tr *trace) {
		tr.inAFlush(t, tr.at(t, "fault.began", "=1"))
		assert.Greater(t, tr.at(t, "fault.ended", "=1"), tr.at(t, "fault.began", "=1"), "with the second write that fails")
	}},
	{"device-error", "{at: 30m, device-error: {vm: HDM_Cloud_Cache-0, use: cache, op: write, error: EIO}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, tr.at(t, "disk.error", "=HDM_Cloud_Cache-0", "disk=cache", "error=EIO"), tr.at(t, "fault.began", "=1"))
	}},
	{"command-lost", "{at: 25m, command-lost: {vm: HDM_Cloud_Cache-0, verb: flush}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("flush.applied"))
	}},
	{"command-hang", "{at: 25m, command-hang: {vm: HDM_Cloud_Cache-0, verb: flush}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("flush.applied"))
	}},
	{"guest-late", "{at: 1m, guest-late: {vm: vm-1}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("guest.started", "=vm-1", "site=cloud"), 2)
		assert.Greater(t, tr.at(t, "fault.began", "=1"), tr.first(t, "migration", "vm=vm-1", "step=power-on"), "at its first boot there")
	}},
	{"guest-never", "{at: 1m, guest-never: {vm: vm-1}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("migration", "vm=vm-1", "to=failed"))
		assert.Greater(t, tr.at(t, "fault.began", "=1"), tr.first(t, "migration", "vm=vm-1", "step=power-on"), "at its first boot there")
	}},
	{"wan-slow", "{at: 30m, wan-slow: {for: 5m, percent: 1, latency: 1s}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 35*time.Minute, tr.at(t, "fault.ended", "=1"))
	}},
	{"wan-lossy", "{at: 30m, wan-lossy: {for: 5m, loss: 0.5}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 35*time.Minute, tr.at(t, "fault.ended", "=1"))
	}},
	{"wan-flapping", "{at: 30m, wan-flapping: {for: 5m, down: 20s, up: 40s}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("link.down", "=wan", "direction=to-cloud"), 5)
		assert.Len(t, tr.find("link.up", "=wan", "direction=to-cloud"), 5)
	}},
	{"journal-full", "{at: 24m, journal-full: {for: 10m}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("appliance.down", "point=journal"))
		ups := tr.find("journal.write")
		assert.NotEmpty(t, ups)
		for _, e := range ups {
			assert.False(t, e.At > 24*time.Minute && e.At < 34*time.Minute, "nothing is written while it is full")
		}
		assert.Greater(t, ups[len(ups)-1].At, 34*time.Minute, "it goes on once there is room")
	}},
	{"journal-lost", "{at: 30m, journal-lost: {for: 5m}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 35*time.Minute, tr.at(t, "fault.ended", "=1"))
	}},
	{"clock-step", "{at: 30m, clock-step: {by: -1h}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("flush.applied"), "flushes go by how much time passes")
	}},
}

// inAFlush says that a time is between a cut of a flush and the end of that flush.
func (tr *trace) inAFlush(t *testing.T, at time.Duration) {
	t.Helper()
	cuts, applied := tr.before("flush.cut", at), tr.before("flush.applied", at-1)
	assert.Len(t, cuts, len(applied)+1)
	assert.NotEmpty(t, tr.find("flush.applied"), "it comes to its end nonetheless")
}

func TestAFaultThatIsArmedAndMeetsNothingHasNotActed(t *testing.T) {
	for fault, why := range map[string]string{
		"{at: 20m, guest-late: {vm: vm-1}}":                                                               "", // it is up, and stays so
		"{at: 20m, guest-never: {vm: vm-1}}":                                                              "",
		"{at: 118m, flush-torn: {vm: vm-1}}":                                                              "", // no flush comes any more
		"{at: 118m, flush-fails: {vm: vm-1}}":                                                             "",
		"{at: 5m, flush-torn: {vm: vm-1}}":                                                                "not on a cloud cache",
		"{at: 30m, device-error: {vm: HDM_OnPrem_Manager-0, use: system, op: read, error: EIO}}":          "", // nobody reads it
		"{at: 30m, session-expiry: {site: cloud}}":                                                        "HDM had no session there",
		"{at: 1m, component-crash: {vm: HDM_Cloud_Cache-0, service: Cloud Cache}}":                        "not up",
		"{at: 30m, storage-corrupt: {site: on-premises, vm: vm-1, disk: 9}}":                              "vm-1/9",
		"{when: {vm: vm-1, enters: boot, after: 90m}, command-hang: {vm: HDM_Cloud_Cache-0, verb: open}}": "",
	} {
		t.Run(fault, func(t *testing.T) {
			s := tried(t, "faults:\n  - "+fault+"\n")
			r, tr := followed(t, s, run.Options{})
			require.Len(t, r.Violations, 1, "%v", r.Violations)
			assert.Contains(t, r.Violations[0].What, "it never acted: "+s.Faults[0].String())
			assert.Contains(t, r.Violations[0].What, why)
			assert.Empty(t, tr.find("fault.began"))
		})
	}
}

func TestAFlushOfAVMThatIsLetGoOfFailsNoMore(t *testing.T) {
	r, tr := followed(t, tried(t, `  - {when: {recovery: healthy, after: 1m}, power: {site: on-premises, vm: vm-1, state: on}}
faults:
  - {at: 36m, flush-fails: {vm: vm-1}}
  - {at: 37m, component-restart: {vm: HDM_Cloud_Cache-0, service: Cloud Cache}}
`), run.Options{})
	require.Len(t, r.Violations, 1, "%v", r.Violations)
	assert.Contains(t, r.Violations[0].What, "it never acted: {at: 36m, flush-fails")
	assert.Greater(t, tr.last(t, "vm.power", "=on-premises/vm-1", "state=on"), tr.first(t, "recovery", "phase=returning"))
	assert.Greater(t, tr.last(t, "guest.write", "=vm-1"), tr.last(t, "vm.power", "=on-premises/vm-1", "state=on"), "its guest writes there")
}

func TestWhatSeveralFaultsKeepEndsWithTheLast(t *testing.T) {
	for _, fault := range []string{
		"datastore-full: {site: on-premises, datastore: ds-01, for: 10m}",
		"datastore-error: {site: on-premises, datastore: ds-01, op: read, for: 10m}",
		"host-disconnect: {site: on-premises, host: host-2, for: 10m}",
		"journal-lost: {for: 10m}",
	} {
		t.Run(fault, func(t *testing.T) {
			r, tr := followed(t, tried(t, "faults:\n  - {at: 40m, "+fault+"}\n  - {when: {vm: vm-1, enters: cloud-cache, after: 35m}, "+fault+"}\n"), run.Options{})
			require.Empty(t, r.Error)
			first, second := tr.at(t, "fault.began", "=1"), tr.at(t, "fault.began", "=2")
			require.Less(t, second, first+10*time.Minute, "they overlap")
			if up := tr.find("host.up", "=on-premises/host-2"); len(up) > 0 {
				require.Len(t, up, 1)
				assert.Equal(t, second+10*time.Minute, up[0].At)
			}
		})
	}
}

func TestAVCenterThatIsDownAlreadyCannotRestart(t *testing.T) {
	r, tr := followed(t, tried(t, `faults:
  - {at: 50m, vcenter-restart: {site: cloud, for: 1h}}
  - {when: {vm: vm-1, enters: cloud-cache, after: 45m}, vcenter-restart: {site: cloud, for: 1m}}
`), run.Options{})
	require.Len(t, r.Violations, 1, "%v", r.Violations)
	assert.Contains(t, r.Violations[0].What, "the vCenter was down already")
	assert.Equal(t, 110*time.Minute, tr.at(t, "fault.ended", "=1"))
}

func TestEveryKindOfFaultOfADeploymentActsAndEnds(t *testing.T) {
	for _, act := range deployedActs {
		t.Run(act.fault, func(t *testing.T) {
			r, tr := followed(t, tried(t, "faults:\n  - "+act.fault+"\n"), run.Options{})
			require.Empty(t, r.Error)
			began := tr.at(t, "fault.began", "=1", "kind="+act.kind)
			if act.kind == "guest-never" { // it lasts for ever
				assert.Empty(t, tr.find("fault.ended"))
			} else {
				assert.GreaterOrEqual(t, tr.at(t, "fault.ended", "=1", "kind="+act.kind), began)
			}
			act.shows(t, tr)
		})
	}
}

package run_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/reports/record"
)

// crashed lets the cloud cache crash on which vm-1 runs, and expects that.
func crashed(t *testing.T, expect ...string) (violations []string) {
	t.Helper()
	r := play(t, tried(t, "faults:\n  - {when: {vm: vm-1, flush: applied, nth: 2, after: 5m}, component-crash: {vm: HDM_Cloud_Cache-0, service: Cloud Cache}}\n"+
		"expect:\n  - "+strings.Join(expect, "\n  - ")+"\n"), run.Options{})
	require.Empty(t, r.Error)
	for _, v := range r.Violations {
		require.Equal(t, "expect", v.Oracle, "%v", v)
		violations = append(violations, v.Subject+": "+v.What)
	}
	return violations
}

// aboutFailures are, for everything that a scenario can expect of a recovery, a
// line that holds after a crash, one that does not, and what is said then.
var aboutFailures = []struct{ holds, broken, says string }{
	{"{health: {status: Ready, components: {}, reset-offered: false}}", "{health: {status: Not Ready}}", "health: it is Ready: All the components are deployed and up., not Not Ready"},
	{"{health: {status: Ready, details: All the components are deployed and up.}}", "{health: {status: Not Ready, details: Services not ready or down X}}", `its details are "All the components are deployed and up.", not "Services not ready or down X"`},
	{"{health: {status: Ready}}", "{health: {status: Ready, components: {HDM_Cloud_Cache-0/Cloud Cache: Poor}}}", "the components that are not Healthy are map[], not"},
	{"{health: {status: Ready}}", "{health: {status: Ready, reset-offered: true}}", "a reset is offered: false"},
	{"{recovery: {phases: [probing, repairing, returning, healthy]}}", "{recovery: {phases: [probing, healthy]}}", "it went through [probing repairing returning healthy], not [probing healthy]"},
	{"{number: 1, recovery: {failed: {HDM_Cloud_Cache-0/Cloud Cache: crashed}}}", "{recovery: {failed: {HDM_Cloud_Cache-0/Cloud Cache: hung}}}", "it was of HDM_Cloud_Cache-0/Cloud Cache (crashed), not HDM_Cloud_Cache-0/Cloud Cache (hung)"},
	{"{recovery: {affected: [vm-1], held: []}}", "{recovery: {affected: []}}", "it affected [vm-1], not []"},
	{"{recovery: {multiple: false}}", "{recovery: {held: [vm-1]}}", "it held [], not [vm-1]"},
	{"{recovery: {offered: none}}", "{recovery: {multiple: true}}", "something else failed meanwhile: false, not true"},
	{"{recovery: {offered: none}}", "{recovery: {offered: 5 minutes}}", `no reset was offered because of "5 minutes"`},
	{"{recovery: {offered: none}}", "{recovery: {fatal: Cloud Cache}}", `it was fatal because of "", not of "Cloud Cache"`},
	{"{recovery: {offered: none}}", "{recovery: {none: true}}", "the recovery: there were 1, the first of"},
	{"{recovery: {offered: none}}", "{number: 2, recovery: {offered: none}}", "the recovery: there were 1"},
	{"{notes: {type: com.hdm.component.repaired, contains: Cloud Cache, count: 1}}", "{notes: {type: com.hdm.component.repaired, count: 2}}", `1 are a com.hdm.component.repaired that says "", not 2`},
	{"{posted: {type: com.hdm.vm.recovered, contains: vm-1}}", "{posted: {type: com.hdm.component.reboot}}", "none is a com.hdm.component.reboot"},
	{"{vm: vm-1, lost: {at-most: 20m, writes: true}}", "{vm: vm-1, lost: {at-most: 1s}}", "writes that it lost was"},
	{"{vm: vm-1, lost: {writes: true}}", "{vm: vm-1, lost: {writes: false}}", "it lost"},
	{"{recovery: {offered: none}}", "{reset-steps: [vms-off]}", "it went through [], not [vms-off]"},
}

func TestEveryExpectationOfARecoveryIsHeldAgainstWhatHappened(t *testing.T) {
	var hold, broken []string
	for _, c := range aboutFailures {
		hold, broken = append(hold, c.holds), append(broken, c.broken)
	}
	assert.Empty(t, crashed(t, hold...))
	told := crashed(t, broken...)
	for _, c := range aboutFailures {
		assert.Contains(t, strings.Join(told, "\n"), c.says, c.broken)
	}
}

func TestChanceLetsAFaultActOrNotAsTheSeedHasIt(t *testing.T) {
	acted := 0
	for seed := range uint64(12) {
		r, tr := followed(t, pair(t, "faults:\n  - {at: 2m, chance: 0.5, wan-down: {for: 1s}}\n"), run.Options{Seed: &seed})
		require.Equal(t, record.Passed, r.Verdict, "what chance left out breaks no word: %v", r.Violations)
		acted += len(tr.find("fault.began"))
	}
	assert.Greater(t, acted, 0)
	assert.Less(t, acted, 12)
}

func TestATriggerThatCountsWaitsForItsTime(t *testing.T) {
	r, tr := followed(t, tried(t, "faults:\n  - {when: {vm: vm-1, flush: cut, nth: 3}, clock-step: {by: 2s}}\n"+
		"  - {when: {recovery: healthy, nth: 2}, clock-step: {by: 1s}}\n"+
		"  - {at: 30m, component-restart: {vm: HDM_Cloud_Manager-0, service: Cloud SyncD}}\n"+
		"  - {at: 35m, component-restart: {vm: HDM_Cloud_Manager-0, service: Cloud SyncD}}\n"), run.Options{})
	require.Empty(t, r.Error)
	assert.Equal(t, tr.find("flush.cut")[2].At, tr.first(t, "fault.began", "=1"))
	assert.Greater(t, tr.first(t, "fault.began", "=2"), tr.first(t, "fault.began", "=4"))
}

package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/reports/record"
)

func TestAStepThatDoesNotDoWhatItIsThereForIsTold(t *testing.T) {
	tests := []struct{ name, step, says string }{
		{"a phase that never comes", "{when: {vm: vm-1, enters: undoing}, power: {site: on-premises, vm: vm-1, state: on}}", "it never acted: "},
		{"an attempt that is never made", "{when: {vm: vm-1, enters: pool, attempt: 99}, cancel: {vm: vm-1}}", "it never acted: "},
		{"a cancel before the order", "{at: 10s, cancel: {vm: vm-1}}", "no migration of vm-1 is under way"},
		{"a cancel after the end", "{when: {vm: vm-1, enters: completed}, cancel: {vm: vm-1}}", "no migration of vm-1 is under way"},
		{"power on of what is on", "{at: 10s, power: {site: on-premises, vm: vm-1, state: on}}", "the vCenter refused it with InvalidPowerState"},
		{"power of a copy that is not there yet", "{at: 10s, power: {site: cloud, vm: vm-1, state: off}}", "there is no VM vm-1 at the site cloud"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, tr := followed(t, pair(t, "  - "+test.step+"\n"), run.Options{})
			assert.Equal(t, record.Failed, r.Verdict)
			require.Len(t, r.Violations, 1)
			v := r.Violations[0]
			assert.Equal(t, "expect", v.Oracle)
			assert.Equal(t, "step 2", v.Subject)
			assert.Empty(t, v.Clauses)
			what := strings.ReplaceAll(v.What, `"`, "")
			assert.Contains(t, what, test.step)
			assert.Contains(t, what, test.says)
			if taken := tr.find("step", "=2"); len(taken) == 1 {
				assert.Len(t, tr.find("step.ended", "=2", "outcome=refused"), 1)
			}
			idle := play(t, pair(t, "  - "+test.step+"\nidle-steps: true\n"), run.Options{})
			assert.Equal(t, record.Passed, idle.Verdict, "unless the scenario lets it: %v", idle.Violations)
		})
	}
}

func TestAStepThatIsThereToBeRefusedHasToBe(t *testing.T) {
	refused := play(t, pair(t, `  - {at: 10s, power: {site: on-premises, vm: vm-1, state: on, refused: true}}
  - {when: {vm: vm-1, enters: completed}, cancel: {vm: vm-1, refused: true}}
`), run.Options{})
	assert.Equal(t, record.Passed, refused.Verdict, "%v", refused.Violations)
	done := play(t, pair(t, `  - {when: {vm: vm-1, enters: bulk-transfer, after: 3s}, cancel: {vm: vm-1, refused: true}}
`), run.Options{})
	require.Len(t, done.Violations, 1)
	assert.Contains(t, done.Violations[0].What, "it was not refused: ")
}

func TestARunWaitsForWhatAPersonStarted(t *testing.T) {
	r, tr := followed(t, pair(t, "  - {at: 30s, power: {site: on-premises, vm: vm-2, state: off}}\n"), run.Options{})
	assert.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
	assert.Greater(t, tr.at(t, "step.ended", "=2", "what=power", "outcome=done"), tr.at(t, "step", "=2"))
	assert.Equal(t, tr.at(t, "vm.power", "=on-premises/vm-2", "state=off"), tr.at(t, "step.ended", "=2"))
}

// slow is a world whose guest takes longer to boot than a run waits for quiet.
const slow = "title: slow\nworld:\n  on-premises: {vms: [{name: vm-1, disks: [{capacity: 8 MB}]}]}\n  guests: {boot-time: 15m}\nsteps:\n" + order1

func TestARunIsNotOverWhileAGuestComesUp(t *testing.T) {
	r, tr := followed(t, parse(t, slow+"expect:\n  - {vm: vm-1, migration: completed}\n  - {vm: vm-1, runs: cloud}\n"), run.Options{})
	assert.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
	assert.Equal(t, tr.at(t, "vm.power", "=cloud/vm-1", "state=on")+15*time.Minute, tr.at(t, "guest.started", "site=cloud"))
	short := play(t, parse(t, slow+"limit: 12m\n"), run.Options{})
	require.Len(t, short.Violations, 1)
	assert.Contains(t, short.Violations[0].What, "the guest of vm-1 had not come up")
}

func TestWhatAPersonBreaksAfterAMigrationIsToldAsThePersons(t *testing.T) {
	r := play(t, pair(t, "  - {when: {vm: vm-1, enters: completed, after: 1m}, power: {site: on-premises, vm: vm-1, state: on}}\n"), run.Options{})
	assert.Equal(t, record.Failed, r.Verdict)
	require.Len(t, r.Violations, 1, "one cause, told once")
	v := r.Violations[0]
	assert.Equal(t, "step 2", v.Subject)
	assert.Empty(t, v.Clauses)
	assert.Contains(t, v.What, "it powers on vm-1 by hand after its migration m-0001 was over")
	assert.Contains(t, v.What, "(no-lost-write, one-copy)")
	assert.NotEmpty(t, v.Evidence)
	harmless := play(t, pair(t, "  - {when: {vm: vm-1, enters: completed, after: 1m}, power: {site: cloud, vm: vm-1, state: off}}\n"), run.Options{})
	assert.Equal(t, record.Passed, harmless.Verdict, "%v", harmless.Violations)
}

func TestWhatAPersonBreaksBesideARunningComputeVMIsToldAsThePersons(t *testing.T) {
	const tried = `title: beside
world: pair
limit: 2h
steps:
  - {at: 0s, deploy: {mode: lite}}
  - {at: 10m, migrate: {vm: vm-1, type: tbc, target: {networks: {VM Network: Cloud Net}}}}
`
	r := play(t, parse(t, tried+"  - {when: {vm: vm-1, enters: boot}, power: {site: on-premises, vm: vm-1, state: on}}\n"), run.Options{})
	assert.Equal(t, record.Failed, r.Verdict)
	require.Len(t, r.Violations, 1, "one cause, told once")
	v := r.Violations[0]
	assert.Equal(t, "step 3", v.Subject)
	assert.Empty(t, v.Clauses)
	assert.Contains(t, v.What, "it powers on vm-1 by hand while the same VM ran as cloud/vm-1 ARM, which HDM does not guard")
}

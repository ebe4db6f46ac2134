package run_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/reports/record"
)

// promises are, for everything that a scenario can expect, a line that holds in
// the run of TestEveryExpectation..., one that does not, and what is said then.
var promises = []struct{ holds, broken, says string }{
	{"{vm: vm-1, migration: completed, within: 1h}", "{vm: vm-1, migration: failed}", "its migration m-0001 is completed, not failed"},
	{"{vm: vm-1, migration: completed}", "{vm: vm-1, migration: completed, within: 10s}", "more than 10s"},
	{"{vm: vm-2, migration: refused, reason: unmapped-network}", "{vm: vm-2, migration: refused, reason: template}", `gives no reason "template" (unmapped-network:`},

	{"{vm: vm-1, runs: cloud}", "{vm: vm-1, runs: on-premises}", "its guest runs cloud, not on-premises"},
	{"{vm: vm-2, runs: on-premises, restarted: 0}", "{vm: vm-2, runs: nowhere}", "its guest runs on-premises, not nowhere"},
	{"{vm: vm-2, runs: on-premises, restarted: 0}", "{vm: vm-2, runs: on-premises, restarted: 1}", "started again 0 times at the same site, not 1"},
	{"{vm: vm-1, runs: cloud, network: Cloud Net}", "{vm: vm-1, runs: cloud, network: VM Network}", "on networks [Cloud Net], not first on VM Network"},
	{"{vm: vm-1, runs: cloud, networks: [Cloud Net]}", "{vm: vm-1, runs: cloud, networks: [Cloud Net, Cloud Net]}", "on networks [Cloud Net], not [Cloud Net Cloud Net]"},
	{"{vm: vm-1, runs: cloud, adapter: vmxnet3}", "{vm: vm-1, runs: cloud, adapter: e1000e}", "is a vmxnet3, not a e1000e"},
	{"{vm: vm-1, runs: cloud, pool: Resources}", "{vm: vm-1, runs: cloud, pool: gold}", "in pool Resources, not gold"},
	{"{vm: vm-2, runs: on-premises, datastore: ds-01}", "{vm: vm-2, runs: on-premises, datastore: ds-02}", "on datastore ds-01, not ds-02"},

	{"{vm: vm-2, cloud: {present: false}}", "{vm: vm-2, cloud: {present: true}}", "there is no VM of that name at cloud"},
	{"{vm: vm-1, cloud: {present: true}}", "{vm: vm-1, cloud: {present: false}}", "there is a VM of that name at cloud"},
	{"{vm: vm-2, on-premises: {power: on}}", "{vm: vm-2, cloud: {power: on}}", "there is no VM of that name at cloud to look at"},
	{"{vm: vm-1, on-premises: {power: off}}", "{vm: vm-1, on-premises: {power: on}}", "is off, not on"},
	{"{vm: vm-1, on-premises: {pool: _HDM_MIGRATEPOOL}}", "{vm: vm-1, on-premises: {pool: Resources}}", "is in pool _HDM_MIGRATEPOOL, not Resources"},
	{"{vm: vm-1, on-premises: {snapshot: _hdm1}}", "{vm: vm-1, on-premises: {snapshot: _hdm2}}", "has snapshots [_hdm1], and not _hdm2"},
	{"{vm: vm-1, on-premises: {snapshots: 1}}", "{vm: vm-1, on-premises: {snapshots: 0}}", "has 1 snapshots, not 0"},
	{"{vm: vm-2, on-premises: {present: true}}", "{vm: vm-2, on-premises: {policy: HDM Analyzer Profile}}", `has the storage policy "", not "HDM Analyzer Profile"`},

	{"{vm: vm-1, attempts: {bulk-transfer: 1}}", "{vm: vm-1, attempts: {bulk-transfer: 2}}", "step bulk-transfer was begun 1 times, not 2"},
	{"{vm: vm-1, tasks: {migration: success, export: success, import: success}}", "{vm: vm-1, tasks: {migration: error}}", "the task of its migration is success, not error"},
	{"{vm: vm-1, tasks: {export: success}}", "{vm: vm-1, tasks: {export: error}}", "the task of its export is success, not error"},
	{"{vm: vm-1, tasks: {migration: success}}", "{vm: vm-2, tasks: {import: success}}", "no task shows its import"},
	{"{vm: vm-1, tasks: {migration: success, export: success, import: success}, progress: rising}", "{vm: vm-2, tasks: {export: success}, progress: rising}", "no task shows its export"},
	{"{never: [failed]}", "{never: [failed, completed]}", "of vm-1 ended completed"},
	{"{undone: 0}", "{undone: 1}", "0 migrations began to be taken back, not 1"},
	{"{vm: vm-1, migrations: 1}", "{vm: vm-1, migrations: 2}", "there were 1 migrations, not 2"},
	{"{request: r-1, migrations: 1}", "{request: r-2, migrations: 1}", "there were 0 migrations, not 1"},
	{"{request: r-1, answer: duplicate}", "{request: r-1, answer: accepted}", `it was answered with "duplicate", not "accepted"`},
	{"{request: r-2, answer: refused, reason: busy}", "{request: r-2, answer: refused, reason: type}", `its answer gives no reason "type"`},
	{"{at-once: 1}", "{at-once: 2}", "at most 1 migrations ran at once, not 2"},
	{"{ended: {completed: 1, refused: 2}}", "{ended: {completed: 2, refused: 2}}", "1 migrations ended completed, not 2"},
	{"{carried: to-cloud, at-least: 6 MB}", "{carried: to-cloud, at-least: 60 MB}", "less than 60 MB"},
	{"{carried: to-premises, at-most: 1 MB}", "{carried: to-cloud, at-most: 1 MB}", "more than 1 MB"},
}

// ordinary is a history in which each of them can be told.
const ordinary = `
  - {when: {vm: vm-1, enters: running}, migrate: {vm: vm-1, type: cold, request: r-2, target: {networks: {VM Network: Cloud Net}}}}
  - {at: 10m, migrate: {vm: vm-1, type: cold, request: r-1, target: {networks: {VM Network: Cloud Net}}}}
  - {at: 11m, migrate: {vm: vm-2, type: cold}}
expect:
`

func TestEveryExpectationThatHoldsIsAccepted(t *testing.T) {
	text := ordinary
	for _, p := range promises {
		text += "  - " + p.holds + "\n"
	}
	r := play(t, pair(t, text), run.Options{})
	assert.Equal(t, record.Passed, r.Verdict)
	assert.Empty(t, r.Violations)
	assert.Empty(t, r.Error)
}

func TestEveryExpectationThatIsBrokenIsToldAndSaysWhatIsSoInstead(t *testing.T) {
	text := ordinary
	for _, p := range promises {
		text += "  - " + p.broken + "\n"
	}
	s := pair(t, text)
	r := play(t, s, run.Options{})
	assert.Equal(t, record.Failed, r.Verdict)
	require.Len(t, r.Violations, len(promises))
	for i, v := range r.Violations {
		assert.Equal(t, "expect", v.Oracle)
		assert.Equal(t, s.Expect[i].Subject(), v.Subject)
		assert.Contains(t, v.What, promises[i].says, promises[i].broken)
	}
}

func TestAnExpectationOfWhatNeverHappenedIsBroken(t *testing.T) {
	r := play(t, pair(t, `
  - {when: {vm: vm-1, enters: undoing}, migrate: {vm: vm-2, type: cold, request: r-2}}
expect:
  - {vm: vm-2, migration: completed}
  - {vm: vm-2, attempts: {check: 1}}
  - {vm: vm-2, tasks: {migration: success}}
  - {request: r-2, answer: accepted}
`), run.Options{})
	require.Len(t, r.Violations, 5)
	for i, says := range []string{"it never acted", "it was never migrated", "it was never migrated", "no task shows its migration", "it was never answered"} {
		assert.Contains(t, r.Violations[i].What, says)
	}
}

func TestAProgressThatNobodySawRisingIsBroken(t *testing.T) {
	r := play(t, parse(t, `title: Too quick to be seen on its way
world:
  on-premises: {vms: [{name: vm-1, disks: [{capacity: 4 MB, used: 1 MB}]}]}
  links: {wan: {latency: 1ms, bandwidth: 10 Gbit/s}}
steps:
`+order1+`expect:
  - {vm: vm-1, tasks: {export: success, import: success}}
  - {vm: vm-1, tasks: {migration: success, export: success, import: success}, progress: rising}
`), run.Options{})
	require.Len(t, r.Violations, 3)
	assert.Contains(t, r.Violations[0].What, "the progress of the task of its export was seen at 0 values between 0 and 100")
	assert.Contains(t, r.Violations[1].What, "the progress of the task of its import was seen at 0 values between 0 and 100; a rise is 2")
	assert.Regexp(t, "the progress of the task of its migration was seen at [1-6] values between 0 and 100; a rise is 7", r.Violations[2].What, "it told of its steps, and not of how far each was")
}

func TestWhatAMigrationListsAsLeftIsHeldAgainstWhatIsExpectedAndExactlyThatIsAccepted(t *testing.T) {
	faults := `faults:
  - {when: {vm: vm-1, enters: network}, call-error: {site: cloud, method: ReconfigVM_Task, count: 3, fault: SystemError}}
  - {when: {vm: vm-1, enters: undoing}, call-error: {site: on-premises, method: RemoveSnapshot_Task, count: 10, fault: SystemError}}
`
	r := play(t, pair(t, faults+`expect:
  - {vm: vm-1, migration: failed, left: [snapshot]}
  - {vm: vm-1, on-premises: {power: on, snapshots: 1}}
`), run.Options{})
	assert.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
	r = play(t, pair(t, faults+"expect:\n  - {vm: vm-1, migration: failed, left: [snapshot, pool]}\n  - {vm: vm-1, migration: failed, left: [pool]}\n"), run.Options{})
	require.Len(t, r.Violations, 2)
	assert.Contains(t, r.Violations[0].What, "lists steps [snapshot] as not put back, not [snapshot pool]")
	assert.Contains(t, r.Violations[1].What, "lists steps [snapshot] as not put back, not [pool]")
}

func TestAMigrationThatIsTakenBackIsCounted(t *testing.T) {
	r := play(t, pair(t, "  - {when: {vm: vm-1, enters: bulk-transfer, after: 10s}, cancel: {vm: vm-1}}\nexpect:\n  - {undone: 1}\n  - {undone: 0}\n"), run.Options{})
	require.Len(t, r.Violations, 1)
	assert.Contains(t, r.Violations[0].What, "1 migrations began to be taken back, not 0")
}

func TestWhatAnOracleSeesIsInTheRecordWithItsEvidence(t *testing.T) {
	// A person starts the old VM while the new one is being started: nothing HDM
	// could do.
	r := play(t, pair(t, "  - {when: {vm: vm-1, enters: power-on, after: 1s}, power: {site: on-premises, vm: vm-1, state: on}}\n"), run.Options{})
	assert.Equal(t, record.Failed, r.Verdict)
	require.NotEmpty(t, r.Violations)
	v := r.Violations[0]
	assert.Equal(t, "one-copy", v.Oracle)
	assert.Contains(t, strings.Join(v.Clauses, " "), "MIG-13")
	assert.NotEmpty(t, v.Evidence)
}

package oracle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/oracle"
)

func TestNoLostVM(t *testing.T) {
	source := vm(vsphere.OnPremises, "vm-1", "db-01", true)
	off := with(source, func(v *oracle.VM) { v.On = false })
	moved := with(off, func(v *oracle.VM) { v.Pool = "_HDM_MIGRATEPOOL" })
	copied := vm(vsphere.Cloud, "vm-9", "db-01", true)
	stranger := with(copied, func(v *oracle.VM) { v.Disks = []oracle.Disk{{ID: "other/0"}} })
	ends := func(vms ...oracle.VM) *oracle.Truth { return &oracle.Truth{Before: []oracle.VM{source}, VMs: vms} }
	completed, failed := moves("m-0001", "db-01", toCompleted...), moves("m-0001", "db-01", toFailed...)
	check(t, func() oracle.Oracle { return oracle.NewNoLostVM(oracle.Documented()) }, []history{
		{name: "nothing happened", truth: ends(source)},
		{name: "it runs in the cloud", events: completed, truth: ends(moved, copied)},
		{name: "it failed and is on premises", events: failed, truth: ends(off)},
		{name: "it is gone everywhere", events: failed, truth: ends(), broken: "it is gone on premises, and it does not run in the cloud", evidence: []uint64{5}},
		{name: "it is gone here and off there", events: failed, truth: ends(with(copied, func(v *oracle.VM) { v.On = false })), broken: "does not run in the cloud", evidence: []uint64{5}},
		{name: "it has lost a disk", events: failed, truth: ends(with(off, func(v *oracle.VM) { v.Disks = nil })), broken: "it has lost a disk on premises", evidence: []uint64{5}},
		{name: "its host is gone", events: failed, truth: ends(with(off, func(v *oracle.VM) { v.Connected = false })), broken: "no longer connected", evidence: []uint64{5}},
		{name: "it says completed and is not in the migrate pool", events: completed, truth: ends(off, copied), broken: `the VM is in pool "Resources" on premises, not in _HDM_MIGRATEPOOL`, evidence: []uint64{4}},
		{name: "it says completed and left no copy", events: completed, truth: ends(moved), broken: "m-0001 is completed, and no VM with its disks is on in the cloud", evidence: []uint64{4}},
		{name: "it says completed and a stranger bears its name", events: completed, truth: ends(moved, stranger), broken: "no VM with its disks is on in the cloud", evidence: []uint64{4}},
		{name: "it says completed and the source is on", events: completed, truth: ends(with(moved, func(v *oracle.VM) { v.On = true }), copied), broken: "the VM is on on premises", evidence: []uint64{4}},
		{name: "completed, and a person powered it on", events: completed + "9s step 2 what=power vm=on-premises/db-01\n", truth: ends(source, copied)},
		{name: "a second order is refused once it is completed", events: completed + moves("m-0002", "db-01", "checking", "refused"), truth: ends(moved), broken: "m-0001 is completed", evidence: []uint64{4}},
		{name: "it is tried, and runs in the cloud", events: as("tbc", completed), truth: ends(moved, with(copied, func(v *oracle.VM) { v.Name = "db-01 ARM" }))},
		{name: "it is tried, and its compute VM is off", events: as("tbc", completed), truth: ends(moved, with(copied, func(v *oracle.VM) { v.Name, v.On = "db-01 ARM", false })), broken: "no VM with its disks is on in the cloud", evidence: []uint64{4}},
		{name: "it was brought back", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(off)},
		{name: "it was brought back and is gone", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(), broken: "it is gone on premises", evidence: []uint64{8}},
		{name: "bringing it back failed, and its compute VM is off", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toFailed...)), truth: ends(moved, with(copied, func(v *oracle.VM) { v.On = false })), broken: "m-0001 is completed, and no VM", evidence: []uint64{4}},
		{name: "a VM of the cloud vanishes", truth: &oracle.Truth{Before: []oracle.VM{copied}}, broken: "a VM of the cloud that nobody migrates is gone"},
	})
}

func TestLegalMoves(t *testing.T) {
	const (
		journal = "1s journal.write appliance records=1 cause=x\n"
		run     = "1s journal.write appliance records=1 cause=x\n2s effect.started m-0001 key=k kind=check step=check epoch=1\n"
	)
	inSteps := []string{"checking", "queued", "running", "running:check", "running:shut-down"}
	check(t, func() oracle.Oracle { return oracle.NewLegalMoves(oracle.Documented()) }, []history{
		{name: "from the beginning to the end", events: moves("m-0001", "db-01", "checking", "queued", "running", "running:check", "running:shut-down", "running:snapshot", "running:bulk-transfer", "running:network", "running:pool", "running:power-on", "completed")},
		{name: "refused at once", events: moves("m-0001", "db-01", "refused")},
		{name: "taken back, last step first", events: moves("m-0001", "db-01", append(inSteps, "undoing", "undoing:shut-down", "undoing:check", "failed")...)},
		{name: "it jumps over the queue", events: moves("m-0001", "db-01", "checking", "running"), broken: `from "checking" to "running"; from there only`, evidence: []uint64{1, 2}},
		{name: "it goes on after its end", events: moves("m-0001", "db-01", "checking", "failed", "queued"), broken: `from there only nothing is declared`, evidence: []uint64{2, 3}},
		{name: "it comes from nowhere", events: "1s migration m-0001 vm=db-01 from=queued to=running\n", broken: "a migration begins as checking or refused", evidence: []uint64{1}},
		{name: "a restart finds it where it never was", events: moves("m-0001", "db-01", toRunning...) + "9s migration m-0001 vm=db-01 from=queued to=running\n", broken: `it moved from "queued" to "running", but it was "running"`, evidence: []uint64{3, 4}},
		{name: "it jumps over a step", events: moves("m-0001", "db-01", append(inSteps, "running:bulk-transfer")...), broken: `it went to step "bulk-transfer"; after shut-down comes snapshot`, evidence: []uint64{5, 6}},
		{name: "it goes back a step", events: moves("m-0001", "db-01", append(inSteps, "running:check")...), broken: `it went to step "check"; after shut-down comes snapshot`, evidence: []uint64{5, 6}},
		{name: "it takes a step that there is not", events: moves("m-0001", "db-01", append(inSteps, "running:magic")...), broken: `step "magic" is not declared`, evidence: []uint64{6}},
		{name: "it takes back what it never began", events: moves("m-0001", "db-01", append(inSteps, "undoing", "undoing:power-on")...), broken: "which it never began", evidence: []uint64{6, 7}},
		{name: "it moves within the queue", events: moves("m-0001", "db-01", "checking", "queued", "queued"), broken: "which has no steps", evidence: []uint64{2, 3}},
		{name: "it acts once its move is journalled", events: journal + moves("m-0001", "db-01", inSteps[:4]...) + "9s effect.started m-0001 key=k kind=check step=check epoch=1\n"},
		{name: "it acts before anything is journalled", events: moves("m-0001", "db-01", "checking") + "9s effect.started m-0001 key=k kind=check step=check epoch=1\n", broken: "before its move is journalled", evidence: []uint64{1, 2}},
		{name: "it acts before its next move is journalled", events: moves("m-0001", "db-01", "checking") + run + "3s migration m-0001 vm=db-01 from=checking to=queued\n4s migration m-0001 vm=db-01 from=queued to=running\n4s migration m-0001 vm=db-01 from=running to=running step=check\n9s effect.started m-0001 key=k2 kind=check step=check epoch=1\n", broken: "before its move is journalled", evidence: []uint64{6, 7}},
		{name: "it acts for another step", events: journal + moves("m-0001", "db-01", inSteps...) + "9s effect.started m-0001 key=k kind=x step=network epoch=1\n", broken: `for step "network" while it is running shut-down`, evidence: []uint64{6, 7}},
		{name: "it acts after its end", events: journal + moves("m-0001", "db-01", "checking", "failed") + "9s effect.started m-0001 key=k kind=x step= epoch=1\n", broken: "while it is failed", evidence: []uint64{3, 4}},
		{name: "it acts before it is there", events: journal + "9s effect.started m-0001 key=k kind=x step=check epoch=1\n", broken: "before it came into being", evidence: []uint64{2}},
	})
}

// as is the history of migrations of another type.
func as(of, history string) string { return strings.ReplaceAll(history, "type=cold", "type="+of) }

// waiting is a move to a state in which the migration waits before a step.
func waiting(id, before string) string {
	return "5s migration " + id + " vm=db-01 from=running to=waiting step= next=" + before + "\n"
}

func TestLegalMovesOfAMigrationThatWaits(t *testing.T) {
	const (
		goesOn   = "6s migration m-0001 vm=db-01 from=waiting to=running step=\n"
		transfer = "6s migration m-0001 vm=db-01 from=running to=running step=bulk-transfer\n"
		sync     = "6s migration m-0001 vm=db-01 from=running to=running step=reconcile\n"
	)
	up := as("warm", moves("m-0001", "db-01", "checking", "queued", "running", "running:check", "running:prepare", "running:policy",
		"running:shut-down", "running:snapshot", "running:linked-clone", "running:cloud-cache", "running:compute-vm", "running:pool", "running:power-on", "running:boot"))
	check(t, func() oracle.Oracle { return oracle.NewLegalMoves(oracle.Documented()) }, []history{
		{name: "it waits, and goes on", events: up + waiting("m-0001", "bulk-transfer") + goesOn + transfer},
		{name: "it waits, and a person has brought the data", events: up + waiting("m-0001", "bulk-transfer") + goesOn + sync},
		{name: "it waits, and is taken back", events: up + waiting("m-0001", "bulk-transfer") + "7s migration m-0001 vm=db-01 from=waiting to=undoing step=\n7s migration m-0001 vm=db-01 from=undoing to=undoing step=power-on\n"},
		{name: "it spares itself the transfer, and waited for nobody", events: up + sync, broken: `it went to step "reconcile"; after boot comes bulk-transfer`, evidence: []uint64{14, 15}},
		{name: "it waits before a step that is not the next", events: up + waiting("m-0001", "stop"), broken: `it waits before step "stop"; after boot comes bulk-transfer`, evidence: []uint64{14, 15}},
		{name: "it takes a step of another type", events: as("tbc", moves("m-0001", "db-01", "checking", "queued", "running", "running:check", "running:prepare", "running:policy", "running:shut-down", "running:snapshot")) + "6s migration m-0001 vm=db-01 from=running to=running step=linked-clone\n", broken: `step "linked-clone" is not declared`, evidence: []uint64{9}},
		{name: "it completes while it waits", events: up + waiting("m-0001", "bulk-transfer") + "7s migration m-0001 vm=db-01 from=waiting to=completed step=\n", broken: `from "waiting" to "completed"; from there only`, evidence: []uint64{15, 16}},
		{name: "it acts while it waits", events: "0s journal.write appliance records=1 cause=x\n" + up + waiting("m-0001", "bulk-transfer") + "7s effect.started m-0001 key=k kind=x step= epoch=1\n", broken: "while it is waiting", evidence: []uint64{16, 17}},
	})
}

// fleet is n migrations, each moved along states.
func fleet(n int, states ...string) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		b.WriteString(moves(fmt.Sprintf("m-%04d", i), fmt.Sprintf("vm-%02d", i), states...))
	}
	return b.String()
}

func TestLimits(t *testing.T) {
	exports := func(n int) string {
		var b strings.Builder
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, "9s lease.opened on-premises/vm-%02d lease=l%d mode=export\n", i, i)
		}
		return b.String()
	}
	attempts := func(n int, outcome string) string {
		return strings.Repeat("9s effect.started m-0001 key=m-0001/5/transfer kind=transfer step=bulk-transfer\n9s effect.ended m-0001 key=m-0001/5/transfer kind=transfer step=bulk-transfer outcome="+outcome+"\n", n)
	}
	inStep := moves("m-0001", "vm-01", "checking", "queued", "running", "running:bulk-transfer")
	ninth := moves("m-0009", "vm-09", toRunning...)
	check(t, func() oracle.Oracle { return oracle.NewLimits(oracle.Documented()) }, []history{
		{name: "eight at once", events: fleet(8, toRunning...) + exports(8)},
		{name: "nine at once", events: fleet(8, toRunning...) + ninth, broken: "the 9. migration at once", evidence: []uint64{27}},
		{name: "nine, but one after another", events: fleet(8, toCompleted...) + ninth},
		{name: "what is being taken back takes a slot", events: fleet(8, "checking", "queued", "running", "undoing") + ninth, broken: "the 9. migration at once", evidence: []uint64{35}},
		{name: "nine VMs exported, whatever the appliance says", events: exports(9), broken: "the 9. VM that is exported at once", evidence: []uint64{9}},
		{name: "an export is done before the ninth", events: exports(8) + "9s lease.closed on-premises/vm-01 lease=l1 mode=export how=completed\n9s lease.opened on-premises/vm-09 lease=l9 mode=export\n"},
		{name: "a VM exported again is no further VM", events: exports(8) + "9s lease.opened on-premises/vm-01 lease=l9 mode=export\n"},
		{name: "leases of a dead appliance do not count", events: exports(8) + "9s appliance.down appliance how=power\n" + "9s lease.opened on-premises/vm-09 lease=l9 mode=export\n"},
		{name: "the second overtakes the first", events: moves("m-0001", "vm-01", "checking", "queued") + moves("m-0002", "vm-02", toRunning...), broken: "before m-0001, which was ordered before it and waits", evidence: []uint64{1, 3, 5}},
		{name: "the second overtakes the first that is checked", events: moves("m-0001", "vm-01", "checking") + moves("m-0002", "vm-02", toRunning...), broken: "before m-0001", evidence: []uint64{1, 2, 4}},
		{name: "the first was cancelled in the queue", events: moves("m-0001", "vm-01", "checking", "queued", "cancelled") + moves("m-0002", "vm-02", toRunning...)},
		{name: "three tries", events: inStep + attempts(3, "retryable")},
		{name: "a fourth try", events: inStep + attempts(3, "retryable") + "9s effect.started m-0001 key=k kind=transfer step=bulk-transfer\n", broken: "tried again (transfer) after 3 failures; at most 3", evidence: []uint64{6, 8, 10, 11}},
		{name: "a way that is down uses up no try", events: inStep + attempts(20, "unreachable") + attempts(3, "retryable")},
		{name: "an answer that was not accepted uses up no try", events: inStep + attempts(1, "retryable") + "9s effect.stale m-0001 key=m-0001/5/transfer why=late\n" + attempts(3, "retryable")},
		{name: "an answer that died with the appliance uses up no try", events: inStep + attempts(1, "retryable") + "9s appliance.down appliance how=power-off\n" + attempts(3, "retryable")},
		{name: "an answer that the journal had uses one up", events: inStep + attempts(1, "retryable") + "9s journal.write appliance records=2 cause=m-0001/5/transfer\n9s appliance.down appliance how=power-off\n" + attempts(3, "retryable"), broken: "after 3 failures", evidence: []uint64{6, 10, 12, 13}},
		{name: "a new step has its own tries", events: inStep + attempts(3, "retryable") + "9s migration m-0001 vm=vm-01 from=running to=running step=network\n" + attempts(3, "retryable")},
		{name: "taking back is tried longer", events: inStep + "9s migration m-0001 vm=vm-01 from=running to=undoing step=bulk-transfer\n" + attempts(10, "retryable")},
		{name: "but not for ever", events: inStep + "9s migration m-0001 vm=vm-01 from=running to=undoing step=bulk-transfer\n" + attempts(10, "retryable") + "9s effect.started m-0001 key=k kind=transfer step=bulk-transfer\n", broken: "after 10 failures; at most 10", evidence: []uint64{7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 26}},
	})
}

func TestLimitsOfTheCloudCache(t *testing.T) {
	deployed := func(mode string) string {
		return "0s deployment appliance phase=deployed mode=" + strings.ReplaceAll(mode, " ", "·") + "\n"
	}
	binds := func(n int) string {
		var b strings.Builder
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, "9s binding.bound b-%d vm=c source=on-premises/vm-%02d quota=1\n", i, i)
		}
		return b.String()
	}
	const standard = "standard standalone"
	check(t, func() oracle.Oracle { return oracle.NewLimits(oracle.Documented()) }, []history{
		{name: "four warm ones at once", events: deployed(standard) + as("warm", fleet(4, toRunning...))},
		{name: "five warm ones at once", events: deployed(standard) + as("warm", fleet(5, toRunning...)), broken: "the 5. migration at once; at most 4", evidence: []uint64{16}},
		{name: "five at once on three hosts", events: deployed("standard cluster 3") + as("tbc", fleet(5, toRunning...))},
		{name: "warm ones without a deployment", events: as("warm", fleet(1, toRunning...)), broken: "the 1. migration at once; at most 0", evidence: []uint64{3}},
		{name: "eight cold ones beside four warm ones", events: deployed(standard) + as("warm", fleet(4, toRunning...)) + strings.ReplaceAll(fleet(8, toRunning...), "m-", "c-")},
		{name: "four wait for a word, and another one runs", events: deployed(standard) + as("warm", fleet(4, "checking", "queued", "running", "waiting")) + as("warm", moves("m-0009", "vm-09", toRunning...))},
		{name: "the second overtakes the first", events: deployed(standard) + as("warm", moves("m-0001", "vm-01", "checking", "queued")) + as("tbc", moves("m-0002", "vm-02", toRunning...)), broken: "before m-0001", evidence: []uint64{2, 4, 6}},
		{name: "a cold one overtakes a warm one", events: deployed(standard) + as("warm", moves("m-0001", "vm-01", "checking", "queued")) + moves("m-0002", "vm-02", toRunning...)},
		{name: "ten VMs on a lite cloud cache", events: deployed("lite standalone") + binds(10)},
		{name: "eleven", events: deployed("lite standalone") + binds(11), broken: "the 11. VM on the cloud cache; lite standalone has room for 10", evidence: []uint64{12}},
		{name: "eleven, but one was released", events: deployed("lite standalone") + binds(10) + "9s binding.released b-1\n9s binding.bound b-11 vm=c source=on-premises/vm-11 quota=1\n"},
		{name: "twenty on a lite cluster of five", events: deployed("lite cluster 5") + binds(20)},
		{name: "twenty-one", events: deployed("lite cluster 5") + binds(21), broken: "has room for 20", evidence: []uint64{22}},
		{name: "clones that are exported are no cold migrations", events: strings.Repeat("9s lease.opened on-premises/a_hdm_clone lease=l1 mode=export\n", 9)},
	})
}

func TestTheModesLimitIsTestedByOneThatWaitsAndGetsItsTurn(t *testing.T) {
	full := "0s deployment appliance phase=deployed mode=lite·standalone\n" + as("warm", fleet(2, toRunning...))
	third := as("warm", moves("m-0003", "vm-03", "checking", "queued"))
	const free, begins = "9s migration m-0001 vm=vm-01 from=running to=completed\n", "9s migration m-0003 vm=vm-03 from=queued to=running\n"
	assert.NotContains(t, tested(t, oracle.NewLimits(oracle.Documented()), full+third), "DEP-03")
	assert.Contains(t, tested(t, oracle.NewLimits(oracle.Documented()), full+third+free+begins), "DEP-03")
}

// tested is what an oracle says that a history has put to the test.
func tested(t *testing.T, o oracle.Oracle, history string) []string {
	t.Helper()
	require.Empty(t, judge(t, o, history, nil))
	return o.Tested()
}

func TestTheLimitIsTestedByANinthThatWaitsAndGetsItsTurn(t *testing.T) {
	const (
		queues = "9s migration m-0009 vm=vm-09 from= to=checking\n9s migration m-0009 vm=vm-09 from=checking to=queued\n"
		begins = "9s migration m-0009 vm=vm-09 from=queued to=running\n"
		ends   = "9s migration m-0001 vm=vm-01 from=running to=completed\n"
	)
	last := moves("m-0008", "vm-08", toRunning...)
	for _, h := range []struct {
		name, history string
		tests         bool
	}{
		{"eight run and none waits", fleet(8, toRunning...), false},
		{"the ninth waits for ever", fleet(8, toRunning...) + queues, false},
		{"the ninth is cancelled while it waits", fleet(8, toRunning...) + queues + "9s migration m-0009 vm=vm-09 from=queued to=cancelled\n" + ends, false},
		{"the ninth comes when a slot is free", fleet(8, toRunning...) + ends + queues + begins, false},
		{"the ninth waits and begins when a slot is free", fleet(8, toRunning...) + queues + ends + begins, true},
		{"the ninth is ready before the eighth takes the last slot", fleet(7, toRunning...) + strings.ReplaceAll(last, "to=running", "to=queued") + queues + "9s migration m-0008 vm=vm-08 from=queued to=running\n" + ends + begins, true},
	} {
		t.Run(h.name, func(t *testing.T) {
			assert.Equal(t, h.tests, slices.Contains(tested(t, oracle.NewLimits(oracle.Documented()), h.history), "COLD-02"))
		})
	}
}

func TestTheBoundOfTriesIsTestedByAMigrationThatFailsAtIt(t *testing.T) {
	attempt := "9s effect.started m-0001 key=k kind=transfer step=bulk-transfer\n9s effect.ended m-0001 key=k kind=transfer step=bulk-transfer outcome=retryable\n"
	inStep := moves("m-0001", "vm-01", "checking", "queued", "running", "running:bulk-transfer")
	const undoing, failed, next = "9s migration m-0001 vm=vm-01 from=running to=undoing\n", "9s migration m-0001 vm=vm-01 from=undoing to=failed\n",
		"9s migration m-0001 vm=vm-01 from=running to=running step=network\n"
	for _, h := range []struct {
		name, history string
		tests         bool
	}{
		{"it fails once and then succeeds", inStep + attempt + next, false},
		{"it fails three times and nobody says that it has failed", inStep + strings.Repeat(attempt, 3), false},
		{"it gives up before the bound", inStep + strings.Repeat(attempt, 2) + undoing + failed, false},
		{"two steps fail less often than each may", inStep + strings.Repeat(attempt, 2) + next + attempt + undoing + failed, false},
		{"it fails three times and is then taken back", inStep + strings.Repeat(attempt, 3) + undoing + failed, true},
		{"whether it can begin is not found out three times", moves("m-0001", "vm-01", "checking") + strings.Repeat(attempt, 3) + "9s migration m-0001 vm=vm-01 from=checking to=failed\n", true},
		{"what is taken back fails ten times", inStep + undoing + strings.Repeat(attempt, 10) + failed, true},
		{"what is taken back fails nine times", inStep + undoing + strings.Repeat(attempt, 9) + failed, false},
	} {
		t.Run(h.name, func(t *testing.T) {
			assert.Equal(t, h.tests, slices.Contains(tested(t, oracle.NewLimits(oracle.Documented()), h.history), "SYS-02/cold"))
		})
	}
}

func TestARepeatedRequestIsTestedByAMigrationThatCompletes(t *testing.T) {
	const first, again = "1s order.answered appliance request=r vm=db-01 outcome=accepted migration=m-0001\n",
		"2s order.answered appliance request=r vm=db-01 outcome=duplicate migration=m-0001\n"
	for _, h := range []struct {
		name, history string
		tests         []string
	}{
		{"asked once", first + moves("m-0001", "db-01", toCompleted...), nil},
		{"asked twice, and it failed", first + again + moves("m-0001", "db-01", toFailed...), nil},
		{"asked twice, and another migration completed", first + again + moves("m-0002", "db-02", toCompleted...), nil},
		{"asked twice, and it completed", first + again + moves("m-0001", "db-01", toCompleted...), []string{"MIG-14"}},
	} {
		t.Run(h.name, func(t *testing.T) {
			assert.Equal(t, h.tests, tested(t, oracle.NewEffectsOnce(oracle.Documented()), h.history))
		})
	}
}

func TestEffectsOnce(t *testing.T) {
	const (
		up1     = "0s appliance.up appliance epoch=1\n"
		up2     = "5s appliance.up appliance epoch=2\n"
		started = "1s effect.started m-0001 key=a epoch=1\n"
		ended   = "2s effect.ended m-0001 key=a epoch=1 outcome=done\n"
		written = "3s journal.write appliance records=1 cause=a\n"
		next    = "4s effect.started m-0001 key=b epoch=1\n"
	)
	const (
		transfer = "5s effect.started m-0001 key=t kind=transfer epoch=1\n"
		imported = "6s lease.closed cloud/db-01 lease=l mode=import how=completed\n"
		carried  = "7s effect.ended m-0001 key=t kind=transfer epoch=1 outcome=done\n"
	)
	source := vm(vsphere.OnPremises, "vm-1", "db-01", false)
	copied := vm(vsphere.Cloud, "vm-9", "db-01", true)
	running, completed := moves("m-0001", "db-01", toRunning...), moves("m-0001", "db-01", toCompleted...)
	snapshots := func(names ...string) oracle.VM { return with(source, func(v *oracle.VM) { v.Snapshots = names }) }
	ends := func(vms ...oracle.VM) *oracle.Truth { return &oracle.Truth{Before: []oracle.VM{source}, VMs: vms} }
	check(t, func() oracle.Oracle { return oracle.NewEffectsOnce(oracle.Documented()) }, []history{
		{name: "asked, done, accepted, and the next", events: up1 + started + ended + written + next},
		{name: "run twice under one key", events: up1 + started + started, broken: "effect a was started twice", evidence: []uint64{2, 3}},
		{name: "ended twice", events: up1 + started + ended + ended, broken: "effect a ended twice", evidence: []uint64{3, 4}},
		{name: "ended, never started", events: up1 + ended, broken: "was never started", evidence: []uint64{2}},
		{name: "accepted twice", events: up1 + started + ended + written + written, broken: "accepted twice", evidence: []uint64{2, 3, 4, 5}},
		{name: "accepted before it ended", events: up1 + started + written, broken: "before it ended", evidence: []uint64{2, 3}},
		{name: "accepted by the next incarnation", events: up1 + started + ended + up2 + written, broken: "accepted in epoch 2, though it was asked for in epoch 1", evidence: []uint64{2, 3, 5}},
		{name: "accepted after a newer one was begun", events: up1 + started + next + ended + written, broken: "a late answer of effect a was accepted after b was begun", evidence: []uint64{2, 3, 4, 5}},
		{name: "an old incarnation acts", events: up2 + started, broken: "was started in epoch 1; now is epoch 2", evidence: []uint64{2}},
		{name: "a late answer that is turned away", events: up1 + started + next + ended + "5s effect.stale m-0001 key=a why=late\n"},
		{name: "the journal is written for another reason", events: up1 + started + "3s journal.write appliance records=1 cause=order\n"},
		{name: "an order given twice, one migration", events: "1s order.answered appliance request=r vm=db-01 outcome=accepted migration=m-0001\n2s order.answered appliance request=r vm=db-01 outcome=duplicate migration=m-0001\n"},
		{name: "an order given twice, two migrations", events: "1s order.answered appliance request=r vm=db-01 outcome=accepted migration=m-0001\n2s order.answered appliance request=r vm=db-01 outcome=accepted migration=m-0002\n", broken: "became two migrations, m-0001 and m-0002", evidence: []uint64{1, 2}},
		{name: "orders without a name are new each time", events: "1s order.answered appliance request= vm=db-01 outcome=accepted migration=m-0001\n2s order.answered appliance request= vm=db-01 outcome=accepted migration=m-0002\n"},
		{name: "one copy, one snapshot", events: completed, truth: ends(snapshots("_hdm1"), copied)},
		{name: "two imports", events: completed, truth: ends(snapshots("_hdm1"), copied, with(copied, func(v *oracle.VM) { v.ID, v.Name = "vm-10", "db-01 (1)" })), broken: "2 VMs were made from it in the cloud", evidence: []uint64{4}},
		{name: "two snapshots", events: completed, truth: ends(snapshots("_hdm1", "_hdm2"), copied), broken: "left 2 migrate-time snapshots; it leaves 1", evidence: []uint64{4}},
		{name: "no snapshot", events: completed, truth: ends(snapshots(), copied), broken: "left 0 migrate-time snapshots", evidence: []uint64{4}},
		{name: "a snapshot of somebody else", events: completed, truth: ends(snapshots("before update", "_hdm1"), copied)},
		{name: "a transfer imports what it says is done", events: up1 + running + transfer + imported + carried},
		{name: "a transfer that failed imports nothing", events: up1 + running + transfer + "9s effect.ended m-0001 key=t kind=transfer epoch=1 outcome=retryable\n"},
		{name: "a transfer takes what an earlier one imported", events: up1 + running + imported + transfer + carried, broken: "did not start from the beginning", evidence: []uint64{5, 6, 7}},
		{name: "committed, and the snapshot is gone", events: as("warm", completed), truth: ends(snapshots(), copied)},
		{name: "committed, and the snapshot is left", events: as("warm", completed), truth: ends(snapshots("_hdm1"), copied), broken: "left 1 migrate-time snapshots; it leaves 0", evidence: []uint64{4}},
		{name: "tried, with its snapshot", events: as("tbc", completed), truth: ends(snapshots("_hdm1"), copied)},
		{name: "tried, without one", events: as("tbc", completed), truth: ends(snapshots(), copied), broken: "left 0 migrate-time snapshots; it leaves 1", evidence: []uint64{4}},
		{name: "brought back, and the snapshot is gone", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(snapshots())},
		{name: "brought back, and the snapshot is left", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(snapshots("_hdm1")), broken: "left 1 migrate-time snapshots; it leaves 0", evidence: []uint64{8}},
		{name: "it waits with a compute VM and an image", events: as("warm", running) + waiting("m-0001", "stop"), truth: ends(snapshots("_hdm1"), copied, with(copied, func(v *oracle.VM) { v.ID = "vm-10" }))},
		{name: "an image that is transferred is imported", events: up1 + as("warm", running) + strings.ReplaceAll(transfer+strings.ReplaceAll(imported, "cloud/db-01", "cloud/db-01·ARM·image")+carried, "kind=transfer", "kind=transfer·image")},
		{name: "an image is taken from an earlier transfer", events: up1 + as("warm", running) + strings.ReplaceAll(transfer+carried, "kind=transfer", "kind=transfer·image"), broken: "did not start from the beginning", evidence: []uint64{5, 6}},
		{name: "two pools of a name", truth: &oracle.Truth{Pools: []oracle.Pool{{Site: vsphere.OnPremises, Name: "_HDM_MIGRATEPOOL", Parent: "Resources"}, {Site: vsphere.OnPremises, Name: "_HDM_MIGRATEPOOL", Parent: "prod"}}}, broken: `two pools "_HDM_MIGRATEPOOL"`},
	})
}

func TestNothingLeftBehind(t *testing.T) {
	source := vm(vsphere.OnPremises, "vm-1", "db-01", true)
	copied := vm(vsphere.Cloud, "vm-9", "db-01", true)
	moved := with(source, func(v *oracle.VM) {
		v.On, v.Pool, v.Snapshots, v.Marked = false, "_HDM_MIGRATEPOOL", []string{"_hdm1"}, true
	})
	ends := func(vms ...oracle.VM) *oracle.Truth { return &oracle.Truth{Before: []oracle.VM{source}, VMs: vms} }
	completed, failed := moves("m-0001", "db-01", toCompleted...), moves("m-0001", "db-01", toFailed...)
	changed := func(change func(*oracle.VM)) *oracle.Truth { return ends(with(source, change)) }
	// leaves is failed, with what it says that it could not put back.
	leaves := func(what string) string {
		return strings.TrimSuffix(failed, "\n") + " left=" + strings.ReplaceAll(what, " ", "·") + "\n"
	}
	off := with(source, func(v *oracle.VM) { v.On = false })
	named := func(name string, on bool) oracle.VM {
		return with(copied, func(v *oracle.VM) { v.ID, v.Name, v.On = "vm-of-"+name, name, on })
	}
	clone := with(off, func(v *oracle.VM) { v.ID, v.Name, v.Disks = "vm-7", "db-01_hdm_clone", []oracle.Disk{{ID: "clone/0"}} })
	component := with(copied, func(v *oracle.VM) { v.ID, v.Name, v.Component, v.Disks = "vm-20", "HDM_Cloud_Cache-0", true, nil })
	served := ends(source, component)
	served.Served = []oracle.Open{{Site: vsphere.Cloud, What: "HDM_Cloud_Cache-0"}}
	const bound = "0s binding.bound b-1 vm=c source=on-premises/db-01 quota=1\n"
	const logout = "8s call.sent cloud call=7 method=Logout\n"
	open := []oracle.Open{{Site: vsphere.Cloud, What: "import of db-01"}}
	check(t, func() oracle.Oracle { return oracle.NewNothingLeftBehind(oracle.Documented()) }, []history{
		{name: "completed leaves what is documented", events: completed, truth: func() *oracle.Truth {
			truth := ends(moved, copied)
			truth.Pools = []oracle.Pool{{Site: vsphere.OnPremises, Name: "_HDM_MIGRATEPOOL", Parent: "Resources"}}
			return truth
		}()},
		{name: "failed leaves nothing", events: failed, truth: ends(source)},
		{name: "an open lease", truth: &oracle.Truth{Leases: open}, broken: "a lease is still open: import of db-01"},
		{name: "a running task", truth: &oracle.Truth{Tasks: open}, broken: "a task is still open"},
		{name: "a session", truth: &oracle.Truth{Sessions: open}, broken: "a session is still open"},
		{name: "a session whose logout got no answer", events: logout + "9s call.answered cloud call=7 method=Logout outcome=timeout\n", truth: &oracle.Truth{Sessions: open}},
		{name: "a session that a dead appliance had", events: "9s appliance.down appliance how=power-off\n", truth: &oracle.Truth{Sessions: open}},
		{name: "a session though the logout was answered", events: logout + "9s call.answered cloud call=7 method=Logout outcome=ok\n", truth: &oracle.Truth{Sessions: open}, broken: "a session is still open"},
		{name: "a session here, while a logout was lost there", events: strings.ReplaceAll(logout, "cloud", "on-premises"), truth: &oracle.Truth{Sessions: open}, broken: "a session is still open"},
		{name: "a migration without an end", events: moves("m-0001", "db-01", toRunning...), truth: ends(source), broken: "the migration of db-01 is still running", evidence: []uint64{3}},
		{name: "an order without an end", events: moves("m-0001", "db-01", "checking", "queued"), truth: ends(source), broken: "is still queued", evidence: []uint64{2}},
		{name: "a half import of a failed one", events: failed, truth: ends(source, with(copied, func(v *oracle.VM) { v.On, v.Disks = false, nil })), broken: "a VM that no completed migration accounts for is left"},
		{name: "the copy of a failed one", events: failed, truth: ends(source, copied), broken: "a VM that no completed migration accounts for is left"},
		{name: "a VM on premises that was not there", events: failed, truth: ends(source, vm(vsphere.OnPremises, "vm-5", "helper", false)), broken: "a VM that no completed migration accounts for is left"},
		{name: "failed and off", events: failed, truth: changed(func(v *oracle.VM) { v.On = false }), broken: "m-0001 is failed, and the VM is off; it was on", evidence: []uint64{5}},
		{name: "failed, and a person powered it off", events: failed + "9s step 3 what=power vm=on-premises/db-01\n", truth: changed(func(v *oracle.VM) { v.On = false })},
		{name: "a person powered it off before its turn", events: "0s vm.power on-premises/db-01 state=off\n" + failed, truth: changed(func(v *oracle.VM) { v.On = false })},
		{name: "failed and in the migrate pool", events: failed, truth: changed(func(v *oracle.VM) { v.Pool = "_HDM_MIGRATEPOOL" }), broken: `in pool "_HDM_MIGRATEPOOL"; it was in "Resources"`, evidence: []uint64{5}},
		{name: "failed with its snapshot", events: failed, truth: changed(func(v *oracle.VM) { v.Snapshots = []string{"_hdm1"} }), broken: "has the snapshots [_hdm1]; it had []", evidence: []uint64{5}},
		{name: "failed with a mark", events: failed, truth: changed(func(v *oracle.VM) { v.Marked = true }), broken: "a mark of HDM's is left", evidence: []uint64{5}},
		{name: "a VM that nothing migrated was touched", truth: changed(func(v *oracle.VM) { v.Snapshots = []string{"_hdm1"} }), broken: "nothing migrated it, and the VM has the snapshots"},
		{name: "failed with the snapshot that it says it left", events: leaves("remove snapshot"), truth: changed(func(v *oracle.VM) { v.Snapshots = []string{"_hdm1"} })},
		{name: "failed with two snapshots, though it says it left one", events: leaves("remove snapshot"), truth: changed(func(v *oracle.VM) { v.Snapshots = []string{"_hdm1", "_hdm2"} }), broken: "has the snapshots [_hdm1, _hdm2]", evidence: []uint64{5}},
		{name: "failed without a snapshot that a person had taken", events: leaves("remove snapshot"), truth: &oracle.Truth{Before: []oracle.VM{with(source, func(v *oracle.VM) { v.Snapshots = []string{"mine"} })}, VMs: []oracle.VM{with(source, func(v *oracle.VM) { v.Snapshots = []string{"_hdm1"} })}}, broken: "it had [mine]", evidence: []uint64{5}},
		{name: "failed with the pool that it says it left", events: leaves("return to pool"), truth: changed(func(v *oracle.VM) { v.Pool = "_HDM_MIGRATEPOOL" })},
		{name: "failed in a pool that nobody speaks of", events: leaves("return to pool"), truth: changed(func(v *oracle.VM) { v.Pool = "elsewhere" }), broken: `in pool "elsewhere"`, evidence: []uint64{5}},
		{name: "failed and off, and it says so", events: leaves("restart source"), truth: changed(func(v *oracle.VM) { v.On = false })},
		{name: "failed and off, and it says something else", events: leaves("remove snapshot"), truth: changed(func(v *oracle.VM) { v.On = false }), broken: "the VM is off", evidence: []uint64{5}},
		{name: "failed with the copy that it says it left", events: leaves("destroy copy"), truth: ends(source, with(copied, func(v *oracle.VM) { v.On = false }))},
		{name: "failed with a copy that runs, though it says nothing of that", events: leaves("destroy copy"), truth: ends(source, copied), broken: "a VM that no completed migration accounts for is left"},
		{name: "failed, and it says that the copy may run", events: leaves("confirm off"), truth: ends(with(moved, func(v *oracle.VM) { v.Marked = false }), copied)},
		{name: "it waits with all that it has made", events: as("warm", moves("m-0001", "db-01", toRunning...)) + bound + waiting("m-0001", "stop"), truth: ends(moved, named("db-01 ARM", true), named("db-01 ARM image", false), clone)},
		{name: "its task is shown while it waits", events: as("warm", moves("m-0001", "db-01", toRunning...)) + waiting("m-0001", "stop"), truth: func() *oracle.Truth {
			truth := ends(moved)
			truth.Tasks = []oracle.Open{{Site: vsphere.OnPremises, VM: "db-01", What: "com.hdm.migrate of db-01"}}
			return truth
		}()},
		{name: "another VM's task is open while it waits", events: as("warm", moves("m-0001", "db-01", toRunning...)) + waiting("m-0001", "stop"), truth: func() *oracle.Truth {
			truth := ends(moved)
			truth.Tasks = []oracle.Open{{Site: vsphere.OnPremises, VM: "web-01", What: "com.hdm.migrate of web-01"}}
			return truth
		}(), broken: "a task is still open"},
		{name: "cancelled, and other disks that a person brought are left", events: "1s step 3 what=ship vm=db-01\n" + as("warm", failed), truth: ends(source, named("db-01 ARM image", false))},
		{name: "cancelled, and other disks that a person brought run", events: "1s step 3 what=ship vm=db-01\n" + as("warm", failed), truth: ends(source, named("db-01 ARM image", true)), broken: "a VM that no completed migration accounts for is left"},
		{name: "committed leaves the VM in the cloud", events: as("warm", completed), truth: ends(with(moved, func(v *oracle.VM) { v.Snapshots = nil }), copied)},
		{name: "committed, and the compute VM is left", events: as("warm", completed), truth: ends(moved, copied, named("db-01 ARM", false)), broken: "a VM that no completed migration accounts for is left"},
		{name: "committed, and it says that the compute VM is left", events: as("warm", strings.TrimSuffix(completed, "\n")+" left=destroy·compute\n"), truth: ends(moved, copied, named("db-01 ARM", false))},
		{name: "committed, and the clone is left", events: as("warm", completed), truth: ends(moved, copied, clone), broken: "a VM that no completed migration accounts for is left"},
		{name: "committed, and it says that the clone is left", events: as("warm", strings.TrimSuffix(completed, "\n")+" left=remove·clone\n"), truth: ends(moved, copied, clone)},
		{name: "committed, and its data path is left", events: bound + as("warm", completed), truth: ends(moved, copied), broken: "its cloud cache and data path b-1 are left", evidence: []uint64{5}},
		{name: "tried, and its data path is there", events: bound + as("tbc", completed), truth: ends(moved, named("db-01 ARM", true))},
		{name: "brought back, off", events: bound + as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)) + "9s binding.released b-1\n", truth: ends(off)},
		{name: "brought back, and its data path is left", events: bound + as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(off), broken: "data path b-1 are left", evidence: []uint64{9}},
		{name: "brought back, and on", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(source), broken: "m-0002 brought it back, and the VM is on", evidence: []uint64{8}},
		{name: "brought back, and a person powered it on", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)) + "9s step 4 what=power vm=on-premises/db-01\n", truth: ends(source)},
		{name: "brought back into the migrate pool", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(with(off, func(v *oracle.VM) { v.Pool = "_HDM_MIGRATEPOOL" })), broken: `the VM is in pool "_HDM_MIGRATEPOOL"`, evidence: []uint64{8}},
		{name: "brought back with its snapshot", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(with(off, func(v *oracle.VM) { v.Snapshots = []string{"_hdm1"} })), broken: "the VM has the snapshots [_hdm1]", evidence: []uint64{8}},
		{name: "brought back, and the compute VM is left", events: as("tbc", completed) + as("back", moves("m-0002", "db-01", toCompleted...)), truth: ends(off, named("db-01 ARM", false)), broken: "a VM that no completed migration accounts for is left"},
		{name: "failed, and what it wrote in the cloud could not be brought home", events: bound + as("warm", leaves("bring home")), truth: ends(with(moved, func(v *oracle.VM) { v.Marked = false }), named("db-01 ARM", false), clone)},
		{name: "failed with its data path", events: bound + as("warm", failed), truth: ends(source), broken: "data path b-1 are left", evidence: []uint64{6}},
		{name: "component VMs while HDM is deployed", events: "1s deployment appliance phase=deployed mode=lite·standalone\n", truth: served},
		{name: "a component VM after HDM was undeployed", events: "1s deployment appliance phase=deployed mode=lite·standalone\n2s deployment appliance phase=undeployed mode=\n", truth: ends(source, component), broken: "HDM is not deployed, and its component VM is left"},
		{name: "a datastore after HDM was undeployed", events: "1s deployment appliance phase=undeployed mode=\n", truth: &oracle.Truth{Served: open}, broken: "a datastore that it served is left"},
		{name: "an undocumented pool", truth: &oracle.Truth{Pools: []oracle.Pool{{Site: vsphere.Cloud, Name: "tmp", Parent: "Resources"}}}, broken: `a pool that is not documented is left: "tmp"`},
		{name: "a second order is refused after it completed", events: completed + moves("m-0002", "db-01", "checking", "refused"), truth: ends(moved, copied)},
		{name: "a second order is refused while it runs", events: moves("m-0001", "db-01", toRunning...) + moves("m-0002", "db-01", "refused") + "9s migration m-0001 vm=db-01 from=running to=completed\n", truth: ends(moved, copied)},
	})
}

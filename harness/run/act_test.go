package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/site"
)

// acts are every kind of fault at work: the line, and what the trace then holds.
var acts = []struct {
	kind  string
	fault string
	shows func(t *testing.T, tr *trace)
}{
	{"appliance-restart", "{when: {vm: vm-1, enters: bulk-transfer, after: 5s}, appliance-restart: {for: 90s}}", func(t *testing.T, tr *trace) {
		down := tr.at(t, "appliance.down", "how=power-off", "point=")
		assert.Equal(t, tr.first(t, "migration", "to=running", "step=bulk-transfer")+5*time.Second, down)
		assert.Equal(t, down+90*time.Second, tr.at(t, "appliance.up", "epoch=2"))
		assert.Equal(t, down+90*time.Second, tr.at(t, "fault.ended", "=1"))
	}},
	{"appliance-restart", "{at: 0s, appliance-restart: {crash-point: before-write, nth: 3}}", func(t *testing.T, tr *trace) {
		down := tr.at(t, "appliance.down", "point=before-write")
		assert.Equal(t, down+2*time.Minute, tr.at(t, "appliance.up", "epoch=2"), "the default downtime")
	}},
	{"appliance-restart", "{at: 30s, appliance-restart: {crash-point: written-not-synced, for: 30s}}", func(t *testing.T, tr *trace) {
		down := tr.at(t, "appliance.down", "point=written-not-synced")
		assert.Equal(t, time.Minute, down, "in the first write after the trigger: that of the order")
		assert.Greater(t, tr.first(t, "order.answered"), down, "the user asks again")
	}},
	{"appliance-restart", "{at: 0s, appliance-restart: {crash-point: synced-before-effect, nth: 4}}", func(t *testing.T, tr *trace) {
		down := tr.at(t, "appliance.down", "point=synced-before-effect")
		assert.Len(t, tr.before("journal.sync", down), 4)
	}},
	{"appliance-restart", "{at: 0s, appliance-restart: {crash-point: applied-before-completion, nth: 2}}", func(t *testing.T, tr *trace) {
		down := tr.at(t, "appliance.down", "point=applied-before-completion")
		assert.Len(t, tr.before("effect.started", down), 2)
		assert.Len(t, tr.before("effect.ended", down), 1)
	}},
	{"wan-down", "{when: {vm: vm-1, enters: bulk-transfer, after: 5s}, wan-down: {for: 1m}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("link.down", "=wan"), 2, "both directions")
		down := tr.first(t, "link.down")
		assert.Equal(t, down+time.Minute, tr.first(t, "link.up"))
		assert.Equal(t, down, tr.at(t, "fault.began", "=1", "target=wan both"))
		assert.Equal(t, down+time.Minute, tr.at(t, "fault.ended", "=1"))
	}},
	{"wan-down", "{at: 2m, wan-down: {for: 1m, direction: to-premises}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 2*time.Minute, tr.at(t, "link.down", "direction=to-premises"))
		assert.Equal(t, 3*time.Minute, tr.at(t, "link.up", "direction=to-premises"))
		assert.Empty(t, tr.find("link.down", "direction=to-cloud"))
	}},
	{"call-error", "{at: 0s, call-error: {site: cloud, method: PowerOnVM_Task, fault: TaskInProgress, count: 2}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("call.answered", "method=PowerOnVM_Task", "outcome=TaskInProgress"), 2)
		assert.Len(t, tr.find("call.applied", "method=PowerOnVM_Task", "outcome=ok", "=cloud"), 1)
		assert.Equal(t, tr.find("call.sent", "method=PowerOnVM_Task", "=cloud")[1].At, tr.at(t, "fault.ended", "=1"), "it ends with the last call that it acts on")
	}},
	{"call-error", "{at: 0s, call-error: {site: on-premises, method: CreateSnapshot_Task, object: vm-1, fault: SystemError}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("call.sent", "method=CreateSnapshot_Task"), 2)
		assert.Len(t, tr.find("call.applied", "method=CreateSnapshot_Task", "outcome=ok"), 1)
	}},
	{"call-hang", "{at: 0s, call-hang: {site: cloud, method: PowerOnVM_Task}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("call.sent", "method=PowerOnVM_Task"), 2)
		assert.Len(t, tr.find("call.answered", "method=PowerOnVM_Task", "outcome=timeout"), 1)
		assert.Len(t, tr.find("call.applied", "method=PowerOnVM_Task"), 1)
	}},
	{"call-lost", "{at: 0s, call-lost: {site: on-premises, method: CreateSnapshot_Task}}", func(t *testing.T, tr *trace) {
		applied := tr.at(t, "call.applied", "method=CreateSnapshot_Task")
		assert.Greater(t, tr.at(t, "call.answered", "method=CreateSnapshot_Task", "outcome=timeout"), applied)
	}},
	{"call-late", "{at: 0s, call-late: {site: on-premises, method: MoveIntoResourcePool, by: 3m}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("call.answered", "method=MoveIntoResourcePool", "outcome=timeout"), 1)
		assert.GreaterOrEqual(t, len(tr.find("call.sent", "method=MoveIntoResourcePool")), 2)
	}},
}

// before are the events of that kind up to a time.
func (tr *trace) before(kind string, at time.Duration) (found []record.Event) {
	for _, e := range tr.find(kind) {
		if e.At <= at {
			found = append(found, e)
		}
	}
	return found
}

func TestEveryKindOfFaultActsAndEnds(t *testing.T) {
	for _, act := range acts {
		t.Run(act.fault, func(t *testing.T) {
			r, tr := followed(t, pair(t, "faults:\n  - "+act.fault+"\nexpect:\n  - {vm: vm-1, migration: completed}\n"), run.Options{})
			require.Equal(t, record.Passed, r.Verdict, "%v %s", r.Violations, r.Error)
			began := tr.at(t, "fault.began", "=1", "kind="+act.kind)
			assert.GreaterOrEqual(t, tr.at(t, "fault.ended", "=1", "kind="+act.kind), began)
			act.shows(t, tr)
		})
	}
}

func TestACallOnWhichAFaultActsIsPutOffForTheOthers(t *testing.T) {
	r, tr := followed(t, pair(t, `faults:
  - {at: 0s, call-error: {site: cloud, method: PowerOnVM_Task, fault: TaskInProgress}}
  - {at: 1s, call-error: {site: cloud, method: PowerOnVM_Task, fault: SystemError}}
  - {at: 0s, appliance-restart: {crash-point: before-write, nth: 3, for: 30s}}
  - {at: 1s, appliance-restart: {crash-point: before-write, nth: 3, for: 30s}}
expect:
  - {vm: vm-1, migration: completed}
`), run.Options{})
	require.Equal(t, record.Passed, r.Verdict, "%v %s", r.Violations, r.Error)
	assert.Less(t, tr.at(t, "fault.began", "=1"), tr.at(t, "fault.began", "=2"))
	assert.Less(t, tr.at(t, "fault.began", "=3"), tr.at(t, "fault.began", "=4"))
}

func TestFaultsOfCallsActOnEachTransportAlike(t *testing.T) {
	for _, act := range acts {
		if !strings.HasPrefix(act.kind, "call-") {
			continue
		}
		t.Run(act.fault, func(t *testing.T) {
			t.Parallel()
			r, tr := followed(t, pair(t, "faults:\n  - "+act.fault+"\n"), run.Options{Transport: site.SOAP})
			require.Equal(t, record.Passed, r.Verdict, "%v %s", r.Violations, r.Error)
			act.shows(t, tr)
		})
	}
}

func TestAFaultThatNeverActsBreaksTheScenariosWord(t *testing.T) {
	never := []string{
		"{at: 0s, call-error: {site: cloud, method: Destroy_Task, fault: SystemError}}",
		"{at: 0s, call-error: {site: cloud, method: PowerOnVM_Task, object: vm-2, fault: SystemError}}",
		"{at: 0s, call-hang: {site: cloud, method: PowerOnVM_Task, nth: 2}}",
		"{when: {vm: vm-1, enters: undoing}, wan-down: {for: 1m}}",
		"{when: {vm: vm-1, enters: bulk-transfer, attempt: 2}, wan-down: {for: 1m}}",
		"{at: 0s, appliance-restart: {crash-point: before-write, nth: 1000}}",
	}
	text := "faults:\n"
	for _, f := range never {
		text += "  - " + f + "\n"
	}
	s := pair(t, text)
	r := play(t, s, run.Options{})
	assert.Equal(t, record.Failed, r.Verdict)
	require.Len(t, r.Violations, len(never))
	for i, v := range r.Violations {
		assert.Equal(t, "it never acted: "+s.Faults[i].String(), v.What)
	}
	s.IdleFaults = true
	assert.Equal(t, record.Passed, play(t, s, run.Options{}).Verdict, "unless the scenario lets them")
}

func TestARestartOfAnApplianceThatIsDownHasNothingToCut(t *testing.T) {
	r, tr := followed(t, pair(t, `faults:
  - {when: {vm: vm-1, enters: bulk-transfer, after: 1s}, appliance-restart: {for: 5m}}
  - {when: {vm: vm-1, enters: snapshot, after: 1m}, appliance-restart: {for: 1m}}
`), run.Options{})
	require.Len(t, r.Violations, 1)
	assert.Equal(t, "fault 2", r.Violations[0].Subject)
	assert.Equal(t, tr.at(t, "appliance.down")+5*time.Minute, tr.at(t, "appliance.up", "epoch=2"))
}

func TestOverlappingOutagesEndWithTheLast(t *testing.T) {
	_, tr := followed(t, pair(t, `faults:
  - {at: 5m, wan-down: {for: 6m}}
  - {when: {vm: vm-1, enters: completed, after: 6m}, wan-down: {for: 5m, direction: to-cloud}}
`), run.Options{})
	second := tr.at(t, "fault.began", "=2")
	require.Less(t, second, 11*time.Minute, "they overlap")
	assert.Equal(t, 11*time.Minute, tr.at(t, "link.up", "direction=to-premises"))
	assert.Equal(t, 5*time.Minute, tr.at(t, "link.down", "direction=to-cloud"), "down once")
	assert.Equal(t, second+5*time.Minute, tr.at(t, "link.up", "direction=to-cloud"), "and up once")
}

func TestATriggerHoldsOnceAndAtItsTime(t *testing.T) {
	at := func(kind string, having ...string) func(*testing.T, *trace) time.Duration {
		return func(t *testing.T, tr *trace) time.Duration { return tr.first(t, kind, having...) }
	}
	retried := "{at: 0s, call-error: {site: cloud, method: ImportVApp, fault: TaskInProgress, count: 2}}"
	refused := "{at: 0s, call-error: {site: cloud, method: ImportVApp, fault: TaskInProgress, count: 3}}"
	tests := []struct {
		name, when, fault string
		is                func(*testing.T, *trace) time.Duration
		after             time.Duration
	}{
		{"a time", "at: 1m30s", "", func(*testing.T, *trace) time.Duration { return 90 * time.Second }, 0},
		{"the start", "at: 0s", "", func(*testing.T, *trace) time.Duration { return 0 }, 0},
		{"a step", "when: {vm: vm-1, enters: snapshot}", "", at("migration", "to=running", "step=snapshot"), 0},
		{"some time after a step", "when: {vm: vm-1, enters: snapshot, after: 7s}", "", at("migration", "to=running", "step=snapshot"), 7 * time.Second},
		{"the second attempt at a step", "when: {vm: vm-1, enters: bulk-transfer, attempt: 2}", retried, at("effect.started", "step=bulk-transfer", "attempt=2", "kind=transfer"), 0},
		{"the third", "when: {vm: vm-1, enters: bulk-transfer, attempt: 3, after: 1s}", retried, at("effect.started", "step=bulk-transfer", "attempt=3", "kind=transfer"), time.Second},
		{"the state checking", "when: {vm: vm-1, enters: checking}", "", at("migration", "to=checking"), 0},
		{"the state queued", "when: {vm: vm-1, enters: queued}", "", at("migration", "to=queued"), 0},
		{"the state running", "when: {vm: vm-1, enters: running}", "", at("migration", "from=queued", "to=running"), 0},
		{"the state completed", "when: {vm: vm-1, enters: completed, after: 1m}", "", at("migration", "to=completed"), time.Minute},
		{"the state undoing", "when: {vm: vm-1, enters: undoing}", refused, at("migration", "from=running", "to=undoing"), 0},
		{"the state failed", "when: {vm: vm-1, enters: failed}", refused, at("migration", "to=failed"), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := "faults:\n  - {" + test.when + ", wan-down: {for: 1s, direction: to-premises}}\n"
			if test.fault != "" {
				text += "  - " + test.fault + "\n"
			}
			r, tr := followed(t, pair(t, text), run.Options{})
			assert.Empty(t, r.Violations)
			assert.Equal(t, test.is(t, tr)+test.after, tr.at(t, "fault.began", "=1"), "once, and then")
		})
	}
}

func TestAStepThatWaitsForAPhaseIsTakenThen(t *testing.T) {
	r, tr := followed(t, pair(t, `  - {when: {vm: vm-1, enters: bulk-transfer, after: 3s}, cancel: {vm: vm-1}}
  - {when: {vm: vm-1, enters: cancelled, after: 1h}, migrate: {vm: vm-1, type: cold, target: {networks: {VM Network: Cloud Net}}}}
expect:
  - {vm: vm-1, migration: completed}
  - {vm: vm-1, migrations: 2}
`), run.Options{})
	assert.Empty(t, r.Violations)
	assert.Equal(t, tr.first(t, "migration", "step=bulk-transfer", "to=running")+3*time.Second, tr.at(t, "step", "what=cancel"))
	assert.Equal(t, tr.at(t, "migration", "to=cancelled")+time.Hour, tr.at(t, "step", "=3"))
}

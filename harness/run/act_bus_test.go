package run_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
)

const (
	commandQueue  = "=hdm_command_queue"
	responseQueue = "=hdm_response_queue"
)

// messaged is a scenario in the world pair in which vm-1 is ordered by message,
// over standard queues.
func messaged(t *testing.T, sections string) *scenario.Scenario {
	t.Helper()
	return parse(t, "title: A test\nworld: pair\nbus: {queues: standard}\nsteps:\n"+
		"  - {at: 1m, migrate: {vm: vm-1, type: cold, by: message, request: r-1, target: {networks: {VM Network: Cloud Net}}}}\n"+sections)
}

// busActs are the faults of the message bus, each with what shows that it acted.
var busActs = []struct {
	kind  string
	fault string
	shows func(t *testing.T, tr *trace)
}{
	{"internet-down", "{at: 50s, internet-down: {for: 2m}}", func(t *testing.T, tr *trace) {
		assert.Equal(t, 50*time.Second, tr.at(t, "link.down", "=internet", "direction=to-cloud"))
		assert.Empty(t, tr.find("link.down", "=wan"), "the WAN stays up (A-18)")
		assert.Greater(t, tr.first(t, "order.answered"), 170*time.Second, "the order waits in the queue")
	}},
	{"message-duplicate", "{at: 0s, message-duplicate: {queue: commands, operation: SendMessage}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("sqs.stored", commandQueue), 1)
		assert.Len(t, tr.find("order.answered", "outcome=duplicate"), 1)
	}},
	{"message-duplicate", "{at: 0s, message-duplicate: {queue: responses, count: 5}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("sqs.stored", responseQueue))
	}},
	{"message-lost", "{when: {vm: vm-1, enters: completed}, message-lost: {queue: responses, operation: SendMessage}}", func(t *testing.T, tr *trace) {
		sent := tr.find("sqs.sent", responseQueue, "request=r-1", "final=true")
		require.Len(t, sent, 2, "who does not know that it was sent sends it again")
		assert.Equal(t, attr(sent[0], "response"), attr(sent[1], "response"))
		assert.Equal(t, tr.at(t, "fault.began"), sent[0].At)
	}},
	{"message-lost", "{at: 30s, message-lost: {queue: commands, nth: 1, count: 2}}", func(t *testing.T, tr *trace) {
		assert.Greater(t, tr.first(t, "order.answered"), 2*time.Minute, "it comes again when its visibility timeout is over")
	}},
	{"message-delay", "{at: 59s, message-delay: {queue: commands, by: 40s}}", func(t *testing.T, tr *trace) {
		assert.Len(t, tr.find("sqs.sent", commandQueue), 2, "who gets no answer sends it again")
		assert.Len(t, tr.find("order.answered", "outcome=duplicate"), 1)
	}},
	{"message-late-delete", "{at: 0s, message-late-delete: {queue: commands, by: 5m}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("sqs.received", commandQueue, "times=2"))
		assert.GreaterOrEqual(t, tr.at(t, "sqs.deleted", commandQueue), 3*time.Minute)
	}},
	{"message-corrupt", "{at: 30s, message-corrupt: {queue: commands, count: 3}}", func(t *testing.T, tr *trace) {
		assert.NotEmpty(t, tr.find("sqs.received", commandQueue, "times=2"), "what was damaged on the way is received again")
	}},
	{"queue-unavailable", "{at: 59s, queue-unavailable: {queue: commands, operation: SendMessage, count: 3}}", func(t *testing.T, tr *trace) {
		assert.GreaterOrEqual(t, tr.at(t, "sqs.sent", commandQueue), 67*time.Second, "it is sent again after waits that grow")
	}},
	{"queue-over-limit", "{at: 30s, queue-over-limit: {queue: commands, count: 3}}", func(t *testing.T, tr *trace) {
		assert.GreaterOrEqual(t, tr.first(t, "order.answered"), 70*time.Second)
	}},
}

func TestEveryKindOfFaultOfTheMessageBusActsAndEnds(t *testing.T) {
	for _, act := range busActs {
		t.Run(act.fault, func(t *testing.T) {
			r, tr := followed(t, messaged(t, "faults:\n  - "+act.fault+"\nexpect:\n  - {vm: vm-1, migration: completed}\n  - {responses: r-1, state: completed}\n  - {request: r-1, migrations: 1}\n"), run.Options{})
			require.Equal(t, record.Passed, r.Verdict, "%v %s", r.Violations, r.Error)
			began := tr.at(t, "fault.began", "=1", "kind="+act.kind)
			assert.GreaterOrEqual(t, tr.at(t, "fault.ended", "=1", "kind="+act.kind), began)
			act.shows(t, tr)
		})
	}
}

func TestAReorderedReceiveHandsOutAnotherOrderThanWasSent(t *testing.T) {
	const reorder = "{at: 0s, message-reorder: {queue: commands}}"
	given := func(fault string) (sent, received []string) {
		r, tr := followed(t, messaged(t,
			"  - {at: 61s, migrate: {vm: vm-2, type: cold, by: message, request: r-2, target: {networks: {VM Network: Cloud Net}}}}\n"+
				"faults:\n  - {at: 20s, internet-down: {for: 2m}}\n"+fault+
				"expect:\n  - {vm: vm-1, migration: completed}\n  - {vm: vm-2, migration: completed}\n"), run.Options{})
		require.Equal(t, record.Passed, r.Verdict, "%v %s", r.Violations, r.Error)
		for _, e := range tr.find("sqs.sent", commandQueue) {
			sent = append(sent, attr(e, "message"))
		}
		for _, e := range tr.find("sqs.received", commandQueue) {
			received = append(received, attr(e, "message"))
		}
		return sent, received
	}
	sent, received := given("")
	require.Len(t, sent, 2, "both wait while the Internet cannot be reached")
	assert.Equal(t, sent, received, "chance, which orders a standard queue, leaves these two")
	sent, received = given("  - " + reorder + "\n")
	assert.Equal(t, []string{sent[1], sent[0]}, received)
}

func TestAFaultThatFindsNothingToActOnHasNotActed(t *testing.T) {
	for _, fault := range []string{
		"message-duplicate: {queue: commands, nth: 2}", "message-reorder: {queue: commands}",
		"message-corrupt: {queue: commands, nth: 2}", "message-lost: {queue: commands, nth: 2}",
		"message-late-delete: {queue: commands, nth: 2, by: 1m}",
	} {
		t.Run(fault, func(t *testing.T) {
			r, tr := followed(t, messaged(t, "faults:\n  - {at: 0s, "+fault+"}\n"), run.Options{})
			require.Len(t, r.Violations, 1, "one order is received once, and deleted once")
			assert.Contains(t, r.Violations[0].What, "it never acted")
			assert.Empty(t, tr.find("fault.began"))
		})
	}
}

func TestEveryKindOfFaultIsShownToAct(t *testing.T) {
	tried := map[string]bool{}
	for _, act := range acts {
		tried[act.kind] = true
	}
	for _, act := range busActs {
		tried[act.kind] = true
	}
	for _, act := range deployedActs {
		tried[act.kind] = true
	}
	tried["message-reorder"] = true // TestAReorderedReceiveHandsOutAnotherOrderThanWasSent
	for _, kind := range faults.Names() {
		assert.True(t, tried[kind], "nothing shows that %s acts", kind)
	}
}

func TestWhatTheMessageBusExpectsIsHeldAgainstWhatHappened(t *testing.T) {
	for _, c := range []struct{ expect, says string }{
		{"{responses: r-1, state: failed}", `its final response is ["completed 100%"], not that it is failed`},
		{"{responses: r-1, finals: 0}", "it had 1 final responses, not 0"},
		{"{responses: r-1, code: token}", "its final response tells no error token"},
		{"{responses: r-1, vms: 3}", "the inventory lists 0 VMs on 0 pages, not 3 on 0"},
		{"{responses: i-1, vms: 2, pages: 2}", "the inventory lists 2 VMs on 1 pages, not 2 on 2"},
		{"{responses: i-1, vms: 2, migratable: [nobody]}", "the inventory does not list nobody"},
		{"{responses: i-1, vms: 2, not: {vm-2: vtpm}}", "does not say of vm-2 that it cannot be migrated"},
		{"{responses: i-2, vms: 2}", "it had 0 final responses, not 1"},
		{"{responses: i-1, progress: rising, vms: 2}", "told of no rising progress"},
		{"{responses: i-1, progress: steady, vms: 2}", "told of no steady progress"},
		{"{heartbeat: Not Ready, details: fine}", `no heartbeat said Not Ready "fine"`},
		{"{errors: token, count: 1}", `there were 0 error responses "token"`},
		{"{dead-letters: 1}", "it holds 0 messages, not 1"},
		{"{bus-needed: the command queue, set-up: true}", "no try to set it up failed for want of the command queue"},
	} {
		t.Run(c.expect, func(t *testing.T) {
			r := play(t, messaged(t, "  - {at: 1m, inventory: {request: i-1}}\nexpect:\n  - "+c.expect+"\n"), run.Options{})
			require.Len(t, r.Violations, 1, "%v", r.Violations)
			assert.Contains(t, r.Violations[0].What, c.says)
		})
	}
}

func TestViewsThatShowSomethingElseBreakTheScenario(t *testing.T) {
	r := play(t, messaged(t, "  - {at: 2m, views: {in-progress: [], summary: [vm-1]}}\n"), run.Options{})
	require.Len(t, r.Violations, 2)
	assert.Contains(t, r.Violations[0].What, `the view "in progress" lists [vm-1], not []`)
	assert.Contains(t, r.Violations[1].What, `the view "summary" lists [], not [vm-1]`)
}

func TestNoTraceHoldsTheTokenOfTheMessageBus(t *testing.T) {
	var token string
	s := messaged(t, "  - {at: 2m, message: {body: '{\"token\": \"$TOKEN\"} no JSON'}}\n"+
		"  - {at: 2m, message: {body: '{\"v\": 1, \"type\": \"$TOKEN\", \"request_id\": \"$TOKEN\", \"token\": \"$TOKEN\"}'}}\n")
	l, err := run.NewLive(s, run.Options{}, nil)
	require.NoError(t, err)
	token = l.Bus().Token
	require.NoError(t, l.Close())
	require.Len(t, token, 32)
	_, tr := followed(t, s, run.Options{})
	for _, e := range tr.events {
		for _, a := range e.Attrs {
			if a.Key == "request" && a.Value == token {
				continue // whoever makes it the public name of a request gives it away
			}
			assert.NotContains(t, a.Value, token, "%s of %s", e.Kind, e.Subject)
		}
	}
}

func TestTheTraceTellsWhichCommandsAreWithoutTheToken(t *testing.T) {
	r, tr := followed(t, messaged(t, "  - {at: 5m, message: {body: '{\"v\": 1, \"type\": \"SourceCloneRequest\", \"request_id\": \"r-1\", \"token\": \"guessed\", \"vm\": \"vm-2\", \"mode\": \"cold\"}'}}\n"), run.Options{})
	require.Equal(t, record.Passed, r.Verdict, "%v %s", r.Violations, r.Error)
	sent := tr.find("sqs.sent", commandQueue, "request=r-1")
	require.Len(t, sent, 2)
	assert.Empty(t, attr(sent[0], "token"))
	assert.Equal(t, "wrong", attr(sent[1], "token"))
}

package bus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/core/vsphere"
)

func head(request string) protocol.RequestHead { return protocol.RequestHead{RequestID: request} }

func cold(request, vm string) *protocol.CloneRequest {
	return &protocol.CloneRequest{RequestHead: head(request), VM: vm, Mode: protocol.Cold}
}

func TestAServiceWithoutATokenOrQueuesIsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.config()
	c.Token = protocol.Secret{}
	_, err := bus.Start(t.Context(), c)
	require.ErrorIs(t, err, bus.ErrNoToken)
	c = w.config()
	c.Responses = ""
	_, err = bus.Start(t.Context(), c)
	require.ErrorContains(t, err, "names of a command queue and a response queue")
}

func TestSetUpNamesWhatIsMissingAndIsTriedUntilItIsThere(t *testing.T) {
	w := emptyWorld(t)
	w.start()
	w.create(commands)
	w.pass(time.Minute)
	w.create(responses)
	w.pass(2 * time.Minute)
	var needs []string
	for _, err := range w.setUps {
		if e := new(bus.SetUpError); errors.As(err, &e) {
			needs = append(needs, e.Needs)
		}
	}
	assert.Equal(t, "the command queue", needs[0])
	assert.Equal(t, "the response queue", needs[len(needs)-1])
	assert.NoError(t, w.setUps[len(w.setUps)-1])
	assert.NotEmpty(t, w.heartbeats())
	assert.Len(t, w.sqs.Messages(deadLetters), 0, "the dead-letter queue is made")
}

func TestHeartbeatsComeEveryHalfMinuteAndWhenTheStateChanges(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.pass(10 * time.Minute)
	n := len(w.heartbeats())
	assert.InDelta(t, 20, n, 2)
	w.appliance.health = health.Of([]string{health.Cloud}, nil)
	w.pass(10 * time.Second)
	beats := w.heartbeats()
	last := beats[len(beats)-1]
	assert.Greater(t, len(beats), n)
	assert.Equal(t, protocol.NotReady, last.Status)
	assert.Equal(t, "Services not ready or down Cloud vCenter", last.Details)
	assert.Equal(t, "hdm-1", last.ApplianceID)
	assert.Equal(t, 30, last.Every)
}

func TestAnInventoryOfTenThousandVMsComesOnPagesThatFitIntoMessages(t *testing.T) {
	w := newWorld(t)
	for i := range 10_000 {
		vm := vsphere.VM{Name: fmt.Sprintf("vm-%05d %s", i, strings.Repeat("ü", 30)), Power: vsphere.On, Disks: make([]vsphere.Disk, 3), NICs: make([]vsphere.NIC, 2)}
		w.appliance.vms = append(w.appliance.vms, migration.Offered{VM: vm, Reasons: []migration.Reason{{Code: migration.CodeVTPM, What: "it has a virtual TPM", Fix: "remove it"}}})
	}
	w.start()
	w.ask(&protocol.InventoryRequest{RequestHead: head("i-1")})
	w.pass(time.Minute)
	for _, m := range w.sqs.Messages(responses) {
		require.LessOrEqual(t, len(m.Body), protocol.MaxMessage)
	}
	var names []string
	pages := w.heard()
	require.Greater(t, len(pages), 10)
	for i, r := range pages {
		page := r.(*protocol.InventoryResponse)
		assert.Equal(t, []any{i + 1, len(pages), 10_000, "i-1"}, []any{page.Page, page.Pages, page.Total, page.RequestID})
		assert.Equal(t, pages[0].(*protocol.InventoryResponse).Reading, page.Reading)
		for _, vm := range page.VMs {
			names = append(names, vm.Name)
			assert.False(t, vm.Migratable)
		}
	}
	require.Len(t, names, 10_000)
	assert.True(t, strings.HasPrefix(names[9_999], "vm-09999"))
	assert.Empty(t, w.sqs.Messages(commands), "it is deleted")
}

func TestACommandStaysInFlightForAsLongAsItIsHandled(t *testing.T) {
	w := newWorld(t)
	w.appliance.reading = 20 * time.Minute
	w.start()
	w.ask(&protocol.InventoryRequest{RequestHead: head("i-1")})
	w.ask(cold("r-1", "db-01"))
	w.pass(15 * time.Minute)
	assert.Equal(t, 1, w.appliance.read, "nobody else is handed what is being handled")
	assert.Empty(t, w.appliance.orders, "what came after it waits")
	w.pass(15 * time.Minute)
	assert.Equal(t, 1, w.appliance.read)
	assert.Len(t, w.appliance.orders, 1)
	assert.Empty(t, w.sqs.Messages(commands))
}

func TestACommandThatCannotBeWrittenDownIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	w.appliance.failed = appliance.ErrJournal
	w.start()
	w.ask(cold("r-1", "db-01"))
	w.pass(10 * time.Minute)
	assert.Len(t, w.sqs.Messages(commands), 1)
	assert.Len(t, w.appliance.orders, 1, "an appliance without a journal takes nothing more")
	assert.Empty(t, w.heard())
}

func TestAnOrderCarriesWhatTheMessageSays(t *testing.T) {
	w := newWorld(t)
	w.start()
	r := cold("r-1", "db-01")
	r.Target = protocol.Target{Pool: "gold", Datastore: "ds", Adapter: "e1000e", Networks: []protocol.Mapping{{From: "a", To: "b"}}}
	w.ask(r)
	w.pass(time.Minute)
	assert.Equal(t, []migration.Order{{
		Request: "r-1", VM: "db-01", Type: migration.Cold, Origin: migration.FromMessage,
		Target: migration.Target{Pool: "gold", Datastore: "ds", Adapter: "e1000e", Networks: []migration.Mapping{{From: "a", To: "b"}}},
	}}, w.appliance.orders)
}

func TestStatusesComeAtEveryChangeAndEveryHalfMinuteAndEndOnce(t *testing.T) {
	w := newWorld(t)
	w.appliance.running = []appliance.Status{{Migration: migration.Migration{
		ID: "m-0001", Order: migration.Order{Request: "r-1", VM: "db-01", Type: migration.Cold, Origin: migration.FromMessage}, State: migration.Checking,
	}}}
	m := &w.appliance.running[0]
	w.start()
	w.pass(2 * time.Minute)
	m.State, m.Step, m.Transfer.Percent = migration.Running, migration.StepTransfer, 50
	w.pass(10 * time.Second)
	m.Transfer.Percent = 10 // it began anew
	w.pass(time.Minute)
	m.State, m.Step, m.Reasons = migration.Failed, "", []migration.Reason{{Code: migration.CodeFailed, What: "the disk broke"}}
	w.pass(10 * time.Minute)
	all := w.heard()
	var percents []int32
	for _, r := range all {
		percents = append(percents, r.(*protocol.CloneResponse).Percent)
	}
	assert.IsNonDecreasing(t, percents)
	assert.InDelta(t, 9, len(all), 2)
	last := all[len(all)-1].(*protocol.CloneResponse)
	assert.True(t, last.Final)
	assert.Equal(t, []any{"failed", "the disk broke", "r-1", "m-0001"}, []any{last.State, last.Reasons[0].What, last.RequestID, last.Migration})
	for _, r := range all[:len(all)-1] {
		assert.False(t, protocol.Final(r))
	}
}

func TestARefusedOrderIsAnErrorThatNamesItsField(t *testing.T) {
	w := newWorld(t)
	w.appliance.running = []appliance.Status{{Migration: migration.Migration{
		ID: "m-0001", Order: migration.Order{Request: "r-1", VM: "nobody", Type: migration.Cold, Origin: migration.FromMessage}, State: migration.Refused,
		Reasons: []migration.Reason{{Code: migration.CodeUnknownVM, What: "no VM", Fix: "look"}},
	}}}
	w.start()
	w.pass(time.Minute)
	require.Len(t, w.heard(), 1)
	e := w.heard()[0].(*protocol.ErrorResponse)
	assert.True(t, e.Final)
	assert.Equal(t, []protocol.Problem{{Code: "unknown-vm", Field: "vm", What: "no VM", Fix: "look"}}, e.Errors)
}

func TestARequestUnderTheNameOfAnotherEndsNeither(t *testing.T) {
	w := newWorld(t)
	w.appliance.answer = appliance.Answer{Outcome: appliance.Rejected, Migration: "m-0001", Reasons: []migration.Reason{{Code: migration.CodeRequest, What: "r-1 was another order"}}}
	w.start()
	w.ask(cold("r-1", "web-01"))
	w.pass(time.Minute)
	require.Len(t, w.heard(), 1)
	assert.False(t, protocol.Final(w.heard()[0]), "r-1 goes on")
}

func TestNobodyWithoutTheTokenHearsAnythingElseNorSpeaksForOthers(t *testing.T) {
	for _, body := range []string{
		`{"v":1,"type":"SourceCloneRequest","request_id":"r-1","token":"wrong","vm":"db-01","mode":"cold"}`,
		`{"v":1,"type":"SourceCloneRequest","request_id":"r-1","vm":"db-01","mode":"lukewarm"}`,
		`{"v":1,"type":"SourceInventoryRequest","request_id":"r-1","token":""}`,
	} {
		w := newWorld(t)
		w.start()
		w.send(body)
		w.pass(time.Minute)
		require.Len(t, w.heard(), 1, body)
		e := w.heard()[0].(*protocol.ErrorResponse)
		assert.Equal(t, "token", e.Errors[0].Code)
		assert.Empty(t, e.RequestID, "the name may be another client's")
		assert.NotEmpty(t, e.MessageID)
		assert.Len(t, e.Errors, 1)
		assert.Empty(t, w.appliance.orders)
		assert.Zero(t, w.appliance.read)
	}
}

func TestWhatCannotBeReadIsKeptAndAnsweredAndKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.send("no JSON")
	w.send(`{"v":7,"type":"SourceCloneRequest","request_id":"r-7","token":"` + token + `"}`)
	w.send(`{"v":7,"type":"SourceCloneRequest","request_id":"r-1"}`)
	w.ask(cold("r-1", "db-01"))
	w.pass(time.Minute)
	dead := w.sqs.Messages(deadLetters)
	require.Len(t, dead, 3)
	assert.NotEmpty(t, dead[0].Attributes["HDMMessageID"].String)
	assert.Equal(t, "no JSON", dead[0].Body)
	assert.Contains(t, dead[0].Attributes["HDMReason"].String, "no JSON object")
	require.Len(t, w.heard(), 3)
	assert.Equal(t, "r-7", w.heard()[1].Head().RequestID)
	assert.Empty(t, w.heard()[2].Head().RequestID, "whoever has no token names nobody's request")
	assert.Len(t, w.appliance.orders, 1)
	assert.Empty(t, w.sqs.Messages(commands))
}

func TestWhatIsSentDuringABootWaitsForItsEnd(t *testing.T) {
	w := newWorld(t)
	w.appliance.booting, w.appliance.health = true, health.Of([]string{health.Appliance}, nil)
	w.start()
	w.ask(cold("r-1", "db-01"))
	w.pass(time.Minute)
	assert.Empty(t, w.appliance.orders)
	assert.Equal(t, protocol.NotReady, w.heartbeats()[0].Status)
	w.appliance.booting, w.appliance.health = false, health.Of(nil, nil)
	w.pass(time.Minute)
	assert.Len(t, w.appliance.orders, 1)
}

func TestAnInventoryIsRefusedWithTheStateWhileHDMIsNotReady(t *testing.T) {
	w := newWorld(t)
	w.appliance.health = health.Of([]string{health.OnPremises}, nil)
	w.start()
	w.ask(&protocol.InventoryRequest{RequestHead: head("i-1")})
	w.pass(time.Minute)
	require.Len(t, w.heard(), 1)
	e := w.heard()[0].(*protocol.ErrorResponse)
	assert.Equal(t, []any{protocol.NotReady, "Services not ready or down On Prem vCenter", "not-ready", "i-1"}, []any{e.Status, e.Details, e.Errors[0].Code, e.RequestID})
	assert.Zero(t, w.appliance.read)
}

func TestNoResponseHoldsTheToken(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.ask(cold("r-1", "db-01"))
	w.send(`{"v":1,"type":"` + token + `","request_id":"` + token + `","token":"` + token + `"}`)
	w.send(`{"v":1,"type":"SourceCloneRequest","request_id":"r-2","token":"` + token + `","vm":"` + token + `","mode":"` + token + `"}`)
	w.pass(time.Minute)
	require.Len(t, w.heard(), 2)
	for _, m := range w.sqs.Messages(responses) {
		if strings.Contains(m.Body, `"request_id":"`+token) {
			continue // the client itself put it where all may read it
		}
		assert.NotContains(t, m.Body, token)
	}
}

func TestAnOrderThatIsRefusedWhileHDMIsNotReadyTellsTheState(t *testing.T) {
	w := newWorld(t)
	details := health.Of([]string{health.Cloud}, nil).Details
	w.appliance.running = []appliance.Status{{Migration: migration.Migration{
		ID: "m-0001", Order: migration.Order{Request: "r-1", VM: "db-01", Type: migration.Cold, Origin: migration.FromMessage}, State: migration.Refused,
		Reasons: []migration.Reason{migration.Unready(details)},
	}}}
	w.start()
	w.pass(time.Minute)
	require.Len(t, w.heard(), 1)
	e := w.heard()[0].(*protocol.ErrorResponse)
	assert.Equal(t, []any{protocol.NotReady, "Services not ready or down Cloud vCenter"}, []any{e.Status, e.Details})
}

func TestACommandWhoseAnswerFitsNowhereHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	w.appliance.vms = []migration.Offered{{VM: vsphere.VM{Name: strings.Repeat("long ", protocol.MaxMessage/5)}}}
	w.start()
	w.ask(&protocol.InventoryRequest{RequestHead: head("i-1")})
	w.ask(cold("r-1", "db-01"))
	w.pass(time.Minute)
	assert.Len(t, w.appliance.orders, 1)
	assert.Empty(t, w.sqs.Messages(commands))
	assert.Len(t, w.sqs.Messages(deadLetters), 1, "it is kept")
	require.Len(t, w.heard(), 1)
	assert.Equal(t, bus.CodeUnanswerable, w.heard()[0].(*protocol.ErrorResponse).Errors[0].Code)
}

func TestADeadLetterQueueOfSmallMessagesHoldsUpNobodyElse(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.sqs.CreateQueue(deadLetters, map[string]string{"FifoQueue": "true", "MaximumMessageSize": "1024"}))
	w.start()
	w.send(strings.Repeat("x", 2000))
	w.pass(10 * time.Second)
	w.ask(cold("r-1", "db-01"))
	w.pass(5 * time.Minute)
	assert.Len(t, w.sqs.Messages(commands), 2, "neither is lost")
	assert.NotEmpty(t, w.troubles, "and people can see why")
	require.NoError(t, w.sqs.DeleteQueue(deadLetters))
	w.pass(61 * time.Second) // SQS wants that between a queue and the next of its name
	w.create(deadLetters)
	w.pass(10 * time.Minute)
	assert.Len(t, w.appliance.orders, 1)
	assert.Empty(t, w.sqs.Messages(commands))
}

func TestWhatIsNotHandledComesAgainAtOnceRatherThanAfterItsTimeout(t *testing.T) {
	w := newWorld(t)
	w.appliance.failed = errors.New("the disk is slow")
	w.start()
	w.ask(cold("r-1", "db-01"))
	w.ask(cold("r-2", "web-01"))
	w.pass(5 * time.Second)
	w.appliance.failed = nil
	w.pass(30 * time.Second)
	assert.Empty(t, w.sqs.Messages(commands))
	assert.Equal(t, "db-01", w.appliance.orders[0].VM)
}

func TestNoCommandIsTakenWhileManyEndsAreUntold(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.pass(time.Minute)
	require.NoError(t, w.sqs.DeleteQueue(responses))
	for i := range 1100 {
		w.appliance.running = append(w.appliance.running, appliance.Status{Migration: migration.Migration{
			ID: migration.ID(fmt.Sprint(i)), Number: i, State: migration.Completed,
			Order: migration.Order{Request: fmt.Sprint("r-", i), Type: migration.Cold, Origin: migration.FromMessage},
		}})
	}
	w.pass(time.Minute)
	w.ask(cold("one-more", "db-01"))
	w.pass(5 * time.Minute)
	assert.Empty(t, w.appliance.orders, "SQS keeps it")
	assert.NotEmpty(t, w.troubles)
	w.create(responses)
	w.pass(10 * time.Minute)
	assert.Len(t, w.appliance.orders, 1)
}

func TestAnApplianceWithoutAJournalIsHeardToBeNotReady(t *testing.T) {
	w := newWorld(t)
	w.appliance.failed = appliance.ErrJournal
	w.appliance.running = []appliance.Status{{Migration: migration.Migration{
		ID: "m-0001", Order: migration.Order{Request: "r-0", VM: "db-01", Type: migration.Cold, Origin: migration.FromMessage}, State: migration.Running,
	}}}
	w.start()
	w.ask(cold("r-1", "db-01"))
	w.appliance.health = health.Of([]string{health.Appliance}, nil)
	w.pass(5 * time.Minute)
	beats := w.heartbeats()
	assert.Greater(t, len(beats), 8, "it goes on saying so")
	assert.Equal(t, protocol.NotReady, beats[len(beats)-1].Status)
}

// warm is a migration that waits for data which comes by other means.
func warm(image vsphere.Ref) appliance.Status {
	return appliance.Status{Migration: migration.Migration{
		ID: "m-0001", State: migration.Waiting, Next: migration.StepTransfer, Image: image,
		Order: migration.Order{Request: "r-1", VM: "db-01", Type: migration.Warm, Origin: migration.FromMessage, Offline: true},
	}}
}

func TestDataThatCameByOtherMeansIsTold(t *testing.T) { // SQS-05
	no := migration.Reason{Code: migration.CodeNoData, What: "it is not there", Fix: "bring it"}
	for name, c := range map[string]struct {
		complete bool
		image    vsphere.Ref
		said     appliance.Answer
		deaf     error
		words    []string
		answer   any // the BulkDoneResponse's complete, or an error's code
	}{
		"and goes on":               {complete: true, said: appliance.Answer{Outcome: appliance.Accepted}, words: []string{"db-01 bulk-done"}, answer: true},
		"not complete keeps it":     {answer: false},
		"not there keeps it":        {complete: true, said: appliance.Answer{Outcome: appliance.Rejected, Reasons: []migration.Reason{no}}, words: []string{"db-01 bulk-done"}, answer: migration.CodeNoData},
		"told again says the same":  {complete: true, image: "VirtualMachine:vm-9", answer: true},
		"the cloud refuses to tell": {complete: true, deaf: deaf(vsphere.Refused), words: []string{"db-01 bulk-done"}, answer: bus.CodeVCenter},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.appliance.running = []appliance.Status{warm(c.image)}
			w.appliance.running[0].Responses = migration.Responses{Count: 1, Percent: 99, Final: true}
			w.appliance.said, w.appliance.deaf = c.said, c.deaf
			w.start()
			w.ask(&protocol.BulkDoneRequest{RequestHead: head("d-1"), Clone: "r-1", Complete: c.complete})
			w.pass(time.Minute)
			assert.Equal(t, c.words, w.appliance.words)
			require.Len(t, w.heard(), 1)
			switch r := w.heard()[0].(type) {
			case *protocol.BulkDoneResponse:
				assert.Equal(t, c.answer, r.Complete)
			case *protocol.ErrorResponse:
				assert.Equal(t, c.answer, r.Errors[0].Code)
			}
		})
	}
}

func deaf(class vsphere.Class) error {
	return &vsphere.Error{Site: vsphere.Cloud, Op: "read", Class: class, Err: errors.New("no way")}
}

func TestDataThatCameByOtherMeansIsLookedForAgainWhileTheCloudIsOutOfReach(t *testing.T) { // WAN-01
	unready := appliance.Answer{Outcome: appliance.Rejected, Reasons: []migration.Reason{migration.Unready("Services not ready or down Cloud Cache")}}
	for name, c := range map[string]struct {
		said   appliance.Answer
		deaf   error
		outage time.Duration
		code   string // of the refusal; "": it was heard
	}{
		"a call fails once":                     {deaf: deaf(vsphere.Retryable), outage: 5 * time.Second},
		"an outage of less than 5 m":            {deaf: deaf(vsphere.Unreachable), outage: 4*time.Minute + 59*time.Second},
		"HDM has not seen yet that it is over":  {said: unready, outage: 5*time.Minute + 30*time.Second},
		"an outage that goes on":                {deaf: deaf(vsphere.Unreachable), outage: time.Hour, code: bus.CodeVCenter},
		"a failure of HDM's that is not mended": {said: unready, outage: time.Hour, code: migration.CodeNotReady},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.appliance.running = []appliance.Status{warm("")}
			w.appliance.running[0].Responses = migration.Responses{Count: 1, Percent: 99, Final: true}
			w.appliance.said, w.appliance.deaf = c.said, c.deaf
			w.start()
			w.ask(&protocol.BulkDoneRequest{RequestHead: head("d-1"), Clone: "r-1", Complete: true})
			w.appliance.health = health.Of([]string{"Cloud vCenter"}, nil) // that came later
			w.pass(c.outage - time.Second)
			if c.code == "" {
				assert.Empty(t, w.heard())
				w.appliance.said, w.appliance.deaf = appliance.Answer{Outcome: appliance.Accepted}, nil
			}
			w.pass(2 * time.Minute)
			assert.Empty(t, w.sqs.Messages(commands))
			require.Len(t, w.heard(), 1)
			switch r := w.heard()[0].(type) {
			case *protocol.BulkDoneResponse:
				assert.Empty(t, c.code)
			case *protocol.ErrorResponse:
				assert.Equal(t, c.code, r.Errors[0].Code)
				assert.Less(t, len(w.appliance.words), 20)
			}
		})
	}
}

func TestAWarmOrderSaysHowItsDataTravels(t *testing.T) { // SQS-04
	w := newWorld(t)
	w.start()
	for i, way := range []protocol.BulkTransfer{protocol.Online, protocol.Offline} {
		r := cold(fmt.Sprint("r-", i), "db-01")
		r.Mode, r.BulkTransfer, r.Credentials = protocol.Warm, way, &protocol.Credentials{User: "root", Password: protocol.NewSecret("secret-word")}
		w.ask(r)
	}
	w.pass(time.Minute)
	require.Len(t, w.appliance.orders, 2)
	assert.Equal(t, []bool{false, true}, []bool{w.appliance.orders[0].Offline, w.appliance.orders[1].Offline})
	assert.Equal(t, migration.Warm, w.appliance.orders[0].Type)
	assert.NotContains(t, fmt.Sprintf("%+v", w.appliance.orders), "secret-word")
}

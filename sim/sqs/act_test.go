package sqs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/sqs"
)

func TestAFailedCallIsTypedAndNotApplied(t *testing.T) {
	w := start(t, with("SendMessage", sqs.Fail("OverLimit", http.StatusForbidden)))
	require.NoError(t, w.CreateQueue("q", nil))
	a := w.do("SendMessage", object{"QueueUrl": base + "q", "MessageBody": "m"})
	assert.Equal(t, http.StatusForbidden, a.status)
	assert.Equal(t, "com.amazonaws.sqs#OverLimit", a.Type)
	assert.Equal(t, "OverLimit;Sender", a.header.Get("x-amzn-query-error"))
	assert.Empty(t, w.Messages("q"))

	w = start(t, with("ReceiveMessage", sqs.Fail("ServiceUnavailable", http.StatusServiceUnavailable)))
	require.NoError(t, w.CreateQueue("q", nil))
	a = w.do("ReceiveMessage", object{"QueueUrl": base + "q"})
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.Equal(t, "ServiceUnavailable;Receiver", a.header.Get("x-amzn-query-error"))
}

func TestALostReceiveLeavesItsMessagesInFlight(t *testing.T) {
	w := start(t, with("ReceiveMessage", sqs.LoseAnswer()))
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "m")
	got, _ := w.call("ReceiveMessage", object{"QueueUrl": base + "q"})
	w.clock.pass(time.Second)
	assert.Nil(t, got())
	assert.Equal(t, sqs.InFlight, w.Messages("q")[0].State)
	w.clock.pass(30 * time.Second)
	assert.Equal(t, sqs.Visible, w.Messages("q")[0].State)
}

func TestALostSendIsStored(t *testing.T) {
	w := start(t, with("SendMessage", sqs.LoseAnswer()))
	require.NoError(t, w.CreateQueue("q", nil))
	got, _ := w.call("SendMessage", object{"QueueUrl": base + "q", "MessageBody": "m"})
	assert.Nil(t, got())
	assert.Len(t, w.Messages("q"), 1)
}

func TestALateDeleteIsAnsweredAtOnceAndTakesEffectLater(t *testing.T) {
	for _, batch := range []bool{false, true} {
		operation := map[bool]string{false: "DeleteMessage", true: "DeleteMessageBatch"}[batch]
		w := start(t, with(operation, sqs.Late(time.Minute)))
		require.NoError(t, w.CreateQueue("q", nil))
		w.send("q", "m")
		m := w.receive("q", 1)[0]
		in := object{"QueueUrl": base + "q", "ReceiptHandle": m.ReceiptHandle}
		if batch {
			in = object{"QueueUrl": base + "q", "Entries": []object{{"Id": "a", "ReceiptHandle": m.ReceiptHandle}}}
		}
		w.ok(operation, in)
		assert.Len(t, w.Messages("q"), 1)
		w.clock.pass(40 * time.Second)
		assert.Equal(t, []string{"m"}, bodies(w.receive("q", 1)), "delivered after its deletion, as a standard queue may")
		w.clock.pass(20 * time.Second)
		assert.Empty(t, w.Messages("q"))
	}
}

func TestAnyOtherLateCallIsAppliedLaterAndNeverAnswered(t *testing.T) {
	w := start(t, with("SendMessage", sqs.Late(time.Minute)))
	require.NoError(t, w.CreateQueue("q", nil))
	got, _ := w.call("SendMessage", object{"QueueUrl": base + "q", "MessageBody": "m"})
	assert.Empty(t, w.Messages("q"))
	w.clock.pass(time.Minute)
	assert.Len(t, w.Messages("q"), 1)
	assert.Nil(t, got())
}

func TestADuplicatedSendIsStoredTwice(t *testing.T) {
	w := start(t, with("SendMessage", sqs.Duplicate()))
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "m")
	got := w.receive("q", 10)
	require.Equal(t, []string{"m", "m"}, bodies(got))
	assert.Equal(t, got[0].MessageID, got[1].MessageID)
	w.delete("q", got[0])
	assert.Len(t, w.Messages("q"), 1)
	assert.Equal(t, []sqs.Kind{"queue created", "sent", "duplicated", "received", "received", "deleted"}, w.kinds())
}

func TestAFIFOQueueDuplicatesNothing(t *testing.T) {
	for _, operation := range []string{"SendMessage", "ReceiveMessage"} {
		w := start(t, with(operation, sqs.Duplicate()))
		require.NoError(t, w.CreateQueue("f.fifo", nil))
		w.sendTo("f.fifo", "g", "m")
		require.Len(t, w.receive("f.fifo", 10), 1)
		assert.Len(t, w.Messages("f.fifo"), 1)
	}
}

func TestADuplicatedReceiveIsHandedOutAgainEvenAfterItsDelete(t *testing.T) {
	calls := 0
	w := start(t, func(c *sqs.Config) {
		c.Intercept = func(call sqs.Call) sqs.Act {
			if call.Operation != "ReceiveMessage" {
				return sqs.Pass()
			}
			calls++
			require.Equal(t, calls, call.Nth)
			if call.Nth > 1 {
				return sqs.Pass()
			}
			return sqs.Duplicate()
		}
	})
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "m")
	first := w.receive("q", 10)
	require.Equal(t, []string{"m"}, bodies(first))
	w.delete("q", first[0])
	again := w.receive("q", 10)
	require.Equal(t, []string{"m"}, bodies(again))
	assert.Equal(t, first[0].MessageID, again[0].MessageID)
	w.delete("q", again[0])
	assert.Empty(t, w.Messages("q"))
}

func TestAReorderedReceiveHandsOutInAnotherOrder(t *testing.T) {
	w := start(t, with("ReceiveMessage", sqs.Reorder()))
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "1", "2", "3")
	assert.Equal(t, []string{"3", "2", "1"}, bodies(w.receive("q", 10)))
}

func TestAReorderedReceiveKeepsTheOrderWithinAGroup(t *testing.T) {
	w := start(t, with("ReceiveMessage", sqs.Reorder()))
	require.NoError(t, w.CreateQueue("f.fifo", nil))
	for _, m := range []string{"a1", "a2", "b1", "b2"} {
		w.sendTo("f.fifo", m[:1], m)
	}
	assert.Equal(t, []string{"b1", "b2", "a1", "a2"}, bodies(w.receive("f.fifo", 10)))
}

func TestABadMD5IsWrongInSendsAndReceives(t *testing.T) {
	const right = "6f8f57715090da2632453988d9a1501b" // of "m"
	w := start(t, with("SendMessage", sqs.BadMD5()))
	require.NoError(t, w.CreateQueue("q", nil))
	a := w.ok("SendMessage", object{"QueueUrl": base + "q", "MessageBody": "m"})
	assert.NotEqual(t, right, a.MD5OfMessageBody)
	assert.Regexp(t, "^[0-9a-f]{32}$", a.MD5OfMessageBody)
	assert.Equal(t, right, w.receive("q", 1)[0].MD5OfBody)

	w = start(t, with("ReceiveMessage", sqs.BadMD5()))
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "m")
	assert.NotEqual(t, right, w.receive("q", 1)[0].MD5OfBody)
}

func TestAnActThatDoesNotApplyLetsTheCallPass(t *testing.T) {
	for _, act := range []sqs.Act{sqs.BadMD5(), sqs.Duplicate(), sqs.Reorder()} {
		w := start(t, func(c *sqs.Config) { c.Intercept = func(sqs.Call) sqs.Act { return act } })
		w.ok("CreateQueue", object{"QueueName": "q"})
		w.ok("PurgeQueue", object{"QueueUrl": base + "q"})
		w.ok("GetQueueAttributes", object{"QueueUrl": base + "q", "AttributeNames": []string{"All"}})
		w.ok("DeleteQueue", object{"QueueUrl": base + "q"})
	}
}

func TestCallsAreCountedByOperationAndQueue(t *testing.T) {
	var calls []sqs.Call
	w := start(t, func(c *sqs.Config) {
		c.Intercept = func(call sqs.Call) sqs.Act { calls = append(calls, call); return sqs.Pass() }
	})
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "1")
	w.receive("q", 1)
	w.send("q", "2")
	w.do("SendMessage", object{"QueueUrl": base + "other", "MessageBody": "m"})
	assert.Equal(t, []sqs.Call{
		{Number: 1, Nth: 1, Operation: "SendMessage", Queue: "q"}, {Number: 2, Nth: 1, Operation: "ReceiveMessage", Queue: "q"},
		{Number: 3, Nth: 2, Operation: "SendMessage", Queue: "q"}, {Number: 4, Nth: 1, Operation: "SendMessage", Queue: "other"},
	}, calls)
}

// asked lets act happen to every call that does something to a message, and
// tells what each was about to do.
func asked(act sqs.Act, effects *[]sqs.Effect) func(*sqs.Config) {
	return func(c *sqs.Config) {
		c.Intercept = func(sqs.Call) sqs.Act {
			return sqs.Ask(func(e sqs.Effect) sqs.Act { *effects = append(*effects, e); return act })
		}
	}
}

func TestOnlyACallThatDoesSomethingToAMessageIsAskedFor(t *testing.T) {
	var effects []sqs.Effect
	w := start(t, asked(sqs.Pass(), &effects))
	require.NoError(t, w.CreateQueue("q", nil))
	w.receive("q", 1)
	w.do("SendMessage", object{"QueueUrl": base + "q"})
	assert.Empty(t, effects, "nothing was handed out, and nothing stored")
	w.send("q", "1", "2")
	assert.Equal(t, []sqs.Effect{{}, {}}, effects)
	m := w.receive("q", 2)
	assert.Equal(t, sqs.Effect{Open: 2}, effects[2])
	w.delete("q", m[0])
	w.delete("q", m[0])
	assert.Len(t, effects, 4, "what is gone is not deleted again")
	w.ok("ChangeMessageVisibility", object{"QueueUrl": base + "q", "ReceiptHandle": m[1].ReceiptHandle, "VisibilityTimeout": 9})
	assert.Len(t, effects, 5)
}

func TestOfAFIFOQueueTheGroupsAreOpen(t *testing.T) {
	var effects []sqs.Effect
	w := start(t, asked(sqs.Reorder(), &effects))
	require.NoError(t, w.CreateQueue("f.fifo", nil))
	for _, m := range []string{"a1", "a2", "b1"} {
		w.sendTo("f.fifo", m[:1], m)
	}
	assert.Equal(t, []string{"b1", "a1", "a2"}, bodies(w.receive("f.fifo", 10)))
	assert.Equal(t, sqs.Effect{Open: 2}, effects[3])
}

func TestWhatIsAskedForHappens(t *testing.T) {
	var effects []sqs.Effect
	w := start(t, asked(sqs.LoseAnswer(), &effects))
	require.NoError(t, w.CreateQueue("q", nil))
	got, _ := w.call("ReceiveMessage", object{"QueueUrl": base + "q", "WaitTimeSeconds": 20})
	assert.Empty(t, effects, "the poll waits")
	sent, _ := w.call("SendMessage", object{"QueueUrl": base + "q", "MessageBody": "m"})
	assert.Len(t, effects, 2, "the poll finds what was sent")
	w.clock.pass(21 * time.Second)
	assert.Nil(t, got())
	assert.Nil(t, sent())
	assert.Equal(t, sqs.InFlight, w.Messages("q")[0].State)

	w = start(t, asked(sqs.Late(time.Minute), &effects))
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "m")
	w.delete("q", w.receive("q", 1)[0])
	assert.Len(t, w.Messages("q"), 1)
	w.clock.pass(time.Minute)
	assert.Empty(t, w.Messages("q"))

	w = start(t, asked(sqs.Duplicate(), &effects))
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "m")
	assert.Len(t, w.Messages("q"), 2)
}

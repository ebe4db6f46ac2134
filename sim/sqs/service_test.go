package sqs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/sqs"
)

func (w *world) poll(queue string, seconds int) (got func() *answer, cancel func()) {
	return w.call("ReceiveMessage", object{"QueueUrl": base + queue, "WaitTimeSeconds": seconds})
}

func TestLongPollsAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("q", nil))
	first, _ := w.poll("q", 20)
	second, _ := w.poll("q", 20)
	w.send("q", "1")
	require.NotNil(t, first())
	require.Nil(t, second())
	w.send("q", "2")
	assert.Equal(t, []string{"2"}, bodies(second().Messages))
}

func TestAWaiterGetsAMessageWhoseVisibilityTimeoutEnds(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("q", map[string]string{"VisibilityTimeout": "5"}))
	w.send("q", "m")
	w.receive("q", 1)
	got, _ := w.poll("q", 20)
	w.clock.pass(5*time.Second - 1)
	require.Nil(t, got())
	w.clock.pass(1)
	assert.Equal(t, []string{"m"}, bodies(got().Messages))
}

func TestAMessageThatComesBackWhenAPollEndsIsHandedOut(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("q", map[string]string{"VisibilityTimeout": "5"}))
	w.send("q", "m")
	w.receive("q", 1)
	got, _ := w.poll("q", 5)
	w.clock.pass(5 * time.Second)
	assert.Equal(t, []string{"m"}, bodies(got().Messages))
}

func TestAnIdleServiceWantsNothingOfTheClock(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "m")
	m := w.receive("q", 1)[0]
	assert.Empty(t, w.clock.timers, "a message in flight that nobody waits for is looked at when somebody does")
	got, cancel := w.poll("q", 20)
	deadline, waits := w.NextDeadline()
	assert.True(t, waits)
	assert.Equal(t, w.clock.now.Add(20*time.Second), deadline)
	cancel()
	cancel()
	assert.Empty(t, w.clock.timers)
	_, waits = w.NextDeadline()
	assert.False(t, waits)
	w.delete("q", m)
	w.send("q", "2")
	w.clock.pass(time.Minute)
	assert.Nil(t, got(), "who has gone is not called")
	assert.Equal(t, sqs.Visible, w.Messages("q")[0].State)
}

func TestWhoWaitsAtADeletedQueueIsTold(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("q", nil))
	got, _ := w.poll("q", 20)
	require.NoError(t, w.DeleteQueue("q"))
	require.NotNil(t, got())
	assert.Equal(t, "com.amazonaws.sqs#QueueDoesNotExist", got().Type)
	assert.Equal(t, "AWS.SimpleQueueService.NonExistentQueue;Sender", got().header.Get("x-amzn-query-error"))
	assert.Empty(t, w.clock.timers)

	var typed *sqs.Error
	require.ErrorAs(t, w.DeleteQueue("q"), &typed)
	assert.Equal(t, "QueueDoesNotExist", typed.Code)
}

func TestAMessageExpiresAfterItsRetention(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("q", map[string]string{"MessageRetentionPeriod": "60", "VisibilityTimeout": "3600"}))
	w.send("q", "1", "2")
	require.Len(t, w.receive("q", 1), 1)
	w.clock.pass(time.Minute - 1)
	require.Len(t, w.Messages("q"), 2)
	w.clock.pass(1)
	assert.Empty(t, w.Messages("q"), "in flight or not")
	assert.Equal(t, []sqs.Kind{"queue created", "sent", "sent", "received", "expired", "expired"}, w.kinds())
}

func TestADuplicateAfterFiveMinutesIsAMessageOfItsOwn(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("f.fifo", nil))
	w.sendTo("f.fifo", "g", "m")
	w.clock.pass(5*time.Minute - 1)
	w.sendTo("f.fifo", "g", "m")
	require.Len(t, w.Messages("f.fifo"), 1)
	w.clock.pass(1)
	w.sendTo("f.fifo", "g", "m")
	assert.Len(t, w.Messages("f.fifo"), 2)
	assert.Equal(t, []sqs.Kind{"queue created", "sent", "suppressed", "sent"}, w.kinds())
}

func TestAVisibilityTimeoutEnds12HoursAfterTheReceiveAtTheLatest(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("q", map[string]string{"VisibilityTimeout": "43200"}))
	w.send("q", "m")
	m := w.receive("q", 1)[0]
	w.clock.pass(time.Hour)
	change := object{"QueueUrl": base + "q", "ReceiptHandle": m.ReceiptHandle, "VisibilityTimeout": 11*3600 + 1}
	assert.Equal(t, http.StatusBadRequest, w.do("ChangeMessageVisibility", change).status)
	change["VisibilityTimeout"] = 11 * 3600
	w.ok("ChangeMessageVisibility", change)
}

func TestWhatIsInFlightIsLimited(t *testing.T) {
	w := start(t, func(c *sqs.Config) { c.Limits = sqs.Limits{InFlight: 2, InFlightFIFO: 1} })
	require.NoError(t, w.CreateQueue("q", nil))
	require.NoError(t, w.CreateQueue("f.fifo", nil))
	w.send("q", "1", "2", "3")
	got := w.receive("q", 10)
	require.Len(t, got, 2)
	a := w.do("ReceiveMessage", object{"QueueUrl": base + "q"})
	assert.Equal(t, "com.amazonaws.sqs#OverLimit", a.Type)
	waits, _ := w.poll("q", 20)
	require.Nil(t, waits(), "a long poll is not refused: it waits")
	w.delete("q", got[0])
	assert.Equal(t, []string{"3"}, bodies(waits().Messages))

	w.sendTo("f.fifo", "a", "1")
	w.sendTo("f.fifo", "b", "2")
	require.Len(t, w.receive("f.fifo", 10), 1)
	assert.Equal(t, "com.amazonaws.sqs#OverLimit", w.do("ReceiveMessage", object{"QueueUrl": base + "f.fifo"}).Type)
}

func TestTheServiceSaysWhichOfItsLimitsIsReached(t *testing.T) {
	limits := sqs.Limits{Queues: 2, Messages: 2, Bytes: 100, Waiters: 1, Request: 1000, Dedupe: 1}
	w := start(t, func(c *sqs.Config) { c.Limits = limits })
	refused := func(a *answer, status int, code, word string) {
		t.Helper()
		assert.Equal(t, status, a.status)
		assert.Equal(t, "com.amazonaws.sqs#"+code, a.Type)
		assert.Contains(t, a.Message, word)
	}
	require.NoError(t, w.CreateQueue("q", nil))
	require.NoError(t, w.CreateQueue("f.fifo", map[string]string{"ContentBasedDeduplication": "true"}))
	refused(w.do("CreateQueue", object{"QueueName": "third"}), 403, "OverLimit", "limit Queues")

	send := object{"QueueUrl": base + "q", "MessageBody": strings.Repeat("x", 101)}
	refused(w.do("SendMessage", send), 403, "OverLimit", "limit Bytes")
	w.poll("q", 20)
	refused(w.do("ReceiveMessage", object{"QueueUrl": base + "q", "WaitTimeSeconds": 1}), 403, "OverLimit", "limit Waiters")
	w.send("q", "1")
	w.ok("SendMessage", object{"QueueUrl": base + "f.fifo", "MessageBody": "m", "MessageGroupId": "g"})
	refused(w.do("SendMessage", object{"QueueUrl": base + "q", "MessageBody": "m"}), 403, "OverLimit", "limit Messages")
	w.ok("PurgeQueue", object{"QueueUrl": base + "q"})
	refused(w.do("SendMessage", object{"QueueUrl": base + "f.fifo", "MessageBody": "n", "MessageGroupId": "g"}), 403, "OverLimit", "limit Dedupe")
	refused(w.do("SendMessage", object{"MessageBody": strings.Repeat("x", 1000)}), 413, "RequestTooLarge", "1000")
}

func TestALimitIsFreeAgainWhenItsQueueIsGone(t *testing.T) {
	w := start(t, func(c *sqs.Config) { c.Limits = sqs.Limits{Messages: 1, Dedupe: 1, Queues: 1} })
	for i := range 3 {
		name := fmt.Sprintf("f%d.fifo", i)
		require.NoError(t, w.CreateQueue(name, nil))
		w.sendTo(name, "g", "m")
		require.NoError(t, w.DeleteQueue(name))
		w.clock.pass(10 * time.Minute)
	}
	assert.Empty(t, w.Queues())
}

func TestChanceLeavesOutAndMixesInStandardQueuesOnly(t *testing.T) {
	chance := func(c *sqs.Config) { c.Chance = rand.New(rand.NewPCG(1, 2)) }
	mixed, fewer := false, false
	for range 20 {
		w := start(t, chance)
		require.NoError(t, w.CreateQueue("q", nil))
		w.send("q", "1", "2", "3", "4")
		got := bodies(w.receive("q", 10))
		fewer = fewer || len(got) < 4
		long, _ := w.poll("q", 20)
		for range 4 { // whoever waits gets what short polls left out
			if long() != nil && len(got) < 4 {
				got = append(got, bodies(long().Messages)...)
				long, _ = w.poll("q", 20)
			}
		}
		assert.ElementsMatch(t, []string{"1", "2", "3", "4"}, got)
		mixed = mixed || strings.Join(got, "") != "1234"

		require.NoError(t, w.CreateQueue("f.fifo", nil))
		for _, m := range []string{"a1", "b1", "a2"} {
			w.sendTo("f.fifo", m[:1], m)
		}
		assert.Equal(t, []string{"a1", "a2", "b1"}, bodies(w.receive("f.fifo", 10)))
	}
	assert.True(t, mixed)
	assert.True(t, fewer)
}

func TestAnObserverMayCallBackAndHearsInOrder(t *testing.T) {
	var w *world
	answered := 0
	w = start(t, func(c *sqs.Config) {
		record := c.Observe
		c.Observe = func(change sqs.Change) {
			record(change)
			if change.Kind == sqs.Received {
				assert.Equal(t, sqs.InFlight, w.Messages("q")[0].State)
				w.send("q", "answer to "+change.Message.Body)
				answered++
			}
		}
	})
	require.NoError(t, w.CreateQueue("q", nil))
	w.send("q", "m")
	require.Len(t, w.receive("q", 10), 1)
	assert.Equal(t, 1, answered)
	assert.Equal(t, []sqs.Kind{"queue created", "sent", "received", "sent"}, w.kinds())
}

func TestTruthTellsWhereMessagesAre(t *testing.T) {
	w := start(t)
	require.NoError(t, w.CreateQueue("dead", nil))
	policy := `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"3"}`
	require.NoError(t, w.CreateQueue("q", map[string]string{"RedrivePolicy": policy}))
	w.send("q", "1", "2")
	w.ok("SendMessage", object{"QueueUrl": base + "q", "MessageBody": "3", "DelaySeconds": 9})
	m := w.receive("q", 1)[0]
	assert.Equal(t, []sqs.QueueInfo{{Name: "dead"}, {Name: "q", Visible: 1, InFlight: 1, Delayed: 1, DeadLetter: "dead"}}, w.Queues())
	got := w.Messages("q")
	require.Len(t, got, 3)
	assert.Equal(t, []sqs.State{sqs.InFlight, sqs.Visible, sqs.Delayed}, []sqs.State{got[0].State, got[1].State, got[2].State})
	assert.Equal(t, m.ReceiptHandle, got[0].Receipt)
	assert.Equal(t, w.clock.now.Add(30*time.Second), got[0].Until)
	assert.Equal(t, 1, got[0].Received)
	assert.Nil(t, w.Messages("none"))
}

func TestAnswersHaveNoDate(t *testing.T) {
	a := start(t).ok("ListQueues", object{})
	assert.Empty(t, a.header.Values("Date"), "a client would correct its clock by it")
	assert.NotEmpty(t, a.header.Get("x-amzn-RequestId"))
}

func TestWhatIsNoCallIsRefusedInItsProtocol(t *testing.T) {
	s := start(t)
	var got sqs.Response
	done := func(r sqs.Response) { got = r }
	jsonCall := http.Header{"X-Amz-Target": {"AmazonSQS.SendMessage"}}
	for _, c := range []struct {
		r      sqs.Request
		status int
		says   string
	}{
		{sqs.Request{Method: http.MethodGet, Path: "/"}, 405, "<Code>MethodNotAllowed</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/"}, 400, "<Code>MissingAction</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/", Body: []byte("Action=Fly")}, 400, "<Code>InvalidAction</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/", Body: []byte("Action=TagQueue")}, 400, "<Code>AWS.SimpleQueueService.UnsupportedOperation</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/", Body: []byte("Action=%zz")}, 400, "<Code>MalformedQueryString</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/", Body: []byte("Action=%ff")}, 400, "<Code>MalformedQueryString</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/", Body: []byte("Action=ListQueues&MaxResults=many")}, 400, "<Code>InvalidParameterValue</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/", Body: []byte("Action=SendMessage&QueueUrl=http://h/elsewhere")}, 404, "<Code>InvalidAddress</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/000000000000/none", Body: []byte("Action=SendMessage")}, 400, "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"},
		{sqs.Request{Method: http.MethodPost, Path: "/", Header: jsonCall, Body: []byte("{")}, 400, `"com.amazonaws.sqs#SerializationException"`},
		{sqs.Request{Method: http.MethodPost, Path: "/", Header: jsonCall, Body: []byte(`{"QueueUrl":7}`)}, 400, `"com.amazonaws.sqs#SerializationException"`},
		{sqs.Request{Method: http.MethodPost, Path: "/", Header: jsonCall, Body: []byte("{\"QueueUrl\":\"\xff\"}")}, 400, `"com.amazonaws.sqs#SerializationException"`},
		{sqs.Request{Method: http.MethodPost, Path: "/", Header: jsonCall}, 400, `"com.amazonaws.sqs#MissingParameter"`},
		{sqs.Request{Method: http.MethodPost, Path: "/", Header: http.Header{"X-Amz-Target": {"DynamoDB.Put"}}}, 400, `"com.amazonaws.sqs#InvalidAction"`},
	} {
		got = sqs.Response{}
		s.Do(c.r, done)
		assert.Equal(t, c.status, got.Status, "%s", got.Body)
		assert.Contains(t, string(got.Body), c.says)
	}
}

func TestEqualCallsGetEqualAnswers(t *testing.T) {
	run := func() string {
		var b strings.Builder
		w := start(t, func(c *sqs.Config) {
			c.Chance = rand.New(rand.NewPCG(7, 7))
			c.Observe = func(c sqs.Change) { fmt.Fprintln(&b, c) }
		})
		draw := rand.New(rand.NewPCG(1, 1))
		require.NoError(t, w.CreateQueue("dead.fifo", nil))
		policy := `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead.fifo","maxReceiveCount":2}`
		require.NoError(t, w.CreateQueue("q", nil))
		require.NoError(t, w.CreateQueue("f.fifo", map[string]string{"RedrivePolicy": policy}))
		for i := range 400 {
			queue := []string{"q", "f.fifo"}[draw.IntN(2)]
			switch draw.IntN(3) {
			case 0:
				in := object{"QueueUrl": base + queue, "MessageBody": fmt.Sprint(i)}
				if queue != "q" {
					in["MessageGroupId"], in["MessageDeduplicationId"] = fmt.Sprint(draw.IntN(3)), fmt.Sprint(i)
				}
				w.ok("SendMessage", in)
			case 1:
				for _, m := range w.receive(queue, 3) {
					fmt.Fprintln(&b, m)
					if draw.IntN(2) == 0 {
						w.delete(queue, m)
					}
				}
			case 2:
				w.clock.pass(time.Duration(draw.IntN(20)) * time.Second)
			}
		}
		fmt.Fprintln(&b, w.Queues(), w.Messages("q"), w.Messages("f.fifo"), w.Messages("dead.fifo"))
		return b.String()
	}
	one := run()
	assert.Contains(t, one, "moved")
	assert.Equal(t, one, run())
}

func TestAnErrorOfASetUpIsTyped(t *testing.T) {
	err := start(t).CreateQueue("a b", nil)
	var typed *sqs.Error
	require.True(t, errors.As(err, &typed))
	assert.Equal(t, "InvalidParameterValue", typed.Code)
}

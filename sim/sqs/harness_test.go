package sqs_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/sqs"
)

// clock is time that moves only when it is told to.
type clock struct {
	now    time.Time
	timers []*timer
	made   int
}

type timer struct {
	at     time.Time
	number int
	f      func()
}

func newClock() *clock { return &clock{now: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }

func (c *clock) After(d time.Duration, f func()) (stop func() bool) {
	c.made++
	t := &timer{c.now.Add(d), c.made, f}
	at, _ := slices.BinarySearchFunc(c.timers, t, func(a, b *timer) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.number, b.number))
	})
	c.timers = slices.Insert(c.timers, at, t)
	return func() bool {
		i := slices.Index(c.timers, t)
		if i >= 0 {
			c.timers = slices.Delete(c.timers, i, i+1)
		}
		return i >= 0
	}
}

func (c *clock) pass(d time.Duration) {
	end := c.now.Add(d)
	for len(c.timers) > 0 && !c.timers[0].at.After(end) {
		t := c.timers[0]
		c.timers = c.timers[1:]
		c.now = t.at
		t.f()
	}
	c.now = end
}

// world is a service, its clock, and what it has told.
type world struct {
	testing.TB
	*sqs.Service
	clock   *clock
	changes []sqs.Change
}

func start(t testing.TB, configure ...func(*sqs.Config)) *world {
	w := &world{TB: t, clock: newClock()}
	c := sqs.Config{Clock: w.clock, Observe: func(c sqs.Change) { w.changes = append(w.changes, c) }}
	for _, f := range configure {
		f(&c)
	}
	w.Service = sqs.New(c)
	return w
}

// with decides about the calls of one operation; the others pass.
func with(operation string, act sqs.Act) func(*sqs.Config) {
	return func(c *sqs.Config) {
		c.Intercept = func(call sqs.Call) sqs.Act {
			if call.Operation == operation {
				return act
			}
			return sqs.Pass()
		}
	}
}

type object = map[string]any

const base = "http://sqs.invalid/000000000000/"

// answer is an answer in JSON, and its status.
type answer struct {
	status int
	header http.Header
	Type   string `json:"__type"`
	answerBody
}

type answerBody struct {
	Message            string `json:"message"`
	QueueURL           string `json:"QueueUrl"`
	MessageID          string `json:"MessageId"`
	MD5OfMessageBody   string
	Messages           []received
	Successful, Failed []struct{ ID, Code string }
	Attributes         map[string]string
}

type received struct {
	MessageID     string `json:"MessageId"`
	ReceiptHandle string
	MD5OfBody     string
	Body          string
	Attributes    map[string]string
}

// call starts a call in JSON. The answer is nil until there is one.
func (w *world) call(operation string, in object) (got func() *answer, cancel func()) {
	body, err := json.Marshal(in)
	require.NoError(w, err)
	var a *answer
	cancel = w.Do(sqs.Request{
		Method: http.MethodPost, Path: "/", Host: "sqs.invalid", Header: http.Header{"X-Amz-Target": {"AmazonSQS." + operation}}, Body: body,
	}, func(r sqs.Response) {
		require.Nil(w, a, "answered twice")
		a = &answer{status: r.Status, header: r.Header}
		if len(r.Body) > 0 {
			require.NoError(w, json.Unmarshal(r.Body, a))
		}
	})
	return func() *answer { return a }, cancel
}

// do makes a call that is answered at once.
func (w *world) do(operation string, in object) *answer {
	got, _ := w.call(operation, in)
	require.NotNil(w, got(), "%s was not answered at once", operation)
	return got()
}

// ok makes a call that must succeed.
func (w *world) ok(operation string, in object) *answer {
	a := w.do(operation, in)
	require.Equal(w, http.StatusOK, a.status, "%s: %s", a.Type, a.Message)
	return a
}

func (w *world) send(queue string, bodies ...string) {
	for _, b := range bodies {
		w.ok("SendMessage", object{"QueueUrl": base + queue, "MessageBody": b})
	}
}

func (w *world) sendTo(queue, group, body string) {
	w.ok("SendMessage", object{"QueueUrl": base + queue, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": group + body})
}

func (w *world) receive(queue string, n int) []received {
	return w.ok("ReceiveMessage", object{"QueueUrl": base + queue, "MaxNumberOfMessages": n}).Messages
}

func (w *world) delete(queue string, r received) {
	w.ok("DeleteMessage", object{"QueueUrl": base + queue, "ReceiptHandle": r.ReceiptHandle})
}

func bodies(messages []received) []string {
	all := []string{}
	for _, m := range messages {
		all = append(all, m.Body)
	}
	return all
}

func (w *world) kinds() []sqs.Kind {
	var all []sqs.Kind
	for _, c := range w.changes {
		all = append(all, c.Kind)
	}
	return all
}

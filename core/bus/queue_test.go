package bus_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/sim/sqs"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/wan"
)

func TestErrorsOfSQSSayWhatTheyAreCausedByAndWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name string
		act  sqs.Act
		does func(context.Context, bus.Endpoint, *bus.Queue) error
		want bus.Cause
		says string
	}{
		{"no such queue", sqs.Pass(), func(ctx context.Context, e bus.Endpoint, _ *bus.Queue) error {
			_, err := e.Open(ctx, "nowhere")
			return err
		}, bus.Missing, "cannot find the queue nowhere"},
		{"503", sqs.Fail("ServiceUnavailable", http.StatusServiceUnavailable), send, bus.Busy, "tried again"},
		{"over limit", sqs.Fail("OverLimit", http.StatusForbidden), receive, bus.Busy, "tried again"},
		{"no rights", sqs.Fail("AccessDenied", http.StatusForbidden), send, bus.Refused, "allow HDM's credentials"},
		{"no answer", sqs.LoseAnswer(), send, bus.Busy, "no answer"},
		{"a damaged answer", sqs.BadMD5(), receiveOne, bus.Busy, "checksum"},
		{"too large", sqs.Pass(), func(ctx context.Context, _ bus.Endpoint, q *bus.Queue) error {
			return q.Send(ctx, bus.Message{Body: string(bytes.Repeat([]byte("x"), 2<<20)), ID: "1", Group: "g"})
		}, bus.Unfit, "send"},
		{"a receipt that is none", sqs.Pass(), func(ctx context.Context, _ bus.Endpoint, q *bus.Queue) error {
			return q.Extend(ctx, bus.Delivery{ID: "x"}, time.Minute)
		}, bus.Busy, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			var act sqs.Act
			w.sqs = sqs.New(sqs.Config{Clock: clock{w.kernel}, Intercept: func(sqs.Call) sqs.Act { return act }})
			w.create(commands)
			var err error
			w.do(func(ctx context.Context) {
				q, failed := w.endpoint().Open(ctx, commands)
				require.NoError(t, failed)
				require.NoError(t, q.Send(ctx, bus.Message{Body: "hello", ID: "0", Group: "g"}))
				act = c.act
				err = c.does(ctx, w.endpoint(), q)
			})
			w.pass(time.Minute)
			require.Error(t, err)
			assert.Equal(t, c.want, bus.CauseOf(err), "%v", err)
			assert.Contains(t, err.Error(), c.says)
		})
	}
}

func send(ctx context.Context, _ bus.Endpoint, q *bus.Queue) error {
	return q.Send(ctx, bus.Message{Body: "more", ID: "1", Group: "g"})
}

func receive(ctx context.Context, _ bus.Endpoint, q *bus.Queue) error {
	_, err := q.Receive(ctx, 1, 0, time.Minute)
	return err
}

func receiveOne(ctx context.Context, e bus.Endpoint, q *bus.Queue) error { return receive(ctx, e, q) }

func TestAnInternetLinkThatIsDownIsToldApart(t *testing.T) {
	w := newWorld(t)
	link, err := wan.New(w.kernel, "internet", wan.Symmetric(wan.Quality{Latency: time.Millisecond, Bandwidth: 1e6}))
	require.NoError(t, err)
	link.SetDown(wan.Both, true)
	e := w.endpoint()
	e.HTTP = &transport.QueuePath{Kernel: w.kernel, Service: w.sqs, Link: link}
	var failed error
	w.do(func(ctx context.Context) { _, failed = e.Open(ctx, commands) })
	w.pass(time.Minute)
	require.Error(t, failed)
	assert.Equal(t, bus.Unreachable, bus.CauseOf(failed))
	assert.Contains(t, failed.Error(), "access to the Internet")
}

func TestACallThatIsCancelledSaysSo(t *testing.T) {
	w := newWorld(t)
	var failed error
	w.do(func(ctx context.Context) {
		q, err := w.endpoint().Open(ctx, commands)
		require.NoError(t, err)
		ctx, cancel := w.machine.WithCancel(ctx)
		w.kernel.After(5*time.Second, cancel)
		_, failed = q.Receive(ctx, 1, bus.MaxWait, time.Minute)
	})
	w.pass(10 * time.Second)
	assert.Equal(t, bus.Cancelled, bus.CauseOf(failed))
	assert.ErrorIs(t, failed, context.Canceled)
	_, waits := w.sqs.NextDeadline()
	assert.False(t, waits, "its long poll has ended")
}

func TestALongPollOfADeadMachineStillTakesWhatComes(t *testing.T) {
	w := newWorld(t)
	w.do(func(ctx context.Context) {
		q, err := w.endpoint().Open(ctx, commands)
		require.NoError(t, err)
		_, _ = q.Receive(ctx, 1, bus.MaxWait, time.Minute)
	})
	w.machine.PowerOff()
	require.NoError(t, w.sqs.CreateQueue("other", nil))
	w.sqs.Do(sendOf(commands), func(sqs.Response) {})
	w.pass(time.Second)
	require.Len(t, w.sqs.Messages(commands), 1)
	assert.Equal(t, sqs.InFlight, w.sqs.Messages(commands)[0].State, "nobody told SQS that its receiver has lost its power")
	w.pass(2 * time.Minute)
	assert.Equal(t, sqs.Visible, w.sqs.Messages(commands)[0].State)
}

// sendOf is a SendMessage as a client in another language makes it.
func sendOf(queue string) sqs.Request {
	return sqs.Request{
		Method: http.MethodPost, Path: "/", Host: "sqs.invalid",
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"AmazonSQS.SendMessage"}},
		Body:   []byte(`{"QueueUrl":"http://sqs.invalid/000000000000/` + queue + `","MessageBody":"hello","MessageGroupId":"g","MessageDeduplicationId":"1"}`),
	}
}

package transport_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/sqs"
	"github.com/hdm-project/hdm/sim/transport"
)

// queueClock is the kernel's time, as message queues want it.
type queueClock struct{ k *kernel.Kernel }

func (c queueClock) Now() time.Time { return machine.Epoch.Add(c.k.Now()) }

func (c queueClock) After(d time.Duration, f func()) func() bool { return c.k.After(d, f).Stop }

func TestCallsOfADeadCallerWhoseAnswersAreLostMakeRoomAgain(t *testing.T) {
	k := kernel.New(1)
	t.Cleanup(k.Close)
	act := sqs.LoseAnswer()
	service := sqs.New(sqs.Config{Clock: queueClock{k}, Intercept: func(sqs.Call) sqs.Act { return act }})
	require.NoError(t, service.CreateQueue("q", nil))
	path := &transport.QueuePath{Kernel: k, Service: service}
	call := func(ctx context.Context) error {
		body := strings.NewReader(`{"QueueUrl": "http://sqs.invalid/000000000000/q"}`)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sqs.invalid/", body)
		require.NoError(t, err)
		req.Header.Set("X-Amz-Target", "AmazonSQS.ReceiveMessage")
		res, err := path.Do(req)
		if err == nil {
			assert.Equal(t, http.StatusOK, res.StatusCode)
			assert.NoError(t, res.Body.Close())
		}
		return err
	}
	driver := kernel.NewDriver(k, 0, kernel.Limits{Events: 1_000_000})
	const most = 1024
	dead := machine.New(k, "appliance")
	for range most {
		dead.Go(background, "caller", func(ctx context.Context) { _ = call(ctx) })
	}
	require.NoError(t, driver.Run(time.Second, nil))
	dead.PowerOff()
	act = sqs.Pass()
	next := func() (err error) {
		machine.New(k, "next").Go(background, "caller", func(ctx context.Context) { err = call(ctx) })
		require.NoError(t, driver.Run(k.Now()+time.Second, nil))
		return err
	}
	var e *transport.QueueError
	require.True(t, errors.As(next(), &e))
	assert.Equal(t, transport.Busy, e.Reason)
	require.NoError(t, driver.Run(k.Now()+30*time.Second, nil))
	assert.NoError(t, next())
}

package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/sqs"
	"github.com/hdm-project/hdm/sim/transport"
)

const (
	commands    = "c.fifo"
	responses   = "r.fifo"
	deadLetters = "c_dead_letter.fifo"
	token       = "a-secret-token"
)

// world is queues, a service that answers on them for a made-up appliance, and
// virtual time.
type world struct {
	*testing.T
	kernel    *kernel.Kernel
	driver    *kernel.Driver
	sqs       *sqs.Service
	machine   *machine.Machine
	appliance *fake
	setUps    []error
	troubles  []error
}

type clock struct{ k *kernel.Kernel }

func (c clock) Now() time.Time { return machine.Epoch.Add(c.k.Now()) }

func (c clock) After(d time.Duration, f func()) func() bool { return c.k.After(d, f).Stop }

// newWorld has both queues.
func newWorld(t *testing.T) *world {
	w := emptyWorld(t)
	w.create(commands)
	w.create(responses)
	return w
}

func emptyWorld(t *testing.T) *world {
	k := kernel.New(1)
	t.Cleanup(k.Close)
	w := &world{T: t, kernel: k, driver: kernel.NewDriver(k, 0, kernel.Limits{Events: 10_000_000}), machine: machine.New(k, "appliance")}
	w.sqs = sqs.New(sqs.Config{Clock: clock{k}})
	w.appliance = &fake{world: w, health: health.Of(nil, nil), answer: appliance.Answer{Outcome: appliance.Accepted, Migration: "m-0001"}}
	return w
}

func (w *world) create(queue string) {
	require.NoError(w, w.sqs.CreateQueue(queue, map[string]string{"FifoQueue": "true"}))
}

func (w *world) endpoint() bus.Endpoint {
	return bus.Endpoint{URL: "http://sqs.invalid", Region: "us-east-1", HTTP: &transport.QueuePath{Kernel: w.kernel, Service: w.sqs}}
}

// BusSetUp implements bus.Observer.
func (w *world) BusSetUp(err error) { w.setUps = append(w.setUps, err) }

// BusTrouble implements bus.Observer.
func (w *world) BusTrouble(err error) { w.troubles = append(w.troubles, err) }

func (w *world) config() bus.Config {
	return bus.Config{
		Runtime: w.machine, Appliance: w.appliance, ID: "hdm-1", Endpoint: w.endpoint(),
		Commands: commands, Responses: responses, Token: protocol.NewSecret(token), Observer: w,
	}
}

// start starts the service.
func (w *world) start() {
	w.do(func(context.Context) {
		_, err := bus.Start(context.Background(), w.config())
		require.NoError(w, err)
	})
}

// do runs fn as a task of its own and lets a moment pass.
func (w *world) do(fn func(context.Context)) {
	w.machine.Go(context.Background(), "test", fn)
	w.pass(time.Second)
}

func (w *world) pass(d time.Duration) { require.NoError(w, w.driver.Run(w.kernel.Now()+d, nil)) }

var sent int

// send puts a message into the command queue.
func (w *world) send(body string) {
	w.do(func(ctx context.Context) {
		q, err := w.endpoint().Open(ctx, commands)
		require.NoError(w, err)
		sent++
		require.NoError(w, q.Send(ctx, bus.Message{Body: body, ID: fmt.Sprint(sent), Group: "test"}))
	})
}

func (w *world) ask(r protocol.Request) {
	r.Head().Token = protocol.NewSecret(token)
	body, err := protocol.EncodeRequest(r)
	require.NoError(w, err)
	w.send(string(body))
}

// heard are the responses in the queue that are no heartbeats, in order.
func (w *world) heard() (all []protocol.Response) {
	for _, m := range w.sqs.Messages(responses) {
		r, err := protocol.DecodeResponse([]byte(m.Body))
		require.NoError(w, err)
		if _, beat := r.(*protocol.Heartbeat); !beat {
			all = append(all, r)
		}
	}
	return all
}

func (w *world) heartbeats() (all []*protocol.Heartbeat) {
	for _, m := range w.sqs.Messages(responses) {
		r, err := protocol.DecodeResponse([]byte(m.Body))
		require.NoError(w, err)
		if beat, is := r.(*protocol.Heartbeat); is {
			all = append(all, beat)
		}
	}
	return all
}

// fake is an appliance that does what the test says.
type fake struct {
	world   *world
	health  health.State
	booting bool
	answer  appliance.Answer
	failed  error // of orders
	orders  []migration.Order
	running []appliance.Status
	vms     []migration.Offered
	reading time.Duration // how long the inventory takes
	read    int
	words   []string         // that were said
	said    appliance.Answer // to them
	deaf    error            // of words
}

func (f *fake) Health() health.State { return f.health }
func (f *fake) Booted() bool         { return !f.booting }
func (f *fake) Epoch() int           { return 1 }
func (f *fake) Incarnation() string  { return "0000abcd" }

func (f *fake) Order(o migration.Order) (appliance.Answer, error) {
	f.orders = append(f.orders, o)
	return f.answer, f.failed
}

func (f *fake) Find(request string) (appliance.Status, bool) {
	for _, m := range f.running {
		if m.Order.Request == request {
			return m, true
		}
	}
	return appliance.Status{}, false
}

func (f *fake) Unanswered() (all []appliance.Status) {
	for _, m := range f.running {
		if !m.Responses.Final {
			all = append(all, m)
		}
	}
	return all
}

func (f *fake) Responded(id migration.ID, told migration.Responded) error {
	for i := range f.running {
		if m := &f.running[i]; m.ID == id {
			m.Responses.Count++
			m.Responses.Percent, m.Responses.Final = max(m.Responses.Percent, told.Percent), told.Final
		}
	}
	return nil
}

func (f *fake) Inventory(ctx context.Context) ([]migration.Offered, error) {
	f.read++
	return f.vms, f.world.machine.Sleep(ctx, f.reading)
}

func (f *fake) Say(_ context.Context, vm string, w migration.Word) (appliance.Answer, error) {
	f.words = append(f.words, vm+" "+string(w))
	return f.said, f.deaf
}

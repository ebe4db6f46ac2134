package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/client"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/sqs"
)

const secret = "token-of-these-tests"

// world is an SQS service in virtual time, HDM's end of its queues, and a
// computer for clients.
type world struct {
	t           *testing.T
	kernel      *kernel.Kernel
	sqs         *sqs.Service
	act         func(sqs.Call) sqs.Act // what happens to calls
	offline     bool                   // the Internet link is down
	hdm         *hdm
	computer    *machine.Machine
	end         string // of the queues' names
	bus         *bus.Service
	heard       []protocol.Response // by clients' observers
	unreadable  []string
	dropped     []string
	troubles    []error
	calls, fail int
	said        int // by say
}

// inWorlds runs a test with both kinds of queues.
func inWorlds(t *testing.T, test func(t *testing.T, w *world)) {
	for _, end := range []string{".fifo", ""} {
		t.Run("queues"+end, func(t *testing.T) { test(t, newWorld(t, end)) })
	}
}

func newWorld(t *testing.T, end string) *world {
	k := kernel.New(1)
	t.Cleanup(k.Close)
	w := &world{t: t, kernel: k, end: end, computer: machine.New(k, "client")}
	w.sqs = sqs.New(sqs.Config{Clock: clock{k}, Intercept: func(c sqs.Call) sqs.Act {
		if w.act == nil {
			return sqs.Pass()
		}
		return w.act(c)
	}})
	require.NoError(t, w.sqs.CreateQueue(w.commands(), nil))
	require.NoError(t, w.sqs.CreateQueue(w.responses(), nil))
	return w
}

func (w *world) commands() string  { return "commands" + w.end }
func (w *world) responses() string { return "responses" + w.end }

func (w *world) endpoint() bus.Endpoint {
	return bus.Endpoint{URL: "http://sqs.invalid", Region: "us-east-1", HTTP: wire{w}}
}

// startHDM starts HDM's end of the bus.
func (w *world) startHDM() {
	w.t.Helper()
	m := machine.New(w.kernel, "hdm")
	w.hdm = &hdm{runtime: m, orders: map[string]*appliance.Status{}}
	var err error
	w.bus, err = bus.Start(context.Background(), bus.Config{
		Runtime: m, Appliance: w.hdm, ID: "hdm-1", Endpoint: w.endpoint(), Token: protocol.NewSecret(secret),
		Commands: w.commands(), Responses: w.responses(),
	})
	require.NoError(w.t, err)
}

func (w *world) config() client.Config {
	return client.Config{
		Runtime: w.computer, Endpoint: w.endpoint(), Commands: w.commands(), Responses: w.responses(),
		Token: protocol.NewSecret(secret), Observer: w,
	}
}

func (w *world) Heard(r protocol.Response) { w.heard = append(w.heard, r) }
func (w *world) Trouble(err error)         { w.troubles = append(w.troubles, err) }
func (w *world) Unreadable(message string, err error) {
	to := &w.unreadable
	if errors.As(err, new(*client.DroppedError)) {
		to = &w.dropped
	}
	*to = append(*to, message)
}

// run runs what a client does, and lets so much virtual time pass. What has not
// ended by then is cancelled.
func (w *world) run(d time.Duration, do func(ctx context.Context, c *client.Client)) {
	w.t.Helper()
	ctx, cancel := w.computer.WithCancel(context.Background())
	ended := false
	w.computer.Go(ctx, "program", func(ctx context.Context) {
		c, err := client.Open(ctx, w.config())
		if err != nil {
			w.t.Errorf("opening: %v", err)
			return
		}
		do(ctx, c)
		ended = true
	})
	w.pass(d)
	cancel()
	w.pass(0)
	require.True(w.t, ended, "what the client did has not ended")
}

func (w *world) pass(d time.Duration) {
	w.t.Helper()
	limits := kernel.Limits{Events: 1_000_000, Wall: time.Minute}
	require.NoError(w.t, kernel.NewDriver(w.kernel, 0, limits).Run(w.kernel.Now()+d, nil))
}

// clock is the SQS service's.
type clock struct{ kernel *kernel.Kernel }

func (c clock) Now() time.Time { return machine.Epoch.Add(c.kernel.Now()) }
func (c clock) After(d time.Duration, f func()) func() bool {
	return c.kernel.After(d, f).Stop
}

// wire carries calls to the service while the link is up, for at most 30 seconds
// each.
type wire struct{ world *world }

var errOffline = &offline{}

type offline struct{}

func (*offline) Error() string     { return "no route to host" }
func (*offline) Unreachable() bool { return true }

func (t wire) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w := t.world
	w.calls++
	if w.offline {
		w.fail++
		return nil, errOffline
	}
	answered := kernel.NewSignal(w.kernel)
	var got sqs.Response
	gone := w.sqs.Do(sqs.Request{Method: r.Method, Path: r.URL.Path, Host: r.URL.Host, Header: r.Header, Body: body}, func(a sqs.Response) {
		got = a
		answered.Fire()
	})
	if err := machine.Wait(r.Context(), w.kernel, 30*time.Second, answered); err != nil {
		gone()
		return nil, err
	}
	if got.Status == 0 {
		gone()
		return nil, errors.New("no answer in 30 seconds")
	}
	return &http.Response{StatusCode: got.Status, Header: got.Header, Body: io.NopCloser(bytes.NewReader(got.Body)), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

// hdm is an appliance whose migrations take a minute.
type hdm struct {
	runtime runtime.Runtime
	down    []string
	vms     int
	orders  map[string]*appliance.Status
	fails   bool
}

func (h *hdm) Health() health.State { return health.Of(h.down, nil) }
func (h *hdm) Epoch() int           { return 1 }
func (h *hdm) Booted() bool         { return true }
func (h *hdm) Incarnation() string  { return "00c0ffee" }

func (h *hdm) Order(o migration.Order) (appliance.Answer, error) {
	if _, known := h.orders[o.Request]; known {
		return appliance.Answer{Outcome: appliance.Duplicate}, nil
	}
	if o.Target.Adapter == "e1000e9" {
		return appliance.Answer{Outcome: appliance.Rejected, Reasons: []migration.Reason{{Code: migration.CodeAdapter, What: "no such adapter", Fix: "use vmxnet3"}}}, nil
	}
	m := &appliance.Status{}
	m.ID, m.Order, m.State, m.Step = migration.ID("m-"+o.Request), o, migration.Running, migration.StepCheck
	h.orders[o.Request] = m
	h.runtime.Go(context.Background(), "migration", func(ctx context.Context) {
		for _, row := range migration.ColdTable {
			m.Step = row.Step
			_ = h.runtime.Sleep(ctx, 10*time.Second)
		}
		m.State = migration.Completed
		if h.fails {
			m.State, m.Reasons = migration.Failed, []migration.Reason{{Code: migration.CodeFailed, What: "the disk broke", Fix: "repair it"}}
		}
	})
	return appliance.Answer{Migration: m.ID}, nil
}

func (h *hdm) Find(request string) (appliance.Status, bool) {
	m, known := h.orders[request]
	if !known {
		return appliance.Status{}, false
	}
	return *m, true
}

func (h *hdm) Unanswered() []appliance.Status {
	var all []appliance.Status
	for _, id := range []string{"r-1", "r-2"} {
		if m := h.orders[id]; m != nil && !m.Responses.Final {
			all = append(all, *m)
		}
	}
	return all
}

func (h *hdm) Responded(id migration.ID, told migration.Responded) error {
	for _, m := range h.orders {
		if m.ID == id {
			m.Responses.Count++
			m.Responses.Percent, m.Responses.Final = told.Percent, told.Final
		}
	}
	return nil
}

func (h *hdm) Inventory(context.Context) ([]migration.Offered, error) {
	all := make([]migration.Offered, h.vms)
	for i := range all {
		all[i].VM = vsphere.VM{Name: fmt.Sprintf("vm-%03d", i)}
	}
	return all, nil
}

// say puts a response on the response queue, as HDM does.
func (w *world) say(ctx context.Context, q *bus.Queue, r protocol.Response) {
	w.said++
	h := r.Head()
	h.ApplianceID, h.ResponseID = "hdm-1", fmt.Sprintf("said/%d", w.said)
	body, err := protocol.EncodeResponse(r)
	require.NoError(w.t, err)
	require.NoError(w.t, q.Send(ctx, bus.Message{Body: string(body), ID: h.ResponseID, Group: "hdm-1"}))
}

// answer answers every request with what reply makes of SQS's name for its
// message, in place of HDM. It counts the requests.
func (w *world) answer(reply func(message string) []protocol.Response) *int {
	asked := new(int)
	m := machine.New(w.kernel, "stub")
	m.Go(context.Background(), "answer", func(ctx context.Context) {
		commands, err := w.endpoint().Open(ctx, w.commands())
		require.NoError(w.t, err)
		responses, err := w.endpoint().Open(ctx, w.responses())
		require.NoError(w.t, err)
		for {
			batch, err := commands.Receive(ctx, bus.MaxBatch, bus.MaxWait, time.Hour)
			if err != nil {
				return
			}
			for _, d := range batch {
				*asked++
				request, err := protocol.DecodeRequest([]byte(d.Body))
				require.NoError(w.t, err)
				for _, r := range reply(d.ID) {
					r.Head().RequestID = request.Head().RequestID
					w.say(ctx, responses, r)
				}
				require.NoError(w.t, commands.Delete(ctx, d))
			}
		}
	})
	return asked
}

func (h *hdm) Say(context.Context, string, migration.Word) (appliance.Answer, error) {
	return appliance.Answer{Outcome: appliance.Rejected, Reasons: []migration.Reason{{Code: migration.CodeOrder, What: "it does not wait", Fix: "wait"}}}, nil
}

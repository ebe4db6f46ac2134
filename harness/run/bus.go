package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/client"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/sqs"
)

// sqsURL is where the simulated queues are to those who reach them in process.
const sqsURL = "http://sqs.invalid"

// BusOf are the names of the queues of a run's message bus.
func BusOf(kind faults.Bus) map[faults.Queue]string {
	end := ""
	if kind == faults.FIFO {
		end = ".fifo"
	}
	commands := "hdm_command_queue" + end
	return map[faults.Queue]string{
		faults.Commands: commands, faults.Responses: "hdm_response_queue" + end, faults.DeadLetters: bus.DeadLettersOf(commands),
	}
}

// messages is the message bus of a run, as those beside the appliance see it.
type messages struct {
	queues  map[faults.Queue]string
	token   string
	machine *machine.Machine // the client's
	client  *client.Client   // nil until it has found both queues
	heard   []protocol.Response
	beats   map[string]bool // "<status>: <details>" of heartbeats that the client has seen
	needed  map[string]bool // what a set-up failed for
	setUp   bool            // by the present boot
	raw     int             // messages sent as they stand
}

// queueFault is a fault of calls to SQS.
type queueFault struct {
	*faults.QueueCalls
	operation string
	act       sqs.Act
	// could says whether it can act on what a call does to messages. Nil: it acts
	// on any call as it comes in.
	could func(sqs.Effect) bool
}

// What the faults that act on messages need of a call.
func anything(sqs.Effect) bool    { return true }
func orderOpen(e sqs.Effect) bool { return e.Open > 1 }

// mostHeard bounds how many responses the client keeps for the judge: far more
// than a scenario's.
const mostHeard = 200_000

// openBus makes the queues of the scenario's bus and lets a client listen.
func (st *stage) openBus() error {
	b := st.scenario.Bus
	if b == nil {
		return nil
	}
	m := &messages{
		queues: BusOf(b.Queues), beats: map[string]bool{}, needed: map[string]bool{}, machine: st.world.Client(),
		token: st.options.Token,
	}
	if m.token == "" {
		m.token = fmt.Sprintf("%016x%016x", st.kernel.Rand("bus/token").Uint64(), st.kernel.Rand("bus/token").Uint64())
	}
	st.bus = m
	st.world.Token = protocol.NewSecret(m.token)
	st.world.InterceptQueues = st.interceptQueue
	for _, q := range []faults.Queue{faults.Commands, faults.Responses} {
		if !slices.Contains(b.Absent, q) {
			if err := st.createQueue(q); err != nil {
				return err
			}
		}
	}
	st.kernel.At(0, func() { m.machine.Go(context.Background(), "client", st.listen) })
	return nil
}

func (st *stage) createQueue(q faults.Queue) error {
	attributes := map[string]string{}
	if st.scenario.Bus.Queues == faults.FIFO {
		attributes["FifoQueue"] = "true"
	}
	return st.world.SQS.CreateQueue(st.bus.queues[q], attributes)
}

// listen is the client: it hears everything that HDM says, as soon as both
// queues are there. In a live world others do: there it only speaks.
func (st *stage) listen(ctx context.Context) {
	m := st.bus
	for {
		c, err := client.Open(ctx, client.Config{
			Runtime: m.machine, Endpoint: bus.Endpoint{URL: sqsURL, Region: "us-east-1", HTTP: st.world.ClientQueues()},
			Commands: m.queues[faults.Commands], Responses: m.queues[faults.Responses], Token: protocol.NewSecret(m.token),
		})
		if err == nil {
			m.client = c
			if st.options.endless || c.Watch(ctx, st.heardOf) == nil {
				return
			}
		}
		if m.machine.Sleep(ctx, askAgain) != nil {
			return
		}
	}
}

// heardOf is told every response once.
func (st *stage) heardOf(r protocol.Response) error {
	m := st.bus
	if len(m.heard) < mostHeard {
		m.heard = append(m.heard, r)
	}
	if b, is := r.(*protocol.Heartbeat); is {
		m.beats[string(b.Status)+": "+b.Details] = true
		return nil
	}
	st.kernel.Emit(event.Response, r.Head().RequestID, site.TellingOf(r)...)
	return nil
}

// serveBus lets the appliance of this boot answer on the message bus.
func (st *stage) serveBus(ctx context.Context, m *machine.Machine, app *appliance.Appliance) error {
	if st.bus == nil {
		return nil
	}
	st.bus.setUp = false
	_, err := bus.Start(ctx, bus.Config{
		Runtime: m, Appliance: app, ID: applianceID, Token: protocol.NewSecret(st.bus.token),
		Endpoint: bus.Endpoint{URL: sqsURL, Region: "us-east-1", HTTP: st.world.Queues()},
		Commands: st.bus.queues[faults.Commands], Responses: st.bus.queues[faults.Responses],
		Observer: st,
	})
	return err
}

// BusSetUp implements bus.Observer.
func (st *stage) BusSetUp(err error) {
	if err == nil {
		st.bus.setUp = true
		st.kernel.Emit(event.BusSetUp, applianceVM, "outcome", "done")
		return
	}
	needs := ""
	if e := new(bus.SetUpError); errors.As(err, &e) {
		needs = e.Needs
	}
	st.bus.needed[needs] = true
	st.kernel.Emit(event.BusSetUp, applianceVM, "outcome", "failed", "needs", needs, "why", err.Error())
}

// BusTrouble implements bus.Observer.
func (st *stage) BusTrouble(err error) {
	if err == nil {
		st.kernel.Emit(event.BusTrouble, applianceVM, "outcome", "over")
		return
	}
	st.kernel.Emit(event.BusTrouble, applianceVM, "outcome", "failed", "why", err.Error())
}

// busy says what of the message bus has not come to its end; "" if all has. A
// migration that waits for a person has none yet, and none has that nothing but a
// reset can end: stuck.
func (m *messages) busy(w *site.World, app *appliance.Appliance, stuck bool) string {
	if m == nil || !m.setUp {
		return ""
	}
	for _, untold := range app.Unanswered() {
		if untold.State.Final() || untold.State != migration.Waiting && !stuck {
			return fmt.Sprintf("the end of %s was not told on the message bus", untold.ID)
		}
	}
	for _, q := range w.SQS.Queues() {
		if q.Name == m.queues[faults.Commands] && q.Visible+q.InFlight > 0 {
			return "messages were in the command queue"
		}
	}
	return ""
}

// say lets a client do something with the message bus, tried until both queues
// are there. What is refused at once, such as a message that is too large for
// SQS, is the step's refusal.
func (st *stage) say(i int, what string, fn func(ctx context.Context, c *client.Client) error) {
	m := st.bus
	st.busy++
	m.machine.Go(context.Background(), fmt.Sprintf("step/%d", i+1), func(ctx context.Context) {
		defer func() { st.busy-- }()
		for m.client == nil {
			if m.machine.Sleep(ctx, askAgain) != nil {
				return
			}
		}
		refused := ""
		if err := fn(ctx, m.client); err != nil {
			refused = err.Error()
		}
		st.stepEnded(i, what, refused)
	})
}

// orderByMessage gives the orders of a step as messages.
func (st *stage) orderByMessage(i int, m *scenario.Migrate) {
	st.say(i, "migrate", func(ctx context.Context, c *client.Client) error {
		for n, o := range m.Orders() {
			if o.Request == "" {
				o.Request = fmt.Sprintf("step-%d.%d", i+1, n+1)
			}
			st.facts.given(o.Request)
			if err := c.Clone(ctx, cloneOf(o)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Made-up credentials of a guest's administrator.
const guestUser, guestPassword = "hdm-admin", "made-up"

func cloneOf(o migration.Order) protocol.CloneRequest {
	r := protocol.CloneRequest{
		RequestHead: protocol.RequestHead{RequestID: o.Request}, VM: o.VM, Mode: protocol.Mode(o.Type),
		Target: protocol.Target{Pool: o.Target.Pool, Datastore: o.Target.Datastore, Adapter: o.Target.Adapter},
	}
	if o.Type == migration.Warm {
		r.BulkTransfer = protocol.Online
		if o.Offline {
			r.BulkTransfer = protocol.Offline
		}
		r.Credentials = &protocol.Credentials{User: guestUser, Password: protocol.NewSecret(guestPassword)}
	}
	for _, n := range o.Target.Networks {
		r.Target.Networks = append(r.Target.Networks, protocol.Mapping(n))
	}
	return r
}

// message sends a message as it stands.
func (st *stage) message(i int, m *scenario.Message) {
	body := strings.ReplaceAll(m.Body, scenario.TokenWord, st.bus.token) + strings.Repeat(" ", m.Pad)
	st.bus.raw++
	id := fmt.Sprintf("raw-%d", st.bus.raw)
	st.say(i, "message", func(ctx context.Context, c *client.Client) error { return c.Send(ctx, []byte(body), id) })
}

// claimQueue lets fault i act on calls to SQS from now on.
func (st *stage) claimQueue(i int, kind faults.OfQueue, act sqs.Act, could func(sqs.Effect) bool) {
	calls, operation := kind.Calls()
	st.acting.queues = append(st.acting.queues, &claim[queueFault]{fault: i, of: queueFault{calls, operation, act, could}})
}

// interceptQueue lets the faults of queues act on a call: as it comes in, or as
// soon as it does something to messages.
func (st *stage) interceptQueue(c sqs.Call) sqs.Act {
	if act, hit := st.actOn(c, nil); hit {
		return act
	}
	return sqs.Ask(func(e sqs.Effect) sqs.Act {
		act, _ := st.actOn(c, &e)
		return act
	})
}

// actOn counts a call for the faults that could act on it. effect is nil as the
// call comes in.
func (st *stage) actOn(c sqs.Call, effect *sqs.Effect) (act sqs.Act, hit bool) {
	f, hit := count(st, &st.acting.queues, func(f queueFault) bool {
		return st.bus.queues[f.Queue] == c.Queue && f.operation == c.Operation &&
			(f.could == nil) == (effect == nil) && (effect == nil || f.could(*effect))
	})
	return f.act, hit
}

// armQueue makes a fault of the message bus ready to act, and says whether it is
// one.
func (st *stage) armQueue(i int, f *faults.Fault) bool {
	switch k := f.Kind().(type) {
	case *faults.MessageDuplicate:
		st.claimQueue(i, k, sqs.Duplicate(), anything)
	case *faults.MessageReorder:
		st.claimQueue(i, k, sqs.Reorder(), orderOpen)
	case *faults.MessageLost:
		st.claimQueue(i, k, sqs.LoseAnswer(), anything)
	case *faults.MessageDelay:
		st.claimQueue(i, k, sqs.Late(timeOf(k.By)), nil)
	case *faults.MessageLateDelete:
		st.claimQueue(i, k, sqs.Late(timeOf(k.By)), anything)
	case *faults.MessageCorrupt:
		st.claimQueue(i, k, sqs.BadMD5(), anything)
	case *faults.QueueUnavailable:
		st.claimQueue(i, k, sqs.Fail("ServiceUnavailable", 503), nil)
	case *faults.QueueOverLimit:
		st.claimQueue(i, k, sqs.Fail("OverLimit", 403), nil)
	default:
		return false
	}
	return true
}

// responsesTo are what the client was told in reply to a request, in order.
func (m *messages) responsesTo(request string) (all []protocol.Response) {
	for _, r := range m.heard {
		if r.Head().RequestID == request {
			all = append(all, r)
		}
	}
	return all
}

package run

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/client"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// askAgain is how long a user waits before asking an appliance again that did
// not answer.
const askAgain = 10 * time.Second

// take takes step i.
func (st *stage) take(i int) {
	s := &st.scenario.Steps[i]
	number := strconv.Itoa(i + 1)
	switch {
	case s.Migrate != nil && s.Migrate.ByMessage():
		st.kernel.Emit(event.Step, number, "what", "migrate", "by", "message")
		st.orderByMessage(i, s.Migrate)
	case s.Migrate != nil:
		st.kernel.Emit(event.Step, number, "what", "migrate")
		st.user(number, func() { st.order(i, "migrate", s.Migrate) })
	case s.Cancel != nil:
		st.kernel.Emit(event.Step, number, "what", "cancel", "vm", s.Cancel.VM)
		st.user(number, func() { st.cancel(i, s.Cancel) })
	case s.Power != nil:
		st.kernel.Emit(event.Step, number, "what", "power", "vm", string(s.Power.Site)+"/"+s.Power.VM, "state", string(s.Power.State))
		st.power(i, s.Power)
	case s.Message != nil:
		st.kernel.Emit(event.Step, number, "what", "message")
		st.message(i, s.Message)
	case s.Inventory != nil:
		st.kernel.Emit(event.Step, number, "what", "inventory")
		st.say(i, "inventory", func(ctx context.Context, c *client.Client) error {
			return c.Inventory(ctx, s.Inventory.Request, s.Inventory.PageSize)
		})
	case s.BulkDone != nil:
		st.kernel.Emit(event.Step, number, "what", "bulk-done")
		st.say(i, "bulk-done", func(ctx context.Context, c *client.Client) error {
			return c.BulkDone(ctx, s.BulkDone.Request, s.BulkDone.Clone, s.BulkDone.Complete)
		})
	case s.Queue != nil:
		st.kernel.Emit(event.Step, number, "what", "queue")
		refused := ""
		if err := st.createQueue(s.Queue.Create); err != nil {
			refused = err.Error()
		}
		st.stepEnded(i, "queue", refused)
	case s.Views != nil:
		st.kernel.Emit(event.Step, number, "what", "views")
		st.user(number, func() { st.look(i, s.Views) })
	case st.takeCloud(i), st.takeRecovery(i):
	default:
		panic("run: no way to take step " + s.String())
	}
}

// stepEnded notes what came of step i: why it was refused, "" if it was done.
func (st *stage) stepEnded(i int, what, refused string) {
	st.outcomes[i] = &outcome{refused: refused}
	kv := []string{"what", what, "outcome", "done"}
	if refused != "" {
		kv = []string{"what", what, "outcome", "refused", "why", refused}
	}
	st.kernel.Emit(event.StepEnded, strconv.Itoa(i+1), kv...)
}

// outcome is what came of a step.
type outcome struct {
	refused string
	spared  bool // chance left it out
}

// cancel asks for a migration to be cancelled.
func (st *stage) cancel(i int, c *scenario.Cancel) {
	var refused string
	st.ask(func(_ context.Context, app *appliance.Appliance) error {
		a, err := app.Cancel(c.VM)
		refused = ""
		if a.Outcome == appliance.Rejected && len(a.Reasons) > 0 {
			refused = a.Reasons[0].What
		}
		return err
	})
	st.stepEnded(i, "cancel", refused)
}

// power is a person at a vCenter. What it refuses, the person sees and leaves.
func (st *stage) power(i int, p *scenario.Power) {
	task, err := st.world.At(p.Site).Power(p.VM, p.State == site.On)
	if err != nil {
		st.stepEnded(i, "power", err.Error())
		return
	}
	if p.State == site.On {
		st.meddle(i, p)
	}
	st.busy++
	st.hands[string(p.Site)+"/"+task] = i
}

// handed hears of the ends of tasks that people started.
func (st *stage) handed(e kernel.Event) {
	if e.Kind != event.TaskFinished || len(st.hands) == 0 {
		return
	}
	key := e.Subject + "/" + e.Attr("task")
	i, ok := st.hands[key]
	if !ok {
		return
	}
	delete(st.hands, key)
	var refused string
	if e.Attr("state") != string(vsphere.TaskSuccess) {
		refused = fmt.Sprintf("the vCenter refused it with %s", e.Attr("error"))
	}
	st.kernel.After(0, func() { // not in the middle of the event
		st.busy--
		what := "power"
		if st.scenario.Steps[i].Revert != nil {
			what = stepRevert
		}
		st.stepEnded(i, what, refused)
	})
}

// judgeSteps tells of steps that did not do what they are there for.
func (st *stage) judgeSteps() {
	for i, s := range st.scenario.Steps {
		told := func(format string, args ...any) {
			st.violate("expect", fmt.Sprintf("step %d", i+1), format, args...)
		}
		switch o := st.outcomes[i]; {
		case o == nil && !st.scenario.IdleSteps:
			told("it never acted: %s", s)
		case o == nil || o.spared:
		case o.refused != "" && !s.MayBeRefused() && !st.scenario.IdleSteps:
			told("it did not act: %s: %s", s, o.refused)
		case o.refused == "" && s.MayBeRefused():
			told("it was not refused: %s", s)
		case otherReason(&s, o.refused):
			told("it was refused for another reason: %s: %s", s, o.refused)
		}
	}
}

// user is somebody who does something with the appliance.
func (st *stage) user(name string, fn func()) {
	st.busy++
	st.kernel.Go("user/"+name, func() {
		fn()
		st.busy--
	})
}

// order gives the orders of a step, one after the other. Each has a name of its
// own, so that an order can be repeated that got no answer.
func (st *stage) order(i int, what string, m *scenario.Migrate) {
	for _, o := range m.Orders() {
		if o.Request == "" {
			o.Request = fmt.Sprintf("step-%d/%s", i+1, o.VM)
		}
		st.ask(func(_ context.Context, app *appliance.Appliance) error {
			st.facts.given(o.Request)
			a, err := app.Order(o)
			if err == nil {
				st.answers[o.Request] = a
			}
			return err
		})
	}
	st.stepEnded(i, what, "") // a refusal is an answer like any other
}

// ask asks the appliance until it answers. The asking itself runs on the
// appliance's machine, as a request handler does, and dies with it.
func (st *stage) ask(question func(context.Context, *appliance.Appliance) error) {
	for {
		if app, m := st.app, st.machine; app != nil {
			answered := kernel.NewSignal(st.kernel)
			task := m.Go(context.Background(), "request", func(ctx context.Context) {
				if question(ctx, app) == nil {
					answered.Fire()
				}
			})
			_ = task.Wait(context.Background()) // it ends: answered, or with the machine
			if answered.Fired() {
				return
			}
		}
		st.facts.set(factAskedDown, st.machine == nil)
		st.kernel.Sleep(askAgain)
	}
}

// last is the last migration of a VM that was more than turned down at once;
// of several, one that was not refused.
func (st *stage) last(vm string) (found migration.Migration, ok bool) { return st.lastOf(vm, "") }

// lastOf is last of the migrations of that type; of any if it is "".
func (st *stage) lastOf(vm string, t migration.Type) (found migration.Migration, ok bool) {
	for _, m := range st.teller.all() {
		if m.Order.VM == vm && (t == "" || m.Order.Type == t) && (!ok || m.State != migration.Refused || found.State == migration.Refused) {
			found, ok = m, true
		}
	}
	return found, ok
}

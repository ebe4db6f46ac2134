package run

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/migration"
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
	case s.Migrate != nil:
		st.kernel.Emit(event.Step, number, "what", "migrate")
		st.user(number, func() { st.order(i, s.Migrate) })
	case s.Cancel != nil:
		st.kernel.Emit(event.Step, number, "what", "cancel", "vm", s.Cancel.VM)
		st.user(number, func() {
			st.ask(func(app *appliance.Appliance) error {
				_, err := app.Cancel(s.Cancel.VM)
				return err
			})
		})
	case s.Power != nil:
		st.kernel.Emit(event.Step, number, "what", "power", "vm", string(s.Power.Site)+"/"+s.Power.VM, "state", string(s.Power.State))
		// What the vCenter refuses, the person sees and leaves.
		_ = st.world.At(s.Power.Site).Power(s.Power.VM, s.Power.State == site.On)
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
func (st *stage) order(i int, m *scenario.Migrate) {
	for _, o := range m.Orders() {
		if o.Request == "" {
			o.Request = fmt.Sprintf("step-%d/%s", i+1, o.VM)
		}
		st.ask(func(app *appliance.Appliance) error {
			a, err := app.Order(o)
			if err == nil {
				st.answers[o.Request] = a
			}
			return err
		})
	}
}

// ask asks the appliance until it answers. The asking itself runs on the
// appliance's machine, as a request handler does, and dies with it.
func (st *stage) ask(question func(*appliance.Appliance) error) {
	for {
		if app, m := st.app, st.machine; app != nil {
			answered := kernel.NewSignal(st.kernel)
			task := m.Go(context.Background(), "request", func(context.Context) {
				if question(app) == nil {
					answered.Fire()
				}
			})
			_ = task.Wait(context.Background()) // it ends: answered, or with the machine
			if answered.Fired() {
				return
			}
		}
		st.kernel.Sleep(askAgain)
	}
}

// last is the last migration of a VM that was more than turned down at once;
// of several, one that was not refused.
func (st *stage) last(vm string) (found migration.Migration, ok bool) {
	for _, m := range st.teller.all() {
		if m.Order.VM == vm && (!ok || m.State != migration.Refused || found.State == migration.Refused) {
			found, ok = m, true
		}
	}
	return found, ok
}

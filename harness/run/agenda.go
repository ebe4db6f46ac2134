package run

import (
	"strconv"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// agenda is what waits for its trigger.
type agenda struct {
	timed   int // entries whose time is known and has not come
	waiting []*entry
}

type entry struct {
	when *faults.When
	fn   func()
}

// add makes fn happen once, when the trigger holds.
func (a *agenda) add(st *stage, t faults.Trigger, fn func()) {
	if t.At != nil {
		a.schedule(st, time.Duration(*t.At)-st.kernel.Now(), fn)
		return
	}
	a.waiting = append(a.waiting, &entry{t.When, fn})
}

func (a *agenda) schedule(st *stage, after time.Duration, fn func()) {
	a.timed++
	st.kernel.After(after, func() {
		a.timed--
		fn()
	})
}

// hear lets phases begin. What waits for one happens after the event, never in
// the middle of it.
func (a *agenda) hear(st *stage, e kernel.Event) {
	if len(a.waiting) == 0 || e.Kind != event.Migration && e.Kind != event.EffectStarted && e.Kind != event.Deployment {
		return
	}
	left := a.waiting[:0]
	for _, w := range a.waiting {
		if st.enters(w.when, e) {
			a.schedule(st, time.Duration(w.when.After), w.fn)
		} else {
			left = append(left, w)
		}
	}
	a.waiting = left
}

// near says whether something will happen by itself.
func (a *agenda) near() bool { return a.timed > 0 }

// enters says whether the event is the phase: a state entered, a step begun, or
// a later attempt at it; or a phase of the deployment.
func (st *stage) enters(w *faults.When, e kernel.Event) bool {
	if e.Kind == event.Deployment || w.Deployment != "" {
		return e.Kind == event.Deployment && e.Attr("phase") == w.Deployment && st.teller.phases[w.Deployment] == w.Nth()
	}
	id := migration.ID(e.Subject)
	vm, of := st.teller.vm(id), st.teller.known[id].Order.Type
	if vm != w.VM || w.Type != "" && w.Type != of {
		return false
	}
	if e.Kind == event.Migration {
		entered := e.Attr("to")
		if step := e.Attr("step"); step != "" && entered == string(migration.Running) {
			return w.Nth() == 1 && step == w.Enters
		}
		return entered == w.Enters && e.Attr("from") != w.Enters && st.teller.entries(vm, w.Type, w.Enters) == w.Nth()
	}
	attempt, err := strconv.Atoi(e.Attr("attempt"))
	return err == nil && w.Nth() > 1 && attempt >= w.Nth() && e.Attr("step") == w.Enters && e.Attr("undo") == "" &&
		st.teller.state(id) == migration.Running
}

package run

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// agenda is what waits for its trigger.
type agenda struct {
	timed   int // entries whose time is known and has not come
	waiting []*entry

	recovery string            // phase of a recovery; "": healthy, from the start
	reset    string            // the step of a reset; "": there is none
	times    map[string]int    // how often a recovery, a reset or a flush got somewhere
	flushed  map[string]string // bindings: the VM on premises
}

func newAgenda() agenda { return agenda{times: map[string]int{}, flushed: map[string]string{}} }

type entry struct {
	when *faults.When
	fn   func()
}

// add makes fn happen once, when the trigger holds, if chance has it so: name is
// what its stream of chance is called. spared hears of what chance left out.
func (a *agenda) add(st *stage, t faults.Trigger, name string, fn, spared func()) {
	if t.Chance > 0 {
		certain := fn
		fn = func() {
			if st.kernel.Rand("chance/"+name).Float64() < t.Chance {
				certain()
				return
			}
			spared()
		}
	}
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
	if !a.follow(e) || len(a.waiting) == 0 {
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

// follow takes note of an event, and says whether a phase may begin with it.
func (a *agenda) follow(e kernel.Event) bool {
	switch e.Kind {
	case event.Migration, event.EffectStarted, event.Deployment:
		return true
	case event.Recovery:
		phase, reset := cmp.Or(e.Attr("phase"), faults.Healthy), e.Attr("reset")
		entered := phase != cmp.Or(a.recovery, faults.Healthy)
		if entered {
			a.times[ofRecovery+phase]++
		}
		stepped := reset != "" && reset != a.reset
		if stepped {
			a.times[ofReset+reset]++
		}
		a.recovery, a.reset = phase, reset
		return entered || stepped
	case event.Bound:
		a.flushed[e.Subject] = strings.TrimPrefix(e.Attr("source"), string(vsphere.OnPremises)+"/")
	case event.FlushCut, event.FlushApplied:
		a.times[a.flush(e)]++
		return true
	}
	return false
}

// Kinds of what agenda.times counts.
const (
	ofRecovery = "recovery "
	ofReset    = "reset "
	ofFlush    = "flush "
)

// flush is what happens to a flush, and of which VM.
func (a *agenda) flush(e kernel.Event) string {
	what := faults.FlushCut
	if e.Kind == event.FlushApplied {
		what = faults.FlushApplied
	}
	return ofFlush + what + " " + a.flushed[e.Subject]
}

// near says whether something will happen by itself.
func (a *agenda) near() bool { return a.timed > 0 }

// enters says whether the event is the phase: a state entered, a step begun, or
// a later attempt at it; or what else a trigger can name.
func (st *stage) enters(w *faults.When, e kernel.Event) bool {
	a := &st.agenda
	switch {
	case w.Recovery != "":
		return e.Kind == event.Recovery && a.recovery == w.Recovery && a.times[ofRecovery+w.Recovery] == w.Nth()
	case w.Reset != "":
		return e.Kind == event.Recovery && a.reset == string(w.Reset) && a.times[ofReset+string(w.Reset)] == w.Nth()
	case w.Flush != "":
		return (e.Kind == event.FlushCut || e.Kind == event.FlushApplied) && a.flush(e) == ofFlush+w.Flush+" "+w.VM && a.times[a.flush(e)] == w.Nth()
	case e.Kind != event.Migration && e.Kind != event.EffectStarted && e.Kind != event.Deployment:
		return false
	}
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

package oracle

import (
	"container/list"
	"strings"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Limits: never more than eight cold migrations at once, by what the appliance
// says and by the exports that the vCenter sees; those that wait start in the
// order in which they were queued (COLD-02); and no step is tried more often
// than documented (SYS-02).
type Limits struct {
	verdicts
	rules   Rules
	running map[string]bool // migrations
	queue   *list.List      // of *queued, in the order of their orders
	waiting map[string]*list.Element
	exports map[string]string // VM -> its lease under way
	tries   map[string]*tries // by migration
	full    uint64            // the last event that took the last free slot
	ninth   bool              // one that had to wait for a slot got its turn
	bounded bool              // a step met its bound, and its migration ended as failed
}

type queued struct {
	id           string
	event, ready uint64 // its order, and when it could have begun
	crowded      bool   // all slots were taken then
}

// tries counts the failures of the present step of a migration.
type tries struct {
	state, step string
	evidence    []uint64
	last        string // key of the effect that failed last, until the journal has that
	met         bool   // a step before has failed as often as it may
}

// forget takes the last failure back: the journal does not have it, so it uses
// up no try.
func (t *tries) forget() {
	if t.last != "" {
		t.evidence, t.last = t.evidence[:len(t.evidence)-1], ""
	}
}

// NewLimits returns the oracle for one run.
func NewLimits(r Rules) *Limits {
	return &Limits{
		verdicts: verdicts{oracle: "limits"}, rules: r,
		running: map[string]bool{}, queue: list.New(), waiting: map[string]*list.Element{},
		exports: map[string]string{}, tries: map[string]*tries{},
	}
}

// Observe implements Oracle.
func (o *Limits) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.Migration:
		o.move(&e)
	case event.LeaseOpened:
		o.exporting(&e)
	case event.LeaseClosed:
		if o.exports[e.Subject] == e.Attr("lease") {
			delete(o.exports, e.Subject)
		}
	case event.ApplianceDown:
		clear(o.exports)            // what it leaves open is nothing-left-behind's to judge
		for _, t := range o.tries { //hdm:order-safe each by itself
			t.forget()
		}
	case event.EffectStarted:
		o.started(&e)
	case event.EffectEnded:
		o.ended(&e)
	case event.EffectStale:
		if t := o.tries[e.Subject]; t != nil && t.last == e.Attr("key") {
			t.forget()
		}
	case event.JournalWrite:
		id, _, _ := strings.Cut(e.Attr("cause"), "/")
		if t := o.tries[id]; t != nil && t.last == e.Attr("cause") {
			t.last = ""
		}
	}
	return o.take()
}

func (o *Limits) move(e *kernel.Event) {
	id, from, to := e.Subject, e.Attr("from"), e.Attr("to")
	t := o.tries[id]
	if t == nil || from != to || t.step != e.Attr("step") {
		met := t != nil && (t.met || len(t.evidence) >= o.bound(t.state))
		o.tries[id] = &tries{state: to, step: e.Attr("step"), met: met}
		o.bounded = o.bounded || met && to == stateFailed
	}
	if from == to {
		return
	}
	o.wait(e)
	if !o.rules.active(to) {
		delete(o.running, id)
		delete(o.exports, onPremises+e.Attr("vm"))
		if o.rules.final(to) {
			delete(o.tries, id)
		}
		return
	}
	if o.running[id] {
		return
	}
	o.running[id] = true
	if len(o.running) == o.rules.ColdAtOnce {
		o.full = e.Seq
	}
	if len(o.running) > o.rules.ColdAtOnce {
		o.broken("COLD-02", e.At, id, []uint64{e.Seq}, "it is the %d. migration at once; at most %d may run", len(o.running), o.rules.ColdAtOnce)
	}
}

// wait follows those that wait for a slot.
func (o *Limits) wait(e *kernel.Event) {
	id, to := e.Subject, e.Attr("to")
	waits := o.waiting[id]
	switch {
	case waits == nil && to == stateChecking:
		o.waiting[id] = o.queue.PushBack(&queued{id: id, event: e.Seq})
	case waits != nil && to == stateQueued:
		its := waits.Value.(*queued)
		its.ready, its.crowded = e.Seq, len(o.running) == o.rules.ColdAtOnce
	case waits != nil:
		first, its := o.queue.Front().Value.(*queued), waits.Value.(*queued)
		if to == stateRunning && first.id != id {
			o.broken("COLD-02", e.At, id, []uint64{first.event, its.event, e.Seq}, "it started before %s, which was ordered before it and waits", first.id)
		}
		o.ninth = o.ninth || to == stateRunning && (its.crowded || o.full > its.ready)
		o.queue.Remove(waits)
		delete(o.waiting, id)
	}
}

func (o *Limits) exporting(e *kernel.Event) {
	if e.Attr("mode") != "export" {
		return
	}
	o.exports[e.Subject] = e.Attr("lease")
	if len(o.exports) > o.rules.ColdAtOnce {
		o.broken("COLD-02", e.At, e.Subject, []uint64{e.Seq}, "it is the %d. VM that is exported at once; at most %d may be", len(o.exports), o.rules.ColdAtOnce)
	}
}

func (o *Limits) started(e *kernel.Event) {
	t := o.tries[e.Subject]
	if t == nil {
		return
	}
	if bound := o.bound(t.state); len(t.evidence) >= bound {
		o.broken("SYS-02", e.At, e.Subject, append([]uint64{e.Seq}, t.evidence...), "step %s is tried again (%s) after %d failures; at most %d tries are documented", e.Attr("step"), e.Attr("kind"), len(t.evidence), bound)
	}
}

// bound is how often a step may fail in that state.
func (o *Limits) bound(state string) int {
	if state == stateUndoing {
		return o.rules.UndoTries
	}
	return o.rules.Tries
}

// ended counts failures. An attempt that found the way down uses up no try
// nor does one that was told to stop.
func (o *Limits) ended(e *kernel.Event) {
	t := o.tries[e.Subject]
	switch e.Attr("outcome") {
	case "done", "unreachable", "cancelled":
		return
	}
	if t != nil {
		t.evidence, t.last = append(t.evidence, e.Seq), e.Attr("key")
	}
}

// Finish implements Oracle.
func (o *Limits) Finish(*Truth) []record.Violation { return nil }

// Tested implements Oracle: a queue that nobody had to wait in shows nothing, nor
// does a step that failed less often than it may.
func (o *Limits) Tested() []string {
	return append(tested(o.ninth, "COLD-02"), tested(o.bounded, "SYS-02/cold")...)
}

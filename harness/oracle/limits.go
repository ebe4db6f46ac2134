package oracle

import (
	"container/list"
	"math"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Limits: never more than eight cold migrations at once, by what the appliance
// says and by the exports that the vCenter sees; never more on the cloud cache, on
// the way there or back than the mode of the deployment allows (DEP-03); those
// that wait start in the order in which they were queued (COLD-02); and no step is
// tried more often than documented (SYS-02).
type Limits struct {
	verdicts
	rules   Rules
	mode    string // of the deployment, as last told
	lanes   map[string]*lane
	laneOf  map[string]*lane  // by migration
	binds   map[string]uint64 // bindings: the event that made each
	waiting map[string]*list.Element
	exports map[string]string // VM -> its lease under way
	tries   map[string]*tries // by migration
	ninth   bool              // one that had to wait for a slot got its turn
	limited bool              // the same, of those that go to the cloud cache
	bounded bool              // a step met its bound, and its migration ended as failed
}

// lane is what shares slots and is queued in order: cold migrations, those to the
// cloud cache, and those from there.
type lane struct {
	name    string
	clause  string
	running map[string]bool // migrations
	queue   *list.List      // of *queued, in the order of their orders
	full    uint64          // the last event that took the last free slot
}

// The lanes.
const (
	laneCold  = "cold"
	laneCloud = "cloud"
	laneBack  = "back"
	// laneRecovery has as many slots as there are VMs to bring back.
	laneRecovery = "recovery"
)

var laneOf = map[string]string{typeWarm: laneCloud, typeTBC: laneCloud, typeBack: laneBack, typeRecover: laneRecovery}

type queued struct {
	id           string
	event, ready uint64 // its order, and when it could have begun
	crowded      bool   // all slots were taken then
}

// tries counts the failures of the present step of a migration.
type tries struct {
	of          string // the type of the migration
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
		lanes: map[string]*lane{}, laneOf: map[string]*lane{}, binds: map[string]uint64{}, waiting: map[string]*list.Element{},
		exports: map[string]string{}, tries: map[string]*tries{},
	}
}

// lane is that of a migration, which its first event tells.
func (o *Limits) lane(e *kernel.Event) *lane {
	if l := o.laneOf[e.Subject]; l != nil {
		return l
	}
	name, clause := laneOf[e.Attr("type")], "DEP-03"
	if name == "" {
		name, clause = laneCold, "COLD-02"
	}
	l := o.lanes[name]
	if l == nil {
		l = &lane{name: name, clause: clause, running: map[string]bool{}, queue: list.New()}
		o.lanes[name] = l
	}
	o.laneOf[e.Subject] = l
	return l
}

// slots is how many of a lane may run at once.
func (o *Limits) slots(l *lane) int {
	if l.name == laneCold {
		return o.rules.ColdAtOnce
	}
	if l.name == laneRecovery {
		return math.MaxInt // what is bound is bounded
	}
	m, _ := limitsOf(o.mode)
	return m.warm
}

// Observe implements Oracle.
func (o *Limits) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.Migration:
		o.move(&e)
	case event.Deployment:
		if _, known := limitsOf(e.Attr("mode")); known { // while it is removed, what was allowed may come to its end
			o.mode = e.Attr("mode")
		}
	case event.Bound:
		o.bind(&e)
	case event.Released:
		delete(o.binds, e.Subject)
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
		met := t != nil && (t.met || len(t.evidence) >= o.bound(t))
		o.tries[id] = &tries{of: e.Attr("type"), state: to, step: e.Attr("step"), met: met}
		o.bounded = o.bounded || met && to == stateFailed
	}
	if from == to {
		return
	}
	l := o.lane(e)
	o.wait(e, l)
	if !o.rules.active(to) {
		delete(l.running, id)
		delete(o.exports, onPremises+e.Attr("vm"))
		if o.rules.final(to) {
			delete(o.tries, id)
			delete(o.laneOf, id)
		}
		return
	}
	if l.running[id] {
		return
	}
	l.running[id] = true
	if len(l.running) == o.slots(l) {
		l.full = e.Seq
	}
	if len(l.running) > o.slots(l) && from != stateWaiting { // what waits for a word has had its turn
		o.broken(l.clause, e.At, id, []uint64{e.Seq}, "it is the %d. migration at once; at most %d may run", len(l.running), o.slots(l))
	}
}

// bind: a VM is on the cloud cache.
func (o *Limits) bind(e *kernel.Event) {
	o.binds[e.Subject] = e.Seq
	if m, known := limitsOf(o.mode); known && len(o.binds) > m.vms {
		o.broken("DEP-03", e.At, e.Subject, []uint64{e.Seq}, "it is the %d. VM on the cloud cache; %s has room for %d", len(o.binds), o.mode, m.vms)
	}
}

// wait follows those that wait for a slot.
func (o *Limits) wait(e *kernel.Event, l *lane) {
	id, to := e.Subject, e.Attr("to")
	waits := o.waiting[id]
	switch {
	case waits == nil && to == stateChecking:
		o.waiting[id] = l.queue.PushBack(&queued{id: id, event: e.Seq})
	case waits != nil && to == stateQueued:
		its := waits.Value.(*queued)
		its.ready, its.crowded = e.Seq, len(l.running) >= o.slots(l)
	case waits != nil:
		first, its := l.queue.Front().Value.(*queued), waits.Value.(*queued)
		if to == stateRunning && first.id != id {
			o.broken(l.clause, e.At, id, []uint64{first.event, its.event, e.Seq}, "it started before %s, which was ordered before it and waits", first.id)
		}
		turn := to == stateRunning && (its.crowded || l.full > its.ready)
		o.ninth = o.ninth || turn && l.name == laneCold
		o.limited = o.limited || turn && l.name == laneCloud
		l.queue.Remove(waits)
		delete(o.waiting, id)
	}
}

func (o *Limits) exporting(e *kernel.Event) {
	if e.Attr("mode") != "export" || strings.HasSuffix(e.Subject, cloneSuffix) {
		return // the data of a warm migration is no cold migration's
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
	if bound := o.bound(t); len(t.evidence) >= bound {
		o.broken("SYS-02", e.At, e.Subject, append([]uint64{e.Seq}, t.evidence...), "step %s is tried again (%s) after %d failures; at most %d tries are documented", e.Attr("step"), e.Attr("kind"), len(t.evidence), bound)
	}
}

// bound is how often a step may fail in that state. To bring a VM back after a
// failure is tried as long as to take something back.
func (o *Limits) bound(t *tries) int {
	if t.state == stateUndoing || t.of == typeRecover {
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
	return slices.Concat(tested(o.ninth, "COLD-02"), tested(o.limited, "DEP-03"), tested(o.bounded, "SYS-02/cold"))
}

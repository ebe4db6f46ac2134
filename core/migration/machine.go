package migration

import (
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Knobs are the numbers that an operator may change.
type Knobs struct {
	// Outage is how long a site may be out of reach before the outage counts as
	// permanent (guide: 5 minutes, A-04).
	Outage time.Duration
	// Backoff is the wait before a second try; it doubles up to MaxBackoff.
	Backoff, MaxBackoff time.Duration
	// UndoTries bounds the tries of each undo.
	UndoTries int
	// Cold is how many cold migrations run at once (COLD-02).
	Cold int
	// Queue is how many migrations may wait.
	Queue int
	// History is how many ended migrations are remembered. The name of a request
	// is known for as long as its migration is (MIG-14).
	History int
}

// DefaultKnobs are the documented numbers.
var DefaultKnobs = Knobs{
	Outage:  5 * time.Minute,
	Backoff: 10 * time.Second, MaxBackoff: time.Minute,
	UndoTries: 10,
	Cold:      8,
	Queue:     10_000,
	History:   10_000,
}

// Verdict is what Decide makes of an event.
type Verdict struct {
	Migration Migration // its Moved says what moved
	Effects   []Effect  // at most one
	Cancel    string    // key of the outstanding effect that is to be told to stop
	// Ignored says why the event made no sense and changed nothing; "" if it
	// did.
	Ignored string
}

// Move is one change of a migration's state or step.
type Move struct {
	From     State    `json:"from"`
	To       State    `json:"to"`
	FromStep StepName `json:"from_step,omitempty"`
	ToStep   StepName `json:"to_step,omitempty"`
}

// Decide is the one function that moves a migration. It is pure and total: an
// event that makes no sense in a state is answered with Ignored.
func (k Knobs) Decide(m Migration, now time.Time, ev Event) Verdict {
	m.Started, m.ToUndo = slices.Clone(m.Started), slices.Clone(m.ToUndo)
	m.Reasons, m.Leftovers = slices.Clone(m.Reasons), slices.Clone(m.Leftovers)
	d := &decision{Knobs: k, now: now, table: Tables[m.Order.Type], m: m}
	switch ev := ev.(type) {
	case EffectDone:
		if d.awaits(ev.Key) {
			d.done(ev.Result)
		}
	case EffectFailed:
		if d.awaits(ev.Key) {
			d.failed(ev.Failure)
		}
	case TurnCame:
		if m.State == Queued {
			d.reserved = ev.Reserved
			d.move(Running)
			d.begin(d.table[0].Step)
		} else {
			d.ignore("its turn came in state %s", m.State)
		}
	case CancelAsked:
		d.cancel()
	case Restarted:
		d.reserved = ev.Reserved
		d.restart()
	case EndReported:
		if m.State.Final() {
			d.m.Reported = true
		} else {
			d.ignore("its end was reported in state %s", m.State)
		}
	default:
		panic(fmt.Sprintf("migration: unknown event %T", ev))
	}
	if d.ignored == "" {
		d.m.Version, d.m.Moved = d.m.Version+1, d.moves
	}
	return Verdict{Migration: d.m, Effects: d.effects, Cancel: d.cancelKey, Ignored: d.ignored}
}

// New is the migration that an accepted order begins, and its first effect.
func (k Knobs) New(number int, o Order, now time.Time, reserved []Reservation) (Migration, Effect) {
	d := &decision{Knobs: k, now: now, table: Tables[o.Type], reserved: reserved, m: Migration{
		ID: id(number), Number: number, Order: o, State: Checking, Ordered: now,
	}}
	d.m.Version, d.m.Moved = 1, []Move{{To: Checking}}
	d.issue(StepCheck, 0)
	return d.m, d.effects[0]
}

func id(number int) ID { return ID(fmt.Sprintf("m-%04d", number)) }

type decision struct {
	Knobs
	now      time.Time
	table    Table
	reserved []Reservation

	m         Migration
	moves     []Move
	effects   []Effect
	cancelKey string
	ignored   string
}

func (d *decision) ignore(format string, args ...any) { d.ignored = fmt.Sprintf(format, args...) }

// awaits is the fence against late completions: only the outstanding effect's
// answer counts, and every attempt has its own key.
func (d *decision) awaits(key string) bool {
	if d.m.Effect != key || key == "" {
		d.ignore("%s is not awaited, but %q", key, d.m.Effect)
		return false
	}
	return true
}

// move changes the state, along Edges only.
func (d *decision) move(to State) {
	if !slices.Contains(Edges[d.m.State], to) {
		panic(fmt.Sprintf("migration: %s cannot go from %s to %s", d.m.ID, d.m.State, to))
	}
	d.moves = append(d.moves, Move{d.m.State, to, d.m.Step, ""})
	d.m.State, d.m.Step, d.m.Effect, d.m.Discard = to, "", "", false
	if to.Final() {
		d.m.ToUndo, d.m.Ended, d.m.UnreachableSince = nil, d.now, time.Time{}
	}
}

// turn goes to a step within a state.
func (d *decision) turn(step StepName) {
	d.moves = append(d.moves, Move{d.m.State, d.m.State, d.m.Step, step})
	d.m.Step, d.m.Attempt, d.m.Tries = step, 0, 0
	d.issue(step, 0)
}

// begin starts a step for the first time.
func (d *decision) begin(step StepName) {
	d.m.Started = append(d.m.Started, step)
	d.turn(step)
}

// issue asks for the effect of a step, or for its undo.
func (d *decision) issue(step StepName, delay time.Duration) {
	row := d.table.row(step)
	d.m.Discard = false
	d.m.Attempt++
	e := Effect{Kind: row.Does, Migration: d.m.ID, Step: step, Attempt: d.m.Attempt, Delay: delay}
	if d.m.State == Undoing {
		e.Kind, e.Undo = row.Undo, true
	}
	if e.Kind == Check {
		e.Reserved = d.reserved
	}
	d.ask(e)
}

// redo does the present step, or its undo, once more.
func (d *decision) redo(delay time.Duration) {
	row := d.table.row(d.current())
	if d.m.State != Running || row.Redo == Again {
		d.issue(d.current(), delay)
		return
	}
	d.m.Discard = true
	d.ask(Effect{Kind: row.Undo, Migration: d.m.ID, Step: row.Step, Attempt: d.m.Attempt, Undo: true, Delay: delay})
}

func (d *decision) ask(e Effect) {
	d.m.Issued++
	e.Key = fmt.Sprintf("%s/%d/%s", d.m.ID, d.m.Issued, e.Kind)
	d.m.Effect = e.Key
	d.effects = append(d.effects, e)
}

func (d *decision) done(r Result) {
	d.m.Effect, d.m.UnreachableSince = "", time.Time{}
	switch d.m.State {
	case Checking:
		d.checked(r)
	case Running:
		switch {
		case d.m.Discard && d.m.Asked:
			d.giveUp(asked)
		case d.m.Discard:
			d.issue(d.m.Step, 0)
		default:
			d.stepDone(r)
		}
	case Undoing:
		d.undone(r)
	}
}

func (d *decision) checked(r Result) {
	if len(r.Refusals) > 0 {
		d.m.Reasons = r.Refusals
		d.move(Refused)
		return
	}
	d.m.Plan = *r.Plan
	if d.m.Asked {
		d.giveUp(asked)
		return
	}
	d.move(Queued)
}

var asked = Reason{Code: CodeCancelled, What: "a user cancelled it"}

func (d *decision) stepDone(r Result) {
	switch d.m.Step {
	case StepCheck:
		if len(r.Refusals) > 0 {
			d.m.Reasons = r.Refusals
			d.move(Refused)
			return
		}
		d.m.Plan = *r.Plan
	case StepSnapshot:
		d.m.Snapshot = r.Snapshot
	case StepTransfer:
		d.m.Copy, d.m.Bytes = r.Copy, r.Bytes
	}
	i := d.table.index(d.m.Step)
	switch {
	case i == len(d.table)-1:
		d.move(Completed)
	case d.m.Asked:
		d.giveUp(asked)
	default:
		d.begin(d.table[i+1].Step)
	}
}

// failed decides between another try and giving up.
func (d *decision) failed(f Failure) {
	d.m.Effect = ""
	if d.m.State == Undoing {
		d.undoFailed(f)
		return
	}
	if f.Cancelled || d.m.Asked {
		d.m.Asked = true
		d.giveUp(asked)
		return
	}
	if f.Class == vsphere.Unreachable {
		if d.m.UnreachableSince.IsZero() {
			d.m.UnreachableSince = d.now
		}
		if out := d.now.Sub(d.m.UnreachableSince); out < d.Outage {
			d.redo(d.Backoff) // waits, and uses up no try
			return
		}
		d.giveUp(Reason{Code: CodeFailed, What: fmt.Sprintf("%s: out of reach for %v: %s", d.current(), d.Outage, f.What), Fix: "restore the network, then order the migration again"})
		return
	}
	d.m.UnreachableSince = time.Time{}
	d.m.Tries++
	tries := d.table.row(d.current()).Tries
	if f.Class == vsphere.Retryable && d.m.Tries < tries {
		d.redo(d.backoff(d.m.Tries))
		return
	}
	d.giveUp(Reason{Code: CodeFailed, What: fmt.Sprintf("%s failed at try %d of %d: %s", d.current(), d.m.Tries, tries, f.What), Fix: f.Fix})
}

// current is the step that is being tried; an order is checked by the first.
func (d *decision) current() StepName {
	if d.m.State == Checking {
		return StepCheck
	}
	return d.m.Step
}

func (d *decision) backoff(failures int) time.Duration {
	wait := d.Backoff
	for range failures - 1 {
		wait = min(2*wait, d.MaxBackoff)
	}
	return wait
}

func (d *decision) giveUp(why Reason) {
	d.m.Reasons = append(d.m.Reasons, why)
	if d.m.State == Running {
		d.undo()
		return
	}
	if why.Code == CodeCancelled {
		d.move(Cancelled)
	} else {
		d.move(Failed)
	}
}

// undo takes back what was begun, last first, but first of all makes sure that
// the copy is off if it may run; and then puts the source right before it cleans
// the cloud, so that the VM does not stay off while the cloud is out of reach.
func (d *decision) undo() {
	d.move(Undoing)
	var first, here, there []StepName
	for _, step := range slices.Backward(d.m.Started) {
		row := d.table.row(step)
		switch {
		case row.Undo == Nothing:
		case row.Undo == ConfirmOff:
			first = append(first, step)
		case row.At == vsphere.OnPremises:
			here = append(here, step)
		default:
			there = append(there, step)
		}
	}
	d.m.ToUndo = slices.Concat(first, here, there)
	d.nextUndo()
}

func (d *decision) nextUndo() {
	if len(d.m.ToUndo) > 0 {
		d.turn(d.m.ToUndo[0])
		return
	}
	if d.m.Asked {
		d.move(Cancelled)
	} else {
		d.move(Failed)
	}
}

func (d *decision) undone(r Result) {
	if r.Running {
		// The copy runs and the guest writes there: it is the VM now, and to take
		// it back would lose those writes.
		d.m.Reasons = nil
		d.move(Completed)
		return
	}
	d.m.ToUndo = d.m.ToUndo[1:]
	d.nextUndo()
}

func (d *decision) undoFailed(f Failure) {
	if f.Class == vsphere.Unreachable {
		d.redo(d.MaxBackoff) // for as long as it takes: half undone is no end
		return
	}
	d.m.Tries++
	if d.m.Tries < d.UndoTries {
		d.redo(d.backoff(d.m.Tries))
		return
	}
	d.m.Leftovers = append(d.m.Leftovers, fmt.Sprintf("%s: could not %s: %s", d.m.Step, d.table.row(d.m.Step).Undo, f.What))
	if d.m.Step == StepPowerOn {
		// The copy may run, so nothing else may be taken back: above all the
		// source must stay off (MIG-13).
		d.m.ToUndo = d.m.ToUndo[:1]
	}
	d.m.ToUndo = d.m.ToUndo[1:]
	d.nextUndo()
}

func (d *decision) cancel() {
	switch {
	case d.m.State.Final():
		d.ignore("it is %s", d.m.State)
	case d.m.State == Undoing:
		d.ignore("it is being undone already")
	case d.m.State == Queued:
		d.m.Asked = true
		d.giveUp(asked)
	default:
		d.m.Asked = true
		d.cancelKey = d.m.Effect // it ends, and then everything is put back
	}
}

// restart: no one waits for the outstanding effect any more, and its answer
// will not be accepted.
func (d *decision) restart() {
	switch {
	case d.m.State.Final() || d.m.State == Queued:
		d.ignore("nothing was outstanding in state %s", d.m.State)
	case d.m.Asked && d.m.State != Undoing:
		d.giveUp(asked)
	default:
		d.m.UnreachableSince = time.Time{}
		d.redo(0)
	}
}

package migration

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/cache"
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
	// Cloud is what the deployment offers beside: nothing in the zero value.
	Cloud Cloud
	// Cache, if it says anything, stands in for the rule of the deployment's mode.
	Cache cache.Rule
	// Boots and BootWait bound how often the guest of a VM in the cloud is rebooted
	// and how long it is waited for, from its first power-on (BOOT-01, A-13).
	Boots    int
	BootWait time.Duration
	// Salvage: a VM that is brought back after a failure is flushed first, as far
	// as its cloud cache can be reached. Else it has the data of its last
	// flush, as the guide says.
	Salvage bool
	// Checks is how many orders are checked at once.
	Checks int
	// Queue is how many migrations may be under way or wait.
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
	Boots:     3,
	BootWait:  30 * time.Minute,
	Checks:    4,
	Queue:     10_000,
	History:   10_000,
}

// Cloud is what a deployment offers to VMs that run on a cloud cache (DEP-03).
type Cloud struct {
	Mode  string     // in the guide's words; "" if HDM is not deployed
	Warm  int        // migrations at once
	VMs   int        // on the cloud cache at once
	Cache cache.Rule // of their quotas
}

// Now is what time it is: the wall clock for stamps, and the time since the
// boot for measuring, which no step of the clock disturbs.
type Now struct {
	Wall time.Time
	Up   time.Duration
	Boot int // of the appliance, to which Up belongs
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
func (k Knobs) Decide(m Migration, now Now, ev Event) Verdict {
	m.Started, m.ToUndo = slices.Clone(m.Started), slices.Clone(m.ToUndo)
	m.Reasons, m.Leftovers = slices.Clone(m.Reasons), slices.Clone(m.Leftovers)
	d := &decision{Knobs: k, now: now, table: Tables[m.Order.Type], m: m}
	switch ev := ev.(type) {
	case EffectDone:
		if !d.awaits(ev.Key) {
			break
		}
		if d.m.Stopping {
			d.stopped()
		} else {
			d.done(ev.Result)
		}
	case EffectFailed:
		if !d.awaits(ev.Key) {
			break
		}
		if d.m.Stopping {
			d.stopped()
		} else {
			d.failed(ev.Failure)
		}
	case CheckDue:
		if m.State == Checking && m.Effect == "" {
			d.issue(d.table[0].Step, 0)
		} else {
			d.ignore("its check came in state %s", m.State)
		}
	case TurnCame:
		if m.State == Queued {
			d.move(Running)
			d.begin(d.table[0].Step)
		} else {
			d.ignore("its turn came in state %s", m.State)
		}
	case Said:
		d.said(ev)
	case FlushDone:
		d.flushed(Flushed(ev))
	case CameBack:
		if m.Bound && m.State.Final() {
			d.m.Bound = false
		} else {
			d.ignore("it was brought back in state %s", m.State)
		}
	case CancelAsked:
		d.cancel()
	case Broken:
		d.broken(ev)
	case Abandoned:
		d.abandon(ev.Why)
	case Held:
		d.hold()
	case Resumed:
		d.resume()
	case LeftoverDeleted:
		d.leftoverDeleted()
	case Restarted:
		d.restart()
	case Shown:
		d.m.Told = Told{Began: true, Retries: ev.Retries}
	case EndReported:
		if m.State.Final() {
			d.m.Reported = true
		} else {
			d.ignore("its end was reported in state %s", m.State)
		}
	case Responded:
		d.responded(ev)
	default:
		panic(fmt.Sprintf("migration: unknown event %T", ev))
	}
	if d.ignored == "" {
		d.m.trim()
		d.m.Version, d.m.Moved = d.m.Version+1, d.moves
	}
	return Verdict{Migration: d.m, Effects: d.effects, Cancel: d.cancelKey, Ignored: d.ignored}
}

// New is the migration that an accepted order begins. It waits to be checked.
func New(number int, o Order, now time.Time) Migration {
	return Migration{
		ID: id(number), Number: number, Order: o, State: Checking, Ordered: now,
		Version: 1, Moved: []Move{{To: Checking}},
	}
}

func id(number int) ID { return ID(fmt.Sprintf("m-%04d", number)) }

type decision struct {
	Knobs
	now   Now
	table Table

	m         Migration
	moves     []Move
	effects   []Effect
	cancelKey string
	ignored   string
}

func (d *decision) ignore(format string, args ...any) { d.ignored = fmt.Sprintf(format, args...) }

// responded notes what the message bus was told. After the end it is told
// nothing more.
func (d *decision) responded(ev Responded) {
	switch r := &d.m.Responses; {
	case r.Final:
		d.ignore("its end was told before")
	case ev.Final && !d.m.State.Final():
		d.ignore("its end was told in state %s", d.m.State)
	default:
		r.Count, r.Percent, r.Final = r.Count+1, max(r.Percent, ev.Percent), ev.Final
	}
}

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
	d.m.State, d.m.Step, d.m.Next, d.m.Effect, d.m.Discard = to, "", "", "", false
	d.m.Held, d.m.Stopping, d.m.Breaks = false, false, Reason{}
	if to.Final() {
		d.m.ToUndo, d.m.Ended = nil, d.now.Wall
		d.reachable()
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
		e.Kind, e.Undo = d.m.ToUndo[0].Does, true
	}
	if e.Kind == AwaitBoot {
		d.anchor()
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
	d.m.Effect = ""
	if !d.m.Discard {
		d.reachable() // to clear the way is not to get through
	}
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
	i := d.table.index(d.m.Step)
	if len(r.Refusals) > 0 && d.table[i].Does == Check {
		d.m.Reasons = r.Refusals
		d.move(Refused)
		return
	}
	d.keep(d.table[i].Does, r)
	if d.m.Asked && d.table[i].Failure == Undoes && i < len(d.table)-1 {
		d.giveUp(asked)
		return
	}
	d.next(i)
}

// keep notes what a step found or made.
func (d *decision) keep(does Kind, r Result) {
	switch does {
	case Check:
		d.m.Plan = *r.Plan
	case TakeSnapshot:
		d.m.Snapshot, d.m.LastOn = r.Snapshot, r.LastOn
	case Transfer:
		d.m.Copy, d.m.Bytes = r.Copy, r.Bytes
	case MakeClone:
		d.m.Clone = r.Copy
	case Bind:
		d.m.Bound, d.m.Served, d.m.Path = true, *r.Served, r.Path
	case CreateCompute:
		d.m.Copy = r.Copy
	case StartCompute, StartImage:
		d.poweredOn()
	case TransferImage:
		d.m.Image, d.m.Bytes = r.Copy, r.Bytes
	case Release, Discard, BringHome:
		d.m.Bound = false
	case Judge:
		d.judged(r.Boots, r.Doubt)
	}
}

// next goes on after row i.
func (d *decision) next(i int) {
	if i == len(d.table)-1 {
		if len(d.m.Leftovers) > 0 {
			d.m.Reasons = append(d.m.Reasons, Reason{Code: CodeLeft, What: "not everything could be cleaned up", Fix: "remove by hand what is listed"})
		}
		d.move(Completed)
		return
	}
	row := d.table[i+1]
	if d.m.waits(row) == Never {
		d.begin(row.Step)
		return
	}
	d.move(Waiting)
	d.m.Next = row.Step
}

// failed decides between another try and giving up.
func (d *decision) failed(f Failure) {
	d.m.Effect = ""
	if d.m.State == Undoing {
		d.undoFailed(f)
		return
	}
	if (f.Cancelled || d.m.Asked) && d.table.row(d.current()).Failure == Undoes {
		d.m.Asked = true
		d.giveUp(asked)
		return
	}
	row := d.table.row(d.current())
	if f.Class == vsphere.Unreachable && row.Failure != Undoes {
		d.redo(d.MaxBackoff) // for as long as it takes: nothing can be taken back any more
		return
	}
	if f.Class == vsphere.Unreachable {
		if !d.m.Unreachable {
			d.m.Unreachable, d.m.UnreachableSince = true, d.now.Up-f.Down
		}
		if out := d.now.Up - d.m.UnreachableSince; out < d.Outage {
			d.redo(d.Backoff) // waits, and uses up no try
			return
		}
		d.giveUp(Reason{Code: CodeFailed, What: fmt.Sprintf("%s: out of reach for %v: %s", d.current(), d.Outage, f.What), Fix: "restore the network, then order the migration again"})
		return
	}
	d.reachable()
	d.m.Tries++
	if f.Class == vsphere.Retryable && d.m.Tries < row.Tries {
		d.m.Retries++
		d.redo(d.backoff(d.m.Tries))
		return
	}
	why := fmt.Sprintf("%s failed at try %d of %d: %s", d.current(), d.m.Tries, row.Tries, f.What)
	switch row.Failure {
	case GoesOn:
		switch row.Does {
		case Discard:
			d.m.Bound = false // what is left of it serves nobody, and goes with the component VMs
		case Judge:
			d.judged(false, "whether it boots could not be tried: "+f.What)
			d.next(d.table.index(row.Step)) // what is left of the trial is removed next
			return
		}
		d.m.Leftovers = append(d.m.Leftovers, Leftover{Undo{row.Step, row.Does}, f.What})
		d.next(d.table.index(row.Step))
	case Stops:
		d.m.Leftovers = append(d.m.Leftovers, Leftover{Undo{row.Step, row.Does}, f.What})
		d.m.Reasons = append(d.m.Reasons, Reason{Code: CodeFailed, What: why, Fix: f.Fix})
		d.move(Failed)
	default:
		d.giveUp(Reason{Code: CodeFailed, What: why, Fix: f.Fix})
	}
}

func (d *decision) reachable() { d.m.Unreachable, d.m.UnreachableSince = false, 0 }

// current is the step that is being tried; an order is checked by the first.
func (d *decision) current() StepName {
	if d.m.State == Checking {
		return d.table[0].Step
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
	if d.m.State == Running || d.m.State == Waiting {
		d.undo()
		return
	}
	if why.Code == CodeCancelled {
		d.move(Cancelled)
	} else {
		d.move(Failed)
	}
}

func (d *decision) cancel() {
	switch {
	case d.m.State.Final():
		d.ignore("it is %s", d.m.State)
	case d.m.State == Undoing:
		d.ignore("it is being undone already")
	case d.m.Order.Type == Recover:
		d.ignore("HDM brings it back after a failure")
	case d.m.Step != "" && d.table.row(d.m.Step).Failure != Undoes:
		d.ignore("nothing can be taken back any more")
	case d.m.Asked:
		d.ignore("a user asked already")
	case d.m.Effect == "": // it waits: for its check, or for its turn
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
	case d.m.Effect == "" && !d.m.Held:
		d.ignore("nothing was outstanding in state %s", d.m.State)
	case d.m.Asked && d.m.State != Undoing:
		d.giveUp(asked)
	case d.m.Breaks.Code != "":
		d.giveUp(d.m.Breaks)
	case d.m.State == Checking:
		d.m.Effect = "" // it waits again for its check
		d.reachable()
	case d.m.State == Running && d.table.row(d.m.Step).Restart == Fails:
		d.reachable()
		d.giveUp(Reason{Code: CodeFailed, What: fmt.Sprintf("the appliance restarted during %s", d.m.Step), Fix: "order the migration again"})
	case d.m.Held && d.m.Effect == "":
		d.ignore("it is held")
	case d.m.Held:
		d.m.Effect, d.m.Stopping = "", false // nobody does it any more
	default:
		d.m.Stopping = false
		d.m.Retries++
		d.reachable()
		d.redo(0)
	}
}

// Bounds of what is said about one migration, so that its record stays small
// whatever a vCenter says.
const (
	maxSaid  = 500 // bytes of a text
	maxSaids = 16  // texts of a kind
)

func (m *Migration) trim() {
	m.Reasons = m.Reasons[:min(len(m.Reasons), maxSaids)]
	m.Leftovers = m.Leftovers[:min(len(m.Leftovers), maxSaids)]
	for i := range m.Reasons {
		m.Reasons[i].What, m.Reasons[i].Fix = Cut(m.Reasons[i].What), Cut(m.Reasons[i].Fix)
	}
	for i := range m.Leftovers {
		m.Leftovers[i].What = Cut(m.Leftovers[i].What)
	}
	m.Breaks.What, m.Breaks.Fix = Cut(m.Breaks.What), Cut(m.Breaks.Fix)
}

// Cut is a text as it is written down: not longer than a record can bear.
func Cut(s string) string {
	if len(s) <= maxSaid {
		return s
	}
	return strings.ToValidUTF8(s[:maxSaid], "") + "..."
}

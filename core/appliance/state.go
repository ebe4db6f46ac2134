package appliance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
)

// State is everything durable about the appliance: what the journal holds.
// Step reads it and Apply changes it.
type State struct {
	Counters
	live   []migration.Migration   // not ended, in order of their numbers
	ended  []migration.Migration   // by the time of their end, then by number
	byName map[string]migration.ID // of requests

	settings   Settings
	deployment deployment.Deployment
	recovery   recovery.Recovery
	heard      map[string]component.Heartbeat // by component VM or host: the incarnations that were heard last
	notes      []Note                         // HDM's own log, the oldest first
}

// Counters are what the appliance counts, and who it is.
type Counters struct {
	Epoch  int `json:"epoch"`  // of the boots
	Orders int `json:"orders"` // the number of the last order
	// Incarnation is drawn at the first boot. It is part of every mark, so that a
	// journal that begins anew or is restored does not take what it finds in the
	// vCenters for its own.
	Incarnation string `json:"incarnation"`
	// Posted is the number of the last note that vCenter shows.
	Posted int `json:"posted,omitempty"`
}

// NewState is the state of an appliance that has never run.
func NewState() *State {
	return &State{byName: map[string]migration.ID{}, heard: map[string]component.Heartbeat{}}
}

// Migration is the migration of that id.
func (s *State) Migration(id migration.ID) (migration.Migration, bool) {
	for _, list := range [][]migration.Migration{s.live, s.ended} {
		for i := range list {
			if list[i].ID == id {
				return list[i], true
			}
		}
	}
	return migration.Migration{}, false
}

// Event is something that the appliance hears of.
type Event interface{ event() }

// The events.
type (
	// Booted: the appliance came up. Incarnation is what it is called from now on
	// if it has none.
	Booted struct{ Incarnation string }
	// OrderGiven: a user wants a migration. Unready is why HDM serves no new one;
	// nothing if it does.
	OrderGiven struct {
		Order   migration.Order
		Unready []migration.Reason
	}
	// CancelGiven: a user wants a VM's migration to stop.
	CancelGiven struct{ VM string }
	// WordGiven: a user says to a VM's migration what it waits for. Image is the
	// VM in the cloud that a person brought; "" if none was found. Unready as of an
	// order.
	WordGiven struct {
		VM      string
		Word    migration.Word
		Image   vsphere.Ref
		Unready []migration.Reason
	}
	// SettingsGiven: a user changes how HDM works.
	SettingsGiven struct{ Settings Settings }
	// DeploymentHeard: the deployment's own event. Unready as of an order, if a user
	// gave it.
	DeploymentHeard struct {
		Event   deployment.Event
		Unready []migration.Reason
	}
	// BeatHeard: a component VM or a host has told of incarnations that were not
	// known; by it, or by silence, these have failed.
	BeatHeard struct {
		Beat   *component.Heartbeat
		Failed []recovery.Failure
	}
	// RecoveryHeard: the recovery's own event.
	RecoveryHeard struct{ Event recovery.Event }
	// CacheLost: the cloud cache has lost what it held of a migration's VM, and why.
	CacheLost struct {
		Migration migration.ID
		Why       string
	}
	// FlushIsLate: the last flush of VMs on the cloud cache is older than it may be;
	// the texts are for HDM's log (POL-08).
	FlushIsLate struct{ Texts []string }
	// ResetWaits: a reset waits for a person; the text is for HDM's log.
	ResetWaits struct{ Text string }
	// NotePosted: vCenter shows the notes up to that number.
	NotePosted struct{ Number int }
	// FlushHeard: flushes that are applied on premises.
	FlushHeard struct {
		Flushed map[migration.ID]migration.Flushed
	}
	// Heard: a migration's own event.
	Heard struct {
		Migration migration.ID
		Event     migration.Event
	}
)

func (Booted) event()      {}
func (OrderGiven) event()  {}
func (CancelGiven) event() {}
func (Heard) event()       {}

func (WordGiven) event()       {}
func (SettingsGiven) event()   {}
func (DeploymentHeard) event() {}
func (FlushHeard) event()      {}
func (BeatHeard) event()       {}
func (RecoveryHeard) event()   {}
func (CacheLost) event()       {}
func (FlushIsLate) event()     {}
func (ResetWaits) event()      {}
func (NotePosted) event()      {}

// Decision is what Step makes of an event.
type Decision struct {
	Counters
	Changed   []migration.Migration // as they became, in the order of the decisions
	Forgotten []migration.ID        // the oldest ended ones, too many to remember
	Effects   []migration.Effect
	Cancels   []string               // keys of outstanding effects that are to be told to stop
	Answer    Answer                 // to what a user gave
	Settings  *Settings              // as they became; nil if they are what they were
	Deploy    *deployment.Deployment // as it became; nil if it is what it was
	Deploying *deployment.Effect     // to be done

	Recovery   *recovery.Recovery    // as it became; nil if it is what it was
	Recovering *recovery.Effect      // to be done
	Beats      []component.Heartbeat // incarnations that were heard; without services: to be forgotten
	Notes      []Note                // new ones
	Dropped    []int                 // numbers of the oldest notes, too many to keep

	Ignored string // why the event changed nothing
}

// Answer is what a user is told at once.
type Answer struct {
	Outcome   Outcome
	Migration migration.ID
	Reasons   []migration.Reason // why it was refused; of a duplicate, what its migration gives by now
}

// Outcome of an order or a cancel.
type Outcome string

// The outcomes.
const (
	Accepted  Outcome = "accepted"
	Duplicate Outcome = "duplicate" // of an order or a cancel that was heard before
	Rejected  Outcome = "refused"
)

// nothing says whether a decision changes nothing that is durable.
func (d *Decision) nothing(s *State) bool {
	return len(d.Changed) == 0 && d.Epoch == s.Epoch && d.Settings == nil && d.Deploy == nil &&
		d.Recovery == nil && len(d.Beats) == 0 && len(d.Notes) == 0 && d.Posted == s.Posted
}

// Step decides about one event. It is pure and total: it changes nothing, asks
// no clock, and answers every event in every state.
func (s *State) Step(knobs migration.Knobs, now migration.Now, ev Event) Decision {
	knobs = s.offered(knobs)
	p := &step{State: s, knobs: knobs, now: now, changed: map[migration.ID]migration.Migration{}}
	p.d.Counters = s.Counters
	p.now.Boot = s.Epoch
	switch ev := ev.(type) {
	case Booted:
		p.boot(ev.Incarnation)
	case OrderGiven:
		p.order(ev.Order, ev.Unready)
	case CancelGiven:
		p.cancel(ev.VM)
	case WordGiven:
		if !p.refuses(ev.Unready) {
			p.word(ev)
		}
	case SettingsGiven:
		p.set(ev.Settings)
	case DeploymentHeard:
		if !asked(ev.Event) || !p.refuses(ev.Unready) {
			p.deploy(ev.Event)
		}
	case BeatHeard:
		p.beat(ev)
	case RecoveryHeard:
		p.recover(ev.Event)
	case CacheLost:
		p.cacheLost(ev)
	case FlushIsLate:
		for _, text := range ev.Texts {
			p.note(EventFlushLate, "%s", text)
		}
	case ResetWaits:
		if n := len(s.notes); n == 0 || s.notes[n-1].Text != ev.Text { // an earlier try said it
			p.note(EventResetWaits, "%s", ev.Text)
		}
	case NotePosted:
		p.d.Posted = max(p.d.Posted, ev.Number)
	case FlushHeard:
		for _, id := range slices.Sorted(maps.Keys(ev.Flushed)) {
			if m, ok := s.Migration(id); ok {
				p.hear(m, migration.FlushDone(ev.Flushed[id]))
			}
		}
	case Heard:
		if m, ok := s.Migration(ev.Migration); ok {
			p.hear(m, ev.Event)
		} else {
			p.d.Ignored = fmt.Sprintf("no migration %s", ev.Migration)
		}
	default:
		panic(fmt.Sprintf("appliance: unknown event %T", ev))
	}
	p.returned()
	p.fill()
	p.forget()
	return p.d
}

// offered are the knobs with what the deployment offers.
func (s *State) offered(k migration.Knobs) migration.Knobs {
	k.Cloud = s.deployment.Offers()
	if k.Cache != (cache.Rule{}) {
		k.Cloud.Cache = k.Cache
	}
	return k
}

// step is a Step in progress: the State below, what has changed on top.
type step struct {
	*State
	knobs   migration.Knobs
	now     migration.Now
	changed map[migration.ID]migration.Migration
	created []migration.Migration
	d       Decision
}

// fleet is every migration that is under way, as it now is.
func (p *step) fleet() migration.Fleet {
	var all migration.Fleet
	for _, m := range slices.Concat(p.live, p.created) {
		if c, ok := p.changed[m.ID]; ok {
			m = c
		}
		if !m.State.Final() {
			all = append(all, m)
		}
	}
	return all
}

func (p *step) boot(incarnation string) {
	p.d.Epoch++
	p.now.Boot = p.d.Epoch
	p.d.Incarnation = cmp.Or(p.d.Incarnation, incarnation)
	p.deploy(deployment.Restarted{})
	for _, m := range p.live {
		p.hear(m, migration.Restarted{})
	}
	p.recover(recovery.Booted{Epoch: p.d.Epoch})
	p.d.Ignored = ""
}

// change notes what became of a migration. A second decision within one event
// goes into the same record: what the journal has is told as a whole.
func (p *step) change(m migration.Migration) {
	if _, again := p.changed[m.ID]; again {
		i := slices.IndexFunc(p.d.Changed, func(c migration.Migration) bool { return c.ID == m.ID })
		m.Moved = slices.Concat(p.d.Changed[i].Moved, m.Moved)
		p.d.Changed = slices.Delete(p.d.Changed, i, i+1)
	}
	p.changed[m.ID] = m
	p.d.Changed = append(p.d.Changed, m)
}

// hear lets one migration decide.
func (p *step) hear(m migration.Migration, ev migration.Event) {
	if _, failed := ev.(migration.EffectFailed); failed && p.endsLater(m) {
		if v := p.knobs.Decide(m, p.now, migration.Held{}); v.Ignored == "" {
			m = v.Migration
		}
	}
	v := p.knobs.Decide(m, p.now, ev)
	if v.Ignored != "" {
		p.d.Ignored = v.Ignored
		return
	}
	p.change(v.Migration)
	p.noteRecovered(v.Migration)
	if m.Of != "" && m.Bound && !v.Migration.Bound {
		if of, ok := p.Migration(m.Of); ok {
			p.hear(of, migration.CameBack{By: m.ID})
		}
	}
	for _, e := range v.Effects {
		if e.Kind == migration.Check {
			e.Reserved = migration.Reserved(p.fleet(), m.ID)
		}
		p.d.Effects = append(p.d.Effects, e)
	}
	if v.Cancel != "" {
		p.d.Cancels = append(p.d.Cancels, v.Cancel)
	}
}

// fill lets orders be checked, and gives free slots to those whose turn it is.
func (p *step) fill() {
	for {
		fleet := p.fleet()
		if id, ok := p.knobs.NextCheck(fleet); ok {
			p.hear(*fleet.Find(id), migration.CheckDue{})
		} else if id, ok := p.knobs.Next(p.startable(fleet), p.bound()); ok {
			p.hear(*fleet.Find(id), migration.TurnCame{})
		} else {
			return
		}
	}
}

// mostForgotten bounds how many migrations one event lets go of, so that a
// history whose limit was lowered still fits into a batch of the journal.
const mostForgotten = 100

// forget lets go of the migrations that ended first, if there are too many.
func (p *step) forget() {
	var ending []migration.Migration
	for _, m := range p.d.Changed {
		if _, told := slices.BinarySearchFunc(p.ended, m, byEnd); m.State.Final() && !told {
			ending = append(ending, m)
		}
	}
	excess := len(p.ended) + len(ending) - p.knobs.History
	if excess <= 0 {
		return
	}
	oldest := slices.Concat(p.ended, ending)
	slices.SortFunc(oldest, byEnd)
	for _, m := range oldest {
		if now, ok := p.changed[m.ID]; ok {
			m = now
		}
		if len(p.d.Forgotten) < min(excess, mostForgotten) && !m.Remembered() {
			p.d.Forgotten = append(p.d.Forgotten, m.ID)
		}
	}
}

// byEnd orders ended migrations, the same in memory as from the journal.
func byEnd(a, b migration.Migration) int {
	return cmp.Or(a.Ended.Compare(b.Ended), byNumber(a, b))
}

func byNumber(a, b migration.Migration) int { return cmp.Compare(a.Number, b.Number) }

// Apply makes a decision true. It comes after the journal has it.
func (s *State) Apply(d Decision) {
	s.Counters = d.Counters
	if d.Settings != nil {
		s.settings = *d.Settings
	}
	if d.Deploy != nil {
		s.deployment = *d.Deploy
	}
	s.applyRecovery(d)
	for _, m := range d.Changed {
		s.put(m)
	}
	for _, id := range d.Forgotten {
		i := slices.IndexFunc(s.ended, func(m migration.Migration) bool { return m.ID == id })
		delete(s.byName, s.ended[i].Order.Request)
		s.ended = slices.Delete(s.ended, i, i+1)
	}
}

func (s *State) put(m migration.Migration) {
	if m.Order.Request != "" && s.byName[m.Order.Request] == "" {
		s.byName[m.Order.Request] = m.ID
	}
	at, live := slices.BinarySearchFunc(s.live, m, byNumber)
	switch {
	case !m.State.Final() && live:
		s.live[at] = m
	case !m.State.Final():
		s.live = slices.Insert(s.live, at, m)
	default:
		if live {
			s.live = slices.Delete(s.live, at, at+1)
		}
		at, told := slices.BinarySearchFunc(s.ended, m, byEnd)
		if told {
			s.ended[at] = m
		} else {
			s.ended = slices.Insert(s.ended, at, m)
		}
	}
}

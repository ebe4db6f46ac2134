package oracle

import (
	"slices"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// courses follows the migrations of a run, and which of them decides what each
// VM is to be in the end. An order that never got its turn decides nothing, and
// once a VM is back the next one decides.
type courses struct {
	rules *Rules
	live  []*course          // not over, in the order of their orders
	byID  map[string]*course // the live ones
	stuck bool               // until a person resets HDM: what goes on waits for that
	byVM  map[string]*course // the one that completed, else the last that had its turn
}

// course is one migration.
type course struct {
	id, vm string
	of     string // its type
	state  string
	event  uint64 // its last move
	began  uint64 // the move that was its turn; 0 before
	left   leftovers
	reset  bool // HDM was reset while it went on, or after it had brought its VM to the cloud cache
}

func newCourses(r *Rules) courses {
	return courses{rules: r, byID: map[string]*course{}, byVM: map[string]*course{}}
}

// home says whether the migration is one that brings its VM back.
func (c *course) home() bool { return c.of == typeBack || c.of == typeRecover }

// resets notes that HDM is reset: what goes on ends, and who is on the cloud cache
// is no longer.
func (o *courses) resets(e *kernel.Event) {
	if e.Kind != event.Recovery {
		return
	}
	phase := e.Attr("phase")
	o.stuck = phase == "unrecoverable" || phase == "resetting" || phase != idle && e.Attr("offered") != ""
	if phase != "resetting" {
		return
	}
	for _, c := range o.live {
		c.reset = true
	}
	for _, c := range o.byVM { //hdm:order-safe each by itself
		c.reset = c.reset || c.of == typeTBC && c.state == stateCompleted
	}
}

// hear takes note of a move and returns the migration that made it. first says
// that its turn has just come.
func (o *courses) hear(e *kernel.Event) (c *course, first bool) {
	if e.Kind != event.Migration {
		return nil, false
	}
	c = o.byID[e.Subject]
	if c == nil {
		c = &course{id: e.Subject, vm: e.Attr("vm"), of: e.Attr("type")}
		o.byID[c.id] = c
		o.live = append(o.live, c)
	}
	c.state, c.event, c.left = e.Attr("to"), e.Seq, leftovers(e.Attr("left"))
	if c.state == stateRunning && c.began == 0 {
		c.began, first = e.Seq, true
	}
	if now := o.byVM[c.vm]; first && (now == nil || now.state != stateCompleted || now.home() || c.of == typeRecover) || c.state == stateCompleted {
		o.byVM[c.vm] = c
	}
	if o.rules.final(c.state) {
		delete(o.byID, c.id)
		for i, other := range o.live { // eight at most are ahead of it, and those that wait are not over
			if other == c {
				o.live = append(o.live[:i], o.live[i+1:]...)
				break
			}
		}
	}
	return c, first
}

// of is the migration that decides what has become of a VM; nil if none does.
func (o *courses) of(vm string) *course { return o.byVM[vm] }

// waits says whether a migration of the VM waits for a word of a person.
func (o *courses) waits(vm string) bool {
	return slices.ContainsFunc(o.live, func(c *course) bool { return c.vm == vm && c.state == stateWaiting })
}

// anyWaits says whether a migration waits for a word of a person.
func (o *courses) anyWaits() bool {
	return slices.ContainsFunc(o.live, func(c *course) bool { return c.state == stateWaiting })
}

// completed says whether that migration has completed.
func (c *course) completed() bool { return c != nil && c.state == stateCompleted }

// evidence is its last move.
func (c *course) evidence() []uint64 {
	if c == nil {
		return nil
	}
	return []uint64{c.event}
}

package oracle

import (
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/outcome"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Faithful: what follows from a failure is what is documented of that failure at
// the step at which a migration then was, of a VM that was on the cloud cache, and
// of HDM as a whole (harness/outcome). Of several failures in one run together
// nothing is documented: those the other oracles judge.
type Faithful struct {
	verdicts
	rules      Rules
	migrations map[string]*followed
	order      []string          // of them
	bound      map[string]string // bindings: the VM on premises
	pools      map[string]string // of VMs by name, on premises
	byHand     map[string]bool   // VMs that a person did something to
	deployed   bool
	cluster    bool // what has failed may not be what a VM uses, or not all of it

	faults   int
	fault    outcome.Case
	began    uint64 // the event that told of the fault
	subjects []subject
	phase    string
	offered  bool // a reset is, or was when one was asked for
	forced   bool // a person reset HDM although it offered no reset: what follows is theirs
	booted   bool // the appliance is up again since the failure
	telling  bool // that boot tells what was in the journal when the power went
}

// followed is a migration.
type followed struct {
	id, vm    string
	of        migration.Type
	state     string
	step      string // that it is at, or waits for
	put       bool   // it was taken back
	over      uint64 // the event that ended it
	cancelled bool
}

// subject is whom a failure met, and where.
type subject struct {
	vm    string
	at    outcome.Place
	moves *followed // nil of a VM that is on the cloud cache, and of HDM
}

// NewFaithful returns the oracle for one run.
func NewFaithful(r Rules) *Faithful {
	return &Faithful{
		verdicts: verdicts{oracle: "faithful"}, rules: r, phase: idle,
		migrations: map[string]*followed{}, bound: map[string]string{}, pools: map[string]string{}, byHand: map[string]bool{},
	}
}

// Observe implements Oracle.
func (o *Faithful) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.Migration:
		o.moves(&e)
	case event.Bound:
		o.bound[e.Subject] = strings.TrimPrefix(e.Attr("source"), onPremises)
	case event.Released:
		delete(o.bound, e.Subject)
	case event.VMPool:
		if name, ok := strings.CutPrefix(e.Subject, onPremises); ok {
			o.pools[name] = e.Attr("pool")
		}
	case event.Deployment:
		o.deployed = e.Attr("phase") == "deployed"
		o.cluster = strings.Contains(e.Attr("mode"), "cluster")
	case event.Step:
		if _, name, ok := strings.Cut(e.Attr("vm"), "/"); ok {
			o.byHand[name] = true
		}
		o.byHand[e.Attr("vm")] = true
	case event.Recovery:
		o.resets(&e)
	case event.FaultBegan:
		o.breaks(&e)
	case event.ApplianceUp:
		o.telling = o.fault.Kind == (*faults.ApplianceRestart)(nil).Name() && !o.booted
		o.booted = o.faults > 0
	case event.JournalWrite:
		o.telling = false
	}
	return o.take()
}

// resets: HDM offers a reset for what it has met, and a person may force one.
func (o *Faithful) resets(e *kernel.Event) {
	o.phase = e.Attr("phase")
	if o.phase != "resetting" {
		o.offered = o.offered || o.phase == "unrecoverable"
		return
	}
	o.offered = o.offered || e.Attr("offered") != ""
	o.forced = o.forced || !o.offered
}

func (o *Faithful) moves(e *kernel.Event) {
	m := o.migrations[e.Subject]
	if m == nil {
		m = &followed{id: e.Subject, vm: e.Attr("vm"), of: migration.Type(e.Attr("type"))}
		o.migrations[m.id] = m
		o.order = append(o.order, m.id)
	}
	m.state = e.Attr("to")
	m.put = m.put || m.state == stateUndoing
	switch {
	case m.state == stateWaiting:
		m.step = e.Attr("next")
	case e.Attr("step") != "":
		m.step = e.Attr("step")
	}
	if o.telling {
		o.durable(m)
	}
	if o.rules.final(m.state) {
		m.over = e.Seq
		m.cancelled = m.state == "cancelled" || m.state == stateRefused || e.Attr("reason") == reasonCancelled
	}
}

// durable: it was at that step when the appliance went down, for the journal had it,
// though nobody had been told yet.
func (o *Faithful) durable(m *followed) {
	if m.state != stateRunning {
		return
	}
	for i := range o.subjects {
		if s := &o.subjects[i]; s.moves == m {
			s.at.Step = migration.StepName(m.step)
		}
	}
}

// breaks: something goes wrong now.
func (o *Faithful) breaks(e *kernel.Event) {
	if o.faults++; o.faults > 1 || e.Attr("case") == "" {
		return
	}
	kind, of, _ := strings.Cut(e.Attr("case"), ": ")
	o.fault, o.began = outcome.Case{Kind: kind, Of: of}, e.Seq
	moving := map[string]bool{}
	for _, id := range o.order {
		m := o.migrations[id]
		if m.over > 0 {
			continue
		}
		moving[m.vm] = true
		if m.state == stateUndoing || m.state == stateQueued {
			continue // it has failed already, or not begun
		}
		step := m.step
		if step == "" {
			step = o.rules.Steps[string(m.of)][0]
		}
		o.subjects = append(o.subjects, subject{m.vm, outcome.Place{Type: m.of, Step: migration.StepName(step)}, m})
	}
	for _, id := range sortedKeys(o.bound) {
		if vm := o.bound[id]; !moving[vm] {
			o.subjects = append(o.subjects, subject{vm, outcome.Place{Type: outcome.Bound}, nil})
		}
	}
	if o.deployed {
		o.subjects = append(o.subjects, subject{"appliance", outcome.Place{Type: outcome.Idle}, nil})
	}
}

// Finish implements Oracle.
func (o *Faithful) Finish(t *Truth) []record.Violation {
	if o.faults != 1 || o.forced {
		return nil
	}
	reset := o.offered || o.phase != idle
	mayReset := false
	for _, s := range o.subjects {
		mayReset = mayReset || outcome.Of(o.fault, s.at).Allows(outcome.Reset)
	}
	if reset && !mayReset && len(o.subjects) > 0 {
		o.broken("REC-01", t.At, "appliance", []uint64{o.began}, "after %s HDM needs a reset, which is documented of nothing that it met", o.fault)
	}
	for _, s := range o.subjects {
		v := outcome.Of(o.fault, s.at)
		if s.at.Type == outcome.Idle || reset && v.Allows(outcome.Reset) || o.byHand[s.vm] {
			continue
		}
		became, evidence := o.became(s)
		if became == "" || v.Allows(became) || (!v.Applies() || o.cluster) && (became == outcome.GoesOn || became == outcome.Stays) {
			continue
		}
		clause := "REC-02"
		if len(v.Clauses) > 0 {
			clause = v.Clauses[0]
		}
		documented := "documented is that it " + either(v.Allowed)
		if !v.Applies() {
			documented = "nothing is documented to follow there"
		}
		o.broken(clause, t.At, s.vm, []uint64{o.began, evidence}, "after %s at %s it %s; %s", o.fault, s.at, became, documented)
	}
	return o.take()
}

func either(all []outcome.Outcome) string {
	var texts []string
	for _, o := range all {
		texts = append(texts, string(o))
	}
	return some(texts)
}

// became says what became of whom a failure met; "" if that was somebody's wish.
func (o *Faithful) became(s subject) (outcome.Outcome, uint64) {
	if m := o.back(s.vm); m != nil && m != s.moves {
		if m.state != stateCompleted {
			return outcome.Stops, m.over
		}
		if o.pools[s.vm] == o.rules.RecoveryFailed {
			return outcome.ReturnsHurt, m.over
		}
		return outcome.Returns, m.over
	}
	m := s.moves
	switch {
	case m == nil:
		return outcome.Stays, 0
	case m.cancelled:
		return "", 0
	case m.state == stateFailed && m.put:
		return outcome.Undone, m.over
	case m.state == stateFailed && slices.Contains([]string{stateChecking, ""}, m.step):
		return outcome.Undone, m.over
	case m.state == stateFailed:
		return outcome.Stops, m.over
	}
	return outcome.GoesOn, m.over
}

// back is the last migration that a recovery ordered for a VM; nil if none did.
func (o *Faithful) back(vm string) *followed {
	for _, id := range slices.Backward(o.order) {
		if m := o.migrations[id]; m.vm == vm && m.of == migration.Recover {
			return m
		}
	}
	return nil
}

// Tested implements Oracle. Which clauses the table cites, scenarios show.
func (o *Faithful) Tested() []string { return nil }

package oracle

import (
	"slices"
	"strings"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// LegalMoves: a migration moves along declared edges only, from where it was
// left (after a restart of the appliance too: whatever was told is durable),
// through its steps in their order; it acts only in the step that it is in, and
// only after the move to it is journalled.
type LegalMoves struct {
	verdicts
	rules      Rules
	migrations map[string]*position
	journalled uint64 // the last event of the journal
}

type position struct {
	of          string // its type
	state, step string
	waited      string // the step that waited for a word last
	furthest    int    // index of the furthest step begun
	moved       uint64 // the last move
	acted       uint64 // the last effect
}

// NewLegalMoves returns the oracle for one run.
func NewLegalMoves(r Rules) *LegalMoves {
	return &LegalMoves{verdicts: verdicts{oracle: "legal-moves"}, rules: r, migrations: map[string]*position{}}
}

// Observe implements Oracle.
func (o *LegalMoves) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.Migration:
		o.move(&e)
	case event.JournalWrite, event.JournalSync:
		o.journalled = e.Seq
	case event.EffectStarted:
		o.act(&e)
	}
	return o.take()
}

func (o *LegalMoves) move(e *kernel.Event) {
	from, to, step := e.Attr("from"), e.Attr("to"), e.Attr("step")
	m := o.migrations[e.Subject]
	if m == nil {
		m = &position{furthest: -1, of: e.Attr("type")}
		o.migrations[e.Subject] = m
		if from != "" || to != stateChecking && to != stateRefused && !(m.of == typeRecover && to == stateQueued) {
			o.broken(clauseMoves, e.At, e.Subject, []uint64{e.Seq}, "it came into being as %q, from %q: a migration begins as %s or %s", to, from, stateChecking, stateRefused)
		}
	} else {
		if from != m.state {
			o.broken(clauseMoves, e.At, e.Subject, []uint64{m.moved, e.Seq}, "it moved from %q to %q, but it was %q", from, to, m.state)
		}
		if from != to && !slices.Contains(o.rules.Edges[from], to) {
			o.broken(clauseMoves, e.At, e.Subject, []uint64{m.moved, e.Seq}, "it moved from %q to %q; from there only %s is declared", from, to, some(o.rules.Edges[from]))
		}
		if from == to && !o.rules.active(to) {
			o.broken(clauseMoves, e.At, e.Subject, []uint64{m.moved, e.Seq}, "it moved within %q, which has no steps", to)
		}
	}
	o.step(e, m, to, step)
	if to == stateWaiting {
		o.waits(e, m)
	}
	m.state, m.step, m.moved = to, step, e.Seq
}

func (o *LegalMoves) step(e *kernel.Event, m *position, state, step string) {
	if step == "" {
		return
	}
	i := slices.Index(o.rules.Steps[m.of], step)
	switch {
	case i < 0:
		o.broken(clauseMoves, e.At, e.Subject, []uint64{e.Seq}, "step %q is not declared", step)
	case state == stateUndoing && i > m.furthest:
		o.broken(clauseMoves, e.At, e.Subject, []uint64{m.moved, e.Seq}, "it takes back step %q, which it never began", step)
	case state == stateRunning && step != m.step && i != m.furthest+1 && !(i == m.furthest+2 && m.spared(o)):
		o.broken(clauseMoves, e.At, e.Subject, []uint64{m.moved, e.Seq}, "it went to step %q; after %s comes %s", step, m.named(o, m.furthest), m.named(o, m.furthest+1))
	}
	if state == stateRunning {
		m.furthest = max(m.furthest, i)
	}
}

// waits: a migration waits before a step, and none is under way meanwhile.
func (o *LegalMoves) waits(e *kernel.Event, m *position) {
	m.waited = e.Attr("next")
	if m.waited != m.named(o, m.furthest+1) {
		o.broken(clauseMoves, e.At, e.Subject, []uint64{m.moved, e.Seq}, "it waits before step %q; after %s comes %s", m.waited, m.named(o, m.furthest), m.named(o, m.furthest+1))
	}
}

// spared says whether the next step is the bulk transfer, and the migration has
// waited before it: a person may have brought the data.
func (m *position) spared(o *LegalMoves) bool {
	return m.waited == stepTransfer && m.named(o, m.furthest+1) == stepTransfer
}

func (m *position) named(o *LegalMoves, step int) string {
	steps := o.rules.Steps[m.of]
	switch {
	case step < 0:
		return "the beginning"
	case step >= len(steps):
		return "the end"
	}
	return steps[step]
}

func (o *LegalMoves) act(e *kernel.Event) {
	m := o.migrations[e.Subject]
	if m == nil {
		o.broken(clauseMoves, e.At, e.Subject, []uint64{e.Seq}, "it acts (%s) before it came into being", e.Attr("kind"))
		return
	}
	if m.moved > m.acted && o.journalled < m.acted || o.journalled == 0 {
		o.broken(clauseMoves, e.At, e.Subject, []uint64{m.moved, e.Seq}, "it acts (%s) before its move is journalled", e.Attr("kind"))
	}
	step := e.Attr("step")
	if m.state != stateChecking && step != m.step || !o.rules.active(m.state) && m.state != stateChecking {
		o.broken(clauseMoves, e.At, e.Subject, []uint64{m.moved, e.Seq}, "it acts for step %q while it is %s", step, strings.TrimSpace(m.state+" "+m.step))
	}
	m.acted = e.Seq
}

func some(states []string) string {
	if len(states) == 0 {
		return "nothing"
	}
	return strings.Join(states, ", ")
}

// Finish implements Oracle.
func (o *LegalMoves) Finish(*Truth) []record.Violation { return nil }

// Tested implements Oracle: no clause speaks of moves, but all stand on them.
func (o *LegalMoves) Tested() []string { return nil }

package oracle

import (
	"slices"
	"strings"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// RecoveryOrder: a recovery goes along its declared phases; while it lasts no new
// order is accepted; whom the failure affects is named before the repair ends;
// only once all is repaired do affected migrations fail, and only then do VMs come
// back, those that were named and no others; and HDM is healthy again when the last
// of them is back (REC-12).
type RecoveryOrder struct {
	verdicts
	parts     parts
	phase     string
	told      uint64               // the event that told it
	healed    *kernel.Event        // that it is over: whatever is told at the same time comes with it
	affected  map[string]uint64    // VMs: the event that named them first
	unsettled []string             // failures that are not said to be repaired
	returning map[string]uint64    // VMs on their way back: the event that ordered it
	running   map[string]*position // others, under way
	whole     bool                 // a recovery brought somebody back and ended
}

// phases are the declared moves of a recovery. A reset can be asked for at any
// time, and something may fail at any.
var phases = map[string][]string{
	idle:            {"probing", "repairing", "unrecoverable", "resetting"}, // nothing is probed that tells by itself that it began anew
	"probing":       {idle, "repairing", "returning", "unrecoverable", "resetting"},
	"repairing":     {"probing", "returning", idle, "unrecoverable", "resetting"},
	"returning":     {"probing", "repairing", idle, "unrecoverable", "resetting"},
	"unrecoverable": {"resetting"},
	"resetting":     {idle},
}

// NewRecoveryOrder returns the oracle for one run.
func NewRecoveryOrder() *RecoveryOrder {
	return &RecoveryOrder{
		verdicts: verdicts{oracle: "recovery-order"}, phase: idle, parts: newParts(),
		affected: map[string]uint64{}, returning: map[string]uint64{}, running: map[string]*position{},
	}
}

// Observe implements Oracle.
func (o *RecoveryOrder) Observe(e kernel.Event) []record.Violation {
	if o.healed != nil && e.At > o.healed.At {
		o.ended()
	}
	o.parts.hear(&e)
	switch e.Kind {
	case event.Recovery:
		o.recovers(&e)
	case event.Migration:
		o.moves(&e)
	case event.OrderAnswered:
		if o.phase == idle {
			break
		}
		if e.Attr("outcome") == "accepted" {
			o.broken("REC-12", e.At, e.Subject, []uint64{o.told, e.Seq}, "an order of %s is accepted while HDM is %s", e.Attr("vm"), o.phase)
		}
	}
	return o.take()
}

// beyondRepair says whether all that has failed are iofilter daemons, or their
// hosts, that have started again, or caches that run and cannot use what they hold
// of some VMs: of those nothing is repaired (ESX-02).
func beyondRepair(e *kernel.Event) bool {
	failed := e.Attr("failed")
	return failed != "" && !slices.ContainsFunc(strings.Split(failed, ";"), func(f string) bool {
		_, cause, _ := strings.Cut(f, "=")
		cause, _ = strings.CutSuffix(cause, "+repaired")
		return cause != "filter-restarted" && cause != "host-restarted" && cause != "damaged"
	})
}

func (o *RecoveryOrder) recovers(e *kernel.Event) {
	to := e.Attr("phase")
	if to != o.phase && !slices.Contains(phases[o.phase], to) && !(o.phase == idle && to == "returning" && beyondRepair(e)) {
		o.broken("REC-12", e.At, e.Subject, []uint64{o.told, e.Seq}, "the recovery goes from %s to %s; from there only %s is declared", o.phase, to, some(phases[o.phase]))
	}
	for vm := range strings.SplitSeq(e.Attr("affected"), ",") {
		if vm != "" && o.affected[vm] == 0 {
			o.affected[vm] = e.Seq
		}
	}
	if to == idle && o.phase != idle {
		o.ends(e)
	}
	known := o.phase != idle || to != "repairing"
	o.unsettled = o.unsettled[:0]
	for what := range strings.SplitSeq(e.Attr("failed"), ";") {
		if what != "" && !strings.HasSuffix(what, "+repaired") {
			o.unsettled = append(o.unsettled, what)
		}
		_, cause, _ := strings.Cut(strings.TrimSuffix(what, "+repaired"), "=")
		known = known || byEpoch[cause]
	}
	if !known {
		o.broken("HLT-02", e.At, e.Subject, []uint64{e.Seq}, "the repair begins, and nothing was probed: %s", e.Attr("failed"))
	}
	if to == "returning" && len(o.unsettled) > 0 {
		o.broken("REC-12", e.At, e.Subject, []uint64{e.Seq}, "VMs are to come back, and %s is not repaired", strings.Join(o.unsettled, ", "))
	}
	o.phase, o.told = to, e.Seq
}

// ends: HDM is healthy again. What was only probed may turn out to be well.
func (o *RecoveryOrder) ends(e *kernel.Event) {
	if o.phase == "repairing" || o.phase == "returning" {
		for _, what := range o.unsettled {
			name, _, _ := strings.Cut(what, "=")
			if p := o.parts.find(name); p != nil && p.down {
				o.broken("REC-12", e.At, e.Subject, []uint64{p.seq, o.told, e.Seq}, "HDM is healthy again, and %s is not repaired", what)
			}
		}
	}
	over := *e
	o.healed = &over
	clear(o.affected)
}

// ended: everybody who was to come back is there.
func (o *RecoveryOrder) ended() {
	for _, vm := range sortedKeys(o.returning) {
		o.broken("REC-12", o.healed.At, o.healed.Subject, []uint64{o.returning[vm], o.healed.Seq}, "HDM is healthy again, and %s is not back yet", vm)
	}
	o.healed = nil
}

func (o *RecoveryOrder) moves(e *kernel.Event) {
	vm, to := e.Attr("vm"), e.Attr("to")
	if e.Attr("type") == typeRecover {
		o.returns(e, vm)
		return
	}
	m := o.running[e.Subject]
	if m == nil {
		m = &position{}
		o.running[e.Subject] = m
	}
	ends := (to == stateUndoing || to == stateFailed) && m.state == stateRunning
	if ends && o.affected[vm] > 0 && (o.phase == "probing" || o.phase == "repairing") && e.Attr("reason") != reasonCancelled {
		o.broken("REC-12", e.At, e.Subject, []uint64{o.affected[vm], o.told, e.Seq}, "the migration of %s, which the failure affects, fails while HDM is %s", vm, o.phase)
	}
	if m.state = to; to == stateCompleted || to == stateFailed || to == stateRefused || to == "cancelled" {
		delete(o.running, e.Subject)
	}
}

// reasonCancelled is the reason of a migration that a person does not want any more.
const reasonCancelled = "cancelled"

// returns: a VM comes back.
func (o *RecoveryOrder) returns(e *kernel.Event, vm string) {
	switch {
	case e.Attr("from") != "":
	case o.phase != "returning":
		o.broken("REC-12", e.At, e.Subject, []uint64{o.told, e.Seq}, "%s is to be brought back while HDM is %s: before all is repaired", vm, o.phase)
	case o.affected[vm] == 0:
		o.broken("REC-04", e.At, e.Subject, []uint64{o.told, e.Seq}, "%s is to be brought back, and the failure was not said to affect it", vm)
	}
	switch to := e.Attr("to"); to {
	case stateCompleted, stateFailed, "cancelled", stateRefused:
		o.whole = o.whole || to == stateCompleted
		delete(o.returning, vm)
	default:
		if o.returning[vm] == 0 {
			o.returning[vm] = e.Seq
		}
	}
}

// Finish implements Oracle.
func (o *RecoveryOrder) Finish(*Truth) []record.Violation {
	if o.healed != nil {
		o.ended()
	}
	return o.take()
}

// Tested implements Oracle: somebody was brought back.
func (o *RecoveryOrder) Tested() []string { return tested(o.whole, "REC-12") }

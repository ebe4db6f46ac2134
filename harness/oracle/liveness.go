package oracle

import (
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Liveness: when nothing goes on any more HDM is healthy again, or has said that a
// reset is needed (REC-08, REC-11). That a migration works after that, harness/run
// tries by ordering one; that each one ends, nothing-left-behind judges.
type Liveness struct {
	verdicts
	phase, offered string
	told           uint64 // the event that told the phase
}

// NewLiveness returns the oracle for one run.
func NewLiveness() *Liveness { return &Liveness{verdicts: verdicts{oracle: "liveness"}, phase: idle} }

// Observe implements Oracle.
func (o *Liveness) Observe(e kernel.Event) []record.Violation {
	if e.Kind == event.Recovery {
		o.phase, o.offered, o.told = e.Attr("phase"), e.Attr("offered"), e.Seq
	}
	return nil
}

// Finish implements Oracle.
func (o *Liveness) Finish(t *Truth) []record.Violation {
	switch {
	case o.phase == idle, o.phase == "resetting", o.offered != "": // the latter two wait for a person
	case o.phase == "unrecoverable":
		o.broken("REC-08", t.At, "appliance", []uint64{o.told}, "HDM cannot recover, and has offered no reset")
	default:
		o.broken("REC-11", t.At, "appliance", []uint64{o.told}, "nothing goes on any more, HDM is still %s, and it has offered no reset", o.phase)
	}
	return o.take()
}

// Tested implements Oracle. Only a migration after a recovery shows REC-11.
func (o *Liveness) Tested() []string { return nil }

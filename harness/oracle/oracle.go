// Package oracle judges runs: each oracle is one promise that must hold in every
// run, under faults too.
//
// An Oracle hears every event of the trace as it happens and, when the run is
// over, is shown the world as it then is (Truth). One looks at disks on the way
// too (World). It judges by what the world
// itself says (vCenters, disks, guests); the appliance's own story is only ever
// held against the world, or against the rules that it has to keep. An oracle
// never changes anything, never scans the world per event, and tells each
// breach once.
//
// Read this file, then truth.go, then any oracle: each is one file, with a table
// of histories in its test that it must accept and histories that it must
// reject.
package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Oracle watches one run for breaches of one promise.
type Oracle interface {
	// Name is how reports and scenarios call it.
	Name() string
	// Observe hears the next event. It takes constant time, however long the run.
	Observe(kernel.Event) []record.Violation
	// Finish compares with the world at the end of the run, once nothing goes on
	// any more. It is called once, and not after an interrupted run.
	Finish(*Truth) []record.Violation
	// Tested are the clauses that this run put to the test as far as this oracle
	// judges them: none, if nothing happened that could have broken one.
	Tested() []string
}

// World is where an oracle may look while a run goes on, in the middle of an
// event: when a guest comes up in a new place its disks must be right then, for
// what it writes next would hide what was lost.
type World interface {
	// Guest is the guest of that name, or nil.
	Guest(name string) *guest.Guest
	// Disks are those of a VM, named as events do ("cloud/db-01"), as they are now.
	Disks(vm string) []Disk
}

// All returns a fresh set of every oracle, for one run in w.
func All(r Rules, w World) []Oracle {
	flushed := NewFlushed(w)
	return []Oracle{
		NewOneCopy(),
		NewNoLostWrite(w),
		flushed,
		NewBroughtBack(r, flushed),
		NewNoLostVM(r),
		NewLegalMoves(r),
		NewLimits(r),
		NewEffectsOnce(r),
		NewNothingLeftBehind(r),
		NewMessageBus(r),
		NewHeartbeats(r),
		NewToldTheTruth(r),
		NewDetection(r),
		NewRecoveryOrder(),
		NewLiveness(),
		NewFaithful(r),
	}
}

// maxPerOracle bounds what one oracle tells about one run: a broken run breaks
// the same promise over and over, and the first breaches are those that help.
const maxPerOracle = 20

// verdicts collects what an oracle has to say.
type verdicts struct {
	oracle string
	told   int
	found  []record.Violation
}

func (v *verdicts) Name() string { return v.oracle }

// broken tells a breach of clause. evidence are numbers of events; zeros are
// left out, since an event that never happened has none.
func (v *verdicts) broken(clause string, at time.Duration, subject string, evidence []uint64, format string, args ...any) {
	if v.told++; v.told > maxPerOracle {
		return
	}
	evidence = slices.DeleteFunc(slices.Clone(evidence), func(n uint64) bool { return n == 0 })
	slices.Sort(evidence)
	v.found = append(v.found, record.Violation{
		Oracle: v.oracle, Clauses: []string{clause}, At: at, Subject: subject,
		What: fmt.Sprintf(format, args...), Evidence: slices.Compact(evidence),
	})
}

// take hands over what was found since the last time.
func (v *verdicts) take() []record.Violation {
	found := v.found
	v.found = nil
	return found
}

// tested is clauses if anything happened, else nothing.
func tested(happened bool, clauses ...string) []string {
	if !happened {
		return nil
	}
	return clauses
}

// number reads a decimal attribute. The trace is written by code of ours, so an
// attribute that is no number is a bug in it and not an outcome.
func number(e *kernel.Event, key string) int64 {
	n, err := strconv.ParseInt(e.Attr(key), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("oracle: event %d (%s of %s): %s=%q is no number", e.Seq, e.Kind, e.Subject, key, e.Attr(key)))
	}
	return n
}

// sortedKeys are the keys of a map, in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

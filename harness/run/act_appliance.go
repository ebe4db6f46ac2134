package run

import (
	"time"

	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/disk"
)

// armAppliance makes a fault of the appliance's machine act, and says whether it
// is one.
func (st *stage) armAppliance(i int, f *faults.Fault) bool {
	switch k := f.Kind().(type) {
	case *faults.ApplianceRestart:
		if k.CrashPoint != "" {
			st.acting.crash = append(st.acting.crash, &armed{fault: i, restart: k})
			break
		}
		st.restart(i, k, "")
	case *faults.JournalFull:
		st.acting.full++
		st.lasts(i, k.Lasts(), func() { st.acting.full-- })
	case *faults.JournalLost:
		st.journal.IgnoreSyncs(true)
		st.lasts(i, k.Lasts(), func() { st.journal.IgnoreSyncs(false) })
	case *faults.ClockStep:
		if st.machine != nil {
			st.machine.StepClock(timeOf(k.By))
			st.once(i, nil)
		}
	default:
		return false
	}
	return true
}

// disked is the journal on a disk that can be full.
type disked struct {
	*journal.Memory
	stage *stage
}

// errFull is what writing to a journal fails with whose disk is full.
var errFull = &journalFullError{}

type journalFullError struct{}

func (*journalFullError) Error() string { return "the disk with the journal is full" }
func (*journalFullError) Unwrap() error { return disk.ErrNoSpace }

// Write implements journal.Journal. An appliance that cannot write stops; its
// machine starts it anew.
func (d *disked) Write(batch []journal.Record) error {
	st := d.stage
	if st.acting.full == 0 {
		return d.Memory.Write(batch)
	}
	m := st.machine
	st.kernel.After(0, func() {
		if st.machine == m && m != nil {
			st.cut(startAgain, "journal")
		}
	})
	return errFull
}

// startAgain is how long the machine of an appliance that has stopped waits
// before it starts it anew.
const startAgain = 30 * time.Second

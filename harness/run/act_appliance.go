package run

import (
	"syscall"
	"time"

	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/faults"
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
		st.hold(i, k, func(on bool) error { st.acting.full = on; return nil })
	case *faults.JournalLost:
		st.hold(i, k, func(on bool) error { st.journal.IgnoreSyncs(on); return nil })
	case *faults.ClockStep:
		if st.machine == nil {
			st.refuse(i, errDown)
			break
		}
		st.machine.StepClock(timeOf(k.By))
		st.once(i, nil)
	default:
		return false
	}
	return true
}

// journalFault is what becomes of each write to the journal. An appliance that
// cannot write stops; its machine starts it anew.
func (st *stage) journalFault(op journal.Operation, _ []journal.Record) error {
	if !st.acting.full || op != journal.OpWrite {
		return nil
	}
	m := st.machine
	st.kernel.After(0, func() {
		if st.machine == m && m != nil {
			st.cut(startAgain, "journal")
		}
	})
	return syscall.ENOSPC
}

// startAgain is how long the machine of an appliance that has stopped waits
// before it starts it anew.
const startAgain = 30 * time.Second

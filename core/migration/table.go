package migration

import (
	"fmt"

	"github.com/hdm-project/hdm/core/vsphere"
)

// StepName names a step of a migration, in an operator's words.
type StepName string

// Row is one step of a Table. Every column says something: a row with an empty
// one does not build (the literals are unkeyed) or does not pass Table.check.
type Row struct {
	Step  StepName
	Does  Kind // the effect that it runs
	Tries int  // failures that count before it has failed for good (SYS-02)
	Redo  Redo // how it is done again, after a failure or a restart of the appliance
	// Restart is what a restart of the appliance does to a migration that is at it.
	Restart Restart
	// Waits is the word that a step waits for before it begins, if its migration is
	// one that is led by hand (see Migration.waits); Never if it always goes on.
	Waits   Word
	Undo    Kind         // the effect that takes it back; Nothing if there is nothing to take back
	At      vsphere.Site // where Undo acts
	Failure OnFailure    // what follows when it has failed for good
	Shows   string       // what the operator sees while it runs
}

// Redo is how a step is done again: after a failure that counts, while a site
// is out of reach, and after a restart of the appliance, which uses up no try.
type Redo string

// The rules.
const (
	// Again: the effect is run again, and finds by its mark what was done.
	Again Redo = "again"
	// FromBeginning: the undo is run first, so that the step starts from nothing
	// (APP-02, A-14).
	FromBeginning Redo = "from the beginning"
)

// Restart is what a restart of the appliance does to a step under way.
type Restart string

// The rules.
const (
	Resumes Restart = "resumes" // the step is done again by its Redo; no try is used up
	Fails   Restart = "fails"   // so does the migration, and everything is put back (APP-04)
)

// OnFailure is what follows when a step has failed for good.
type OnFailure string

// The rules.
const (
	// Undoes: what was done is taken back, and the migration has failed.
	Undoes OnFailure = "undoes"
	// GoesOn: it is listed as left over, and the next step begins. Of steps that
	// come after the last one that can be taken back.
	GoesOn OnFailure = "goes on"
	// Stops: it is listed as left over, and the migration has failed, with nothing
	// taken back: the VM runs where it is, and a person has to look.
	Stops OnFailure = "stops"
)

// Table is a type of migration: its steps in order.
type Table []Row

// Tables holds the table of each type.
var Tables = map[Type]Table{Cold: ColdTable, Warm: WarmTable, TBC: TBCTable, Back: BackTable, Recover: RecoverTable}

// Types are the types that a VM can be migrated to the cloud as (MIG-01).
var Types = []Type{Cold, TBC, Warm}

func (t Table) row(step StepName) Row { return t[t.index(step)] }

func (t Table) index(step StepName) int {
	for i, r := range t {
		if r.Step == step {
			return i
		}
	}
	panic(fmt.Sprintf("migration: no step %q in the table", step))
}

// check says which column of which row is empty.
func (t Table) check() error {
	seen := map[StepName]bool{}
	for i, r := range t {
		if r.Step == "" || r.Does == "" || r.Tries <= 0 || r.Redo == "" || r.Restart == "" || r.Waits == "" || r.Undo == "" || r.At == "" || r.Failure == "" || r.Shows == "" {
			return fmt.Errorf("row %d (%q) has an empty column: %+v", i, r.Step, r)
		}
		if seen[r.Step] {
			return fmt.Errorf("row %d: step %q occurs twice", i, r.Step)
		}
		seen[r.Step] = true
	}
	return nil
}

func mustTable(t Table) Table {
	if err := t.check(); err != nil {
		panic("migration: " + err.Error())
	}
	return t
}

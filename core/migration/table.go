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
	Does  Kind         // the effect that it runs
	Tries int          // failures that count before it has failed for good (SYS-02)
	Redo  Redo         // how it is done again, after a failure or a restart of the appliance
	Undo  Kind         // the effect that takes it back; Nothing if there is nothing to take back
	At    vsphere.Site // where Undo acts
	Shows string       // what the operator sees while it runs
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

// Table is a type of migration: its steps in order.
type Table []Row

// Tables holds the table of each type.
var Tables = map[Type]Table{Cold: ColdTable}

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
		if r.Step == "" || r.Does == "" || r.Tries <= 0 || r.Redo == "" || r.Undo == "" || r.At == "" || r.Shows == "" {
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

// Package outcome is the one table of what may become of a migration, of a VM on
// the cloud cache and of HDM itself when something goes wrong: for each kind of
// fault, at each step of each type of migration, the outcomes that are documented
// with the clauses that promise them, or why the fault does not apply there.
//
// It decides what counts as documented. It never looks at a run: the oracle
// "faithful" holds runs against it, harness/family expands it into scenarios, and
// docs/outcomes.md is printed from it.
//
// Read this file, then cases.go (the ways in which something goes wrong), rules.go
// (the table), print.go.
package outcome

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/migration"
)

// Outcome is what becomes of a migration, of a VM that is on the cloud cache, or
// of HDM while nothing goes on.
type Outcome string

// The outcomes, in an auditor's words.
const (
	// Of a migration.
	GoesOn Outcome = "goes on"   // it completes, though steps may be tried again, or wait for a repair
	Undone Outcome = "is undone" // it fails, and the VM is as it was, on premises
	Stops  Outcome = "stops"     // it fails after the last step that can be taken back: what is left is listed
	// Of a migration, and of a VM on the cloud cache.
	Returns     Outcome = "comes back"             // at its last flush, off, in the recovery-success pool
	ReturnsHurt Outcome = "comes back not to boot" // the same, in the recovery-failed pool
	// Of a VM on the cloud cache.
	Stays Outcome = "stays in the cloud"
	// Of HDM, whatever goes on.
	Recovers Outcome = "recovers"      // it is Ready again by itself
	Reset    Outcome = "needs a reset" // it says so, and offers one; what goes on waits for it, or has failed
)

// Place is where a migration is when something goes wrong.
type Place struct {
	Type migration.Type     // or Bound, or Idle
	Step migration.StepName // "" of those
}

// What stands in for a type where no migration goes on.
const (
	Bound migration.Type = "bound" // the VM has come to the cloud cache, and runs there
	Idle  migration.Type = "idle"  // HDM is deployed, and nothing goes on
)

func (p Place) String() string {
	if p.Step == "" {
		return string(p.Type)
	}
	return string(p.Type) + " " + string(p.Step)
}

// types are those of migrations, in the order in which people read of them.
var types = []migration.Type{migration.Cold, migration.Warm, migration.TBC, migration.Back, migration.Recover}

// Places are all that there are: each step of each type of migration, in order, a
// VM on the cloud cache, and an idle HDM.
func Places() []Place {
	var all []Place
	for _, t := range types {
		for _, row := range migration.Tables[t] {
			all = append(all, Place{t, row.Step})
		}
	}
	return append(all, Place{Type: Bound}, Place{Type: Idle})
}

// Verdict is what the table says of a case at a place.
type Verdict struct {
	Allowed []Outcome // empty: the case does not apply
	Clauses []string  // that promise it
	Because string    // why the case does not apply there; "" if it does
}

// Applies says whether the case can happen at the place.
func (v Verdict) Applies() bool { return v.Because == "" }

// Allows says whether an outcome is one of those that are documented.
func (v Verdict) Allows(o Outcome) bool { return slices.Contains(v.Allowed, o) }

// Of is what the table says of a case at a place. Of what the table does not know
// it panics: the tests of this package go over everything that there is.
func Of(c Case, p Place) Verdict {
	for i := range rules {
		if r := &rules[i]; r.of(c) && r.at(p) {
			return r.verdict
		}
	}
	panic(fmt.Sprintf("outcome: the table says nothing of %s at %s", c, p))
}

// rule is a line of the table: all cases and places that it names have its verdict,
// unless a line before has spoken of them.
type rule struct {
	cases   []string // as Case.String prints them; "component-*" is every case that begins so; "" is all
	places  []Stretch
	verdict Verdict
}

func (r *rule) of(c Case) bool {
	name := c.String()
	return slices.ContainsFunc(r.cases, func(pattern string) bool {
		if begin, open := strings.CutSuffix(pattern, "*"); open {
			return strings.HasPrefix(name, begin)
		}
		return pattern == name
	})
}

func (r *rule) at(p Place) bool {
	return slices.ContainsFunc(r.places, func(s Stretch) bool { return s.holds(p) })
}

// Stretch are places that follow each other: a type of migration, and its steps
// from one to another, both included; all steps if From is "".
type Stretch struct {
	Type     migration.Type
	From, To migration.StepName
}

func (s Stretch) holds(p Place) bool {
	if s.Type != p.Type {
		return false
	}
	if s.From == "" {
		return true
	}
	at := func(step migration.StepName) int {
		return slices.IndexFunc(migration.Tables[s.Type], func(r migration.Row) bool { return r.Step == step })
	}
	from, to, here := at(s.From), at(s.To), at(p.Step)
	if from < 0 || to < from {
		panic(fmt.Sprintf("outcome: %s is not a stretch of %s", s, s.Type))
	}
	return from <= here && here <= to
}

func (s Stretch) String() string {
	switch {
	case s.From == "":
		return string(s.Type)
	case s.From == s.To:
		return string(s.Type) + " " + string(s.From)
	}
	return fmt.Sprintf("%s %s to %s", s.Type, s.From, s.To)
}

// Line is the line of the table that speaks of a case at a place, as Lines has it.
func Line(c Case, p Place) string {
	for i := range rules {
		if r := &rules[i]; r.of(c) && r.at(p) {
			return r.String()
		}
	}
	return ""
}

// Lines are those of the table, in order, each as one text.
func Lines() (all []string) {
	for i := range rules {
		all = append(all, rules[i].String())
	}
	return all
}

func (r *rule) String() string { return fmt.Sprint(r.cases, " at ", r.places) }

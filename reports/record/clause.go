package record

import (
	"fmt"
	"slices"
	"strings"
)

// Promise is one clause of the catalogue: something that the product promises,
// put so that a machine can check it.
type Promise struct {
	ID    string `json:"id" yaml:"id"`       // stable, such as "COLD-01"
	Guide string `json:"guide" yaml:"guide"` // the section of the product's guide that it comes from
	Must  string `json:"must" yaml:"must"`   // the promise
	How   string `json:"how" yaml:"how"`     // "scenario": a scripted run; "property": holds in every run; "surface": API, console or command line shows it
	See   string `json:"see" yaml:"see"`     // what an outside observer checks
	Parts []Part `json:"parts,omitempty" yaml:"parts,omitempty"`
}

// Part is a part of a promise that is shown by itself, such as one type of
// migration of several.
type Part struct {
	ID   string `json:"id" yaml:"id"` // within its promise: "cold" of MIG-08 is cited as "MIG-08/cold"
	What string `json:"what" yaml:"what"`
}

// Catalogue is every promise, in the order of the guide.
type Catalogue []Promise

// UnknownClauseError says that a citation cites nothing in the catalogue.
type UnknownClauseError struct {
	Cited string
	Fix   string
}

func (e *UnknownClauseError) Error() string {
	return fmt.Sprintf("clause %q is not in the catalogue: %s", e.Cited, e.Fix)
}

// Find returns the promise of that id.
func (c Catalogue) Find(id string) (Promise, bool) {
	i := slices.IndexFunc(c, func(p Promise) bool { return p.ID == id })
	if i < 0 {
		return Promise{}, false
	}
	return c[i], true
}

// Check tells whether a citation names a clause without parts, or a part of a
// clause that has them.
func (c Catalogue) Check(cited string) error {
	id, part, _ := strings.Cut(cited, "/")
	p, ok := c.Find(id)
	if !ok {
		return &UnknownClauseError{cited, "look at the ids that `hdm explain` lists"}
	}
	has := slices.ContainsFunc(p.Parts, func(q Part) bool { return q.ID == part })
	switch {
	case len(p.Parts) == 0 && part != "":
		return &UnknownClauseError{cited, id + " has no parts: cite " + id}
	case len(p.Parts) > 0 && !has:
		return &UnknownClauseError{cited, "cite one of its parts: " + strings.Join(p.citations(), ", ")}
	}
	return nil
}

// citations are what must be covered for the promise to be held.
func (p *Promise) citations() []string {
	if len(p.Parts) == 0 {
		return []string{p.ID}
	}
	var all []string
	for _, part := range p.Parts {
		all = append(all, p.ID+"/"+part.ID)
	}
	return all
}

// Standing is what the runs say about a promise.
type Standing string

// The standings.
const (
	Held      Standing = "held"      // every part was put to the test, and none failed
	Partial   Standing = "partial"   // some parts were not put to the test; those that were held
	Violated  Standing = "violated"  // a run that puts it to the test failed, or an oracle saw it broken
	Uncovered Standing = "uncovered" // nothing put it to the test
)

// Clause is a promise and its standing.
type Clause struct {
	ID       string   `json:"id"`
	Standing Standing `json:"standing"`
	Must     string   `json:"must"`
	Missing  []Part   `json:"missing,omitempty"` // the parts that nothing put to the test, if some were
	By       []string `json:"by,omitempty"`      // the scenarios that put it to the test and passed
	Broken   []string `json:"broken,omitempty"`  // the scenarios in which it failed
}

// Judge turns runs into the standing of every promise. A failed run breaks what
// its scenario covers and what its violations name; what its oracles tested
// besides, it neither shows nor breaks. Interrupted runs count for nothing, as
// do citations that Check refuses.
func (c Catalogue) Judge(runs []Run) []Clause {
	passed, broken := map[string][]string{}, map[string][]string{}
	for i := range runs {
		r := &runs[i]
		switch r.Verdict {
		case Passed:
			cite(passed, r.Covers, r.Scenario)
			cite(passed, r.Tested, r.Scenario)
		case Failed:
			cite(broken, r.Covers, r.Scenario)
			for _, v := range r.Violations {
				cite(broken, v.Clauses, r.Scenario)
			}
		}
	}
	clauses := make([]Clause, len(c))
	for i := range c {
		clauses[i] = c[i].judge(passed, broken)
	}
	return clauses
}

func cite(in map[string][]string, cited []string, scenario string) {
	for _, id := range cited {
		if !slices.Contains(in[id], scenario) {
			in[id] = append(in[id], scenario)
		}
	}
}

func (p *Promise) judge(passed, broken map[string][]string) Clause {
	clause := Clause{ID: p.ID, Must: p.Must, Broken: slices.Clone(broken[p.ID])}
	covered := 0
	for i, cited := range p.citations() {
		clause.By = union(clause.By, passed[cited])
		clause.Broken = union(clause.Broken, broken[cited])
		switch {
		case len(passed[cited]) > 0:
			covered++
		case len(p.Parts) > 0:
			clause.Missing = append(clause.Missing, p.Parts[i])
		}
	}
	switch {
	case len(clause.Broken) > 0:
		clause.Standing = Violated
	case covered == 0:
		clause.Standing, clause.Missing = Uncovered, nil
	case len(clause.Missing) > 0:
		clause.Standing = Partial
	default:
		clause.Standing = Held
	}
	return clause
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

package record

import "slices"

// Promise is what Judge has to know of a clause of the catalogue.
type Promise struct {
	ID    string // stable, such as "COLD-01"
	Guide string // the section of the guide that makes the promise
	Must  string // in a sentence
	Parts []Part // if its parts are shown apart
	// Together: it is about a setting, and shown by a family of runs that differ in
	// it, not by one alone.
	Together bool
}

// Part is a part of a promise, such as one type of migration of several.
type Part struct {
	ID   string `json:"id"` // within its promise: "cold" of MIG-08 is cited as "MIG-08/cold"
	What string `json:"what"`
}

// Catalogue is every promise, in the order of the guide.
type Catalogue []Promise

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
	Guide    string   `json:"guide,omitempty"`
	Standing Standing `json:"standing"`
	Must     string   `json:"must"`
	Missing  []Part   `json:"missing,omitempty"` // the parts that nothing put to the test, if some were
	By       []string `json:"by,omitempty"`      // the scenarios that put it to the test and passed
	Broken   []string `json:"broken,omitempty"`  // the scenarios in which it failed
}

// Judge turns runs into the standing of every promise. A failed run breaks what
// its scenario covers and what its violations name; what its oracles tested
// besides, it neither shows nor breaks. Runs that were not judged count for
// nothing. To cite a clause that has parts without naming one shows nothing, but
// breaks it whole. What runs show together, their family decides.
func (c Catalogue) Judge(runs []Run) []Clause {
	passed, broken := map[string][]string{}, map[string][]string{}
	families := Families(runs)
	for i := range runs {
		r := &runs[i]
		switch r.Verdict {
		case Passed:
			together, alone := c.split(r.Covers)
			cite(passed, alone, r.Scenario)
			cite(passed, r.Tested, r.Scenario)
			for _, f := range families {
				switch {
				case f.Name != r.Family:
				case len(f.Broken) > 0:
					cite(broken, together, r.Scenario)
				case f.Compared:
					cite(passed, together, r.Scenario)
				}
			}
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

// split divides what a run covers into what a family shows and what it shows by
// itself.
func (c Catalogue) split(covers []string) (together, alone []string) {
	for _, id := range covers {
		if slices.ContainsFunc(c, func(p Promise) bool { return p.Together && p.ID == id }) {
			together = append(together, id)
		} else {
			alone = append(alone, id)
		}
	}
	return together, alone
}

func cite(in map[string][]string, cited []string, scenario string) {
	for _, id := range cited {
		if !slices.Contains(in[id], scenario) {
			in[id] = append(in[id], scenario)
		}
	}
}

func (p *Promise) judge(passed, broken map[string][]string) Clause {
	clause := Clause{ID: p.ID, Guide: p.Guide, Must: p.Must, Broken: slices.Clone(broken[p.ID])} // whole
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

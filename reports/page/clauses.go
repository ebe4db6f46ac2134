package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/scenarios"
)

// titles say what the families of clauses are about.
var titles = map[string]string{
	"PRE": "prepare", "POL": "policies", "CACHE": "cloud cache", "MIG": "migrate", "SQS": "messages", "COLD": "cold migration",
	"WARM": "warm migration", "TBC": "try before commit", "BACK": "migrate back", "BOOT": "late guests", "MON": "monitoring",
	"HLT": "health", "REC": "recovery", "APP": "appliance restart", "CVM": "component restart", "WAN": "outages", "ESX": "host restart",
	"SYS": "storage, retries", "DEP": "deployment", "RST": "reset", "BED": "the testbed",
}

// family is the clauses of one subject.
type family struct {
	Name, Title string
	Cells       []cell
}

// cell is a clause in the matrix.
type cell struct {
	ID, Number string
	Standing   record.Standing
	Must       string
}

func families(clauses []record.Clause) []family {
	var all []family
	for i := range clauses {
		c := &clauses[i]
		name, number, _ := strings.Cut(c.ID, "-")
		at := slices.IndexFunc(all, func(f family) bool { return f.Name == name })
		if at < 0 {
			at = len(all)
			all = append(all, family{Name: name, Title: titles[name]})
		}
		all[at].Cells = append(all[at].Cells, cell{c.ID, number, c.Standing, c.Must})
	}
	return all
}

// standing is how many clauses stand so.
type standing struct {
	Name    record.Standing
	Count   int
	Meaning string
}

func counts(clauses []record.Clause) []standing {
	all := []standing{
		{record.Held, 0, "all of it was tested"},
		{record.Partial, 0, "what was tested of it held"},
		{record.Violated, 0, "a run broke it"},
		{record.Uncovered, 0, "not tested"},
	}
	for i := range clauses {
		for j := range all {
			if all[j].Name == clauses[i].Standing {
				all[j].Count++
			}
		}
	}
	return all
}

func rankOf(s record.Standing) int {
	switch s {
	case record.Violated:
		return 0
	case record.Uncovered:
		return 2
	}
	return 1
}

// clauseRow is a clause in the table.
type clauseRow struct {
	record.Clause
	First   []link // scenarios that show it
	Others  []link // and those that are folded away
	Proof   []proof
	Unshown int // proofs

	See      string     // what was looked at
	Facts    []string   // what had to happen, and did, in each of those runs
	Evidence []evidence // of the first scenarios
}

// evidence is a run that shows a clause, so that anybody can run it again.
type evidence struct {
	link
	Seed, Hash, Held string
}

type link struct{ Text, Anchor string }

// proof is a violation of a clause.
type proof struct {
	link
	At, What, Events string
}

// anchorsOf are the anchors of the runs.
func anchorsOf(s *record.Suite) []string {
	all := make([]string, len(s.Runs))
	for i := range s.Runs {
		all[i] = fmt.Sprintf("run-%d", i+1)
	}
	return all
}

func newClauseRow(c *record.Clause, s *record.Suite, anchors []string) clauseRow {
	row := clauseRow{Clause: *c}
	if of, known := scenarios.FindClause(c.ID); known {
		row.See, row.Facts = of.See, facts(of)
	}
	for _, name := range c.By {
		l := linkTo(name, s, anchors)
		if len(row.Evidence) < mostScenarios {
			row.Evidence = append(row.Evidence, evidenceOf(name, l, s)...)
		}
		if len(row.First) < mostScenarios {
			row.First = append(row.First, l)
		} else {
			row.Others = append(row.Others, l)
		}
	}
	for _, name := range c.Broken {
		at := slices.IndexFunc(s.Runs, func(r record.Run) bool { return r.Scenario == name })
		if at < 0 {
			continue
		}
		found := proofs(c.ID, &s.Runs[at], anchors[at])
		room := mostProofs - len(row.Proof)
		row.Proof = append(row.Proof, found[:min(len(found), room)]...)
		row.Unshown += max(len(found)-room, 0)
	}
	return row
}

// facts are what must have happened in a run that shows a clause, or a part of it.
func facts(c scenarios.Clause) []string {
	all := slices.Clone(c.Needs)
	for _, p := range c.Parts {
		all = append(all, p.Needs...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// evidenceOf is a run that passed, as evidence.
func evidenceOf(name string, l link, s *record.Suite) []evidence {
	at := slices.IndexFunc(s.Runs, func(r record.Run) bool { return r.Scenario == name })
	if at < 0 {
		return nil
	}
	r := &s.Runs[at]
	held := "its oracles held"
	if r.Expected > 0 {
		held = plural(r.Expected, "expectation") + " and all oracles held"
	}
	return []evidence{{l, fmt.Sprint(r.Seed), r.Hash, held}}
}

// proofs are the violations of a run that break a clause: those that name it, or
// else all, since a failed run breaks what its scenario covers.
func proofs(id string, r *record.Run, anchor string) []proof {
	of := func(cited string) bool {
		clause, _, _ := strings.Cut(cited, "/")
		return clause == id
	}
	var named, all []proof
	for i := range r.Violations {
		v := &r.Violations[i]
		p := proof{link{r.Scenario, anchor}, clock(v.At), subject(v), numbers(v.Evidence)}
		all = append(all, p)
		if slices.ContainsFunc(v.Clauses, of) {
			named = append(named, p)
		}
	}
	switch {
	case len(named) > 0:
		return named
	case len(all) == 0:
		what, _, _ := strings.Cut(r.Error, "\n")
		return []proof{{link: link{r.Scenario, anchor}, At: clock(seconds(r.VirtualSeconds)), What: what}}
	}
	return all
}

func subject(v *record.Violation) string {
	if v.Subject == "" {
		return v.What
	}
	return v.Subject + ": " + v.What
}

// numbers names events of a trace.
func numbers(events []uint64) string {
	if len(events) == 0 {
		return ""
	}
	word := "event "
	if len(events) > 1 {
		word = "events "
	}
	var b strings.Builder
	b.WriteString(word)
	for i, n := range events {
		if i == mostEvidence {
			fmt.Fprintf(&b, " and %d more", len(events)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	return b.String()
}

func linkTo(name string, s *record.Suite, anchors []string) link {
	at := slices.IndexFunc(s.Runs, func(r record.Run) bool { return r.Scenario == name })
	if at < 0 {
		return link{Text: name}
	}
	return link{name, anchors[at]}
}

package mutants

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Matrix is which clauses notice which mutants.
type Matrix struct {
	Clauses []string   // those that the sound program shows, in the catalogue's order
	Seen    []Sighting // in the order of the records
	Left    []string   // mutants that were not run, or not yet
	Brief   bool       // the survey ended once each clause had noticed one
	Product string     // what it was made with, as people name it: a commit
}

// By are the mutants that a clause notices.
func (m *Matrix) By(clause string) (names []string) {
	for _, s := range m.Seen {
		if slices.Contains(s.Noticing(), clause) && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// Idle are the clauses that notice no mutant: nothing shows that what holds them
// could fail.
func (m *Matrix) Idle() (clauses []string) {
	for _, c := range m.Clauses {
		if len(m.By(c)) == 0 {
			clauses = append(clauses, c)
		}
	}
	return clauses
}

// Write prints the matrix as Markdown. The same sightings give the same text.
func (m *Matrix) Write(w io.Writer) error {
	p := &printer{w: w}
	p.line("# Which clauses notice which mutants")
	p.line("")
	p.line("Written by `make mutants-matrix`: the suite, run with mistakes of `harness/mutants/records` in the product. A clause")
	p.line("notices a mutant if a scenario that covers it failed, or an oracle saw it broken. Do not edit.")
	p.line("")
	p.line("Made with %s.", cmp.Or(m.Product, "the tree at hand"))
	p.line("")
	if m.Brief {
		p.line("This survey was brief (`-brief`): a mutant was run only with what could notice it for a clause that had noticed")
		p.line("none so far. It tells too many clauses rather than too few as those that notice none, and of the others not all")
		p.line("mutants that they would notice.")
		p.line("")
	}
	missed, idle := 0, m.Idle()
	for _, s := range m.Seen {
		if len(s.Failed) == 0 {
			missed++
		}
	}
	p.line("%d of %d mutants that were run are noticed by what was run; %d of %d clauses notice at least one.",
		len(m.Seen)-missed, len(m.Seen), len(m.Clauses)-len(idle), len(m.Clauses))
	p.line("")
	if len(idle) > 0 {
		p.line("Clauses that notice none: %s.", strings.Join(idle, ", "))
		p.line("")
	}
	if len(m.Left) > 0 {
		p.line("Not run: %d mutants.", len(m.Left))
		p.line("")
	}
	p.line("## Clauses")
	p.line("")
	p.line("| clause | mutants | such as |")
	p.line("| --- | ---: | --- |")
	for _, c := range m.Clauses {
		by := m.By(c)
		p.line("| %s | %d | %s |", c, len(by), cell(m.tellingMost(by)))
	}
	p.line("")
	p.line("## Mutants")
	p.line("")
	p.line("| mutant | scenarios that fail | clauses that notice it |")
	p.line("| --- | ---: | --- |")
	for _, s := range m.Seen {
		p.line("| %s | %d%s%s | %s |", cell(s.Name), len(s.Failed), s.outOf(), marks(&s), cell(abridged(s.Noticing())))
	}
	for _, name := range m.Left {
		p.line("| %s | not run | |", cell(name))
	}
	return p.err
}

// tellingMost is the mutant of these that the fewest clauses notice.
func (m *Matrix) tellingMost(names []string) string {
	best, least := "", 0
	for _, s := range m.Seen {
		if n := len(s.Noticing()); slices.Contains(names, s.Name) && (best == "" || n < least) {
			best, least = s.Name, n
		}
	}
	return best
}

// outOf is how many scenarios were run, if not all.
func (s *Sighting) outOf() string {
	if len(s.Of) == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d", len(s.Of))
}

func marks(s *Sighting) string {
	switch {
	case s.Hung:
		return " until the limit"
	case s.Note != "":
		return " (" + cell(s.Note) + ")"
	}
	return ""
}

// mostListed bounds the clauses of a row.
const mostListed = 12

func abridged(clauses []string) string {
	if len(clauses) <= mostListed {
		return strings.Join(clauses, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(clauses[:mostListed], " "), len(clauses)-mostListed)
}

// cell is a text as a cell of a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

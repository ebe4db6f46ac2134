package mutants

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Sighting is what the whole suite says of a mutant.
type Sighting struct {
	Name     string        `json:"name"`
	Of       []string      `json:"of,omitempty"` // the scenarios that were run; none: the whole suite
	Violated []string      `json:"violated"`     // clauses
	Failed   []string      `json:"failed"`       // scenarios
	Hung     bool          `json:"hung,omitempty"`
	Note     string        `json:"note,omitempty"` // why it could not be run
	Took     time.Duration `json:"took_ns"`
}

// Noticing are the clauses that notice it.
func (s *Sighting) Noticing() []string { return noticing(s.Violated, s.Failed) }

// Survey runs the whole suite with every mutant.
type Survey struct {
	Builder Builder
	Sound   Program
	Sum     string // of the sound program
	Ledger  *Ledger
	Limit   time.Duration // of wall time, for a suite
	Workers int           // of a suite
}

// Held are the clauses that the sound program shows, whole or in part, in the
// catalogue's order: those that a mutant can break.
func (s *Survey) Held(ctx context.Context, catalogue []string) ([]string, error) {
	var held []string
	key := Key(s.Sum, "held", &Record{})
	if s.Ledger.Known(key, &held) {
		return held, nil
	}
	told, err := s.Sound.Says(ctx, "run")
	if err != nil {
		return nil, err
	}
	if told.Code != exitHeld {
		return nil, &ControlError{"the suite", told}
	}
	for _, id := range catalogue {
		if standing := told.Clauses[id]; standing == "held" || standing == "partial" {
			held = append(held, id)
		}
	}
	return held, s.Ledger.Keep(key, held)
}

// Mutant runs these scenarios or, if none is named, the whole suite with a
// mutant, if that was not done before. What hits its limit counts with the runs
// that ended.
func (s *Survey) Mutant(ctx context.Context, r *Record, of ...string) (Sighting, error) {
	key := Key(s.Sum, strings.Join(append([]string{"survey"}, of...), " "), r)
	seen := Sighting{Name: r.Name, Of: of}
	if s.Ledger.Known(key, &seen) {
		return seen, nil
	}
	took := Stopwatch()
	dir, err := os.MkdirTemp("", "hdm-mutant-*")
	if err != nil {
		return seen, fmt.Errorf("making a folder for %q: %w", r.Name, err)
	}
	defer os.RemoveAll(dir)
	path, err := s.Builder.Mutant(ctx, r, dir)
	if err != nil {
		return seen, err
	}
	args := []string{"run"}
	if len(of) > 0 {
		args = append(args, "--only", strings.Join(of, ","))
	}
	told, err := Program{Path: path, Dir: dir, Limit: s.Limit, Workers: s.Workers}.Says(ctx, args...)
	if err != nil {
		return seen, err
	}
	if told.Code > exitBroken && !told.Hung {
		seen.Note = fmt.Sprintf("it ended with exit code %d: %.300s", told.Code, told.Log)
	}
	seen.Violated, seen.Hung = told.Violated(), told.Hung
	for _, f := range told.Broken() {
		seen.Failed = append(seen.Failed, f.Scenario)
	}
	slices.Sort(seen.Failed)
	seen.Took = took()
	return seen, s.Ledger.Keep(key, seen)
}

// Whole runs the whole suite with every mutant. If it is interrupted it returns
// what it found before.
func (s *Survey) Whole(ctx context.Context, records []Record, tell func(Sighting)) (all []Sighting, err error) {
	for i := range records {
		seen, err := s.Mutant(ctx, &records[i])
		if err != nil {
			return all, err
		}
		all = append(all, seen)
		tell(seen)
	}
	return all, nil
}

// Brief runs mutants only until each of these clauses has noticed one, and each
// only with what could notice it for a clause that has noticed none so far: first
// the mutants whose records name such a clause, then the others. In a fraction of
// the time of the whole survey it says which clauses notice none, or too many of
// them: an oracle might see such a clause broken in a scenario that is not there for
// it. It does not say which others would notice a mutant, too. The sightings come in
// the order in which they were made; a mutant can have two.
func (s *Survey) Brief(ctx context.Context, clauses []string, records []Record, tell func(Sighting)) (all []Sighting, err error) {
	left := slices.Clone(clauses)
	for _, named := range []bool{true, false} {
		for i := range records {
			r := &records[i]
			asked := left
			if named {
				asked = r.Notice.of(left)
			}
			of := r.Notice.scenarios(asked)
			if len(asked) == 0 || len(of) == 0 { // of none, the whole suite would be run
				continue
			}
			seen, err := s.Mutant(ctx, r, of...)
			if err != nil {
				return all, err
			}
			all = append(all, seen)
			tell(seen)
			left = slices.DeleteFunc(left, func(id string) bool { return slices.Contains(seen.Noticing(), id) })
		}
	}
	return all, nil
}

// of are those clauses that the record names.
func (n *Notice) of(clauses []string) (named []string) {
	for _, id := range clauses {
		if slices.Contains(n.Clauses, id) {
			named = append(named, id)
		}
	}
	return named
}

// scenarios are those that cover one of these clauses and, for what oracles watch
// everywhere, those of the record.
func (n *Notice) scenarios(clauses []string) []string {
	all := slices.Clone(n.First())
	for _, id := range clauses {
		all = append(all, covering()[id]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

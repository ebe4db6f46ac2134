package mutants

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// Sighting is what the whole suite says of a mutant.
type Sighting struct {
	Name     string        `json:"name"`
	Violated []string      `json:"violated"` // clauses
	Failed   []string      `json:"failed"`   // scenarios
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

// Known is what an earlier survey found of a mutant.
func (s *Survey) Known(r *Record) (Sighting, bool) {
	var seen Sighting
	return seen, s.Ledger.Known(Key(s.Sum, "survey", r), &seen)
}

// Mutant runs the suite with a mutant, if that was not done before. A suite that
// hits its limit counts with the runs that ended.
func (s *Survey) Mutant(ctx context.Context, r *Record) (Sighting, error) {
	if seen, ok := s.Known(r); ok {
		return seen, nil
	}
	seen := Sighting{Name: r.Name}
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
	told, err := Program{Path: path, Dir: dir, Limit: s.Limit, Workers: s.Workers}.Says(ctx, "run")
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
	return seen, s.Ledger.Keep(Key(s.Sum, "survey", r), seen)
}

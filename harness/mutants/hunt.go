package mutants

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Hunt looks for mutants, each until its first catcher.
type Hunt struct {
	Builder Builder
	Sound   Program
	Sum     string // of the sound program
	Ledger  *Ledger
	Limit   time.Duration // of wall time, for one command
	// Again: of what scenarios catch, each so many-th is run again: it must replay
	// to the same hash, and the sound program must pass it. What exploration catches
	// is run again always, for no one wrote it to pass. 0: none of the former.
	Again int
}

// Catch is what became of a mutant.
type Catch struct {
	Name    string        `json:"name"`
	By      string        `json:"by,omitempty"` // "scenario X", "seed N", "test T"; "": it was missed
	Oracle  string        `json:"oracle,omitempty"`
	Clauses []string      `json:"clauses,omitempty"` // that notice it: see Told.Noticing
	What    string        `json:"what,omitempty"`    // the violation, in a sentence
	Notes   []string      `json:"notes,omitempty"`   // what else people should know: what hung, what the record says otherwise
	Took    time.Duration `json:"took_ns"`
}

// Caught says whether something noticed it.
func (c *Catch) Caught() bool { return c.By != "" }

// Control runs what the records name with the sound program. It must break
// nothing: else no catch says anything.
func (h *Hunt) Control(ctx context.Context, records []Record) error {
	var names []string
	for i := range records {
		names = append(names, records[i].Notice.First()...)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return nil
	}
	key := Key(h.Sum, "control "+strings.Join(names, ","), &Record{})
	if h.Ledger.Known(key, new(bool)) {
		return nil
	}
	told, err := h.Sound.Says(ctx, "run", "--only", strings.Join(names, ","))
	if err != nil {
		return err
	}
	if told.Code != exitHeld {
		return &ControlError{"the named scenarios", told}
	}
	return h.Ledger.Keep(key, true)
}

// ControlError: the product as it is breaks what is to notice its mutants.
type ControlError struct {
	Ran  string
	Told Told
}

func (e *ControlError) Error() string {
	var broken []string
	for _, r := range e.Told.Broken() {
		broken = append(broken, r.Scenario)
	}
	return fmt.Sprintf("the product without any mistake does not pass %s (exit code %d, failed: %s); mend that first\n%s",
		e.Ran, e.Told.Code, strings.Join(broken, ", "), e.Told.Log)
}

// Mutant builds a mutant and looks for it. Its number decides whether its catch
// is run again.
func (h *Hunt) Mutant(ctx context.Context, number int, r *Record) (Catch, error) {
	c := Catch{Name: r.Name}
	key := Key(h.Sum, "hunt", r)
	if h.Ledger.Known(key, &c) {
		return c, nil
	}
	took := Stopwatch()
	dir, err := os.MkdirTemp("", "hdm-mutant-*")
	if err != nil {
		return c, fmt.Errorf("making a folder for %q: %w", r.Name, err)
	}
	defer os.RemoveAll(dir)
	if err := h.look(ctx, number, r, dir, &c); err != nil {
		replay, control := new(ReplayError), new(ControlError)
		if !errors.As(err, &replay) && !errors.As(err, &control) {
			return c, err
		}
		c.note("%s would have caught it, but: %v", c.By, err)
		c.By = ""
	}
	c.Took = took()
	return c, h.Ledger.Keep(key, c)
}

func (h *Hunt) look(ctx context.Context, number int, r *Record, dir string, c *Catch) error {
	if n := &r.Notice; len(n.First()) > 0 || n.Seeds != "" {
		path, err := h.Builder.Mutant(ctx, r, dir)
		if err != nil {
			return err
		}
		mutant := Program{Path: path, Dir: dir, Limit: h.Limit, Workers: 1}
		if err := h.scenarios(ctx, number, r, mutant, c); err != nil || c.Caught() {
			return err
		}
		if err := h.seeds(ctx, r, mutant, c); err != nil || c.Caught() {
			return err
		}
	}
	t := r.Notice.Test
	if t == nil {
		return nil
	}
	failed, err := h.Builder.Tests(ctx, r, dir)
	if failed {
		c.By, c.Oracle = "test "+t.Package+"."+t.Name, "test"
	}
	return err
}

// scenarios runs those that should notice it, in their order, until one breaks.
func (h *Hunt) scenarios(ctx context.Context, number int, r *Record, mutant Program, c *Catch) error {
	first := r.Notice.First()
	turns := slices.Collect(slices.Chunk(first, 1))
	if r.Notice.Together {
		turns = [][]string{first}
	}
	for _, names := range turns {
		what := strings.Join(names, ",")
		if len(names) == 0 {
			continue
		}
		told, err := mutant.Says(ctx, "run", "--only", what)
		if err != nil {
			return err
		}
		if !c.take(told, "scenario ", what) {
			continue
		}
		if len(r.Notice.Clauses) > 0 && !slices.ContainsFunc(r.Notice.Clauses, func(id string) bool { return slices.Contains(c.Clauses, id) }) {
			c.note("its record says that it breaks %s", strings.Join(r.Notice.Clauses, ", "))
		}
		if failed := told.Broken(); h.Again > 0 && number%h.Again == 0 && len(failed) > 0 {
			return h.again(ctx, failed[0], mutant)
		}
		return nil
	}
	return nil
}

// seeds explores, and sees that the sound program passes what was found.
func (h *Hunt) seeds(ctx context.Context, r *Record, mutant Program, c *Catch) error {
	if r.Notice.Seeds == "" {
		return nil
	}
	told, err := mutant.Says(ctx, "explore", "--seeds", r.Notice.Seeds)
	if err != nil {
		return err
	}
	failed := told.Broken()
	if len(failed) == 0 || !c.take(told, "seed ", fmt.Sprint(failed[0].Seed)) {
		return nil
	}
	return h.again(ctx, failed[0], mutant)
}

// take notes what a command found; false if it found nothing.
func (c *Catch) take(told Told, kind, what string) bool {
	failed := told.Broken()
	switch {
	case told.Code == exitHeld:
		return false
	case told.Hung && len(failed) == 0:
		c.note("%s%s did not end within its limit of wall time", kind, what)
		return false
	case told.Code != exitBroken && !told.Hung:
		c.note("%s%s ended with exit code %d: %.300s", kind, what, told.Code, told.Log)
		return false
	}
	c.By, c.Clauses = kind+what, told.Noticing()
	switch {
	case len(failed) == 0:
		c.Oracle, c.What = "family", "runs that are compared say otherwise than promised"
	case len(failed[0].Violations) == 0:
		c.Oracle, c.What = "watchdog", failed[0].Error
	default:
		v := failed[0].Violations[0]
		c.Oracle, c.What = v.Oracle, v.What
		if len(c.Clauses) == 0 { // of an exploration
			c.Clauses = v.Clauses
		}
	}
	return true
}

func (c *Catch) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// ReplayError: a catch that cannot be relied on.
type ReplayError struct {
	Scenario, What string
}

func (e *ReplayError) Error() string {
	return fmt.Sprintf("what %s found is not to be relied on: %s; this is a bug in hdm or in the record", e.Scenario, e.What)
}

// again runs a failure again: the mutant must fail with the same hash, and the
// sound program must pass.
func (h *Hunt) again(ctx context.Context, failed Run, mutant Program) error {
	file, ok := failed.replayFile()
	if !ok {
		return &ReplayError{failed.Scenario, "it was not kept: " + failed.Replay}
	}
	told, err := mutant.Says(ctx, "replay", file)
	if err != nil {
		return err
	}
	if told.Code != exitBroken || len(told.Runs) != 1 || told.Runs[0].Hash != failed.Hash {
		return &ReplayError{failed.Scenario, fmt.Sprintf("its replay ends with exit code %d and other than hash %s", told.Code, failed.Hash)}
	}
	sound := h.Sound
	sound.Dir = mutant.Dir
	told, err = sound.Says(ctx, "replay", file)
	if err == nil && told.Code != exitHeld {
		return &ControlError{file + ", which a mutant failed", told}
	}
	return err
}

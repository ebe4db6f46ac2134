package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Program is an hdm that was built.
type Program struct {
	Path    string
	Dir     string        // where it leaves its reports
	Limit   time.Duration // of wall time, for one command
	Workers int
}

// grace is how long a program that is told to stop has to tell what it found.
const grace = 20 * time.Second

// The exit codes of hdm that mean something here.
const (
	exitHeld   = 0
	exitBroken = 1
)

// Told is what a command of hdm said (--format json).
type Told struct {
	Code    int               `json:"-"`
	Hung    bool              `json:"-"` // it was stopped at its limit
	Log     string            `json:"-"` // its stderr
	Clauses map[string]string `json:"clauses"`
	Runs    []Run             `json:"runs"`
}

// Run is a run as hdm tells of it.
type Run struct {
	Scenario   string      `json:"scenario"`
	Seed       uint64      `json:"seed"`
	Verdict    string      `json:"verdict"`
	Hash       string      `json:"hash"`
	Violations []Violation `json:"violations"`
	Error      string      `json:"error"`
	Replay     string      `json:"replay"`
}

// Violation as hdm tells of it.
type Violation struct {
	Oracle  string   `json:"oracle"`
	Clauses []string `json:"clauses"`
	What    string   `json:"what"`
}

// Broken are the runs that failed.
func (t *Told) Broken() (failed []Run) {
	for _, r := range t.Runs {
		if r.Verdict == "failed" {
			failed = append(failed, r)
		}
	}
	return failed
}

// Violated are the clauses that are broken, sorted.
func (t *Told) Violated() (ids []string) {
	for id, standing := range t.Clauses { //hdm:order-safe sorted below
		if standing == "violated" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Noticing are the clauses that notice what was broken.
func (t *Told) Noticing() []string {
	var failed []string
	for _, r := range t.Broken() {
		failed = append(failed, r.Scenario)
	}
	return noticing(t.Violated(), failed)
}

// noticing are the clauses that are violated, and those that a scenario covers
// that failed: hdm leaves a promise open if a run failed before it put it to the
// test, but that promise is what the scenario is there for. Sorted.
func noticing(violated, failed []string) []string {
	ids := slices.Clone(violated)
	for id, by := range covering() { //hdm:order-safe sorted below
		if slices.ContainsFunc(by, func(s string) bool { return slices.Contains(failed, s) }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Says runs a command and reads what it says. At its limit it is interrupted, so
// that it tells of the runs that ended before. The error is for what kept it from
// running.
func (p Program) Says(ctx context.Context, args ...string) (Told, error) {
	limited, stop := within(ctx, p.Limit)
	defer stop()
	args = append(slices.Clone(args), "--format", "json", "--out", p.Dir)
	if args[0] != "replay" { // one run has one worker
		args = append(args, "--workers", fmt.Sprint(max(p.Workers, 1)))
	}
	cmd := exec.CommandContext(limited, p.Path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = grace
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	if ctx.Err() != nil {
		return Told{}, ctx.Err()
	}
	exit := new(exec.ExitError)
	hung := limited.Err() != nil
	if err != nil && !errors.As(err, &exit) && !hung {
		return Told{}, fmt.Errorf("running %s %s: %w", p.Path, strings.Join(args, " "), err)
	}
	told := Told{}
	if err := json.Unmarshal(out.Bytes(), &told); err != nil && !hung && cmd.ProcessState.ExitCode() <= exitBroken {
		return Told{}, fmt.Errorf("what %s says is no JSON: %w", strings.Join(args, " "), err)
	}
	told.Code, told.Hung, told.Log = cmd.ProcessState.ExitCode(), hung, log.String()
	return told, nil
}

// replayFile is the file that a run's replay command names.
func (r *Run) replayFile() (string, bool) {
	_, file, ok := strings.Cut(r.Replay, " replay ")
	file, _, _ = strings.Cut(file, " ")
	return file, ok && file != ""
}

// Package reports tells what runs came to: text for people, JSON for scripts,
// JUnit for CI servers, and a folder per command with everything in it.
//
// It prints what package record holds and decides nothing about it. It never
// runs a scenario and never imports the harness. Read record first, then text.go
// (what people see) and folder.go (what is kept).
package reports

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hdm-project/hdm/reports/record"
)

// Folder is what one command leaves on disk:
//
//	run.json       what was run, on what
//	trace.jsonl    the events of every run, run after run (see Trace)
//	verdicts.json  the whole record.Suite
//	junit.xml      the same for CI servers
//	report.html    the same for people, with time lines (see package page)
//	trace.json     the events as slices, for ui.perfetto.dev (see package chrome)
//	<scenario>.failure.yaml  for each run that failed: the scenario that replays it
//
// Nothing is on disk before NewFolder, so that a command with bad input leaves
// nothing.
type Folder struct {
	path string

	mu     sync.Mutex
	traces map[string]*Trace // by run, those that are not in trace.jsonl yet
}

// Command says what was asked for, for run.json.
type Command struct {
	Args      []string    `json:"args"`
	Started   time.Time   `json:"started"`
	Seconds   float64     `json:"wall_seconds"`
	Seed      *uint64     `json:"seed,omitempty"` // nil: each scenario's own
	Transport string      `json:"transport"`
	Workers   int         `json:"workers"`
	Trace     string      `json:"trace"` // whose traces are whole: of runs that failed, or all
	Scenarios []string    `json:"scenarios"`
	On        Environment `json:"on"`
}

// maxSameSecond bounds how many folders may begin in one second.
const maxSameSecond = 1000

// NotFolderError says that reports cannot go where they were asked for, because
// something else is there.
type NotFolderError struct{ Path string }

func (e *NotFolderError) Error() string {
	return fmt.Sprintf("%s is a file: name a folder, or one that is still to be made", e.Path)
}

// CheckOut says, without leaving anything, what would keep NewFolder from making
// a folder under out: a *NotFolderError, or what the machine says.
func CheckOut(out string) error {
	for path := filepath.Clean(out); ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
			if path == filepath.Dir(path) {
				return cannotMake(err)
			}
			continue // it is to be made in the folder above
		case err != nil:
			return cannotMake(err)
		case !info.IsDir():
			return &NotFolderError{path}
		}
		probe, err := os.MkdirTemp(path, ".hdm-probe-*")
		if err != nil {
			return cannotMake(err)
		}
		return os.Remove(probe)
	}
}

func cannotMake(err error) error {
	return fmt.Errorf("making the folder for reports (choose another with --out): %w", err)
}

// NewFolder makes a folder under out, named by when it began: two commands never
// share one.
func NewFolder(out string, began time.Time) (*Folder, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, cannotMake(err)
	}
	name := began.UTC().Format("20060102T150405Z")
	for n := 1; n <= maxSameSecond; n++ {
		path := filepath.Join(out, name)
		if n > 1 {
			path += "-" + strconv.Itoa(n)
		}
		switch err := os.Mkdir(path, 0o755); {
		case err == nil:
			return &Folder{path: path, traces: map[string]*Trace{}}, nil
		case !errors.Is(err, os.ErrExist):
			return nil, cannotMake(err)
		}
	}
	return nil, fmt.Errorf("%s holds %d folders named %s already: remove some, or choose another with --out", out, maxSameSecond, name)
}

// Path is where the folder is.
func (f *Folder) Path() string { return f.path }

// failureEnd ends the names of scenarios that replay a failure.
const failureEnd = ".failure"

// SaveFailure keeps the scenario that replays a failed run and returns its path.
// That of a replayed failure is named as the first one was.
func (f *Folder) SaveFailure(run string, yaml []byte) (string, error) {
	name := strings.TrimSuffix(fileName.Replace(run), failureEnd) + failureEnd
	path := filepath.Join(f.path, name+".yaml")
	for n := 2; ; n++ {
		err := writeNew(path, yaml)
		if !errors.Is(err, os.ErrExist) || n > maxSameSecond {
			return path, err
		}
		path = filepath.Join(f.path, fmt.Sprintf("%s-%d.yaml", name, n))
	}
}

// fileName turns the name of a run, which may hold folders, into one of a file.
var fileName = strings.NewReplacer("/", "-", `\`, "-", "..", "")

func writeNew(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("keeping the scenario of a failed run: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = file.Write(data)
	return err
}

// Finish writes everything but the failures, and the largest last: on a full disk
// the verdicts are there. Every run must have ended.
func (f *Folder) Finish(c Command, s *record.Suite) error {
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{"verdicts.json", func(w io.Writer) error { return encode(w, s) }},
		{"run.json", func(w io.Writer) error { return encode(w, c) }},
		{"junit.xml", func(w io.Writer) error { return JUnit(w, s) }},
		{"report.html", func(w io.Writer) error { return f.writePage(w, &c, s) }},
		{"trace.json", func(w io.Writer) error { return f.writeViewer(w, s) }},
		{"trace.jsonl", func(w io.Writer) error { return f.joinTraces(w, s.Runs) }},
	}
	for _, file := range files {
		if err := f.write(file.name, file.write); err != nil {
			return err
		}
	}
	return nil
}

// Close removes what is not finished. It may be called at any time after the last
// run has ended, also after Finish, and also if that failed.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, t := range f.traces {
		errs = append(errs, t.discard())
	}
	clear(f.traces)
	return errors.Join(errs...)
}

func (f *Folder) joinTraces(w io.Writer, runs []record.Run) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range runs {
		t, is := f.traces[runs[i].Scenario]
		if !is {
			continue // it could not be begun
		}
		if err := t.lines.read(func(r io.Reader) error { _, err := io.Copy(w, r); return err }); err != nil {
			return fmt.Errorf("the trace of %s: %w", t.run, err)
		}
		delete(f.traces, t.run)
		if err := t.discard(); err != nil {
			return err
		}
	}
	return nil
}

// write leaves either the whole file or none.
func (f *Folder) write(name string, write func(io.Writer) error) (err error) {
	path := filepath.Join(f.path, name)
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err = errors.Join(write(file), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(path))
	}
	return nil
}

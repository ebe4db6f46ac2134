// Package reports tells what runs came to: text for people, JSON for scripts,
// JUnit for CI servers, and a folder per command with everything in it.
//
// It prints what package record holds and decides nothing about it. It never
// runs a scenario and never imports the harness. Read record first, then text.go
// (what people see) and folder.go (what is kept).
package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hdm-project/hdm/reports/record"
)

// Folder is what one command leaves on disk:
//
//	run.json       what was run, on what
//	trace.jsonl    every event of every run, run after run
//	verdicts.json  the whole record.Suite
//	junit.xml      the same for CI servers
//	<scenario>.failure.yaml  for each run that failed: the scenario that replays it
//
// Nothing is on disk before NewFolder, so that a command with bad input leaves
// nothing.
type Folder struct {
	path string

	mu     sync.Mutex
	traces []*Trace
}

// Command says what was asked for, for run.json.
type Command struct {
	Args      []string    `json:"args"`
	Started   time.Time   `json:"started"`
	Seconds   float64     `json:"wall_seconds"`
	Seed      uint64      `json:"seed"`
	Transport string      `json:"transport"`
	Workers   int         `json:"workers"`
	Scenarios []string    `json:"scenarios"`
	On        Environment `json:"on"`
}

// maxSameSecond bounds how many folders may begin in one second.
const maxSameSecond = 1000

// NewFolder makes a folder under out, named by when it began: two commands never
// share one.
func NewFolder(out string, began time.Time) (*Folder, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder for reports (choose another with --out): %w", err)
	}
	name := began.UTC().Format("20060102T150405Z")
	for n := 1; n <= maxSameSecond; n++ {
		path := filepath.Join(out, name)
		if n > 1 {
			path += "-" + strconv.Itoa(n)
		}
		switch err := os.Mkdir(path, 0o755); {
		case err == nil:
			return &Folder{path: path}, nil
		case !errors.Is(err, os.ErrExist):
			return nil, fmt.Errorf("making the folder for reports (choose another with --out): %w", err)
		}
	}
	return nil, fmt.Errorf("%s holds %d folders named %s already: remove some, or choose another with --out", out, maxSameSecond, name)
}

// Path is where the folder is.
func (f *Folder) Path() string { return f.path }

// Trace is the trace of one run on its way to disk. It belongs to one goroutine
// until End.
type Trace struct {
	run  string
	file *os.File
	w    *bufio.Writer
	line []byte
	err  error
}

const traceBuffer = 256 << 10

// Trace begins the trace of a run. Traces of several runs may be written at
// once; trace.jsonl holds them one after another, in the order of these calls.
func (f *Folder) Trace(run string) (*Trace, error) {
	file, err := os.CreateTemp(f.path, "trace-*.part")
	if err != nil {
		return nil, fmt.Errorf("beginning the trace of %s: %w", run, err)
	}
	t := &Trace{run: run, file: file, w: bufio.NewWriterSize(file, traceBuffer)}
	f.mu.Lock()
	f.traces = append(f.traces, t)
	f.mu.Unlock()
	return t, nil
}

// Add writes one event; its Run is filled in. After an error it does nothing:
// Finish returns the first one.
func (t *Trace) Add(e *record.Event) {
	if t.err != nil {
		return
	}
	e.Run = t.run
	t.line = append(e.AppendJSON(t.line[:0]), '\n')
	_, t.err = t.w.Write(t.line)
}

// End says that the run is over. The trace stays in a file of its own until
// Finish.
func (t *Trace) End() {
	if t.err == nil {
		t.err = t.w.Flush()
	}
	t.err = errors.Join(t.err, t.file.Close())
	t.w, t.line = nil, nil
}

// SaveFailure keeps the scenario that replays a failed run and returns its path.
func (f *Folder) SaveFailure(scenario string, yaml []byte) (string, error) {
	path := filepath.Join(f.path, scenario+".failure.yaml")
	for n := 2; ; n++ {
		err := writeNew(path, yaml)
		if !errors.Is(err, os.ErrExist) || n > maxSameSecond {
			return path, err
		}
		path = filepath.Join(f.path, fmt.Sprintf("%s-%d.failure.yaml", scenario, n))
	}
}

func writeNew(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("keeping the scenario of a failed run: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = file.Write(data)
	return err
}

// Finish writes everything but the failures. Every trace must have
// ended.
func (f *Folder) Finish(c Command, s *record.Suite) error {
	if err := f.joinTraces(); err != nil {
		return err
	}
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{"run.json", func(w io.Writer) error { return encode(w, c) }},
		{"verdicts.json", func(w io.Writer) error { return encode(w, s) }},
		{"junit.xml", func(w io.Writer) error { return JUnit(w, s) }},
	}
	for _, file := range files {
		if err := f.write(file.name, file.write); err != nil {
			return err
		}
	}
	return nil
}

func (f *Folder) joinTraces() error {
	return f.write("trace.jsonl", func(w io.Writer) error {
		for _, t := range f.traces {
			if err := t.moveTo(w); err != nil {
				return fmt.Errorf("the trace of %s: %w", t.run, err)
			}
		}
		f.traces = nil
		return nil
	})
}

func (t *Trace) moveTo(w io.Writer) error {
	defer os.Remove(t.file.Name())
	if t.err != nil {
		return t.err
	}
	file, err := os.Open(t.file.Name())
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}

func (f *Folder) write(name string, write func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %s in %s: %w", name, f.path, err)
		}
	}()
	file, err := os.Create(filepath.Join(f.path, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return write(file)
}

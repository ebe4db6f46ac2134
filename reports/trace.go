package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hdm-project/hdm/reports/record"
)

// Trace is the trace of one run on its way to disk, in a file of its own until
// Finish. It belongs to one goroutine at a time.
//
// Most events of a run are of a few kinds that matter only where it failed, and
// whether it did is known at its end. So all are written, and Thin leaves out
// afterwards those that were said to be bulk.
type Trace struct {
	run    string
	folder string
	file   *os.File // nil once it has ended
	w      *bufio.Writer
	line   []byte
	path   string
	size   int64  // bytes added
	slim   []span // what is not bulk, in order, neighbours joined
	err    error  // the first one
}

// span is a piece of a file.
type span struct{ from, size int64 }

const traceBuffer = 256 << 10

// Trace begins the trace of a run. Traces of several runs may be written at
// once; trace.jsonl holds them one after another, in the order of the runs.
func (f *Folder) Trace(run string) (*Trace, error) {
	t := &Trace{run: run, folder: f.path}
	if err := t.begin(); err != nil {
		return nil, fmt.Errorf("beginning the trace of %s: %w", run, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.traces[run] != nil {
		return nil, errors.Join(fmt.Errorf("two runs are named %s", run), t.discard())
	}
	f.traces[run] = t
	return t, nil
}

func (t *Trace) begin() error {
	file, err := os.CreateTemp(t.folder, "trace-*.part")
	if err != nil {
		return err
	}
	t.file, t.path, t.w = file, file.Name(), bufio.NewWriterSize(file, traceBuffer)
	return nil
}

// Add writes one event; its Run is filled in. Bulk is what Thin leaves out. After
// an error it does nothing: Finish returns the first one.
func (t *Trace) Add(e *record.Event, bulk bool) {
	if t.err != nil {
		return
	}
	e.Run = t.run
	t.line = append(e.AppendJSON(t.line[:0]), '\n')
	_, t.err = t.w.Write(t.line)
	if n := int64(len(t.line)); !bulk {
		t.keep(span{t.size, n})
	}
	t.size += int64(len(t.line))
}

func (t *Trace) keep(s span) {
	if last := len(t.slim) - 1; last >= 0 && t.slim[last].from+t.slim[last].size == s.from {
		t.slim[last].size += s.size
		return
	}
	t.slim = append(t.slim, s)
}

// End says that the run is over. A trace that could not be written whole gives its
// place on disk to what is more important.
func (t *Trace) End() {
	if t.file == nil {
		return
	}
	if t.err == nil {
		t.err = t.w.Flush()
	}
	t.err = errors.Join(t.err, t.file.Close())
	t.file, t.w, t.line = nil, nil, nil
	if t.err != nil {
		os.Remove(t.path) // what is left of it shows in Close
	}
}

// Thin leaves out the bulk of a run that has ended, and gives its place on disk
// back.
func (t *Trace) Thin() {
	t.End()
	if t.err != nil {
		return
	}
	whole := t.path
	err := t.copySlim(whole)
	t.err = errors.Join(err, os.Remove(whole))
	t.slim = nil
}

func (t *Trace) copySlim(whole string) error {
	from, err := os.Open(whole)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := t.begin(); err != nil {
		return err
	}
	for _, s := range t.slim {
		if _, err := io.Copy(t.w, io.NewSectionReader(from, s.from, s.size)); err != nil {
			return err
		}
	}
	t.End()
	return t.err
}

// copyTo appends the trace to w.
func (t *Trace) copyTo(w io.Writer) error {
	t.End()
	if t.err != nil {
		return t.err
	}
	file, err := os.Open(t.path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}

// discard removes the file, if it is there.
func (t *Trace) discard() error {
	t.End()
	if err := os.Remove(t.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

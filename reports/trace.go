package reports

import (
	"errors"
	"fmt"

	"github.com/hdm-project/hdm/reports/chrome"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/reports/timeline"
)

// Trace is the trace of one run on its way to disk: as lines, as slices for a
// trace viewer, and as the time line of the page. It belongs to one goroutine at
// a time.
//
// Most events of a run are of a few kinds that matter only where it failed, and
// whether it did is known at its end. So all are written, and Thin leaves out
// afterwards those that were said to be bulk.
type Trace struct {
	run    string
	lines  *part
	slices *part
	viewer *chrome.Run
	watch  *timeline.Builder
	line   []byte
	seen   *timeline.Timeline // once it has ended
}

// Trace begins the trace of a run. Traces of several runs may be written at
// once; trace.jsonl holds them one after another, in the order of the runs.
func (f *Folder) Trace(run string) (*Trace, error) {
	t := &Trace{run: run, watch: timeline.NewBuilder()}
	var err error
	if t.lines, err = newPart(f.path); err != nil {
		return nil, fmt.Errorf("beginning the trace of %s: %w", run, err)
	}
	if t.slices, err = newPart(f.path); err != nil {
		return nil, fmt.Errorf("beginning the trace of %s: %w", run, errors.Join(err, t.lines.discard()))
	}
	t.viewer = chrome.NewRun(t.slices.add)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.traces[run] != nil {
		return nil, errors.Join(fmt.Errorf("two runs are named %s", run), t.discard())
	}
	f.traces[run] = t
	return t, nil
}

// Add writes an event; bulk says that it is one that Thin leaves out. After an
// error of the disk nothing more is written: Finish returns the first one.
func (t *Trace) Add(e *record.Event, bulk bool) {
	e.Run = t.run
	t.line = append(e.AppendJSON(t.line[:0]), '\n')
	t.lines.add(t.line, bulk)
	t.viewer.Add(e)
	t.watch.Add(e)
}

// End says that the run is over.
func (t *Trace) End() {
	if t.seen != nil {
		return
	}
	t.viewer.End()
	t.seen = t.watch.End()
	t.lines.end()
	t.slices.end()
	t.watch, t.viewer, t.line = nil, nil, nil
}

// Thin leaves out the bulk of a run that has ended, and gives its place on disk
// back.
func (t *Trace) Thin() {
	t.End()
	t.lines.thin()
	t.slices.thin()
}

func (t *Trace) discard() error {
	t.End()
	return errors.Join(t.lines.discard(), t.slices.discard())
}

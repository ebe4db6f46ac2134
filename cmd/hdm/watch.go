package main

import (
	"errors"
	"sync"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
)

// watched keeps the trace of every run, several at once.
type watched struct {
	folder *reports.Folder
	follow run.Watcher // beside the trace; may be nil

	mu  sync.Mutex
	err error // the first error
}

func newWatched(folder *reports.Folder, follow run.Watcher) *watched {
	return &watched{folder: folder, follow: follow}
}

func (w *watched) watch(s *scenario.Scenario, _ uint64) run.Watcher {
	trace, err := w.folder.Trace(run.Name(s))
	w.mu.Lock()
	w.err = errors.Join(w.err, err)
	w.mu.Unlock()
	return &follower{trace: trace, follow: w.follow}
}

// follower writes the trace of one run, and passes on what it hears.
type follower struct {
	trace  *reports.Trace // nil if it could not be begun
	follow run.Watcher
}

// Event implements run.Watcher.
func (f *follower) Event(e record.Event) {
	if f.trace != nil {
		f.trace.Add(&e)
	}
	if f.follow != nil {
		f.follow.Event(e)
	}
}

// Driving implements run.Watcher.
func (f *follower) Driving(d *kernel.Driver) {
	if f.follow != nil {
		f.follow.Driving(d)
	}
}

// Close implements run.Watcher.
func (f *follower) Close() error {
	if f.trace != nil {
		f.trace.End()
	}
	if f.follow != nil {
		return f.follow.Close()
	}
	return nil
}

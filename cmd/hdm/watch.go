package main

import (
	"errors"
	"sync"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// bulk are the kinds of events that make up nearly all of a trace, and that only
// somebody who looks for a failure reads.
var bulk = map[string]bool{
	event.GuestWrite: true, event.GuestFlush: true, event.CallSent: true, event.CallAnswered: true,
}

// traces keeps the trace of every run, several at once.
type traces struct {
	folder *reports.Folder
	names  map[*scenario.Scenario]string
	whole  bool        // keep the bulk of runs that passed, too
	follow run.Watcher // beside the trace; may be nil

	progress *progress // is told of the time of each run; may be nil

	mu    sync.Mutex
	byRun map[string]*follower
	err   error // the first errors
}

func newTraces(folder *reports.Folder, all []*scenario.Scenario, whole bool, follow run.Watcher) *traces {
	w := &traces{folder: folder, names: map[*scenario.Scenario]string{}, whole: whole, follow: follow, byRun: map[string]*follower{}}
	for i, name := range run.Names(all) {
		w.names[all[i]] = name
	}
	return w
}

func (w *traces) watch(s *scenario.Scenario, _ uint64) run.Watcher {
	name := w.names[s]
	trace, err := w.folder.Trace(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, err)
	f := &follower{trace: trace, follow: w.follow}
	w.byRun[name] = f
	if w.progress != nil {
		f.clock = w.progress.begin(name)
	}
	return f
}

// ended hears how a run ended, and returns its clock; nil if it had none. One that
// did not pass keeps its whole trace.
func (w *traces) ended(r *record.Run) *clock {
	w.mu.Lock()
	f := w.byRun[r.Scenario]
	w.mu.Unlock()
	if f == nil {
		return nil
	}
	if f.trace != nil && r.Verdict == record.Passed && !w.whole {
		f.trace.Thin()
	}
	return f.clock
}

// follower writes the trace of one run, and passes on what it hears.
type follower struct {
	trace  *reports.Trace // nil if it could not be begun
	follow run.Watcher
	clock  *clock // nil if nobody looks at it
}

// Event implements run.Watcher.
func (f *follower) Event(e record.Event) {
	if f.clock != nil {
		f.clock.at.Store(int64(e.At))
	}
	if f.trace != nil {
		f.trace.Add(&e, bulk[e.Kind])
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

// Package run runs scenarios: it builds the world that a scenario describes,
// boots an appliance in it, gives the orders, lets the faults act, and judges.
//
//	Scenario --> stage: world + appliance        (stage.go)
//	               |  steps.go  what people do
//	               |  act.go    what goes wrong
//	               |  teller.go what the appliance does, told to the trace
//	               v
//	             trace --> oracles, observers; flushes.go: what flushes carried, what was at risk
//	               |
//	          quiet, or limit --> truth.go, judge.go --> record.Run
//
// live.go keeps a stage going for people who act in it from outside.
//
// It drives and judges; it decides nothing that the product or the world
// decides. A run is a function of the scenario and its seed.
package run

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/harness/oracle"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// Options of a suite. The zero value is: every scenario once, from its own
// seed, in process, one at a time, as fast as possible.
type Options struct {
	Seed      *uint64   // overrides the scenarios' seeds
	Transport site.Mode // site.Direct if ""
	Workers   int       // runs at once; 1 if 0
	Speed     float64   // 0: as fast as possible; 1: real time
	// Until ends each run at that virtual time, not judged; 0: when it ends.
	Until time.Duration
	// Limits are watchdogs, beside the scenario's own limit of virtual time: a run
	// that hits one has failed. Fields that are 0 get a default; a paced run has no
	// limit of wall time by default, and a negative one is none.
	Limits kernel.Limits
	// Watch, if not nil, is called for each run before it begins: what it returns
	// hears of every event of the trace and may drive the run's pace.
	Watch func(s *scenario.Scenario, seed uint64) Watcher
	// Ended, if not nil, hears of each run as it ends, one at a time, in no order.
	Ended func(record.Run)
	// Finished, if not nil, is shown the world of each run after it was judged,
	// before it is torn down.
	Finished func(*site.World)

	// Token of the message bus, of 32 hexadecimal digits; drawn from the seed if "".
	// Runs that differ in it only have the same hash.
	Token string

	endless bool // it is a Live
}

// Watcher follows one run.
type Watcher interface {
	// Event hears of each event of the trace, in order.
	Event(record.Event)
	// Driving is handed the run's driver, to pause and step it; it may be kept
	// and used from other goroutines until the run has ended.
	Driving(*kernel.Driver)
	// Close is called when the run has ended.
	Close() error
}

// The limits of a run unless the options say otherwise.
const (
	mostEvents = 200_000_000
	mostWall   = 20 * time.Minute
)

func (o Options) limits() kernel.Limits {
	l := o.Limits
	if o.endless {
		return l
	}
	if l.Events == 0 {
		l.Events = mostEvents
	}
	if l.Wall == 0 && o.Speed <= 0 {
		l.Wall = mostWall
	}
	return l
}

// Suite runs scenarios and judges them together. It ends early when ctx is
// cancelled, with what was done so far. The error is for what kept runs from
// being run at all (see One); the others are whole. A broken promise is in the
// record.
func Suite(ctx context.Context, all []*scenario.Scenario, catalogue record.Catalogue, o Options) (record.Suite, error) {
	began := time.Now()
	suite := record.Suite{Transport: string(mode(o)), Workers: max(o.Workers, 1)}
	suite.Seed = o.Seed
	names := Names(all)
	runs := make([]record.Run, len(all))
	errs := make([]error, len(all))
	next := make(chan int)
	var workers sync.WaitGroup
	var told sync.Mutex
	for range suite.Workers {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				runs[i], errs[i] = One(ctx, all[i], o)
				runs[i].Scenario = names[i]
				if o.Ended != nil {
					told.Lock()
					o.Ended(runs[i])
					told.Unlock()
				}
			}
		}()
	}
	given := 0
	for ; given < len(all) && ctx.Err() == nil; given++ {
		select {
		case next <- given:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	suite.Runs = runs[:given]
	suite.Interrupted = given < len(all) || suite.Count(record.Interrupted) > 0
	suite.Judge(catalogue)
	suite.WallSeconds = time.Since(began).Seconds()
	return suite, errors.Join(errs...)
}

func mode(o Options) site.Mode {
	if o.Transport == "" {
		return site.Direct
	}
	return o.Transport
}

// One runs one scenario once. The error is for a world that cannot be built and
// for a panic outside of it (see PanicError); then the record says so too, and
// the run has failed. A broken promise is in the record alone.
func One(ctx context.Context, s *scenario.Scenario, o Options) (r record.Run, err error) {
	began := time.Now()
	seed := s.Seed
	if o.Seed != nil {
		seed = *o.Seed
	}
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(&PanicError{Value: p, Stack: debug.Stack()}, err)
		}
		if err != nil {
			unrun(&r, s, seed, err)
			err = fmt.Errorf("%s: %w", Name(s), err)
		}
	}()
	st, err := newStage(s, seed, o)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	interrupted := st.play(ctx.Done())
	if st.kernel.Err() == nil && !interrupted && o.Until == 0 {
		st.judge()
		interrupted = st.tryAfterwards(ctx.Done())
	}
	r = record.Run{
		Scenario: Name(s), Title: s.Title, Seed: seed, Hash: record.Hash(st.kernel.Hash()),
		VirtualSeconds: st.kernel.Now().Seconds(), WallSeconds: time.Since(began).Seconds(), Events: st.events,
		VSphereCalls: uint64(st.world.OnPremises.Path.Calls() + st.world.Cloud.Path.Calls()),
		Violations:   st.violations, Covers: st.covered(), Family: s.Family, Flushes: st.flushed(),
		Expected: len(s.Expect),
	}
	r.Tested = append(r.Tested, st.tried...)
	for _, w := range st.oracles {
		r.Tested = append(r.Tested, w.Tested()...)
		if b, ok := w.(*oracle.BroughtBack); ok {
			r.Losses = b.Losses()
		}
	}
	switch {
	case st.kernel.Err() != nil:
		r.Verdict, r.Error = record.Failed, st.kernel.Err().Error()
	case len(r.Violations) > 0:
		r.Verdict = record.Failed
	case interrupted:
		r.Verdict = record.Interrupted
	case o.Until > 0:
		r.Verdict = record.Stopped
	default:
		r.Verdict = record.Passed
	}
	if o.Finished != nil {
		o.Finished(st.world)
	}
	return r, nil
}

// PanicError is a panic of the harness. One of the product or of the world is a
// failure of the run instead.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("hdm itself panicked: %v: this is a bug; report it with the command and the scenario", e.Value)
}

// unrun makes r the record of a run that could not be run to its end.
func unrun(r *record.Run, s *scenario.Scenario, seed uint64, err error) {
	r.Scenario, r.Title, r.Seed, r.Verdict, r.Error = Name(s), s.Title, seed, record.Failed, err.Error()
	if p := new(PanicError); errors.As(err, &p) {
		r.Error += "\n" + string(p.Stack)
	}
}

// rules are those that oracles judge by.
func rules() oracle.Rules { return oracle.Documented() }

// knobs of the appliance: the documented ones.
func knobs() migration.Knobs { return migration.DefaultKnobs }

// Package explore runs scenarios that nobody wrote: each seed draws a world and
// orders (generate.go), faults (trouble.go) and failures of parts of HDM
// (failing.go), and the oracles judge the run.
//
// It decides what to try. It never judges, and what it finds is a scenario like
// any other: it is printed as YAML, and replays to the same hash. Whether it
// finds anything is tested with mutants: see harness/mutants.
package explore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
)

// Options of an exploration.
type Options struct {
	First, Last uint64        // seeds, both included
	For         time.Duration // wall time after which no new seed is begun; 0: all seeds
	Workers     int           // runs at once; 1 if 0
	// Most is how many failures end the exploration; 1 if 0.
	Most int
	// Ended, if not nil, hears of each run as it ends, one at a time.
	Ended func(record.Run)
}

// Failure is a run that broke a promise, and the scenario that it ran.
type Failure struct {
	Run      record.Run
	Scenario *scenario.Scenario
}

// Summary of an exploration.
type Summary struct {
	Runs           int
	VirtualSeconds float64
	WallSeconds    float64
	Failures       []Failure // those of the lowest seeds that fail, by seed
}

// Explore runs seed after seed until enough have failed. The error is for what
// kept it from running at all.
func Explore(ctx context.Context, o Options) (Summary, error) {
	began := time.Now()
	var (
		mu      sync.Mutex
		summary Summary
		failed  error
		workers sync.WaitGroup
	)
	next := o.First
	take := func() (seed uint64, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		ok = next <= o.Last && ctx.Err() == nil && failed == nil && len(summary.Failures) < max(o.Most, 1) &&
			(o.For == 0 || time.Since(began) < o.For)
		seed = next
		next++
		return seed, ok
	}
	for range max(o.Workers, 1) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for seed, ok := take(); ok; seed, ok = take() {
				s := Generate(seed)
				r, err := run.One(ctx, s, run.Options{})
				mu.Lock()
				failed = errors.Join(failed, err)
				if r.Verdict != record.Interrupted {
					summary.Runs++
					summary.VirtualSeconds += r.VirtualSeconds
					if r.Verdict == record.Failed {
						summary.Failures = append(summary.Failures, Failure{r, s})
					}
					if o.Ended != nil {
						o.Ended(r)
					}
				}
				mu.Unlock()
			}
		}()
	}
	workers.Wait()
	// Every seed below one that failed has been run, so that these are the same
	// however many workers there were.
	slices.SortFunc(summary.Failures, func(a, b Failure) int { return cmp.Compare(a.Run.Seed, b.Run.Seed) })
	summary.Failures = summary.Failures[:min(len(summary.Failures), max(o.Most, 1))]
	summary.WallSeconds = time.Since(began).Seconds()
	return summary, failed
}

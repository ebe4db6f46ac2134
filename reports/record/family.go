package record

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Family is runs of one world, seed and workload that differ in their flush
// interval only. What a promise says about that setting, no run shows alone.
type Family struct {
	Name   string   `json:"name"`
	Runs   []string `json:"runs"`             // by interval, the shortest first
	Broken []string `json:"broken,omitempty"` // what the promises say otherwise, in a sentence each
	// Compared says whether at least two intervals could be compared.
	Compared bool `json:"compared"`
}

// sameWork is by which share the writes of a family's runs may differ: a guest
// that waits for a miss writes a moment later.
const sameWork = 0.02

// Families are those of the runs that passed, by their names as they come. What
// failed, or flushed nothing, is compared with nothing.
func Families(runs []Run) []Family {
	var names []string
	members := map[string][]*Run{}
	for i := range runs {
		r := &runs[i]
		if r.Family == "" || r.Flushes == nil || r.Verdict != Passed {
			continue
		}
		if members[r.Family] == nil {
			names = append(names, r.Family)
		}
		members[r.Family] = append(members[r.Family], r)
	}
	var all []Family
	for _, name := range names {
		all = append(all, compare(name, members[name]))
	}
	return all
}

func compare(name string, runs []*Run) Family {
	slices.SortStableFunc(runs, func(a, b *Run) int { return cmp.Compare(a.Flushes.Interval, b.Flushes.Interval) })
	f := Family{Name: name}
	for i, r := range runs {
		f.Runs = append(f.Runs, r.Scenario)
		if worst := r.Flushes.Worst(); worst.Loss > r.Flushes.Bound() {
			f.broken("%s: %s could have lost %v of writes, more than its interval of %v, its longest flush of %v and %v on the way",
				r.Scenario, worst.Name, worst.Loss, r.Flushes.Interval, r.Flushes.Longest, Slack)
		}
		if i > 0 {
			f.pair(runs[i-1], r)
		}
	}
	return f
}

// pair holds a run against the one with the next longer interval.
func (f *Family) pair(short, long *Run) {
	a, b := short.Flushes, long.Flushes
	if a.Interval == b.Interval {
		return // the same run twice, of two folders
	}
	f.Compared = true
	if short.Seed != long.Seed || a.Workload != b.Workload || apart(a.Absorbed, b.Absorbed) > sameWork {
		f.broken("%s (seed %d, %s, %d bytes written) and %s (seed %d, %s, %d bytes written) did not do the same: they say nothing about the interval",
			short.Scenario, short.Seed, a.Workload, a.Absorbed, long.Scenario, long.Seed, b.Workload, b.Absorbed)
		return
	}
	if a.Bytes < b.Bytes {
		f.broken("a flush every %v carried %d bytes, fewer than the %d of one every %v", a.Interval, a.Bytes, b.Bytes, b.Interval)
	}
	if x, y := a.Worst().Loss, b.Worst().Loss; x > y {
		f.broken("a flush every %v left %v of writes at risk, more than the %v of one every %v", a.Interval, x, y, b.Interval)
	}
}

// apart is by which share of the larger two amounts differ.
func apart(a, b int64) float64 {
	if a == b {
		return 0
	}
	return 1 - float64(min(a, b))/float64(max(a, b))
}

func (f *Family) broken(format string, args ...any) {
	for i, a := range args {
		if d, is := a.(time.Duration); is {
			args[i] = d.Round(time.Millisecond)
		}
	}
	f.Broken = append(f.Broken, fmt.Sprintf(format, args...))
}

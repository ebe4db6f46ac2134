// Package gates says what the source may not contain, so that a run stays a
// function of its seed and the layout stays the architecture.
//
// It reads the source with types, never runs it, and fixes nothing. A gate has
// no configuration but allow.go: the adapters that own what others must take
// from outside, with the reason of each. An allowance that nothing needs any
// more is a finding too.
//
//	go list -export --> load.go: syntax and types of every package
//	                      |
//	     clock.go    wall clock, timers, sleeps, deadlines, unnamed chance
//	     order.go    map order that can leak, go statements, select
//	     arrows.go   who may import whom
//	     size.go     long files and functions
//	     words.go    words that must not appear
//	                      |
//	                 Check: findings, less what allow.go allows
//
// What types cannot see (an order that leaks through a library, a clock behind
// a call) Reproducible finds by running the same world again.
package gates

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is one place where the source breaks a rule.
type Finding struct {
	File string // slash-separated, relative to the checked folder
	Line int
	Rule Rule
	What string // what is there, and what to do instead
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.What)
}

// Rule is the name of a gate.
type Rule string

// The rules.
const (
	Clock     Rule = "clock"     // reads a clock, sleeps, or sets a timer
	Chance    Rule = "chance"    // draws from a source without a name
	Goroutine Rule = "goroutine" // starts a goroutine, or chooses between channels
	Order     Rule = "order"     // lets the order of a map out
	Arrow     Rule = "arrow"     // imports against the arrows
	Size      Rule = "size"      // is too long to read at a sitting
	Word      Rule = "word"      // has a word that must not appear
	Stale     Rule = "stale"     // an allowance or order-safe mark that nothing needs
)

// Check reads the Go module in dir and returns what breaks a rule, by file and
// line. The error is about reading it: source that does not build has no types
// to look at.
func Check(dir string) ([]Finding, error) { return check(dir, allowed) }

func check(dir string, allow []allowance) ([]Finding, error) {
	m, err := load(dir)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, p := range m.packages {
		found = append(found, arrows(p)...)
		found = append(found, size(p)...)
		if deterministic(p.dir) {
			found = append(found, clock(p)...)
			found = append(found, order(p)...)
		}
	}
	sleeps, err := sleepsInTests(m)
	if err != nil {
		return nil, err
	}
	found = append(found, sleeps...)
	said, err := words(dir)
	if err != nil {
		return nil, err
	}
	found = sift(append(found, said...), allow)
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return found, nil
}

// deterministic says whether what is in a folder takes time, chance and order
// from outside.
func deterministic(dir string) bool {
	return slices.Contains([]string{"core", "faults", "sim", "harness"}, layer(dir))
}

// sift takes out what is allowed, and adds the allowances that allow nothing.
func sift(found []Finding, allow []allowance) []Finding {
	used := make([]bool, len(allow))
	found = slices.DeleteFunc(found, func(f Finding) bool {
		i := slices.IndexFunc(allow, func(a allowance) bool { return a.file == f.File && a.rule == f.Rule })
		if i < 0 {
			return false
		}
		used[i] = true
		return true
	})
	for i, a := range allow {
		if !used[i] {
			found = append(found, Finding{a.file, 0, Stale, fmt.Sprintf("it no longer needs its allowance of %s: take it out of harness/gates/allow.go", a.rule)})
		}
	}
	return found
}

// Package family writes scenarios that are alike: one for each fault at each step
// of each type of migration to which it applies (pairs.go), and the same failure
// with each duration, in each component, and in each two of them (durations.go,
// components.go).
//
// It decides what is run, from the table of outcomes (harness/outcome). It never
// runs anything, that is harness/run, and expects nothing by itself: what has to
// follow, the oracle "faithful" takes from the same table, and the other oracles
// from the promises that hold in every run.
//
// Read this file, then pairs.go, world.go (how a run gets to a place) and
// trouble.go (which fault stands for a case).
package family

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/outcome"
	"github.com/hdm-project/hdm/harness/scenario"
)

// Member is one scenario of a family.
type Member struct {
	Name     string // unique, of lower-case words: "component-crash-cache/warm/reconcile"
	Scenario *scenario.Scenario
}

// seed of a member: its own, so that no two runs draw alike.
func seed(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64() >> 16
}

// member is a scenario in which faults come to a place.
func member(name string, at outcome.Place, c course, all ...faults.Fault) Member {
	s := c.scenario(at)
	s.Title = "Family: " + strings.NewReplacer("/", " at ", "-", " ").Replace(name)
	s.Title = s.Title[:min(len(s.Title), scenario.MaxTitle)]
	s.Seed = seed(name)
	s.Faults = append(s.Faults, all...)
	return Member{name, s}
}

func slug(texts ...string) string {
	var all []string
	for _, text := range texts {
		all = append(all, strings.NewReplacer(": ", "-", " ", "-").Replace(text))
	}
	return strings.Join(all, "/")
}

func place(p outcome.Place) string {
	if p.Step == "" {
		return string(p.Type)
	}
	return fmt.Sprintf("%s/%s", p.Type, p.Step)
}

package family

import (
	"strings"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/outcome"
)

// Pairs are every case of every kind of fault at every place to which it applies,
// once each. skipped counts those to which one does not apply, by the reason that
// the table gives.
func Pairs() (all []Member, skipped map[string]int) {
	skipped = map[string]int{}
	for _, kind := range faults.Names() {
		for _, c := range outcome.Variants(kind) {
			for _, p := range outcome.Places() {
				if v := outcome.Of(c, p); !v.Applies() {
					skipped[v.Because]++
					continue
				}
				all = append(all, pair(c, p))
			}
		}
	}
	return all, skipped
}

func pair(c outcome.Case, p outcome.Place) Member {
	course := usual
	switch {
	case c.Kind == "message-duplicate":
		course.bus = faults.Standard // only such a queue delivers twice
	case strings.HasPrefix(c.Kind, "message-"), strings.HasPrefix(c.Kind, "queue-"), c.Kind == "internet-down":
		course.bus = faults.FIFO
	}
	if strings.HasPrefix(c.Kind, "call-") && p.Step == "" {
		course.bus = faults.FIFO // then HDM looks for its vCenters now and then, though nothing goes on
	}
	when := course.reached(p)
	all := []faults.Fault{fault(c, p, when)}
	if p.Type == migration.Recover { // something fails while something is recovered
		all = append([]faults.Fault{first()}, all...)
	}
	m := member(slug(c.String())+"/"+place(p), p, course, all...)
	// Whether there is a session just then, or are two messages to swap, is chance.
	m.Scenario.IdleFaults = c.Kind == "session-expiry" || c.Kind == "message-reorder"
	return m
}

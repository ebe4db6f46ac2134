package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/harness/scenario"
)

// expectRecovery holds a promise about failures, and what HDM did about them,
// against the run, and says whether it is one.
func (st *stage) expectRecovery(p scenario.Promise, broken breach) bool {
	switch p := p.(type) {
	case *scenario.Health:
		st.expectHealth(p, broken)
	case *scenario.Recovered:
		st.expectRecovered(p, broken)
	case *scenario.Notes:
		expectTold(st.recoveries.notes, p.Notes.Type, p.Notes.Contains, p.Notes.Count, broken)
	case *scenario.Posted:
		expectTold(st.recoveries.posted, p.Posted.Type, p.Posted.Contains, p.Posted.Count, broken)
	case *scenario.Lost:
		st.expectLost(p, broken)
	case *scenario.ResetWaited:
		if !slices.Equal(st.recoveries.reset, p.ResetSteps) {
			broken("it went through %v, not %v", st.recoveries.reset, p.ResetSteps)
		}
	default:
		return false
	}
	return true
}

func (st *stage) expectHealth(p *scenario.Health, broken breach) {
	if st.app == nil {
		broken("the appliance is down: nobody says anything")
		return
	}
	panel, want := st.app.Panel(), p.Health
	if panel.Status != want.Status {
		broken("it is %s, not %s", panel.State, want.Status)
	}
	if want.Details != "" && panel.Details != want.Details {
		broken("its details are %q, not %q", panel.Details, want.Details)
	}
	if want.ResetOffered != nil && (panel.Reset != "") != *want.ResetOffered {
		broken("a reset is offered: %v (%s), not %v", panel.Reset != "", panel.Reset, *want.ResetOffered)
	}
	if want.Components == nil {
		return
	}
	got := map[string]health.Level{}
	for _, c := range panel.Components {
		if c.Level != health.Healthy {
			got[c.VM+"/"+c.Name] = c.Level
		}
	}
	if !maps.Equal(got, *want.Components) {
		broken("the components that are not Healthy are %v, not %v", got, *want.Components)
	}
}

// expectRecovered looks at a recovery: the last one, or that of the number.
func (st *stage) expectRecovered(p *scenario.Recovered, broken breach) {
	all := st.recoveries.all
	if p.Recovery.None {
		if len(all) > 0 {
			broken("there were %d, the first of %v", len(all), all[0].failed)
		}
		return
	}
	n := p.Number
	if n == 0 {
		n = len(all)
	}
	if n == 0 || n > len(all) {
		broken("there were %d", len(all))
		return
	}
	got, want := all[n-1], p.Recovery
	if len(want.Phases) > 0 && !slices.Equal(got.phases, want.Phases) {
		broken("it went through %v, not %v", got.phases, want.Phases)
	}
	known := maps.Clone(got.failed)
	maps.DeleteFunc(known, func(_ string, c recovery.Cause) bool { return c == recovery.Unknown })
	if len(want.Failed) > 0 && !maps.Equal(known, want.Failed) {
		broken("it was of %s, not %s", causes(known), causes(want.Failed))
	}
	if want.Affected != nil && !sameNames(got.affected, *want.Affected) {
		broken("it affected %v, not %v", got.affected, *want.Affected)
	}
	if want.Held != nil && !sameNames(got.held, *want.Held) {
		broken("it held %v, not %v", got.held, *want.Held)
	}
	if want.Multiple != nil && got.multiple != *want.Multiple {
		broken("something else failed meanwhile: %v, not %v", got.multiple, *want.Multiple)
	}
	offers := func(o string) bool { return strings.Contains(o, want.Offered) }
	switch {
	case want.Offered == scenario.NotOffered && len(got.offered) > 0:
		broken("a reset was offered: %q", got.offered)
	case want.Offered != "" && want.Offered != scenario.NotOffered && !slices.ContainsFunc(got.offered, offers):
		broken("no reset was offered because of %q; those that were: %q", want.Offered, got.offered)
	}
	if !strings.Contains(got.fatal, want.Fatal) || want.Fatal != "" && got.fatal == "" {
		broken("it was fatal because of %q, not of %q", got.fatal, want.Fatal)
	}
}

func causes(failed map[string]recovery.Cause) string {
	var all []string
	for _, part := range slices.Sorted(maps.Keys(failed)) {
		all = append(all, fmt.Sprintf("%s (%s)", part, failed[part]))
	}
	return strings.Join(all, ", ")
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// union is a with what it lacks of b.
func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// expectTold looks at events that people were told of.
func expectTold(all []notice, kind, contains string, count *int, broken breach) {
	n := 0
	for _, t := range all {
		if t.kind == kind && strings.Contains(t.text, contains) {
			n++
		}
	}
	switch {
	case count == nil && n == 0:
		broken("none is a %s that says %q; what there is: %s", kind, contains, listed(all))
	case count != nil && n != *count:
		broken("%d are a %s that says %q, not %d; what there is: %s", n, kind, contains, *count, listed(all))
	}
}

// listed are the last few events that people were told of.
func listed(all []notice) string {
	var texts []string
	for _, t := range all[max(0, len(all)-mostNamed):] {
		texts = append(texts, t.kind+": "+t.text)
	}
	return fmt.Sprintf("%q", texts)
}

// expectLost looks at what was lost when a VM was brought back.
func (st *stage) expectLost(p *scenario.Lost, broken breach) {
	l, ok := st.flushes.lost[p.VM]
	switch {
	case !ok:
		broken("it was never brought back after a failure")
	case p.Lost.Writes != nil && (l.writes > 0) != *p.Lost.Writes:
		broken("it lost %d writes", l.writes)
	case p.Lost.AtMost > 0 && l.age > time.Duration(p.Lost.AtMost):
		broken("the oldest of %d writes that it lost was %v old, more than %v", l.writes, l.age, p.Lost.AtMost)
	}
}

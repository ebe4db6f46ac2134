package appliance

import (
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/migration"
)

// lateness watches the age of the flushes (POL-08). It knows nothing durable: an
// episode that HDM's log tells of is told of once.
type lateness struct {
	appliance *Appliance
	last      map[migration.ID]applied
}

// applied is a flush, and when it was applied on the clock of this boot.
type applied struct {
	number uint64
	at     time.Duration
}

// lateBy is how much older than its interval a flush may be.
const lateBy = time.Minute

func newLateness(a *Appliance) *lateness {
	return &lateness{appliance: a, last: map[migration.ID]applied{}}
}

// each calls f with every VM on the cloud cache, and when its flush is late. The
// appliance's mu is held.
func (l *lateness) each(f func(m migration.Migration, late time.Duration)) {
	a := l.appliance
	now, wall := a.Runtime.Elapsed(), a.Runtime.Now()
	known := map[migration.ID]applied{}
	for _, m := range a.bound() {
		if m.FirstOn.IsZero() {
			continue
		}
		every := a.state.settings.interval(m.Plan.Cluster)
		was, seen := l.last[m.ID]
		if !seen || was.number != m.Flushed.Number {
			at := m.FirstOn
			if m.Flushed.Number > 0 {
				at = m.Flushed.At
			}
			was = applied{m.Flushed.Number, now - min(max(wall.Sub(at), 0), every)} // a clock that was stepped must not count
		}
		known[m.ID] = was
		f(m, was.at+every+lateBy)
	}
	l.last = known
}

// late says whether a flush is late and HDM's log does not tell of it, and what it
// is to tell.
func (l *lateness) late(m migration.Migration, at time.Duration) (text string, late bool) {
	a := l.appliance
	if at > a.Runtime.Elapsed() {
		return "", false
	}
	text = fmt.Sprintf("%s: flush %d of %s is late: a failure now costs more than %v of what it wrote",
		m.Plan.Name, m.Flushed.Number+1, m.ID, a.state.settings.interval(m.Plan.Cluster))
	return text, !slices.ContainsFunc(a.state.notes, func(n Note) bool { return n.Type == EventFlushLate && n.Text == text })
}

// next is when the next flush is late. The appliance's mu is held.
func (l *lateness) next() (at time.Duration, any bool) {
	l.each(func(m migration.Migration, due time.Duration) {
		_, late := l.late(m, due)
		if (late || due > l.appliance.Runtime.Elapsed()) && (!any || due < at) {
			at, any = due, true
		}
	})
	return at, any
}

// due are the texts about flushes that are late by now. The appliance's mu is held.
func (l *lateness) due() (texts []string) {
	l.each(func(m migration.Migration, due time.Duration) {
		if text, late := l.late(m, due); late {
			texts = append(texts, text)
		}
	})
	return texts
}

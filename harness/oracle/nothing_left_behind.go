package oracle

import (
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// NothingLeftBehind: in the end every migration is over and nothing of it is
// left but what is documented. No lease or task is open, nor any session that
// HDM could have ended; the cloud holds no VM of a migration that did not
// complete; and a VM that was not migrated is as it was: power, pool, snapshots,
// marks. What the migration itself lists as left is left to people, exactly that
// and no more.
type NothingLeftBehind struct {
	verdicts
	courses
	power  map[string]bool   // VMs by subject, since the world began
	pool   map[string]string // the same
	was    map[string]shape  // VMs by name, when the migration that decides about them had its turn
	byHand map[string]bool   // VMs that a person powered on or off since
	lost   map[string]int    // by site: logins and logouts of which HDM does not know what became
	cut    bool              // the appliance lost its power, with the sessions that it had
}

// shape is what a migration that does not complete has to put back. What is not
// known has been as it is since the world began.
type shape struct {
	on, onKnown bool
	pool        string
	poolKnown   bool
}

// NewNothingLeftBehind returns the oracle for one run.
func NewNothingLeftBehind(r Rules) *NothingLeftBehind {
	return &NothingLeftBehind{
		verdicts: verdicts{oracle: "nothing-left-behind"}, courses: newCourses(&r),
		power: map[string]bool{}, pool: map[string]string{}, was: map[string]shape{}, byHand: map[string]bool{},
		lost: map[string]int{},
	}
}

// Observe implements Oracle.
func (o *NothingLeftBehind) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.Migration:
		o.migration(&e)
	case event.VMPower:
		o.power[e.Subject] = e.Attr("state") == "on"
	case event.VMPool:
		o.pool[e.Subject] = e.Attr("pool")
	case event.Step:
		if vm := byHand(&e); vm != "" {
			o.byHand[vm] = true
		}
	case event.CallSent, event.CallAnswered:
		o.call(&e)
	case event.ApplianceDown:
		o.cut = true
	}
	return nil
}

func (o *NothingLeftBehind) migration(e *kernel.Event) {
	c, first := o.hear(e)
	if !first || o.of(c.vm) != c {
		return
	}
	var s shape
	subject := onPremises + c.vm
	s.on, s.onKnown = o.power[subject]
	s.pool, s.poolKnown = o.pool[subject]
	o.was[c.vm] = s
	delete(o.byHand, c.vm)
}

func (o *NothingLeftBehind) call(e *kernel.Event) {
	switch method := e.Attr("method"); {
	case method != "Login" && method != "Logout":
	case e.Kind == event.CallSent:
		o.lost[e.Subject]++
	case e.Attr("outcome") == "ok":
		o.lost[e.Subject]--
	}
}

// sessions: one that HDM could not end, because it knows neither of its
// beginning nor of its end, expires by itself. Every other one is ended.
func (o *NothingLeftBehind) sessions(t *Truth) {
	bySite := map[vsphere.Site][]Open{}
	for _, s := range t.Sessions {
		bySite[s.Site] = append(bySite[s.Site], s)
	}
	for _, site := range []vsphere.Site{vsphere.OnPremises, vsphere.Cloud} {
		if left, lost := bySite[site], o.lost[string(site)]; len(left) > lost && !o.cut {
			o.broken(clauseLeft, t.At, string(site), nil, "a session is still open: %s (%d are, and of %d logins and logouts it is not known what became)", left[0].What, len(left), lost)
		}
	}
}

// Finish implements Oracle.
func (o *NothingLeftBehind) Finish(t *Truth) []record.Violation {
	for _, c := range o.live {
		o.broken(clauseLeft, t.At, c.id, c.evidence(), "the migration of %s is still %s, though nothing goes on any more", c.vm, c.state)
	}
	for _, kind := range []struct {
		name string
		open []Open
	}{{"lease", t.Leases}, {"task", t.Tasks}} {
		for _, open := range kind.open {
			o.broken(clauseLeft, t.At, string(open.Site), nil, "a %s is still open: %s", kind.name, open.What)
		}
	}
	o.sessions(t)
	for _, pool := range t.Pools {
		if pool.Name != o.rules.MigratePool || pool.Site != vsphere.OnPremises {
			o.broken(clauseLeft, t.At, string(pool.Site), nil, "a pool that is not documented is left: %q in %q", pool.Name, pool.Parent)
		}
	}
	o.leftVMs(t)
	return o.take()
}

func (o *NothingLeftBehind) leftVMs(t *Truth) {
	accounted := map[*VM]bool{}
	for i := range t.Before {
		before := &t.Before[i]
		c := o.of(before.Name)
		switch {
		case before.Site != vsphere.OnPremises:
		case c.completed():
			for _, v := range t.copies(before) {
				accounted[v] = true
			}
		case c == nil || o.rules.final(c.state):
			o.untouched(t, before, c)
			if c != nil && c.left.has(leftCopy) {
				for _, v := range t.copies(before) {
					accounted[v] = !v.On || c.left.has(leftAll)
				}
			}
		}
	}
	for i := range t.VMs {
		if v := &t.VMs[i]; t.arrived(v) && !accounted[v] {
			o.broken(clauseLeft, t.At, v.Subject(), nil, "a VM that no completed migration accounts for is left")
		}
	}
}

// untouched: a VM that was not migrated is as it was.
func (o *NothingLeftBehind) untouched(t *Truth, before *VM, c *course) {
	now := t.same(before)
	if now == nil {
		return // no-lost-vm tells that
	}
	what, left := "nothing migrated it", leftovers("")
	if c != nil {
		what, left = c.id+" is "+c.state, c.left
	}
	tell := func(format string, args ...any) {
		o.broken(clauseLeft, t.At, before.Subject(), c.evidence(), what+", and "+format, args...)
	}
	on, pool, was := before.On, before.Pool, o.was[before.Name]
	if was.onKnown {
		on = was.on
	}
	if was.poolKnown {
		pool = was.pool
	}
	if now.On != on && !o.byHand[before.Name] && !(on && left.has(leftPower)) {
		tell("the VM is %s; it was %s", onOff(now.On), onOff(on))
	}
	if now.Pool != pool && !(now.Pool == o.rules.MigratePool && left.has(leftPool)) {
		tell("the VM is in pool %q; it was in %q", now.Pool, pool)
	}
	if !slices.Equal(now.Snapshots, before.Snapshots) && !(left.has(leftSnapshot) && o.oneMore(now.Snapshots, before.Snapshots)) {
		tell("the VM has the snapshots [%s]; it had [%s]", strings.Join(now.Snapshots, ", "), strings.Join(before.Snapshots, ", "))
	}
	if now.Marked && !before.Marked {
		tell("a mark of HDM's is left on the VM")
	}
}

// oneMore says whether the snapshots are those of before and one migrate-time
// snapshot.
func (o *NothingLeftBehind) oneMore(now, before []string) bool {
	for i, name := range now {
		if strings.HasPrefix(name, o.rules.SnapshotPrefix) && slices.Equal(slices.Delete(slices.Clone(now), i, i+1), before) {
			return true
		}
	}
	return false
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// Tested implements Oracle: what it judges is part of every clause about a
// migration that does not complete.
func (o *NothingLeftBehind) Tested() []string { return nil }

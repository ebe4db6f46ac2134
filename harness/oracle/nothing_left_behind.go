package oracle

import (
	"maps"
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

	deployed bool              // the component VMs are there, or are being made or removed
	bindings map[string]string // ids: the VM on premises
	images   map[string]bool   // VMs: a failed warm migration lists what it had brought (WARM-06)
	shipped  map[string]bool   // VMs: a person brings, or has brought, their image
	hosts    hostsDown
	kept     kept
	dead     bool // a user has declared the cloud dead: nothing of it can be removed
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
		lost: map[string]int{}, bindings: map[string]string{}, images: map[string]bool{}, shipped: map[string]bool{}, hosts: newHostsDown(), kept: kept{},
	}
}

// Observe implements Oracle.
func (o *NothingLeftBehind) Observe(e kernel.Event) []record.Violation {
	o.kept.hear(&e)
	switch e.Kind {
	case event.Migration:
		o.migration(&e)
	case event.VMPower, event.HostDown:
		if e.Kind == event.VMPower {
			o.power[e.Subject] = e.Attr("state") == "on"
		}
		for _, vm := range o.hosts.took(&e) {
			o.byHand[strings.TrimPrefix(vm, onPremises)] = true // it is for people to start again
		}
	case event.Recovery:
		o.resets(&e)
		if e.Attr("phase") == "resetting" {
			clear(o.bindings) // they go with the component VMs
		}
	case event.VMPool:
		o.pool[e.Subject] = e.Attr("pool")
	case event.Step:
		o.dead = o.dead || e.Attr("cloud-dead") == "true"
		if vm := byHand(&e); vm != "" {
			o.byHand[vm] = true
		}
		if e.Attr("what") == stepShip {
			o.shipped[e.Attr("vm")] = true
		}
	case event.CallSent, event.CallAnswered:
		o.call(&e)
	case event.ApplianceDown:
		o.cut = true
	case event.Deployment:
		o.deployed = e.Attr("phase") != phaseUndeployed
	case event.Bound:
		o.bindings[e.Subject] = strings.TrimPrefix(e.Attr("source"), onPremises)
	case event.Released:
		delete(o.bindings, e.Subject)
	}
	return nil
}

// phaseUndeployed is what the trace calls it when there is no component VM.
const phaseUndeployed = "undeployed"

func (o *NothingLeftBehind) migration(e *kernel.Event) {
	c, first := o.hear(e)
	if c.of == typeWarm && c.state == stateFailed {
		o.images[c.vm] = c.left.has(leftCopy)
	}
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
		lost := o.lost[string(site)]
		if site == vsphere.OnPremises && o.anyWaits() {
			lost++ // the one in which its task is shown
		}
		if left := bySite[site]; len(left) > lost && !o.cut {
			o.broken(clauseLeft, t.At, string(site), nil, "a session is still open: %s (%d are, and of %d logins and logouts it is not known what became)", left[0].What, len(left), lost)
		}
	}
}

// Finish implements Oracle.
func (o *NothingLeftBehind) Finish(t *Truth) []record.Violation {
	if o.stuck {
		return nil
	}
	for _, c := range o.live {
		if c.state == stateWaiting {
			continue // for a word that nobody says: it goes on when somebody does
		}
		o.broken(clauseLeft, t.At, c.id, c.evidence(), "the migration of %s is still %s, though nothing goes on any more", c.vm, c.state)
	}
	for _, kind := range []struct {
		name string
		open []Open
	}{{"lease", t.Leases}, {"task", t.Tasks}} {
		for _, open := range kind.open {
			if kind.name == "task" && open.VM != "" && o.waits(open.VM) {
				continue // it shows the migration, which goes on
			}
			o.broken(clauseLeft, t.At, string(open.Site), nil, "a %s is still open: %s", kind.name, open.What)
		}
	}
	o.sessions(t)
	for _, pool := range t.Pools {
		if !o.rules.own(pool.Name) || pool.Site != vsphere.OnPremises {
			o.broken(clauseLeft, t.At, string(pool.Site), nil, "a pool that is not documented is left: %q in %q", pool.Name, pool.Parent)
		}
	}
	o.leftVMs(t)
	return o.take()
}

// brought says whether a person brought the VM to the cloud as the data of a
// migration, and nobody took it: it is theirs, whatever is on its disks.
func (o *NothingLeftBehind) brought(v *VM) bool {
	of, image := strings.CutSuffix(v.Name, imageSuffix)
	return image && v.Site == vsphere.Cloud && !v.On && !v.Marked && o.shipped[of]
}

func (o *NothingLeftBehind) leftVMs(t *Truth) {
	accounted := map[*VM]bool{}
	for i := range t.Before {
		before := &t.Before[i]
		if before.Site == vsphere.OnPremises {
			o.account(t, before, accounted)
		}
	}
	for i := range t.VMs {
		v := &t.VMs[i]
		switch {
		case !t.arrived(v) || accounted[v] || o.dead && v.Site == vsphere.Cloud:
		case o.brought(v):
		case v.Component && o.deployed:
		case v.Component:
			o.broken(clauseUndeployed, t.At, v.Subject(), nil, "HDM is not deployed, and its component VM is left")
		default:
			o.broken(clauseLeft, t.At, v.Subject(), nil, "a VM that no completed migration accounts for is left")
		}
	}
	for _, s := range t.Served {
		if !o.deployed && !(o.dead && s.Site == vsphere.Cloud) {
			o.broken(clauseUndeployed, t.At, string(s.Site), nil, "HDM is not deployed, and a datastore that it served is left: %s", s.What)
		}
	}
	o.leftBindings(t)
}

// account says which of the VMs that came into being are there because of a VM
// that was there before, and what that must be by now.
func (o *NothingLeftBehind) account(t *Truth, before *VM, accounted map[*VM]bool) {
	c := o.of(before.Name)
	if o.waits(before.Name) {
		for _, v := range t.madeOf(before) {
			accounted[v] = true
		}
		return
	}
	switch {
	case c.completed() && c.of == typeBack:
		o.cameBack(t, before, c)
	case c.completed() && c.of == typeRecover:
		o.recovered(t, before, c)
	case c != nil && c.reset && (c.completed() || o.rules.final(c.state)):
		o.afterReset(t, before, c)
	case c.completed():
		for _, v := range t.madeOf(before) {
			accounted[v] = v.Site == vsphere.Cloud && (c.of != typeWarm || v.Name == before.Name) || c.left.has(leftOf(v)) && !v.On
		}
		return
	case c == nil || o.rules.final(c.state):
		o.untouched(t, before, c)
	}
	for _, v := range t.madeOf(before) {
		listed := (o.images[before.Name] || o.shipped[before.Name]) && v.Name == before.Name+imageSuffix && !v.On
		accounted[v] = listed || c != nil && c.left.has(leftOf(v)) && (!v.On || c.left.all())
	}
}

// leftOf is what a migration lists that leaves a VM which it made.
func leftOf(v *VM) string {
	if v.Site == vsphere.OnPremises {
		return leftClone
	}
	return leftCopy
}

// leftBindings: a VM is on the cloud cache only while it is tried, or waits to be
// committed.
func (o *NothingLeftBehind) leftBindings(t *Truth) {
	for _, id := range slices.Sorted(maps.Keys(o.bindings)) {
		vm := o.bindings[id]
		c := o.of(vm)
		if c.completed() && c.of == typeTBC && !c.reset || o.waits(vm) || c != nil && c.left.has(leftBinding) {
			continue
		}
		o.broken(clauseLeft, t.At, onPremises+vm, c.evidence(), "its cloud cache and data path %s are left", id)
	}
}

// cameBack: a VM that was brought back is in its pool, without the migrate-time
// snapshot, and off.
func (o *NothingLeftBehind) cameBack(t *Truth, before *VM, c *course) {
	now := t.same(before)
	if now == nil || o.byHand[before.Name] {
		return // no-lost-vm tells that; what a person did is theirs
	}
	tell := func(format string, args ...any) {
		o.broken("BACK-03", t.At, before.Subject(), c.evidence(), c.id+" brought it back, and "+format, args...)
	}
	if now.On {
		tell("the VM is on")
	}
	if now.Pool == o.rules.MigratePool && !c.left.has(leftPool) {
		tell("the VM is in pool %q", now.Pool)
	}
	snapshots := o.kept.without(before.Name, now.Snapshots, o.rules.SnapshotPrefix)
	if !slices.Equal(snapshots, before.Snapshots) && !(c.left.has(leftSnapshot) && o.oneMore(snapshots, before.Snapshots)) {
		tell("the VM has the snapshots [%s]; it had [%s]", strings.Join(now.Snapshots, ", "), strings.Join(before.Snapshots, ", "))
	}
}

// recovered: a VM that a recovery brought back is in a recovery pool, with its
// migrate-time snapshot, and off, until a person looks at it (REC-05, REC-06).
func (o *NothingLeftBehind) recovered(t *Truth, before *VM, c *course) {
	now := t.same(before)
	if now == nil || o.byHand[before.Name] {
		return
	}
	tell := func(format string, args ...any) {
		o.broken("REC-05", t.At, before.Subject(), c.evidence(), c.id+" brought it back, and "+format, args...)
	}
	if now.On {
		tell("the VM is on")
	}
	if now.Pool != o.rules.RecoverySuccess && now.Pool != o.rules.RecoveryFailed && !c.left.has(leftPool) {
		tell("the VM is in pool %q", now.Pool)
	}
	if !o.oneMore(now.Snapshots, before.Snapshots) {
		tell("the VM has the snapshots [%s]; it had [%s], and the migrate-time one is kept", strings.Join(now.Snapshots, ", "), strings.Join(before.Snapshots, ", "))
	}
}

// afterReset: a VM that was on the cloud cache when HDM was reset stays off in the
// migrate pool (RST-03); one that was on its way may be anywhere in between.
func (o *NothingLeftBehind) afterReset(t *Truth, before *VM, c *course) {
	now := t.same(before)
	if now == nil || o.byHand[before.Name] || !c.completed() {
		return
	}
	if now.On || now.Pool != o.rules.MigratePool {
		o.broken("RST-03", t.At, before.Subject(), c.evidence(), "HDM was reset, and the VM is %s in pool %q", onOff(now.On), now.Pool)
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

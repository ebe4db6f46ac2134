package appliance

import (
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

// Recovery is what HDM does about failures now.
func (a *Appliance) Recovery() recovery.Recovery {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.recovery
}

// Reset asks for an HDM reset (RST-01 to -03). It is refused, with a warning, if
// none is offered and it is not forced.
func (a *Appliance) Reset(o recovery.ResetOrder) (Answer, error) {
	a.mu.Lock()
	asked := recovery.ResetAsked{Order: o, Epoch: a.state.Epoch, Filters: map[string]uint64{}}
	for _, host := range a.state.hosts() {
		asked.Filters[host] = a.state.heard[host].Services[0].Epoch
	}
	a.mu.Unlock()
	d, err := a.deliver(RecoveryHeard{asked}, "reset")
	return d.Answer, err
}

// recoveryKnobs are those of recoveries.
func recoveryKnobs(k migration.Knobs) recovery.Knobs {
	r := recovery.DefaultKnobs
	r.Outage = k.Outage
	return r
}

// now is the recovery as the step has made it so far.
func (p *step) recovering() recovery.Recovery {
	if p.d.Recovery != nil {
		return *p.d.Recovery
	}
	return p.recovery
}

// recover lets the recovery decide, and does to the migrations what it says.
func (p *step) recover(ev recovery.Event) {
	before := p.recovering()
	v := before.Decide(recoveryKnobs(p.knobs), p.now, ev)
	if len(v.Refused) > 0 {
		p.d.Answer = Answer{Outcome: Rejected, Reasons: v.Refused}
	}
	if v.Ignored != "" {
		p.d.Ignored = v.Ignored
		return
	}
	if _, asked := ev.(recovery.ResetAsked); asked {
		p.d.Answer = Answer{Outcome: Accepted}
	}
	p.d.Recovery = &v.Recovery
	p.noteRecovery(before, v.Recovery)
	if v.Effect != nil {
		p.d.Recovering = v.Effect
	}
	if v.Cancel != "" {
		p.d.Cancels = append(p.d.Cancels, v.Cancel)
	}
	if v.Identify {
		p.identify()
	}
	if before.Phase != recovery.Resetting && v.Recovery.Phase == recovery.Resetting {
		p.abandon(p.fleet())
	}
	if v.Reset {
		p.wasReset()
	}
}

// identify tells the recovery whom the failures affect. What has to wait for a
// repair is held at once.
func (p *step) identify() {
	affected, held := p.affected(p.recovering())
	for _, id := range held {
		if m, ok := p.latest(id); ok {
			p.hear(m, migration.Held{})
		}
	}
	p.recover(recovery.Identified{Affected: affected, Held: held})
	p.noteAffected(affected, held)
}

// latest is a migration as the step has made it so far.
func (p *step) latest(id migration.ID) (migration.Migration, bool) {
	if m, ok := p.changed[id]; ok {
		return m, true
	}
	return p.Migration(id)
}

// everyone is every migration that is remembered, as the step has made it so far.
func (p *step) everyone() []migration.Migration {
	all := slices.Concat(p.ended, p.live, p.created)
	for i, m := range all {
		if c, ok := p.changed[m.ID]; ok {
			all[i] = c
		}
	}
	return all
}

// mostBrought bounds how many migrations one event fails, and how many it has
// brought back, so that it stays a batch of the journal: the next event goes on.
const mostBrought = 100

// returned does what comes once everything is repaired, in the guide's order
// (REC-12): affected migrations fail, then their VMs come back, then what was held
// goes on; and once all are back it tells the recovery.
func (p *step) returned() {
	r := p.recovering()
	if r.Phase != recovery.Returning {
		return
	}
	ignored := p.d.Ignored // of the event itself
	defer func() { p.d.Ignored = ignored }()
	why := migration.Reason{
		Code: CodeComponent, What: "HDM failed while it was under way: " + failed(r),
		Fix: "order it again once HDM is Ready; its VM is brought back as of its last flush if it had run in the cloud",
	}
	failing := 0
	for _, m := range p.fleet() {
		if failing < mostBrought && slices.Contains(r.Affected, m.ID) {
			before := len(p.d.Changed)
			p.hear(m, migration.Broken{Why: why, Lost: hasLost(r, m)})
			if len(p.d.Changed) > before {
				failing++
			}
		}
	}
	if failing == mostBrought || p.bringBack(r) > 0 {
		return
	}
	for _, id := range r.Held {
		if m, ok := p.latest(id); ok && !m.State.Final() {
			p.hear(m, migration.Resumed{})
		}
	}
	p.recover(recovery.Returned{})
}

// hasLost says whether the cloud cache of a migration has lost what it held of some
// VMs. Of those only what it has lost is affected and being put back.
func hasLost(r recovery.Recovery, m migration.Migration) bool {
	return slices.ContainsFunc(r.Failures, func(f recovery.Failure) bool { return f.Cause == recovery.Damaged && f.VM == m.Path.Cache })
}

// CodeComponent is the code of what failed because a part of HDM did.
const CodeComponent = "component-failed"

// bringBack orders that the VMs of affected migrations come back, and counts those
// that are not back yet. What did not come about in this recovery is left to a
// person.
func (p *step) bringBack(r recovery.Recovery) (waiting int) {
	all := p.everyone()
	affected, busy := map[migration.ID]bool{}, map[migration.ID]bool{}
	for _, id := range r.Affected {
		affected[id] = true
	}
	for _, m := range all {
		switch {
		case m.Order.Type == migration.Recover:
			if !m.State.Final() {
				waiting++
				busy[m.Of] = true
			}
		case m.Of != "":
			affected[m.Of] = affected[m.Of] || affected[m.ID] // it was to bring that one back
			busy[m.Of] = busy[m.Of] || !m.State.Final()
		}
	}
	ordered := 0
	for _, m := range all {
		if !m.State.Final() || !m.Bound || m.Of != "" || m.ByImage() || !affected[m.ID] || slices.Contains(r.Brought, m.ID) {
			continue
		}
		if ordered < mostBrought && !busy[m.ID] { // never two at one VM (MIG-13)
			p.d.Orders++
			p.create(migration.NewRecover(p.d.Orders, p.now.Wall, m))
			r.Brought = append(slices.Clone(r.Brought), m.ID)
			p.d.Recovery = &r
		}
		ordered++
	}
	return waiting + ordered
}

// startable is the fleet without those whose turn has to wait: while HDM recovers
// only VMs that come back get theirs (REC-03).
func (p *step) startable(fleet migration.Fleet) migration.Fleet {
	if p.recovering().Phase == recovery.Healthy {
		return fleet
	}
	return slices.DeleteFunc(slices.Clone(fleet), func(m migration.Migration) bool {
		return (m.State == migration.Queued || m.State == migration.Checking) && m.Order.Type != migration.Recover
	})
}

// asked says whether a user gave an event of the deployment.
func asked(ev deployment.Event) bool {
	switch ev.(type) {
	case deployment.Asked, deployment.RemovalAsked:
		return true
	}
	return false
}

// refuses turns down what a user wants while HDM recovers (REC-03, REC-12).
func (p *step) refuses(why []migration.Reason) bool {
	if p.recovering().Phase == recovery.Healthy {
		return false
	}
	if len(why) == 0 {
		why = p.unready()
	}
	p.d.Answer = Answer{Outcome: Rejected, Reasons: why}
	p.d.Ignored = why[0].What
	return true
}

// unready is why nothing new is served, if nobody has said more of it.
func (p *step) unready() []migration.Reason {
	var services, vms []string
	for _, f := range p.recovering().Failures {
		services, vms = named(f, services, vms)
	}
	if len(services) == 0 && len(vms) == 0 {
		services = []string{health.Appliance}
	}
	return []migration.Reason{migration.Unready(health.Of(services, vms).Details)}
}

// failed names what has failed, for people.
func failed(r recovery.Recovery) string {
	text := ""
	for i, f := range r.Failures {
		if i > 0 {
			text += ", "
		}
		text += f.Of() + " (" + string(f.Cause) + ")"
	}
	return text
}

// beat takes note of incarnations, and of what has failed.
func (p *step) beat(ev BeatHeard) {
	if ev.Beat != nil {
		p.d.Beats = append(p.d.Beats, *ev.Beat)
	}
	if len(ev.Failed) > 0 && p.deployment.Phase == deployment.Deployed {
		p.recover(recovery.Noticed{Failures: ev.Failed})
	}
}

// cacheLost has a VM brought back of whose cache nothing is left to flush.
func (p *step) cacheLost(ev CacheLost) {
	m, ok := p.latest(ev.Migration)
	if !ok || p.deployment.Phase != deployment.Deployed {
		p.d.Ignored = "nothing of it is on a cloud cache"
		return
	}
	p.recover(recovery.CacheLost{VM: m.Path.Cache, Service: component.CloudCache, Error: ev.Why, Affected: []migration.ID{m.ID}})
}

// forgetBeats: nobody is waited for any more.
func (p *step) forgetBeats() {
	for _, vm := range p.beats() {
		p.d.Beats = append(p.d.Beats, component.Heartbeat{VM: vm})
	}
}

// abandon ends migrations because HDM is reset. One that uses none of the component
// VMs is put back as after any failure.
func (p *step) abandon(all []migration.Migration) {
	why := migration.Reason{Code: CodeReset, What: "HDM was reset while it was under way", Fix: "order it again once HDM is deployed"}
	for _, m := range all {
		if m.Order.Type == migration.Cold {
			p.hear(m, migration.Broken{Why: why})
		} else {
			p.hear(m, migration.Abandoned{Why: why})
		}
	}
	p.d.Ignored = ""
}

// CodeReset is the code of what a reset ended.
const CodeReset = "reset"

// wasReset: no component VM is there any more, and no VM on a cloud cache.
func (p *step) wasReset() {
	for _, m := range p.everyone() {
		if m.Bound {
			p.hear(m, migration.Abandoned{})
		}
	}
	p.d.Ignored = ""
	p.d.Deploy = &deployment.Deployment{Number: p.deployment.Number, Issued: p.deployment.Issued}
	p.knobs = (&State{deployment: *p.d.Deploy}).offered(p.knobs)
	p.forgetBeats()
}

// applyRecovery makes what a decision says of recoveries true.
func (s *State) applyRecovery(d Decision) {
	if d.Recovery != nil {
		s.recovery = *d.Recovery
	}
	for _, h := range d.Beats {
		if len(h.Services) == 0 {
			delete(s.heard, h.VM)
		} else {
			s.heard[h.VM] = h
		}
	}
	s.notes = slices.Delete(append(s.notes, d.Notes...), 0, len(d.Dropped))
}

// beats are the names of those whose incarnations are known, sorted.
func (s *State) beats() []string {
	names := make([]string, 0, len(s.heard))
	for vm := range s.heard { //hdm:order-safe sorted below
		names = append(names, vm)
	}
	slices.Sort(names)
	return names
}

// hosts are the ESXi hosts on premises whose iofilter daemon was heard, sorted.
func (s *State) hosts() (hosts []string) {
	for _, vm := range s.beats() {
		if filters(s.heard[vm]) {
			hosts = append(hosts, vm)
		}
	}
	return hosts
}

// filters says whether a heartbeat is that of a host's iofilter daemon.
func filters(h component.Heartbeat) bool {
	return len(h.Services) == 1 && h.Services[0].Name == component.IOFilter
}

// markOfReset is the mark of a reset's task in vCenter.
func (a *Appliance) markOfReset(r recovery.Recovery) string {
	return fmt.Sprintf("%s/%s/reset-%d", a.ID, a.incarnation, r.Number)
}

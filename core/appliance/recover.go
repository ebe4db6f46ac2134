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

// recovering is the recovery as the step has made it so far.
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

// endsLater says whether a failure affects a migration that fails once all is
// repaired, and not before: how its step ends meanwhile does not count (REC-12).
func (p *step) endsLater(m migration.Migration) bool {
	r := p.recovering()
	return (r.Phase == recovery.Probing || r.Phase == recovery.Repairing) && slices.Contains(r.Affected, m.ID)
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

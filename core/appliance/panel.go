package appliance

import (
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

// Health is the state of HDM as of the last probes and heartbeats (SQS-02). An
// appliance whose journal cannot be written is not ready.
func (a *Appliance) Health() health.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.health()
}

// health is Health with the appliance's mu held.
func (a *Appliance) health() health.State { return health.Of(a.down()) }

// down are the services that are not ready or down, and the component VMs that have
// rebooted or are down: those are named before services are (HLT-07). The
// appliance's mu is held.
func (a *Appliance) down() (services, vms []string) {
	own := []string{health.Appliance}
	r := a.state.recovery
	if a.failed != nil || r.Phase == recovery.Resetting { // it does nothing more until it is restarted, or nothing else
		return own, nil
	}
	for _, p := range a.probes {
		if p.unknown() { // HDM is booting
			return own, nil
		}
		if p.down {
			services = append(services, p.name)
		}
	}
	for _, c := range a.pulse.Down() {
		if !slices.ContainsFunc(r.Failures, func(f recovery.Failure) bool { return f.VM == c.VM && f.Service == "" }) {
			services, vms = named(recovery.Failure{VM: c.VM, Service: c.Service}, services, vms)
		}
	}
	for _, f := range r.Failures {
		services, vms = named(f, services, vms)
	}
	return services, vms
}

// notice is what the dashboard says (HLT-04): of a component VM that is down it names
// the services. "" while all is well.
func notice(plan []deployment.VM, services, vms []string) string {
	for _, v := range plan {
		for _, s := range v.Services {
			if slices.Contains(vms, v.Name) && !slices.Contains(services, string(s)) {
				services = append(services, string(s))
			}
		}
	}
	if len(services) == 0 {
		return ""
	}
	return health.Of(services, nil).Details
}

// unready is why nothing new is served while HDM recovers; nothing if it is.
func (a *Appliance) unready() []migration.Reason {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state.recovery.Phase == recovery.Healthy {
		return nil
	}
	return []migration.Reason{migration.Unready(a.health().Details)}
}

// Panel is what the appliance's control panel and the dashboard in vCenter show.
func (a *Appliance) Panel() health.Panel {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.panel()
}

// panel is Panel with the appliance's mu held.
func (a *Appliance) panel() health.Panel {
	services, vms := a.down()
	plan, err := deployment.Plan(a.state.deployment.Mode)
	p := health.Panel{State: health.Of(services, vms), Notice: notice(plan, services, vms), Reset: a.state.recovery.Offered}
	p.Components = make([]health.Component, 0, len(a.told.Components))
	p.Components = append(p.Components, a.ownPanel()...)
	for _, probe := range a.probes {
		c := health.Component{Name: probe.name, Level: health.Healthy}
		if probe.down {
			c.Level, c.Error = health.Poor, "it does not answer"
		}
		p.Components = append(p.Components, c)
	}
	if err != nil || a.state.deployment.Phase != deployment.Deployed {
		return p
	}
	d := damage{plan: plan, failures: a.unrepaired()}
	for _, v := range plan {
		if v.Kind == component.Appliance {
			continue
		}
		for _, s := range v.Services {
			p.Components = append(p.Components, a.componentPanel(d, v, s))
		}
	}
	for _, host := range a.state.hosts() {
		p.Components = append(p.Components, a.filterPanel(host))
	}
	return p
}

// ownPanel is the appliance's own services, which run in one process.
func (a *Appliance) ownPanel() (all []health.Component) {
	level, what := health.Healthy, ""
	switch {
	case a.failed != nil:
		level, what = health.Poor, a.failed.Error()
	case slices.ContainsFunc(a.probes, (*probe).unknown):
		level, what = health.Poor, "it is starting"
	}
	vm := component.Appliance.Name(0)
	for _, s := range deployment.ApplianceServices() {
		all = append(all, health.Component{Name: string(s), VM: vm, Level: level, Error: what})
	}
	return all
}

// unrepaired are the failures that are not repaired. The appliance's mu is held.
func (a *Appliance) unrepaired() []recovery.Failure {
	return slices.DeleteFunc(slices.Clone(a.state.recovery.Failures), func(f recovery.Failure) bool {
		return f.Repaired || f.Cause == recovery.LinkDown
	})
}

// componentPanel is one service of a component VM. Red: it has failed. Yellow: it
// runs, and is being taken up again, or the others of its kind at its site have
// failed.
func (a *Appliance) componentPanel(d damage, v deployment.VM, s component.Service) health.Component {
	c := health.Component{Name: string(s), VM: v.Name, Level: health.Healthy}
	r := a.state.recovery
	_, missed := a.pulse.Last(v.Name, s)
	i := slices.IndexFunc(r.Failures, func(f recovery.Failure) bool {
		return f.VM == v.Name && (f.Service == "" || f.Service == s)
	})
	switch {
	case i >= 0 && !r.Failures[i].Repaired:
		f := r.Failures[i]
		c.Level, c.Error = health.Poor, errorOf(f)
		if f.Cause == recovery.Restarted && !missed {
			c.Level = health.Degraded
		}
	case missed && r.Lost || missed && linkDown(r):
		c.Level, c.Error = health.Poor, "the link to the cloud is down"
	case missed:
		c.Level, c.Error = health.Poor, "it has sent no heartbeat for "+component.MissedAfter.String()
	case i >= 0:
		c.Level, c.Error = health.Degraded, "it was repaired, and HDM is recovering"
	case d.peerFailed(v, s):
		c.Level, c.Error = health.Degraded, "its redundancy is lost: another "+string(s)+" has failed"
	}
	return c
}

// peerFailed says whether the same service has failed in another VM.
func (d damage) peerFailed(v deployment.VM, s component.Service) bool {
	return slices.ContainsFunc(d.with(s), func(other string) bool { return other != v.Name && d.of(other, s) })
}

func linkDown(r recovery.Recovery) bool {
	return slices.ContainsFunc(r.Failures, func(f recovery.Failure) bool { return f.Cause == recovery.LinkDown && !f.Repaired })
}

// filterPanel is the iofilter daemon of a host.
func (a *Appliance) filterPanel(host string) health.Component {
	c := health.Component{Name: string(component.IOFilter), VM: host, Level: health.Healthy}
	for _, f := range a.state.recovery.Failures {
		if f.VM == host {
			c.Level, c.Error = health.Poor, errorOf(f)
		}
	}
	return c
}

// errorOf is what the panel says of a failure.
func errorOf(f recovery.Failure) string {
	text := map[recovery.Cause]string{
		recovery.Unknown: "it is silent, and is being probed", recovery.Crashed: "it has crashed", recovery.Hung: "it hangs",
		recovery.Restarted: "it has restarted", recovery.Rebooted: "its VM has rebooted", recovery.VMDown: "its VM is down",
		recovery.HostDown: "its ESXi host is down", recovery.HostRestarted: "its ESXi host has restarted",
		recovery.FilterRestarted: "it has restarted, or is silent",
	}[f.Cause]
	if f.Error != "" {
		text += ": " + f.Error
	}
	return text
}

// tellHealth tells the observer of HDM's health if it is another one by now. The
// appliance's mu is held.
func (a *Appliance) tellHealth() {
	if a.Observer == nil {
		return
	}
	if p := a.panel(); !p.Equal(a.told) {
		a.told = p
		a.Observer.HealthChanged(p)
	}
}

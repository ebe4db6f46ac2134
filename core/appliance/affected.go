package appliance

import (
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

// damage is which parts of a deployment have failed.
type damage struct {
	plan     []deployment.VM
	failures []recovery.Failure
	lost     bool // the link, for good
	host     bool // an ESXi host on premises, or its iofilter daemon
}

// damageOf is what of a recovery has failed and is not repaired, and what whom it
// affects is not known of yet.
func damageOf(d deployment.Deployment, r recovery.Recovery) damage {
	plan, err := deployment.Plan(d.Mode)
	if err != nil {
		plan = nil // nothing is deployed
	}
	all := damage{plan: plan}
	for _, f := range r.Failures {
		if f.Repaired && f.Judged {
			continue
		}
		switch {
		case f.Cause == recovery.LinkDown:
			all.lost = all.lost || r.Lost && f.Repaired
		case f.Service == component.IOFilter, f.Cause == recovery.HostRestarted, f.Cause == recovery.FilterRestarted:
			all.host = true
		default:
			all.failures = append(all.failures, f)
		}
	}
	return all
}

// of says whether one of these services of a component VM has failed, or the VM
// with all of them.
func (d damage) of(vm string, services ...component.Service) bool {
	return slices.ContainsFunc(d.failures, func(f recovery.Failure) bool {
		return f.VM == vm && (f.Service == "" || slices.Contains(services, f.Service))
	})
}

// with are the component VMs with a service, in the deployment's order.
func (d damage) with(s component.Service) (names []string) {
	for _, vm := range d.plan {
		if slices.Contains(vm.Services, s) {
			names = append(names, vm.Name)
		}
	}
	return names
}

// left says whether a service is left in one of the component VMs.
func (d damage) left(s component.Service) bool {
	vms := d.with(s)
	return len(vms) == 0 || slices.ContainsFunc(vms, func(vm string) bool { return !d.of(vm, s) })
}

// lanes says whether a pair of message gateways is left: the first of each site,
// the second of each, and so on.
func (d damage) lanes() bool {
	cloud, premises := d.with(component.CloudGateway), d.with(component.PremMessageGateway)
	n := min(len(cloud), len(premises))
	for i := range n {
		if !d.of(cloud[i], component.CloudGateway) && !d.of(premises[i], component.PremMessageGateway) {
			return true
		}
	}
	return n == 0
}

// breaks says whether the data path of a binding has no working part left.
func (d damage) breaks(path migration.Path) bool {
	cache, home := false, false
	if path.Cache == "" { // it is being made, and goes where there is room
		cache = !d.left(component.CloudCache) || !d.left(component.IOInterceptor)
		home = !d.left(component.PremIOManager) || !d.left(component.PremESXiManager)
	} else {
		cache = d.of(path.Cache, component.CloudCache, component.IOInterceptor)
		home = d.of(path.Home, component.PremIOManager, component.PremESXiManager)
	}
	return cache || home || !d.lanes() || !d.left(component.CloudIOManager)
}

// carries says whether bulk data can be carried.
func (d damage) carries() bool {
	for _, s := range []component.Service{component.PremSyncD, component.CloudSyncD} {
		if slices.ContainsFunc(d.with(s), func(vm string) bool { return d.of(vm, s) }) {
			return false
		}
	}
	return true
}

// affected are the migrations that fail once all is repaired, and whose VMs come
// back then if they are on the cloud cache (REC-04); and those that wait for the
// repair (COLD-06).
func (p *step) affected(r recovery.Recovery) (affected, held []migration.ID) {
	d := damageOf(p.deployment, r)
	for _, m := range p.everyone() {
		switch {
		case p.hit(d, m):
			affected = append(affected, m.ID)
		case m.State == migration.Running && needsBulk(m) && !d.carries():
			held = append(held, m.ID)
		}
	}
	return affected, held
}

// hit says whether what has failed ends a migration, or brings a VM back.
func (p *step) hit(d damage, m migration.Migration) bool {
	onCache := m.Bound && !m.ByImage()
	putBack := m.State == migration.Undoing && m.Order.Type != migration.Back // which its undo sees to
	if m.Order.Type == migration.Recover || m.State.Final() && (!onCache || m.Of != "") || putBack {
		return false
	}
	runs := m.State == migration.Running || m.State == migration.Waiting
	binding := m.State == migration.Running && m.Step == migration.StepBind
	switch {
	case d.host:
		return runs || onCache
	case d.lost:
		return onCache
	}
	return (onCache || binding) && d.breaks(m.Path)
}

// needsBulk says whether a migration is at its bulk transfer.
func needsBulk(m migration.Migration) bool { return m.Step == migration.StepTransfer }

// blocked says whether an effect needs a part of HDM that is known not to work: it
// waits then, and uses up no try.
func (s *State) blocked(e migration.Effect, m migration.Migration) bool {
	if s.recovery.Phase == recovery.Healthy || s.deployment.Phase != deployment.Deployed {
		return false
	}
	d := damageOf(s.deployment, s.recovery)
	switch e.Kind {
	case migration.Bind, migration.Reconcile, migration.LastReconcile, migration.FinalFlush, migration.BringHome,
		migration.Release, migration.Discard, migration.Salvage, migration.StartImage:
		return d.breaks(m.Path)
	case migration.Transfer, migration.TransferImage:
		return !d.carries()
	}
	return false
}

package appliance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
)

// resets does one step of a reset, or waits until somebody has (RST-02). The task
// in vCenter says for what.
func (a *Appliance) resets(ctx context.Context, e recovery.Effect) (recovery.Event, error) {
	done := recovery.StepDone{Key: e.Key, Epoch: a.Epoch()}
	show := a.newResetShow(e.Reset)
	switch e.Reset.Step {
	case recovery.ResetVMsOff:
		if e.Reset.CloudDead {
			return done, nil
		}
		return done, a.waitFor(ctx, show, func(ctx context.Context) ([]string, error) { return a.vmsNotOff(ctx, e.Reset) })
	case recovery.ResetFilters:
		return done, a.waitFor(ctx, show, func(ctx context.Context) ([]string, error) { return a.filtersNotRestarted(ctx, e.Reset) })
	case recovery.ResetAppliance:
		show.waits(ctx, "the HDM appliance to be restarted")
		return nil, nil // the next boot goes on
	case recovery.ResetCleanCloud:
		show.says(ctx, "Removing what is in the cloud")
		if e.Reset.CloudDead {
			return done, nil
		}
		return done, a.cleanCloud(ctx)
	case recovery.ResetCleanPrem:
		show.says(ctx, "Removing what is on premises")
		if err := a.cleanPremises(ctx, e.Reset); err != nil {
			return nil, err
		}
		show.ends(ctx)
		return done, nil
	}
	return done, nil
}

// waitFor waits until nothing is left of a list, and shows what is.
func (a *Appliance) waitFor(ctx context.Context, show *resetShow, left func(context.Context) ([]string, error)) error {
	for {
		waits, err := left(ctx)
		if err != nil {
			show.waits(ctx, err.Error())
			return err
		}
		if len(waits) == 0 {
			return nil
		}
		show.waits(ctx, strings.Join(waits, ", "))
		if err := a.Runtime.Sleep(ctx, upLook); err != nil {
			return err
		}
	}
}

// ended are the migrations that this reset has ended, or unbinds.
func (a *Appliance) ended(r recovery.Reset) (all []migration.Migration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.state.ended {
		reset := slices.ContainsFunc(m.Reasons, func(r migration.Reason) bool { return r.Code == CodeReset })
		if m.Order.Type != migration.Cold && m.Plan.Source != "" && (m.Bound || reset && !m.Ended.Before(r.Asked)) {
			all = append(all, m)
		}
	}
	return all
}

// served are those of them whose VM is on the cloud cache, or was to be.
func (a *Appliance) served(r recovery.Reset) []migration.Migration {
	return slices.DeleteFunc(a.ended(r), func(m migration.Migration) bool { return m.Of != "" })
}

// vmsNotOff are the VMs in the cloud that run and whose VM on premises has the
// storage policy, or is gone (RST-02).
func (a *Appliance) vmsNotOff(ctx context.Context, r recovery.Reset) ([]string, error) {
	running := map[string]string{}
	if err := a.session(ctx, vsphere.Cloud, func(s *vsphere.Session) error {
		vms, err := s.Inventory(ctx)
		for _, vm := range vms {
			if vm.Power != vsphere.Off {
				running[vm.Marks[vsphere.MarkMade]] = vm.Name
			}
		}
		return err
	}); err != nil {
		return nil, err
	}
	var waits []string
	err := a.session(ctx, vsphere.OnPremises, func(s *vsphere.Session) error {
		there, err := s.Inventory(ctx)
		if err != nil {
			return err
		}
		for _, m := range a.served(r) {
			name, runs := running[a.mark(m.ID)]
			if !runs {
				continue
			}
			has := true
			if _, is := withRef(there, m.Plan.Source); is {
				policies, err := s.Policies(ctx, m.Plan.Source)
				if err != nil {
					return err
				}
				has = slices.Contains(policies, Policy)
			}
			if has {
				waits = append(waits, fmt.Sprintf("%s to be powered off, or the storage policy to be removed from %s", name, m.Plan.Name))
			}
		}
		return nil
	})
	return waits, err
}

// withRef finds a VM in an inventory.
func withRef(vms []vsphere.VM, ref vsphere.Ref) (vsphere.VM, bool) {
	i := slices.IndexFunc(vms, func(v vsphere.VM) bool { return v.Ref == ref })
	if i < 0 {
		return vsphere.VM{}, false
	}
	return vms[i], true
}

// session does something in a session of its own.
func (a *Appliance) session(ctx context.Context, site vsphere.Site, do func(*vsphere.Session) error) error {
	_, err := a.at(ctx, site, func(s *vsphere.Session) (migration.Result, error) { return done(do(s)) })
	return err
}

// filtersNotRestarted are the hosts whose iofilter daemon runs as it did when the
// reset was asked for. A host that somebody has removed is not waited for.
func (a *Appliance) filtersNotRestarted(ctx context.Context, r recovery.Reset) ([]string, error) {
	var hosts []vsphere.Host
	if err := a.session(ctx, vsphere.OnPremises, func(s *vsphere.Session) (err error) {
		hosts, err = s.Hosts(ctx)
		return err
	}); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var waits []string
	for _, host := range a.state.hosts() {
		there := slices.ContainsFunc(hosts, func(h vsphere.Host) bool { return h.Name == host })
		if epoch, was := r.Filters[host]; was && there && a.state.heard[host].Services[0].Epoch == epoch {
			waits = append(waits, "the iofilter daemon of "+host+" to be restarted")
		}
	}
	return waits, nil
}

// mine says whether this appliance has made a VM; of its component VMs see removeOne.
func (a *Appliance) mine(vm vsphere.VM) bool {
	return strings.HasPrefix(vm.Marks[vsphere.MarkMade], a.mark("")) && vm.Marks[component.MarkComponent] == ""
}

// destroyMine removes what this appliance has made at a site for migrations. In the
// cloud that are the compute VMs: the premises have all that is left of them. On
// premises that are clones.
func (a *Appliance) destroyMine(ctx context.Context, s *vsphere.Session) error {
	vms, err := s.Inventory(ctx)
	if err != nil {
		return err
	}
	for _, vm := range vms {
		if !a.mine(vm) {
			continue
		}
		if err := s.Settle(ctx, vm.Ref); err != nil {
			return err
		}
		if err := s.CutPower(ctx, vm.Ref); err != nil {
			return err
		}
		if err := s.Destroy(ctx, vm.Ref); err != nil {
			return err
		}
	}
	return nil
}

// removeParts removes the component VMs of a site.
func (a *Appliance) removeParts(ctx context.Context, site vsphere.Site) error {
	d := a.Deployment()
	plan, err := deployment.Plan(d.Mode)
	if err != nil {
		return nil // nothing is deployed
	}
	for _, v := range slices.Backward(plan) {
		if v.Kind == component.Appliance || v.Site != site {
			continue
		}
		if err := a.removeOne(ctx, deployment.Effect{Mode: d.Mode, Number: d.Number}, v); err != nil {
			return err
		}
	}
	return nil
}

// cleanForgotten removes from the cloud what an earlier deployment left there: a user
// declared the cloud dead in a reset, and it is there again. What stands there
// has the names that the new component VMs are to have. Nothing is bound while HDM is
// deployed, so that every compute VM is a leftover, too.
func (a *Appliance) cleanForgotten(ctx context.Context, number int) error {
	return a.session(ctx, vsphere.Cloud, func(s *vsphere.Session) error {
		if err := a.destroyMine(ctx, s); err != nil {
			return err
		}
		vms, err := s.Inventory(ctx)
		if err != nil {
			return err
		}
		for _, vm := range vms {
			made := vm.Marks[vsphere.MarkMade]
			if made == a.componentMark(number, vm.Name) || vm.Marks[component.MarkComponent] == "" || !strings.HasPrefix(made, a.mark("")) {
				continue
			}
			v := deployment.VM{Name: vm.Name, Site: vsphere.Cloud, Kind: component.Kind(vm.Marks[component.MarkComponent])}
			if err := a.removeMade(ctx, s, v, made); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *Appliance) cleanCloud(ctx context.Context) error {
	if err := a.session(ctx, vsphere.Cloud, func(s *vsphere.Session) error { return a.destroyMine(ctx, s) }); err != nil {
		return err
	}
	return a.removeParts(ctx, vsphere.Cloud)
}

// cleanPremises removes what HDM has made, and leaves what was migrated off in the
// migrate pool, each with its snapshot (RST-03). A VM that somebody has removed is
// left alone.
func (a *Appliance) cleanPremises(ctx context.Context, r recovery.Reset) error {
	if err := a.session(ctx, vsphere.OnPremises, func(s *vsphere.Session) error {
		if err := a.destroyMine(ctx, s); err != nil {
			return err
		}
		vms, err := s.Inventory(ctx)
		if err != nil {
			return err
		}
		for _, m := range a.ended(r) {
			vm, there := withRef(vms, m.Plan.Source)
			switch {
			case !there:
			case slices.Contains(m.Started, migration.StepTrial): // its clone is gone by now
				err = s.RemoveSnapshot(ctx, vm.Ref, a.trialMark(m))
			case m.Of == "" && m.Snapshot != "" && vm.Power == vsphere.Off: // if it is on, somebody runs it: it is the VM
				err = intoMigratePool(ctx, s, vm.Ref)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return a.removeParts(ctx, vsphere.OnPremises)
}

func intoMigratePool(ctx context.Context, s *vsphere.Session, vm vsphere.Ref) error {
	pool, err := s.EnsurePool(ctx, vm, migration.MigratePool)
	if err != nil {
		return err
	}
	return s.MoveIntoPool(ctx, vm, pool)
}

// resetShow shows a reset in the on-premises vCenter: a task, and events in HDM's
// log. What could not be shown is shown at the next change.
type resetShow struct {
	appliance *Appliance
	mark      string
	percent   int32
	told      string
}

// newResetShow shows a step.
func (a *Appliance) newResetShow(r recovery.Reset) *resetShow {
	i := slices.Index(recovery.Steps, r.Step)
	return &resetShow{appliance: a, mark: a.markOfReset(a.Recovery()), percent: int32(100 * i / len(recovery.Steps))}
}

// task does something with the reset's task.
func (r *resetShow) task(ctx context.Context, do func(vsphere.TaskHandle) error) {
	a := r.appliance
	_ = a.session(ctx, vsphere.OnPremises, func(s *vsphere.Session) error { // what vCenter shows follows behind
		if err := s.RegisterExtension(ctx, ExtensionVersion); err != nil {
			return err
		}
		resources, err := s.Resources(ctx)
		if err != nil || len(resources.Clusters) == 0 {
			return err
		}
		task, err := s.EnsureTask(ctx, resources.Clusters[0].Ref, r.mark, vsphere.TaskReset, "HDM reset")
		if err != nil {
			return err
		}
		return do(task)
	})
}

// says shows what is being done.
func (r *resetShow) says(ctx context.Context, text string) {
	if text == r.told {
		return
	}
	r.told = text
	r.task(ctx, func(t vsphere.TaskHandle) error {
		if err := t.Running(ctx); err != nil {
			return err
		}
		if err := t.Describe(ctx, text); err != nil {
			return err
		}
		return t.Progress(ctx, r.percent)
	})
}

// waits shows what a person has to do, in HDM's log too.
func (r *resetShow) waits(ctx context.Context, what string) {
	text := migration.Cut("HDM reset waits for " + what)
	if text == r.told {
		return
	}
	_, _ = r.appliance.deliver(ResetWaits{text}, "reset waits") // an error is the journal's
	r.says(ctx, text)
}

func (r *resetShow) ends(ctx context.Context) {
	r.task(ctx, func(t vsphere.TaskHandle) error { return t.Succeed(ctx) })
}

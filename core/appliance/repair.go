package appliance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
)

// How a repair waits.
const (
	hostPatience = 10 * time.Minute // for a host to come back, at each try
	repairLook   = 2 * time.Second
	// reviveAfter is how long what is being repaired may stay silent before it is
	// looked at again: it may have failed once more.
	reviveAfter = 30 * time.Second
)

// repair does what the cause of a failure needs, and returns once all that had
// failed was heard since. It can be done again at any time.
func (a *Appliance) repair(ctx context.Context, f recovery.Failure) error {
	began := a.Runtime.Elapsed()
	switch f.Cause {
	case recovery.Crashed, recovery.Hung:
		if err := a.services().Start(ctx, f.VM, f.Service); err != nil {
			return err
		}
	case recovery.HostDown:
		if err := a.awaitHost(ctx, f.VM); err != nil {
			return err
		}
		if component.KindOf(f.VM) != "" {
			if err := a.powerUp(ctx, f.VM); err != nil {
				return err
			}
		}
	case recovery.VMDown:
		if err := a.powerUp(ctx, f.VM); err != nil {
			return err
		}
	}
	return a.awaitHeard(ctx, f, began)
}

// awaitHost waits until the vCenter reaches a host: the one of that name, or the one
// that a component VM is on.
func (a *Appliance) awaitHost(ctx context.Context, name string) error {
	site := component.SiteOf(name)
	for began := a.Runtime.Elapsed(); ; {
		seen := a.look(ctx, site)
		if seen.err != nil {
			return seen.err
		}
		on, isVM := a.componentVM(seen.vms, name)
		if slices.ContainsFunc(seen.hosts, func(h vsphere.Host) bool {
			return h.Connection == connected && (isVM && h.Ref == on.Host || !isVM && h.Name == name)
		}) {
			return nil
		}
		if a.Runtime.Elapsed()-began >= hostPatience {
			return &vsphere.Error{
				Site: site, Op: "repair", Object: name, Class: vsphere.Retryable,
				Hint: "bring the ESXi host back", Err: errors.New("its ESXi host is down"),
			}
		}
		if err := a.Runtime.Sleep(ctx, upLook); err != nil {
			return err
		}
	}
}

// powerUp powers a component VM on. One that is on and does not answer is reset.
func (a *Appliance) powerUp(ctx context.Context, name string) error {
	site := component.SiteOf(name)
	s, err := a.open(ctx, site)
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	found, err := s.FindMade(ctx, a.componentMark(a.Deployment().Number, name))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return &vsphere.Error{
			Site: site, Op: "repair", Object: name, Class: vsphere.Refused,
			Hint: "reset HDM and deploy it again", Err: errors.New("the vCenter does not have the component VM any more"),
		}
	}
	vm := found[0]
	if vm.Power == vsphere.On {
		if _, err := a.services().Ping(ctx, name); err == nil || vsphere.ClassOf(err) == vsphere.Unreachable {
			return err // it has come up since; or it cannot be asked now
		}
		if err := s.PowerOff(ctx, vm.Ref); err != nil {
			return err
		}
	}
	return s.PowerOn(ctx, vm.Ref)
}

// awaitHeard waits until every service that had failed was heard since then. What
// stays silent is revived once.
func (a *Appliance) awaitHeard(ctx context.Context, f recovery.Failure, since time.Duration) error {
	services := []component.Service{f.Service}
	if f.Service == "" {
		services = a.servicesOf(f.VM)
	}
	revived := false
	for began := a.Runtime.Elapsed(); ; {
		missing := a.missing(f.VM, services, since)
		if len(missing) == 0 {
			return nil
		}
		waited := a.Runtime.Elapsed() - began
		if !revived && waited >= reviveAfter && component.KindOf(f.VM) != "" {
			revived = true
			if err := a.revive(ctx, f, missing); err != nil {
				return err
			}
		}
		if waited >= upPatience {
			return &vsphere.Error{
				Site: component.SiteOf(f.VM), Op: "repair", Object: f.VM, Class: vsphere.Retryable,
				Hint: "look at the component VM's console", Err: fmt.Errorf("%s does not answer", missing[0]),
			}
		}
		if err := a.Runtime.Sleep(ctx, repairLook); err != nil {
			return err
		}
	}
}

// revive starts services of a component VM that answers. One that does not is
// powered on, if that is not what its repair has done: then it is coming up.
func (a *Appliance) revive(ctx context.Context, f recovery.Failure, missing []component.Service) error {
	alive, err := a.services().Ping(ctx, f.VM)
	switch {
	case err == nil:
	case vsphere.ClassOf(err) == vsphere.Cancelled:
		return err
	case f.Cause == recovery.VMDown, f.Cause == recovery.HostDown, vsphere.ClassOf(err) == vsphere.Unreachable:
		return nil
	default:
		return a.powerUp(ctx, f.VM)
	}
	for _, s := range missing {
		runs := slices.ContainsFunc(alive.Services, func(b component.Beat) bool { return b.Name == s })
		if began := f.Cause == recovery.Crashed || f.Cause == recovery.Hung; runs && began {
			continue // it was started, and is to be heard
		}
		if err := a.services().Start(ctx, f.VM, s); err != nil {
			return err
		}
	}
	return nil
}

// missing are those of a VM's services that were not heard since then.
func (a *Appliance) missing(vm string, services []component.Service, since time.Duration) (missing []component.Service) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range services {
		if last, missed := a.pulse.Last(vm, s); missed || last <= since {
			missing = append(missing, s)
		}
	}
	return missing
}

// servicesOf are those of a component VM of the deployment.
func (a *Appliance) servicesOf(vm string) []component.Service {
	plan, err := deployment.Plan(a.Deployment().Mode)
	if err != nil {
		return nil
	}
	for _, v := range plan {
		if v.Name == vm {
			return v.Services
		}
	}
	return nil
}

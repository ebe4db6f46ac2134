package appliance

import (
	"context"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
)

// recovers does an effect of the recovery and answers with an event.
func (a *Appliance) recovers(ctx context.Context, e recovery.Effect) {
	var ev recovery.Event
	err := a.Runtime.Sleep(ctx, e.Delay)
	if err == nil {
		ev, err = a.recoverBy(ctx, e)
	}
	a.mu.Lock()
	delete(a.running, e.Key)
	a.mu.Unlock()
	if a.ctx.Err() != nil || ctx.Err() != nil {
		return // it was told to stop, or is found out at the next boot
	}
	if err != nil {
		ev = recovery.Failed{Key: e.Key, Failure: failure(ctx, err)}
	}
	if ev != nil {
		_, _ = a.deliver(RecoveryHeard{ev}, e.Key) // an error is the journal's
	}
}

func (a *Appliance) recoverBy(ctx context.Context, e recovery.Effect) (recovery.Event, error) {
	switch e.Kind {
	case recovery.Probe:
		return a.findCauses(ctx, e)
	case recovery.AwaitLink:
		return a.awaitLink(ctx, e)
	case recovery.Repair:
		return recovery.Repaired{Key: e.Key}, a.repair(ctx, e.Failure)
	case recovery.ResetOne:
		return a.resets(ctx, e)
	}
	panic("appliance: no executor for effect " + string(e.Kind))
}

// connected is the connection of a host that its vCenter reaches.
const connected = "connected"

// sight is what a site's vCenter says of component VMs and hosts; err is why it
// says nothing.
type sight struct {
	vms   []vsphere.VM
	hosts []vsphere.Host
	err   error
}

// look asks the vCenter of a site.
func (a *Appliance) look(ctx context.Context, site vsphere.Site) (seen sight) {
	s, err := a.open(ctx, site)
	if err != nil {
		return sight{err: err}
	}
	defer s.Close(ctx)
	if seen.vms, seen.err = s.Inventory(ctx); seen.err != nil {
		return seen
	}
	if seen.hosts, seen.err = s.Hosts(ctx); seen.err == nil {
		a.reaches(site)
	}
	return seen
}

// findCauses finds out why parts are silent (HLT-02). What it cannot find out yet
// stays unknown.
func (a *Appliance) findCauses(ctx context.Context, e recovery.Effect) (recovery.Event, error) {
	var silent []string // component VMs and hosts, in the order in which they were noticed
	for _, f := range a.Recovery().Failures {
		if f.Cause == recovery.Unknown && !slices.Contains(silent, f.VM) {
			silent = append(silent, f.VM)
		}
	}
	ev := recovery.Probed{Key: e.Key}
	seen := map[vsphere.Site]sight{}
	var failed error
	for _, vm := range silent {
		site := component.SiteOf(vm)
		if _, asked := seen[site]; !asked {
			seen[site] = a.look(ctx, site)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var found []recovery.Failure
		var err error
		if component.KindOf(vm) == "" {
			found, err = a.causeOfHost(vm, seen[site])
		} else {
			found, err = a.causeOfVM(ctx, vm, seen[site])
		}
		switch {
		case err == nil:
			ev.Found = append(ev.Found, found...)
		case site == vsphere.Cloud && seen[site].err != nil && a.allQuiet():
			ev.Link = true
			return ev, nil
		default:
			failed = err
		}
	}
	if len(ev.Found) == 0 && failed != nil {
		return nil, failed
	}
	return ev, nil
}

// allQuiet says whether nothing was heard from the cloud for longer than between
// two heartbeats.
func (a *Appliance) allQuiet() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Runtime.Elapsed() > a.pulse.Quiet(inCloud)
}

func inCloud(vm string) bool { return component.SiteOf(vm) == vsphere.Cloud }

// causeOfHost tells a host that is gone from one that has booted, and from one whose
// iofilter daemon says nothing.
func (a *Appliance) causeOfHost(host string, s sight) ([]recovery.Failure, error) {
	if s.err != nil {
		return nil, s.err
	}
	f := recovery.Failure{VM: host, Service: component.IOFilter}
	a.mu.Lock()
	last, missed := a.pulse.Last(host, component.IOFilter)
	a.mu.Unlock()
	heard := a.Runtime.Now().Add(last - a.Runtime.Elapsed())
	i := slices.IndexFunc(s.hosts, func(h vsphere.Host) bool { return h.Name == host })
	switch {
	case !missed:
		f.Repaired, f.Cause = true, recovery.Hung
	case i < 0 || s.hosts[i].Connection != connected:
		f.Cause, f.Error = recovery.HostDown, "its vCenter cannot reach it"
	case s.hosts[i].Booted.After(heard):
		f.Cause = recovery.HostRestarted
	default:
		f.Cause = recovery.FilterRestarted
	}
	return []recovery.Failure{f}, nil
}

// causeOfVM tells what is wrong with a component VM, or with which of its services.
// An error if neither its vCenter nor itself says anything.
func (a *Appliance) causeOfVM(ctx context.Context, vm string, s sight) ([]recovery.Failure, error) {
	whole := func(c recovery.Cause, why string) ([]recovery.Failure, error) {
		return []recovery.Failure{{VM: vm, Cause: c, Error: why}}, nil
	}
	if s.err == nil {
		now, there := a.componentVM(s.vms, vm)
		host := slices.IndexFunc(s.hosts, func(h vsphere.Host) bool { return h.Ref == now.Host })
		switch {
		case !there:
			return whole(recovery.VMDown, "its vCenter does not know it")
		case host < 0 || s.hosts[host].Connection != connected:
			return whole(recovery.HostDown, "its vCenter cannot reach the host that it is on")
		case now.Power != vsphere.On:
			return whole(recovery.VMDown, "it is powered off")
		}
	}
	alive, err := a.services().Ping(ctx, vm)
	switch {
	case err != nil && (s.err != nil || vsphere.ClassOf(err) == vsphere.Unreachable):
		return nil, err
	case err != nil:
		return whole(recovery.VMDown, "it is on, and does not answer")
	}
	// The way was down, perhaps, and is not any more: what runs has time to be heard.
	for waited := time.Duration(0); ; waited += time.Second {
		found := a.causesWithin(vm, alive)
		hung := slices.ContainsFunc(found, func(f recovery.Failure) bool { return f.Cause == recovery.Hung && !f.Repaired })
		if !hung || waited >= hungAfter {
			return found, nil
		}
		if err := a.Runtime.Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// hungAfter is how long a service that runs and is silent is given to be heard,
// from when its component VM has answered.
const hungAfter = component.HeartbeatEvery + 5*time.Second

// causesWithin tells what is wrong with services of a component VM that answers.
func (a *Appliance) causesWithin(vm string, alive component.Alive) (found []recovery.Failure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.state.heard[vm]
	if known.Boot != 0 && alive.Boot != known.Boot {
		return []recovery.Failure{{VM: vm, Cause: recovery.Rebooted}}
	}
	for _, f := range a.state.recovery.Failures {
		if f.VM != vm || f.Cause != recovery.Unknown {
			continue
		}
		_, missed := a.pulse.Last(vm, f.Service)
		runs := slices.IndexFunc(alive.Services, func(b component.Beat) bool { return b.Name == f.Service })
		down := slices.IndexFunc(alive.Down, func(d component.Down) bool { return d.Name == f.Service })
		switch was := slices.IndexFunc(known.Services, func(b component.Beat) bool { return b.Name == f.Service }); {
		case runs < 0:
			f.Cause = recovery.Crashed
			if down >= 0 {
				f.Error = alive.Down[down].Why
			}
		case was >= 0 && known.Services[was].Epoch != alive.Services[runs].Epoch:
			f.Cause = recovery.Restarted
		case missed:
			f.Cause = recovery.Hung
		default:
			f.Cause, f.Repaired = recovery.Hung, true
		}
		found = append(found, f)
	}
	return found
}

// componentVM finds a component VM of the deployment in an inventory.
func (a *Appliance) componentVM(vms []vsphere.VM, name string) (vsphere.VM, bool) {
	for _, made := range a.Deployment().Made {
		i := slices.IndexFunc(vms, func(v vsphere.VM) bool { return v.Ref == made.Ref })
		if made.Name == name && i >= 0 {
			return vms[i], true
		}
	}
	return vsphere.VM{}, false
}

// How the link is waited for.
const (
	linkLook = 2 * time.Second                            // between two probes that were answered at once
	linkTalk = 2*component.HeartbeatEvery + 5*time.Second // from the first answer until everybody was heard
)

// awaitLink waits until something of the cloud answers, and says once when the
// outage has been proven to be permanent: from the first heartbeat that did
// not come, or the last answer to a probe, to the end of the last probe that found
// the way down. If the cloud is heard all the time it is only the way there that is
// down, from the end of the first probe that found it so, and what is heard ends no
// outage; nor does it end one that was known to be permanent before: an earlier boot
// knew of which way. Then it gives everybody time to be heard.
func (a *Appliance) awaitLink(ctx context.Context, e recovery.Effect) (recovery.Event, error) {
	quiet := a.allQuiet()
	a.mu.Lock()
	since, lost := max(a.pulse.Quiet(inCloud), a.reached), a.state.recovery.Lost
	hears := !lost // what is heard is an answer
	if !quiet && a.cut > 0 {
		since, hears = a.cut, false
	}
	a.mu.Unlock()
	for {
		asked := a.Runtime.Elapsed()
		err := a.Cloud.Ping(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		until := asked // an answer that was lost proves that the way was down when it was asked for
		if vsphere.ClassOf(err) == vsphere.Unreachable {
			until = a.Runtime.Elapsed()
		}
		if err == nil {
			a.reaches(vsphere.Cloud)
		}
		if err == nil || hears && a.heardSince(asked) {
			break
		}
		if !lost && until-since >= recoveryKnobs(a.Knobs).Outage {
			lost = true
			if _, err := a.deliver(RecoveryHeard{recovery.LinkLost{Key: e.Key}}, e.Key); err != nil {
				return nil, err
			}
		}
		if a.Runtime.Sleep(ctx, asked+linkLook-a.Runtime.Elapsed()) != nil {
			return nil, ctx.Err()
		}
	}
	ev := recovery.LinkBack{Key: e.Key}
	for waited := time.Duration(0); ; waited += time.Second {
		ev.Still = a.missedInCloud()
		if len(ev.Still) == 0 || waited >= linkTalk {
			return ev, nil
		}
		if err := a.Runtime.Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// reaches takes note that a site has answered just now.
func (a *Appliance) reaches(site vsphere.Site) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if site == vsphere.Cloud {
		a.reached, a.cut = a.Runtime.Elapsed(), 0
	}
}

// heardSince says whether something of the cloud was heard since then.
func (a *Appliance) heardSince(then time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pulse.Newest(inCloud) > then
}

// missedInCloud are the services of the cloud that are missed now.
func (a *Appliance) missedInCloud() []recovery.Failure {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(a.silent(), func(f recovery.Failure) bool { return !inCloud(f.VM) })
}

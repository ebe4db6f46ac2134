package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
)

// How a deployment is waited for.
const (
	upPatience = 10 * time.Minute // from power-on until every service is heard
	upLook     = 5 * time.Second
)

// deploys does an effect of the deployment and answers with an event.
func (a *Appliance) deploys(ctx context.Context, e deployment.Effect) {
	if a.Runtime.Sleep(ctx, e.Delay) != nil {
		return
	}
	var made []deployment.Made
	var err error
	if a.Components == nil && !e.Remove { // to remove takes none: what was made before may be there
		err = noComponents("deploy", e.Mode.String())
	} else {
		err = a.shown(ctx, e, func(show func(percent int32)) (err error) {
			if e.Remove {
				return a.remove(ctx, e, show)
			}
			made, err = a.make(ctx, e, show)
			return err
		})
	}
	if a.ctx.Err() != nil {
		return // what became of this is found out at the next boot
	}
	var ev deployment.Event = deployment.Done{Key: e.Key, Made: made}
	if err != nil {
		ev = deployment.Failed{Key: e.Key, Failure: failure(ctx, err)}
	}
	_, _ = a.deliver(DeploymentHeard{Event: ev}, e.Key) // an error is the journal's
}

// noComponents: this appliance was started without a way to component services.
func noComponents(op, object string) error {
	return &vsphere.Error{
		Site: vsphere.OnPremises, Op: op, Object: object, Class: vsphere.Refused,
		Hint: "start the appliance with them, or migrate cold", Err: errors.New("this appliance has no component services"),
	}
}

// shown does something while a task in vCenter shows how far it is, and events
// that it began, and how it ended.
func (a *Appliance) shown(ctx context.Context, e deployment.Effect, do func(show func(int32)) error) error {
	s, err := a.open(ctx, vsphere.OnPremises)
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	if err := s.RegisterExtension(ctx, ExtensionVersion); err != nil {
		return err
	}
	resources, err := s.Resources(ctx)
	if err != nil {
		return err
	}
	if len(resources.Clusters) == 0 {
		return &vsphere.Error{Site: vsphere.OnPremises, Op: "deploy", Object: e.Mode.String(), Class: vsphere.Refused, Err: errors.New("there is no cluster"), Hint: "add one"}
	}
	cluster, of := resources.Clusters[0].Ref, fmt.Sprintf("%s/%s/deployment-%d", a.ID, a.incarnation, e.Number)
	kind, what := vsphere.TaskDeploy, "HDM deploy as "+e.Mode.String()
	if e.Remove {
		kind, what = vsphere.TaskUndeploy, "HDM undeploy of "+e.Mode.String()
		if err := giveUp(ctx, s, cluster, of, e.Failed); err != nil {
			return err
		}
	}
	task, err := s.EnsureTask(ctx, cluster, of, kind, what)
	if err == nil {
		err = unlessOver(task.Running(ctx))
	}
	if err != nil {
		return err
	}
	// What vCenter shows follows behind: what could not be said is left unsaid. A try
	// that failed leaves the task to the next one.
	tell := func(kind, text string) { _ = s.PostEvent(ctx, cluster, kind, what+" ("+e.Key+") "+text) }
	tell(EventDeploymentStarted, "began")
	if err := do(func(percent int32) { _ = task.Progress(ctx, percent) }); err != nil {
		tell(EventDeploymentFailed, "failed: "+err.Error())
		return err
	}
	tell(EventDeploymentEnded, "ended")
	return unlessOver(task.Succeed(ctx))
}

// giveUp ends the task of a deployment that has failed for good.
func giveUp(ctx context.Context, s *vsphere.Session, cluster vsphere.Ref, of, why string) error {
	if why == "" {
		return nil
	}
	task, err := s.OpenTask(ctx, cluster, of, vsphere.TaskDeploy)
	if err != nil || task.Ref == "" {
		return err
	}
	return unlessOver(task.Fail(ctx, why))
}

// unlessOver forgives what a task says that has ended: an earlier try said its
// last word, and the answer was lost.
func unlessOver(err error) error {
	if vsphere.FaultName(err) == "InvalidState" {
		return nil
	}
	return err
}

// componentMark is the mark of a component VM. A deployment finds those of its
// own number only.
func (a *Appliance) componentMark(number int, name string) string {
	return fmt.Sprintf("%s/%s/deployment-%d/%s", a.ID, a.incarnation, number, name)
}

// make makes every component VM of a mode, and waits until all their services
// are heard.
func (a *Appliance) make(ctx context.Context, e deployment.Effect, show func(int32)) ([]deployment.Made, error) {
	plan, err := deployment.Plan(e.Mode)
	if err != nil {
		return nil, &vsphere.Error{Site: vsphere.OnPremises, Op: "deploy", Object: e.Mode.String(), Class: vsphere.Refused, Err: err}
	}
	plan = slices.DeleteFunc(plan, func(v deployment.VM) bool { return v.Kind == component.Appliance })
	if e.Number > 1 {
		if err := a.cleanForgotten(ctx, e.Number); err != nil {
			return nil, err
		}
	}
	var made []deployment.Made
	for _, site := range []vsphere.Site{vsphere.OnPremises, vsphere.Cloud} {
		s, err := a.open(ctx, site)
		if err != nil {
			return nil, err
		}
		err = func() error {
			defer s.Close(ctx)
			for i, v := range plan {
				if v.Site != site {
					continue
				}
				ref, err := a.makeOne(ctx, s, e, v, i)
				if err != nil {
					return err
				}
				made = append(made, deployment.Made{Name: v.Name, Site: site, Ref: ref})
				show(int32(90 * len(made) / len(plan)))
			}
			if site == vsphere.OnPremises {
				if err := a.installFilter(ctx, s); err != nil {
					return err
				}
			}
			return s.EnsurePolicy(ctx, Policy)
		}()
		if err != nil {
			return nil, err
		}
	}
	a.expect(plan)
	return made, a.awaitUp(ctx, e)
}

// installFilter installs HDM's I/O filter on every cluster on premises. It stays
// there when HDM is removed or reset (RST-03).
func (a *Appliance) installFilter(ctx context.Context, s *vsphere.Session) error {
	if a.FilterURL == "" {
		return nil
	}
	r, err := s.Resources(ctx)
	if err != nil {
		return err
	}
	for _, c := range r.Clusters {
		if err := s.InstallFilter(ctx, c.Ref, a.FilterURL); err != nil {
			return err
		}
	}
	return nil
}

// makeOne makes one component VM and powers it on. The datastore that a cloud
// cache serves is mounted on every host of its cluster.
func (a *Appliance) makeOne(ctx context.Context, s *vsphere.Session, e deployment.Effect, v deployment.VM, n int) (vsphere.Ref, error) {
	r, err := s.Resources(ctx)
	if err != nil {
		return "", err
	}
	spec, err := componentVM(r, e.Mode, v, n)
	if err != nil {
		return "", err
	}
	spec.Mark = a.componentMark(e.Number, v.Name)
	ref, err := s.EnsureVM(ctx, spec)
	if err != nil {
		return "", err
	}
	if err := s.PowerOn(ctx, ref); err != nil || v.Kind != component.CloudCacheVM {
		return ref, err
	}
	for _, h := range r.Hosts {
		if h.Connected {
			if err := s.MountServed(ctx, h.Ref, v.Name, v.Name); err != nil {
				return "", err
			}
		}
	}
	return ref, nil
}

// componentVM is where and as what a component VM is made: those of a kind on one
// host each, in turn, on the datastore with most room.
func componentVM(r vsphere.Resources, m deployment.Mode, v deployment.VM, n int) (vsphere.NewVM, error) {
	refuse := func(what, fix string) (vsphere.NewVM, error) {
		return vsphere.NewVM{}, &vsphere.Error{Site: v.Site, Op: "deploy", Object: v.Name, Class: vsphere.Refused, Err: errors.New(what), Hint: fix}
	}
	hosts := slices.DeleteFunc(slices.Clone(r.Hosts), func(h vsphere.Host) bool { return !h.Connected })
	slices.SortFunc(hosts, func(p, q vsphere.Host) int { return strings.Compare(p.Name, q.Name) })
	if len(hosts) == 0 {
		return refuse("no host is connected", "connect one")
	}
	host := hosts[n%len(hosts)]
	pool := slices.IndexFunc(r.Pools, func(p vsphere.Pool) bool { return p.Parent == p.Cluster && p.Cluster == host.Cluster })
	if pool < 0 || len(host.Networks) == 0 {
		return refuse(host.Name+" has no root pool or no network", "look at its cluster")
	}
	var need int64
	spec := vsphere.NewVM{
		Name: v.Name, Pool: r.Pools[pool].Ref, Host: host.Ref, GuestID: "other3xLinux64Guest", Firmware: "bios",
		CPUs: v.CPUs, MemoryMB: v.MemoryMB, NICs: []vsphere.NewNIC{{Network: host.Networks[0], Adapter: "vmxnet3"}},
		Extra: m.Marks(v),
	}
	stores := slices.DeleteFunc(slices.Clone(r.Datastores), func(d vsphere.Datastore) bool { return d.Served || !slices.Contains(d.Hosts, host.Ref) })
	slices.SortFunc(stores, func(p, q vsphere.Datastore) int {
		return cmp.Or(cmp.Compare(q.Free, p.Free), strings.Compare(p.Name, q.Name))
	})
	for _, d := range v.Disks {
		need += d.Capacity
	}
	if len(stores) == 0 || stores[0].Free < need {
		return refuse(fmt.Sprintf("no datastore of %s has %d GB free", host.Name, need>>30), "make room")
	}
	spec.Datastore = stores[0].Name
	for _, d := range v.Disks {
		spec.Disks = append(spec.Disks, vsphere.NewDisk{Controller: "pvscsi", Capacity: d.Capacity, Datastore: spec.Datastore})
	}
	return spec, nil
}

// awaitUp waits until every service of the deployment has been heard.
func (a *Appliance) awaitUp(ctx context.Context, e deployment.Effect) error {
	for waited := time.Duration(0); ; waited += upLook {
		a.mu.Lock()
		missing := a.pulse.Unheard()
		a.mu.Unlock()
		if len(missing) == 0 {
			return nil
		}
		if waited >= upPatience {
			return &vsphere.Error{
				Site: vsphere.OnPremises, Op: "deploy", Object: e.Mode.String(), Class: vsphere.Retryable,
				Hint: "look at the component VM's console", Err: fmt.Errorf("%s in %s does not answer", missing[0].Service, missing[0].VM),
			}
		}
		if err := a.Runtime.Sleep(ctx, upLook); err != nil {
			return err
		}
	}
}

// remove removes every component VM of a deployment, the cloud's first.
func (a *Appliance) remove(ctx context.Context, e deployment.Effect, show func(int32)) error {
	plan, err := deployment.Plan(e.Mode)
	if err != nil {
		return &vsphere.Error{Site: vsphere.OnPremises, Op: "undeploy", Object: e.Mode.String(), Class: vsphere.Refused, Err: err}
	}
	a.forgetPulses(plan)
	for i, v := range slices.Backward(plan) {
		if v.Kind == component.Appliance {
			continue
		}
		if err := a.removeOne(ctx, e, v); err != nil {
			return err
		}
		show(int32(100 * (len(plan) - i) / len(plan)))
	}
	return nil
}

func (a *Appliance) removeOne(ctx context.Context, e deployment.Effect, v deployment.VM) error {
	s, err := a.open(ctx, v.Site)
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	return a.removeMade(ctx, s, v, a.componentMark(e.Number, v.Name))
}

// removeMade removes the component VM with that mark, and what it serves.
func (a *Appliance) removeMade(ctx context.Context, s *vsphere.Session, v deployment.VM, mark string) error {
	if v.Kind == component.CloudCacheVM {
		r, err := s.Resources(ctx)
		if err != nil {
			return err
		}
		for _, h := range r.Hosts {
			if err := s.UnmountServed(ctx, h.Ref, v.Name); err != nil {
				return err
			}
		}
	}
	found, err := s.FindMade(ctx, mark)
	if err != nil {
		return err
	}
	for _, vm := range found {
		if err := s.PowerOff(ctx, vm.Ref); err != nil {
			return err
		}
		if err := s.Destroy(ctx, vm.Ref); err != nil {
			return err
		}
	}
	return nil
}

// cacheRule is that of the deployment, or of the knobs.
func (a *Appliance) cacheRule() cache.Rule {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.offered(a.Knobs).Cloud.Cache
}

// services reach those of the deployment.
func (a *Appliance) services() component.Port {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.state.deployment
	if a.port != nil && a.portTo == d.Number {
		return a.port
	}
	c := component.ClientConfig{Runtime: a.Runtime, Name: fmt.Sprintf("%s/%s/%d/%d", a.ID, a.incarnation, d.Number, a.state.Epoch)}
	plan, err := deployment.Plan(d.Mode)
	if err != nil {
		plan = nil // nothing is deployed: every call finds no service
	}
	for _, v := range plan {
		switch v.Kind {
		case component.CloudCacheVM:
			c.Caches = append(c.Caches, v.Name)
		case component.PremESXi:
			c.Homes = append(c.Homes, v.Name)
		}
	}
	a.port, a.portTo = a.Components(c), d.Number
	return a.port
}

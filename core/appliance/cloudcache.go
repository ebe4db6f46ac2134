package appliance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Policy is the storage policy that every disk of a VM on the cloud cache has
// (POL-01, POL-02).
const Policy = "HDM Analyzer Profile"

// imageMark is the mark of the VM in the cloud that a VM's data are transferred
// to: another one than the compute VM's.
func (a *Appliance) imageMark(m migration.Migration) string { return a.mark(m.Maker()) + "/image" }

// cloneMark is the mark of the linked clone on premises. An export carries it on,
// so that it is another one than the compute VM's.
func (a *Appliance) cloneMark(m migration.Migration) string { return a.mark(m.Maker()) + "/clone" }

// onCloudCache does the effects of VMs that run on a cloud cache.
func (a *Appliance) onCloudCache(ctx context.Context, e migration.Effect, m migration.Migration) (migration.Result, error) {
	here := func(do func(*vsphere.Session) error) (migration.Result, error) {
		return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) { return done(do(s)) })
	}
	there := func(do func(*vsphere.Session) error) (migration.Result, error) {
		return a.at(ctx, vsphere.Cloud, func(s *vsphere.Session) (migration.Result, error) { return done(do(s)) })
	}
	if a.Components == nil { // and a journal of one that had
		return migration.Result{}, noComponents(string(e.Kind), m.Plan.Name)
	}
	switch e.Kind {
	case migration.Prepare:
		return here(func(s *vsphere.Session) error { return prepareVM(ctx, s, m) })
	case migration.ApplyPolicy:
		return here(func(s *vsphere.Session) error { return s.ApplyPolicy(ctx, m.Plan.Source, Policy) })
	case migration.MakeClone:
		return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) {
			clone, err := s.LinkedClone(ctx, m.Plan.Source, a.mark(m.ID), migration.CloneName(m.Plan.Name), a.cloneMark(m))
			return migration.Result{Copy: clone}, err
		})
	case migration.Bind:
		return a.bind(ctx, m)
	case migration.CreateCompute:
		return a.createCompute(ctx, m)
	case migration.StopCompute:
		return there(func(s *vsphere.Session) error { return a.stopCompute(ctx, s, m) })
	case migration.AwaitBoot:
		return there(func(s *vsphere.Session) error { return a.awaitBoot(ctx, s, m) })
	case migration.Reconcile:
		if !slices.Contains(m.Started, migration.StepTransfer) {
			// A person brought the image. It is marked only now that the journal has
			// it: what is marked can be taken for what a transfer made, and removed.
			if _, err := there(func(s *vsphere.Session) error {
				return s.SetMark(ctx, m.Image, vsphere.MarkImport, a.imageMark(m))
			}); err != nil {
				return migration.Result{}, err
			}
		}
		return a.reconcile(ctx, m, false)
	case migration.LastReconcile:
		return a.reconcile(ctx, m, true)
	case migration.RenameImage:
		return there(func(s *vsphere.Session) error { return s.Rename(ctx, m.Image, m.Plan.Name) })
	case migration.FinalFlush:
		return done(a.finalFlush(ctx, m))
	case migration.BringHome:
		return done(a.bringHome(ctx, m))
	case migration.Release:
		return done(a.services().Release(ctx, a.mark(m.Maker())))
	case migration.Discard:
		return done(a.discard(ctx, m))
	}
	panic("appliance: no executor for effect " + string(e.Kind))
}

// checkBack holds what both sites have of a VM against what bringing it back
// needs.
func (a *Appliance) checkBack(m migration.Migration, s migration.Sites) migration.Result {
	find := func(vms []vsphere.VM, ref vsphere.Ref) vsphere.VM {
		if i := slices.IndexFunc(vms, func(v vsphere.VM) bool { return ref != "" && v.Ref == ref }); i >= 0 {
			return vms[i]
		}
		return vsphere.VM{}
	}
	source, compute, image := find(s.OnPremises, m.Plan.Source), find(s.Cloud, m.Copy), find(s.Cloud, m.Image)
	if against := migration.AssessBack(m, source, compute, image, s.PremisesPools); len(against) > 0 {
		return migration.Result{Refusals: against}
	}
	return migration.Result{Plan: &m.Plan}
}

// bind makes the cloud cache and the data path to the source's disks.
func (a *Appliance) bind(ctx context.Context, m migration.Migration) (migration.Result, error) {
	b := component.Binding{ID: a.mark(m.ID), Group: string(m.Group), Source: m.Plan.Source, Quota: m.Plan.Quota}
	for _, d := range m.Plan.Machine.Disks {
		b.Disks = append(b.Disks, component.BoundDisk{Key: d.Key, Capacity: d.Capacity})
	}
	bound, err := a.services().Bind(ctx, b)
	if err != nil {
		return migration.Result{}, err
	}
	return migration.Result{
		Served: &migration.Served{Datastore: bound.Datastore, Paths: bound.Paths},
		Path:   migration.Path{Cache: bound.VM, Home: bound.Home},
	}, nil
}

// createCompute makes the VM that runs on the cloud cache: like the source, on
// disks that the cloud cache serves.
func (a *Appliance) createCompute(ctx context.Context, m migration.Migration) (migration.Result, error) {
	like := m.Plan.Machine
	spec := vsphere.NewVM{
		Name: migration.ComputeName(m.Plan.Name), Mark: a.mark(m.ID), BIOSUUID: m.Plan.BIOSUUID,
		Pool: m.Plan.Pool, Host: m.Plan.Host, Datastore: m.Plan.Datastore,
		GuestID: like.GuestID, Firmware: like.Firmware, CPUs: like.CPUs, MemoryMB: like.MemoryMB,
	}
	for i, d := range like.Disks {
		spec.Disks = append(spec.Disks, vsphere.NewDisk{Controller: d.Controller, Path: m.Served.Paths[i], Datastore: m.Served.Datastore})
	}
	for _, n := range m.Plan.NICs {
		spec.NICs = append(spec.NICs, vsphere.NewNIC{Network: n.Network, Adapter: n.Adapter, MAC: n.MAC})
	}
	return a.at(ctx, vsphere.Cloud, func(s *vsphere.Session) (migration.Result, error) {
		compute, err := s.EnsureVM(ctx, spec)
		return migration.Result{Copy: compute}, err
	})
}

// stopCompute shuts the compute VM down, if there is one.
func (a *Appliance) stopCompute(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	compute, err := s.FindMade(ctx, a.mark(m.Maker()))
	if err != nil {
		return err
	}
	for _, vm := range compute {
		if err := s.Settle(ctx, vm.Ref); err != nil { // a power-on that nobody waits for any more may still come
			return err
		}
		if err := s.ShutdownGuest(ctx, vm.Ref, a.Patience); err != nil {
			return err
		}
	}
	return nil
}

// awaitBoot waits until the guest's tools run, and reboots it a few times if
// they do not (BOOT-01). The time counts from the first power-on, however often
// the appliance has restarted since.
func (a *Appliance) awaitBoot(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	vm := m.Copy
	if m.Step == migration.StepReboots {
		vm = m.Image
	}
	each := max(a.Knobs.BootWait/time.Duration(a.Knobs.Boots+1), 1)
	began, wait := a.Runtime.Elapsed(), m.BootLeft(a.Knobs.BootWait, a.Runtime.Elapsed())
	left := func() time.Duration { return wait - (a.Runtime.Elapsed() - began) }
	for {
		patience := left() % each
		if patience <= 0 {
			patience = each
		}
		up, err := s.AwaitTools(ctx, vm, min(patience, max(left(), 0)))
		if err != nil || up {
			return err
		}
		if left() <= 0 {
			return &vsphere.Error{
				Site: vsphere.Cloud, Op: "boot", Object: string(vm), Class: vsphere.Refused,
				Hint: "look at the VM's console: its guest does not come up in the cloud", Err: errors.New("VMware Tools did not come up within " + a.Knobs.BootWait.String()),
			}
		}
		if err := s.RebootGuest(ctx, vm, a.Patience); err != nil {
			return err
		}
	}
}

// reconcilePasses bounds the passes over what the compute VM goes on writing.
const reconcilePasses = 8

// reconcile copies what was written since the snapshot into the image. While the
// compute VM runs there is always something left: each pass has less to do, and
// what the last one leaves is for when the VM is off.
func (a *Appliance) reconcile(ctx context.Context, m migration.Migration, last bool) (migration.Result, error) {
	before := -1
	for range reconcilePasses {
		left, err := a.services().Reconcile(ctx, a.mark(m.ID), m.Image, nil)
		switch {
		case err != nil || left == 0:
			return migration.Result{}, err
		case last:
			return migration.Result{}, &vsphere.Error{
				Site: vsphere.Cloud, Op: "reconcile", Object: string(m.Image), Class: vsphere.Retryable,
				Hint: "see that the compute VM is off", Err: errors.New("it was written to meanwhile"),
			}
		case before >= 0 && left >= before/2:
			return migration.Result{}, nil
		}
		before = left
	}
	return migration.Result{}, nil
}

// startImage makes the image the VM. Somebody may have powered the compute VM on
// since it was stopped: while it runs the image must not (MIG-13), and what it
// wrote until it was off again is copied first (WARM-05).
func (a *Appliance) startImage(ctx context.Context, m migration.Migration) (migration.Result, error) {
	runs := false // from an attempt that was cut short: it is not written to any more
	_, err := a.at(ctx, vsphere.Cloud, func(s *vsphere.Session) (migration.Result, error) {
		if err := s.Settle(ctx, m.Image); err != nil {
			return migration.Result{}, err
		}
		image, err := s.VM(ctx, m.Image)
		runs = image.Power != vsphere.Off
		if err != nil || runs {
			return migration.Result{}, err
		}
		return done(a.computeOff(ctx, s, m))
	})
	if err == nil && !runs {
		_, err = a.reconcile(ctx, m, true)
	}
	if err != nil {
		return migration.Result{}, err
	}
	return a.powerOn(ctx, m, m.Image)
}

// cloneOff says whether no linked clone of the VM runs: it would be the same guest
// twice (MIG-13).
func (a *Appliance) cloneOff(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	if m.Order.Type != migration.Warm {
		return nil
	}
	clones, err := s.FindMade(ctx, a.cloneMark(m))
	if err != nil {
		return err
	}
	for _, vm := range clones {
		if vm.Power != vsphere.Off {
			return &vsphere.Error{
				Site: vsphere.OnPremises, Op: "power on", Object: m.Plan.Name, Class: vsphere.Refused,
				Hint: "power off and remove " + vm.Name + ", then power on the VM", Err: errors.New("its linked clone " + vm.Name + " runs"),
			}
		}
	}
	return nil
}

// computeOff says whether the compute VM is off, as HDM left it.
func (a *Appliance) computeOff(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	compute, err := s.FindMade(ctx, a.mark(m.Maker()))
	if err != nil {
		return err
	}
	for _, vm := range compute {
		if err := s.Settle(ctx, vm.Ref); err != nil { // somebody's power-on may still come
			return err
		}
		now, err := s.VM(ctx, vm.Ref)
		if err != nil {
			return err
		}
		if now.Power != vsphere.Off {
			return &vsphere.Error{
				Site: vsphere.Cloud, Op: "rely on", Object: vm.Name, Class: vsphere.Refused,
				Hint: "leave the compute VM off once the migration is committed, and order the migration again",
				Err:  errors.New("it was powered on after HDM had stopped it"),
			}
		}
	}
	return nil
}

// brought is the VM in the cloud that holds the data which a person brought: it
// has the image's name, is off, and has disks of the sizes of the source's. ""
// if there is none.
func (a *Appliance) brought(ctx context.Context, m migration.Migration) (vsphere.Ref, error) {
	s, err := a.open(ctx, vsphere.Cloud)
	if err != nil {
		return "", err
	}
	defer s.Close(ctx)
	vms, err := s.Inventory(ctx)
	if err != nil {
		return "", err
	}
	for _, vm := range vms {
		if vm.Name != migration.ImageName(m.Plan.Name) || vm.Power != vsphere.Off || !m.Plan.Machine.Fits(vm) {
			continue
		}
		return vm.Ref, nil
	}
	return "", nil
}

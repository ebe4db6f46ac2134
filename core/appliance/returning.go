package appliance

import (
	"context"
	"errors"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// bringsBack does the effects of VMs that come back after a failure of HDM
// (REC-04, REC-05). Each finds by marks what an earlier attempt, or an earlier
// boot, has done.
func (a *Appliance) bringsBack(ctx context.Context, e migration.Effect, m migration.Migration) (migration.Result, error) {
	switch e.Kind {
	case migration.PowerOffCompute:
		return a.at(ctx, vsphere.Cloud, func(s *vsphere.Session) (migration.Result, error) { return done(a.powerOffCompute(ctx, s, m)) })
	case migration.Salvage:
		return done(a.salvage(ctx, m))
	case migration.Judge:
		return a.atSource(ctx, m, func(s *vsphere.Session) (migration.Result, error) { return a.judge(ctx, s, m) })
	case migration.EndTrial:
		return a.atSource(ctx, m, func(s *vsphere.Session) (migration.Result, error) { return done(a.endTrial(ctx, s, m)) })
	case migration.MoveToRecovery:
		return a.atSource(ctx, m, func(s *vsphere.Session) (migration.Result, error) { return done(moveToRecovery(ctx, s, m)) })
	}
	panic("appliance: no executor for effect " + string(e.Kind))
}

// moveToRecovery moves a VM that is back into its pool. One that somebody has powered
// on meanwhile is theirs, and stays where it is.
func moveToRecovery(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	vm, err := s.VM(ctx, m.Plan.Source)
	if err != nil {
		return err
	}
	if vm.Power != vsphere.Off {
		return &vsphere.Error{
			Site: vsphere.OnPremises, Op: "bring back", Object: m.Plan.Name, Class: vsphere.Refused,
			Hint: "check what it has in its disks: it is as of its last flush", Err: errors.New("somebody has powered it on while it was brought back"),
		}
	}
	pool, err := s.EnsurePool(ctx, m.Plan.Source, m.RecoveryPool())
	if err != nil {
		return err
	}
	return s.MoveIntoPool(ctx, m.Plan.Source, pool)
}

// atSource does something on premises once the source's host is there.
func (a *Appliance) atSource(ctx context.Context, m migration.Migration, do func(*vsphere.Session) (migration.Result, error)) (migration.Result, error) {
	return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) {
		vm, err := s.VM(ctx, m.Plan.Source)
		if err == nil {
			err = hostThere(s, vm)
		}
		if err != nil {
			return migration.Result{}, err
		}
		return do(s)
	})
}

// hostThere says whether the vCenter has a connection to a VM's host. Without one
// nothing can be done to the VM, and waiting for it uses up no try.
func hostThere(s *vsphere.Session, vm vsphere.VM) error {
	if vm.Connection != "disconnected" {
		return nil
	}
	return &vsphere.Error{
		Site: s.Site(), Op: "bring back", Object: vm.Name, Class: vsphere.Unreachable,
		Hint: "reconnect its host, or reset HDM", Err: errors.New("its host has no connection to the vCenter"),
	}
}

// salvagePatience is how long a guest may take to write down what it has in
// memory, if that is to be saved.
const salvagePatience = time.Minute

// powerOffCompute makes sure that nothing of the VM runs in the cloud, nor will. A
// guest whose data path has failed can write nothing more, so that it is not asked
// first. If the image runs, somebody has made it the VM: what would come back is
// older, and both would be there (A-46, MIG-13).
func (a *Appliance) powerOffCompute(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	images, err := s.FindMarked(ctx, a.imageMark(m))
	if err != nil {
		return err
	}
	for _, vm := range images {
		if err := s.Settle(ctx, vm.Ref); err != nil { // somebody's power-on may still come
			return err
		}
		if vm, err = s.VM(ctx, vm.Ref); err != nil {
			return err
		}
		if vm.Power != vsphere.Off {
			return &vsphere.Error{
				Site: vsphere.Cloud, Op: "bring back", Object: m.Plan.Name, Class: vsphere.Refused,
				Hint: "power it off there if nothing that it wrote is needed", Err: errors.New(vm.Name + " runs in the cloud from the transferred image"),
			}
		}
	}
	compute, err := s.FindMade(ctx, a.mark(m.Maker()))
	if err != nil {
		return err
	}
	for _, vm := range compute {
		if err := hostThere(s, vm); err != nil { // whether it runs nobody can tell
			return err
		}
		if err := s.Settle(ctx, vm.Ref); err != nil { // a power-on that nobody waits for any more may still come
			return err
		}
		if a.Knobs.Salvage && vm.Power == vsphere.On {
			if err := s.ShutdownGuest(ctx, vm.Ref, min(a.Patience, salvagePatience)); err != nil {
				return err
			}
		}
		if err := s.CutPower(ctx, vm.Ref); err != nil {
			return err
		}
	}
	return nil
}

// salvage brings home what the cloud cache still holds, if HDM is told to.
// A cache that cannot be reached now is not waited for: the last flush is there.
func (a *Appliance) salvage(ctx context.Context, m migration.Migration) error {
	if !a.Knobs.Salvage || a.Components == nil {
		return nil
	}
	flushed, _, err := a.flushed(ctx, m)
	if len(flushed) > 0 {
		// An error is the journal's, and then nothing more is done.
		_, _ = a.deliver(FlushHeard{flushed}, "salvage "+string(m.ID))
	}
	var typed *vsphere.Error
	if errors.As(err, &typed) && typed.Class == vsphere.Unreachable {
		e := *typed
		e.Class = vsphere.Retryable
		return &e
	}
	return err
}

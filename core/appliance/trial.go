package appliance

import (
	"context"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// trialWait is how long the guest of a trial boot may take to come up.
const trialWait = 10 * time.Minute

// TrialSnapshot is the name of the snapshot that a trial boot stands on.
const TrialSnapshot = "_hdm-trial"

// trialMark is the mark of what a trial boot makes on premises: its snapshot and
// its clone.
func (a *Appliance) trialMark(m migration.Migration) string { return a.mark(m.ID) + "/trial" }

// judge says whether a VM that came back is likely to boot. That its disks
// hold a flush as a whole, all at one instant, is what the released data path
// leaves there. That nobody has started it since its snapshot was taken is looked
// up. The rest, its boot disk's header first of all, a throwaway linked clone
// tells, which is on no network: it boots from what the disks hold, and what it
// writes is thrown away with it. The clone and its snapshot are left to endTrial.
func (a *Appliance) judge(ctx context.Context, s *vsphere.Session, m migration.Migration) (migration.Result, error) {
	if err := offSince(ctx, m, s); vsphere.ClassOf(err) == vsphere.Refused {
		return migration.Result{Doubt: err.Error()}, nil
	} else if err != nil {
		return migration.Result{}, err
	}
	mark := a.trialMark(m)
	if _, err := s.EnsureTrialSnapshot(ctx, m.Plan.Source, mark, TrialSnapshot); err != nil {
		return migration.Result{}, err
	}
	clone, err := s.TrialClone(ctx, m.Plan.Source, mark, migration.TrialName(m.Plan.Name), mark)
	if err != nil {
		return migration.Result{}, err
	}
	if err := s.PowerOn(ctx, clone); err != nil {
		return migration.Result{}, err
	}
	up, err := s.AwaitTools(ctx, clone, trialWait)
	switch {
	case err != nil:
		return migration.Result{}, err
	case !up:
		return migration.Result{Doubt: "its guest did not come up within " + trialWait.String() + " when it was tried"}, nil
	}
	return migration.Result{Boots: true}, nil
}

// endTrial removes what judge has made, whatever became of it. Only now the VM is
// as it was.
func (a *Appliance) endTrial(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	// A clone or snapshot that nobody waits for any more may still come: both are
	// tasks of the source's.
	if err := s.Settle(ctx, m.Plan.Source); err != nil {
		return err
	}
	clones, err := s.FindMade(ctx, a.trialMark(m))
	if err != nil {
		return err
	}
	for _, vm := range clones {
		if err := s.CutPower(ctx, vm.Ref); err != nil {
			return err
		}
		if err := s.Destroy(ctx, vm.Ref); err != nil {
			return err
		}
	}
	return s.RemoveSnapshot(ctx, m.Plan.Source, a.trialMark(m))
}

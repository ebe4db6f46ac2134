package runbook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
)

// bootPatience is how long a guest may take to come up.
const bootPatience = 10 * time.Minute

// markRestored holds the name of the snapshot that a VM was restored from, until it
// is where it belongs: once the snapshot is deleted, nothing else tells of it.
const markRestored = "hdm.restored"

// Error is at which step a VM could not be recovered, and how to go on.
type Error struct {
	VM   VM
	Step Step
	At   int    // the step's number, from 1
	Left []Step // what is still to be done: that step and those after it
	Err  error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "recovering %s, step %d of %d (%s): %v; run it again, or go on by hand in vCenter:", e.VM.Name, e.At, e.At+len(e.Left)-1, e.Step.Title, e.Err)
	for i, s := range e.Left {
		fmt.Fprintf(&b, " %d. %s", e.At+i, s.Hand)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Run does the steps. What an earlier run has done it finds done. It returns an
// *Error: nothing after the step in it was begun.
func Run(ctx context.Context, s *vsphere.Session, vm VM, f Finding) error {
	steps := Steps(f)
	if len(steps) == 0 {
		return refuse(s, vm.Name, fmt.Sprintf("there is no finding %q", f), "say good or bad")
	}
	for i, step := range steps {
		err := do(ctx, s, vm, step.Name)
		if err == nil && i == len(steps)-1 {
			err = s.SetMark(ctx, vm.Ref, markRestored, "")
		}
		if err != nil {
			return &Error{VM: vm, Step: step, At: i + 1, Left: steps[i:], Err: err}
		}
	}
	return nil
}

func do(ctx context.Context, s *vsphere.Session, vm VM, step Name) error {
	switch step {
	case PowerOn:
		return s.PowerOn(ctx, vm.Ref)
	case Check:
		up, err := s.AwaitTools(ctx, vm.Ref, bootPatience)
		if err == nil && !up {
			return refuse(s, vm.Name, "its guest did not come up within "+bootPatience.String(), "restore the migrate time snapshot: do the steps for bad data")
		}
		return err
	case Restore:
		return restores(ctx, s, vm)
	case Delete:
		return s.RemoveSnapshotNamed(ctx, vm.Ref, vm.Snapshot)
	case Move:
		return s.MoveIntoPool(ctx, vm.Ref, vm.Pool)
	}
	panic("runbook: no step " + string(step))
}

// restores takes a VM back to its migrate-time snapshot, unless an earlier run has.
func restores(ctx context.Context, s *vsphere.Session, vm VM) error {
	now, err := s.VM(ctx, vm.Ref)
	if err != nil {
		return err
	}
	if now.Marks[markRestored] != "" {
		return nil
	}
	if migrateTime(now.Snapshots) == "" && now.Pool == vm.Pool && now.Power == vsphere.On {
		return nil // as it is when everything is done
	}
	if err := s.RevertToSnapshotNamed(ctx, vm.Ref, vm.Snapshot); err != nil {
		return err
	}
	return s.SetMark(ctx, vm.Ref, markRestored, vm.Snapshot)
}

func refuse(s *vsphere.Session, vm, what, fix string) error {
	return &vsphere.Error{Site: s.Site(), Op: "recover", Object: vm, Class: vsphere.Refused, Hint: fix, Err: errors.New(what)}
}

package vsphere

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// How a task or a lease is asked for its state: soon at first, for most are
// quick, then ever more seldom, for the rest are slow.
const (
	pollFirst = 200 * time.Millisecond
	pollMost  = 5 * time.Second
	// waitMost bounds every such wait. Consolidating a snapshot of a large VM can
	// take most of a day.
	waitMost = 24 * time.Hour
)

// poll calls ask until it says that it is done or fails. It counts time by the
// sleeps that it made itself, so that a clock step does nothing.
func (s *Session) poll(ctx context.Context, most time.Duration, ask func() (done bool, err error)) (finished bool, err error) {
	interval := pollFirst
	for waited := time.Duration(0); ; {
		if done, err := ask(); done || err != nil {
			return done, err
		}
		if waited >= most {
			return false, nil
		}
		interval = min(interval, most-waited)
		if err := s.runtime.Sleep(ctx, interval); err != nil {
			return false, err
		}
		waited += interval
		interval = min(interval*3/2, pollMost)
	}
}

// await waits for a task that a verb has started. Whatever keeps it from
// seeing the end leaves the outcome unknown.
func (s *Session) await(ctx context.Context, op, object string, task types.ManagedObjectReference) error {
	_, err := s.awaitInfo(ctx, op, object, task)
	return err
}

// awaitInfo is await, with what the task says at its end.
func (s *Session) awaitInfo(ctx context.Context, op, object string, task types.ManagedObjectReference) (types.TaskInfo, error) {
	var t mo.Task
	finished, err := s.poll(ctx, waitMost, func() (bool, error) {
		t = mo.Task{}
		err := s.one(ctx, task, &t, "info")
		return ended(t.Info), err
	})
	switch {
	case err != nil:
		return t.Info, s.lostSight(op, object, err)
	case !finished:
		return t.Info, s.lostSight(op, object, errors.New("its task has not ended in "+waitMost.String()))
	case t.Info.State == types.TaskInfoStateError:
		return t.Info, s.fail(op, object, taskError(t.Info), changes)
	}
	return t.Info, nil
}

// lostSight is the error of a change that is under way and cannot be followed.
func (s *Session) lostSight(op, object string, err error) error {
	class, _, hint := classify(err)
	if class == Refused || class == Fatal {
		class = Retryable // the question was refused, not the change
	}
	return &Error{Site: s.site, Op: op, Object: object, Class: class, Unknown: true, Hint: hint, Err: err}
}

func ended(info types.TaskInfo) bool {
	return info.State == types.TaskInfoStateSuccess || info.State == types.TaskInfoStateError
}

func taskError(info types.TaskInfo) error {
	if info.Error == nil || info.Error.Fault == nil {
		return errors.New("the task failed and gave no reason")
	}
	return faultError{info.Error}
}

// settlePatience is how long Settle waits for tasks of others.
const settlePatience = 30 * time.Minute

// Settle brings a VM to rest: transfers that HDM's user left open on it are
// cancelled, every other task that still runs is waited for, at most half an
// hour. Tasks of extensions (HDM's own are for people to watch) hold nothing
// and are left alone. A VM that is gone is at rest.
func (s *Session) Settle(ctx context.Context, vm Ref) error {
	asked := map[string]bool{}
	quiet, err := s.poll(ctx, settlePatience, func() (bool, error) {
		running, err := s.running(ctx, vm)
		for _, info := range running {
			if s.abandoned(info) && !asked[info.Key] {
				asked[info.Key] = true
				_, err := methods.CancelTask(ctx, s.vim, &types.CancelTask{This: info.Task})
				if err != nil && faultOf(err) == nil {
					return false, err
				} // a fault: it ended meanwhile, or cannot be cancelled any more
			}
		}
		return len(running) == 0, err
	})
	switch {
	case isFault[types.ManagedObjectNotFound](err):
		return nil
	case err != nil:
		return s.fail("settle", string(vm), err, reads)
	case !quiet:
		return s.retry("settle", string(vm), "a task on it has not ended in "+settlePatience.String(),
			"look at the VM's recent tasks in the vCenter and end what hangs")
	}
	return nil
}

// running lists the tasks on a VM that have not ended and could change it.
func (s *Session) running(ctx context.Context, vm Ref) ([]types.TaskInfo, error) {
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "recentTask"); err != nil {
		return nil, err
	}
	infos, err := s.taskInfos(ctx, v.RecentTask)
	return slices.DeleteFunc(infos, func(i types.TaskInfo) bool {
		return ended(i) || strings.HasPrefix(i.DescriptionId, extensionKey+".")
	}), err
}

// taskInfos reads all tasks in one call, or one by one if some are gone.
func (s *Session) taskInfos(ctx context.Context, refs []types.ManagedObjectReference) ([]types.TaskInfo, error) {
	var tasks []mo.Task
	err := s.several(ctx, refs, &tasks, "info")
	if isFault[types.ManagedObjectNotFound](err) {
		tasks, err = nil, nil
		for _, ref := range refs {
			var t mo.Task
			if err := s.one(ctx, ref, &t, "info"); isFault[types.ManagedObjectNotFound](err) {
				continue // vCenter forgets ended tasks
			} else if err != nil {
				return nil, err
			}
			tasks = append(tasks, t)
		}
	}
	infos := make([]types.TaskInfo, 0, len(tasks))
	for _, t := range tasks {
		infos = append(infos, t.Info)
	}
	return infos, err
}

// abandoned recognises what an attempt of ours that ended in the middle leaves
// behind: the task of an export or import lease, which would hold the VM until
// the lease expires. Whoever calls Settle has no transfer of that VM under way.
func (s *Session) abandoned(info types.TaskInfo) bool {
	by, ok := info.Reason.(*types.TaskReasonUser)
	id := strings.ToLower(info.DescriptionId)
	return ok && by.UserName == s.user && info.Cancelable &&
		(strings.Contains(id, "export") || strings.Contains(id, "import"))
}

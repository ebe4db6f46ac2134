package runbook_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/runbook"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// world is a site with db-01 in a recovery pool, as HDM leaves it: off, with a
// migrate-time snapshot, and with what it wrote since.
type world struct {
	*site.World
	t       *testing.T
	machine *machine.Machine
}

func newWorld(t *testing.T) *world {
	t.Helper()
	k := kernel.New(1)
	used := site.Size(1 << 20)
	built, err := site.Build(k, site.Description{
		OnPremises: site.Site{Pools: []string{"gold"}, VMs: []site.VM{{Name: "db-01", Pool: "gold", Power: site.Off, Disks: []site.Disk{{Capacity: 4 << 20, Used: &used}}}}},
		Cloud:      site.Site{Networks: []string{"Cloud Net"}},
	}, site.Options{})
	require.NoError(t, err)
	t.Cleanup(func() {
		k.Close()
		require.NoError(t, built.Close())
	})
	w := &world{World: built, t: t, machine: built.Appliance()}
	w.in(func(ctx context.Context, s *vsphere.Session) {
		vm := vsphere.Ref(w.vm().Ref.String())
		_, err := s.EnsureSnapshot(ctx, vm, "hdm/m-1", "_hdm")
		require.NoError(t, err)
		pool, err := s.EnsurePool(ctx, vm, migration.RecoveryFailedPool)
		require.NoError(t, err)
		require.NoError(t, s.MoveIntoPool(ctx, vm, pool))
	})
	_, err = w.disk().WriteAt([]byte("cloud"), 512*disk.BlockSize)
	require.NoError(t, err)
	return w
}

func (w *world) disk() *disk.Disk { return w.vm().Disks[0].Disk }

func (w *world) vm() vcenter.VM {
	found, ok := w.OnPremises.VCenter.VM("db-01")
	require.True(w.t, ok)
	return found
}

// in runs fn in a session of a person's script.
func (w *world) in(fn func(ctx context.Context, s *vsphere.Session)) {
	w.t.Helper()
	ended := false
	w.machine.Go(context.Background(), "script", func(ctx context.Context) {
		s, err := vsphere.NewClient(w.machine, w.OnPremises.Path.Endpoint("script")).Open(ctx)
		require.NoError(w.t, err)
		defer s.Close(ctx)
		fn(ctx, s)
		ended = true
	})
	for step := time.Duration(0); !ended; step += time.Minute {
		require.Less(w.t, step, 4*time.Hour)
		require.NoError(w.t, kernel.NewDriver(w.Kernel, 0, kernel.Limits{Events: 1e6, Wall: time.Minute}).Run(w.Kernel.Now()+time.Minute, nil))
	}
}

// recover runs the runbook once.
func (w *world) recover(f runbook.Finding) (failed error) {
	w.t.Helper()
	w.in(func(ctx context.Context, s *vsphere.Session) {
		vm, err := runbook.Locate(ctx, s, "db-01", "gold")
		require.NoError(w.t, err)
		failed = runbook.Run(ctx, s, vm, f)
	})
	return failed
}

func (w *world) content() string {
	p := make([]byte, 5)
	_, err := w.disk().ReadAt(p, 512*disk.BlockSize)
	require.NoError(w.t, err)
	return string(p)
}

// recovered: it runs in its own pool, without the snapshot.
func (w *world) recovered(f runbook.Finding) {
	w.t.Helper()
	vm := w.vm()
	assert.Equal(w.t, []any{vsphere.On, "gold"}, []any{vm.Power, vm.Pool})
	assert.Empty(w.t, vm.Snapshots)
	assert.Empty(w.t, vm.Marks["hdm.restored"])
	assert.Equal(w.t, f == runbook.Good, w.content() == "cloud", "what was written in the cloud is kept if it is good, and lost otherwise")
}

func TestAVMIsRecoveredByHandWhateverItsDataIs(t *testing.T) { // REC-06
	for _, f := range []runbook.Finding{runbook.Good, runbook.Bad} {
		w := newWorld(t)
		require.NoError(t, w.recover(f))
		w.recovered(f)
		require.NoError(t, w.recover(f), "what is done is found done")
		w.recovered(f)
	}
}

func TestARunbookThatBreaksOffSaysWhereAndGoesOn(t *testing.T) {
	methods := map[runbook.Name]string{
		runbook.PowerOn: "PowerOnVM_Task", runbook.Restore: "RevertToSnapshot_Task", runbook.Delete: "RemoveSnapshot_Task", runbook.Move: "MoveIntoResourcePool",
	}
	for _, f := range []runbook.Finding{runbook.Good, runbook.Bad} {
		for i, step := range runbook.Steps(f) {
			if step.Name == runbook.Check {
				continue
			}
			for name, act := range map[string]transport.Act{"refused": transport.Fail(&types.SystemError{}), "unanswered": transport.LoseAnswer()} {
				t.Run(fmt.Sprintf("%s/%s/%s", f, step.Name, name), func(t *testing.T) {
					w := newWorld(t)
					struck := false
					w.OnPremises.Path.Intercept = func(c transport.Call) transport.Act {
						if c.Method != methods[step.Name] || struck {
							return transport.Pass()
						}
						struck = true
						return act
					}
					err := w.recover(f)
					var failed *runbook.Error
					require.ErrorAs(t, err, &failed)
					assert.Equal(t, []any{step, i + 1}, []any{failed.Step, failed.At})
					assert.Len(t, failed.Left, len(runbook.Steps(f))-i)
					assert.ErrorContains(t, err, step.Title)
					assert.ErrorContains(t, err, step.Hand)
					require.NoError(t, w.recover(f))
					w.recovered(f)
				})
			}
		}
	}
}

func TestASecondRunDoesNotRestoreOverWhatTheFirstHasStarted(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.recover(runbook.Bad))
	_, err := w.disk().WriteAt([]byte("since"), 512*disk.BlockSize)
	require.NoError(t, err)
	require.NoError(t, w.recover(runbook.Bad))
	assert.Equal(t, "since", w.content())
}

func TestDataThatCannotBeRestoredIsNotTouched(t *testing.T) {
	w := newWorld(t)
	w.in(func(ctx context.Context, s *vsphere.Session) {
		require.NoError(t, s.RemoveSnapshotNamed(ctx, vsphere.Ref(w.vm().Ref.String()), "_hdm1"))
	})
	err := w.recover(runbook.Bad)
	assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
	assert.ErrorContains(t, err, "step 1 of 4")
	assert.Equal(t, "cloud", w.content())
	assert.Equal(t, vsphere.Off, w.vm().Power)
}

func TestAGuestThatDoesNotComeUpKeepsItsSnapshot(t *testing.T) {
	w := newWorld(t)
	_, err := w.disk().WriteAt(make([]byte, disk.BlockSize), 0)
	require.NoError(t, err)
	err = w.recover(runbook.Good)
	assert.ErrorContains(t, err, "do the steps for bad data")
	require.Len(t, w.vm().Snapshots, 1)
	require.NoError(t, w.recover(runbook.Bad))
	w.recovered(runbook.Bad)
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	w := newWorld(t)
	w.in(func(ctx context.Context, s *vsphere.Session) {
		for vm, pool := range map[string]string{"db-99": "gold", "db-01": "silver"} {
			_, err := runbook.Locate(ctx, s, vm, pool)
			assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err), vm)
		}
		err := runbook.Run(ctx, s, runbook.VM{Name: "db-01"}, "unknown")
		assert.ErrorContains(t, err, "say good or bad")
	})
}

func TestTheRunbookIsAlsoForPeople(t *testing.T) { // REC-06
	vm := runbook.VM{Name: "db-01", Snapshot: "_hdm3", PoolName: "gold"}
	text := runbook.Text(vm, runbook.Bad)
	assert.Regexp(t, `^To recover db-01, whose data is bad \(snapshot _hdm3, resource pool gold\):
1\. Restore the data from the migrate time snapshot\. .*
2\. Delete the HDM migrate time snapshot\. .*
3\. Move the VM .*
4\. Power on the VM\. .*
$`, text)
	assert.Contains(t, runbook.Text(vm, runbook.Good), "1. Power on the VM.")
}

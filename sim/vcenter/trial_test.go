package vcenter_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
)

// A trial boot is of a throwaway linked clone of a snapshot of its own, over the
// one that was there. What it writes reaches nobody.
func TestATrialBootLeavesNoTrace(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "then")
		first := e.done(vm.CreateSnapshot(ctx, "hdm", "", false, false)).(types.ManagedObjectReference)
		e.write(0, 0, "now!")
		before, err := e.truth("db-01").Disks[0].Disk.Snapshot()
		require.NoError(e, err)
		want, err := e.truth("db-01").Disks[0].Disk.View(before)
		require.NoError(e, err)
		require.NoError(e, e.truth("db-01").Disks[0].Disk.RemoveSnapshot(before))

		second := e.done(vm.CreateSnapshot(ctx, "trial", "", false, false)).(types.ManagedObjectReference)
		made := e.done(vm.Clone(ctx, e.folder(), "trial of db-01", linked(second))).(types.ManagedObjectReference)
		clone := object.NewVirtualMachine(e.c, made)
		e.done(clone.PowerOn(ctx))
		assert.Equal(e, "now!", e.read("trial of db-01", 0, 0, 4))
		d := e.truth("trial of db-01").Disks[0].Disk
		_, err = d.WriteAt([]byte("boot"), 0)
		require.NoError(e, err)
		require.NoError(e, d.Flush())
		e.done(clone.Reset(ctx))
		assert.Equal(e, "boot", e.read("trial of db-01", 0, 0, 4))

		e.done(vm.RemoveSnapshot(ctx, second.Value, false, nil))
		assert.Equal(e, "boot", e.read("trial of db-01", 0, 0, 4), "it needs the layer still")
		e.done(clone.PowerOff(ctx))
		e.done(clone.Destroy(ctx))

		same, block := disk.Same(e.truth("db-01").Disks[0].Disk, want)
		assert.True(e, same, "block %d differs", block)
		require.Len(e, e.truth("db-01").Snapshots, 1)
		assert.True(e, e.truth("db-01").Snapshots[0].Current)
		assert.Len(e, e.truth("db-01").Disks[0].Disk.Snapshots(), 1, "it is consolidated")
		e.done(vm.RevertToSnapshot(ctx, first.Value, true))
		assert.Equal(e, "then", e.read("db-01", 0, 0, 4))
		assert.Equal(e, vsphere.Off, e.truth("db-01").Power)
	})
}

func TestRevertingToTheOlderSnapshotLeavesTheTrialsClone(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "then")
		first := e.done(vm.CreateSnapshot(ctx, "hdm", "", false, false)).(types.ManagedObjectReference)
		e.write(0, 0, "now!")
		second := e.done(vm.CreateSnapshot(ctx, "trial", "", false, false)).(types.ManagedObjectReference)
		e.done(vm.Clone(ctx, e.folder(), "trial of db-01", linked(second)))
		e.done(vm.RevertToSnapshot(ctx, first.Value, true))
		assert.Equal(e, "then", e.read("db-01", 0, 0, 4))
		assert.Equal(e, "now!", e.read("trial of db-01", 0, 0, 4))
		e.done(vm.RemoveSnapshot(ctx, second.Value, false, nil))
		assert.Equal(e, "now!", e.read("trial of db-01", 0, 0, 4))
		assert.Equal(e, "then", e.read("db-01", 0, 0, 4))
		e.done(vm.RevertToSnapshot(ctx, first.Value, true))
		assert.Equal(e, "then", e.read("db-01", 0, 0, 4))
	})
}

func TestRotOfAnImageIsInTheCloneThatIsMadeOfItAfterwards(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "boot")
		require.NoError(e, e.vc.Corrupt("db-01", 0, 0, false))
		s := e.done(vm.CreateSnapshot(ctx, "trial", "", false, false)).(types.ManagedObjectReference)
		e.done(vm.Clone(ctx, e.folder(), "trial of db-01", linked(s)))
		assert.NotEqual(e, "boot", e.read("trial of db-01", 0, 0, 4))
	})
}

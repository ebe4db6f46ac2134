package vsphere_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// cloned takes the snapshot of a VM that is off and clones it.
func cloned(ctx context.Context, t *testing.T, w *world, s *vsphere.Session, vm string) vsphere.Ref {
	t.Helper()
	require.NoError(t, s.PowerOff(ctx, w.vm(vm)))
	_, err := s.EnsureSnapshot(ctx, w.vm(vm), "hdm/m-1", "_hdm")
	require.NoError(t, err)
	ref, err := s.LinkedClone(ctx, w.vm(vm), "hdm/m-1", vm+" clone", "hdm/m-1/clone")
	require.NoError(t, err)
	return ref
}

func onPremises(t *testing.T, w *world, name string) vcenter.VM {
	t.Helper()
	vm, ok := w.OnPremises.VCenter.VM(name)
	require.True(t, ok, "no VM %s", name)
	return vm
}

func TestALinkedCloneIsTheVMAsItWasAtTheSnapshot(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				require.NoError(t, s.SetMark(ctx, w.vm("db-01"), vsphere.MarkImport, "hdm/m-0"))
				require.NoError(t, s.SetMark(ctx, w.vm("db-01"), vsphere.MarkMade, "hdm/m-00"))
				began := w.Kernel.Now()
				ref := cloned(ctx, t, w, s, "db-01")
				assert.Less(t, w.Kernel.Now()-began, time.Minute, "nothing is copied")
				source, err := s.VM(ctx, w.vm("db-01"))
				require.NoError(t, err)
				clone, err := s.VM(ctx, ref)
				require.NoError(t, err)
				assert.Equal(t, "db-01 clone", clone.Name)
				assert.Equal(t, vsphere.Off, clone.Power)
				assert.Equal(t, map[string]string{vsphere.MarkMade: "hdm/m-1/clone"}, clone.Marks, "not those of the source")
				assert.NotEqual(t, source.BIOSUUID, clone.BIOSUUID)
				assert.Equal(t, source.Pool, clone.Pool)
				assert.Equal(t, source.Host, clone.Host)
				assert.Equal(t, source.Folder, clone.Folder)
				assert.Equal(t, source.GuestID, clone.GuestID)
				require.Len(t, clone.NICs, 1)
				assert.NotEqual(t, source.NICs[0].MAC, clone.NICs[0].MAC)
				assert.Equal(t, source.NICs[0].Type, clone.NICs[0].Type)
				require.Len(t, clone.Disks, 2)
				for i, d := range clone.Disks {
					assert.InDelta(t, source.Disks[i].Used, d.Used, 8192, "it weighs what the snapshot does")
					assert.Equal(t, source.Disks[i].Controller, d.Controller)
				}
				again, err := s.LinkedClone(ctx, w.vm("db-01"), "hdm/m-1", "db-01 clone", "hdm/m-1/clone")
				require.NoError(t, err)
				assert.Equal(t, ref, again)
			})
			source, clone := onPremises(t, w, "db-01"), onPremises(t, w, "db-01 clone")
			for i := range source.Disks {
				assert.Equal(t, source.Disks[i].Disk.ID(), clone.Disks[i].Disk.ID(), "the guest is known by its disk")
				same, block := source.Disks[i].Disk.Equal(clone.Disks[i].Disk)
				assert.True(t, same, "block %d", block)
			}
		})
	}
}

func write(t *testing.T, d *disk.Disk, text string) {
	t.Helper()
	_, err := d.WriteAt([]byte(text), 512*disk.BlockSize)
	require.NoError(t, err)
}

func read(t *testing.T, d *disk.Disk) string {
	t.Helper()
	p := make([]byte, 5)
	_, err := d.ReadAt(p, 512*disk.BlockSize)
	require.NoError(t, err)
	return string(p)
}

func TestALinkedCloneAndItsSourceDoNotSeeEachOthersWrites(t *testing.T) {
	w := newWorld(t, site.Direct)
	source := onPremises(t, w, "off-01").Disks[0].Disk
	write(t, source, "first")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		ref := cloned(ctx, t, w, s, "off-01")
		clone := onPremises(t, w, "off-01 clone").Disks[0].Disk
		write(t, source, "later")
		assert.Equal(t, "first", read(t, clone))
		write(t, clone, "clone")
		assert.Equal(t, "later", read(t, source))

		require.NoError(t, s.RemoveSnapshot(ctx, w.vm("off-01"), "hdm/m-1"), "its files stay for the clone")
		assert.Equal(t, "clone", read(t, clone))
		assert.Equal(t, "later", read(t, source))
		zero := make([]byte, 512)
		_, err := clone.ReadAt(zero, 0)
		require.NoError(t, err)
		assert.NotEqual(t, make([]byte, 512), zero, "what nobody wrote since is still the snapshot's")

		require.NoError(t, s.Destroy(ctx, ref))
		assert.Equal(t, "later", read(t, source))
	})
}

func TestALinkedCloneOutlivesItsSource(t *testing.T) {
	w := newWorld(t, site.Direct)
	write(t, onPremises(t, w, "off-01").Disks[0].Disk, "first")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		cloned(ctx, t, w, s, "off-01")
		require.NoError(t, s.Destroy(ctx, w.vm("off-01")))
	})
	assert.Equal(t, "first", read(t, onPremises(t, w, "off-01 clone").Disks[0].Disk))
}

func TestACloneNeedsItsSnapshotAndANameOfItsOwn(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		_, err := s.LinkedClone(ctx, w.vm("off-01"), "hdm/m-1", "clone", "k")
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		assert.ErrorContains(t, err, `no snapshot with the mark "hdm/m-1"`)
		_, err = s.LinkedClone(ctx, w.vm("off-01"), "hdm/m-1", "clone", "")
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		_, err = s.EnsureSnapshot(ctx, w.vm("off-01"), "hdm/m-1", "_hdm")
		require.NoError(t, err)
		_, err = s.LinkedClone(ctx, w.vm("off-01"), "hdm/m-1", "db-01", "k")
		assert.Equal(t, "DuplicateName", vsphere.FaultName(err))
	})
	assert.Len(t, w.OnPremises.VCenter.VMs(), 4)
}

func TestAVMIsRenamedOnce(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("db-01")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		require.NoError(t, s.Rename(ctx, vm, "db-01 ARM"))
		require.NoError(t, s.Rename(ctx, vm, "db-01 ARM"))
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "Rename_Task"))
		err := s.Rename(ctx, vm, "off-01")
		assert.Equal(t, "DuplicateName", vsphere.FaultName(err))
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		assert.ErrorContains(t, err, "choose another name")
	})
	assert.Equal(t, vsphere.On, onPremises(t, w, "db-01 ARM").Power, "it ran on")
}

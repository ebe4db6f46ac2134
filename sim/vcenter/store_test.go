package vcenter_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/vcenter"
)

func TestNothingIsMadeOnAFullDatastore(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.done(vm.CreateSnapshot(ctx, "hdm", "", false, false))
		s := e.truth("db-01").Disks[0].Disk
		require.NoError(e, e.vc.FillDatastore("ds", true))
		free, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		assert.Zero(e, free)
		task, err := vm.CreateSnapshot(ctx, "another", "", false, false)
		failed[types.NoDiskSpace](e, task, err)
		task, err = e.folder().CreateVM(ctx, bare("new"), e.pool(), nil)
		failed[types.NoDiskSpace](e, task, err)
		task, err = vm.Clone(ctx, e.folder(), "clone", linked(*e.current(vm)))
		failed[types.NoDiskSpace](e, task, err)
		e.done(vm.PowerOn(ctx))

		e.told()
		for range 2 { // over a snapshot its file would grow
			_, err = s.WriteAt([]byte("x"), 0)
			require.ErrorIs(e, err, disk.ErrNoSpace)
		}
		_, err = s.ReadAt(make([]byte, 1), 0)
		require.NoError(e, err)
		e.clock.advance(0)
		assert.Equal(e, []string{"disk.error ds disk " + s.ID() + " op write error ENOSPC"}, e.told("disk."), "the first tells")

		require.NoError(e, e.vc.FillDatastore("ds", false))
		_, err = s.WriteAt([]byte("x"), 0)
		require.NoError(e, err)
		e.done(vm.CreateSnapshot(ctx, "another", "", false, false))
		require.ErrorAs(e, e.vc.FillDatastore("none", true), new(*vcenter.NotFoundError))
	})
}

func TestADatastoreThatCannotBeReadFailsExports(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "content")
		snapshot := e.done(vm.CreateSnapshot(ctx, "hdm", "", false, false)).(types.ManagedObjectReference)
		carried := func() (n int) {
			e.told()
			r, err := methods.ExportSnapshot(ctx, e.c, &types.ExportSnapshot{This: snapshot})
			require.NoError(e, err)
			l, err := vm.Export(ctx)
			require.NoError(e, err)
			for _, ref := range []types.ManagedObjectReference{r.Returnval, l.Reference()} {
				e.do("GET", e.leaseInfo(ref).Info.DeviceUrl[0].Url, nil)
			}
			n = len(e.told("lease.disk"))
			require.NoError(e, l.Abort(ctx, nil))
			return n
		}
		assert.Equal(e, 2, carried())
		require.NoError(e, e.vc.FailDatastore("ds", "read", true))
		assert.Zero(e, carried())
		require.NoError(e, e.vc.FailDatastore("ds", "read", false))
		assert.Equal(e, 2, carried())
		require.ErrorAs(e, e.vc.FailDatastore("ds", "think", true), new(*vcenter.OpError))
	})
}

func TestAnImportToADatastoreThatFillsUpBreaks(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "content")
		_, info, descriptor := e.export(vm)
		image := e.do("GET", info.Info.DeviceUrl[0].Url, nil).Body.Bytes()
		spec := e.importSpec(descriptor, "copy").ImportSpec
		target, err := e.pool().ImportVApp(ctx, spec, nil, nil)
		require.NoError(e, err)
		url := e.leaseInfo(target.Reference()).Info.DeviceUrl[0].Url
		require.NoError(e, e.vc.FillDatastore("ds", true))
		assert.Equal(e, 500, e.do("PUT", url, bytes.NewReader(image)).Code)
		second, err := e.pool().ImportVApp(ctx, e.importSpec(descriptor, "another").ImportSpec, nil, nil)
		require.NoError(e, err)
		assert.Equal(e, types.HttpNfcLeaseStateError, e.leaseInfo(second.Reference()).State)
		require.NoError(e, e.vc.FillDatastore("ds", false))
		assert.Equal(e, 201, e.do("PUT", url, bytes.NewReader(image)).Code)
	})
}

func TestADatastoreThatCannotBeWrittenFailsWhatIsMadeOnIt(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		require.NoError(e, e.vc.FailDatastore("ds", "write", true))
		task, err := e.folder().CreateVM(ctx, bare("new"), e.pool(), nil)
		failed[types.CannotAccessFile](e, task, err)
		task, err = vm.CreateSnapshot(ctx, "s", "", false, false)
		failed[types.CannotAccessFile](e, task, err)
		s := e.truth("db-01").Disks[0].Disk
		_, err = s.WriteAt([]byte("x"), 0)
		require.ErrorIs(e, err, disk.ErrIO)
		_, err = s.ReadAt(make([]byte, 1), 0)
		require.NoError(e, err)
		added := e.add(db("db-02")) // it was there: nobody asked the vCenter to make it
		_, err = e.truth("db-02").Disks[0].Disk.WriteAt([]byte("x"), 0)
		require.ErrorIs(e, err, disk.ErrIO)
		require.NoError(e, e.vc.FailDatastore("ds", "write", false))
		_, err = e.truth("db-02").Disks[0].Disk.WriteAt([]byte("x"), 0)
		require.NoError(e, err)
		e.done(added.CreateSnapshot(ctx, "s", "", false, false))
	})
}

func TestStorageRotsAndNobodyIsTold(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	e.serve()
	vm := e.add(db("db-01"))
	whole := bytes.Repeat([]byte("a"), disk.BlockSize)
	d := e.truth("db-01").Disks[0].Disk
	_, err := d.WriteAt(whole, 3*disk.BlockSize)
	require.NoError(t, err)
	e.done(vm.CreateSnapshot(ctx, "hdm", "", false, false))
	e.told()
	read := func() []byte {
		p := make([]byte, disk.BlockSize)
		_, err := d.ReadAt(p, 3*disk.BlockSize)
		require.NoError(t, err)
		return p
	}
	require.NoError(t, e.vc.Corrupt("db-01", 0, 3, false))
	assert.NotEqual(t, whole, read())
	e.done(vm.RevertToSnapshot(ctx, "hdm", true))
	assert.Equal(t, whole, read(), "the snapshot is whole")
	require.NoError(t, e.vc.Corrupt("db-01", 0, 3, true))
	e.done(vm.RevertToSnapshot(ctx, "hdm", true))
	assert.NotEqual(t, whole, read())
	assert.Empty(t, e.told("disk."))
	require.ErrorAs(t, e.vc.Corrupt("db-01", 2, 0, false), new(*vcenter.NotFoundError))
	require.ErrorAs(t, e.vc.Corrupt("none", 0, 0, false), new(*vcenter.NotFoundError))
	require.ErrorIs(t, e.vc.Corrupt("db-01", 0, 1<<40, false), disk.ErrRange)
}

package vcenter_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/disk"
)

// nas is the export that the tests mount.
var nas = types.HostNasVolumeSpec{RemoteHost: "cache", RemotePath: "/hdm", LocalPath: "served", AccessMode: "readWrite"}

func (e *env) host(name string) *object.HostSystem {
	e.Helper()
	r, err := object.NewSearchIndex(e.c).FindByInventoryPath(ctx, "/DC/host/C0/"+name)
	require.NoError(e, err)
	return r.(*object.HostSystem)
}

func (e *env) stores(host string) *object.HostDatastoreSystem {
	e.Helper()
	s, err := e.host(host).ConfigManager().DatastoreSystem(ctx)
	require.NoError(e, err)
	return s
}

// compute makes a VM on esx-1 whose disk the datastore serves.
func (e *env) compute() *object.VirtualMachine {
	e.Helper()
	scsi := &types.ParaVirtualSCSIController{}
	scsi.Key = -1
	d := &types.VirtualDisk{}
	d.ControllerKey = -1
	d.Backing = &types.VirtualDiskFlatVer2BackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: "[served] db-01/0.vmdk"}}
	made := e.done(e.folder().CreateVM(ctx, types.VirtualMachineConfigSpec{
		Name: "compute", GuestId: "otherGuest64", NumCPUs: 1, MemoryMB: 64, Files: &types.VirtualMachineFileInfo{VmPathName: "[ds]"},
		DeviceChange: []types.BaseVirtualDeviceConfigSpec{
			&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: scsi},
			&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: d},
		},
	}, e.pool(), e.host("esx-1"))).(types.ManagedObjectReference)
	return object.NewVirtualMachine(e.c, made)
}

func TestAServedDatastoreShowsOnEverySide(t *testing.T) {
	over(t, func(e *env) {
		d, err := e.stores("esx-1").CreateNasDatastore(ctx, nas)
		require.NoError(e, err)
		_, err = e.stores("esx-1").CreateNasDatastore(ctx, nas)
		refused[types.AlreadyExists](e, err)
		same, err := e.stores("esx-2").CreateNasDatastore(ctx, nas)
		require.NoError(e, err)
		assert.Equal(e, d.Reference(), same.Reference())
		other := nas
		other.RemotePath = "/other"
		_, err = e.stores("esx-1").CreateNasDatastore(ctx, other)
		refused[types.DuplicateName](e, err)
		other.RemoteHost = ""
		other.LocalPath = "empty"
		_, err = e.stores("esx-1").CreateNasDatastore(ctx, other)
		refused[types.InvalidArgument](e, err)

		var o mo.Datastore
		e.props(d.Reference(), &o, "summary", "info", "host")
		assert.Equal(e, "NFS", o.Summary.Type)
		info, ok := o.Info.(*types.NasDatastoreInfo)
		require.True(e, ok)
		assert.Equal(e, "cache", info.Nas.RemoteHost)
		assert.Len(e, o.Host, 2)
		var h mo.HostSystem
		e.props(e.host("esx-2").Reference(), &h, "datastore")
		assert.Contains(e, h.Datastore, d.Reference())

		require.NoError(e, e.stores("esx-1").Remove(ctx, d))
		refused[types.NotFound](e, e.stores("esx-1").Remove(ctx, d))
		e.props(e.host("esx-1").Reference(), &h, "datastore")
		assert.NotContains(e, h.Datastore, d.Reference())
		require.NoError(e, e.stores("esx-2").Remove(ctx, d))
		err = e.stores("esx-2").Remove(ctx, object.NewDatastore(e.c, e.datastore()))
		refused[types.NotSupported](e, err)
		var c mo.ClusterComputeResource
		e.props(*e.clusterOf("esx-1"), &c, "datastore")
		assert.NotContains(e, c.Datastore, d.Reference())
	})
}

func (e *env) clusterOf(host string) *types.ManagedObjectReference {
	e.Helper()
	var h mo.HostSystem
	e.props(e.host(host).Reference(), &h, "parent")
	return h.Parent
}

func TestAVMWhoseDiskIsServedNoMoreDoesNotPowerOn(t *testing.T) {
	over(t, func(e *env) {
		served := true
		e.backing = func(string, string) (*disk.Disk, error) {
			if !served {
				return nil, fs.ErrNotExist
			}
			return disk.New("db-01/0", gib), nil
		}
		_, err := e.stores("esx-1").CreateNasDatastore(ctx, nas)
		require.NoError(e, err)
		vm := e.compute()
		served = false
		task, err := vm.PowerOn(ctx)
		failed[types.FileNotFound](e, task, err)
		served = true
		e.done(vm.PowerOn(ctx))
	})
}

func TestAServedDiskIsItsServersAlone(t *testing.T) {
	over(t, func(e *env) {
		served := disk.New("db-01/0", gib)
		e.backing = func(datastore, path string) (*disk.Disk, error) {
			if datastore == "served" && path == "db-01/0.vmdk" {
				return served, nil
			}
			return nil, fs.ErrNotExist
		}
		d, err := e.stores("esx-1").CreateNasDatastore(ctx, nas)
		require.NoError(e, err)
		vm := e.compute()
		_, err = vm.CreateSnapshot(ctx, "s", "", false, false)
		refused[types.NotSupported](e, err)
		_, err = vm.Export(ctx)
		refused[types.NotSupported](e, err)
		_, err = methods.CloneVM_Task(ctx, e.c, &types.CloneVM_Task{This: vm.Reference(), Folder: e.folder().Reference(), Name: "clone"})
		refused[types.NotSupported](e, err)
		away := e.host("esx-2").Reference()
		_, err = vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Host: &away}, types.VirtualMachineMovePriorityDefaultPriority)
		refused[types.InvalidDatastore](e, err)
		refused[types.ResourceInUse](e, e.stores("esx-1").Remove(ctx, d))

		r := httptest.NewRequest(http.MethodGet, "/folder/db-01/0-flat.vmdk?dcPath=DC&dsName=served", nil)
		password, _ := e.vc.Credentials().Password()
		r.SetBasicAuth(e.vc.Credentials().Username(), password)
		w := httptest.NewRecorder()
		e.vc.Handler().ServeHTTP(w, r)
		assert.Equal(e, http.StatusNotFound, w.Code)

		e.done(vm.PowerOn(ctx))
		_, err = served.WriteAt([]byte("kept"), 0)
		require.NoError(e, err)
		e.done(vm.PowerOff(ctx))
		e.done(vm.Destroy(ctx))
		p := make([]byte, 4)
		_, err = served.ReadAt(p, 0)
		require.NoError(e, err)
		assert.Equal(e, "kept", string(p), "what is served outlives the VM")
		require.NoError(e, e.stores("esx-1").Remove(ctx, d))
	})
}

package vcenter_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

func (e *env) move(vm *object.VirtualMachine, pool types.ManagedObjectReference) error {
	_, err := methods.MoveIntoResourcePool(ctx, e.c, &types.MoveIntoResourcePool{This: pool, List: []types.ManagedObjectReference{vm.Reference()}})
	return err
}

func TestAMoveIntoAPoolShowsOnBothSides(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		root := e.pool()
		pool, err := root.Create(ctx, "_HDM_MIGRATEPOOL", types.DefaultResourceConfigSpec())
		require.NoError(e, err)
		_, err = root.Create(ctx, "_HDM_MIGRATEPOOL", types.DefaultResourceConfigSpec())
		refused[types.DuplicateName](e, err)
		assert.Equal(e, []string{"_HDM_MIGRATEPOOL"}, e.vc.Pools())
		sides := func(want types.ManagedObjectReference) {
			e.Helper()
			var o mo.VirtualMachine
			e.props(vm.Reference(), &o, "resourcePool")
			assert.Equal(e, want, *o.ResourcePool)
			for _, p := range []types.ManagedObjectReference{root.Reference(), pool.Reference()} {
				var o mo.ResourcePool
				e.props(p, &o, "vm", "summary", "name")
				assert.Equal(e, p == want, len(o.Vm) == 1, "%s holds %v", p, o.Vm)
				assert.Equal(e, o.Name, o.Summary.GetResourcePoolSummary().Name)
			}
		}
		sides(root.Reference())
		e.told()
		require.NoError(e, e.move(vm, pool.Reference()))
		sides(pool.Reference())
		require.NoError(e, e.move(vm, pool.Reference()), "again changes nothing")
		assert.Equal(e, []string{"vm.pool on-premises/db-01 pool _HDM_MIGRATEPOOL"}, e.told())
		assert.Equal(e, "_HDM_MIGRATEPOOL", e.truth("db-01").Pool)
		p := root.Reference()
		e.done(vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Pool: &p}, types.VirtualMachineMovePriorityDefaultPriority))
		sides(root.Reference())
		require.NoError(e, e.move(vm, pool.Reference()))
		e.done(pool.Destroy(ctx))
		assert.Equal(e, "", e.truth("db-01").Pool)
		assert.Empty(e, e.vc.Pools())
		_, err = root.Destroy(ctx)
		refused[types.NotSupported](e, err)
	})
}

func TestAMoveIntoAnotherClustersPoolIsRefused(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		_, err := e.vc.AddCluster("C1")
		require.NoError(e, err)
		_, err = e.vc.AddHost("C1", "esx-3")
		require.NoError(e, err)
		far, err := e.vc.AddPool("C1/Resources/far")
		require.NoError(e, err)
		refused[types.InvalidArgument](e, e.move(vm, far))
		assert.Equal(e, "", e.truth("db-01").Pool)
	})
}

func TestANewVMIsWhatItsSpecSays(t *testing.T) {
	over(t, func(e *env) {
		_, err := e.vc.AddPool("apps")
		require.NoError(e, err)
		spec := vcenter.VMSpec{
			Name: "app", UUID: "42000000-0000-4000-8000-000000000001", InstanceUUID: "50000000-0000-4000-8000-000000000002",
			GuestID: "windows2019srv_64Guest", Firmware: "efi", CPUs: 4, MemoryMB: 8192, Pool: "apps", Host: "esx-2", On: true,
			ToolsRunning: true, CDROMs: 1, Snapshots: []string{"one", "two"}, ExtraConfig: map[string]string{"hdm.mark": "m-1", "other": "x"},
			NICs: []vcenter.NICSpec{{Type: "e1000e", Network: "prod", MAC: "00:50:56:01:02:03"}, {}},
		}
		for i, c := range []string{"pvscsi", "lsilogic", "lsilogic-sas", "ide", "sata", "nvme"} {
			spec.Disks = append(spec.Disks, vcenter.DiskSpec{Capacity: int64(i+1) * gib, Used: gib / 2, Controller: c})
		}
		vm := e.add(spec)
		v := e.truth("app")
		assert.Equal(e, vsphere.On, v.Power)
		assert.True(e, v.ToolsRunning)
		assert.Equal(e, "apps", v.Pool)
		assert.Equal(e, "esx-2", v.Host)
		assert.Equal(e, map[string]string{"hdm.mark": "m-1"}, v.Marks)
		assert.Equal(e, []vcenter.Snapshot{{Name: "one"}, {Name: "two", Parent: "one", Current: true}}, v.Snapshots)
		assert.Equal(e, "00:50:56:01:02:03", v.NICs[0].MAC)
		assert.Equal(e, "e1000e", v.NICs[0].Type)
		assert.Equal(e, "VM Network", v.NICs[1].Network)

		var o mo.VirtualMachine
		e.props(vm.Reference(), &o, "config", "layoutEx", "summary", "runtime", "snapshot", "storage")
		assert.Equal(e, spec.UUID, o.Config.Uuid)
		assert.Equal(e, spec.InstanceUUID, o.Config.InstanceUuid)
		assert.Equal(e, "efi", o.Config.Firmware)
		devices := object.VirtualDeviceList(o.Config.Hardware.Device)
		keys := map[int32]bool{}
		for _, d := range devices {
			assert.False(e, keys[d.GetVirtualDevice().Key], "the key %d is there twice", d.GetVirtualDevice().Key)
			keys[d.GetVirtualDevice().Key] = true
		}
		for i, d := range v.Disks {
			assert.Equal(e, spec.Disks[i].Controller, d.Controller)
			unit := o.LayoutEx.Disk[i].Chain[0].FileKey
			assert.Equal(e, gib/2, o.LayoutEx.File[unit[1]].Size, "what the disk has in use")
		}
		assert.Equal(e, 3*gib, o.Summary.Storage.Committed)
		byUUID, err := object.NewSearchIndex(e.c).FindByUuid(ctx, nil, spec.UUID, true, nil)
		require.NoError(e, err)
		assert.Equal(e, vm.Reference(), byUUID.Reference())
		f := find.NewFinder(e.c)
		dc, err := f.DefaultDatacenter(ctx)
		require.NoError(e, err)
		found, err := f.SetDatacenter(dc).VirtualMachine(ctx, "app")
		require.NoError(e, err)
		assert.Equal(e, vm.Reference(), found.Reference())
		d, owner, ok := e.vc.Disk(v.Disks[2].Disk.ID())
		assert.True(e, ok && owner == "app" && d == v.Disks[2].Disk)
	})
}

func TestAWrongSpecAddsNothing(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	free, err := e.vc.DatastoreFree("ds")
	require.NoError(t, err)
	_, err = e.vc.AddVM(db("taken"))
	require.NoError(t, err)
	disks := func(n int, controller string) (list []vcenter.DiskSpec) {
		for range n {
			list = append(list, vcenter.DiskSpec{Capacity: gib, Used: gib, Controller: controller})
		}
		return list
	}
	for name, s := range map[string]vcenter.VMSpec{
		"no name": {}, "name taken": {Name: "taken"}, "no such network": {Name: "x", NICs: []vcenter.NICSpec{{Network: "?"}}},
		"no such datastore": {Name: "x", Disks: []vcenter.DiskSpec{{Capacity: gib, Datastore: "?"}}}, "no capacity": {Name: "x", Disks: []vcenter.DiskSpec{{}}},
		"no such controller": {Name: "x", Disks: disks(1, "scsi9")}, "too many disks": {Name: "x", Disks: disks(5, "ide")},
		"no such pool": {Name: "x", Pool: "a/b"}, "no such host": {Name: "x", Host: "esx-9"}, "no such adapter": {Name: "x", NICs: []vcenter.NICSpec{{Type: "ne2000"}}},
	} {
		_, err := e.vc.AddVM(s)
		assert.Error(t, err, name)
	}
	assert.Len(t, e.vc.VMs(), 1)
	now, err := e.vc.DatastoreFree("ds")
	require.NoError(t, err)
	assert.Equal(t, 3*gib, free-now)
}

func TestSixtyDisksOnFourControllers(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	s := vcenter.VMSpec{Name: "big"}
	for range 60 {
		s.Disks = append(s.Disks, vcenter.DiskSpec{Capacity: gib})
	}
	_, err := e.vc.AddVM(s)
	require.NoError(t, err)
	s.Name, s.Disks = "bigger", append(s.Disks, vcenter.DiskSpec{Capacity: gib})
	for i := range s.Disks {
		s.Disks[i].Disk = nil
	}
	_, err = e.vc.AddVM(s)
	assert.Error(t, err)
}

func TestSnapshotsAreLayersOfTheDisks(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "one")
		first := e.done(vm.CreateSnapshot(ctx, "_hdm0", "key-1", false, false)).(types.ManagedObjectReference)
		e.write(0, 0, "two")
		e.done(vm.CreateSnapshot(ctx, "child", "", false, false))
		e.write(0, 0, "now")
		var o mo.VirtualMachine
		e.props(vm.Reference(), &o, "snapshot", "rootSnapshot")
		require.Len(e, o.Snapshot.RootSnapshotList, 1)
		root := o.Snapshot.RootSnapshotList[0]
		assert.Equal(e, "key-1", root.Description)
		assert.Equal(e, "child", root.ChildSnapshotList[0].Name)
		assert.Equal(e, root.ChildSnapshotList[0].Snapshot, *o.Snapshot.CurrentSnapshot)
		assert.True(e, root.CreateTime.Equal(epoch.Add(4*time.Second)))

		e.told()
		e.done(vm.RevertToSnapshot(ctx, "_hdm0", true))
		assert.Equal(e, "one", e.read("db-01", 0, 0, 3))
		assert.Equal(e, []string{"vm.snapshot on-premises/db-01 op reverted name _hdm0"}, e.told("vm."))
		e.write(0, 0, "new")
		e.done(vm.RemoveSnapshot(ctx, "_hdm0", false, nil)) // the root while it is current and has a child
		assert.Equal(e, "new", e.read("db-01", 0, 0, 3))
		assert.Equal(e, []vcenter.Snapshot{{Name: "child"}}, e.truth("db-01").Snapshots)
		var gone mo.VirtualMachineSnapshot
		err := vm.Properties(ctx, first, []string{"config"}, &gone)
		refused[types.ManagedObjectNotFound](e, err)
		e.done(vm.RevertToSnapshot(ctx, "child", true))
		assert.Equal(e, "two", e.read("db-01", 0, 0, 3))
		e.done(vm.RemoveAllSnapshot(ctx, nil))
		assert.Empty(e, e.truth("db-01").Snapshots)
		assert.Equal(e, "two", e.read("db-01", 0, 0, 3))
		o = mo.VirtualMachine{}
		e.props(vm.Reference(), &o, "snapshot", "rootSnapshot")
		assert.Nil(e, o.Snapshot)
	})
}

func TestARevertTakesTheConfigurationBackAndTurnsTheVMOff(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.done(vm.CreateSnapshot(ctx, "s", "", false, false))
		e.done(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{NumCPUs: 8, ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "hdm.x", Value: "1"}}}))
		e.done(vm.PowerOn(ctx))
		e.done(vm.RevertToCurrentSnapshot(ctx, true))
		v := e.truth("db-01")
		assert.EqualValues(e, 2, v.CPUs)
		assert.Empty(e, v.Marks)
		assert.Equal(e, vsphere.Off, v.Power)
	})
}

func TestSnapshotsHaveALimit(t *testing.T) {
	overTiming(t, vcenter.Timing{}, func(e *env) {
		vm := e.add(db("db-01"))
		for i := range 32 {
			e.done(vm.CreateSnapshot(ctx, fmt.Sprint(i), "", false, false))
		}
		task, err := vm.CreateSnapshot(ctx, "one more", "", false, false)
		failed[types.TooManySnapshotLevels](e, task, err)
	})
}

func TestAReconfigurationIsAppliedWholeOrNotAtAll(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		devices, err := vm.Device(ctx)
		require.NoError(e, err)
		old := devices.SelectByType((*types.VirtualEthernetCard)(nil))[0]
		mark := []types.BaseOptionValue{&types.OptionValue{Key: "hdm.mark", Value: "m-1"}}
		backing := &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"}}
		card, err := devices.CreateEthernetCard("e1000", backing)
		require.NoError(e, err)
		card.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard().MacAddress = "00:50:56:0a:0b:0c"
		swap := []types.BaseVirtualDeviceConfigSpec{
			&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: old},
			&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: card},
		}
		e.told()
		e.done(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: swap, ExtraConfig: mark, Annotation: "moved"}))
		assert.Equal(e, []string{"vm.reconfigured on-premises/db-01"}, e.told("vm."))
		v := e.truth("db-01")
		require.Len(e, v.NICs, 1)
		assert.Equal(e, "e1000 00:50:56:0a:0b:0c VM Network", v.NICs[0].Type+" "+v.NICs[0].MAC+" "+v.NICs[0].Network)
		assert.Equal(e, map[string]string{"hdm.mark": "m-1"}, v.Marks)
		for network, n := range map[string]int{"prod": 0, "VM Network": 1} {
			r, err := object.NewSearchIndex(e.c).FindByInventoryPath(ctx, "/DC/network/"+network)
			require.NoError(e, err)
			var o mo.Network
			e.props(r.Reference(), &o, "vm")
			assert.Len(e, o.Vm, n, network)
		}

		wrong := &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "no such network"}}
		card, err = devices.CreateEthernetCard("vmxnet3", wrong)
		require.NoError(e, err)
		task, err := vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "hdm.mark", Value: "m-2"}}, DeviceChange: []types.BaseVirtualDeviceConfigSpec{
			&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: card},
		}})
		failed[types.InvalidDeviceBacking](e, task, err)
		assert.Equal(e, v, e.truth("db-01"))

		mark[0].GetOptionValue().Value = ""
		e.done(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{ExtraConfig: mark}))
		assert.Empty(e, e.truth("db-01").Marks)
		task, err = vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{ChangeVersion: "old", Annotation: "x"})
		failed[types.ConcurrentAccess](e, task, err)
	})
}

func TestRenameAndDestroy(t *testing.T) {
	over(t, func(e *env) {
		free, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		vm, other := e.add(db("db-01")), e.add(db("db-02"))
		task, err := vm.Rename(ctx, "db-02")
		failed[types.DuplicateName](e, task, err)
		e.told()
		e.done(vm.Rename(ctx, "db-03"))
		assert.Equal(e, []string{"vm.renamed on-premises/db-01 name db-03"}, e.told("vm."))
		_, ok := e.vc.VM("db-01")
		assert.False(e, ok)
		e.add(db("db-01")) // the name is free again; the files of the first are still there

		e.done(other.PowerOn(ctx))
		task, err = other.Destroy(ctx)
		failed[types.InvalidPowerState](e, task, err)
		e.done(other.PowerOff(ctx))
		e.done(other.CreateSnapshot(ctx, "s", "", false, false))
		e.told()
		e.done(other.Destroy(ctx))
		assert.Equal(e, []string{"vm.destroyed on-premises/db-02"}, e.told("vm."))
		var o mo.VirtualMachine
		refused[types.ManagedObjectNotFound](e, other.Properties(ctx, other.Reference(), []string{"name"}, &o))
		var pool mo.ResourcePool
		e.props(e.pool().Reference(), &pool, "vm")
		assert.NotContains(e, pool.Vm, other.Reference())
		for _, v := range []string{"db-03", "db-01"} {
			e.done(object.NewVirtualMachine(e.c, e.truth(v).Ref).Destroy(ctx))
		}
		now, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		assert.Equal(e, free, now)
		assert.Empty(e, e.vc.VMs())
	})
}

func TestAVMCanBeMadeOverTheAPI(t *testing.T) {
	over(t, func(e *env) {
		r, err := object.NewSearchIndex(e.c).FindByInventoryPath(ctx, "/DC/vm")
		require.NoError(e, err)
		folder := r.(*object.Folder)
		scsi := &types.ParaVirtualSCSIController{}
		scsi.Key = -1
		disk := &types.VirtualDisk{CapacityInKB: 1 << 20}
		disk.ControllerKey = -1
		disk.Backing = &types.VirtualDiskFlatVer2BackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: "[ds]"}}
		spec := types.VirtualMachineConfigSpec{Name: "made", GuestId: "otherGuest64", NumCPUs: 2, MemoryMB: 64, Files: &types.VirtualMachineFileInfo{VmPathName: "[ds]"},
			DeviceChange: []types.BaseVirtualDeviceConfigSpec{
				&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: scsi},
				&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, FileOperation: types.VirtualDeviceConfigSpecFileOperationCreate, Device: disk},
			}}
		made := e.done(folder.CreateVM(ctx, spec, e.pool(), nil)).(types.ManagedObjectReference)
		v := e.truth("made")
		assert.Equal(e, made, v.Ref)
		assert.Equal(e, gib, v.Disks[0].Disk.Capacity())
		task, err := folder.CreateVM(ctx, spec, e.pool(), nil)
		failed[types.DuplicateName](e, task, err)
		spec.Files.VmPathName = "[nowhere]"
		_, err = folder.CreateVM(ctx, spec, e.pool(), nil)
		refused[types.InvalidDatastorePath](e, err)
	})
}

func TestFreeSpaceIsWhatTheAPITells(t *testing.T) {
	over(t, func(e *env) {
		free := func() int64 {
			var o mo.Datastore
			e.props(e.datastore(), &o, "summary")
			return o.Summary.FreeSpace
		}
		assert.Equal(e, 900*gib, free())
		vm := e.add(db("db-01"))
		assert.Equal(e, 897*gib, free())
		e.truth("db-01").Disks[0].Disk.SetUsed(4 * gib)
		_, err := methods.RefreshStorageInfo(ctx, e.c, &types.RefreshStorageInfo{This: vm.Reference()})
		require.NoError(e, err)
		assert.Equal(e, 895*gib, free())
		require.NoError(e, e.vc.SetDatastoreFree("ds", 7))
		assert.EqualValues(e, 7, free())
		e.done(vm.Destroy(ctx))
		assert.Equal(e, 5*gib+7, free())
	})
}

func TestTheEnvironmentBrowserOffersAdapters(t *testing.T) {
	over(t, func(e *env) {
		c, err := object.NewSearchIndex(e.c).FindByInventoryPath(ctx, "/DC/host/C0")
		require.NoError(e, err)
		var o mo.ClusterComputeResource
		e.props(c.Reference(), &o, "environmentBrowser")
		res, err := methods.QueryConfigOption(ctx, e.c, &types.QueryConfigOption{This: *o.EnvironmentBrowser})
		require.NoError(e, err)
		var kinds []string
		for _, d := range res.Returnval.HardwareOptions.VirtualDeviceOption {
			kinds = append(kinds, d.GetVirtualDeviceOption().Type)
		}
		assert.Equal(e, []string{"VirtualVmxnet3", "VirtualE1000e", "VirtualE1000", "VirtualVmxnet2", "VirtualPCNet32"}, kinds)
	})
}

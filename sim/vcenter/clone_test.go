package vcenter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
)

// linked is the order of a linked clone of a snapshot.
func linked(snapshot types.ManagedObjectReference) types.VirtualMachineCloneSpec {
	return types.VirtualMachineCloneSpec{
		Snapshot: &snapshot,
		Location: types.VirtualMachineRelocateSpec{DiskMoveType: string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)},
	}
}

func (e *env) folder() *object.Folder {
	e.Helper()
	r, err := object.NewSearchIndex(e.c).FindByInventoryPath(ctx, "/DC/vm")
	require.NoError(e, err)
	return r.(*object.Folder)
}

func TestALinkedCloneIsExportedAsTheSnapshotWas(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "then")
		snap := e.done(vm.CreateSnapshot(ctx, "s", "", false, false)).(types.ManagedObjectReference)
		e.write(0, 0, "now!")
		e.done(vm.PowerOn(ctx))
		free, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		began := e.clock.Now()
		made := e.done(vm.Clone(ctx, e.folder(), "clone", linked(snap))).(types.ManagedObjectReference)
		assert.Less(e, e.clock.Now().Sub(began).Seconds(), 10.0)
		left, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		assert.Equal(e, free, left, "it takes no room until something is written")
		clone := object.NewVirtualMachine(e.c, made)
		e.done(vm.RemoveAllSnapshot(ctx, nil))

		var o mo.VirtualMachine
		e.props(made, &o, "config.hardware.device", "config.uuid", "snapshot")
		backing := o.Config.Hardware.Device[len(o.Config.Hardware.Device)-2].GetVirtualDevice().Backing
		flat, ok := backing.(*types.VirtualDiskFlatVer2BackingInfo)
		require.True(e, ok, "%T", backing)
		require.NotNil(e, flat.Parent)
		assert.True(e, strings.HasPrefix(flat.Parent.FileName, "[ds] db-01/db-01"), flat.Parent.FileName)
		assert.NotEqual(e, e.truth("db-01").UUID, o.Config.Uuid)
		assert.Nil(e, o.Snapshot)

		_, info, descriptor := e.export(clone)
		assert.Equal(e, 2*gib, info.Info.DeviceUrl[0].FileSize, "what the source had in use")
		target, err := e.pool().ImportVApp(ctx, e.importSpec(descriptor, "copy").ImportSpec, nil, nil)
		require.NoError(e, err)
		into := e.leaseInfo(target.Reference())
		require.Equal(e, 201, e.do("PUT", into.Info.DeviceUrl[0].Url, e.do("GET", info.Info.DeviceUrl[0].Url, nil).Body).Code)
		assert.Equal(e, "then", e.read("copy", 0, 0, 4))
		assert.Equal(e, "now!", e.read("db-01", 0, 0, 4))
		assert.Equal(e, e.truth("db-01").Disks[0].Disk.ID(), e.truth("copy").Disks[0].Disk.ID(), "the guest is known by its disk")
	})
}

func TestAnAddressThatAClonesOrderGivesIsKept(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		snap := e.done(vm.CreateSnapshot(ctx, "s", "", false, false)).(types.ManagedObjectReference)
		spec := linked(snap)
		card := &types.VirtualVmxnet3{}
		card.Key, card.MacAddress = e.truth("db-01").NICs[0].Key, "00:50:56:0a:0b:0c"
		card.Backing = &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "prod"}}
		spec.Config = &types.VirtualMachineConfigSpec{Uuid: "4213b0f7-0000-4000-8000-000000000001", DeviceChange: []types.BaseVirtualDeviceConfigSpec{
			&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: card},
		}}
		e.done(vm.Clone(ctx, e.folder(), "told", spec))
		assert.Equal(e, "00:50:56:0a:0b:0c", e.truth("told").NICs[0].MAC)
		assert.Equal(e, "4213b0f7-0000-4000-8000-000000000001", e.truth("told").UUID)
		e.done(vm.Clone(ctx, e.folder(), "untold", linked(snap)))
		assert.NotEqual(e, e.truth("db-01").NICs[0].MAC, e.truth("untold").NICs[0].MAC)
		card.Key = 4999
		task, err := vm.Clone(ctx, e.folder(), "wrong", spec)
		failed[types.InvalidDeviceSpec](e, task, err)
	})
}

func TestClonesThatCannotBeAreRefused(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		snap := e.done(vm.CreateSnapshot(ctx, "s", "", false, false)).(types.ManagedObjectReference)
		for name, change := range map[string]func(*types.VirtualMachineCloneSpec){
			"a full clone":        func(s *types.VirtualMachineCloneSpec) { s.Location.DiskMoveType = "" },
			"a clone of now":      func(s *types.VirtualMachineCloneSpec) { s.Snapshot = nil },
			"one that runs":       func(s *types.VirtualMachineCloneSpec) { s.PowerOn = true },
			"a template":          func(s *types.VirtualMachineCloneSpec) { s.Template = true },
			"one of another kind": func(s *types.VirtualMachineCloneSpec) { s.Customization = &types.CustomizationSpec{} },
		} {
			spec := linked(snap)
			change(&spec)
			_, err := vm.Clone(ctx, e.folder(), "clone", spec)
			refused[types.NotSupported](e, err)
			_, there := e.vc.VM("clone")
			assert.False(e, there, name)
		}
		other := e.add(db("db-02"))
		_, err := other.Clone(ctx, e.folder(), "clone", linked(snap))
		refused[types.InvalidArgument](e, err)
		task, err := vm.Clone(ctx, e.folder(), "db-02", linked(snap))
		failed[types.DuplicateName](e, task, err)

		mixed := db("mixed")
		mixed.Disks[1].Mode = "independent_persistent"
		part := e.add(mixed)
		snap = e.done(part.CreateSnapshot(ctx, "s", "", false, false)).(types.ManagedObjectReference)
		task, err = part.Clone(ctx, e.folder(), "clone", linked(snap))
		failed[types.NotSupported](e, task, err)
		assert.Len(e, e.vc.VMs(), 3)
		task, err = vm.Clone(ctx, e.folder(), "clone", linked(*e.current(vm)))
		require.NoError(e, err)
		_, err = vm.CreateSnapshot(ctx, "t", "", false, false)
		refused[types.TaskInProgress](e, err)
		require.NoError(e, task.Cancel(ctx))
		assert.Len(e, e.vc.VMs(), 3, "a clone that is cancelled leaves nothing")
	})
}

// current is the VM's current snapshot.
func (e *env) current(vm *object.VirtualMachine) *types.ManagedObjectReference {
	e.Helper()
	var o mo.VirtualMachine
	e.props(vm.Reference(), &o, "snapshot")
	return o.Snapshot.CurrentSnapshot
}

func TestAClonesDeltaTakesRoom(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		snap := e.done(vm.CreateSnapshot(ctx, "s", "", false, false)).(types.ManagedObjectReference)
		made := e.done(vm.Clone(ctx, e.folder(), "clone", linked(snap))).(types.ManagedObjectReference)
		free, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		_, err = e.truth("clone").Disks[0].Disk.WriteAt(make([]byte, 3*4096), 0)
		require.NoError(e, err)
		clone := object.NewVirtualMachine(e.c, made)
		require.NoError(e, clone.RefreshStorageInfo(ctx))
		left, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		assert.Equal(e, int64(3*4096), free-left)
		assert.Equal(e, vsphere.Off, e.truth("clone").Power)
		e.done(clone.Destroy(ctx))
		left, err = e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		assert.Equal(e, free, left)
	})
}

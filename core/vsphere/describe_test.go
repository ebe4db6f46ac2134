package vsphere

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func ref(kind, value string) types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: kind, Value: value}
}

func TestARefComesBackAsItWas(t *testing.T) {
	r := ref("HttpNfcLease", "session[52a]:52b") // real ones have colons
	assert.Equal(t, r, refOf(r).managed())
	assert.Equal(t, Ref(""), refOfPtr(nil))
}

func TestADiskTellsWhatAMigrationMustKnow(t *testing.T) {
	scsi := func(key int32, c types.BaseVirtualDevice) types.BaseVirtualDevice {
		c.GetVirtualDevice().Key = key
		return c
	}
	flat := func(change func(*types.VirtualDiskFlatVer2BackingInfo)) *types.VirtualDisk {
		b := &types.VirtualDiskFlatVer2BackingInfo{DiskMode: "persistent"}
		b.FileName = "[fast store] db-01/db-01.vmdk"
		change(b)
		return &types.VirtualDisk{CapacityInBytes: 1 << 30, VirtualDevice: types.VirtualDevice{Key: 2000, ControllerKey: 1000, Backing: b}}
	}
	plain := flat(func(*types.VirtualDiskFlatVer2BackingInfo) {})
	raw := &types.VirtualDisk{CapacityInKB: 1 << 20, VirtualDevice: types.VirtualDevice{Key: 2000, ControllerKey: 1000,
		Backing: &types.VirtualDiskRawDiskMappingVer1BackingInfo{DiskMode: "independent_persistent"}}}
	shared := &types.ParaVirtualSCSIController{}
	shared.SharedBus = types.VirtualSCSISharingPhysicalSharing

	for name, c := range map[string]struct {
		controller types.BaseVirtualDevice
		disk       *types.VirtualDisk
		used       int64
		want       Disk
	}{
		"plain": {&types.ParaVirtualSCSIController{}, plain, 5,
			Disk{Key: 2000, Capacity: 1 << 30, Used: 5, Controller: "pvscsi", Mode: "persistent", Datastore: "fast store"}},
		"with snapshots, blocks are there twice": {&types.VirtualNVMEController{}, plain, 3 << 30,
			Disk{Key: 2000, Capacity: 1 << 30, Used: 1 << 30, Controller: "nvme", Mode: "persistent", Datastore: "fast store"}},
		"multi-writer": {&types.VirtualLsiLogicSASController{}, flat(func(b *types.VirtualDiskFlatVer2BackingInfo) { b.Sharing = "sharingMultiWriter" }), 0,
			Disk{Key: 2000, Capacity: 1 << 30, Controller: "lsilogic-sas", Mode: "persistent", Shared: true, Datastore: "fast store"}},
		"shared bus": {shared, plain, 0,
			Disk{Key: 2000, Capacity: 1 << 30, Controller: "pvscsi", Mode: "persistent", Shared: true, Datastore: "fast store"}},
		"independent": {&types.VirtualAHCIController{}, flat(func(b *types.VirtualDiskFlatVer2BackingInfo) { b.DiskMode = "independent_nonpersistent" }), 0,
			Disk{Key: 2000, Capacity: 1 << 30, Controller: "sata", Mode: "independent_nonpersistent", Independent: true, Datastore: "fast store"}},
		"raw, with a capacity in KB only": {&types.VirtualLsiLogicController{}, raw, 0,
			Disk{Key: 2000, Capacity: 1 << 30, Controller: "lsilogic", Mode: "independent_persistent", Independent: true, Raw: true}},
	} {
		t.Run(name, func(t *testing.T) {
			var vm VM
			describeDevices(&vm, []types.BaseVirtualDevice{c.disk, scsi(1000, c.controller)}, map[int32]int64{2000: c.used}, nil)
			assert.Equal(t, []Disk{c.want}, vm.Disks)
		})
	}
}

func TestAVMTellsWhatStandsAgainstAMigration(t *testing.T) {
	var vm VM
	describeDevices(&vm, []types.BaseVirtualDevice{
		&types.VirtualCdrom{}, &types.VirtualCdrom{}, &types.VirtualPCIPassthrough{}, &types.VirtualTPM{},
	}, nil, nil)
	assert.Equal(t, VM{CDROMs: 2, Passthrough: true, VTPM: true}, vm)

	cd := func(backing types.BaseVirtualDeviceBackingInfo, connected bool) VM {
		d := &types.VirtualCdrom{}
		d.Backing, d.Connectable = backing, &types.VirtualDeviceConnectInfo{StartConnected: connected}
		vm := VM{}
		describeDevices(&vm, []types.BaseVirtualDevice{d}, nil, nil)
		return vm
	}
	assert.True(t, cd(&types.VirtualCdromIsoBackingInfo{}, true).ISO)
	assert.True(t, cd(&types.VirtualCdromAtapiBackingInfo{}, true).ISO, "the host's own drive")
	assert.False(t, cd(&types.VirtualCdromIsoBackingInfo{}, false).ISO, "it is not connected")
	assert.False(t, cd(&types.VirtualCdromRemotePassthroughBackingInfo{}, true).ISO, "nothing is in it")
	vm = VM{}
	describeDevices(&vm, []types.BaseVirtualDevice{&types.VirtualUSBController{}}, nil, nil)
	assert.False(t, vm.USB, "a controller alone is none")
	describeDevices(&vm, []types.BaseVirtualDevice{&types.VirtualUSB{}}, nil, nil)
	assert.True(t, vm.USB)

	vm = VM{}
	describeDevices(&vm, []types.BaseVirtualDevice{&types.VirtualSriovEthernetCard{}}, nil, nil)
	assert.True(t, vm.Passthrough, "an SR-IOV adapter is a passthrough device")
}

func TestANICTellsItsNetworkOfAnyKind(t *testing.T) {
	groups := map[string]string{"dvportgroup-7": "prod"}
	card := &types.VirtualVmxnet3{}
	for want, backing := range map[string]types.BaseVirtualDeviceBackingInfo{
		"VM Network": &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"}},
		"prod":       &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{Port: types.DistributedVirtualSwitchPortConnection{PortgroupKey: "dvportgroup-7"}},
		"nsx-1":      &types.VirtualEthernetCardOpaqueNetworkBackingInfo{OpaqueNetworkId: "nsx-1"},
	} {
		card.Backing = backing
		nic, _ := describeNIC(card, groups)
		assert.Equal(t, NIC{Type: "vmxnet3", Network: want}, nic)
	}
}

func TestAVMThatVCenterCannotReadIsListedAllTheSame(t *testing.T) {
	v := mo.VirtualMachine{Runtime: types.VirtualMachineRuntimeInfo{ConnectionState: types.VirtualMachineConnectionStateInaccessible}}
	v.Self, v.Name = ref("VirtualMachine", "vm-1"), "lost"
	assert.Equal(t, VM{Ref: "VirtualMachine:vm-1", Name: "lost", Connection: "inaccessible", Marks: map[string]string{}}, describeVM(&v, nil))
}

func TestWhatADiskUsesIsTheSumOfItsFiles(t *testing.T) {
	layout := &types.VirtualMachineFileLayoutEx{
		File: []types.VirtualMachineFileLayoutExFileInfo{{Key: 1, Size: 300}, {Key: 2, Size: 4000}, {Key: 3, Size: 70000}},
		Disk: []types.VirtualMachineFileLayoutExDiskLayout{
			{Key: 2000, Chain: []types.VirtualMachineFileLayoutExDiskUnit{{FileKey: []int32{1, 2}}, {FileKey: []int32{3}}}},
			{Key: 2001, Chain: []types.VirtualMachineFileLayoutExDiskUnit{{FileKey: []int32{2}}}},
		},
	}
	assert.Equal(t, map[int32]int64{2000: 74300, 2001: 4000}, usedBytes(layout))
	assert.Nil(t, usedBytes(nil))
}

func TestASnapshotTreeIsListedParentsFirst(t *testing.T) {
	a, b, c := ref("VirtualMachineSnapshot", "a"), ref("VirtualMachineSnapshot", "b"), ref("VirtualMachineSnapshot", "c")
	tree := snapshotTree(&types.VirtualMachineSnapshotInfo{
		CurrentSnapshot: &c,
		RootSnapshotList: []types.VirtualMachineSnapshotTree{
			{Snapshot: a, Name: "a", ChildSnapshotList: []types.VirtualMachineSnapshotTree{{Snapshot: c, Name: "c"}}},
			{Snapshot: b, Name: "b"},
		},
	})
	assert.Equal(t, []Snapshot{
		{Ref: refOf(a), Name: "a"}, {Ref: refOf(c), Name: "c", Parent: refOf(a), Current: true}, {Ref: refOf(b), Name: "b"},
	}, tree)
}

func TestASnapshotGetsTheNextFreeName(t *testing.T) {
	for want, names := range map[string][]string{
		"_hdm1": {"nightly", "_hdmx", "hdm7"},
		"_hdm4": {"_hdm1", "_hdm3"},
	} {
		var tree []Snapshot
		for _, n := range names {
			tree = append(tree, Snapshot{Name: n})
		}
		assert.Equal(t, want, nextName(tree, "_hdm"))
	}
}

func TestAMarkIsFoundOnlyIfItIsTheWholeLine(t *testing.T) {
	tree := []Snapshot{{Ref: "s:1", Description: "text\nHDM mark: hdm-1/m-0010"}, {Ref: "s:2", Description: "HDM mark: hdm-1/m-001\ntext"}}
	found, ok := marked(tree, "hdm-1/m-001")
	assert.True(t, ok)
	assert.Equal(t, Ref("s:2"), found.Ref)
	_, ok = marked(tree, "hdm-1/m-00")
	assert.False(t, ok)
}

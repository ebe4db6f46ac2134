package vsphere

import (
	"reflect"
	"strings"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// describeDevices fills in what a VM's virtual hardware says.
func describeDevices(vm *VM, devices []types.BaseVirtualDevice, used map[int32]int64, portgroups map[string]string) {
	controllers := map[int32]controller{}
	for _, d := range devices {
		if c, ok := describeController(d); ok {
			controllers[d.GetVirtualDevice().Key] = c
		}
	}
	for _, d := range devices {
		switch d := d.(type) {
		case *types.VirtualDisk:
			vm.Disks = append(vm.Disks, describeDisk(d, controllers[d.ControllerKey], used[d.Key]))
		case types.BaseVirtualEthernetCard:
			nic, passthrough := describeNIC(d, portgroups)
			vm.NICs = append(vm.NICs, nic)
			vm.Passthrough = vm.Passthrough || passthrough
		case *types.VirtualCdrom:
			vm.CDROMs++
			vm.ISO = vm.ISO || inserted(d)
		case *types.VirtualUSB:
			vm.USB = true
		case *types.VirtualPCIPassthrough:
			vm.Passthrough = true
		case *types.VirtualTPM:
			vm.VTPM = true
		}
	}
}

// inserted says whether a medium is in a CD/DVD device, now or from the next
// power on. What a client would lend it does not count.
func inserted(d *types.VirtualCdrom) bool {
	switch d.Backing.(type) {
	case *types.VirtualCdromRemotePassthroughBackingInfo, *types.VirtualCdromRemoteAtapiBackingInfo, nil:
		return false
	}
	return d.Connectable != nil && (d.Connectable.Connected || d.Connectable.StartConnected)
}

// controller is what a disk inherits from the bus that it is on.
type controller struct {
	kind   string
	shared bool
}

func describeController(d types.BaseVirtualDevice) (controller, bool) {
	var c controller
	switch d := d.(type) {
	case *types.ParaVirtualSCSIController:
		c.kind = "pvscsi"
	case *types.VirtualLsiLogicSASController:
		c.kind = "lsilogic-sas"
	case *types.VirtualLsiLogicController:
		c.kind = "lsilogic"
	case *types.VirtualBusLogicController:
		c.kind = "buslogic"
	case *types.VirtualIDEController:
		c.kind = "ide"
	case types.BaseVirtualSATAController:
		c.kind = "sata"
	case *types.VirtualNVMEController:
		c.kind = "nvme"
		c.shared = d.SharedBus != "" && d.SharedBus != string(types.VirtualNVMEControllerSharingNoSharing)
	default:
		return c, false
	}
	if scsi, ok := d.(types.BaseVirtualSCSIController); ok {
		bus := scsi.GetVirtualSCSIController().SharedBus
		c.shared = bus != "" && bus != types.VirtualSCSISharingNoSharing
	}
	return c, true
}

func describeDisk(d *types.VirtualDisk, c controller, used int64) Disk {
	disk := Disk{
		Key: d.Key, Label: label(d), Capacity: d.CapacityInBytes, Used: used, Controller: c.kind, Shared: c.shared,
	}
	if disk.Capacity == 0 {
		disk.Capacity = d.CapacityInKB * 1024 // before vSphere 5.5
	}
	disk.Used = min(disk.Used, disk.Capacity) // with snapshots, blocks are there twice
	sharing := ""
	switch b := d.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		disk.Mode, sharing = b.DiskMode, b.Sharing
	case *types.VirtualDiskSeSparseBackingInfo:
		disk.Mode = b.DiskMode
	case *types.VirtualDiskSparseVer2BackingInfo:
		disk.Mode = b.DiskMode
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		disk.Mode, sharing, disk.Raw = b.DiskMode, b.Sharing, true
	}
	disk.Shared = disk.Shared || sharing == string(types.VirtualDiskSharingSharingMultiWriter)
	disk.Independent = strings.HasPrefix(disk.Mode, "independent")
	if f, ok := d.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		name := f.GetVirtualDeviceFileBackingInfo().FileName // "[datastore] folder/file.vmdk"
		name, _, _ = strings.Cut(strings.TrimPrefix(name, "["), "]")
		disk.Datastore = name
	}
	return disk
}

// adapters are the NIC types by the name of their vSphere device.
var adapters = map[string]string{
	"VirtualVmxnet3": "vmxnet3", "VirtualVmxnet2": "vmxnet2", "VirtualE1000": "e1000", "VirtualE1000e": "e1000e",
	"VirtualPCNet32": "pcnet32", "VirtualSriovEthernetCard": "sriov",
}

// newAdapter makes the device of a NIC type that a VM can be given.
func newAdapter(kind string) (types.BaseVirtualEthernetCard, bool) {
	switch kind {
	case "vmxnet3":
		return &types.VirtualVmxnet3{}, true
	case "vmxnet2":
		return &types.VirtualVmxnet2{}, true
	case "e1000":
		return &types.VirtualE1000{}, true
	case "e1000e":
		return &types.VirtualE1000e{}, true
	case "pcnet32":
		return &types.VirtualPCNet32{}, true
	}
	return nil, false
}

func describeNIC(d types.BaseVirtualEthernetCard, portgroups map[string]string) (nic NIC, passthrough bool) {
	card := d.GetVirtualEthernetCard()
	nic = NIC{Key: card.Key, Label: label(d.(types.BaseVirtualDevice)), Type: adapters[typeName(d)], MAC: card.MacAddress}
	switch b := card.Backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		nic.Network = b.DeviceName
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		nic.Network = portgroups[b.Port.PortgroupKey]
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		nic.Network = b.OpaqueNetworkId
	}
	if card.Connectable != nil {
		nic.Connected = card.Connectable.Connected
	}
	return nic, nic.Type == "sriov"
}

func label(d types.BaseVirtualDevice) string {
	if info := d.GetVirtualDevice().DeviceInfo; info != nil {
		return info.GetDescription().Label
	}
	return ""
}

func typeName(d any) string { return reflect.Indirect(reflect.ValueOf(d)).Type().Name() }

func usesPortgroups(v mo.VirtualMachine) bool {
	if v.Config == nil {
		return false
	}
	for _, d := range v.Config.Hardware.Device {
		if _, ok := d.GetVirtualDevice().Backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo); ok {
			return true
		}
	}
	return false
}

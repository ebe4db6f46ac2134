package vcenter

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// nameMAC is a MAC address of the range that VMware leaves to administrators
// (00:50:56:00:00:00 to 00:50:56:3f:ff:ff), made from a name.
func nameMAC(name string) string {
	h := sha1.Sum([]byte("hdm/mac/" + name))
	return fmt.Sprintf("00:50:56:%02x:%02x:%02x", h[0]&0x3f, h[1], h[2])
}

// Keys of devices, as ESXi gives them.
const (
	keyIDE     = 200
	keyPCI     = 100
	keyVideo   = 500
	keyVMCI    = 12000
	keySCSI    = 1000
	keyDisk    = 2000
	keyCDROM   = 3000
	keyNIC     = 4000
	keyUSB     = 7000
	keyTPM     = 11000
	keyPass    = 13000
	keySATA    = 15000
	keyNVMe    = 31000
	perBus     = 1000 // distance of the keys of disks on different kinds of bus
	pciNICUnit = 7
	scsiOwn    = 7 // the unit number of a SCSI controller itself
)

func device(key, controller int32, unit int32, label string) types.VirtualDevice {
	d := types.VirtualDevice{Key: key, DeviceInfo: &types.Description{Label: label, Summary: label}}
	if controller != 0 {
		d.ControllerKey, d.UnitNumber = controller, &unit
	}
	return d
}

// baseDevices are what every VM has. All share them: devices are replaced by
// changed copies, never changed.
var baseDevices = []types.BaseVirtualDevice{
	&types.VirtualIDEController{VirtualController: types.VirtualController{VirtualDevice: device(keyIDE, 0, 0, "IDE 0")}},
	&types.VirtualIDEController{VirtualController: types.VirtualController{VirtualDevice: device(keyIDE+1, 0, 0, "IDE 1"), BusNumber: 1}},
	&types.VirtualPCIController{VirtualController: types.VirtualController{VirtualDevice: device(keyPCI, 0, 0, "PCI controller 0")}},
	&types.VirtualMachineVideoCard{VirtualDevice: device(keyVideo, keyPCI, 0, "Video card"), VideoRamSizeInKB: 4096},
	&types.VirtualMachineVMCIDevice{VirtualDevice: device(keyVMCI, keyPCI, 17, "VMCI device")},
}

// controllers are the kinds of controller of a disk: how many disks one takes,
// and how to make the n-th.
var controllers = map[string]struct {
	units int32
	key   int32
	make  func(base types.VirtualController) types.BaseVirtualDevice
}{
	"pvscsi": {15, keySCSI, func(b types.VirtualController) types.BaseVirtualDevice {
		return &types.ParaVirtualSCSIController{VirtualSCSIController: scsi(b)}
	}},
	"lsilogic": {15, keySCSI, func(b types.VirtualController) types.BaseVirtualDevice {
		return &types.VirtualLsiLogicController{VirtualSCSIController: scsi(b)}
	}},
	"lsilogic-sas": {15, keySCSI, func(b types.VirtualController) types.BaseVirtualDevice {
		return &types.VirtualLsiLogicSASController{VirtualSCSIController: scsi(b)}
	}},
	"buslogic": {15, keySCSI, func(b types.VirtualController) types.BaseVirtualDevice {
		return &types.VirtualBusLogicController{VirtualSCSIController: scsi(b)}
	}},
	"ide": {2, keyIDE, nil}, // every VM has its two
	"sata": {30, keySATA, func(b types.VirtualController) types.BaseVirtualDevice {
		return &types.VirtualAHCIController{VirtualSATAController: types.VirtualSATAController{VirtualController: b}}
	}},
	"nvme": {15, keyNVMe, func(b types.VirtualController) types.BaseVirtualDevice {
		return &types.VirtualNVMEController{VirtualController: b}
	}},
}

func scsi(b types.VirtualController) types.VirtualSCSIController {
	hotAdd := true
	return types.VirtualSCSIController{VirtualController: b, SharedBus: types.VirtualSCSISharingNoSharing, HotAddRemove: &hotAdd, ScsiCtlrUnitNumber: scsiOwn}
}

// deviceBuilder numbers devices as they are added.
type deviceBuilder struct {
	list []types.BaseVirtualDevice
	bus  map[string]*bus // the bus of each kind that takes disks now
	next map[int32]int32 // controllers by first key: how many there are
	disk map[int32]int32 // disks by first key of their bus
}

type bus struct{ key, used int32 }

// place finds a controller of that kind with a free unit, or adds one. At most
// four of a kind, as in vSphere.
func (b *deviceBuilder) place(kind string) (controller, unit int32, err error) {
	k, ok := controllers[kind]
	if !ok {
		return 0, 0, fmt.Errorf("no disk controller is called %q: use pvscsi, lsilogic, lsilogic-sas, buslogic, ide, sata or nvme", kind)
	}
	at := b.bus[kind]
	if at == nil || at.used >= k.units+boolInt(k.key == keySCSI) {
		n := b.next[k.key]
		if n >= 4 || kind == "ide" && n >= 2 {
			return 0, 0, fmt.Errorf("no room for another disk on controllers of kind %q", kind)
		}
		b.next[k.key] = n + 1
		at = &bus{key: k.key + n}
		b.bus[kind] = at
		if k.make != nil {
			base := types.VirtualController{VirtualDevice: device(at.key, keyPCI, 3+n, fmt.Sprintf("%s controller %d", kind, n)), BusNumber: n}
			b.list = append(b.list, k.make(base))
		}
	}
	if k.key == keySCSI && at.used == scsiOwn {
		at.used++
	}
	unit = at.used
	at.used++
	return at.key, unit, nil
}

func boolInt(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// addDevices makes the VM's devices, and attaches its disks.
func (vc *VCenter) addDevices(m *machine, s *VMSpec, dir string) error {
	b := &deviceBuilder{list: slices.Clone(baseDevices), bus: map[string]*bus{}, next: map[int32]int32{}, disk: map[int32]int32{}}
	for i := range s.Disks {
		d := &s.Disks[i]
		controller, unit, err := b.place(d.Controller)
		if err != nil {
			return err
		}
		first := controllers[d.Controller].key
		key := diskKey(first, b.disk[first])
		b.disk[first]++
		a := &attached{key: key, disk: d.Disk, store: vc.stores[d.Datastore], path: d.Path, base: d.base, profile: d.profile}
		a.store.adopt(a.disk)
		if a.path == "" {
			a.path = diskPath(dir, i)
			a.store.dirs[dir] = true
		}
		b.list = append(b.list, vc.newDisk(a, d, controller, unit, fmt.Sprintf("Hard disk %d", i+1)))
		m.disks = append(m.disks, a)
		a.store.charge(a)
	}
	for i := range s.CDROMs {
		cd := &types.VirtualCdrom{VirtualDevice: device(keyCDROM+int32(i), keyIDE+1, int32(i), fmt.Sprintf("CD/DVD drive %d", i+1))}
		cd.Backing = &types.VirtualCdromRemotePassthroughBackingInfo{VirtualDeviceRemoteDeviceBackingInfo: types.VirtualDeviceRemoteDeviceBackingInfo{}}
		if s.ISO && i == 0 {
			cd.Backing = &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: "[] /usr/lib/vmware/isoimages/linux.iso"}}
			cd.Connectable = &types.VirtualDeviceConnectInfo{StartConnected: true, AllowGuestControl: true}
		}
		b.list = append(b.list, cd)
	}
	for i, n := range s.NICs {
		card, err := vc.newNIC(n, keyNIC+int32(i), pciNICUnit+int32(i), fmt.Sprintf("Network adapter %d", i+1))
		if err != nil {
			return err
		}
		b.list = append(b.list, card)
	}
	if s.VTPM {
		b.list = append(b.list, &types.VirtualTPM{VirtualDevice: device(keyTPM, keyPCI, 20, "Virtual TPM")})
	}
	if s.USB {
		b.list = append(b.list, &types.VirtualUSBController{VirtualController: types.VirtualController{VirtualDevice: device(keyUSB, keyPCI, 22, "USB controller")}},
			&types.VirtualUSB{VirtualDevice: device(keyUSB+1, keyUSB, 0, "USB 1"), Connected: true})
	}
	if s.Passthrough {
		b.list = append(b.list, &types.VirtualPCIPassthrough{VirtualDevice: device(keyPass, keyPCI, 21, "PCI device 0")})
	}
	vm := m.vm
	vm.Config.Hardware.Device = b.list
	vm.Summary.Config.NumVirtualDisks = int32(len(s.Disks))
	vm.Summary.Config.NumEthernetCards = int32(len(s.NICs))
	return nil
}

func diskKey(first, n int32) int32 {
	switch first {
	case keyIDE:
		return keyCDROM + 10 + n
	case keySATA, keyNVMe:
		return first + perBus + n
	}
	return keyDisk + n
}

func diskPath(dir string, i int) string {
	if i == 0 {
		return dir + "/" + dir + ".vmdk"
	}
	return fmt.Sprintf("%s/%s_%d.vmdk", dir, dir, i)
}

func (vc *VCenter) newDisk(a *attached, s *DiskSpec, controller, unit int32, label string) *types.VirtualDisk {
	d := &types.VirtualDisk{VirtualDevice: device(a.key, controller, unit, label), CapacityInBytes: a.disk.Capacity(), CapacityInKB: a.disk.Capacity() / 1024}
	file := types.VirtualDeviceFileBackingInfo{FileName: a.file(), Datastore: &a.store.obj.Self}
	if s.Raw {
		d.Backing = &types.VirtualDiskRawDiskMappingVer1BackingInfo{
			VirtualDeviceFileBackingInfo: file, DiskMode: s.Mode, CompatibilityMode: string(types.VirtualDiskCompatibilityModePhysicalMode),
			LunUuid: a.disk.ID(), DeviceName: "vml." + a.disk.ID(), Uuid: a.disk.ID(),
		}
		return d
	}
	thin := true
	backing := &types.VirtualDiskFlatVer2BackingInfo{VirtualDeviceFileBackingInfo: file, DiskMode: s.Mode, ThinProvisioned: &thin, Uuid: a.disk.ID()}
	if s.base != "" {
		backing.Parent = &types.VirtualDiskFlatVer2BackingInfo{
			VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: s.base, Datastore: &a.store.obj.Self}, DiskMode: s.Mode,
		}
	}
	if s.Shared {
		backing.Sharing = string(types.VirtualDiskSharingSharingMultiWriter)
	}
	d.Backing = backing
	return d
}

// newNIC makes an adapter. "vmxnet2" and the others are govmomi's names.
func (vc *VCenter) newNIC(s NICSpec, key, unit int32, label string) (types.BaseVirtualDevice, error) {
	r, ok := vc.networks[s.Network]
	if !ok {
		return nil, &NotFoundError{"network", s.Network}
	}
	backing := &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: s.Network}, Network: &r,
	}
	dev, err := object.VirtualDeviceList{}.CreateEthernetCard(s.Type, backing)
	if err != nil {
		return nil, fmt.Errorf("network adapter type %q: %w", s.Type, err)
	}
	card := dev.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
	card.VirtualDevice = device(key, keyPCI, unit, label)
	card.DeviceInfo = &types.Description{Label: label, Summary: s.Network}
	card.Backing = backing
	card.Connectable = &types.VirtualDeviceConnectInfo{StartConnected: !s.Unplugged, AllowGuestControl: !s.Unplugged}
	card.AddressType, card.MacAddress = string(types.VirtualEthernetCardMacTypeManual), s.MAC
	return dev, nil
}

// networkOf is the network that a device is on, if it is an adapter.
func networkOf(d types.BaseVirtualDevice) (ref, bool) {
	card, ok := d.(types.BaseVirtualEthernetCard)
	if !ok {
		return ref{}, false
	}
	b, ok := card.GetVirtualEthernetCard().Backing.(*types.VirtualEthernetCardNetworkBackingInfo)
	if !ok || b.Network == nil {
		return ref{}, false
	}
	return *b.Network, true
}

package vcenter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// placement reads where a new VM goes. The host is one of the pool's cluster.
func (vc *VCenter) placement(pool ref, host *ref, folder ref) (at placement, f types.BaseMethodFault) {
	p, ok := vc.reg.Get(pool).(*simulator.ResourcePool)
	if !ok {
		return at, &types.InvalidArgument{InvalidProperty: "pool"}
	}
	if _, ok := vc.reg.Get(folder).(*simulator.Folder); !ok {
		return at, &types.InvalidArgument{InvalidProperty: "folder"}
	}
	at = placement{pool: p, host: vc.placeHost("", p), folder: folder}
	if host != nil {
		if at.host, ok = vc.reg.Get(*host).(*simulator.HostSystem); !ok || *at.host.Parent != p.Owner {
			return at, &types.InvalidArgument{InvalidProperty: "host"} // none, or of another cluster than the pool
		}
	}
	if at.host == nil {
		return at, new(types.NoCompatibleHost)
	}
	return at, hostFault(at.host)
}

// fromConfigSpec reads the API's description of a new VM. What it asks for and
// we have no word for is left out.
func (vc *VCenter) fromConfigSpec(c *types.VirtualMachineConfigSpec, pool ref, host *ref, folder ref) (*VMSpec, placement, types.BaseMethodFault) {
	at, f := vc.placement(pool, host, folder)
	if f != nil {
		return nil, at, f
	}
	s := &VMSpec{
		Name: c.Name, UUID: c.Uuid, InstanceUUID: c.InstanceUuid, GuestID: c.GuestId, Firmware: c.Firmware,
		CPUs: c.NumCPUs, MemoryMB: int32(c.MemoryMB), Annotation: c.Annotation, ExtraConfig: map[string]string{},
		ToolsStatus: string(types.VirtualMachineToolsVersionStatusGuestToolsNotInstalled),
	}
	if s.profile, _, f = vc.profileOf(c.VmProfile); f != nil {
		return nil, at, f
	}
	for _, o := range c.ExtraConfig {
		v := o.GetOptionValue()
		s.ExtraConfig[v.Key] = fmt.Sprint(v.Value)
	}
	if c.Files != nil {
		var p object.DatastorePath
		p.FromString(c.Files.VmPathName)
		home := vc.stores[p.Datastore]
		if home == nil || home.served != nil {
			return nil, at, &types.InvalidDatastorePath{DatastorePath: c.Files.VmPathName}
		}
		s.Home = p.Datastore
	}
	kinds := map[int32]string{keyIDE: "ide", keyIDE + 1: "ide"} // of the controllers that the spec adds
	for _, change := range c.DeviceChange {
		d := change.GetVirtualDeviceConfigSpec().Device
		if kind := controllerKind(d); kind != "" {
			kinds[d.GetVirtualDevice().Key] = kind
		}
	}
	for _, change := range c.DeviceChange {
		if f := vc.addToSpec(s, change.GetVirtualDeviceConfigSpec(), kinds); f != nil {
			return nil, at, f
		}
	}
	return s, at, nil
}

func (vc *VCenter) addToSpec(s *VMSpec, change *types.VirtualDeviceConfigSpec, kinds map[int32]string) types.BaseMethodFault {
	switch d := change.Device.(type) {
	case *types.VirtualDisk:
		spec, f := vc.diskSpec(d, change.FileOperation == "", kinds)
		if f == nil {
			spec.profile, _, f = vc.profileOf(change.Profile)
		}
		if f != nil {
			return f
		}
		s.Disks = append(s.Disks, spec)
	case types.BaseVirtualEthernetCard:
		spec, f := vc.nicSpec(d)
		if f != nil {
			return f
		}
		s.NICs = append(s.NICs, spec)
	case *types.VirtualCdrom:
		s.CDROMs++
	}
	return nil
}

func controllerKind(d types.BaseVirtualDevice) string {
	switch d.(type) {
	case *types.ParaVirtualSCSIController:
		return "pvscsi"
	case *types.VirtualLsiLogicSASController:
		return "lsilogic-sas"
	case *types.VirtualLsiLogicController:
		return "lsilogic"
	case *types.VirtualBusLogicController:
		return "buslogic"
	case *types.VirtualIDEController:
		return "ide"
	case *types.VirtualAHCIController:
		return "sata"
	case *types.VirtualNVMEController:
		return "nvme"
	}
	return ""
}

// diskSpec reads a disk. Without a file operation, a backing that names a file
// means the one that is there.
func (vc *VCenter) diskSpec(d *types.VirtualDisk, existing bool, kinds map[int32]string) (DiskSpec, types.BaseMethodFault) {
	s := DiskSpec{Capacity: max(d.CapacityInBytes, d.CapacityInKB*1024), Controller: kinds[d.ControllerKey]}
	if s.Controller == "" {
		return s, &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "deviceChange.device.controllerKey"}}
	}
	if b, ok := d.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		file := b.GetVirtualDeviceFileBackingInfo()
		var p object.DatastorePath
		p.FromString(file.FileName)
		s.Datastore = p.Datastore
		if existing {
			s.Path = p.Path
		}
		if file.Datastore != nil {
			if store := vc.storeOf(*file.Datastore); store != nil {
				s.Datastore = store.obj.Name
			}
		}
	}
	if s.Path == "" && s.Capacity <= 0 {
		return s, &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "deviceChange.device.capacityInBytes"}}
	}
	if flat, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
		s.Mode = flat.DiskMode
	}
	return s, nil
}

func (vc *VCenter) nicSpec(d types.BaseVirtualEthernetCard) (NICSpec, types.BaseMethodFault) {
	card := d.GetVirtualEthernetCard()
	s := NICSpec{Type: nicType(d), MAC: card.MacAddress, Unplugged: card.Connectable != nil && !card.Connectable.StartConnected}
	b, ok := card.Backing.(*types.VirtualEthernetCardNetworkBackingInfo)
	if !ok {
		return s, notSupported("only adapters on standard networks are simulated")
	}
	s.Network = b.DeviceName
	if _, ok := vc.networks[s.Network]; !ok && b.Network != nil {
		if n, found := vc.reg.Get(*b.Network).(*mo.Network); found {
			s.Network = n.Name
		}
	}
	if _, ok := vc.networks[s.Network]; !ok {
		return s, &types.InvalidDeviceBacking{InvalidDeviceSpec: types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "deviceChange.device.backing"}}}
	}
	return s, nil
}

// nicType is an adapter's type as NICSpec and vsphere.NIC name it.
func nicType(d types.BaseVirtualEthernetCard) string {
	switch d.(type) {
	case *types.VirtualVmxnet3:
		return "vmxnet3"
	case *types.VirtualVmxnet2:
		return "vmxnet2"
	case *types.VirtualE1000:
		return "e1000"
	case *types.VirtualE1000e:
		return "e1000e"
	case *types.VirtualPCNet32:
		return "pcnet32"
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", d), "*types.Virtual"))
}

// createMachine makes a VM that somebody asked for over the API: its name must
// be free, and its disks' declared use must fit.
func (vc *VCenter) createMachine(s *VMSpec, at placement) (*machine, types.BaseMethodFault) {
	if m := vc.byName[s.Name]; m != nil {
		return nil, &types.DuplicateName{Name: s.Name, Object: m.vm.Self}
	}
	if f := hostFault(at.host); f != nil { // it may have gone since it was asked for
		return nil, f
	}
	if f := vc.noRoom(s); f != nil {
		return nil, f
	}
	if f := vc.openDisks(s, at.host); f != nil {
		return nil, f
	}
	if err := vc.complete(s); err != nil {
		return nil, configFault(err)
	}
	m, err := vc.newMachine(s, at)
	if err != nil {
		return nil, configFault(err)
	}
	return m, nil
}

func configFault(err error) types.BaseMethodFault {
	var missing *NotFoundError
	f := &types.InvalidVmConfig{Property: "configSpec"}
	if errors.As(err, &missing) {
		f.Property = missing.Kind
	}
	return explained(f, err.Error())
}

// noRoom says that a datastore has too little free for what the disks declare
// to have in use.
func (vc *VCenter) noRoom(s *VMSpec) types.BaseMethodFault {
	need := map[string]int64{}
	for _, d := range s.Disks {
		need[d.Datastore] += d.Used
	}
	for _, store := range vc.storeList {
		if _, used := need[store.obj.Name]; used || store == vc.homeStore(s) {
			if f := store.trouble.fault(s.Name); f != nil {
				return f
			}
		}
		if name := store.obj.Name; need[name] > store.free() {
			f := &types.NoDiskSpace{FileFault: types.FileFault{File: fmt.Sprintf("[%s] %s", name, s.Name)}, Datastore: name}
			return explained(f, fmt.Sprintf("The operation failed because the datastore %s has %d bytes free and needs %d.", name, max(store.free(), 0), need[name]))
		}
	}
	return nil
}

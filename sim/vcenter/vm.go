package vcenter

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
)

// VMSpec describes a VM to add. Only Name is needed: the rest has defaults, and
// what identifies a VM (UUIDs, MACs, disk ids) is made from the site and the
// name, so that the same description makes the same VM.
type VMSpec struct {
	Name         string
	UUID         string // BIOS UUID
	InstanceUUID string
	GuestID      string // "otherGuest64" if ""
	Firmware     string // "bios" (default) or "efi"
	CPUs         int32  // 1 if 0
	MemoryMB     int32  // 1024 if 0
	Home         string // datastore of its own files; that of the first disk if ""
	Disks        []DiskSpec
	NICs         []NICSpec
	CDROMs       int
	ISO          bool // an image is in the first CD/DVD device, of which there is at least one
	USB          bool // a USB device is attached
	Passthrough  bool // a PCI passthrough device
	VTPM         bool

	Pool string // path as for AddPool; "" is the root pool of the first cluster
	Host string // "" spreads VMs over the hosts in turn

	On            bool
	Template      bool
	Connection    string // runtime.connectionState, "connected" if ""
	ToolsRunning  bool
	ToolsStatus   string // guest.toolsVersionStatus2, "guestToolsCurrent" if ""
	FaultTolerant bool
	Encrypted     bool

	Snapshots   []string // names, oldest first: a chain of which the last is current
	ExtraConfig map[string]string
	Annotation  string

	profile string // storage policy of its own files
}

// DiskSpec describes a virtual disk: either an existing Disk, or Capacity and
// Used to make one.
type DiskSpec struct {
	Disk       *disk.Disk
	ID         string // identity of the disk to make; from the VM's name and the disk's number if ""
	Capacity   int64  // bytes
	Used       int64  // bytes declared in use
	Controller string // "pvscsi" (default), "lsilogic", "lsilogic-sas", "buslogic", "ide", "sata", "nvme"
	Datastore  string // the first one if ""
	Path       string // in the datastore; in the VM's directory if ""
	Mode       string // "persistent" if ""
	Shared     bool   // multi-writer
	Raw        bool   // RDM

	base    string // the file that a linked clone's disk stands on: "[ds] db-01/db-01.vmdk"
	profile string // storage policy
}

// NICSpec describes a network adapter.
type NICSpec struct {
	Type    string // "vmxnet3" (default), "e1000", "e1000e", "pcnet32", "vmxnet2"
	Network string // "VM Network" if ""
	MAC     string // made from the VM's name if ""
	// Unplugged: it is not connected when the VM is powered on.
	Unplugged bool
}

// machine is what we know of a VM beside vcsim's object.
type machine struct {
	vm      *simulator.VirtualMachine
	disks   []*attached
	snaps   []*snapshot // by creation
	profile string      // storage policy of its own files; "" if none
	busy    *task       // the task that keeps others off
	lease   *lease      // the lease that keeps others off

	poweredOn types.BaseEvent // the newest that tells of it; nil if it never was since it is here
}

// attached is a disk of a VM.
type attached struct {
	key     int32 // of the virtual device
	disk    *disk.Disk
	store   *datastore
	path    string // in the datastore: "db-01/db-01.vmdk"
	base    string // the file that it stands on, if it is a linked clone's: "[ds] db-01/db-01.vmdk"
	charged int64  // bytes of the datastore that it takes
	profile string // storage policy; "" if none
}

// file is the disk's name as the API writes it.
func (a *attached) file() string { return fmt.Sprintf("[%s] %s", a.store.obj.Name, a.path) }

// size is what the disk's own files hold, in bytes.
func (a *attached) size() int64 {
	if a.base != "" {
		return a.disk.Own()
	}
	return a.disk.Used()
}

// AddVM adds a VM at once, without a task, and returns its reference. Adding n
// VMs takes time and memory in proportion to n.
func (vc *VCenter) AddVM(spec VMSpec) (vm ref, err error) {
	vc.do(func() {
		var m *machine
		if m, err = vc.addVM(&spec); err == nil {
			vm = m.vm.Self
		}
	})
	return vm, err
}

func (vc *VCenter) addVM(spec *VMSpec) (*machine, error) {
	if err := vc.complete(spec); err != nil {
		return nil, fmt.Errorf("adding VM %q: %w", spec.Name, err)
	}
	pool, err := vc.findPool(spec.Pool)
	if err != nil {
		return nil, fmt.Errorf("adding VM %q: %w", spec.Name, err)
	}
	place := placement{pool: pool, host: vc.placeHost(spec.Host, pool), folder: vc.dc.VmFolder}
	if place.host == nil {
		return nil, fmt.Errorf("adding VM %q: %w", spec.Name, &NotFoundError{"host", spec.Host})
	}
	m, err := vc.newMachine(spec, place)
	if err != nil {
		return nil, fmt.Errorf("adding VM %q: %w", spec.Name, err)
	}
	for _, name := range spec.Snapshots {
		if _, fault := vc.takeSnapshot(vc.ctx(), m, name, ""); fault != nil {
			return nil, fmt.Errorf("adding VM %q: its snapshot %q: %s", spec.Name, name, faultName(fault))
		}
	}
	vm := m.vm
	if spec.On {
		vc.setPower(vc.ctx(), m, types.VirtualMachinePowerStatePoweredOn)
	}
	if spec.ToolsRunning {
		vc.setGuest(m, GuestState{ToolsRunning: true, ToolsStatus: spec.ToolsStatus})
	}
	if spec.Template {
		vc.leavePool(vc.ctx(), m)
		vm.Config.Template, vm.Summary.Config.Template, vm.ResourcePool = true, true, nil
	}
	return m, nil
}

// complete fills in a spec's defaults and checks it.
func (vc *VCenter) complete(s *VMSpec) error {
	id := string(vc.config.Site) + "/" + s.Name
	setDefault(&s.UUID, nameUUID("vm/"+id))
	setDefault(&s.InstanceUUID, nameUUID("instance/"+id))
	setDefault(&s.GuestID, string(types.VirtualMachineGuestOsIdentifierOtherGuest64))
	setDefault(&s.Firmware, "bios")
	setDefault(&s.Connection, string(types.VirtualMachineConnectionStateConnected))
	setDefault(&s.ToolsStatus, string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent))
	setDefault(&s.CPUs, 1)
	setDefault(&s.MemoryMB, 1024)
	if s.Name == "" {
		return fmt.Errorf("a VM needs a name")
	}
	if vc.byName[s.Name] != nil {
		return &ExistsError{"VM", s.Name}
	}
	for i := range s.Disks {
		d := &s.Disks[i]
		setDefault(&d.Controller, "pvscsi")
		setDefault(&d.Mode, string(types.VirtualDiskModePersistent))
		setDefault(&d.ID, nameUUID(fmt.Sprintf("disk/%s/%d", id, i)))
		if d.Datastore == "" && len(vc.storeList) > 0 {
			d.Datastore = vc.storeList[0].obj.Name
		}
		if vc.stores[d.Datastore] == nil {
			return &NotFoundError{"datastore", d.Datastore}
		}
		if d.Disk == nil {
			if d.Capacity <= 0 {
				return fmt.Errorf("disk %d needs a capacity", i)
			}
			d.Disk = disk.New(d.ID, d.Capacity)
			d.Disk.SetUsed(d.Used)
		}
	}
	if s.ISO {
		s.CDROMs = max(s.CDROMs, 1)
	}
	for i := range s.NICs {
		n := &s.NICs[i]
		setDefault(&n.Type, "vmxnet3")
		setDefault(&n.Network, "VM Network")
		setDefault(&n.MAC, nameMAC(fmt.Sprintf("%s/%d", id, i)))
		if _, ok := vc.networks[n.Network]; !ok {
			return &NotFoundError{"network", n.Network}
		}
	}
	return nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// placement is where a new VM goes.
type placement struct {
	pool   *simulator.ResourcePool
	host   *simulator.HostSystem
	folder ref
}

// placeHost picks the named host, or the next one of the pool's cluster that is
// connected; if none is, the next one.
func (vc *VCenter) placeHost(name string, pool *simulator.ResourcePool) *simulator.HostSystem {
	if name != "" {
		return vc.hosts[name]
	}
	c, ok := vc.reg.Get(pool.Owner).(*simulator.ClusterComputeResource)
	if !ok || len(c.Host) == 0 {
		return nil
	}
	next := func(i int) *simulator.HostSystem {
		h, _ := vc.reg.Get(c.Host[(vc.created+i)%len(c.Host)]).(*simulator.HostSystem)
		return h
	}
	for i := range c.Host {
		if h := next(i); h != nil && hostFault(h) == nil {
			return h
		}
	}
	return next(0)
}

// newMachine makes the VM's object, powered off, and enters it everywhere. Its
// disks take space of their datastores; whether there is enough is the
// caller's to ask.
func (vc *VCenter) newMachine(s *VMSpec, at placement) (*machine, error) {
	dir := vc.directory(s.Name)
	store := vc.homeStore(s)
	if store == nil {
		return nil, &NotFoundError{"datastore", ""}
	}
	vm := &simulator.VirtualMachine{DataSets: map[string]*simulator.DataSet{}}
	vm.Self = ref{Type: "VirtualMachine"}
	vm.Name = s.Name
	m := &machine{vm: vm, profile: s.profile}
	vc.configure(vm, s, store, dir)
	if err := vc.addDevices(m, s, dir); err != nil {
		for _, a := range m.disks {
			a.store.release(a)
		}
		return nil, err
	}
	vm.ResourcePool, vm.EnvironmentBrowser = &at.pool.Self, vc.browserOf(at.pool)
	vm.Runtime = types.VirtualMachineRuntimeInfo{
		Host: &at.host.Self, PowerState: types.VirtualMachinePowerStatePoweredOff,
		ConnectionState:     types.VirtualMachineConnectionState(s.Connection),
		FaultToleranceState: types.VirtualMachineFaultToleranceStateNotConfigured,
	}
	if s.FaultTolerant {
		vm.Config.FtInfo = &types.FaultToleranceConfigInfo{Role: 1, InstanceUuids: []string{s.InstanceUUID}}
		vm.Runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateRunning
	}
	vm.Summary.Runtime = vm.Runtime
	vc.created++
	vc.putChild(at.folder, vm)

	at.pool.Vm = append(at.pool.Vm, vm.Self)
	at.host.Vm = append(at.host.Vm, vm.Self)
	vc.reference(m)
	vc.layout(m)
	vc.machines[vm.Self], vc.byName[s.Name] = m, m
	vc.order = append(vc.order, m)
	vc.changed(event.VMCreated, vc.subject(s.Name), "pool", at.pool.Name)
	return m, nil
}

// directory is a VM's directory in its datastores. Names that were taken once
// are not given again, as files of the earlier VM may still be there.
func (vc *VCenter) directory(name string) string {
	dir := strings.NewReplacer("/", "_", "\\", "_", "[", "(", "]", ")").Replace(name)
	taken := func(d string) bool {
		for _, s := range vc.storeList {
			if s.dirs[d] {
				return true
			}
		}
		return false
	}
	for i, base := 1, dir; taken(dir); i++ {
		dir = fmt.Sprintf("%s_%d", base, i)
	}
	return dir
}

// homeStore is the datastore of the VM's own files: the one that the spec says,
// or else that of its first disk.
func (vc *VCenter) homeStore(s *VMSpec) *datastore {
	if s.Home != "" {
		return vc.stores[s.Home]
	}
	if len(s.Disks) > 0 {
		return vc.stores[s.Disks[0].Datastore]
	}
	if len(vc.storeList) > 0 {
		return vc.storeList[0]
	}
	return nil
}

func (vc *VCenter) browserOf(pool *simulator.ResourcePool) ref {
	if c, ok := vc.reg.Get(pool.Owner).(*simulator.ClusterComputeResource); ok && c.EnvironmentBrowser != nil {
		return *c.EnvironmentBrowser
	}
	return ref{}
}

// What VMs share, since nothing here changes it.
var (
	defaultResources = types.DefaultResourceConfigSpec()
	oneCore          = int32(1)
)

// configure fills in what does not depend on devices.
func (vc *VCenter) configure(vm *simulator.VirtualMachine, s *VMSpec, store *datastore, dir string) {
	now := vc.now()
	store.dirs[dir] = true
	home := fmt.Sprintf("[%s] %s", store.obj.Name, dir)
	files := types.VirtualMachineFileInfo{VmPathName: home + "/" + dir + ".vmx", SnapshotDirectory: home, SuspendDirectory: home, LogDirectory: home}
	vm.Config = &types.VirtualMachineConfigInfo{
		Name: s.Name, Uuid: s.UUID, InstanceUuid: s.InstanceUUID, GuestId: s.GuestID, GuestFullName: s.GuestID,
		Firmware: s.Firmware, Annotation: s.Annotation, Version: hardwareVersion, Files: files, Modified: now, CreateDate: &now,
		ChangeVersion: "1", Tools: &types.ToolsConfigInfo{}, BootOptions: &types.VirtualMachineBootOptions{},
		Hardware:         types.VirtualHardware{NumCPU: s.CPUs, NumCoresPerSocket: &oneCore, MemoryMB: s.MemoryMB},
		MemoryAllocation: &defaultResources.MemoryAllocation, CpuAllocation: &defaultResources.CpuAllocation,
		ExtraConfig: extraConfig(s.ExtraConfig),
	}
	if s.Encrypted {
		vm.Config.KeyId = &types.CryptoKeyId{KeyId: nameUUID("key/" + s.UUID)}
	}
	vm.Guest = &types.GuestInfo{
		GuestId: s.GuestID, ToolsRunningStatus: string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning),
		ToolsVersionStatus2: s.ToolsStatus, ToolsVersionStatus: s.ToolsStatus, ToolsStatus: types.VirtualMachineToolsStatusToolsNotRunning,
		GuestState: string(types.VirtualMachineGuestStateNotRunning),
	}
	if s.ToolsStatus == string(types.VirtualMachineToolsVersionStatusGuestToolsNotInstalled) {
		vm.Guest.ToolsStatus = types.VirtualMachineToolsStatusToolsNotInstalled
	}
	vm.Summary = types.VirtualMachineSummary{
		Vm: &vm.Self, OverallStatus: types.ManagedEntityStatusGreen,
		Config: types.VirtualMachineConfigSummary{
			Name: s.Name, VmPathName: files.VmPathName, MemorySizeMB: s.MemoryMB, NumCpu: s.CPUs, Uuid: s.UUID,
			InstanceUuid: s.InstanceUUID, GuestId: s.GuestID, GuestFullName: s.GuestID, Annotation: s.Annotation, HwVersion: hardwareVersion,
		},
		Guest: &types.VirtualMachineGuestSummary{
			GuestId: s.GuestID, ToolsStatus: vm.Guest.ToolsStatus, ToolsRunningStatus: vm.Guest.ToolsRunningStatus,
			ToolsVersionStatus2: s.ToolsStatus, ToolsVersionStatus: s.ToolsStatus,
		},
	}
	vm.Layout = &types.VirtualMachineFileLayout{}
}

func extraConfig(m map[string]string) (list []types.BaseOptionValue) {
	for _, k := range sortedKeys(m) {
		list = append(list, &types.OptionValue{Key: k, Value: m[k]})
	}
	return list
}

// reference enters the VM in its datastores and networks.
func (vc *VCenter) reference(m *machine) {
	vm := m.vm
	seen := map[ref]bool{}
	enter := func(list *[]ref, r ref, there *[]ref) {
		if !seen[r] {
			seen[r] = true
			*list = append(*list, r)
			*there = append(*there, vm.Self)
		}
	}
	for _, a := range m.disks {
		enter(&vm.Datastore, a.store.obj.Self, &a.store.obj.Vm)
	}
	for _, d := range vm.Config.Hardware.Device {
		if r, ok := networkOf(d); ok {
			n := vc.reg.Get(r).(*mo.Network)
			enter(&vm.Network, r, &n.Vm)
		}
	}
}

// forget removes the VM from everywhere. Its disks are gone with it.
func (vc *VCenter) forget(ctx *simulator.Context, m *machine) {
	vm := m.vm
	for _, a := range m.disks {
		a.store.release(a)
	}
	for _, s := range m.snaps {
		vc.reg.Remove(ctx, s.ref)
	}
	vc.leavePool(ctx, m)
	if h, ok := vc.reg.Get(*vm.Runtime.Host).(*simulator.HostSystem); ok {
		vc.update(ctx, h, set("vm", without(h.Vm, vm.Self)))
	}
	for _, r := range vm.Datastore {
		ds := vc.reg.Get(r).(*simulator.Datastore)
		vc.update(ctx, ds, set("vm", without(ds.Vm, vm.Self)))
	}
	for _, r := range vm.Network {
		n := vc.reg.Get(r).(*mo.Network)
		vc.update(ctx, n, set("vm", without(n.Vm, vm.Self)))
	}
	f := vc.reg.Get(*vm.Parent).(*simulator.Folder)
	vc.update(ctx, f, set("childEntity", without(f.ChildEntity, vm.Self)))
	vc.reg.Remove(ctx, vm.Self)
	delete(vc.machines, vm.Self)
	delete(vc.byName, vm.Name)
	for i, o := range vc.order {
		if o == m {
			vc.order = append(vc.order[:i:i], vc.order[i+1:]...)
			break
		}
	}
	vc.changed(event.VMDestroyed, vc.subject(vm.Name))
}

package vsphere

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// NewVM describes a VM to make.
type NewVM struct {
	Name      string
	Mark      string // MarkMade of the VM
	Pool      Ref
	Host      Ref    // "": the vCenter chooses
	Folder    Ref    // "": the VM folder of the pool's datacenter
	Datastore string // of the VM's own files, by name
	GuestID   string // "otherGuest64" if ""
	Firmware  string // "bios" if "", or "efi"
	CPUs      int32
	MemoryMB  int32
	Disks     []NewDisk
	NICs      []NewNIC
	Extra     map[string]string // extraConfig besides the mark
	BIOSUUID  string            // "": as the vCenter makes it
}

// NewDisk is a disk of a VM to make: a file that is there, or a new one.
type NewDisk struct {
	Controller string // as in Disk; "pvscsi" if ""
	Path       string // "[datastore] folder/file.vmdk": that file; "": a new thin disk
	Capacity   int64  // bytes, of a new one
	Datastore  string // of a new one, by name; that of the VM if ""
}

// NewNIC is a network adapter of a VM to make. It connects at power on.
type NewNIC struct {
	Network string
	Adapter string // "vmxnet3" if ""
	MAC     string // "": as the vCenter makes it
}

// EnsureVM makes a VM that is off, unless there is one with this mark.
func (s *Session) EnsureVM(ctx context.Context, spec NewVM) (Ref, error) {
	const op = "create"
	object := strconv.Quote(spec.Name)
	if spec.Mark == "" {
		return "", s.refuse(op, object, "it is to have no mark to be found by", "")
	}
	folder, err := s.vmFolder(ctx, spec.Folder, spec.Pool)
	if err != nil {
		return "", s.fail(op, object, err, reads)
	}
	// One that was ordered before and is still being made has no mark to be found
	// by yet.
	if err := s.settleCreations(ctx, folder); err != nil {
		return "", err
	}
	if vm, err := s.made(ctx, spec.Mark); vm != "" || err != nil {
		return vm, err
	}
	config, err := s.configOf(ctx, spec)
	if err != nil {
		return "", s.fail(op, object, err, reads)
	}
	req := types.CreateVM_Task{This: folder, Config: *config, Pool: spec.Pool.managed()}
	if spec.Host != "" {
		host := spec.Host.managed()
		req.Host = &host
	}
	res, err := methods.CreateVM_Task(ctx, s.vim, &req)
	if err != nil {
		return "", s.fail(op, object, err, changes)
	}
	return s.awaitVM(ctx, op, object, res.Returnval)
}

// configOf is the VM as the API wants it described.
func (s *Session) configOf(ctx context.Context, spec NewVM) (*types.VirtualMachineConfigSpec, error) {
	config := &types.VirtualMachineConfigSpec{
		Name: spec.Name, Uuid: spec.BIOSUUID, NumCPUs: spec.CPUs, MemoryMB: int64(spec.MemoryMB),
		GuestId:  cmp.Or(spec.GuestID, string(types.VirtualMachineGuestOsIdentifierOtherGuest64)),
		Firmware: cmp.Or(spec.Firmware, string(types.GuestOsDescriptorFirmwareTypeBios)),
		Files:    &types.VirtualMachineFileInfo{VmPathName: inDatastore(spec.Datastore)},
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Extra)) {
		config.ExtraConfig = append(config.ExtraConfig, option(key, spec.Extra[key]))
	}
	config.ExtraConfig = append(config.ExtraConfig, option(MarkMade, spec.Mark))
	if _, err := s.datastore(ctx, spec.Datastore); err != nil {
		return nil, err
	}
	devices := newDevices{}
	for i, d := range spec.Disks {
		if err := devices.addDisk(d, spec.Datastore); err != nil {
			return nil, s.refuse("create", strconv.Quote(spec.Name), fmt.Sprintf("its disk %d: %v", i+1, err), "")
		}
	}
	networks, err := s.networks(ctx)
	if err != nil {
		return nil, err
	}
	for i, n := range spec.NICs {
		change, err := s.nicChange(ctx, networks, nil, &NICPlan{Network: n.Network, Type: n.Adapter, MAC: n.MAC}, i, false)
		if err != nil {
			return nil, err
		}
		devices.list = append(devices.list, change...)
	}
	config.DeviceChange = devices.list
	return config, nil
}

func inDatastore(name string) string { return "[" + name + "]" }

// newDevices gives the devices of a VM to make their keys, which are temporary
// and negative: the vCenter gives the real ones. Adapters have those from -1 on.
type newDevices struct {
	list  []types.BaseVirtualDeviceConfigSpec
	buses []newBus
	disks int32
}

// newBus is a disk controller that is being filled.
type newBus struct {
	kind string
	key  int32
	used int32 // unit numbers given
}

// Temporary keys, far apart.
const (
	firstBusKey  = -1000
	firstDiskKey = -2000
	ideKey       = 200 // of the first of the two that every VM has
)

// newController makes a disk controller of a kind; units is how many unit
// numbers it has. IDE controllers are there already.
func newController(kind string, c types.VirtualController) (device types.BaseVirtualDevice, units int32, ok bool) {
	scsi := types.VirtualSCSIController{VirtualController: c, SharedBus: types.VirtualSCSISharingNoSharing}
	switch kind {
	case "pvscsi":
		return &types.ParaVirtualSCSIController{VirtualSCSIController: scsi}, 16, true
	case "lsilogic":
		return &types.VirtualLsiLogicController{VirtualSCSIController: scsi}, 16, true
	case "lsilogic-sas":
		return &types.VirtualLsiLogicSASController{VirtualSCSIController: scsi}, 16, true
	case "buslogic":
		return &types.VirtualBusLogicController{VirtualSCSIController: scsi}, 16, true
	case "sata":
		return &types.VirtualAHCIController{VirtualSATAController: types.VirtualSATAController{VirtualController: c}}, 30, true
	case "nvme":
		return &types.VirtualNVMEController{VirtualController: c}, 15, true
	case "ide":
		return nil, 2, true
	}
	return nil, 0, false
}

// The unit of a SCSI controller that is the controller itself, and how many
// controllers of a kind a VM can have.
const (
	scsiSelf       = 7
	maxControllers = 4
)

// place finds a free unit on a controller of that kind, or adds one.
func (n *newDevices) place(kind string) (key, unit int32, err error) {
	_, units, ok := newController(kind, types.VirtualController{})
	if !ok {
		return 0, 0, fmt.Errorf("there is no disk controller %q", kind)
	}
	at, number := -1, int32(0)
	for i, b := range n.buses {
		if sameBus(b.kind, kind) {
			number++
		}
		if b.kind == kind && b.used < units {
			at = i
		}
	}
	if at < 0 {
		if number >= maxControllers || kind == "ide" && number >= 2 {
			return 0, 0, fmt.Errorf("the VM has no room for another on a controller %q", kind)
		}
		b := newBus{kind: kind, key: firstBusKey - int32(len(n.buses))}
		if kind == "ide" {
			b.key = ideKey + number
		} else {
			c, _, _ := newController(kind, types.VirtualController{VirtualDevice: types.VirtualDevice{Key: b.key}, BusNumber: number})
			n.list = append(n.list, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: c})
		}
		n.buses = append(n.buses, b)
		at = len(n.buses) - 1
	}
	b := &n.buses[at]
	if isSCSI(kind) && b.used == scsiSelf {
		b.used++
	}
	unit = b.used
	b.used++
	return b.key, unit, nil
}

func isSCSI(kind string) bool { return kind != "ide" && kind != "sata" && kind != "nvme" }

// sameBus says whether two kinds of controller share their numbers.
func sameBus(a, b string) bool { return a == b || isSCSI(a) && isSCSI(b) }

func (n *newDevices) addDisk(d NewDisk, home string) error {
	if (d.Path == "") == (d.Capacity <= 0) {
		return fmt.Errorf("it needs the path of a file or a capacity, and has path %q and %d bytes", d.Path, d.Capacity)
	}
	key, unit, err := n.place(cmp.Or(d.Controller, "pvscsi"))
	if err != nil {
		return err
	}
	backing := &types.VirtualDiskFlatVer2BackingInfo{DiskMode: string(types.VirtualDiskModePersistent)}
	disk := &types.VirtualDisk{CapacityInBytes: d.Capacity, CapacityInKB: d.Capacity / 1024}
	disk.Key, disk.ControllerKey, disk.UnitNumber, disk.Backing = firstDiskKey-n.disks, key, &unit, backing
	n.disks++
	change := &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: disk}
	if backing.FileName = d.Path; d.Path == "" {
		backing.FileName, backing.ThinProvisioned = inDatastore(cmp.Or(d.Datastore, home)), types.NewBool(true)
		change.FileOperation = types.VirtualDeviceConfigSpecFileOperationCreate
	}
	n.list = append(n.list, change)
	return nil
}

// made is the VM that HDM made with that mark; "" if there is none.
func (s *Session) made(ctx context.Context, mark string) (Ref, error) {
	found, err := s.withMark(ctx, MarkMade, mark)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return refOf(found[0]), nil
}

// awaitVM waits for a task whose result is a VM.
func (s *Session) awaitVM(ctx context.Context, op, object string, task types.ManagedObjectReference) (Ref, error) {
	info, err := s.awaitInfo(ctx, op, object, task)
	if err != nil {
		return "", err
	}
	vm, ok := info.Result.(types.ManagedObjectReference)
	if !ok {
		return "", s.retry(op, object, "its task ended well, but does not name the VM", "")
	}
	return refOf(vm), nil
}

// settleCreations waits for the VMs that HDM's user is having made in a folder
// now. A call of another session cannot add to them: whoever creates has the
// mark to himself.
func (s *Session) settleCreations(ctx context.Context, folder types.ManagedObjectReference) error {
	op, object := "settle", string(refOf(folder))
	var f mo.Folder
	if err := s.one(ctx, folder, &f, "recentTask"); err != nil {
		return s.fail(op, object, err, reads)
	}
	ours := f.RecentTask
	quiet, err := s.poll(ctx, settlePatience, func() (bool, error) {
		infos, err := s.taskInfos(ctx, ours)
		ours = nil
		for _, i := range infos {
			by, ok := i.Reason.(*types.TaskReasonUser)
			if ok && by.UserName == s.user && strings.EqualFold(i.DescriptionId, "Folder.createVm") && !ended(i) {
				ours = append(ours, i.Task)
			}
		}
		return len(ours) == 0, err
	})
	switch {
	case err != nil:
		return s.fail(op, object, err, reads)
	case !quiet:
		return s.retry(op, object, "a VM that is being created there is not ready in "+settlePatience.String(),
			"look at the folder's recent tasks in the vCenter and end what hangs")
	}
	return nil
}

package vsphere

import (
	"cmp"
	"context"
	"slices"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// vmPaths is all that a VM holds, and no more: an inventory of 10,000 VMs
// reads it of each.
var vmPaths = []string{
	"name", "parent", "resourcePool", "snapshot", "layoutEx.file", "layoutEx.disk",
	"config.uuid", "config.instanceUuid", "config.template", "config.guestId", "config.guestFullName", "config.firmware",
	"config.hardware.numCPU", "config.hardware.memoryMB", "config.hardware.device",
	"config.extraConfig", "config.keyId", "config.ftInfo",
	"runtime.powerState", "runtime.connectionState", "runtime.host",
	"guest.toolsRunningStatus", "guest.toolsVersionStatus2", "guest.hostName", "guest.ipAddress", "guest.net", "guest.disk",
}

// Inventory lists every VM and template of the vCenter, by name.
func (s *Session) Inventory(ctx context.Context) ([]VM, error) {
	const op, object = "list", "VMs"
	content, err := s.under(ctx, toVMs(), types.PropertySpec{Type: "VirtualMachine", PathSet: vmPaths})
	if err != nil {
		return nil, s.fail(op, object, err, reads)
	}
	var found []mo.VirtualMachine
	if err := mo.LoadObjectContent(content, &found); err != nil {
		return nil, s.fail(op, object, err, reads)
	}
	groups, err := s.portgroups(ctx, found)
	if err != nil {
		return nil, s.fail(op, object, err, reads)
	}
	vms := make([]VM, 0, len(found))
	for i := range found {
		vms = append(vms, describeVM(&found[i], groups))
	}
	slices.SortFunc(vms, byName)
	return vms, nil
}

// byName orders VMs: names are not unique in a vCenter, references are.
func byName(a, b VM) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) }

// VM reads one VM.
func (s *Session) VM(ctx context.Context, ref Ref) (VM, error) {
	var v mo.VirtualMachine
	if err := s.one(ctx, ref.managed(), &v, vmPaths...); err != nil {
		return VM{}, s.fail("read", string(ref), err, reads)
	}
	groups, err := s.portgroups(ctx, []mo.VirtualMachine{v})
	if err != nil {
		return VM{}, s.fail("read", string(ref), err, reads)
	}
	return describeVM(&v, groups), nil
}

// portgroups maps the keys of distributed port groups to their names. It asks
// only if a VM uses one.
func (s *Session) portgroups(ctx context.Context, vms []mo.VirtualMachine) (map[string]string, error) {
	if !slices.ContainsFunc(vms, usesPortgroups) {
		return nil, nil
	}
	content, err := s.under(ctx, toResources(), types.PropertySpec{
		Type: "DistributedVirtualPortgroup", PathSet: []string{"key", "name"},
	})
	if err != nil {
		return nil, err
	}
	var groups []mo.DistributedVirtualPortgroup
	if err := mo.LoadObjectContent(content, &groups); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, g := range groups {
		names[g.Key] = g.Name
	}
	return names, nil
}

// describeVM turns vSphere's answer into ours. What an inaccessible VM does
// not tell stays empty.
func describeVM(v *mo.VirtualMachine, portgroups map[string]string) VM {
	vm := VM{
		Ref: refOf(v.Self), Name: v.Name,
		Power: Power(v.Runtime.PowerState), Connection: string(v.Runtime.ConnectionState),
		Snapshots: snapshotTree(v.Snapshot),
		Pool:      refOfPtr(v.ResourcePool), Host: refOfPtr(v.Runtime.Host), Folder: refOfPtr(v.Parent),
		Marks: map[string]string{},
	}
	if v.Guest != nil {
		vm.ToolsRunning = v.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
		vm.ToolsStatus, vm.HostName = v.Guest.ToolsVersionStatus2, v.Guest.HostName
		vm.IPs = addresses(v.Guest)
		for _, d := range v.Guest.Disk {
			vm.GuestDisks = append(vm.GuestDisks, GuestDisk{Path: d.DiskPath, Capacity: d.Capacity, Free: d.FreeSpace})
		}
	}
	c := v.Config
	if c == nil {
		return vm
	}
	vm.BIOSUUID, vm.InstanceUUID = c.Uuid, c.InstanceUuid
	vm.Template, vm.GuestID, vm.GuestName, vm.Firmware = c.Template, c.GuestId, c.GuestFullName, c.Firmware
	vm.CPUs, vm.MemoryMB = c.Hardware.NumCPU, c.Hardware.MemoryMB
	vm.Encrypted, vm.FaultTolerant = c.KeyId != nil, c.FtInfo != nil
	vm.Marks = marks(c.ExtraConfig)
	describeDevices(&vm, c.Hardware.Device, usedBytes(v.LayoutEx), portgroups)
	return vm
}

// addresses are the guest's, adapter by adapter, each once.
func addresses(g *types.GuestInfo) (ips []string) {
	for _, n := range g.Net {
		ips = append(ips, n.IpAddress...)
	}
	if g.IpAddress != "" && !slices.Contains(ips, g.IpAddress) {
		ips = append(ips, g.IpAddress)
	}
	return ips
}

// usedBytes is the size of each disk's files on its datastore, by device key.
func usedBytes(layout *types.VirtualMachineFileLayoutEx) map[int32]int64 {
	if layout == nil {
		return nil
	}
	sizes := make(map[int32]int64, len(layout.File))
	for _, f := range layout.File {
		sizes[f.Key] = f.Size
	}
	used := make(map[int32]int64, len(layout.Disk))
	for _, d := range layout.Disk {
		for _, link := range d.Chain {
			for _, key := range link.FileKey {
				used[d.Key] += sizes[key]
			}
		}
	}
	return used
}

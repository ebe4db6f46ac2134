package vcenter

import (
	"slices"

	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
)

// VM is the truth about a VM, without an API call.
type VM struct {
	Ref          ref
	Name         string
	UUID         string
	InstanceUUID string
	GuestID      string
	Firmware     string
	CPUs         int32
	MemoryMB     int32
	Power        vsphere.Power
	Connection   string
	Template     bool
	ToolsRunning bool
	ToolsStatus  string
	Pool         string // path below the cluster's root pool; "" is the root
	Host         string
	Disks        []Disk
	NICs         []vsphere.NIC
	Snapshots    []Snapshot        // by creation
	Marks        map[string]string // extraConfig keys that begin with "hdm."
	Busy         bool              // a task or a lease keeps others off
}

// Disk is a virtual disk of a VM.
type Disk struct {
	Key        int32
	Label      string
	Controller string
	Datastore  string
	Path       string // in the datastore: "db-01/db-01.vmdk"
	Served     bool   // the datastore is served: Disk is what Config.Backing opened
	Disk       *disk.Disk
	Policy     string // name of its storage policy; "" if it has none
}

// Snapshot is one of a VM's.
type Snapshot struct {
	Name        string
	Description string
	Parent      string // name; "" for a root
	Current     bool
}

// VMsOf are the names of the VMs that are, have a snapshot that is, or are on a
// host that is, one of these objects ("VirtualMachine:vm-42"), by creation.
func (vc *VCenter) VMsOf(objects ...string) (names []string) {
	vc.do(func() {
		for _, m := range vc.order {
			is := slices.Contains(objects, m.vm.Self.String()) || slices.Contains(objects, m.vm.Runtime.Host.String())
			for _, s := range m.snaps {
				is = is || slices.Contains(objects, s.ref.String())
			}
			if is {
				names = append(names, m.vm.Name)
			}
		}
	})
	return names
}

// VMs are all VMs, by creation.
func (vc *VCenter) VMs() (list []VM) {
	vc.do(func() {
		list = make([]VM, len(vc.order))
		for i, m := range vc.order {
			list[i] = vc.truth(m)
		}
	})
	return list
}

// VM is the VM of that name.
func (vc *VCenter) VM(name string) (vm VM, ok bool) {
	vc.do(func() {
		if m := vc.byName[name]; m != nil {
			vm, ok = vc.truth(m), true
		}
	})
	return vm, ok
}

func (vc *VCenter) truth(m *machine) VM {
	o := m.vm
	vm := VM{
		Ref: o.Self, Name: o.Name, UUID: o.Config.Uuid, InstanceUUID: o.Config.InstanceUuid, GuestID: o.Config.GuestId,
		Firmware: o.Config.Firmware, CPUs: o.Config.Hardware.NumCPU, MemoryMB: o.Config.Hardware.MemoryMB,
		Power: vsphere.Power(o.Runtime.PowerState), Connection: string(o.Runtime.ConnectionState), Template: o.Config.Template,
		ToolsRunning: o.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning),
		ToolsStatus:  o.Guest.ToolsVersionStatus2, Pool: vc.poolPath(o.ResourcePool), Marks: marks(o), Busy: m.busyFault() != nil,
	}
	if h, ok := vc.reg.Get(*o.Runtime.Host).(*simulator.HostSystem); ok {
		vm.Host = h.Name
	}
	devices := object.VirtualDeviceList(o.Config.Hardware.Device)
	for _, a := range m.disks {
		d := devices.FindByKey(a.key).GetVirtualDevice()
		vm.Disks = append(vm.Disks, Disk{
			Key: a.key, Label: d.DeviceInfo.GetDescription().Label, Controller: controllerKind(devices.FindByKey(d.ControllerKey)),
			Datastore: a.store.obj.Name, Path: a.path, Served: a.store.served != nil, Disk: a.disk, Policy: vc.policies.name(a.profile),
		})
	}
	for _, d := range devices {
		if card, ok := d.(types.BaseVirtualEthernetCard); ok {
			vm.NICs = append(vm.NICs, vc.nicTruth(card))
		}
	}
	current := m.current()
	for _, s := range m.snaps {
		t := Snapshot{Name: s.name, Description: s.description, Current: s == current}
		if s.parent != nil {
			t.Parent = s.parent.name
		}
		vm.Snapshots = append(vm.Snapshots, t)
	}
	return vm
}

func (vc *VCenter) nicTruth(d types.BaseVirtualEthernetCard) vsphere.NIC {
	c := d.GetVirtualEthernetCard()
	n := vsphere.NIC{Key: c.Key, Label: c.DeviceInfo.GetDescription().Label, Type: nicType(d), MAC: c.MacAddress}
	if b, ok := c.Backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
		n.Network = b.DeviceName
	}
	n.Connected = c.Connectable != nil && c.Connectable.Connected
	return n
}

func marks(o *simulator.VirtualMachine) map[string]string {
	var m map[string]string
	for _, v := range o.Config.ExtraConfig {
		kv := v.GetOptionValue()
		if text, ok := kv.Value.(string); ok && strings.HasPrefix(kv.Key, "hdm.") {
			if m == nil {
				m = map[string]string{}
			}
			m[kv.Key] = text
		}
	}
	return m
}

// Task is a task as it is now.
type Task struct {
	ID          string
	Method      string // "PowerOnVM_Task", "ExportVm", or an extension's task type
	Entity      string // name
	State       vsphere.TaskState
	Progress    int32
	Description string
	Cancelled   bool   // somebody asked for it
	Error       string // the fault's type and message, if State is error
}

// Tasks are all that were started, oldest first, as far back as is kept.
func (vc *VCenter) Tasks() (list []Task) {
	vc.do(func() {
		for _, t := range vc.taskList {
			list = append(list, t.told())
		}
	})
	return list
}

// RunningTasks are those of Tasks that run.
func (vc *VCenter) RunningTasks() (list []Task) {
	vc.do(func() {
		for _, t := range vc.taskList {
			if t.obj.Info.State == types.TaskInfoStateRunning {
				list = append(list, t.told())
			}
		}
	})
	return list
}

func (t *task) told() Task {
	i := &t.obj.Info
	task := Task{
		ID: i.Key, Method: t.method, Entity: t.name, State: vsphere.TaskState(i.State), Progress: i.Progress, Cancelled: i.Cancelled,
	}
	if i.Description != nil {
		task.Description = i.Description.Message
	}
	if i.Error != nil && i.Error.Fault != nil {
		task.Error = faultName(i.Error.Fault) + ": " + i.Error.LocalizedMessage
	}
	return task
}

// Pools are the paths of all pools below the root pools, in order of creation
// below each.
func (vc *VCenter) Pools() (paths []string) {
	vc.do(func() {
		var walk func(r ref)
		walk = func(r ref) {
			p, ok := vc.reg.Get(r).(*simulator.ResourcePool)
			if !ok {
				return
			}
			if path := vc.poolPath(&r); path != "" {
				paths = append(paths, path)
			}
			for _, child := range p.ResourcePool.ResourcePool {
				walk(child)
			}
		}
		folder := vc.reg.Get(vc.dc.HostFolder).(*simulator.Folder)
		for _, r := range folder.ChildEntity {
			if c, ok := vc.reg.Get(r).(*simulator.ClusterComputeResource); ok {
				walk(*c.ResourcePool)
			}
		}
	})
	return paths
}

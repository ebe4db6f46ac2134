package vcenter

import (
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
)

// GuestState is what VMware Tools tell of a guest.
type GuestState struct {
	ToolsRunning bool
	ToolsStatus  string // guest.toolsVersionStatus2; as it was if ""
	HostName     string
	IPAddress    string
	Disks        []vsphere.GuestDisk
}

// SetGuest tells what the guest of a VM is like now. A VM that is powered off
// has no tools running, whatever is said here.
func (vc *VCenter) SetGuest(vm string, g GuestState) (err error) {
	vc.do(func() {
		m := vc.byName[vm]
		if m == nil {
			err = &NotFoundError{"VM", vm}
			return
		}
		g.ToolsRunning = g.ToolsRunning && m.vm.Runtime.PowerState == poweredOn
		vc.setGuest(m, g)
	})
	return err
}

func (vc *VCenter) setGuest(m *machine, g GuestState) {
	vm := m.vm
	running, status, state := types.VirtualMachineToolsRunningStatusGuestToolsNotRunning, types.VirtualMachineToolsStatusToolsNotRunning, types.VirtualMachineGuestStateNotRunning
	if g.ToolsRunning {
		running, status, state = types.VirtualMachineToolsRunningStatusGuestToolsRunning, types.VirtualMachineToolsStatusToolsOk, types.VirtualMachineGuestStateRunning
	}
	version := g.ToolsStatus
	setDefault(&version, vm.Guest.ToolsVersionStatus2)
	if !g.ToolsRunning && version == string(types.VirtualMachineToolsVersionStatusGuestToolsNotInstalled) {
		status = types.VirtualMachineToolsStatusToolsNotInstalled
	}
	var disks []types.GuestDiskInfo
	for _, d := range g.Disks {
		disks = append(disks, types.GuestDiskInfo{DiskPath: d.Path, Capacity: d.Capacity, FreeSpace: d.Free})
	}
	ctx := vc.ctx()
	ctx.WithLock(vm, func() {
		ready := g.ToolsRunning
		vm.Guest.GuestOperationsReady = &ready // Update cannot set a *bool
		ctx.Update(vm, []types.PropertyChange{
			set("guest.toolsRunningStatus", string(running)), set("summary.guest.toolsRunningStatus", string(running)),
			set("guest.toolsStatus", status), set("summary.guest.toolsStatus", status),
			set("guest.toolsVersionStatus", version), set("guest.toolsVersionStatus2", version),
			set("summary.guest.toolsVersionStatus", version), set("summary.guest.toolsVersionStatus2", version),
			set("guest.guestState", string(state)),
			set("guest.disk", disks),
			set("guest.hostName", g.HostName), set("summary.guest.hostName", g.HostName),
			set("guest.ipAddress", g.IPAddress), set("summary.guest.ipAddress", g.IPAddress),
		})
	})
}

// GuestHalted tells that the guest of a VM has shut itself down: the VM is
// powered off, now and without a task.
func (vc *VCenter) GuestHalted(vm string) (err error) {
	vc.do(func() {
		m := vc.byName[vm]
		if m == nil {
			err = &NotFoundError{"VM", vm}
			return
		}
		vc.setPower(vc.ctx(), m, poweredOff)
	})
	return err
}

// SetVMConnection makes a VM's host say that it is "connected", "disconnected",
// "orphaned" or "inaccessible".
func (vc *VCenter) SetVMConnection(vm string, state types.VirtualMachineConnectionState) (err error) {
	vc.do(func() {
		m := vc.byName[vm]
		if m == nil {
			err = &NotFoundError{"VM", vm}
			return
		}
		vc.update(vc.ctx(), m.vm, set("runtime.connectionState", state), set("summary.runtime.connectionState", state))
	})
	return err
}

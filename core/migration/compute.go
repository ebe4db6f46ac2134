package migration

import (
	"slices"
	"unicode/utf8"

	"github.com/hdm-project/hdm/core/prepare"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Names of what HDM makes of a VM until it is committed: the suffix is the
// product's, and it says whose the VM is.
const suffix = " ARM"

// ComputeName is the name of the VM that runs in the cloud on the cloud cache.
func ComputeName(vm string) string { return vm + suffix }

// ImageName is the name of the VM in the cloud that the data are transferred to.
func ImageName(vm string) string { return vm + suffix + " image" }

// CloneName is the name of the linked clone on premises. It has "hdm" in it, so
// that nobody is offered to migrate it.
func CloneName(vm string) string { return vm + "_hdm_clone" }

// TrialName is the name of the linked clone on premises by which is tried whether
// a VM boots.
func TrialName(vm string) string { return vm + "_hdm_trial" }

// provisioned is the size of a VM's disks, in bytes.
func provisioned(vm vsphere.VM) (sum int64) {
	for _, d := range vm.Disks {
		sum += d.Capacity
	}
	return sum
}

func machineOf(vm vsphere.VM) Machine {
	m := Machine{GuestID: vm.GuestID, Firmware: vm.Firmware, CPUs: vm.CPUs, MemoryMB: vm.MemoryMB}
	for _, d := range vm.Disks {
		m.Disks = append(m.Disks, Disk{d.Key, d.Capacity, d.Controller})
	}
	return m
}

// maxVMName is the longest name that vSphere gives a VM, in characters.
const maxVMName = 80

// cloudCache is what a VM must meet that is to run on a cloud cache: what prepare
// checks, all of it at once (WARM-02, PRE-18).
func (a *assessment) cloudCache() {
	for _, f := range prepare.Checks(a.vm) {
		if !f.Warning {
			a.refuse(f.Code, f.Fix, "%s", f.What)
		}
	}
	if n := utf8.RuneCountInString(ImageName(a.vm.Name)); n > maxVMName {
		a.refuse(CodeName, "rename the VM", "%s: with what HDM adds to it its name has %d characters, more than %d", a.vm.Name, n, maxVMName)
	}
}

// AssessBack says what stands against bringing a VM back: its VM on premises
// must be off in the migrate pool, and its compute VM in the cloud (BACK-01). An
// image that runs is the VM: what would come back is older.
func AssessBack(m Migration, source, compute, image vsphere.VM, pools []vsphere.Pool) []Reason {
	var against []Reason
	a := &assessment{sites: Sites{PremisesPools: pools}, vm: source}
	if !a.migrated() {
		against = append(against, Reason{CodeNotMigrated, m.Plan.Name + " is not in " + MigratePool, "move it there if it is the one that was migrated"})
	}
	if source.Power != vsphere.Off {
		against = append(against, Reason{CodePower, m.Plan.Name + " is on, on premises", "power it off there"})
	}
	if compute.Ref == "" {
		against = append(against, Reason{CodeNotMigrated, "the cloud has no VM of " + m.Plan.Name, "restore " + m.Snapshot + " on premises"})
	}
	if image.Ref != "" && image.Power != vsphere.Off {
		against = append(against, Reason{CodePower, image.Name + " runs in the cloud from the reconciled image", "power it off there if nothing that it wrote is needed"})
	}
	return against
}

// Fits says whether a VM has disks of the same sizes, in the same order.
func (m Machine) Fits(vm vsphere.VM) bool {
	return slices.EqualFunc(m.Disks, vm.Disks, func(a Disk, b vsphere.Disk) bool { return a.Capacity == b.Capacity })
}

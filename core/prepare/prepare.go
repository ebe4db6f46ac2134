// Package prepare says whether a VM can be prepared for warm migration or try
// before commit, as far as its vCenter tells.
//
// It decides what stands against a VM, all of it at once (PRE-18), and which
// mark says that a VM is prepared. It never asks anybody, changes nothing, and
// knows nothing of what can be seen only from inside the guest: packages,
// partitions, accounts.
//
//	vsphere.VM --Checks--> findings --Blocks?--> refused, or
//	SetMark(Mark, MarkOf(vm)) --> Prepared(vm)
//
// Read this file, then guests.go.
package prepare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Finding is something that stands against a VM.
type Finding struct {
	Code    string
	What    string // a sentence that names the VM
	Fix     string
	Clause  string // "PRE-01"; "" for limits that other public documents give
	Warning bool   // it is told, and stands against nothing
}

// The codes of findings.
const (
	CodeOff            = "powered-off"
	CodeGuest          = "guest"
	CodeToolsMissing   = "tools-missing"
	CodeToolsStopped   = "tools-stopped"
	CodeToolsOld       = "tools-old"
	CodeToolsUnmanaged = "tools-unmanaged" // a warning
	CodeToolsOther     = "tools-version"   // a warning
	CodeSystemSpace    = "system-space"
	CodeFirmware       = "firmware"
	CodeIDE            = "ide-disk"
	CodeUSB            = "usb"
	CodeISO            = "iso"
)

// MinSystemFree is what must be free in the system partition, in bytes (PRE-09).
const MinSystemFree = 50 << 20

// Checks are all the findings about a VM, in the order of their clauses. What
// stands against every migration is for migration.Assess to say. It is pure.
func Checks(vm vsphere.VM) []Finding {
	c := checks{vm: vm}
	if vm.Power != vsphere.On {
		c.against(CodeOff, "PRE-01", "power it on", "it is not powered on")
	}
	if _, ok := guests[vm.GuestID]; !ok {
		c.against(CodeGuest, "PRE-02", "migrate it cold, or set the guest OS of the VM right if it is one of "+Supported(),
			"its guest OS %q is not supported", vm.GuestID)
	}
	c.tools()
	c.space()
	if vm.Firmware != "bios" {
		c.against(CodeFirmware, "PRE-15", "migrate it cold", "its firmware is %q, not BIOS", vm.Firmware)
	}
	for _, d := range vm.Disks {
		if d.Controller == "ide" {
			c.against(CodeIDE, "", "move the disk to a SCSI controller", "%s is on an IDE controller", d.Label)
		}
	}
	if vm.USB {
		c.against(CodeUSB, "", "detach the device", "a USB device is attached")
	}
	if vm.ISO {
		c.against(CodeISO, "", "disconnect the CD/DVD device", "an ISO image or a drive of the host is attached")
	}
	return c.found
}

// Blocked says whether a finding is more than a warning.
func Blocked(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return !f.Warning })
}

type checks struct {
	vm    vsphere.VM
	found []Finding
}

func (c *checks) against(code, clause, fix, format string, args ...any) {
	c.found = append(c.found, Finding{Code: code, Clause: clause, Fix: fix, What: c.vm.Name + ": " + fmt.Sprintf(format, args...)})
}

func (c *checks) warn(code, clause, fix, format string, args ...any) {
	c.against(code, clause, fix, format, args...)
	c.found[len(c.found)-1].Warning = true
}

// tools is what "the latest VMware Tools" are. Of a VM that is off nobody
// can say whether they would run.
func (c *checks) tools() {
	const clause = "PRE-03"
	switch status := c.vm.ToolsStatus; status {
	case "guestToolsNotInstalled", "":
		c.against(CodeToolsMissing, clause, "install VMware Tools", "VMware Tools are not installed")
		return
	case "guestToolsNeedUpgrade", "guestToolsTooOld", "guestToolsBlacklisted":
		c.against(CodeToolsOld, clause, "upgrade VMware Tools", "its VMware Tools need an upgrade (%s)", status)
	case "guestToolsUnmanaged":
		c.warn(CodeToolsUnmanaged, clause, "see that the guest's own package manager keeps them up to date", "its VMware Tools are the guest's own, and the vCenter cannot tell whether they are the latest")
	case "guestToolsCurrent":
	default: // guestToolsSupportedOld, guestToolsSupportedNew, guestToolsTooNew
		c.warn(CodeToolsOther, clause, "upgrade VMware Tools if the vCenter has newer ones", "its VMware Tools are not those that the vCenter has (%s)", status)
	}
	if c.vm.Power == vsphere.On && !c.vm.ToolsRunning {
		c.against(CodeToolsStopped, clause, "start the VMware Tools service in the guest", "its VMware Tools do not run")
	}
}

// space is judged if the guest tells what is free.
func (c *checks) space() {
	for _, d := range c.vm.GuestDisks {
		if isSystem(d.Path) && d.Free < MinSystemFree {
			c.against(CodeSystemSpace, "PRE-09", "free some space in the guest", "its system partition %s has %d MB free, and %d MB are needed", d.Path, d.Free>>20, MinSystemFree>>20)
		}
	}
}

// isSystem recognises the partition that the guest's system is on.
func isSystem(path string) bool {
	return path == "/" || strings.EqualFold(strings.TrimSuffix(path, `\`), "C:")
}

// Mark is the mark of a VM that is prepared.
const Mark = "hdm.prepared"

// MarkOf is the value of the mark on this VM. It names the VM, so that a clone,
// which takes the mark along, is not taken for prepared (PRE-19).
func MarkOf(vm vsphere.VM) string { return vm.InstanceUUID }

// Prepared says whether the VM is prepared.
func Prepared(vm vsphere.VM) bool { return vm.InstanceUUID != "" && vm.Marks[Mark] == MarkOf(vm) }

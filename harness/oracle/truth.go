package oracle

import (
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/guest"
)

// Truth is what the world itself says when a run is over. Nothing in it comes
// from the appliance.
type Truth struct {
	At       time.Duration // virtual time
	Before   []VM          // as the world began: both sites, in order of creation; images are not asked for
	VMs      []VM          // as it ended
	Guests   []*guest.Guest
	Pools    []Pool // resource pools that came into being during the run
	Leases   []Open // NFC leases that are neither completed, aborted nor expired
	Tasks    []Open // tasks that are queued or running
	Sessions []Open // sessions of HDM that are logged in
	Served   []Open // datastores that a component VM serves
}

// VM is a virtual machine as its vCenter has it.
type VM struct {
	Site      vsphere.Site
	ID        string // unique within its site, and not given twice
	Name      string
	On        bool
	Connected bool
	Pool      string   // name of its resource pool
	Snapshots []string // names, parents before children
	Marked    bool     // it carries a mark of HDM's, other than that it is prepared
	Component bool     // it is a component VM of HDM's
	Disks     []Disk
}

// Subject is how events call the VM.
func (v *VM) Subject() string { return string(v.Site) + "/" + v.Name }

// Disk is a virtual disk of a VM.
type Disk struct {
	ID    string // the identity of what is on it, which travels with the image
	Image disk.Reader
}

// Pool is a resource pool.
type Pool struct {
	Site   vsphere.Site
	Name   string
	Parent string // the name of the pool that it is in
}

// Open is something that should have ended.
type Open struct {
	Site vsphere.Site
	What string // in an operator's words: "export lease of db-01"
}

// holds says whether a VM has all of these disks.
func (v *VM) holds(disks []string) bool {
	for _, id := range disks {
		if !slices.ContainsFunc(v.Disks, func(d Disk) bool { return d.ID == id }) {
			return false
		}
	}
	return true
}

func (v *VM) diskIDs() []string {
	var ids []string
	for _, d := range v.Disks {
		ids = append(ids, d.ID)
	}
	return ids
}

// same returns what has become of a VM of Before, or nil if it is gone.
func (t *Truth) same(before *VM) *VM {
	i := slices.IndexFunc(t.VMs, func(v VM) bool { return v.Site == before.Site && v.ID == before.ID })
	if i < 0 {
		return nil
	}
	return &t.VMs[i]
}

// copies are the VMs in the cloud that came into being during the run and hold
// what the VM held on its disks; without disks, those of its name.
func (t *Truth) copies(of *VM) []*VM {
	var all []*VM
	for i := range t.VMs {
		v := &t.VMs[i]
		if v.Site != vsphere.Cloud || !t.arrived(v) {
			continue
		}
		if len(of.Disks) > 0 && v.holds(of.diskIDs()) || len(of.Disks) == 0 && v.Name == of.Name {
			all = append(all, v)
		}
	}
	return all
}

// madeOf are the VMs that came into being during the run and are what HDM makes of
// that one: its copies, and a clone of it on premises.
func (t *Truth) madeOf(of *VM) []*VM {
	all := t.copies(of)
	for i := range t.VMs {
		v := &t.VMs[i]
		if t.arrived(v) && v.Site == vsphere.OnPremises && v.Name == of.Name+cloneSuffix {
			all = append(all, v)
		}
	}
	return all
}

// arrived says whether the VM was not there when the world began.
func (t *Truth) arrived(v *VM) bool {
	return !slices.ContainsFunc(t.Before, func(b VM) bool { return b.Site == v.Site && b.ID == v.ID })
}

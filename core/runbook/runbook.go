// Package runbook is how a VM is recovered by hand from HDM's recovery pools
// (guide: Recovering VMs from the HDM Recovery Pools; REC-06): as data that can be
// printed for a person, and as code that does the same in the vCenter.
//
//	power on, check --data is good--> delete the snapshot --> move to its own pool
//	               \--data is bad---> restore the snapshot --> delete it --> move --> power on
//
// Whether the data is good nobody but its user can say: that is an argument. It
// needs nothing of HDM but the names of things, for HDM may be gone; so it looks
// for the snapshot by name, as a person would, and not by HDM's marks. It never
// deletes a snapshot before what follows it is safe.
//
// Steps says what is done, Run does it (run.go), Locate finds a VM for it.
package runbook

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Finding is what somebody found out about a VM's data.
type Finding string

// The findings.
const (
	Good Finding = "good" // it powers on, and its data is sane
	Bad  Finding = "bad"  // it does not, or is not: back to where the migration began
)

// Step is one step, for a person and for Run.
type Step struct {
	Name  Name
	Title string // "Power on the VM"
	Hand  string // what a person does in vCenter
}

// Name of a step.
type Name string

// The steps.
const (
	PowerOn Name = "power-on"
	Check   Name = "check"
	Restore Name = "restore-snapshot"
	Delete  Name = "delete-snapshot"
	Move    Name = "move"
)

var (
	powerOn = Step{PowerOn, "Power on the VM", "Right-click the VM, Power > Power On, and wait until VMware Tools run."}
	check   = Step{Check, "Verify the sanity of the data", "Log in to the guest and check what runs there. If it does not come up, or its data is not sane, do the steps for bad data instead."}
	restore = Step{Restore, "Restore the data from the migrate time snapshot", "Right-click the VM, Snapshots > Manage Snapshots, select the migrate time snapshot, Revert. Everything that was written in the cloud is lost."}
	remove  = Step{Delete, "Delete the HDM migrate time snapshot", "Right-click the VM, Snapshots > Manage Snapshots, select the migrate time snapshot, Delete (not Delete All)."}
	move    = Step{Move, "Move the VM to the resource pool where it was before the migration", "Drag the VM onto that resource pool. As long as it stays in the recovery pool, it migrates from there, and back to it."}
)

// Steps are what is done, in order; none for a finding that is none.
func Steps(f Finding) []Step {
	switch f {
	case Good:
		return []Step{powerOn, check, remove, move}
	case Bad:
		return []Step{restore, remove, move, powerOn}
	}
	return nil
}

// Text is the runbook of a VM, for a person.
func Text(vm VM, f Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "To recover %s, whose data is %s (snapshot %s, resource pool %s):\n", vm.Name, f, vm.Snapshot, vm.poolName())
	for i, s := range Steps(f) {
		fmt.Fprintf(&b, "%d. %s. %s\n", i+1, s.Title, s.Hand)
	}
	return b.String()
}

// VM is what is recovered.
type VM struct {
	Ref      vsphere.Ref
	Name     string
	Snapshot string      // name of the migrate-time snapshot
	Pool     vsphere.Ref // where it was before the migration
	PoolName string      // for people
}

func (vm VM) poolName() string {
	if vm.PoolName != "" {
		return vm.PoolName
	}
	return string(vm.Pool)
}

// RootPool is what Locate calls the root pool of a VM's cluster.
const RootPool = "Resources"

// Locate finds a VM on premises by its name, its migrate-time snapshot (of those
// that are named so, the latest) and the resource pool of that name in its own
// cluster. Errors are those of *vsphere.Session; what is not there, or there
// several times, is refused.
func Locate(ctx context.Context, s *vsphere.Session, name, pool string) (VM, error) {
	vms, err := s.Inventory(ctx)
	if err != nil {
		return VM{}, err
	}
	var found []vsphere.VM
	for _, v := range vms {
		if v.Name == name {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		return VM{}, refuse(s, name, fmt.Sprintf("the site has %d VMs of that name", len(found)), "look for it in the vCenter")
	}
	vm := VM{Ref: found[0].Ref, Name: name, Snapshot: migrateTime(found[0].Snapshots), PoolName: pool}
	resources, err := s.Resources(ctx)
	if err != nil {
		return VM{}, err
	}
	var cluster vsphere.Ref
	for _, p := range resources.Pools {
		if p.Ref == found[0].Pool {
			cluster = p.Cluster
		}
	}
	var pools []vsphere.Ref
	for _, p := range resources.Pools {
		if p.Name == pool && p.Cluster == cluster {
			pools = append(pools, p.Ref)
		}
	}
	if len(pools) != 1 {
		return VM{}, refuse(s, name, fmt.Sprintf("its cluster has %d resource pools %q", len(pools), pool), "name the one that it was in before the migration")
	}
	vm.Pool = pools[0]
	return vm, nil
}

// snapshotPrefix begins the name of a migrate-time snapshot (MIG-11).
const snapshotPrefix = "_hdm"

// migrateTime is the name of the latest migrate-time snapshot, "" if there is
// none.
func migrateTime(tree []vsphere.Snapshot) (name string) {
	latest := 0
	for _, s := range tree {
		number, ours := strings.CutPrefix(s.Name, snapshotPrefix)
		if n, err := strconv.Atoi(number); ours && err == nil && n > latest {
			latest, name = n, s.Name
		}
	}
	return name
}

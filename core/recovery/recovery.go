// Package recovery decides what HDM does about a failure of its own parts:
// component services, component VMs, hosts, the link between the sites.
//
//	healthy --noticed--> probing --cause known--> repairing --all repaired--> returning --every affected VM is back--> healthy
//	                        |                         |                          |
//	                        +-------------------------+--------------------------+--cannot be repaired--> unrecoverable
//	                                                                                                          |
//	                                       healthy (not deployed) <--every step done-- resetting <--a user resets
//
// What is noticed while one recovery is under way goes through probing again, and
// joins it: there is one recovery at a time, and it ends when everything that
// failed is repaired and every affected VM is back. Edges holds all edges.
//
// It is pure: it is told what was noticed, what probes found and what repairs
// did, and answers with effects. It owns no data of a VM: which migrations are
// affected it is told, and what becomes of them core/migration decides. The
// promises are REC-01 to -12, CVM, WAN-02, ESX and RST. Read this file, then
// event.go (what it hears and asks for) and machine.go; reset.go is the reset.
package recovery

import (
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
)

// Phase of a recovery.
type Phase string

// The phases.
const (
	Healthy       Phase = ""              // nothing is known to have failed
	Probing       Phase = "probing"       // something was noticed: its cause is being found out (HLT-02)
	Repairing     Phase = "repairing"     // new operations are refused; what is affected is known (REC-12)
	Returning     Phase = "returning"     // repaired: affected migrations fail, and their VMs are brought back
	Unrecoverable Phase = "unrecoverable" // only a reset helps (REC-08, RST-04)
	Resetting     Phase = "resetting"     // a user asked for one (RST-02)
)

// Edges are the only moves between phases.
var Edges = map[Phase][]Phase{
	Healthy:       {Probing, Repairing, Returning, Unrecoverable, Resetting},
	Probing:       {Repairing, Returning, Healthy, Unrecoverable, Resetting},
	Repairing:     {Probing, Returning, Healthy, Unrecoverable, Resetting},
	Returning:     {Probing, Repairing, Healthy, Unrecoverable, Resetting},
	Unrecoverable: {Resetting},
	Resetting:     {Healthy},
}

// Cause is the nature of a failure, as probes find it (HLT-02).
type Cause string

// The causes.
const (
	Unknown         Cause = ""                 // not probed yet
	Crashed         Cause = "crashed"          // the service does not run; its component VM answers
	Hung            Cause = "hung"             // the service runs and says nothing; its component VM answers
	Restarted       Cause = "restarted"        // the service runs again by itself, without its memory
	Rebooted        Cause = "rebooted"         // the component VM booted by itself
	VMDown          Cause = "vm-down"          // the component VM is off, or does not answer
	HostDown        Cause = "host-down"        // the ESXi host is gone, with all on it
	HostRestarted   Cause = "host-restarted"   // the ESXi host on premises booted (ESX-01)
	FilterRestarted Cause = "filter-restarted" // its iofilter daemon did, or is silent (ESX-01)
	LinkDown        Cause = "link-down"        // nothing of the cloud can be reached
	Damaged         Cause = "damaged"          // the service runs, and cannot use what its device holds of some VMs
)

// Failure is one part of HDM that has failed.
type Failure struct {
	VM      string            `json:"vm"`                // the component VM, or the ESXi host; "" of the link
	Service component.Service `json:"service,omitempty"` // "" if the VM, the host or the link as a whole has
	Cause   Cause             `json:"cause,omitempty"`
	At      time.Time         `json:"at"`              // when it was noticed
	Error   string            `json:"error,omitempty"` // what is said of it to people
	// Repaired: it runs, was heard, and its redundancy is there again.
	Repaired bool `json:"repaired,omitempty"`
	// Judged: whom it affects has been found out.
	Judged bool `json:"judged,omitempty"`
	Tries  int  `json:"tries,omitempty"` // repairs that failed
	Again  int  `json:"again,omitempty"` // how often the same part was repaired before, in this recovery
}

// NothingReached is the link's failure. Whom it affects is found out once it is over.
var NothingReached = Failure{Cause: LinkDown, Judged: true, Error: "nothing of the cloud can be reached"}

// Recovery is everything durable about what HDM does about failures.
type Recovery struct {
	Number   int            `json:"number,omitempty"` // counts the recoveries
	Phase    Phase          `json:"phase,omitempty"`
	Failures []Failure      `json:"failures,omitempty"`
	Since    time.Time      `json:"since,omitzero"`     // when the first of them was noticed
	Affected []migration.ID `json:"affected,omitempty"` // whose VMs come back once all is repaired (REC-04)
	Brought  []migration.ID `json:"brought,omitempty"`  // of the affected, for whom a migration back was ordered: once each
	Held     []migration.ID `json:"held,omitempty"`     // that wait, and resume once all is repaired (COLD-06)
	// Multiple: something failed while another was being recovered (REC-09).
	Multiple bool `json:"multiple,omitempty"`
	// Lost: the link was down for so long that the outage counts as permanent: when
	// it is back, every VM on the cloud cache comes back.
	Lost bool `json:"lost,omitempty"`
	// Offered: a reset may be asked for, and why (RST-01); "" if not.
	Offered string `json:"offered,omitempty"`
	Fatal   string `json:"fatal,omitempty"` // why it is unrecoverable
	Reset   Reset  `json:"reset,omitzero"`  // while Resetting

	Effect string `json:"effect,omitempty"` // key of the outstanding one
	Issued int    `json:"issued,omitempty"`
}

// ResetOrder is what a user asks for with a reset.
type ResetOrder struct {
	// Force resets although nothing has failed: without it a reset that is not
	// offered is refused with a warning (RST-01).
	Force bool
	// CloudDead: the user declares that nothing of the cloud runs any more, so that
	// it is not waited for.
	CloudDead bool
}

// ResetStep is a step of a reset, in order (RST-02).
type ResetStep string

// The steps. The first three wait for a person; the task in vCenter says which.
const (
	ResetVMsOff     ResetStep = "vms-off"           // the policy is removed from, or the power off of, every VM that has it
	ResetFilters    ResetStep = "filters-restarted" // the iofilter daemon was restarted on every host of the cluster
	ResetAppliance  ResetStep = "appliance-restarted"
	ResetCleanCloud ResetStep = "clean-cloud"    // compute VMs off and away, component VMs away
	ResetCleanPrem  ResetStep = "clean-premises" // component VMs away; migrated VMs stay, off, in the migrate pool
	ResetDone       ResetStep = "done"
)

// Reset is a reset that is under way.
type Reset struct {
	Step      ResetStep         `json:"step,omitempty"`
	CloudDead bool              `json:"cloud_dead,omitempty"`
	Asked     time.Time         `json:"asked,omitzero"`
	Epoch     int               `json:"epoch,omitempty"`   // of the appliance, when it was asked for
	Filters   map[string]uint64 `json:"filters,omitempty"` // by host: the daemon's epoch when it was asked for
}

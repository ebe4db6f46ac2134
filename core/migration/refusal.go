package migration

import "fmt"

// The codes of reasons. Scripts and scenarios match them; people read What and
// Fix.
const (
	CodeFailed    = "failed"
	CodeCancelled = "cancelled"

	// Why an order is refused before a VM is looked at.
	CodeRequest   = "request"    // its name is that of another order
	CodeType      = "type"       // no such type of migration
	CodeQueueFull = "queue-full" // too many wait
	CodeTooLarge  = "too-large"  // the order itself
	CodeBusy      = "busy"       // the VM is being migrated already
	CodeNotReady  = "not-ready"  // HDM itself (SQS-08)
	CodeDeployed  = "not-deployed"
	CodeMode      = "mode"         // the deployment has no cloud cache (WARM-01)
	CodeOrder     = "out-of-order" // of a word (MIG-10)
	CodeNoData    = "no-data"      // it is not in the cloud yet
	CodeTooLate   = "too-late"     // for a cancel
	CodeLeft      = "left-over"

	// Why a VM cannot be migrated.
	CodeUnknownVM    = "unknown-vm"
	CodeAmbiguous    = "ambiguous-name"
	CodeOwnVM        = "hdm-vm" // names with "hdm" in them are HDM's own
	CodeName         = "name"   // holds ".."
	CodeMigrated     = "already-migrated"
	CodeNotMigrated  = "not-migrated" // or it has no cloud cache (BACK-01, A-27)
	CodePower        = "power"
	CodeTemplate     = "template"
	CodeDisconnected = "disconnected"
	CodeSuspended    = "suspended"
	CodeNoDisk       = "no-disk"
	CodeIndependent  = "independent-disk" // a snapshot would not hold it
	CodeShared       = "shared-disk"
	CodeRaw          = "raw-disk"
	CodePassthrough  = "passthrough"
	CodeEncrypted    = "encrypted"
	CodeVTPM         = "vtpm"
	CodeFT           = "fault-tolerance"
	CodeCDROMs       = "cdroms"

	// Why it does not fit into the cloud.
	CodeNameClash   = "name-clash"
	CodeUUIDClash   = "uuid-clash"
	CodeMACClash    = "mac-clash"
	CodeUnmapped    = "unmapped-network"
	CodeNoNetwork   = "unknown-network"
	CodeAdapter     = "adapter"
	CodeNoPool      = "unknown-pool"
	CodeNoDatastore = "unknown-datastore"
	CodeNoHost      = "no-host" // of the cluster, that is connected and on the networks
	CodeSpace       = "space"

	// Why the cloud cannot tell which one is meant.
	CodeAmbiguousNetwork   = "ambiguous-network"
	CodeAmbiguousDatastore = "ambiguous-datastore"
	CodeAmbiguousPool      = "ambiguous-pool"
)

// Unready is why an order is refused while HDM is not Ready; details are those of
// its heartbeat (SQS-08).
func Unready(details string) Reason {
	return Reason{CodeNotReady, details, "wait for a heartbeat that says Ready, and ask again under another name"}
}

// MaxCDROMs is how many CD or DVD devices a VM may have (facts of the product).
const MaxCDROMs = 10

// NotBound is why a VM cannot be brought back that has no data path (BACK-01,
//
func NotBound(vm string) Reason {
	return Reason{CodeNotMigrated, vm + " is not on the cloud cache", "bring back a VM that try before commit has migrated; one that was committed or moved cold stays in the cloud"}
}

// BoundAlready is why a VM cannot be migrated that is in the cloud already.
func BoundAlready(vm string, by ID) Reason {
	return Reason{CodeMigrated, vm + " was migrated by " + string(by), "migrate it back first"}
}

// OutOfOrder is why a word was not heard (MIG-10).
func OutOfOrder(m Migration, w Word) Reason {
	awaited := m.Awaits()
	switch {
	case m.Brings(w):
		return Reason{CodeNoData, fmt.Sprintf("no VM %q with its disks is in the cloud, powered off", ImageName(m.Plan.Name)), "export " + CloneName(m.Plan.Name) + ", import it under that name, and say it again; or start the transfer"}
	case len(awaited) == 0:
		return Reason{CodeOrder, fmt.Sprintf("%s is %s and waits for no word", m.ID, m.State), "say it when the migration waits"}
	}
	return Reason{CodeOrder, fmt.Sprintf("%s waits for %s, not for %s", m.ID, awaited[0], w), "say them in order"}
}

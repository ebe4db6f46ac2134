package migration

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

	// Why a VM cannot be migrated.
	CodeUnknownVM    = "unknown-vm"
	CodeAmbiguous    = "ambiguous-name"
	CodeOwnVM        = "hdm-vm" // names with "hdm" in them are HDM's own
	CodeName         = "name"   // holds ".."
	CodeMigrated     = "already-migrated"
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

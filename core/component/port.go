package component

import (
	"context"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Port is how the appliance reaches its component services. Every error is a
// *vsphere.Error: Unreachable with how long the way has been down, Retryable, or
// Refused until somebody changes something. Every verb may be called again
// after any error.
type Port interface {
	// Bind makes a VM's data path: a home on the VM's own disks on premises, and a
	// cache in the cloud. The source must be off. Idempotent by Binding.ID: a
	// binding that exists is told, and must be of the same disks.
	Bind(ctx context.Context, b Binding) (Bound, error)
	// Flush cuts the disks of all these bindings at one instant and returns when
	// what was dirty then is applied on premises, each binding as a whole. An
	// earlier flush of one of them is waited for. In the order of ids.
	Flush(ctx context.Context, ids []string) ([]Flushed, error)
	// Reconcile copies what changed since Bind, and was not copied yet, into the
	// image's disks, which are in the cloud and off. It is one pass: left is how
	// many blocks were written while it went on, 0 once the compute VM is off.
	Reconcile(ctx context.Context, id string, image vsphere.Ref, progress func(vsphere.Progress)) (left int, err error)
	// Release ends a binding: cache and home are let go. Refused while something
	// is dirty. A binding that is not there is released.
	Release(ctx context.Context, id string) error
	// Discard is Release that also throws away what is dirty, and a flush that goes
	// on: the premises keep the last flush that is applied. It is for after Commit,
	// when the image holds everything, and for a VM that comes back as of its
	// last flush (REC-04). heard is told the number of that one, 0 if there is none,
	// before its home is closed and once it is: the cache and whoever asked for it may
	// not have heard its end, and afterwards nobody knows it. What heard fails with
	// ends it.
	Discard(ctx context.Context, id string, heard func(last uint64) error) error
	// Bindings are all that exist, sorted by ID; or, if some are named, at least
	// those of them that exist, whatever component VMs without them are out of reach.
	Bindings(ctx context.Context, ids ...string) ([]Status, error)
	// Ping asks the supervisor of a component VM what runs there: an answer is proof
	// that the VM lives, whatever its services do (HLT-02).
	Ping(ctx context.Context, vm string) (Alive, error)
	// Start has the supervisor of a component VM start a service anew, whether it
	// runs or not, and returns once it runs in a new incarnation. A service that
	// cannot start (its device fails, say) is Retryable.
	Start(ctx context.Context, vm string, s Service) error
}

// Binding is one VM's data path.
type Binding struct {
	// ID is the migration's, and never used again.
	ID string `json:"id"`
	// Group, if not "", puts the binding on one cache with the others of its group:
	// only what lies on one cache can be cut at one instant.
	Group  string      `json:"group,omitempty"`
	Source vsphere.Ref `json:"source"` // on premises
	Disks  []BoundDisk `json:"disks"`  // in the VM's order
	Quota  int64       `json:"quota"`  // bytes of cache: see core/cache.Quota
}

// BoundDisk is one disk of a bound VM.
type BoundDisk struct {
	Key      int32 `json:"key"`      // of the device, on premises
	Capacity int64 `json:"capacity"` // bytes
}

// Bound is what a compute VM's disks are made of.
type Bound struct {
	VM        string   `json:"vm"`        // the component VM that serves the datastore
	Home      string   `json:"home"`      // the component VM with the IO manager on premises
	Datastore string   `json:"datastore"` // its name in the cloud
	Paths     []string `json:"paths"`     // "[datastore] path" for each disk, in order
}

// Flushed is a flush that is applied on premises.
type Flushed struct {
	ID     string `json:"id"`
	Number uint64 `json:"number"` // of the flush, per binding, from 1
	Blocks int    `json:"blocks"`
	Bytes  int64  `json:"bytes"`
}

// Status of a binding.
type Status struct {
	ID          string `json:"id"`
	VM          string `json:"vm"`   // the component VM with its cache
	Home        string `json:"home"` // the component VM with its home
	Group       string `json:"group,omitempty"`
	Last        uint64 `json:"last"`   // flush that is applied; 0: none
	Dirty       int64  `json:"dirty"`  // bytes
	Quota       int64  `json:"quota"`  // bytes
	Cached      int64  `json:"cached"` // bytes, dirty and clean
	Changed     int    `json:"changed"`
	FlushWanted bool   `json:"flush_wanted,omitempty"` // a write waits, or much is dirty
	// Damaged, if not "", says why its cache cannot be used: its device does not
	// hold what it must. All that can be done with it is to Discard it.
	Damaged string `json:"damaged,omitempty"`
}

// Heartbeat is what a component VM tells every HeartbeatEvery, and at once when
// a binding begins to want a flush.
type Heartbeat struct {
	VM          string   `json:"vm"`
	Boot        uint64   `json:"boot"` // grows with each boot of the VM
	Services    []Beat   `json:"services"`
	FlushWanted []string `json:"flush_wanted,omitempty"` // bindings
}

// Beat is one service's part of a heartbeat.
type Beat struct {
	Name  Service `json:"name"`
	Epoch uint64  `json:"epoch"` // grows with each start of the service
}

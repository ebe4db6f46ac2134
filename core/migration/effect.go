package migration

import (
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Kind is what an effect does.
type Kind string

// The effects, by what they do to the world. Each is idempotent: run again, it
// finds by its mark what it has done already.
const (
	Nothing        Kind = "nothing"
	Check          Kind = "check"           // reads both sites, changes nothing
	ShutDown       Kind = "shut down"       // the guest, or the VM's power after a while
	TakeSnapshot   Kind = "take snapshot"   // the migrate-time snapshot (MIG-11)
	Transfer       Kind = "transfer"        // export and import, always from the beginning
	ConnectNetwork Kind = "connect network" // COLD-03
	MoveToPool     Kind = "move to pool"    // MIG-08
	PowerOnCopy    Kind = "power on copy"

	RestartSource  Kind = "restart source" // power on premises again, if it ran before
	RemoveSnapshot Kind = "remove snapshot"
	DestroyCopy    Kind = "destroy copy"
	ReturnToPool   Kind = "return to pool"
	ConfirmOff     Kind = "confirm off" // makes sure that the copy is off and stays off, or says that it runs
)

// Effect is something to be done in the world. Decide asks for it; an executor
// does it and answers with EffectDone or EffectFailed.
type Effect struct {
	Key       string // idempotency key: migration, step, attempt
	Kind      Kind
	Migration ID
	Step      StepName
	Attempt   int
	Undo      bool          // it takes the step back, or clears the way for it
	Delay     time.Duration // to wait before it
	// Reserved is how much room the migrations that are under way may still
	// take, by cloud datastore. Only of a Check; the planner fills it in.
	Reserved []Reservation
}

// Reservation is room on a datastore that a migration may still take.
type Reservation struct {
	Datastore string
	Bytes     int64
}

// Result is what an effect found or made.
type Result struct {
	Plan     *Plan       // Check
	Refusals []Reason    // Check: why not; then there is no Plan
	Snapshot string      // TakeSnapshot: its name
	LastOn   int32       // TakeSnapshot: the newest power-on that the source had by then
	Copy     vsphere.Ref // Transfer
	Bytes    int64       // Transfer
	Running  bool        // ConfirmOff: the copy runs
}

// Event is something that a migration hears of.
type Event interface{ event() }

// The events.
type (
	// EffectDone: the effect of that key has done its work.
	EffectDone struct {
		Key    string
		Result Result
	}
	// EffectFailed: it has not, as far as it knows.
	EffectFailed struct {
		Key     string
		Failure Failure
	}
	// CheckDue: the planner lets the order be checked.
	CheckDue struct{}
	// TurnCame: the planner gave the migration a slot.
	TurnCame struct{}
	// CancelAsked: a user asked to cancel.
	CancelAsked struct{}
	// Restarted: the appliance came up again; what was outstanding has no one
	// who waits for it.
	Restarted struct{}
	// Shown: vCenter's log tells of the begin, and of so many retries.
	Shown struct{ Retries int }
	// EndReported: vCenter's task shows the end.
	EndReported struct{}
	// Responded: the message bus was told so many percent, or the end.
	Responded struct {
		Percent int32
		Final   bool
	}
)

func (EffectDone) event()   {}
func (EffectFailed) event() {}
func (CheckDue) event()     {}
func (TurnCame) event()     {}
func (CancelAsked) event()  {}
func (Restarted) event()    {}
func (Shown) event()        {}
func (EndReported) event()  {}
func (Responded) event()    {}

// Failure is why an effect failed.
type Failure struct {
	Class     vsphere.Class
	Cancelled bool          // because it was asked to
	Down      time.Duration // of Unreachable: for how long the way had been down by then
	What      string
	Fix       string
}

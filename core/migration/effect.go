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

	Prepare       Kind = "prepare"        // checks the guest, and marks the VM as prepared
	ApplyPolicy   Kind = "apply policy"   // the storage policy, to every disk
	MakeClone     Kind = "make clone"     // a linked clone of the migrate-time snapshot
	Bind          Kind = "bind"           // the cloud cache, and the data path to the source's disks
	CreateCompute Kind = "create compute" // the compute VM, on disks that the cloud cache serves
	StartCompute  Kind = "start compute"
	AwaitBoot     Kind = "await boot" // of the guest's tools, with reboots (BOOT-01)
	TransferImage Kind = "transfer image"
	Reconcile     Kind = "reconcile" // of the image with what the compute VM has written; it goes on running
	StopCompute   Kind = "stop compute"
	LastReconcile Kind = "last reconcile" // the compute VM is off: nothing is left afterwards
	RenameImage   Kind = "rename image"   // to the name that the VM has on premises
	StartImage    Kind = "start image"
	FinalFlush    Kind = "final flush" // of a VM that is off: nothing is dirty afterwards
	Release       Kind = "release"     // the cloud cache; refused while anything is dirty
	Discard       Kind = "discard"     // the cloud cache with what is in it: the image has it all, or it is lost

	RestartSource  Kind = "restart source" // power on premises again, if it ran before
	RemoveSnapshot Kind = "remove snapshot"
	DestroyCopy    Kind = "destroy copy"
	ReturnToPool   Kind = "return to pool"
	ConfirmOff     Kind = "confirm off" // makes sure that the copy is off and stays off, or says that it runs

	RemoveClone    Kind = "remove clone"
	BringHome      Kind = "bring home" // everything that was written in the cloud, and release the cloud cache
	DestroyCompute Kind = "destroy compute"
	DestroyImage   Kind = "destroy image"

	PowerOffCompute Kind = "power off compute" // at once: its guest could write nowhere
	Salvage         Kind = "salvage"           // flush what the cloud cache still has, if so configured
	Judge           Kind = "judge"             // whether the VM on premises is likely to boot
	EndTrial        Kind = "end trial"         // remove what Judge has made
	MoveToRecovery  Kind = "move to recovery"  // the pool that the judgement says (REC-05)
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
	Copy     vsphere.Ref // Transfer, MakeClone, CreateCompute, TransferImage: what was made
	Bytes    int64       // Transfer, TransferImage
	Running  bool        // ConfirmOff: the copy runs
	Served   *Served     // Bind
	Path     Path        // Bind
	Boots    bool        // Judge
	Doubt    string      // Judge: why it may not boot
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
	// Said: somebody gave the word that the migration waits for. Image is what a
	// person brought to the cloud by other means; "" if HDM is to transfer it.
	Said struct {
		Word  Word
		Image vsphere.Ref
	}
	// FlushDone: a flush of the VM's cloud cache is applied on premises.
	FlushDone Flushed
	// CameBack: the VM was brought back by that migration, and is bound no more.
	CameBack struct{ By ID }
	// CancelAsked: a user asked to cancel.
	CancelAsked struct{}
	// Broken: the data path of the VM has failed, or its host. What may have run in
	// the cloud fails at once and is left as it is, for a migration of type Recover;
	// everything else that is under way fails and is put back. Lost: so has what its
	// cloud cache held, so that what is being put back cannot be, either.
	Broken struct {
		Why  Reason
		Lost bool
	}
	// Held: a part of HDM that the migration needs is being repaired. It waits.
	Held struct{}
	// Resumed: it is repaired. What was held does its step again.
	Resumed struct{}
	// LeftoverDeleted: what its bulk transfer had brought to the cloud was removed.
	LeftoverDeleted struct{}
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
func (Said) event()         {}
func (FlushDone) event()    {}
func (CameBack) event()     {}
func (CancelAsked) event()  {}
func (Broken) event()       {}
func (Held) event()         {}
func (Resumed) event()      {}

func (LeftoverDeleted) event() {}

func (Restarted) event()   {}
func (Shown) event()       {}
func (EndReported) event() {}
func (Responded) event()   {}

// Failure is why an effect failed.
type Failure struct {
	Class     vsphere.Class
	Cancelled bool          // because it was asked to
	Down      time.Duration // of Unreachable: for how long the way had been down by then
	What      string
	Fix       string
}

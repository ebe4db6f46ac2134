package oracle

import (
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Rules are what the product documents about itself, as data. The figures are
// written down here once more, on purpose: an oracle that asked the product for
// its limit would agree with any.
type Rules struct {
	ColdAtOnce     int                 // COLD-02
	Tries          int                 // of every step: SYS-02, A-13
	UndoTries      int                 // of everything that is taken back
	MigratePool    string
	SnapshotPrefix string              // of migrate-time snapshots: MIG-11
	Edges          Edges               // between states
	Steps          map[string][]string // in order, by type of migration

	// What the names of the message bus's queues begin with. That of the
	// dead-letter queue begins with that of the commands', too.
	Commands, Responses, DeadLetters string

	Heartbeat time.Duration // how often there is one
	// Missed is the silence after which a part of HDM has failed (HLT-01), and Beat
	// how often each of them is heard.
	Missed, Beat time.Duration
	FlushEvery   time.Duration // unless somebody sets it (POL-04)
	// The pools of VMs that were brought back after a failure (REC-05).
	RecoverySuccess, RecoveryFailed string
	// Noticing is how long it may take HDM to see that a vCenter has gone, or is
	// back: from one probe to the next, and as long as a call may hang.
	Noticing time.Duration
	// After trouble that has ended, how long it may show: of the message bus, as
	// long as its users' calls may hang and wait for the next try; of calls to a
	// vCenter, as long as one may hang, and from one probe to the next.
	BusRecovery, CallRecovery time.Duration
	Booting                   time.Duration // until both vCenters have been asked
}

// Edges are the declared moves: each state with those that may follow it. A
// state that none may follow is final.
type Edges map[string][]string

// The states that oracles must know by name.
const (
	stateChecking  = "checking"
	stateQueued    = "queued"
	stateRunning   = "running"
	stateWaiting   = "waiting"
	stateUndoing   = "undoing"
	stateCompleted = "completed"
	stateRefused   = "refused"
	stateFailed    = "failed"
)

// The types of migrations.
const (
	typeCold = "cold"
	typeWarm = "warm"
	typeTBC  = "tbc"
	typeBack = "back"
	// typeRecover brings a VM back after a failure: HDM orders it, nobody else can.
	typeRecover = "recover"
)

// stepTransfer is the step that a person can spare HDM, by bringing the data.
const stepTransfer = "bulk-transfer"

// What the names of VMs end with that HDM makes of a VM until it is committed.
const (
	computeSuffix = " ARM"
	imageSuffix   = " ARM image"
	cloneSuffix   = "_hdm_clone"
)

// What the subjects of VMs begin with.
const (
	onPremises = "on-premises/"
	inCloud    = "cloud/"
)

// What a step of a scenario says that it does when a person powers a VM on or
// off, or restores a snapshot of it.
const (
	stepPower  = "power"
	stepRevert = "revert"
	// stepShip is a person who brings the image of a VM by other means: where HDM does
	// not know of it, it is theirs to remove.
	stepShip    = "ship"
	stepRecover = "recover" // by the guide's steps for VMs in the recovery pools
)

// byHand is the name of the VM that a person powers on or off, or restores a
// snapshot of; "" if the event tells of something else.
func byHand(e *kernel.Event) string {
	if e.Kind != event.Step || e.Attr("what") != stepPower && e.Attr("what") != stepRevert && e.Attr("what") != stepRecover {
		return ""
	}
	_, name, _ := strings.Cut(e.Attr("vm"), "/")
	return name
}

// The kinds of effects that carry a VM's disks, each with what the name of the
// VM ends with that it makes of them.
var transfers = map[string]string{"transfer": "", "transfer image": imageSuffix}

// What no clause of the catalogue says by itself is told as a breach of the
// clause that falls with it.
const (
	clauseMoves = "APP-01" // a restart must find each migration where it was left
	clauseOnce  = "MIG-14"
	clauseLeft  = "COLD-04" // a migration that failed leaves the VM usable on premises

	clauseUndeployed = "DEP-02" // the component VMs of a deployment are VMs in the vCenters
)

// Documented are the rules of the product as it is documented.
func Documented() Rules {
	r := Rules{
		ColdAtOnce: 8, Tries: 3, UndoTries: 10,
		MigratePool: "_HDM_MIGRATEPOOL", SnapshotPrefix: "_hdm",
		Edges: Edges{}, Steps: map[string][]string{},
		Commands: "hdm_command_queue", Responses: "hdm_response_queue", DeadLetters: "hdm_command_queue_dead_letter",
		Heartbeat: 30 * time.Second, Missed: 2 * time.Minute, Beat: 10 * time.Second, FlushEvery: 20 * time.Minute,
		RecoverySuccess: "HDM_RECOVERY_SUCCESS", RecoveryFailed: "HDM_RECOVERY_FAILED",
		Noticing:    3 * time.Minute,
		BusRecovery: 2 * time.Minute, CallRecovery: 3 * time.Minute, Booting: 5 * time.Minute,
	}
	for from, all := range migration.Edges { //hdm:order-safe from a map into a map
		for _, to := range all {
			r.Edges[string(from)] = append(r.Edges[string(from)], string(to))
		}
	}
	for of, table := range migration.Tables { //hdm:order-safe from a map into a map
		for _, row := range table {
			r.Steps[string(of)] = append(r.Steps[string(of)], string(row.Step))
		}
	}
	return r
}

// own says whether a pool of that name is one that HDM makes.
func (r *Rules) own(pool string) bool {
	return pool == r.MigratePool || pool == r.RecoverySuccess || pool == r.RecoveryFailed
}

func (r *Rules) final(state string) bool { return len(r.Edges[state]) == 0 }

// active says whether a migration in that state takes one of the slots that are
// limited.
func (r *Rules) active(state string) bool { return state == stateRunning || state == stateUndoing }

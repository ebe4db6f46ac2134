package migration

import (
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
)

// ID names a migration within its appliance, for example "m-0001". IDs are
// given in the order of the orders.
type ID string

// Type of a migration.
type Type string

// The types.
const (
	// Cold moves all data first: the VM is off from before the export until it
	// starts in the cloud (COLD-07).
	Cold Type = "cold"
	// Warm moves compute first: the VM runs in the cloud on a cloud cache while its
	// data follows (WARM-03).
	Warm Type = "warm"
	// TBC, try before commit, moves compute only: the data stays on premises
	// (TBC-01).
	TBC Type = "tbc"
	// Back brings a VM back whose data is on premises (BACK-03).
	Back Type = "back"
	// Recover brings a VM back after a failure, with the data of its last flush, into
	// a recovery pool (REC-04, REC-05). HDM orders it, nobody else can.
	Recover Type = "recover"
)

// Order is what a user asks for.
type Order struct {
	// Request is the user's own name for the order: the same order given twice
	// migrates once (MIG-14). Empty: every order is a new one.
	Request string `json:"request,omitempty"`
	VM      string `json:"vm"` // name on premises
	Type    Type   `json:"type"`
	Target  Target `json:"target"`
	Origin  Origin `json:"origin,omitempty"`
	// Offline: a person brings the data of a warm migration to the cloud by other
	// means, and says when it is there (WARM-07).
	Offline bool `json:"offline,omitempty"`
	// Alone: the VMs that it depends on stay where they are (BACK-02).
	Alone bool `json:"alone,omitempty"`
}

// Origin is the way in which an order came.
type Origin string

// The ways. They differ in what they ask of a VM, and in where its
// migration's statuses go.
const (
	FromVCenter Origin = ""
	FromMessage Origin = "message" // over the message bus
)

// Equal says whether two orders ask for the same.
func (o Order) Equal(p Order) bool {
	return o.Request == p.Request && o.VM == p.VM && o.Type == p.Type && o.Origin == p.Origin && o.Target.Pool == p.Target.Pool &&
		o.Target.Datastore == p.Target.Datastore && o.Target.Adapter == p.Target.Adapter &&
		o.Offline == p.Offline && o.Alone == p.Alone && slices.Equal(o.Target.Networks, p.Target.Networks)
}

// Target is where in the cloud the VM goes (MIG-06). What is empty, HDM
// chooses: the root pool of a cluster with room, the datastore with most room.
type Target struct {
	// Pool is a name, or as much of a path such as "Cluster/Resources/gold" as
	// tells it from others of that name.
	Pool      string    `json:"pool,omitempty"`
	Datastore string    `json:"datastore,omitempty"`
	Networks  []Mapping `json:"networks,omitempty"`
	// Adapter is the NIC type that every adapter gets in the cloud. Empty:
	// DefaultAdapter.
	Adapter string `json:"adapter,omitempty"`
}

// DefaultAdapter is the NIC type of a migrated VM unless the order says
// otherwise (guide, Prepare to Migrate: E1000E and VMXNET3 are the two).
const DefaultAdapter = "vmxnet3"

// Mapping says which cloud network stands for an on-premises one.
type Mapping struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Plan is an order made exact against both sites, by Assess.
type Plan struct {
	Source    vsphere.Ref `json:"source"`
	Name      string      `json:"name"`
	BIOSUUID  string      `json:"bios_uuid"`
	WasOn     bool        `json:"was_on"` // it runs, so it is to run again if the migration fails
	HomePool  vsphere.Ref `json:"home_pool"`
	Pool      vsphere.Ref `json:"pool"`      // in the cloud
	Datastore string      `json:"datastore"` // in the cloud
	Host      vsphere.Ref `json:"host"`      // in the cloud
	NICs      []NIC       `json:"nics,omitempty"`
	Networks  []Mapping   `json:"networks,omitempty"` // those of the order's that the VM needs
	Bytes     int64       `json:"bytes"`              // room that its disks can take in the cloud
	Cluster   string      `json:"cluster,omitempty"`  // on premises, by name
	// Of a VM that is to run on a cloud cache:
	Machine Machine `json:"machine,omitzero"`
	Quota   int64   `json:"quota,omitempty"` // bytes of cloud cache (CACHE-01 to -03)
}

// Machine is what the compute VM is made like.
type Machine struct {
	GuestID  string `json:"guest_id"`
	Firmware string `json:"firmware"`
	CPUs     int32  `json:"cpus"`
	MemoryMB int32  `json:"memory_mb"`
	Disks    []Disk `json:"disks"`
}

// Disk is a disk of the source.
type Disk struct {
	Key        int32  `json:"key"`
	Capacity   int64  `json:"capacity"` // bytes
	Controller string `json:"controller"`
}

// Served is where the cloud cache serves a VM's disks: on a datastore of the
// cloud, one path for each disk in their order.
type Served struct {
	Datastore string   `json:"datastore"`
	Paths     []string `json:"paths"`
}

// Path are the component VMs that a VM's data path goes through, by name.
type Path struct {
	Cache string `json:"cache"` // in the cloud
	Home  string `json:"home"`  // on premises
}

// Flushed is the last flush of a VM's cloud cache that is applied on premises.
type Flushed struct {
	Number uint64    `json:"number"`
	At     time.Time `json:"at"` // of its cut; zero: it was found on premises, and nobody had heard its end
}

// NIC is what an adapter becomes in the cloud. The MAC address stays.
type NIC struct {
	Key     int32  `json:"key"`
	MAC     string `json:"mac"`
	Network string `json:"network"`
	Adapter string `json:"adapter"`
}

// Migration is everything durable about one migration. It is a value: Decide
// returns a new one, and what is journalled is this.
type Migration struct {
	ID       ID          `json:"id"`
	Number   int         `json:"number"` // of the order, from 1
	Order    Order       `json:"order"`
	State    State       `json:"state"`
	Step     StepName    `json:"step,omitempty"`    // while Running; while Undoing, the step being undone
	Next     StepName    `json:"next,omitempty"`    // while Waiting: the step that begins when the word is given
	Attempt  int         `json:"attempt,omitempty"` // how often the present step, or its undo, was begun
	Tries    int         `json:"tries,omitempty"`   // failures of it that count
	Discard  bool        `json:"discard,omitempty"` // the outstanding effect clears the way for the step
	Issued   int         `json:"issued,omitempty"`  // effects so far: makes every key new
	Effect   string      `json:"effect,omitempty"`  // key of the outstanding effect; "" if none
	Retries  int         `json:"retries,omitempty"` // of all steps
	Started  []StepName  `json:"started,omitempty"` // steps whose effect was ever issued, in order
	ToUndo   []Undo      `json:"to_undo,omitempty"` // while Undoing: the first is being done
	Asked    bool        `json:"asked,omitempty"`   // a user asked to cancel
	Plan     Plan        `json:"plan"`
	Copy     vsphere.Ref `json:"copy,omitempty"`     // the VM in the cloud
	Clone    vsphere.Ref `json:"clone,omitempty"`    // of the migrate-time snapshot, on premises
	Image    vsphere.Ref `json:"image,omitempty"`    // the VM in the cloud that the clone was transferred to
	Snapshot string      `json:"snapshot,omitempty"` // name of the migrate-time snapshot
	LastOn   int32       `json:"last_on,omitempty"`  // the newest power-on that the source had when it was taken
	Bytes    int64       `json:"bytes,omitempty"`    // carried by the successful bulk transfer

	// Bound: the VM has a cloud cache, and a data path to the premises.
	Bound   bool      `json:"bound,omitempty"`
	Path    Path      `json:"path,omitzero"` // stays when it is bound no more
	Served  Served    `json:"served,omitzero"`
	Flushed Flushed   `json:"flushed,omitzero"`
	FirstOn time.Time `json:"first_on,omitzero"` // when it was first powered on in the cloud (BOOT-01)
	// OnUp is the same on the clock of a boot of the appliance, OnBoot. It is
	// negative for what was before that.
	OnUp   time.Duration `json:"on_up,omitempty"`
	OnBoot int           `json:"on_boot,omitempty"`
	// Of is the migration that brought the VM to the cloud which this one brings
	// back.
	Of ID `json:"of,omitempty"`
	// Group are VMs that move together: the name of the first order of them.
	Group ID `json:"group,omitempty"`

	// Held: it waits for a part of HDM that is being repaired (COLD-06). No effect is
	// begun meanwhile.
	Held bool `json:"held,omitempty"`
	// Stopping: the outstanding effect was told to end, and how it ends does not
	// count. Breaks is why the migration fails then, if it does.
	Stopping bool   `json:"stopping,omitempty"`
	Breaks   Reason `json:"breaks,omitzero"`
	// Boots: the VM that was brought back is likely to boot (REC-05). Doubt says why
	// not, if it is not.
	Boots bool   `json:"boots,omitempty"`
	Doubt string `json:"doubt,omitempty"`

	// Unreachable: every attempt since has found the way to a vCenter down. Since
	// counts from the boot, which a restart begins anew.
	Unreachable      bool          `json:"unreachable,omitempty"`
	UnreachableSince time.Duration `json:"unreachable_since,omitempty"`

	// Version counts the decisions about the migration, and Moved is what the last
	// one moved: after a crash in between it can still be told.
	Version int    `json:"version"`
	Moved   []Move `json:"moved,omitempty"`

	Reasons   []Reason   `json:"reasons,omitempty"`   // why refused, failed or cancelled
	Leftovers []Leftover `json:"leftovers,omitempty"` // what undoing could not put back
	Ordered   time.Time  `json:"ordered"`
	Ended     time.Time  `json:"ended,omitzero"`
	Told      Told       `json:"told,omitzero"`
	Reported  bool       `json:"reported,omitempty"` // its task in vCenter shows the end
	Responses Responses  `json:"responses,omitzero"` // to an order FromMessage
}

// Responses are what the message bus was told of a migration (SQS-06).
type Responses struct {
	Count   int   `json:"count,omitempty"`
	Percent int32 `json:"percent,omitempty"` // the most that was told: it never falls
	Final   bool  `json:"final,omitempty"`   // the last one was sent
}

// Undo is one thing that is taken back.
type Undo struct {
	Step StepName `json:"step"` // that it belongs to
	Does Kind     `json:"does"`
}

// Leftover is something that undoing could not put back: a person has to look.
type Leftover struct {
	Undo
	What string `json:"what"` // why not
}

func (l Leftover) String() string { return fmt.Sprintf("%s: could not %s: %s", l.Step, l.Does, l.What) }

// Told is what vCenter's log tells of a migration.
type Told struct {
	Began   bool `json:"began,omitempty"`
	Retries int  `json:"retries,omitempty"`
}

// Reason says why a migration did not do what was ordered.
type Reason struct {
	Code string `json:"code"` // see refusal.go; "failed" or "cancelled" otherwise
	What string `json:"what"`
	Fix  string `json:"fix,omitempty"`
}

// Shown reports whether vCenter shows the migration's end, or has nothing to
// show it on.
func (m *Migration) Shown() bool { return m.Reported || m.Plan.Source == "" }

// Answered reports whether whoever ordered the migration by message has been
// told its end, or nobody has to be.
func (m *Migration) Answered() bool { return m.Order.Origin != FromMessage || m.Responses.Final }

// Active reports whether the migration takes one of the slots that limits
// count.
func (m *Migration) Active() bool { return m.State == Running || m.State == Undoing }

// Maker is the migration whose mark the things bear that this one is about.
func (m *Migration) Maker() ID {
	if m.Of != "" {
		return m.Of
	}
	return m.ID
}

// Remembered reports whether the migration must not be forgotten: it has not
// been told everywhere, or its VM can still be brought back.
func (m *Migration) Remembered() bool { return m.Bound && m.Of == "" || !m.Shown() || !m.Answered() }

package migration

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fleet is every migration that is under way, in order of their numbers.
type Fleet []Migration

// Find is the migration of that id, or nil.
func (f Fleet) Find(id ID) *Migration {
	for i := range f {
		if f[i].ID == id {
			return &f[i]
		}
	}
	return nil
}

// NextCheck is the first order whose check is due: the oldest that waits, if
// not too many are being checked. A check reads both sites whole.
func (k Knobs) NextCheck(live Fleet) (ID, bool) {
	due, busy := ID(""), 0
	for i := range live {
		switch m := &live[i]; {
		case m.State != Checking:
		case m.Effect != "":
			busy++
		case due == "":
			due = m.ID
		}
	}
	return due, due != "" && busy < k.Checks
}

// queue is what waits for slots of one kind.
type queue string

// The queues. What runs on the cloud cache shares its slots (DEP-03); what comes
// back has as many of its own, and so has what HDM brings back.
const (
	coldQueue    queue = "cold"
	cloudQueue   queue = "cloud"
	backQueue    queue = "back"
	recoverQueue queue = "recover"
)

var queues = []queue{recoverQueue, coldQueue, cloudQueue, backQueue}

func (o Order) queue() queue {
	switch o.Type {
	case Cold:
		return coldQueue
	case Back:
		return backQueue
	case Recover:
		return recoverQueue
	}
	return cloudQueue
}

func (k Knobs) slots(q queue) int {
	switch q {
	case coldQueue:
		return k.Cold
	case recoverQueue:
		return max(k.Cloud.Warm, 1) // whatever became of the deployment
	}
	return k.Cloud.Warm
}

// Next is the first migration whose turn it is: the oldest of a queue in which
// a slot is free (COLD-02, DEP-03). An order that is still being checked keeps
// those behind it waiting, so that each queue stays in order. At is how many VMs
// of migrations that are over are on the cloud cache.
func (k Knobs) Next(live Fleet, at int) (ID, bool) {
	active := map[queue]int{}
	for i := range live {
		m := &live[i]
		if m.Active() {
			active[m.Order.queue()]++
		}
		if m.Order.queue() == cloudQueue && (m.Active() || m.State == Waiting) {
			at++
		}
	}
	for _, q := range queues {
		if active[q] >= k.slots(q) || q == cloudQueue && at >= k.Cloud.VMs {
			continue
		}
		i := slices.IndexFunc(live, func(m Migration) bool {
			return m.Order.queue() == q && (m.State == Checking || m.State == Queued)
		})
		if i >= 0 && live[i].State == Queued {
			return live[i].ID, true
		}
	}
	return "", false
}

// Reserved is the room that migrations under way may still take in the cloud,
// by datastore. One that has its data there already takes no more.
func Reserved(live Fleet, but ID) []Reservation {
	var all []Reservation
	for j := range live {
		m := &live[j]
		if m.ID == but || !m.takes() {
			continue
		}
		i := slices.IndexFunc(all, func(r Reservation) bool { return r.Datastore == m.Plan.Datastore })
		if i < 0 {
			all = append(all, Reservation{Datastore: m.Plan.Datastore})
			i = len(all) - 1
		}
		all[i].Bytes += m.Plan.Bytes
	}
	return all
}

// takes says whether the migration may still take room for the VM's data.
func (m *Migration) takes() bool {
	switch {
	case m.State != Running && m.State != Waiting || m.Plan.Bytes == 0:
		return false
	case m.Order.Type == Warm:
		return m.Image == ""
	}
	return m.Order.Type == Cold && m.Copy == ""
}

// Admit says why an order cannot be taken at all, before any site is looked at;
// nil if it can.
func (k Knobs) Admit(o Order, live Fleet) []Reason {
	var against []Reason
	switch _, ok := Tables[o.Type]; {
	case !ok || o.Type == Recover: // nobody but HDM brings a VM back so
		against = append(against, Reason{CodeType, "there is no migration type " + string(o.Type), "choose one of " + join(Types)})
	case o.queue() == coldQueue:
	case k.Cloud.Mode == "":
		against = append(against, Reason{CodeDeployed, "HDM is not deployed: a " + string(o.Type) + " migration needs its cloud cache", "deploy HDM, or choose cold"})
	case k.Cloud.Warm == 0:
		against = append(against, Reason{CodeMode, "HDM is deployed as " + k.Cloud.Mode + ", which has no cloud cache", "deploy another mode, or choose cold"})
	}
	for _, m := range live {
		if m.Order.VM == o.VM {
			against = append(against, Reason{CodeBusy, o.VM + " is being migrated by " + string(m.ID), "wait for that migration, or cancel it"})
		}
	}
	if len(live) >= k.Queue {
		against = append(against, Reason{CodeQueueFull, fmt.Sprintf("%d migrations are under way or wait", k.Queue), "order again when migrations have ended"})
	}
	return against
}

func join(types []Type) string {
	var all []string
	for _, t := range types {
		all = append(all, string(t))
	}
	return strings.Join(all, ", ")
}

// NewBack is the migration that brings back the VM of another one, which is
// over and bound.
func NewBack(number int, o Order, now time.Time, of Migration) Migration {
	m := New(number, o, now)
	m.Of, m.Plan, m.Copy, m.Clone, m.Image, m.Snapshot, m.LastOn = of.ID, of.Plan, of.Copy, of.Clone, of.Image, of.Snapshot, of.LastOn
	m.Bound, m.Served, m.Path, m.Flushed = true, of.Served, of.Path, of.Flushed
	return m
}

// Limits of an order. vSphere's names have at most 80 characters, which can
// take four bytes each; a VM has at most ten adapters.
const (
	MaxName     = 320 // bytes
	MaxMappings = 16
	// MaxNames are the bytes of all names of an order: those that come along with
	// it are written down in one batch.
	MaxNames = 8 << 10
)

// TooLarge says why an order cannot even be written down; nil if it can.
func TooLarge(o Order) []Reason {
	names := []string{o.Request, o.VM, string(o.Type), o.Target.Pool, o.Target.Datastore, o.Target.Adapter}
	for _, n := range o.Target.Networks {
		names = append(names, n.From, n.To)
	}
	var against []Reason
	if n := len(o.Target.Networks); n > MaxMappings {
		against = append(against, Reason{CodeTooLarge, fmt.Sprintf("the order maps %d networks, more than %d", n, MaxMappings), "map those that the VM is on"})
	}
	sum := 0
	for _, name := range names {
		sum += len(name)
	}
	if sum > MaxNames {
		against = append(against, Reason{CodeTooLarge, fmt.Sprintf("the names in the order have %d bytes, more than %d", sum, MaxNames), "map only the networks that the VM is on"})
	}
	for _, name := range names[:min(len(names), 2*MaxMappings)] {
		if len(name) > MaxName {
			against = append(against, Reason{CodeTooLarge, fmt.Sprintf("the name %.20q... has %d bytes, more than %d", name, len(name), MaxName), "use the names that vCenter shows"})
		}
	}
	return against
}

// RefusedAtOnce is the record of an order that Admit turned down.
func RefusedAtOnce(number int, o Order, now time.Time, why []Reason) Migration {
	return Migration{
		ID: id(number), Number: number, Order: o, State: Refused, Reasons: why, Ordered: now, Ended: now, Reported: true,
		Version: 1, Moved: []Move{{To: Refused}},
	}
}

package migration

import (
	"fmt"
	"slices"
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

// Next is the first migration whose turn it is: the oldest queued one, if a
// slot is free (COLD-02). An order that is still being checked keeps those
// behind it waiting, so that the queue stays in order.
func (k Knobs) Next(live Fleet) (ID, bool) {
	active := 0
	for _, m := range live {
		if m.Active() {
			active++
		}
	}
	if active >= k.Cold {
		return "", false
	}
	for _, m := range live {
		switch m.State {
		case Checking:
			return "", false
		case Queued:
			return m.ID, true
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
		if m.ID == but || m.State != Running || m.Plan.Bytes == 0 || m.Copy != "" {
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

// Admit says why an order cannot be taken at all, before any site is looked at;
// nil if it can.
func (k Knobs) Admit(o Order, live Fleet) []Reason {
	var against []Reason
	if _, ok := Tables[o.Type]; !ok {
		against = append(against, Reason{CodeType, "there is no migration type " + string(o.Type), "choose cold"})
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

// Limits of an order. vSphere's names have at most 80 characters, which can
// take four bytes each; a VM has at most ten adapters.
const (
	MaxName     = 320 // bytes
	MaxMappings = 16
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

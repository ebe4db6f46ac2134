package migration

import (
	"fmt"
	"slices"
	"time"
)

// Fleet is every migration that an appliance knows, in order of their numbers.
type Fleet []Migration

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
		against = append(against, Reason{CodeQueueFull, "the queue is full", "order again when migrations have ended"})
	}
	return against
}

// MaxOrder bounds the bytes of all names in an order. vSphere's names have at
// most 80 characters.
const MaxOrder = 64 << 10

// TooLarge says why an order cannot even be written down; nil if it can.
func TooLarge(o Order) []Reason {
	size := len(o.Request) + len(o.VM) + len(o.Type) + len(o.Target.Pool) + len(o.Target.Datastore) + len(o.Target.Adapter)
	for _, n := range o.Target.Networks {
		size += len(n.From) + len(n.To)
	}
	if size <= MaxOrder {
		return nil
	}
	return []Reason{{CodeTooLarge, fmt.Sprintf("the names in the order have %d bytes, more than %d", size, MaxOrder), "use the names that vCenter shows"}}
}

// RefusedAtOnce is the record of an order that Admit turned down.
func RefusedAtOnce(number int, o Order, now time.Time, why []Reason) Migration {
	return Migration{
		ID: id(number), Number: number, Order: o, State: Refused, Reasons: why, Ordered: now, Ended: now, Reported: true,
		Version: 1, Moved: []Move{{To: Refused}},
	}
}

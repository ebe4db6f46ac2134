package oracle

import (
	"time"

	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// damage is what storage has lost below everybody (SYS-01 promises retries, and no
// more): blocks of disks by the disk's ID, and when it last lost them. What was
// acknowledged before is not held against anybody; what is written there later is.
type damage map[string]map[int64]time.Duration

// hear takes an event.DiskDamaged.
func (d damage) hear(w World, e *kernel.Event) {
	disks, n := w.Disks(e.Subject), int(number(e, "disk"))
	if n >= len(disks) {
		return
	}
	id := disks[n].ID
	if d[id] == nil {
		d[id] = map[int64]time.Duration{}
	}
	d[id][number(e, "block")] = e.At
}

// met says whether a block of a disk was ever lost.
func (d damage) met(id string, block int64) bool {
	_, lost := d[id][block]
	return lost
}

// took says whether a write that was acknowledged then was lost with its block.
func (d damage) took(id string, block int64, acknowledged time.Duration) bool {
	at, lost := d[id][block]
	return lost && acknowledged <= at
}

// tookLast says the same of the last write to a block of a guest's disk.
func (d damage) tookLast(software *guest.Guest, index int, block int64) bool {
	if software == nil || index >= len(software.Disks()) || !d.met(software.Disks()[index], block) {
		return false
	}
	for b, ack := range software.Acknowledged(index) {
		if b == block {
			return d.took(software.Disks()[index], block, ack.At)
		}
	}
	return false
}

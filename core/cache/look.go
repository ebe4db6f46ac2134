package cache

import (
	"cmp"
	"slices"
)

// Peek says where in the cache's region of the device lies what the guest sees
// of a block; false: it is not held. It is no use of the block, and changes
// nothing. It is for whoever judges what a disk holds.
func (c *Cache) Peek(disk int, block int64) (off int64, held bool) {
	i := c.table.get(keyOf(disk, block))
	if i == none || c.table.entries[i].state == absent {
		return 0, false
	}
	return c.layout.slotAt(c.table.entries[i].now), true
}

// Held are the blocks of a disk that are held, ascending.
func (c *Cache) Held(disk int) []int64 {
	var held []int64
	for i := range c.table.entries {
		if e := &c.table.entries[i]; e.state != absent && e.key.disk() == disk {
			held = append(held, e.key.block())
		}
	}
	slices.Sort(held)
	return held
}

// Volatile is a block of which what the guest sees is not durable: a crash of
// the cache loses it.
type Volatile struct {
	Block int64
	Off   int64  // where it lies in the cache's region of the device
	sum   uint32 // of what was written
	key   key
}

// Holds says whether p is what was written there.
func (v Volatile) Holds(p []byte) bool { return v.key.sum(p) == v.sum }

// Volatile are the blocks of a disk that were written and that the index on the
// device does not have, ascending.
func (c *Cache) Volatile(disk int) []Volatile {
	var all []Volatile
	for _, i := range c.table.dirty {
		if e := &c.table.entries[i]; e.key.disk() == disk && e.state.unflushed() && e.now != e.durable {
			all = append(all, Volatile{Block: e.key.block(), Off: c.layout.slotAt(e.now), sum: e.sum, key: e.key})
		}
	}
	slices.SortFunc(all, func(a, b Volatile) int { return cmp.Compare(a.Block, b.Block) })
	return all
}

// Withdraw takes back a write that waits for room, because whoever asked for it
// is gone: it is done with ErrWithdrawn, and never happens. A request that does
// not wait is not touched.
func (c *Cache) Withdraw(id uint64) Out {
	i := slices.IndexFunc(c.stalled, func(q *request) bool { return q.ID == id })
	if i >= 0 {
		q := c.stalled[i]
		c.stalled = slices.Delete(c.stalled, i, i+1)
		q.err = &Error{What: q.Kind.String(), Disk: q.Disk, Block: q.Off / BlockSize, Err: ErrWithdrawn}
		c.finish(q)
		c.makeRoom()
	}
	return c.flushOut()
}

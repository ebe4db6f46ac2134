package cache

import "slices"

// makeRoom lets writes that wait go on, in the order in which they came, as far
// as there are slots for all of their blocks. A write that has its slots waits
// for nothing but operations and writes before it: so the first one always
// gets on once the premises have been told what is dirty.
func (c *Cache) makeRoom() {
	for len(c.stalled) > 0 {
		q := c.stalled[0]
		if c.slots.free+c.table.listed < len(q.parts) {
			// What the index still refers to comes free with the next sync.
			if !c.sync.failed && len(c.sync.wanted) > 0 {
				c.startSync()
			}
			return
		}
		for c.slots.free < len(q.parts) {
			if !c.evictOne() {
				return // reads hold what was evicted, for a moment
			}
		}
		c.stalled = slices.Delete(c.stalled, 0, 1)
		c.admit(q)
	}
}

// admit gives a write its slots and lets it queue for its blocks.
func (c *Cache) admit(q *request) {
	for i := range q.parts {
		q.parts[i].slot = c.slots.take()
	}
	for i := range q.parts {
		p := &q.parts[i]
		p.at = c.table.ensure(p.key)
		e := &c.table.entries[p.at]
		if e.writers = append(e.writers, p); len(e.writers) == 1 {
			c.write(p)
		}
	}
}

// write begins a part of a write that has its block.
func (c *Cache) write(p *part) {
	if p.whole() {
		c.writeSlot(p, p.data)
	} else {
		c.content(p)
	}
}

func (c *Cache) writeSlot(p *part, block []byte) {
	p.sum = p.key.sum(block)
	c.begin(Op{Kind: DeviceWrite, Off: c.layout.slotAt(p.slot), Data: block}, pending{done: (*Cache).slotWritten, part: p})
}

func (c *Cache) slotWritten(o pending, err error) {
	if err != nil {
		err = &Error{What: Write.String(), Disk: o.part.key.disk(), Block: o.part.key.block(), Err: ErrDevice, Cause: err}
	}
	c.partDone(o.part, err)
}

// settle ends a write whose parts are all done: all of its blocks move to their
// new slots in one step, or none does.
func (c *Cache) settle(q *request) {
	for i := range q.parts {
		p := &q.parts[i]
		if q.err == nil {
			c.commit(p)
		} else {
			c.slots.unref(p.slot, refNow)
		}
		c.passOn(p)
	}
	if q.err == nil && q.FUA {
		c.await(waiter{req: q})
	} else {
		c.finish(q)
	}
}

// commit makes what a part wrote the content of its block.
func (c *Cache) commit(p *part) {
	e := &c.table.entries[p.at]
	if e.fetch != nil {
		e.fetch.stale = true
		e.fetch = nil
	}
	if e.state.unflushed() {
		c.stats.Overwritten += uint64(len(p.data))
	}
	c.slots.unref(e.now, refNow)
	e.now, e.sum = p.slot, p.sum
	c.table.move(p.at, written)
	c.changed.add(p.key)
	c.want(p.at)
}

// passOn gives the block of a part to the next write that waits for it.
func (c *Cache) passOn(p *part) {
	e := &c.table.entries[p.at]
	e.writers = slices.Delete(e.writers, 0, 1)
	if len(e.writers) > 0 {
		c.write(e.writers[0])
	} else {
		c.table.tidy(p.at)
	}
}

package cache

// fetch is a block on its way from the premises, and then on its way to a
// slot. Everybody who needs the block meanwhile shares it.
type fetch struct {
	key    key
	buf    []byte
	parts  []*part // wait for buf
	loaded bool    // buf holds the block
	stale  bool    // the guest has written the block: it serves who waits, and nobody else
	slot   int32   // where it goes
	sum    uint32
}

// read serves a part of a read.
func (c *Cache) read(p *part) {
	if i := c.table.get(p.key); i != none && c.table.entries[i].state != absent {
		c.stats.Hits++
	} else {
		c.stats.Misses++
	}
	c.content(p)
}

// content gets the content of a part's block, and then calls got.
func (c *Cache) content(p *part) {
	i := c.table.ensure(p.key)
	e := &c.table.entries[i]
	switch {
	case e.state != absent:
		c.table.use(i)
		c.slots.pin(e.now)
		buf := p.data
		if p.req.Kind == Write || !p.whole() {
			buf = p.buffer(c)
		}
		p.sum = e.sum
		c.begin(Op{Kind: DeviceRead, Off: c.layout.slotAt(e.now), Data: buf}, pending{done: (*Cache).slotRead, part: p, slot: e.now})
	case e.fetch == nil:
		e.fetch = &fetch{key: p.key, buf: c.memory.block(), parts: []*part{p}, slot: none}
		c.begin(Op{Kind: Fetch, Disk: p.key.disk(), Block: p.key.block(), Data: e.fetch.buf}, pending{done: (*Cache).fetched, fetch: e.fetch})
	case e.fetch.loaded:
		c.got(p, e.fetch.buf)
	default:
		e.fetch.parts = append(e.fetch.parts, p)
	}
}

// buffer is a block of the part's own.
func (p *part) buffer(c *Cache) []byte {
	if p.buf == nil {
		p.buf = c.memory.block()
	}
	return p.buf
}

// slotRead takes the end of reading a slot. A clean block that cannot be read,
// or is not what was written, comes from the premises again.
func (c *Cache) slotRead(o pending, err error) {
	c.slots.unpin(o.slot)
	p := o.part
	if err == nil && p.key.sum(o.data) == p.sum {
		c.got(p, o.data)
		return
	}
	i := c.table.get(p.key)
	if i != none && c.table.entries[i].now == o.slot {
		if c.table.entries[i].state != clean {
			c.partDone(p, rotten(p.req.Kind.String(), p.key, err))
			return
		}
		c.stats.Healed++
		c.evict(i)
	}
	c.content(p)
}

// rotten is the error of a slot that could not be read, or holds other bytes.
func rotten(what string, k key, cause error) *Error {
	if cause == nil {
		return &Error{What: what, Disk: k.disk(), Block: k.block(), Err: ErrRotten}
	}
	return &Error{What: what, Disk: k.disk(), Block: k.block(), Err: ErrDevice, Cause: cause}
}

// got gives a part the content of its block.
func (c *Cache) got(p *part, block []byte) {
	if p.req.Kind == Read {
		if !p.whole() || &p.data[0] != &block[0] {
			copy(p.data, block[p.from:])
		}
		c.partDone(p, nil)
		return
	}
	buf := p.buffer(c)
	if &buf[0] != &block[0] {
		copy(buf, block)
	}
	copy(buf[p.from:], p.data)
	c.writeSlot(p, buf)
}

// partDone counts a part of a request as done.
func (c *Cache) partDone(p *part, err error) {
	q := p.req
	if err != nil && q.err == nil {
		q.err = err
	}
	if q.left--; q.left > 0 {
		return
	}
	if q.Kind == Read {
		c.finish(q)
	} else {
		c.settle(q)
	}
}

// fetched takes the end of a fetch.
func (c *Cache) fetched(o pending, err error) {
	f := o.fetch
	if err != nil {
		c.endFetch(f)
		for _, p := range f.parts {
			c.partDone(p, &Error{What: p.req.Kind.String(), Disk: f.key.disk(), Block: f.key.block(), Err: ErrFetch, Cause: err})
		}
		return
	}
	if end := c.config.Disks[f.key.disk()] - f.key.block()*BlockSize; end < BlockSize {
		clear(f.buf[end:])
	}
	f.loaded = true
	for _, p := range f.parts {
		c.got(p, f.buf)
	}
	c.fill(f)
}

// fill keeps what was fetched, if it is still what the premises have and there
// is room that no write needs.
func (c *Cache) fill(f *fetch) {
	if f.stale || len(c.table.entries[c.table.get(f.key)].writers) > 0 || len(c.stalled) > 0 {
		c.endFetch(f)
		return
	}
	if c.slots.free == 0 {
		c.evictOne()
	}
	if c.slots.free == 0 {
		c.endFetch(f)
		return
	}
	f.slot, f.sum = c.slots.take(), f.key.sum(f.buf)
	c.begin(Op{Kind: DeviceWrite, Off: c.layout.slotAt(f.slot), Data: f.buf}, pending{done: (*Cache).filled, fetch: f})
}

// filled takes the end of writing what was fetched. If that failed, nobody has
// lost anything.
func (c *Cache) filled(o pending, err error) {
	f := o.fetch
	i := c.table.get(f.key)
	if f.stale || err != nil {
		c.slots.unref(f.slot, refNow)
		c.endFetch(f)
		return
	}
	e := &c.table.entries[i]
	e.now, e.sum = f.slot, f.sum
	c.table.move(i, fetched)
	c.endFetch(f)
}

// endFetch forgets a fetch.
func (c *Cache) endFetch(f *fetch) {
	c.memory.giveBack(f.buf)
	if f.stale {
		return
	}
	i := c.table.get(f.key)
	c.table.entries[i].fetch = nil
	c.table.tidy(i)
}

// evict forgets a clean block.
func (c *Cache) evict(i int32) {
	e := &c.table.entries[i]
	c.slots.unref(e.now, refNow)
	e.now = none
	c.table.move(i, evicted)
	c.table.tidy(i)
}

// evictOne forgets the clean block that was used least recently. Blocks with
// unflushed data are not in the list, so that it need not look for one.
func (c *Cache) evictOne() bool {
	if c.table.first == none {
		return false
	}
	c.evict(c.table.first)
	c.stats.Evictions++
	return true
}

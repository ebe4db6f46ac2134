package cache

// Cache is the cache of one VM. Make one with New or Recover.
type Cache struct {
	config  Config
	layout  layout
	table   table
	slots   slots
	ops     ops
	sync    sync
	cut     *cut
	cuts    uint64 // the last one's number
	stalled []*request
	open    int // requests that are not done
	changed changed
	stats   Stats
	memory  memory
	out     Out
}

// New returns an empty cache, and the operations that format its region of the
// device. It may be used at once; nothing is acknowledged as durable before the
// format is. It panics if Config.Check finds something.
func New(c Config) (*Cache, Out) {
	cache := empty(c)
	cache.startSync()
	return cache, cache.flushOut()
}

func empty(c Config) *Cache {
	if err := c.Check(); err != nil {
		panic(err)
	}
	l := layoutOf(c)
	return &Cache{config: c, layout: l, table: newTable(), slots: newSlots(l.slots), changed: newChanged(c)}
}

// Submit takes a request. One that cannot be served is done at once, with
// ErrRequest or ErrBusy.
func (c *Cache) Submit(r Request) Out {
	if err := c.refusal(r); err != nil {
		c.out.Done = append(c.out.Done, Done{r.ID, err})
		return c.flushOut()
	}
	c.open++
	q := c.memory.request(r)
	if r.Kind == Flush {
		c.await(waiter{req: q})
		return c.flushOut()
	}
	c.split(q)
	switch {
	case len(q.parts) == 0:
		c.finish(q)
	case r.Kind == Read:
		for i := range q.parts {
			c.read(&q.parts[i])
		}
	default:
		c.stalled = append(c.stalled, q)
		c.makeRoom()
	}
	return c.flushOut()
}

// Complete takes the end of an operation. One that is not outstanding is
// ignored.
func (c *Cache) Complete(op uint64, err error) Out {
	if o, ok := c.ops.end(op); ok {
		o.done(c, o, err)
		c.makeRoom()
	}
	return c.flushOut()
}

// refusal says why a request cannot be taken.
func (c *Cache) refusal(r Request) error {
	switch {
	case c.open >= maxRequests:
		return &Error{What: r.Kind.String(), Disk: -1, Err: ErrBusy}
	case r.Kind == Flush:
		return nil
	case r.Kind > Flush || r.Disk < 0 || r.Disk >= len(c.config.Disks):
		return &Error{What: r.Kind.String(), Disk: -1, Err: ErrRequest}
	}
	n := int64(len(r.Data))
	bad := r.Off < 0 || r.Off%SectorSize != 0 || n%SectorSize != 0 ||
		n > c.config.Disks[r.Disk] || r.Off > c.config.Disks[r.Disk]-n ||
		(r.Off%BlockSize+n+BlockSize-1)/BlockSize > int64(c.config.MaxRequest())
	if bad {
		return &Error{What: r.Kind.String(), Disk: r.Disk, Block: r.Off / BlockSize, Err: ErrRequest}
	}
	return nil
}

func (k Kind) String() string {
	switch k {
	case Read:
		return "read"
	case Write:
		return "write"
	case Flush:
		return "flush"
	}
	return "unknown request"
}

// split divides a request into its blocks.
func (c *Cache) split(q *request) {
	for done := 0; done < len(q.Data); {
		off := q.Off + int64(done)
		from := int(off % BlockSize)
		n := min(len(q.Data)-done, BlockSize-from)
		q.parts = append(q.parts, part{req: q, key: keyOf(q.Disk, off/BlockSize), from: from, data: q.Data[done : done+n], slot: none})
		done += n
	}
	q.left = len(q.parts)
}

// finish tells that a request has ended.
func (c *Cache) finish(q *request) {
	if q.err == nil {
		switch q.Kind {
		case Read:
			c.stats.BytesRead += uint64(len(q.Data))
		case Write:
			c.stats.Absorbed += uint64(len(q.Data))
		}
	}
	c.out.Done = append(c.out.Done, Done{q.ID, q.err})
	c.open--
	c.memory.drop(q)
}

// flushOut hands over what has come together.
func (c *Cache) flushOut() Out {
	out := c.out
	c.out = Out{}
	out.FlushWanted = c.flushWanted()
	return out
}

// flushWanted says whether a flush would make room that is, or soon will be,
// needed. After a sync that failed even one of nothing does: it begins another.
func (c *Cache) flushWanted() bool {
	dirty := len(c.table.dirty)
	return c.cut == nil && (dirty >= c.highMark() || len(c.stalled) > 0 && (dirty > 0 || c.sync.failed))
}

// highMark is the number of dirty blocks from which a flush is wanted: half of
// the slots, so that there is as much room for what is written during it.
func (c *Cache) highMark() int { return c.layout.slots / 2 }

// Stats returns the figures of now.
func (c *Cache) Stats() Stats {
	s := c.stats
	s.Slots, s.Free = c.layout.slots, c.slots.free
	s.Clean, s.Dirty = c.table.clean, len(c.table.dirty)
	s.Stalled, s.Outstanding = len(c.stalled), c.open
	if c.cut != nil {
		s.Frozen = len(c.cut.blocks)
	}
	return s
}

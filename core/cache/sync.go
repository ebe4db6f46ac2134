package cache

// A sync makes the index on the device what it should be: FLUSH, FUA and cuts
// wait for one. One runs at a time; who comes meanwhile shares the next.
//
//	idle -> data   flush the device, so that the slots are durable before the index names them
//	     -> log    write the records (or a checkpoint)
//	     -> index  flush the device; without a checkpoint that is the end
//	     -> super  write the superblock of the new epoch
//	     -> turn   flush the device
//
// Until it has ended well, the index may be as before or as after. So slots
// that either names are kept. If it fails, nobody knows what was written: the
// next sync is a checkpoint in the other area, which makes it irrelevant.

type phase uint8

const (
	phaseIdle phase = iota
	phaseData
	phaseLog
	phaseIndex
	phaseSuper
	phaseTurn
)

// waiter waits for a sync: a FLUSH, a write with FUA, or a cut.
type waiter struct {
	req *request
	cut *cut
}

// step is what the sync that runs makes of a block: slot is what the index will
// name, or none.
type step struct {
	entry int32
	slot  int32
}

// sync is the sync that runs, and what is known of the index.
type sync struct {
	phase      phase
	wanted     []int32 // entries whose place in the index is not as it should be
	steps      []step  // of the sync that runs
	records    []record
	checkpoint bool
	left       int // operations of the phase that are not done
	err        error
	now, next  []waiter

	epoch   uint64 // the one that counts; 0: the device is not formatted
	tries   uint64 // checkpoints that failed since it began
	rewrite bool   // the next sync is a checkpoint whatever fits
	failed  bool   // the last sync: none is begun but for who asks
	seq     uint32 // of the next batch
	before  uint32 // sum of the last batch
	writing uint64 // that the sync that runs writes
	cuts    uint64 // number of the last cut that the index has
	at      int64  // where the next batch goes in the area
	doubt   []int32
}

// want notes that a block's place in the index has to change.
func (c *Cache) want(i int32) {
	if e := &c.table.entries[i]; !e.pending {
		e.pending = true
		c.sync.wanted = append(c.sync.wanted, i)
	}
}

// await ends w when everything that was acknowledged until now is durable. A
// cut waits for its number, too: after a crash it is not given again.
func (c *Cache) await(w waiter) {
	s := &c.sync
	switch {
	case w.cut != nil:
		s.next = append(s.next, w)
		c.startSync()
	case s.phase == phaseIdle && len(s.wanted) == 0 && s.epoch > 0:
		c.endWait(w, nil)
	case s.phase != phaseIdle && len(s.wanted) == 0:
		s.now = append(s.now, w)
	default:
		s.next = append(s.next, w)
		c.startSync()
	}
}

func (c *Cache) endWait(w waiter, err error) {
	switch {
	case w.cut != nil:
		c.cutSynced(w.cut, err)
	case err != nil:
		w.req.err = &Error{What: w.req.Kind.String(), Disk: -1, Err: ErrDevice, Cause: err}
		c.finish(w.req)
	default:
		c.finish(w.req)
	}
}

// startSync begins a sync if none runs.
func (c *Cache) startSync() {
	s := &c.sync
	if s.phase != phaseIdle {
		return
	}
	s.now, s.next = s.next, s.now[:0]
	s.failed, s.err = false, nil
	s.steps, s.records = s.steps[:0], s.records[:0]
	fresh := false
	for _, i := range s.wanted {
		e := &c.table.entries[i]
		e.pending = false
		switch unflushed := e.state.unflushed(); {
		case unflushed && e.durable != e.now:
			fresh = true
			e.syncing = e.now
			c.slots.ref(e.now, refSyncing)
			s.steps = append(s.steps, step{i, e.now})
			s.records = append(s.records, record{e.key, e.now, e.sum})
		case !unflushed && e.durable != none:
			s.steps = append(s.steps, step{i, none})
			s.records = append(s.records, record{e.key, gone, 0})
		default:
			c.table.tidy(i)
		}
	}
	s.wanted = s.wanted[:0]
	s.checkpoint = s.rewrite || s.epoch == 0 || s.at+batchesSize(len(s.records)) > c.layout.area
	if s.checkpoint {
		s.records = s.records[:0]
		for _, i := range c.table.dirty {
			e := &c.table.entries[i]
			s.records = append(s.records, record{e.key, e.now, e.sum})
		}
	}
	switch {
	case fresh:
		s.phase = phaseData
		c.syncOp(Op{Kind: DeviceFlush})
	case len(s.records) > 0 || s.checkpoint || s.cuts < c.cuts:
		c.writeLog()
	default:
		c.syncDone()
	}
}

// syncOp asks for an operation of the phase.
func (c *Cache) syncOp(op Op) {
	c.sync.left++
	c.begin(op, pending{done: (*Cache).syncStep})
}

// syncStep takes the end of an operation of the sync, and goes to the next
// phase after the last one.
func (c *Cache) syncStep(_ pending, err error) {
	s := &c.sync
	if err != nil && s.err == nil {
		s.err = err
	}
	if s.left--; s.left > 0 {
		return
	}
	if s.err != nil {
		c.syncFailed()
		return
	}
	switch s.phase {
	case phaseData:
		c.writeLog()
	case phaseLog, phaseSuper:
		s.phase++
		c.syncOp(Op{Kind: DeviceFlush})
	case phaseIndex:
		if !s.checkpoint {
			c.syncDone()
			return
		}
		s.phase = phaseSuper
		epoch := s.upcoming()
		c.syncOp(Op{Kind: DeviceWrite, Off: c.layout.superAt(epoch), Data: c.layout.encodeSuper(epoch)})
	case phaseTurn:
		s.epoch, s.tries, s.rewrite = s.upcoming(), 0, false
		c.stats.Checkpoints++
		c.syncDone()
	}
}

// upcoming is the epoch of a checkpoint. Each try has one of its own, so that
// what tries have left in an area is not mixed. All have the area that is not
// in use; while none is, because the region is being formatted, they take turns,
// since the try before may count after all.
func (s *sync) upcoming() uint64 {
	if s.epoch == 0 {
		return 1 + s.tries
	}
	return s.epoch + 1 + 2*s.tries
}

// writeLog writes the records as batches.
func (c *Cache) writeLog() {
	s := &c.sync
	s.phase = phaseLog
	h := head{tag: c.layout.tag, epoch: s.epoch, seq: s.seq, before: s.before}
	if s.checkpoint {
		s.at = 0
		h = head{tag: c.layout.tag, epoch: s.upcoming(), checkpoint: uint32(max(1, (len(s.records)+perBatch-1)/perBatch))}
	}
	h.cuts, s.writing = c.cuts, c.cuts
	for rest := s.records; ; h.checkpoint = 0 {
		n := min(len(rest), perBatch)
		h.count = uint32(n)
		p, sum := h.encode(rest[:n])
		c.syncOp(Op{Kind: DeviceWrite, Off: c.layout.areaAt(h.epoch) + s.at, Data: p})
		s.at += int64(len(p))
		h.seq++
		h.before = sum
		if rest = rest[n:]; len(rest) == 0 {
			break
		}
	}
	s.seq, s.before = h.seq, h.before
	if s.epoch == 0 { // whatever the region held is not a cache any more
		c.syncOp(Op{Kind: DeviceWrite, Off: c.layout.superAt(s.upcoming() + 1), Data: make([]byte, SectorSize)})
	}
}

// syncDone ends a sync that went well: the index is as it was to become, and
// what only the one before named is free.
func (c *Cache) syncDone() {
	s := &c.sync
	c.stats.Syncs++
	s.cuts = s.writing
	for _, t := range s.steps {
		e := &c.table.entries[t.entry]
		c.slots.unref(e.durable, refDurable)
		e.durable = t.slot
		if t.slot != none {
			c.slots.ref(t.slot, refDurable)
			c.slots.unref(t.slot, refSyncing)
			e.syncing = none
		}
		c.table.list(t.entry)
		c.table.tidy(t.entry)
	}
	for _, i := range s.doubt {
		c.slots.unref(i, refDoubt)
	}
	s.doubt = s.doubt[:0]
	c.syncEnded(nil)
}

// syncFailed ends a sync that failed: it counts as not done, and yet the index
// may name its slots.
func (c *Cache) syncFailed() {
	s := &c.sync
	for _, t := range s.steps {
		if t.slot != none {
			if c.slots.refs[t.slot]&refDoubt == 0 {
				c.slots.ref(t.slot, refDoubt)
				s.doubt = append(s.doubt, t.slot)
			}
			c.slots.unref(t.slot, refSyncing)
			c.table.entries[t.entry].syncing = none
		}
		c.want(t.entry)
	}
	s.rewrite, s.failed = true, true
	if s.checkpoint {
		s.tries++
	}
	c.syncEnded(s.err)
}

func (c *Cache) syncEnded(err error) {
	s := &c.sync
	s.phase = phaseIdle
	for i := 0; i < len(s.now); i++ {
		c.endWait(s.now[i], err)
	}
	clear(s.now)
	s.now = s.now[:0]
	if len(s.next) > 0 {
		c.startSync()
	}
}

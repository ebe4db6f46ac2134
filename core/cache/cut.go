package cache

import "slices"

// cut is what all disks held at one instant and the premises lack.
type cut struct {
	number uint64
	blocks []int32 // entries, in the order of disks and blocks
	pulled int     // blocks that were asked for
	seq    int     // of the next chunk that is asked for
	sent   int     // chunks that were handed over
	asked  bool    // for the sync
	synced bool
	broken bool
	whole  bool // the last chunk was handed over
	pulls  []*pull
}

// pull is a chunk that is being read.
type pull struct {
	cut    *cut
	blocks []Block
	left   int
	err    error
	last   bool
}

// Cut takes the cut of this instant: every write that was acknowledged, and
// none that was submitted later. It returns the cut's number and how many
// blocks it holds. Caches that are cut without a Submit or Complete in between
// are cut at one instant. ErrCut: there is one already.
func (c *Cache) Cut() (number uint64, blocks int, err error) {
	if c.cut != nil {
		return 0, 0, &Error{What: "cut", Disk: -1, Err: ErrCut}
	}
	c.cuts++
	c.cut = &cut{number: c.cuts, blocks: slices.Clone(c.table.dirty)}
	slices.SortFunc(c.cut.blocks, func(a, b int32) int {
		if c.table.entries[a].key < c.table.entries[b].key {
			return -1
		}
		return 1
	})
	for _, i := range c.cut.blocks {
		c.freeze(i)
	}
	return c.cut.number, len(c.cut.blocks), nil
}

// freeze lets the cut hold what the guest sees of a block.
func (c *Cache) freeze(i int32) {
	e := &c.table.entries[i]
	e.held, e.heldSum = e.now, e.sum
	c.slots.ref(e.held, refHeld)
	c.table.move(i, wasCut)
}

// Pull reads the next blocks of the cut, at most 1,024; they come as one Chunk,
// once everything before has come and all that the cut holds is durable here:
// what the premises have, a crash of the cache does not lose. At most 16 chunks
// are read at a time; more are not begun. A cut of no block has one empty
// chunk.
func (c *Cache) Pull(blocks int) Out {
	k := c.cut
	if k == nil || k.broken || len(k.pulls) >= maxPulls || (k.seq > 0 && k.pulled == len(k.blocks)) {
		return c.flushOut()
	}
	n := min(max(blocks, 1), maxChunk, len(k.blocks)-k.pulled)
	p := &pull{cut: k, blocks: make([]Block, n), left: n}
	for j := range p.blocks {
		e := &c.table.entries[k.blocks[k.pulled+j]]
		p.blocks[j] = Block{e.key.disk(), e.key.block(), c.memory.block()}
		c.begin(Op{Kind: DeviceRead, Off: c.layout.slotAt(e.held), Data: p.blocks[j].Data},
			pending{done: (*Cache).pulledOne, pull: p, at: k.pulled + j})
	}
	k.pulled += n
	k.seq++
	p.last = k.pulled == len(k.blocks)
	k.pulls = append(k.pulls, p)
	if !k.asked {
		k.asked = true
		c.await(waiter{cut: k})
	}
	c.deliver(k)
	return c.flushOut()
}

// pulledOne takes the end of reading a block of the cut.
func (c *Cache) pulledOne(o pending, err error) {
	k := o.pull.cut
	if c.cut != k || k.broken {
		return
	}
	e := &c.table.entries[k.blocks[o.at]]
	if (err != nil || e.key.sum(o.data) != e.heldSum) && o.pull.err == nil {
		o.pull.err = rotten("cut", e.key, err)
	}
	o.pull.left--
	c.deliver(k)
}

// cutSynced takes the end of the sync that the cut waits for.
func (c *Cache) cutSynced(k *cut, err error) {
	switch {
	case c.cut != k:
	case err != nil:
		c.breakCut(k, &Error{What: "cut", Disk: -1, Err: ErrDevice, Cause: err})
	default:
		k.synced = true
		c.deliver(k)
	}
}

// deliver hands over the chunks whose turn it is.
func (c *Cache) deliver(k *cut) {
	for k.synced && !k.broken && len(k.pulls) > 0 && k.pulls[0].left == 0 {
		p := k.pulls[0]
		if p.err != nil {
			c.breakCut(k, p.err)
			return
		}
		k.pulls = k.pulls[1:]
		c.out.Chunks = append(c.out.Chunks, Chunk{Cut: k.number, Seq: k.sent, Blocks: p.blocks, Last: p.last})
		k.sent++
		k.whole = p.last
	}
}

func (c *Cache) breakCut(k *cut, err error) {
	if k.broken {
		return
	}
	k.broken = true
	c.out.Chunks = append(c.out.Chunks, Chunk{Cut: k.number, Seq: k.sent, Err: err})
}

// Return gives the memory of a chunk's blocks back, whoever has no more use for
// it: the chunks that come are read into it.
func (c *Cache) Return(blocks []Block) {
	for _, b := range blocks {
		c.memory.giveBack(b.Data)
	}
}

// Applied tells that the premises have applied a cut, durably: its blocks are
// clean, but for what was written since. It does nothing unless that cut is
// open and was handed over as a whole.
func (c *Cache) Applied(number uint64) Out {
	if k := c.cut; k != nil && k.number == number && k.whole {
		c.closeCut(wasApplied)
		c.sync.failed = false
		if len(c.sync.wanted) > 0 {
			c.startSync()
		}
		c.makeRoom()
	}
	return c.flushOut()
}

// Abandon tells that the premises have not applied a cut and will not: its
// blocks are dirty as before. It does nothing unless that cut is open.
func (c *Cache) Abandon(number uint64) Out {
	if k := c.cut; k != nil && k.number == number {
		c.closeCut(wasAbandoned)
		c.makeRoom()
	}
	return c.flushOut()
}

func (c *Cache) closeCut(how event) {
	k := c.cut
	c.cut = nil
	for _, i := range k.blocks {
		e := &c.table.entries[i]
		held := e.held
		e.held = none
		c.table.move(i, how)
		c.slots.unref(held, refHeld)
		if e.state == clean && (e.durable != none || e.syncing != none) {
			c.want(i) // until the index forgets it, its slot is not free
		}
	}
}

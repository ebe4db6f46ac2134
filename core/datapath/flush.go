package datapath

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/home"
	"github.com/hdm-project/hdm/core/vsphere"
)

// How a flush goes.
const (
	chunkBlocks = 64 // of a chunk: 256 KiB
	mostFlushes = component.MaxBindings
	flushTries  = 10
	firstPause  = time.Second
	lastPause   = 30 * time.Second
)

// flush is a command to flush one binding, or several at one instant.
//
//	waiting --all bindings free--> sending --chunks there--> committing --all applied--> done
//	   ^                               |                          |
//	   +---- after a pause: cut again -+------- something failed -+
//
// No member is committed before every chunk of every member is at its home, so
// that the members of a group differ on the premises only for as long as it
// takes to apply what is there already.
type flush struct {
	job     *job
	members []*member
	started bool
	tries   int
	since   time.Duration // not before
}

type stage uint8

const (
	sending    stage = iota // chunks go to the home
	arriving                // all are on their way
	arrived                 // all are there
	committing              // and are to be applied
	finished                // and are
)

// member is one binding of a flush.
type member struct {
	binding *binding
	number  uint64 // as the cache counts
	blocks  int
	stage   stage
	sum     home.Sum
	chunks  int
}

func (c *CloudCache) startFlush(j *job) {
	f := &flush{job: j}
	for _, id := range j.command.IDs {
		b := c.byID[id]
		switch {
		case b == nil:
			j.refuse(id+" is not bound here", "bind the VM first")
			return
		case b.damage != nil:
			j.refuse(id+": "+b.damage.Error(), "discard it")
			return
		case slices.ContainsFunc(f.members, func(m *member) bool { return m.binding == b }):
			j.refuse(id+" is named twice", "")
			return
		}
		f.members = append(f.members, &member{binding: b})
	}
	if len(c.flushes) >= mostFlushes {
		j.fail(vsphere.Retryable, "too many flushes are under way", "wait until one is done")
		return
	}
	c.flushes = append(c.flushes, f)
	c.advance()
}

// advance begins what can begin, goes on with what can go on, and forgets what
// has ended.
func (c *CloudCache) advance() {
	var claimed []*binding // by flushes before, so that they stay in order
	for _, f := range slices.Clone(c.flushes) {
		free := f.since <= c.now
		for _, m := range f.members {
			free = free && m.binding.known && (m.binding.flush == nil || m.binding.flush == f) && !slices.Contains(claimed, m.binding)
		}
		if !f.started && free {
			c.cut(f)
		}
		if f.started {
			c.push(f)
		}
		for _, m := range f.members {
			claimed = append(claimed, m.binding)
		}
	}
}

// cut takes what is dirty in all members, at this instant.
func (c *CloudCache) cut(f *flush) {
	f.started = true
	for _, m := range f.members {
		b := m.binding
		number, blocks, err := b.cache.Cut()
		if err != nil {
			c.again(f, err.Error())
			return
		}
		*m = member{binding: b, number: number, blocks: blocks}
		if b.base+number <= b.last { // this service has counted anew since
			b.base = b.last + 1 - number
		}
		b.flush, b.wants = f, false
		b.send(home.Message{Kind: home.Begin, Number: m.home()}, true)
	}
	for _, m := range f.members {
		c.tell(Event{Kind: FlushCut, Binding: m.binding.entry.Binding.ID, Number: m.home(), Blocks: m.blocks})
	}
}

// home is the number as the home counts.
func (m *member) home() uint64 { return m.binding.base + m.number }

// push sends what there is room for, and commits once everything is there.
func (c *CloudCache) push(f *flush) {
	ready := true
	for _, m := range f.members {
		for m.stage == sending && m.binding.home.idle(flushStream(m.binding.entry.Stream)) && f.started {
			chunks := m.chunks
			m.binding.settle(m.binding.cache.Pull(chunkBlocks))
			if m.chunks == chunks {
				break // it failed, and waits
			}
		}
		ready = ready && f.started && (m.stage == arrived || m.stage == arriving && len(f.members) == 1)
	}
	if !ready {
		return
	}
	for _, m := range f.members {
		m.stage = committing
		m.binding.send(home.Message{Kind: home.Commit, Number: m.home(), Chunks: m.chunks, Sum: m.sum.Bytes()}, true)
	}
}

// flushed takes a chunk of the cut.
func (b *binding) flushed(chunk cache.Chunk) {
	m := b.member()
	if m == nil || m.number != chunk.Cut {
		return
	}
	if errors.Is(chunk.Err, cache.ErrDevice) {
		b.owner.fail(chunk.Err)
		return
	}
	if chunk.Err != nil {
		b.owner.again(b.flush, chunk.Err.Error())
		return
	}
	if len(chunk.Blocks) > 0 {
		m.sum.Add(chunk.Blocks)
		b.send(home.Message{Kind: home.Put, Number: m.home(), Seq: m.chunks, Blocks: chunk.Blocks}, true)
	}
	m.chunks++
	if !chunk.Last {
		return
	}
	if len(chunk.Blocks) == 0 {
		m.chunks = 0 // a cut of nothing has one empty chunk, which nobody needs
	}
	m.stage = arriving
	if f := b.flush; len(f.members) > 1 {
		b.barrier(func(err error) {
			switch {
			case b.flush != f || b.member() != m || m.stage != arriving:
			case err != nil:
				b.owner.again(f, err.Error())
			default:
				m.stage = arrived
				b.owner.push(f)
			}
		})
	}
}

// barrier calls then once the home has taken everything that was sent to it on
// the stream of flushes: it reads a block there.
func (b *binding) barrier(then func(error)) {
	b.read++
	b.reads = append(b.reads, read{id: b.read, then: then})
	b.ask(b.reads[len(b.reads)-1])
}

func (b *binding) member() *member {
	if b.flush == nil || !b.flush.started {
		return nil
	}
	for _, m := range b.flush.members {
		if m.binding == b {
			return m
		}
	}
	return nil
}

// applied takes the home's word that it has applied a flush, durably.
func (b *binding) applied(number uint64) {
	m := b.member()
	if m == nil || m.stage != committing || m.home() != number {
		return
	}
	m.stage, b.last = finished, number
	b.settle(b.cache.Applied(m.number))
	c, f := b.owner, b.flush
	c.tell(Event{Kind: FlushApplied, Binding: b.entry.Binding.ID, Number: number, Blocks: m.blocks})
	if slices.ContainsFunc(f.members, func(m *member) bool { return m.stage != finished }) {
		return
	}
	for _, m := range f.members {
		f.job.done.Flushed = append(f.job.done.Flushed, component.Flushed{
			ID: m.binding.entry.Binding.ID, Number: m.home(), Blocks: m.blocks, Bytes: int64(m.blocks) * cache.BlockSize,
		})
	}
	f.job.succeed()
	c.end(f)
}

// flushFailed takes the home's word that something of a flush failed.
func (b *binding) flushFailed(msg home.Message) {
	m := b.member()
	if m == nil || m.home() != msg.Number || m.stage == finished {
		return
	}
	if err := msg.Err(); errors.Is(err, home.ErrStale) || errors.Is(err, home.ErrConflict) {
		b.last = max(b.last, msg.Last)
	}
	b.owner.again(b.flush, msg.Err().Error())
}

// again gives up the cuts of a flush and begins anew after a pause, a limited
// number of times.
func (c *CloudCache) again(f *flush, why string) {
	c.abandon(f)
	f.tries++
	if f.tries >= flushTries {
		c.give(f, vsphere.Retryable, fmt.Sprintf("given up after %d tries: %s", flushTries, why))
		return
	}
	f.since = c.now + min(firstPause<<(f.tries-1), lastPause)
}

// abandon makes what the cuts of a flush hold dirty again.
func (c *CloudCache) abandon(f *flush) {
	if !f.started {
		return
	}
	f.started = false
	for _, m := range f.members {
		b := m.binding
		if b.flush != f {
			continue
		}
		b.flush = nil
		b.reads = slices.DeleteFunc(b.reads, func(r read) bool { return r.then != nil })
		if m.stage != finished && m.number != 0 {
			b.settle(b.cache.Abandon(m.number))
			c.tell(Event{Kind: FlushAbandoned, Binding: b.entry.Binding.ID, Number: m.home(), Blocks: m.blocks})
		}
	}
}

// give gives a flush up for good.
func (c *CloudCache) give(f *flush, class vsphere.Class, why string) {
	for _, m := range f.members {
		if f.started && m.binding.flush == f && m.stage != finished && m.number != 0 {
			m.binding.send(home.Message{Kind: home.Abort, Number: m.home()}, true)
		}
	}
	c.abandon(f)
	f.job.fail(class, "the flush did not come through: "+why, "")
	c.end(f)
}

func (c *CloudCache) end(f *flush) {
	for _, m := range f.members {
		if m.binding.flush == f {
			m.binding.flush = nil
		}
	}
	c.flushes = slices.DeleteFunc(c.flushes, func(o *flush) bool { return o == f })
}

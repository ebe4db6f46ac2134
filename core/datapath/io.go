package datapath

import (
	"errors"
	"fmt"
	"time"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/home"
)

// What I/O to a binding ends with that is not here, or whose cache could not be
// recovered.
var (
	ErrUnbound = errors.New("no VM is bound by that name")
	ErrDamaged = errors.New("the cache device does not hold this VM's cache as it must: bring the VM back from the premises")
)

// Submit takes a guest's request to a disk of a binding: done is called once,
// perhaps before Submit returns. r.ID is the cache's. It says whether there is
// something to be fetched with Poll: not for what the cache can do alone.
func (c *CloudCache) Submit(now time.Duration, id string, r cache.Request, done func(error)) (poll bool) {
	c.now = now
	b, err := c.usable(id)
	if err != nil {
		done(err)
		return false
	}
	return b.submit(r, done)
}

// usable is the binding of that name, if it has a cache.
func (c *CloudCache) usable(id string) (*binding, error) {
	switch b := c.byID[id]; {
	case b == nil:
		return nil, fmt.Errorf("%w: %s", ErrUnbound, id)
	case b.damage != nil:
		return nil, fmt.Errorf("%s: %w", id, b.damage)
	default:
		return b, nil
	}
}

// Failure is why the service cannot go on: its device failed at something that
// a guest was promised, again and again. What it would say from then on could
// be wrong, so that it says nothing, and whoever runs it must end it: another
// start finds what is on the device.
func (c *CloudCache) Failure() error { return c.failure }

func (c *CloudCache) fail(err error) {
	if c.failure == nil {
		c.failure = err
	}
}

// Withdraw takes back the writes of a binding to one disk that wait for room,
// since the VM has lost its power: they never happen.
func (c *CloudCache) Withdraw(now time.Duration, id string, disk int) {
	c.now = now
	if b, err := c.usable(id); err == nil {
		for _, request := range b.requests.writes(disk) {
			b.settle(b.cache.Withdraw(request))
		}
	}
}

// Peek fills p, a block, with what the guest of a binding sees of it, if the
// cache holds it, read from dev: the device of the service, without faults. It
// is no use of the block: it is for whoever judges what a disk holds.
func (c *CloudCache) Peek(id string, disk int, block int64, p []byte, dev Device) (held bool, err error) {
	b, err := c.usable(id)
	if err != nil {
		return false, err
	}
	off, held := b.cache.Peek(disk, block)
	if held {
		_, err = b.room.on(dev).ReadAt(p, off)
	}
	return held, err
}

// Held are the blocks of a binding's disk that the cache holds, ascending.
func (c *CloudCache) Held(id string, disk int) []int64 {
	if b, err := c.usable(id); err == nil {
		return b.cache.Held(disk)
	}
	return nil
}

// Volatile are the blocks of a binding's disk that a guest was told are written,
// and that a crash of the service loses, read from dev: the device of the
// service, without faults. What it does not hold as it was written is left out.
func (c *CloudCache) Volatile(id string, disk int, dev Device) []cache.Block {
	b, err := c.usable(id)
	if err != nil {
		return nil
	}
	room := b.room.on(dev)
	var all []cache.Block
	for _, v := range b.cache.Volatile(disk) {
		p := make([]byte, cache.BlockSize)
		if _, err := room.ReadAt(p, v.Off); err == nil && v.Holds(p) {
			all = append(all, cache.Block{Disk: disk, Block: v.Block, Data: p})
		}
	}
	return all
}

// on is the same room as somebody else reads it: what fails for him is no failure
// of the service's device.
func (w window) on(dev Device) window {
	return window{&volume{dev: &steady{Device: dev}, extent: w.volume.extent, used: w.volume.used}, w.entry}
}

// Binding is what is bound by that name.
func (c *CloudCache) Binding(id string) (component.Binding, bool) {
	if b := c.byID[id]; b != nil {
		return b.entry.Binding, true
	}
	return component.Binding{}, false
}

// Stats of a binding's cache.
func (c *CloudCache) Stats(id string) (cache.Stats, bool) {
	if b, err := c.usable(id); err == nil {
		return b.cache.Stats(), true
	}
	return cache.Stats{}, false
}

func (b *binding) submit(r cache.Request, done func(error)) (poll bool) {
	r.ID = b.requests.add(asked{r.Kind == cache.Write, r.Disk, done})
	return b.settle(b.cache.Submit(r))
}

// settle does what a cache asks for until there is nothing more to do here, and
// reports whether something else has to be done: frames to send, or people to
// be told that a flush is wanted.
func (b *binding) settle(out cache.Out) (poll bool) {
	var more []cache.Op // beside the first of out.Ops, which is the only one most often
	for {
		poll = b.took(out) || poll
		switch {
		case len(out.Ops) > 0:
			more = append(more, out.Ops[1:]...)
			out.Ops = out.Ops[:1]
		case len(more) > 0:
			out.Ops, more = more[:1:1], more[1:]
		default:
			return poll
		}
		op := out.Ops[0]
		out = cache.Out{FlushWanted: b.wants}
		if op.Kind == cache.Fetch {
			b.fetch(op)
			poll = true
		} else {
			out = b.cache.Complete(op.ID, b.room.do(op))
		}
	}
}

// took deals with what a cache says besides what it asks for.
func (b *binding) took(out cache.Out) (poll bool) {
	if out.FlushWanted && !b.wants {
		b.told, poll = false, true
	}
	b.wants = out.FlushWanted
	for _, chunk := range out.Chunks {
		b.flushed(chunk)
		poll = true
	}
	for _, d := range out.Done {
		if d.Err != nil && errors.Is(d.Err, cache.ErrDevice) {
			b.owner.fail(d.Err)
		}
		if b.owner.failure != nil {
			continue // it is asked again, of the next incarnation
		}
		b.requests.take(d.ID).done(d.Err)
	}
	return poll
}

// do does an operation on the cache device.
func (w window) do(op cache.Op) error {
	var err error
	switch op.Kind {
	case cache.DeviceRead:
		_, err = w.ReadAt(op.Data, op.Off)
	case cache.DeviceWrite:
		_, err = w.WriteAt(op.Data, op.Off)
	default:
		err = w.Flush()
	}
	return err
}

// fetch asks the home for a block.
func (b *binding) fetch(op cache.Op) {
	b.read++
	b.reads = append(b.reads, read{id: b.read, op: op})
	b.ask(b.reads[len(b.reads)-1])
}

// ask sends a read to the home, on the stream of reads; a barrier goes on that
// of flushes, behind the chunks.
func (b *binding) ask(r read) {
	m := home.Message{Kind: home.Read, ID: r.id, Disk: r.op.Disk, Block: r.op.Block}
	b.send(m, r.then != nil)
}

// Streams of a binding: reads must not wait behind the chunks of a flush.
func readStream(stream uint32) uint32  { return 2 * stream }
func flushStream(stream uint32) uint32 { return 2*stream + 1 }

func (b *binding) send(m home.Message, flush bool) {
	stream := readStream(b.entry.Stream)
	if flush {
		stream = flushStream(b.entry.Stream)
	}
	b.home.send(stream, m)
}

// answered takes what the home says.
func (b *binding) answered(m home.Message) {
	switch {
	case m.Kind == home.ReadReply:
		b.readDone(m.ID, m.Data, nil)
	case m.Kind == home.Failed && m.ID != 0:
		b.readDone(m.ID, nil, m.Err())
	case m.Kind == home.Failed && m.Number == 0:
		b.learn(m.Last)
	case m.Kind == home.Applied:
		b.applied(m.Number)
	case m.Kind == home.Failed:
		b.flushFailed(m)
	}
}

func (b *binding) readDone(id uint64, data []byte, err error) {
	for i, r := range b.reads {
		if r.id != id {
			continue
		}
		b.reads = append(b.reads[:i], b.reads[i+1:]...)
		if r.then != nil {
			r.then(err)
			return
		}
		if err == nil && len(data) != len(r.op.Data) {
			err = home.ErrMessage
		}
		copy(r.op.Data, data)
		b.settle(b.cache.Complete(r.op.ID, err))
		return
	}
}

// restarted says that the home has lost its memory, or that this service has:
// what was on its way is asked for again, and a flush begins again.
func (b *binding) restarted() {
	b.probe()
	if b.flush != nil {
		b.owner.again(b.flush, "the IO manager has restarted")
	}
	for _, r := range b.reads {
		b.ask(r)
	}
}

// probe asks the home for its last flush: it refuses a flush without a number,
// and tells the last.
func (b *binding) probe() {
	b.known = false
	b.send(home.Message{Kind: home.Begin}, true)
}

func (b *binding) learn(last uint64) {
	b.known, b.last = true, max(b.last, last)
}

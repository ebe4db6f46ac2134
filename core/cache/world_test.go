package cache

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"
)

// world is a cache with all that is around it: a device, the premises, a guest,
// and the model that says what must hold. The first thing that does not is its
// violation.
type world struct {
	t       *rapid.T
	config  Config
	c       *Cache
	dev     *device
	prem    [][]byte
	model   *model
	ops     []Op
	open    map[uint64]asked
	next    uint64
	stalls  []uint64 // writes in the order in which they were submitted
	cut     *flushing
	told    uint64            // number of the last cut of which the premises have heard
	wanted  bool              // FlushWanted
	rotting bool              // slots rot: dirty data may be an error, and never wrong
	failing bool              // operations fail
	healed  bool              // and now no more
	changed map[BlockRef]bool // written since TakeChanged
	mutant  mutant
	wrong   error
}

// asked is a request that is not done.
type asked struct {
	Request
	write uint32   // its number
	least []uint32 // of a read: what was acknowledged; of a flush: what has to outlive a crash
}

// flushing is a cut on its way to the premises.
type flushing struct {
	number uint64
	least  []uint32 // what was acknowledged when it was taken
	writes uint32   // the last one submitted by then
	seq    int
	blocks []Block
	size   int
	whole  bool
	broken bool
}

// mutant is a fault that is planted in the cache: the same check has to find it.
type mutant struct {
	blind       bool                       // do not look into the cache: what it does has to give it away
	ignoreFlush bool                       // FLUSH is acknowledged without doing anything
	issued      func(w *world, op *Op)     // an operation is asked for
	completing  func(w *world, op *Op)     // an operation has been done
	skip        func(w *world, op Op) bool // an operation is not done, and completed well
	stepped     func(w *world)             // after each step
	cutting     func(w *world)             // a cut was taken
	pulling     func(w *world)             // its first chunk is asked for
}

func newWorld(t *rapid.T, m mutant) *world {
	w := &world{t: t, mutant: m, open: map[uint64]asked{}, changed: map[BlockRef]bool{}}
	w.config = Config{Disks: []int64{6 * BlockSize, 5*BlockSize - 3*SectorSize}, Tag: 1}
	w.config.Quota = int64(rapid.SampledFrom([]int{8, 8, 9, 10, 12, 16}).Draw(t, "slots")) * BlockSize
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 5:
		w.rotting = true
	case 6, 7:
		w.failing = true
	}
	w.model = newModel(w.config.Disks)
	for i, capacity := range w.config.Disks {
		image := make([]byte, (capacity+BlockSize-1)/BlockSize*BlockSize)
		stamp(image[:capacity], w.model.starts[i], 0)
		for j := capacity; j < int64(len(image)); j++ {
			image[j] = 0xee // nobody's
		}
		w.prem = append(w.prem, image)
	}
	w.dev = newDevice(w.config.Size())
	w.restart()
	return w
}

func (w *world) restart() {
	c, out := New(w.config)
	w.c = c
	w.take(out)
}

func (w *world) fail(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf(format, args...)
	}
}

// take takes what the cache says.
func (w *world) take(out Out) {
	for i := range out.Ops {
		if op := &out.Ops[i]; op.Kind == Fetch {
			w.fetch(*op)
		} else if w.mutant.issued != nil {
			w.mutant.issued(w, op)
		}
	}
	w.ops = append(w.ops, out.Ops...)
	w.wanted = out.FlushWanted
	for _, d := range out.Done {
		w.done(d)
	}
	for _, k := range out.Chunks {
		w.chunk(k)
	}
}

// submit sends a request of the guest.
func (w *world) submit(r Request) {
	w.next++
	r.ID = w.next
	a := asked{Request: r}
	switch r.Kind {
	case Write:
		w.model.writes++
		a.write = w.model.writes
		w.model.fua[a.write] = r.FUA
		stamp(r.Data, w.model.at(r.Disk, r.Off), a.write)
		w.stalls = append(w.stalls, r.ID)
	case Read:
		at := w.model.at(r.Disk, r.Off)
		for i := range len(r.Data) / SectorSize {
			a.least = append(a.least, w.model.sectors[at+i].floor)
		}
	case Flush:
		a.least = w.model.floors()
	}
	w.open[r.ID] = a
	if r.Kind == Flush && w.mutant.ignoreFlush {
		w.done(Done{ID: r.ID})
		return
	}
	w.take(w.c.Submit(r))
}

// done checks the answer to a request.
func (w *world) done(d Done) {
	a, ok := w.open[d.ID]
	if !ok {
		w.fail("request %d is done, and it was not asked", d.ID)
		return
	}
	delete(w.open, d.ID)
	if d.Err != nil {
		w.failed(a, d.Err)
		return
	}
	at := w.model.at(a.Disk, a.Off)
	switch a.Kind {
	case Read:
		for i := range a.least {
			v, err := versionOf(a.Data[i*SectorSize:], at+i)
			if err == nil {
				err = w.model.check(at+i, v, a.least[i])
			}
			if err != nil {
				w.fail("read: %w", err)
				return
			}
			w.model.sectors[at+i].floor = max(w.model.sectors[at+i].floor, v)
		}
	case Write:
		for i := range len(a.Data) / SectorSize {
			s := &w.model.sectors[at+i]
			s.floor = max(s.floor, a.write)
			if a.FUA {
				s.durable = max(s.durable, a.write)
			} else {
				w.changed[BlockRef{a.Disk, (a.Off + int64(i*SectorSize)) / BlockSize}] = true
			}
		}
	case Flush:
		for i, v := range a.least {
			w.model.sectors[i].durable = max(w.model.sectors[i].durable, v)
		}
	}
}

// failed checks whether a request may have failed.
func (w *world) failed(a asked, err error) {
	var e *Error
	switch {
	case !errors.As(err, &e):
		w.fail("an error without a type: %w", err)
	case errors.Is(err, errBroken) && w.failing, errors.Is(err, ErrRotten) && w.rotting && a.Kind != Flush:
	default:
		w.fail("request %d failed: %w", a.ID, err)
	}
	if a.Kind == Write && !a.FUA {
		w.model.failed[a.write] = true
	}
}

// complete does an operation and tells the cache.
func (w *world) complete(n int) {
	op := w.ops[n]
	w.ops = slices.Delete(w.ops, n, n+1)
	if w.failing && !w.healed && rapid.IntRange(0, 9).Draw(w.t, "fails") == 9 {
		switch op.Kind {
		case DeviceWrite:
			w.dev.writeSome(op.Data, op.Off, w.random())
		case DeviceFlush:
			w.dev.flushSome(w.random())
		}
		w.take(w.c.Complete(op.ID, errBroken))
		return
	}
	w.do(op)
}

func (w *world) do(op Op) {
	switch {
	case w.mutant.skip != nil && w.mutant.skip(w, op):
	case op.Kind == Fetch: // the premises read it at any time until now
		if rapid.Bool().Draw(w.t, "late") {
			w.fetch(op)
		}
	default:
		if err := do(w.dev, op); err != nil {
			w.fail("the device: %w", err)
		}
	}
	if w.mutant.completing != nil {
		w.mutant.completing(w, &op)
	}
	w.take(w.c.Complete(op.ID, nil))
}

func (w *world) fetch(op Op) { copy(op.Data, w.prem[op.Disk][op.Block*BlockSize:]) }

func (w *world) random() *rand.Rand {
	seed := rapid.Uint64Range(0, 1<<16).Draw(w.t, "seed")
	return rand.New(rand.NewPCG(seed, 1))
}

// crash ends the cache between two operations. Those that are outstanding may
// have reached the device, or parts of them.
func (w *world) crash() {
	kept := rapid.IntRange(0, 4).Draw(w.t, "kept")
	r := w.random()
	for _, op := range w.ops {
		if op.Kind == DeviceWrite && r.IntN(2) == 0 {
			w.dev.writeSome(op.Data, op.Off, r)
		}
	}
	w.dev.powerCut(kept, r)
	w.ops, w.open, w.cut, w.stalls, w.wanted = nil, map[uint64]asked{}, nil, nil, false
	c, err := Recover(w.config, w.dev)
	if errors.Is(err, ErrForeign) {
		for _, s := range w.model.sectors {
			if s.durable > 0 {
				w.fail("nothing is left, and write %d was durable", s.durable)
			}
		}
		w.config.Tag++
		w.restart()
	} else if err != nil {
		w.fail("recover: %w", err)
		return
	} else {
		w.c = c
	}
	w.look(func(at int, v uint32) {
		if err := w.model.check(at, v, w.model.sectors[at].durable); err != nil {
			w.fail("after a crash: %w", err)
		}
		w.model.settled(at, v)
	})
	clear(w.changed)
}

// look tells the version of every sector, without asking the cache to do
// anything.
func (w *world) look(tell func(at int, v uint32)) {
	for disk, image := range w.prem {
		for block := range int64(len(image) / BlockSize) {
			p := image[block*BlockSize:][:BlockSize]
			if i := w.c.table.get(keyOf(disk, block)); i != none && w.c.table.entries[i].state != absent {
				e := w.c.table.entries[i]
				p = w.dev.now[w.c.layout.slotAt(e.now):][:BlockSize]
				if e.key.sum(p) != e.sum {
					w.fail("block %d of disk %d is rotten", block, disk)
					return
				}
			}
			end := min(BlockSize, w.config.Disks[disk]-block*BlockSize)
			for n := int64(0); n < end; n += SectorSize {
				at := w.model.at(disk, block*BlockSize+n)
				v, err := versionOf(p[n:], at)
				if err != nil {
					w.fail("after a crash: %w", err)
					return
				}
				tell(at, v)
			}
		}
	}
}

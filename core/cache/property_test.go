package cache

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// live draws one life of a cache, and returns what was wrong with it.
func live(t *rapid.T, m mutant) (wrong error) {
	w := newWorld(t, m)
	for n := rapid.IntRange(10, 120).Draw(t, "steps"); n > 0 && w.wrong == nil; n-- {
		w.step()
		if m.stepped != nil {
			m.stepped(w)
		}
		w.audit()
	}
	if w.wrong == nil {
		w.settle()
	}
	return w.wrong
}

// step does one thing, drawn from what can be done.
func (w *world) step() {
	// Small numbers are drawn more often.
	switch n := rapid.IntRange(0, 63).Draw(w.t, "do"); {
	case n < 12 || n > 57:
		if len(w.ops) > 0 {
			w.complete(rapid.IntRange(0, len(w.ops)-1).Draw(w.t, "op"))
		}
	case n < 28:
		w.write()
	case n < 34:
		w.read()
	case n < 39:
		if len(w.open) < 12 {
			w.submit(Request{Kind: Flush})
		}
	case n < 45:
		if w.cut == nil {
			w.takeCut()
		} else if !w.cut.broken {
			w.pull(rapid.IntRange(1, 6).Draw(w.t, "blocks"))
		}
	case n < 51:
		w.endCut()
	case n < 55:
		if !w.rotting {
			w.crash()
		}
	case n < 57:
		w.rot()
	default:
		w.takeChanged()
	}
}

func (w *world) place() (disk int, off int64, n int) {
	disk = rapid.IntRange(0, 1).Draw(w.t, "disk")
	sectors := int(w.config.Disks[disk] / SectorSize)
	from := rapid.IntRange(0, sectors-1).Draw(w.t, "sector")
	n = rapid.SampledFrom([]int{1, 8, 8, 8, 3, 16, 20}).Draw(w.t, "count")
	if n%8 == 0 {
		from -= from % 8
	}
	return disk, int64(from) * SectorSize, min(n, sectors-from) * SectorSize
}

func (w *world) write() {
	if disk, off, n := w.place(); len(w.open) < 12 {
		w.submit(Request{Kind: Write, FUA: rapid.IntRange(0, 7).Draw(w.t, "fua") == 7, Disk: disk, Off: off, Data: make([]byte, n)})
	}
}

func (w *world) read() {
	if disk, off, n := w.place(); len(w.open) < 12 {
		w.submit(Request{Kind: Read, Disk: disk, Off: off, Data: make([]byte, n)})
	}
}

// endCut lets a cut end in one of the ways in which it can.
func (w *world) endCut() {
	switch {
	case w.cut == nil:
	case w.cut.whole && rapid.IntRange(0, 3).Draw(w.t, "applied") > 0:
		w.applied()
	case w.cut.broken || rapid.IntRange(0, 3).Draw(w.t, "abandoned") == 3:
		w.abandon(rapid.Bool().Draw(w.t, "told"))
	}
}

// rot changes a byte of a slot that holds something.
func (w *world) rot() {
	if slot := int32(rapid.IntRange(0, w.c.layout.slots-1).Draw(w.t, "slot")); w.rotting && w.c.slots.used(slot) {
		w.dev.rot(w.c.layout.slotAt(slot) + int64(rapid.IntRange(0, BlockSize-1).Draw(w.t, "byte")))
	}
}

func (w *world) takeChanged() {
	for _, b := range w.c.TakeChanged(1000) {
		delete(w.changed, b)
	}
	if len(w.changed) > 0 {
		w.fail("blocks were written and not told: %v", w.changed)
	}
}

// settle lets everything come to its end: nothing may hang, and in the end the
// premises hold what the guest wrote.
func (w *world) settle() {
	w.healed = true
	for round := 0; w.wrong == nil; round++ {
		for len(w.ops) > 0 && w.wrong == nil {
			w.complete(0)
		}
		switch {
		case w.wrong != nil:
		case round > 100:
			w.fail("no end: %d requests are open, %+v", len(w.open), w.c.Stats())
		case w.cut != nil && w.cut.broken && w.rotting:
			return // until the guest writes the block anew, no flush can be read
		case w.cut != nil && w.cut.broken:
			w.abandon(false)
		case w.cut != nil && w.cut.whole:
			w.applied()
		case w.cut != nil:
			w.pull(4)
		case len(w.open) > 0 && !w.wanted:
			w.fail("requests hang and no flush is wanted: %+v", w.c.Stats())
		case len(w.c.table.dirty) > 0 || len(w.open) > 0:
			w.takeCut()
		default:
			w.last()
			return
		}
	}
}

// last looks at what is left when all is quiet and flushed.
func (w *world) last() {
	for disk, capacity := range w.config.Disks {
		for off := int64(0); off < capacity && w.wrong == nil; off += BlockSize {
			w.submit(Request{Kind: Read, Disk: disk, Off: off, Data: make([]byte, min(BlockSize, capacity-off))})
			for len(w.ops) > 0 && w.wrong == nil {
				w.complete(0)
			}
		}
		for off := int64(0); off < capacity; off += SectorSize {
			at := w.model.at(disk, off)
			if v, err := versionOf(w.prem[disk][off:], at); err != nil || v != w.model.sectors[at].floor {
				w.fail("in the end sector %d on the premises is of write %d, not %d (%v)", at, v, w.model.sectors[at].floor, err)
			}
		}
	}
	if len(w.open) > 0 {
		w.fail("reads hang")
	}
	w.takeChanged()
	w.audit()
}

func (w *world) audit() {
	if w.wrong == nil && !w.mutant.blind {
		w.wrong = w.c.audit()
	}
}

// audit checks that all that the cache notes twice agrees.
func (c *Cache) audit() error {
	refs := make([]uint8, c.layout.slots)
	owner := make([]key, c.layout.slots)
	note := func(slot int32, ref uint8, k key) error {
		if slot == none {
			return nil
		}
		if refs[slot] != 0 && owner[slot] != k || refs[slot]&ref != 0 {
			return fmt.Errorf("slot %d has two owners", slot)
		}
		refs[slot] |= ref
		owner[slot] = k
		return nil
	}
	used := map[int32]bool{}
	for _, i := range c.table.unused {
		used[i] = true
	}
	cleans, dirties, listed := 0, 0, 0
	for i := range c.table.entries {
		if used[int32(i)] {
			continue
		}
		e := &c.table.entries[i]
		for _, n := range []struct {
			slot int32
			ref  uint8
		}{{e.now, refNow}, {e.held, refHeld}, {e.durable, refDurable}, {e.syncing, refSyncing}} {
			if err := note(n.slot, n.ref, e.key); err != nil {
				return err
			}
		}
		if (e.state == absent) != (e.now == none) || (e.held != none) != (e.state == frozen || e.state == diverged) ||
			(e.state == frozen && e.held != e.now) || (e.state == diverged && e.held == e.now) {
			return fmt.Errorf("block %x in state %d has slots %d and %d", e.key, e.state, e.now, e.held)
		}
		if e.state == clean {
			cleans++
		}
		if e.state.unflushed() {
			dirties++
			if c.table.dirty[e.dirtyAt] != int32(i) {
				return fmt.Errorf("block %x is not among the dirty ones", e.key)
			}
		}
		if e.inList {
			listed++
			if e.state != clean || e.durable != none || e.syncing != none {
				return fmt.Errorf("block %x may be evicted and must not be", e.key)
			}
		}
		if right := (e.durable == none && !e.state.unflushed()) || (e.durable == e.now && e.state.unflushed()); !right && !e.pending && e.syncing == none && c.sync.phase == phaseIdle {
			return fmt.Errorf("block %x: the index is wrong, and nobody wants it right", e.key)
		}
	}
	if cleans != c.table.clean || dirties != len(c.table.dirty) || listed != c.table.listed {
		return fmt.Errorf("counts are wrong: %d %d %d", cleans, dirties, listed)
	}
	free := c.layout.slots - len(c.slots.refs)
	for i, r := range c.slots.refs {
		known := refs[i]
		if r&^(refNow|refDoubt) != known&^refNow || known&^r != 0 {
			return fmt.Errorf("slot %d is referred to as %b, not %b", i, r, known)
		}
		if r == 0 && c.slots.pins[i] == 0 {
			free++
		}
	}
	if free != c.slots.free || c.open == 0 && slices.Contains(c.slots.pins, 1) {
		return fmt.Errorf("%d slots are free, not %d", free, c.slots.free)
	}
	return nil
}

func TestTheCacheHoldsWhatAPlainArrayHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		require.NoError(t, live(t, mutant{}))
	})
}

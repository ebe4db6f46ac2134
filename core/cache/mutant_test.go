package cache

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// mutants are faults, planted by their names. The property that the cache
// passes has to find each of them.
var mutants = map[string]mutant{
	"a FLUSH is acknowledged and ignored": {ignoreFlush: true},
	"the data is not durable before the index names it": {skip: func(w *world, op Op) bool {
		return op.Kind == DeviceFlush && w.c.sync.phase == phaseData
	}},
	"the index is not durable when FLUSH is acknowledged": {skip: func(w *world, op Op) bool {
		return op.Kind == DeviceFlush && w.c.sync.phase == phaseIndex
	}},
	"a dirty block is evicted":                  {stepped: evictDirty},
	"a slot that the index names is used again": {stepped: freeDurable},
	"a frozen slot is overwritten":              {issued: overwriteFrozen},
	"a checksum is forgotten":                   {completing: forgetSum},
	"disks are cut one after another":           {cutting: cutFirstDisk, pulling: cutOtherDisks},
	"a cut forgets what was written since":      {stepped: forgetDiverged},
	"a write that waits is forgotten":           {stepped: func(w *world) { w.c.stalled = nil }},
	"a number of a cut is given again":          {stepped: func(w *world) { w.c.sync.cuts, w.c.sync.writing = w.c.cuts, w.c.cuts }},
	"a checkpoint forgets a block":              {issued: dropRecord},
}

// evictDirty forgets a dirty block when room is short.
func evictDirty(w *world) {
	if w.c.slots.free > 0 || w.c.cut != nil {
		return
	}
	for _, i := range w.c.table.dirty {
		if e := w.c.table.entries[i]; len(e.writers) == 0 {
			w.c.table.move(i, wasCut)
			w.c.table.move(i, wasApplied)
			w.c.evict(i)
			w.c.want(w.c.table.ensure(e.key))
			return
		}
	}
}

func freeDurable(w *world) {
	for i := range w.c.table.entries {
		if e := &w.c.table.entries[i]; e.durable != none && e.durable != e.now {
			w.c.slots.unref(e.durable, refDurable)
		}
	}
}

// overwriteFrozen sends a write to the slot that the cut holds.
func overwriteFrozen(w *world, op *Op) {
	p := w.c.ops.places[uint32(op.ID)].part
	if op.Kind != DeviceWrite || p == nil {
		return
	}
	if i := w.c.table.get(p.key); w.c.table.entries[i].state == frozen {
		e := &w.c.table.entries[i]
		w.c.slots.unref(p.slot, refNow)
		p.slot = e.held
		op.Off = w.c.layout.slotAt(e.held)
		e.heldSum = p.sum
	}
}

func forgetSum(w *world, op *Op) {
	o := &w.c.ops.places[uint32(op.ID)]
	switch {
	case op.Kind != DeviceRead:
	case o.part != nil:
		o.part.sum = o.part.key.sum(op.Data)
	case o.pull != nil && w.c.cut == o.pull.cut:
		e := &w.c.table.entries[o.pull.cut.blocks[o.at]]
		e.heldSum = e.key.sum(op.Data)
	}
}

// cutFirstDisk takes back the cut of all disks but the first one.
func cutFirstDisk(w *world) {
	k := w.c.cut
	kept := k.blocks[:0]
	for _, i := range k.blocks {
		e := &w.c.table.entries[i]
		if e.key.disk() == 0 {
			kept = append(kept, i)
			continue
		}
		w.c.table.move(i, wasAbandoned)
		w.c.slots.unref(e.held, refHeld)
		e.held = none
	}
	k.blocks = kept
}

// cutOtherDisks cuts them, later.
func cutOtherDisks(w *world) {
	k := w.c.cut
	for _, i := range w.c.table.dirty {
		if w.c.table.entries[i].key.disk() > 0 {
			w.c.freeze(i)
			k.blocks = append(k.blocks, i)
		}
	}
}

// forgetDiverged takes a block that the guest wrote during the cut for one that
// the cut holds as it is.
func forgetDiverged(w *world) {
	for _, i := range w.c.table.dirty {
		if e := &w.c.table.entries[i]; e.state == diverged {
			e.state = frozen
		}
	}
}

// dropRecord takes the last record out of a checkpoint.
func dropRecord(w *world, op *Op) {
	s := &w.c.sync
	if op.Kind != DeviceWrite || s.phase != phaseLog || !s.checkpoint || len(s.records) == 0 || len(op.Data) < batchHead {
		return
	}
	h, _, ok := decodeHead(op.Data)
	if !ok || h.count == 0 {
		return
	}
	h.count--
	op.Data, s.before = h.encode(s.records[:h.count])
}

// tried is one life of a cache with a mutant in it, and what was found. A cache
// that comes upon its own contradiction panics: that is found, too.
func tried(t *rapid.T, m mutant) (found string) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case string, runtime.Error:
			found = fmt.Sprint("panic: ", r)
		default:
			panic(r) // of rapid
		}
	}()
	if err := live(t, m); err != nil {
		return err.Error()
	}
	return ""
}

func TestEachMutantIsFound(t *testing.T) {
	const most = 20000
	for _, name := range slices.Sorted(maps.Keys(mutants)) {
		m := mutants[name]
		m.blind = true
		t.Run(name, func(t *testing.T) {
			lives := rapid.Custom(func(t *rapid.T) string { return tried(t, m) })
			for seed := range most {
				if found := lives.Example(seed); found != "" {
					t.Logf("life %d: %s", seed, found)
					return
				}
			}
			assert.Fail(t, "nothing was found", "in %d lives", most)
		})
	}
}

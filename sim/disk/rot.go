package disk

import (
	"bytes"
	"maps"
	"slices"
)

// rotten is what a damaged block holds: nothing that anybody wrote.
var rotten = bytes.Repeat([]byte{0xA5, 0x5A, 0xC3}, BlockSize/3+1)[:BlockSize]

// Damage makes one block of the image of now hold what nobody wrote, and with
// snapshots that of every snapshot, too: storage rots. Images and children that
// were made before do not see it. It returns an *Error with ErrRange.
func (d *Disk) Damage(b int64, snapshots bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b < 0 || b >= (d.capacity+BlockSize-1)/BlockSize {
		return d.fail("damage", b*BlockSize, BlockSize, ErrRange)
	}
	if snapshots {
		for i := range d.layers {
			if l := d.layers[i]; l.blocks[b] != nil || !slices.Contains(d.layers, l.parent) {
				d.replace(l, i, l.damaged(b))
			}
		}
	}
	d.dirty = slices.DeleteFunc(d.dirty, func(o dirtyBlock) bool { return o.block == b })
	d.top.put(b, rot())
	d.touched = int64(len(d.top.touched()))
	return nil
}

// damaged is the frozen layer with one block spoilt: a new one, because Images
// may hold the old.
func (l *layer) damaged(b int64) *layer {
	m := &layer{id: l.id, parent: l.parent, blocks: maps.Clone(l.blocks)}
	m.put(b, rot())
	return m
}

// rot is a damaged block that no other layer refers to.
func rot() *cell { return &cell{now: slices.Clone(rotten)} }

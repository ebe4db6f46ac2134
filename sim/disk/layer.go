package disk

import "slices"

// MaxDepth is the longest chain of snapshots below the image of now, as in
// vSphere.
const MaxDepth = 32

// LayerID names a snapshot of one disk. IDs are given in order of creation,
// from 1, and never again.
type LayerID uint32

// layer is what was written while it was the top. Only the top changes, and it
// alone refers to its blocks; a frozen layer and its blocks stay as they are,
// so that an Image needs no copy.
type layer struct {
	id     LayerID // 0: the top
	parent *layer
	blocks map[int64]*cell
}

// cell is what a layer holds of one block. Only one of the top is ever
// volatile.
type cell struct {
	now      block
	volatile bool  // written since it was last durable, when it was
	before   block // this; nil: the layer did not hold the block
}

// dirtyBlock is a volatile cell and its place.
type dirtyBlock struct {
	block int64
	*cell
}

func newLayer(parent *layer) *layer { return &layer{parent: parent} }

func (l *layer) put(b int64, c *cell) {
	if l.blocks == nil {
		l.blocks = map[int64]*cell{}
	}
	l.blocks[b] = c
}

// find returns block b as seen from l, nil if nobody wrote it.
func (l *layer) find(b int64) block {
	for ; l != nil; l = l.parent {
		if c := l.blocks[b]; c != nil {
			return c.now
		}
	}
	return nil
}

func (l *layer) depth() (n int) {
	for ; l != nil; l = l.parent {
		n++
	}
	return n
}

// touched returns the blocks that were written in l or below it, ascending.
func (l *layer) touched() []int64 {
	var all []int64
	for ; l != nil; l = l.parent {
		for b := range l.blocks { //hdm:order-safe sorted below
			all = append(all, b)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func readLayers(l *layer, p []byte, off int64) {
	for len(p) > 0 {
		from := int(off % BlockSize)
		n := min(len(p), BlockSize-from)
		l.find(off/BlockSize).read(p[:n], from)
		p, off = p[n:], off+int64(n)
	}
}

// Snapshot freezes the image of now, and makes it durable: vSphere does not
// acknowledge a snapshot whose files could vanish. It returns an *Error with
// ErrTooDeep when the chain is at its limit.
func (d *Disk) Snapshot() (LayerID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.top.parent.depth() >= MaxDepth {
		return 0, d.fail("snapshot", 0, 0, ErrTooDeep)
	}
	d.settle()
	d.last++
	frozen := d.top
	frozen.id = d.last
	d.layers = append(d.layers, frozen)
	d.top = newLayer(frozen)
	return frozen.id, nil
}

// Revert makes the image of a snapshot that of now, durably. The snapshot
// stays, and so do those that were made after it.
func (d *Disk) Revert(id LayerID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	frozen, err := d.layer("revert", id)
	if err != nil {
		return err
	}
	d.dirty = nil
	d.top = newLayer(frozen)
	d.touched = int64(len(frozen.touched()))
	return nil
}

// RemoveSnapshot removes a snapshot: what it alone held goes into each layer
// that stands on it. The image of now and those of the other snapshots stay as
// they are.
func (d *Disk) RemoveSnapshot(id LayerID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone, err := d.layer("remove snapshot", id)
	if err != nil {
		return err
	}
	d.layers = slices.DeleteFunc(d.layers, func(l *layer) bool { return l == gone })
	for i, l := range d.layers {
		if l.parent == gone {
			d.replace(l, i, merged(l, gone))
		}
	}
	if d.top.parent == gone {
		d.mergeIntoTop(gone)
	}
	return nil
}

// merged is the frozen layer l as it stands after its parent gone: a new one,
// because Images may hold the old.
func merged(l, gone *layer) *layer {
	m := &layer{id: l.id, parent: gone.parent, blocks: make(map[int64]*cell, len(l.blocks)+len(gone.blocks))}
	for _, from := range []*layer{gone, l} {
		for b, c := range from.blocks { //hdm:order-safe fills a map
			m.blocks[b] = c
		}
	}
	return m
}

// replace puts fresh where the frozen layer old, at place i, was.
func (d *Disk) replace(old *layer, i int, fresh *layer) {
	d.layers[i] = fresh
	for j, l := range d.layers {
		if l.parent == old {
			d.replace(l, j, &layer{id: l.id, parent: fresh, blocks: l.blocks})
		}
	}
	if d.top.parent == old {
		d.top.parent = fresh
	}
}

// mergeIntoTop gives the top its own copies of what it lacks of gone.
func (d *Disk) mergeIntoTop(gone *layer) {
	d.top.parent = gone.parent
	for b, c := range gone.blocks { //hdm:order-safe each block for itself
		switch over := d.top.blocks[b]; {
		case over == nil:
			d.top.put(b, &cell{now: slices.Clone(c.now)})
		case over.volatile && over.before == nil:
			over.before = slices.Clone(c.now)
		}
	}
}

// Snapshots are the snapshots that exist, in order of creation.
func (d *Disk) Snapshots() []LayerID {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := make([]LayerID, len(d.layers))
	for i, l := range d.layers {
		ids[i] = l.id
	}
	return ids
}

func (d *Disk) layer(op string, id LayerID) (*layer, error) {
	for _, l := range d.layers {
		if l.id == id {
			return l, nil
		}
	}
	return nil, d.fail(op, 0, 0, ErrNoSnapshot)
}

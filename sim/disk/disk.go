// Package disk is the one model of a disk in the world: the virtual disks of
// guests, and whatever else stores blocks, stand on it.
//
// It decides what a read returns, what a power cut leaves, and what a snapshot
// holds. It never decides when anything happens (it knows no time), draws no
// randomness but from the stream that Crash is given, and charges nobody for
// bytes: Used is a figure that it keeps for those who do.
//
//	          WriteAt            Flush                Snapshot
//	guest ------------> volatile -----> durable   top ---------> frozen layer
//	                       |               |       |              |      |
//	                     Crash: kept, lost or     [   a tree, as vSphere's   ]
//	                     torn, block by block      base <- delta <- ... <- top
//
// Content is kept in blocks of 4 KiB that were touched; the rest reads as
// zeros and costs nothing. So a disk of 2 TB with ten touched blocks takes as
// much memory as those ten. Read this file, then layer.go (snapshots), child.go
// (linked clones), image.go (frozen images, comparing), fault.go (errors, faults)
// and rot.go.
package disk

import (
	"math/rand/v2"
	"sync"
)

const (
	// BlockSize is the unit in which content is kept and compared, in bytes.
	BlockSize = 4096
	// SectorSize is what a device writes as a whole or not at all, in bytes.
	SectorSize = 512
	// MaxCapacity is the largest virtual disk of vSphere: 62 TiB.
	MaxCapacity = 62 << 40

	sectors = BlockSize / SectorSize
)

// Disk is a virtual disk: its identity, size, content and faults. Its methods
// may be called from any goroutine; a world that must be deterministic calls
// them from its kernel only.
type Disk struct {
	id       string
	capacity int64

	mu      sync.Mutex
	used    int64
	base    *layer       // of a child: the foreign layer that it stands on
	top     *layer       // the one layer that is written
	layers  []*layer     // the frozen ones, in order of creation
	last    LayerID      // the last one given
	touched int64        // blocks of the image of now that were written
	dirty   []dirtyBlock // the volatile cells of the top
	free    freeList
	whole   []byte // of completed; nil until it is needed
	faults  faults
	store   Store // nil: it never fails
}

// New returns an empty disk of that capacity in bytes. The id is the disk's
// identity: it goes where its image goes. A capacity that no disk can have is
// a bug of the caller, and panics.
func New(id string, capacity int64) *Disk {
	if capacity < 0 || capacity > MaxCapacity {
		panic("disk: the capacity of " + id + " is not one that a disk can have")
	}
	return &Disk{id: id, capacity: capacity, top: newLayer(nil)}
}

// ID is the disk's identity.
func (d *Disk) ID() string { return d.id }

// Capacity is the disk's provisioned size in bytes.
func (d *Disk) Capacity() int64 { return d.capacity }

// Used is the number of bytes in use: what SetUsed declared, but at least what
// was written. It is what a transfer of the disk is charged.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.used, min(d.touched*BlockSize, d.capacity))
}

// SetUsed declares n bytes in use, at most the capacity, whatever was written:
// so that a disk of a real VM is as long on the WAN as it truly is.
func (d *Disk) SetUsed(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used = min(max(n, 0), d.capacity)
}

// ReadAt reads the image of now, as io.ReaderAt: any alignment. It returns an
// *Error for what lies outside the disk and for faults.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(Read, off, len(p), d.faults.reads); err != nil {
		return 0, err
	}
	if _, err := d.asked(Read, off, len(p)); err != nil {
		return 0, err
	}
	if err := d.stored(Read, false); err != nil {
		return 0, d.fail(string(Read), off, len(p), err)
	}
	readLayers(d.top, p, off)
	return len(p), nil
}

// Peek is ReadAt for whoever judges what the disk holds: no fault hits it. It
// returns an *Error for what lies outside the disk.
func (d *Disk) Peek(p []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check("read", off, len(p), nil); err != nil {
		return err
	}
	readLayers(d.top, p, off)
	return nil
}

// WriteAt writes, as io.WriterAt: any alignment. What it acknowledges is
// volatile until Flush. It returns an *Error for what lies outside the disk,
// for faults, and when the space that SetSpace left, or that of the store, is
// used up: then the blocks before that have been written.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(Write, off, len(p), d.faults.writes); err != nil {
		return 0, err
	}
	keep, err := d.asked(Write, off, len(p))
	if err != nil {
		return 0, err
	}
	if keep == 0 {
		return len(p), nil
	}
	for done := 0; done < len(p); {
		b, from := (off+int64(done))/BlockSize, int((off+int64(done))%BlockSize)
		n := min(len(p)-done, BlockSize-from)
		if err := d.writeBlock(b, from, p[done:done+min(n, keep*SectorSize)]); err != nil {
			return done, d.fail("write", off, len(p), err)
		}
		done += n
	}
	return len(p), nil
}

// writeBlock writes p at from within block b.
func (d *Disk) writeBlock(b int64, from int, p []byte) error {
	c := d.top.blocks[b]
	fresh := c == nil && d.top.parent.find(b) == nil
	if err := d.stored(Write, c == nil && d.grows()); err != nil {
		return err
	}
	if fresh && d.faults.space.exceeded(d.touched+1) {
		return ErrNoSpace
	}
	keep := d.faults.kept(b, from, len(p))
	if keep == 0 {
		return nil
	}
	if from != 0 || keep != BlockSize {
		p = d.completed(b, from, p[:keep])
	}
	switch {
	case c == nil:
		c = &cell{volatile: true}
		d.top.put(b, c)
		d.dirty = append(d.dirty, dirtyBlock{b, c})
	case !c.volatile:
		c.volatile, c.before, c.now = true, c.now, nil
		d.dirty = append(d.dirty, dirtyBlock{b, c})
	}
	c.now = d.free.pack(c.now, p)
	if fresh {
		d.touched++
	}
	return nil
}

// grows says whether one more block of the top takes more room: over a snapshot
// it always does, else when all that is declared in use has been touched.
func (d *Disk) grows() bool {
	return d.top.parent != nil || (d.touched+1)*BlockSize > d.used
}

// completed is block b as it is, with p put into it at from. The next call uses
// its memory again.
func (d *Disk) completed(b int64, from int, p []byte) []byte {
	if d.whole == nil {
		d.whole = make([]byte, BlockSize)
	}
	d.top.find(b).read(d.whole, 0)
	copy(d.whole[from:], p)
	return d.whole
}

// Flush makes every acknowledged write durable, or returns an *Error and makes
// none so. A device that was told to LoseFlushes says that it did, and lies.
func (d *Disk) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faults.flush != nil {
		return d.fail(string(Flush), 0, 0, d.faults.flush)
	}
	keep, err := d.asked(Flush, 0, 0)
	if err != nil {
		return err
	}
	if !d.faults.loseFlushes && keep > 0 {
		d.settle()
	}
	return nil
}

// settle makes the image of now the durable one.
func (d *Disk) settle() {
	for _, c := range d.dirty {
		d.free.put(c.before)
		c.volatile, c.before = false, nil
	}
	clear(d.dirty)
	d.dirty = d.dirty[:0]
}

// Unflushed is the number of blocks that a power cut may lose.
func (d *Disk) Unflushed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.dirty)
}

// Crash is a power cut: each unflushed block, in the order of their writes, is
// kept, lost, or torn into old and new sectors, as r draws. What is left is
// durable.
func (d *Disk) Crash(r *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.dirty {
		switch r.IntN(3) {
		case 0: // kept
		case 1:
			d.lose(c)
		default:
			d.tear(c, r)
		}
	}
	d.settle()
}

// lose puts back what the top held of a block when it was last durable.
func (d *Disk) lose(c dirtyBlock) {
	if c.before != nil {
		c.now, c.before = c.before, c.now
		return
	}
	delete(d.top.blocks, c.block)
	if d.top.parent.find(c.block) == nil {
		d.touched--
	}
}

// tear leaves some sectors of a block as they were when last durable.
func (d *Disk) tear(c dirtyBlock, r *rand.Rand) {
	var now, old [BlockSize]byte
	c.now.read(now[:], 0)
	before := c.before
	if before == nil {
		before = d.top.parent.find(c.block)
	}
	before.read(old[:], 0)
	for s := 0; s < BlockSize; s += SectorSize {
		if r.IntN(2) == 0 {
			copy(now[s:s+SectorSize], old[s:])
		}
	}
	c.now = d.free.pack(c.now, now[:])
}

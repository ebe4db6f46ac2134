package disk

import (
	"bytes"
	"io"
	"iter"
	"slices"
)

// Extent is a run of touched blocks, in bytes. It begins at a multiple of
// BlockSize, and ends at one or at the end of the disk.
type Extent struct{ Off, Len int64 }

// Reader is what can be read as a disk: a Disk (the image of now) or an Image.
type Reader interface {
	io.ReaderAt
	Capacity() int64
	// Extents are the runs of touched blocks, ascending; outside of them all is
	// zeros.
	Extents() iter.Seq[Extent]
}

// Image is a disk as it was at a snapshot. It stays readable, and as it is,
// whatever happens to the disk; no fault of the disk touches it.
type Image struct {
	disk     string
	capacity int64
	layer    *layer
}

// Seen is the image of now as whoever judges what a disk holds reads it: no fault
// of the disk, or of what its files lie in, meets the reader.
type Seen struct{ *Disk }

// ReadAt reads the image, as io.ReaderAt. It returns an *Error for what lies
// outside the disk.
func (s Seen) ReadAt(p []byte, off int64) (int, error) {
	if err := s.Peek(p, off); err != nil {
		return 0, err
	}
	return len(p), nil
}

// View is the image of a snapshot, or an *Error with ErrNoSnapshot.
func (d *Disk) View(id LayerID) (*Image, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, err := d.layer("view", id)
	if err != nil {
		return nil, err
	}
	return &Image{disk: d.id, capacity: d.capacity, layer: l}, nil
}

// Capacity is that of the disk, in bytes.
func (i *Image) Capacity() int64 { return i.capacity }

// ReadAt reads the image, as io.ReaderAt. It returns an *Error for what lies
// outside the disk.
func (i *Image) ReadAt(p []byte, off int64) (int, error) {
	if !inside(off, len(p), i.capacity) {
		return 0, &Error{Disk: i.disk, Op: "read", Off: off, Len: len(p), Err: ErrRange}
	}
	readLayers(i.layer, p, off)
	return len(p), nil
}

// Extents are the runs of blocks that were touched, ascending.
func (i *Image) Extents() iter.Seq[Extent] { return extents(i.layer.touched(), i.capacity) }

// Extents are the runs of blocks that were touched, ascending, as they were at
// the call.
func (d *Disk) Extents() iter.Seq[Extent] {
	d.mu.Lock()
	defer d.mu.Unlock()
	return extents(d.top.touched(), d.capacity)
}

func extents(touched []int64, capacity int64) iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		for i := 0; i < len(touched); {
			first := touched[i]
			n := int64(0)
			for i < len(touched) && touched[i] == first+n {
				i++
				n++
			}
			off := first * BlockSize
			if !yield(Extent{Off: off, Len: min(n*BlockSize, capacity-off)}) {
				return
			}
		}
	}
}

// Equal compares the images of now byte by byte: whether they are the same,
// and if not the first block in which they differ. See Same.
func (d *Disk) Equal(o *Disk) (same bool, firstDifferentBlock int64) { return Same(d, o) }

// Same compares two images byte by byte, untouched blocks as zeros. It reports
// whether they are the same, and if not the first block in which they differ:
// with capacities that differ, at the latest the first that only one has; with
// a read error, the one that cannot be read.
func Same(a, b Reader) (same bool, firstDifferentBlock int64) {
	var x, y [BlockSize]byte
	common := min(a.Capacity(), b.Capacity())
	for _, n := range bothTouched(a, b) {
		off := n * BlockSize
		if off >= common {
			break
		}
		size := min(BlockSize, common-off)
		if _, err := a.ReadAt(x[:size], off); err != nil {
			return false, n
		}
		if _, err := b.ReadAt(y[:size], off); err != nil {
			return false, n
		}
		if !bytes.Equal(x[:size], y[:size]) {
			return false, n
		}
	}
	if a.Capacity() != b.Capacity() {
		return false, common / BlockSize
	}
	return true, -1
}

func bothTouched(a, b Reader) []int64 {
	var all []int64
	for _, r := range []Reader{a, b} {
		for e := range r.Extents() {
			for off := e.Off; off < e.Off+e.Len; off += BlockSize {
				all = append(all, off/BlockSize)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

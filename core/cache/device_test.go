package cache

import (
	"errors"
	"math/rand/v2"
	"slices"
)

var errBroken = errors.New("input/output error")

// device is a cache device whose power can go. What was written and not
// flushed is a list of sectors; a power cut keeps any of them, and loses the
// others.
type device struct {
	now, durable []byte
	volatile     []sector
}

type sector struct {
	off  int64
	data []byte
}

func newDevice(size int64) *device {
	return &device{now: make([]byte, size), durable: make([]byte, size)}
}

func (d *device) ReadAt(p []byte, off int64) (int, error) { return copy(p, d.now[off:]), nil }

func (d *device) WriteAt(p []byte, off int64) (int, error) {
	data := slices.Clone(p)
	for n := 0; n < len(p); n += SectorSize {
		d.volatile = append(d.volatile, sector{off + int64(n), data[n : n+SectorSize]})
	}
	return copy(d.now[off:], p), nil
}

func (d *device) Flush() error {
	for _, s := range d.volatile {
		copy(d.durable[s.off:], s.data)
	}
	d.volatile = d.volatile[:0]
	return nil
}

// writeSome is a write that did not come to its end: any of its sectors.
func (d *device) writeSome(p []byte, off int64, r *rand.Rand) {
	for n := 0; n < len(p); n += SectorSize {
		if r.IntN(2) == 0 {
			_, _ = d.WriteAt(p[n:n+SectorSize], off+int64(n))
		}
	}
}

// flushSome is a flush that failed: any sector may be durable all the same.
func (d *device) flushSome(r *rand.Rand) {
	for _, s := range d.volatile {
		if r.IntN(2) == 0 {
			copy(d.durable[s.off:], s.data)
		}
	}
}

// powerCut keeps each sector with the probability kept/4: all, none, or any.
func (d *device) powerCut(kept int, r *rand.Rand) {
	for _, s := range d.volatile {
		if r.IntN(4) < kept {
			copy(d.durable[s.off:], s.data)
		}
	}
	d.volatile = d.volatile[:0]
	copy(d.now, d.durable)
}

// rot changes a byte for good.
func (d *device) rot(off int64) {
	d.now[off] ^= 0x55
	d.durable[off] ^= 0x55
	for _, s := range d.volatile {
		if off >= s.off && off < s.off+SectorSize {
			s.data[off-s.off] ^= 0x55
		}
	}
}

package vmdk

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"slices"
	"sync"

	"github.com/hdm-project/hdm/sim/disk"
)

// Source is the image to encode.
type Source = disk.Reader

// Encode writes src, whose capacity must be h's, to w as a streamOptimized
// VMDK: only grains that hold something else than zeros. It returns an *Error
// which wraps what w or src said, or ErrUnsupported for a header that no
// stream can carry.
func Encode(w io.Writer, h Header, src Source) error {
	e := &encoder{w: w, src: src, sectors: uint64(h.Capacity) / sectorSize}
	if err := h.validate(); err != nil {
		return e.fail("header", err.Error(), ErrUnsupported)
	}
	if src.Capacity() != h.Capacity {
		return e.fail("header", "its capacity is not that of the source", ErrUnsupported)
	}
	e.packer = packers.Get().(*zlib.Writer)
	defer packers.Put(e.packer)
	return e.encode(h)
}

// packers are compressors: each takes most of a megabyte and long to make.
var packers = sync.Pool{New: func() any {
	w, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		panic("vmdk: " + err.Error()) // a constant level is not one
	}
	return w
}}

type encoder struct {
	w       io.Writer
	src     Source
	sectors uint64 // of the disk
	packer  *zlib.Writer

	written   int64 // bytes of the stream
	directory []uint32
	table     []uint32 // of the present 32 MiB; nil before its first grain
	tableAt   uint64   // its place in the directory
	grain     [grainSize]byte
	out       bytes.Buffer
}

func (e *encoder) fail(part, what string, err error) error {
	return &Error{Offset: e.written, Part: part, What: what, Err: err}
}

func (e *encoder) encode(h Header) error {
	e.directory = make([]uint32, directoryEntries(e.sectors))
	head := newSparseHeader(h.Capacity, directoryAtEnd)
	front := make([]byte, overhead*sectorSize)
	copy(front, head.bytes())
	copy(front[descriptorAt*sectorSize:], descriptor(h))
	if err := e.write("header", front); err != nil {
		return err
	}
	next := uint64(0) // the first grain that has not been looked at
	for x := range e.src.Extents() {
		first, last := uint64(x.Off)/grainSize, uint64(x.Off+x.Len-1)/grainSize
		for g := max(first, next); g <= last; g++ {
			if err := e.putGrain(g); err != nil {
				return err
			}
		}
		next = last + 1
	}
	return e.finish(h)
}

// putGrain writes grain g, and before it the table that it ends.
func (e *encoder) putGrain(g uint64) error {
	clear(e.grain[:])
	off := int64(g) * grainSize
	part := e.grain[:min(grainSize, int64(e.sectors)*sectorSize-off)]
	if _, err := e.src.ReadAt(part, off); err != nil {
		return e.fail("grain", "the disk cannot be read", err)
	}
	if e.grain == zeroGrain {
		return nil
	}
	if e.table != nil && e.tableAt != g/tableEntries {
		if err := e.putTable(); err != nil {
			return err
		}
	}
	if e.table == nil {
		e.table, e.tableAt = make([]uint32, tableEntries), g/tableEntries
	}
	at, err := e.place("grain")
	if err != nil {
		return err
	}
	e.table[g%tableEntries] = at
	return e.write("grain", e.pack(g))
}

var zeroGrain [grainSize]byte

// pack is the grain with its marker (its first sector on the disk, its
// compressed size), padded.
func (e *encoder) pack(g uint64) []byte {
	const marker = 12
	e.out.Reset()
	e.out.Write(zeroGrain[:marker])
	e.packer.Reset(&e.out)
	// A bytes.Buffer does not fail.
	_, _ = e.packer.Write(e.grain[:])
	_ = e.packer.Close()
	b := e.out.Bytes()
	binary.LittleEndian.PutUint64(b, g*grainSectors)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-marker))
	e.out.Write(zeroGrain[:padded(len(b))-len(b)])
	return e.out.Bytes()
}

func (e *encoder) putTable() error {
	at, err := e.putMarked("grain table", markerTable, tableSectors, words(e.table))
	e.directory[e.tableAt] = at
	e.table = nil
	return err
}

// finish writes what comes after the last grain.
func (e *encoder) finish(h Header) error {
	if e.table != nil {
		if err := e.putTable(); err != nil {
			return err
		}
	}
	dir := words(e.directory)
	dir = append(dir, make([]byte, padded(len(dir))-len(dir))...)
	at, err := e.putMarked("grain directory", markerDirectory, uint64(len(dir))/sectorSize, dir)
	if err != nil {
		return err
	}
	footer := newSparseHeader(h.Capacity, uint64(at))
	if _, err := e.putMarked("footer", markerFooter, 1, footer.bytes()); err != nil {
		return err
	}
	_, err = e.putMarked("end of stream", markerEnd, 0, nil)
	return err
}

// putMarked writes a marker and what it announces, and returns the sector at
// which the latter begins.
func (e *encoder) putMarked(part string, kind uint32, sectors uint64, data []byte) (uint32, error) {
	b := make([]byte, sectorSize, sectorSize+len(data))
	binary.LittleEndian.PutUint64(b, sectors)
	binary.LittleEndian.PutUint32(b[12:], kind)
	at, err := e.place(part)
	if err != nil {
		return 0, err
	}
	return at + 1, e.write(part, append(b, data...))
}

// place is the sector of the stream that comes next. Tables hold 32 bits of
// it, which is 2 TiB.
func (e *encoder) place(part string) (uint32, error) {
	at := e.written / sectorSize
	if at >= 1<<32-1 {
		return 0, e.fail(part, "more than 2 TiB of compressed data", ErrUnsupported)
	}
	return uint32(at), nil
}

func (e *encoder) write(part string, b []byte) error {
	n, err := e.w.Write(b)
	e.written += int64(n)
	if err != nil {
		return e.fail(part, "", err)
	}
	return nil
}

func words(entries []uint32) []byte {
	b := slices.Grow([]byte(nil), 4*len(entries))
	for _, w := range entries {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

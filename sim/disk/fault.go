package disk

import (
	"errors"
	"fmt"
	"syscall"
)

// What can go wrong with a disk. They come wrapped in an *Error. The first two
// are what an operating system calls them, for errors.Is.
var (
	ErrIO         = said("input/output error", syscall.EIO)
	ErrNoSpace    = said("no space left on the datastore", syscall.ENOSPC)
	ErrRange      = errors.New("outside of the disk")
	ErrNoSnapshot = errors.New("no such snapshot: it was removed, or is another disk's")
	ErrTooDeep    = fmt.Errorf("more than %d snapshots in a chain: remove one first", MaxDepth)
)

// What a fault can make of an operation without anybody being told: see
// SetFault.
var (
	ErrTorn = errors.New("acknowledged, and written in part")
	ErrLost = errors.New("acknowledged, and not done")
)

// spoken is an error with words of its own for one that is known.
type spoken struct {
	text string
	is   error
}

func said(text string, is error) error { return &spoken{text, is} }

func (e *spoken) Error() string { return e.text }
func (e *spoken) Unwrap() error { return e.is }

// Op is an operation that a fault can hit.
type Op string

// The operations.
const (
	Read  Op = "read"
	Write Op = "write"
	Flush Op = "flush"
)

// Error is a failed operation of a disk.
type Error struct {
	Disk string // its id
	Op   string // "read", "write", "flush", "snapshot", ...
	Off  int64  // bytes; of reads and writes
	Len  int    // bytes; of reads and writes
	Err  error  // one of the above, or what a fault was given
}

func (e *Error) Error() string {
	if e.Len == 0 {
		return fmt.Sprintf("disk %s: %s: %v", e.Disk, e.Op, e.Err)
	}
	return fmt.Sprintf("disk %s: %s of %d bytes at %d: %v", e.Disk, e.Op, e.Len, e.Off, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Range is a part of a disk, in bytes.
type Range struct{ Off, Len int64 }

// All is the whole of any disk.
var All = Range{Off: 0, Len: MaxCapacity}

func (r Range) meets(off int64, n int) bool { return off < r.Off+r.Len && r.Off < off+int64(n) }

// Store is what the files of a disk lie in, as far as it fails.
type Store interface {
	// Fault is the error that a read, or a write of one block, meets there; nil is
	// none. grows says that the disk's files need more room for the write. It is
	// called while the disk is busy: it must not use it.
	Fault(disk string, op Op, grows bool) error
}

// SetStore says what the disk's files lie in; nil, as at first, never fails.
// What a store does is no fault of the disk: Heal leaves it.
func (d *Disk) SetStore(s Store) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.store = s
}

// faults are a disk's present faults. Each knob is set by one method below.
type faults struct {
	reads, writes *fault
	flush         error
	loseFlushes   bool
	drop          *drop
	space         space
	hook          func(op Op, off int64, n int) error
}

type fault struct {
	where Range
	err   error
}

// drop is a write fault that the device does not admit.
type drop struct {
	where   Range
	sectors int // of each block that are still written
}

// space bounds the touched blocks; nil is without bound.
type space struct{ blocks *int64 }

func (s space) exceeded(blocks int64) bool { return s.blocks != nil && blocks > *s.blocks }

// FailReads makes every read that meets r fail with err, such as ErrIO.
func (d *Disk) FailReads(r Range, err error) {
	d.fault(func(f *faults) { f.reads = &fault{r, err} })
}

// FailWrites makes every write that meets r fail with err, such as ErrIO. A
// failed write changes nothing.
func (d *Disk) FailWrites(r Range, err error) {
	d.fault(func(f *faults) { f.writes = &fault{r, err} })
}

// FailFlushes makes every flush fail with err.
func (d *Disk) FailFlushes(err error) { d.fault(func(f *faults) { f.flush = err }) }

// LoseFlushes makes the device lie: it acknowledges a flush and makes nothing
// durable.
func (d *Disk) LoseFlushes() { d.fault(func(f *faults) { f.loseFlushes = true }) }

// LoseWrites makes the device acknowledge writes to blocks that meet r, and
// drop them.
func (d *Disk) LoseWrites(r Range) { d.fault(func(f *faults) { f.drop = &drop{r, 0} }) }

// TearWrites makes the device acknowledge writes to blocks that meet r, and
// write only the first sectors of what was to be written in each: from 1 to 7.
func (d *Disk) TearWrites(r Range, first int) {
	d.fault(func(f *faults) { f.drop = &drop{r, min(max(first, 1), sectors-1)} })
}

// SetSpace leaves room for n bytes of blocks in all: a write that touches one
// more fails with ErrNoSpace. Blocks that were touched can still be written.
func (d *Disk) SetSpace(n int64) {
	blocks := n / BlockSize
	d.fault(func(f *faults) { f.space = space{&blocks} })
}

// SetFault asks f before every operation what becomes of it; off and n are in
// bytes, 0 of a flush. Nil: nothing. An error, such as ErrIO: it fails with that
// and changes nothing. ErrTorn, of a write: it is acknowledged, and of each block
// only the first sector is written. ErrLost, of a write or a flush: it is
// acknowledged, and not done. f must not call the disk. Nil takes it away.
func (d *Disk) SetFault(f func(op Op, off int64, n int) error) {
	d.fault(func(all *faults) { all.hook = f })
}

// Heal ends all faults. What they lost stays lost.
func (d *Disk) Heal() { d.fault(func(f *faults) { *f = faults{} }) }

func (d *Disk) fault(set func(*faults)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set(&d.faults)
}

// kept is how many of the n bytes from from of block b a device with the
// present faults really writes.
func (f *faults) kept(b int64, from, n int) int {
	if f.drop == nil || !f.drop.where.meets(b*BlockSize+int64(from), n) {
		return n
	}
	return min(n, f.drop.sectors*SectorSize)
}

func (d *Disk) check(op Op, off int64, n int, f *fault) error {
	if !inside(off, n, d.capacity) {
		return d.fail(string(op), off, n, ErrRange)
	}
	if f != nil && f.where.meets(off, n) {
		return d.fail(string(op), off, n, f.err)
	}
	return nil
}

// stored is what the store says to a read, or to a write of one block.
func (d *Disk) stored(op Op, grows bool) error {
	if d.store == nil {
		return nil
	}
	return d.store.Fault(d.id, op, grows)
}

// asked is what the hook makes of an operation: how many sectors of each block
// that is written are kept (all: sectors), or its failure.
func (d *Disk) asked(op Op, off int64, n int) (keep int, err error) {
	if d.faults.hook == nil {
		return sectors, nil
	}
	err = d.faults.hook(op, off, n)
	switch {
	case err == nil:
		return sectors, nil
	case op == Write && errors.Is(err, ErrTorn):
		return 1, nil
	case op != Read && errors.Is(err, ErrLost):
		return 0, nil
	}
	return 0, d.fail(string(op), off, n, err)
}

func inside(off int64, n int, capacity int64) bool {
	return off >= 0 && off <= capacity && int64(n) <= capacity-off
}

func (d *Disk) fail(op string, off int64, n int, err error) error {
	return &Error{Disk: d.id, Op: op, Off: off, Len: n, Err: err}
}

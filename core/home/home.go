// Package home is the on-premises end of one VM's data path: what the cloud
// cache reads when it misses, and where a flush becomes the VM's disks.
//
// It decides whether a flush is whole and whether it has happened: the VM's
// disks hold all of it or nothing (clause CACHE-07), whatever the power does.
// It never decides when to flush or what a flush holds (core/cache does), knows
// no network (core/gateway carries its messages) and no time.
//
//	           Begin          Put ...            Commit
//	applied --------> open --------> open ----------------> applied
//	   ^                |                                       |
//	   |     Abort, or a crash: dropped                         v
//	   +----------------+           1 stage: flush the chunks, read them back
//	                                2 stage: write the decision, flush     <- from here on it has happened
//	                                3 disks: write every block and read it back, flush
//	                                4 stage: write "applied", flush
//
// The stage is a redo log of one flush. Before the decision is durable nothing
// touches the disks, so a crash leaves the image of the flush before. After it
// Open does step 3 again from the beginning, which is harmless however far it
// had come, since the blocks are absolute. The chunks stay until step 4 is
// durable. One owner calls a Home; the devices may keep, lose or tear by sector
// whatever was not flushed.
//
// Read this file, then commit.go (the decision), record.go (how the decision
// lies on the stage), staged.go (how chunks do), sparse.go (how what a block
// holds is written) and wire.go (messages).
package home

import (
	"crypto/sha256"
	"hash"

	"github.com/hdm-project/hdm/core/cache"
)

// Limits. A chunk bounds the memory that a Home takes; a flush is bounded by
// the capacity of its stage.
const (
	MaxDisks       = 64   // disks of one VM: four SCSI controllers with 15, and some
	MaxChunkBlocks = 1024 // blocks of one Put: 4 MiB
	MaxChunks      = 1 << 24
)

// Disk is one of the VM's disks, or the stage. What WriteAt acknowledges is
// durable after Flush; what it did not may be there by sectors of 512 bytes.
type Disk interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Flush() error
	// Capacity in bytes. A stage takes as much of it as its largest flush.
	Capacity() int64
}

// phase is where the flush with the highest number is.
type phase uint8

const (
	applied  phase = iota // the disks hold it; none is open
	open                  // its chunks come; the disks hold the one before
	doubtful              // its decision was written, and may or may not be durable
	decided               // its decision is durable; the disks may hold a part of it
)

// Home is the on-premises end for the disks of one VM. Its methods are not for
// use by several at once.
type Home struct {
	stage Disk
	disks []Disk

	slots   slots
	phase   phase
	applied record // the last flush that the disks hold
	flush   record // the one that is open, doubtful or decided
	sum     hash.Hash
	buf     []byte                // one chunk, as it lies on the stage
	back    [cache.BlockSize]byte // a block, as it lies on its disk
}

// Open returns the Home of these disks and this stage, which is new (zeros) or
// was left by another Home. A flush whose decision is durable is applied before
// Open returns; one without is dropped. Errors are *Error: ErrDamaged, or what
// a device said. Then nothing may read the disks: call Open again.
func Open(stage Disk, disks []Disk) (*Home, error) {
	h := &Home{stage: stage, disks: disks}
	if len(disks) > MaxDisks {
		return nil, fail("open", 0, ErrLimit)
	}
	last, err := h.slots.load(stage)
	if err != nil {
		return nil, fail("open", 0, err)
	}
	if last.decided {
		h.phase, h.flush = decided, last
		if err := h.finish(); err != nil {
			return nil, fail("open", last.number, err)
		}
		return h, nil
	}
	h.applied = last
	return h, nil
}

// Last is the number of the last flush that the disks hold; 0 if none.
func (h *Home) Last() uint64 { return h.applied.number }

// Read fills p with a block of a disk: with the image of the last applied
// flush. What lies beyond the end of the disk reads as zeros. Errors: ErrRange,
// ErrUnfinished, or the disk's.
func (h *Home) Read(disk int, block int64, p []byte) error {
	if err := h.finish(); err != nil {
		return fail("read", h.flush.number, err)
	}
	n, err := h.length(disk, block)
	if err == nil && len(p) != cache.BlockSize {
		err = ErrRange
	}
	if err == nil {
		_, err = h.disks[disk].ReadAt(p[:n], block*cache.BlockSize)
		clear(p[n:])
	}
	if err != nil {
		return fail("read", h.applied.number, err)
	}
	return nil
}

// length is how many bytes of a block lie on the disk.
func (h *Home) length(disk int, block int64) (int, error) {
	if disk < 0 || disk >= len(h.disks) {
		return 0, ErrRange
	}
	capacity := h.disks[disk].Capacity()
	if block < 0 || block >= (capacity+cache.BlockSize-1)/cache.BlockSize {
		return 0, ErrRange
	}
	return int(min(cache.BlockSize, capacity-block*cache.BlockSize)), nil
}

// Begin opens a flush. Its number is higher than that of any before; another
// flush that is open is dropped, and so is what was staged of this one: the
// sender starts over. The number that was applied last answers nil, as do its
// Put and Commit: the sender did not hear of it. Errors: ErrStale,
// ErrUnfinished.
func (h *Home) Begin(number uint64) error {
	if err := h.settle(); err != nil {
		return fail("begin", number, err)
	}
	switch {
	case number == 0, number < h.applied.number:
		return fail("begin", number, ErrStale)
	case number == h.applied.number:
		return nil
	case h.phase == open && number < h.flush.number:
		return fail("begin", number, ErrStale)
	}
	h.phase, h.flush, h.sum = open, record{decided: true, number: number}, sha256.New()
	return nil
}

// Put stages the next chunk of the open flush; they count from 0. A chunk that
// is refused changes nothing. Errors: ErrUnknown, ErrStale, ErrOrder, ErrRange,
// ErrLimit, ErrUnfinished, or the stage's.
func (h *Home) Put(number uint64, seq int, blocks []cache.Block) error {
	if err := h.expect(number); err != nil {
		return fail("put", number, err)
	}
	if number == h.applied.number {
		return nil
	}
	if err := h.put(seq, blocks); err != nil {
		return fail("put", number, err)
	}
	return nil
}

// expect says whether a chunk or the commit of that flush may come now.
func (h *Home) expect(number uint64) error {
	switch {
	case number == 0, number < h.applied.number:
		return ErrStale
	case number == h.applied.number:
		return nil
	case h.phase == applied, number != h.flush.number:
		return ErrUnknown
	}
	return nil
}

func (h *Home) put(seq int, blocks []cache.Block) error {
	if h.phase != open {
		return ErrUnfinished
	}
	if seq != int(h.flush.chunks) {
		return ErrOrder
	}
	if len(blocks) > MaxChunkBlocks || seq >= MaxChunks {
		return ErrLimit
	}
	for _, b := range blocks {
		n, err := h.length(b.Disk, b.Block)
		if err != nil || len(b.Data) < n || len(b.Data) > cache.BlockSize {
			return ErrRange
		}
	}
	h.buf = appendChunk(h.buf[:0], h.flush.number, seq, blocks)
	if h.flush.bytes+int64(len(h.buf)) > h.stage.Capacity()-dataStart {
		return ErrLimit
	}
	if _, err := h.stage.WriteAt(h.buf, dataStart+h.flush.bytes); err != nil {
		return err
	}
	h.sum.Write(h.buf[chunkHead:]) // the same bytes that a Sum takes
	h.flush.bytes += int64(len(h.buf))
	h.flush.chunks++
	return nil
}

// Abort drops a flush that is open. One that is not here answers nil. Errors:
// ErrApplied if it is too late, ErrUnfinished if its decision is, and what the
// stage said: then whether it is dropped is not known, and Abort or Commit
// must be called again.
func (h *Home) Abort(number uint64) error {
	switch {
	case number <= h.applied.number, h.phase == decided && number == h.flush.number:
		return fail("abort", number, ErrApplied)
	case number != h.flush.number:
		return nil
	case h.phase == doubtful:
		if err := h.slots.store(h.stage, h.applied); err != nil {
			return fail("abort", number, err)
		}
	}
	h.drop()
	return nil
}

func (h *Home) drop() { h.phase, h.flush, h.sum = applied, record{}, nil }

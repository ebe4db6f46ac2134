package home

import (
	"bytes"
	"fmt"

	"github.com/hdm-project/hdm/core/cache"
)

// Commit decides the open flush, durably, and applies it. It must have that
// many chunks, and the blocks of them that sum (see Sum). Nil: the disks hold
// it, durably. Errors: ErrOrder (chunks are missing) and ErrSum leave the flush
// open; ErrUnknown, ErrStale, and ErrConflict (another flush was applied under
// this number) change nothing; ErrDamaged drops it, as the stage does not hold
// what it was given. After these the disks are as before. After what a device
// said the flush may happen yet: Commit again, until nil, or ErrUnknown, which
// says that it was dropped.
func (h *Home) Commit(number uint64, chunks int, sum [32]byte) error {
	if err := h.commit(number, chunks, sum); err != nil {
		return fail("commit", number, err)
	}
	return nil
}

func (h *Home) commit(number uint64, chunks int, sum [32]byte) error {
	if err := h.expect(number); err != nil {
		return err
	}
	if number == h.applied.number {
		if chunks != int(h.applied.chunks) || sum != h.applied.sum {
			return ErrConflict
		}
		return nil
	}
	if h.phase == open {
		h.sum.Sum(h.flush.sum[:0])
	}
	if chunks != int(h.flush.chunks) {
		return ErrOrder
	}
	if sum != h.flush.sum {
		return ErrSum
	}
	if err := h.decide(); err != nil {
		return err
	}
	return h.finish()
}

// decide makes the decision durable. The chunks are durable before it is
// written, or it would promise what a crash may take away. A device that could
// not flush them once may have forgotten them, and say yes the next time: then
// the flush is dropped.
func (h *Home) decide() error {
	if h.phase == decided {
		return nil
	}
	if err := h.secure(); err != nil {
		h.drop()
		return err
	}
	h.phase = doubtful
	if err := h.slots.store(h.stage, h.flush); err != nil {
		return err
	}
	h.phase = decided
	return nil
}

// secure makes the chunks durable and reads them back.
func (h *Home) secure() error {
	if h.phase == doubtful {
		return nil
	}
	if err := h.stage.Flush(); err != nil {
		return err
	}
	return h.replay(nil)
}

// finish applies a flush that is decided: all of it, from the beginning,
// however far an earlier attempt came. Only then it is struck off the stage.
func (h *Home) finish() error {
	if h.phase != decided {
		return nil
	}
	if err := h.replay(h.apply); err != nil {
		return unfinished(err)
	}
	for _, d := range h.disks {
		if err := d.Flush(); err != nil {
			return unfinished(err)
		}
	}
	done := h.flush
	done.decided = false
	if err := h.slots.store(h.stage, done); err != nil {
		return unfinished(err)
	}
	h.applied = done
	h.drop()
	return nil
}

// settle ends what an error of a device left in between, so that another flush
// may begin: a decided flush is applied, and a doubtful one, whose sender has
// gone on to another, is struck off.
func (h *Home) settle() error {
	if h.phase == doubtful {
		if err := h.slots.store(h.stage, h.applied); err != nil {
			return err
		}
		h.drop()
	}
	return h.finish()
}

func unfinished(err error) error { return fmt.Errorf("%w: %w", ErrUnfinished, err) }

// apply writes a block, and reads it back: a disk may have lost or torn what it
// acknowledged.
func (h *Home) apply(b cache.Block) error {
	n, err := h.length(b.Disk, b.Block)
	if err != nil {
		return ErrDamaged // Put refuses such a block: these are not the disks that it knew
	}
	disk, at := h.disks[b.Disk], b.Block*cache.BlockSize
	if _, err := disk.WriteAt(b.Data[:n], at); err != nil {
		return err
	}
	if _, err := disk.ReadAt(h.back[:n], at); err != nil {
		return err
	}
	if !bytes.Equal(h.back[:n], b.Data[:n]) {
		return ErrTorn
	}
	return nil
}

package cache

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// errIncomplete: an epoch's checkpoint is not whole, so that it never counted.
var errIncomplete = errors.New("the checkpoint is not whole")

// Recover returns the cache that a device holds after a crash: every block that
// was dirty, as it was when it was last made durable or later. What was clean
// is fetched again; a cut that was open is abandoned. It only reads. ErrForeign
// means that New never got so far as to acknowledge anything, or that the
// configuration is another one.
func Recover(c Config, device io.ReaderAt) (*Cache, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	cache := empty(c)
	epochs, err := cache.layout.epochs(device)
	if err != nil {
		return nil, err
	}
	for i, epoch := range epochs {
		blocks, err := cache.replay(device, epoch)
		if errors.Is(err, errIncomplete) && i+1 < len(epochs) {
			continue
		}
		if err != nil {
			return nil, recoverError(ErrCorrupt, err)
		}
		cache.sync.epoch, cache.sync.rewrite = epoch, true
		cache.sync.cuts, cache.sync.writing = cache.cuts, cache.cuts
		cache.sync.tries = (epochs[0] - epoch + 1) / 2 // none that a failed one had
		return cache, cache.adopt(blocks)
	}
	return nil, recoverError(ErrForeign, nil)
}

func recoverError(kind, cause error) error {
	var e *Error
	if errors.As(cause, &e) {
		return e
	}
	return &Error{What: "recover", Disk: -1, Err: kind, Cause: cause}
}

// epochs are those that the superblocks name, the newest first.
func (l layout) epochs(device io.ReaderAt) ([]uint64, error) {
	var found []uint64
	p := make([]byte, SectorSize)
	for n := range uint64(2) {
		if err := readAt(device, p, l.superAt(n)); err != nil {
			return nil, err
		}
		if epoch, ok := l.decodeSuper(p); ok {
			found = append(found, epoch)
		}
	}
	slices.SortFunc(found, func(a, b uint64) int { return cmp.Compare(b, a) })
	return found, nil
}

// replay reads the log of an epoch and returns what it says of each block.
func (c *Cache) replay(device io.ReaderAt, epoch uint64) (map[key]record, error) {
	blocks := map[key]record{}
	p := make([]byte, SectorSize)
	var before uint32
	var whole uint32 // batches that make the checkpoint
	for seq, at := uint32(0), int64(0); ; seq++ {
		if at+SectorSize > c.layout.area {
			return blocks, incomplete(seq, whole)
		}
		if err := readAt(device, p, c.layout.areaAt(epoch)+at); err != nil {
			return nil, err
		}
		h, sum, ok := decodeHead(p)
		size := batchSize(int(h.count))
		if !ok || h.tag != c.layout.tag || h.epoch != epoch || h.seq != seq || h.before != before || at+size > c.layout.area {
			return blocks, incomplete(seq, whole)
		}
		batch := make([]byte, size)
		if err := readAt(device, batch, c.layout.areaAt(epoch)+at); err != nil {
			return nil, err
		}
		records, ok := decodeRecords(batch, h.count, sum)
		if !ok {
			return blocks, incomplete(seq, whole)
		}
		if seq == 0 {
			whole = h.checkpoint
		}
		c.cuts = max(c.cuts, h.cuts)
		for _, r := range records {
			if r.slot == gone {
				delete(blocks, r.key)
			} else {
				blocks[r.key] = r
			}
		}
		at += size
		before = sum
	}
}

// incomplete says whether a log that ends before seq has its checkpoint.
func incomplete(seq, whole uint32) error {
	if seq == 0 || seq < whole {
		return errIncomplete
	}
	return nil
}

// adopt makes the blocks of the index this cache's dirty ones.
func (c *Cache) adopt(blocks map[key]record) error {
	for _, k := range slices.Sorted(maps.Keys(blocks)) {
		r := blocks[k]
		switch {
		case k.disk() >= len(c.config.Disks) || k.block()*BlockSize >= c.config.Disks[k.disk()],
			r.slot < 0 || int(r.slot) >= c.layout.slots:
			return recoverError(ErrCorrupt, fmt.Errorf("it names slot %d for block %d of disk %d", r.slot, k.block(), k.disk()))
		case c.slots.used(r.slot):
			return recoverError(ErrCorrupt, fmt.Errorf("it names slot %d twice", r.slot))
		}
		i := c.table.ensure(k)
		e := &c.table.entries[i]
		e.now, e.durable, e.sum = r.slot, r.slot, r.sum
		c.slots.ref(r.slot, refNow|refDurable)
		c.table.move(i, written)
		c.changed.add(k)
	}
	c.slots.refill()
	c.stats.Recovered = true
	return nil
}

// readAt reads all of p.
func readAt(device io.ReaderAt, p []byte, off int64) error {
	n, err := device.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return &Error{What: "recover", Disk: -1, Err: ErrDevice, Cause: err}
}

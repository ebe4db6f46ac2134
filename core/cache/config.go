package cache

import (
	"fmt"
	"hash/crc32"
)

// Config says what is cached and how much of it may be held.
type Config struct {
	Disks []int64 // capacities in bytes, multiples of SectorSize
	Quota int64   // bytes of data that it may hold; what is no whole block is not used
	// Tag tells this cache from all others that the region of the device has
	// held: Recover never takes another's data for its own. A region that is
	// used again needs a tag that it has not had.
	Tag uint64
}

// Check returns an *Error that says what is wrong with the configuration.
func (c Config) Check() error {
	bad := func(format string, args ...any) error {
		return &Error{What: "configuration", Disk: -1, Err: ErrConfig, Cause: fmt.Errorf(format, args...)}
	}
	if n := len(c.Disks); n == 0 || n > maxDisks {
		return bad("%d disks; give 1 to %d", n, maxDisks)
	}
	for i, capacity := range c.Disks {
		if capacity <= 0 || capacity > maxCapacity || capacity%SectorSize != 0 {
			return bad("disk %d has %d bytes; give a multiple of %d, at most %d", i, capacity, SectorSize, int64(maxCapacity))
		}
	}
	if n := c.Quota / BlockSize; n < minSlots || n > maxSlots {
		return bad("a quota of %d bytes; give %d to %d", c.Quota, minSlots*BlockSize, int64(maxSlots)*BlockSize)
	}
	return nil
}

// MaxRequest is the largest request in blocks, as far as it touches them: half
// of what can be held, and not more than 1 MiB.
func (c Config) MaxRequest() int { return min(maxRequest/BlockSize, int(c.Quota/BlockSize/2)) }

// Size is what the cache takes of its device, in bytes: two superblocks, two
// areas for the index, and the slots for data.
//
//	| superblock 0 | superblock 1 | area 0 | area 1 | slot 0 | slot 1 | ...
func (c Config) Size() int64 { return layoutOf(c).slotAt(int32(c.Quota / BlockSize)) }

// layout says where everything is on the device.
type layout struct {
	tag   uint64
	shape uint32 // a sum of the configuration
	slots int
	area  int64 // bytes of an area
}

func layoutOf(c Config) layout {
	n := int(c.Quota / BlockSize)
	shape := crc32.Checksum(fmt.Append(nil, c.Disks, n), castagnoli)
	// An area takes a checkpoint of every slot twice over, so that at least as
	// much can be appended before the next checkpoint.
	area := 2*batchesSize(n) + 4*SectorSize
	return layout{tag: c.Tag, shape: shape, slots: n, area: (area + BlockSize - 1) / BlockSize * BlockSize}
}

// superAt, areaAt: where an epoch has its superblock and its area. Two epochs
// that follow each other never share one.
func (l layout) superAt(epoch uint64) int64 { return int64(epoch%2) * BlockSize }
func (l layout) areaAt(epoch uint64) int64  { return 2*BlockSize + int64(epoch%2)*l.area }
func (l layout) slotAt(slot int32) int64    { return 2*BlockSize + 2*l.area + int64(slot)*BlockSize }

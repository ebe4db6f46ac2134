package disk

import "bytes"

// block is the content of 4 KiB in as little memory as is cheap to find out:
//
//	nil            nobody wrote it
//	no bytes       zeros
//	8 x 64 bytes   the heads of its sectors; the rest of each is zeros
//	4096 bytes     all of it
//
// The middle shape is that of the guests' stamped blocks: an eighth of the
// memory, and of the time to copy it.
type block []byte

const (
	headSize  = 64
	shortSize = sectors * headSize
)

var zeros [BlockSize]byte

// read copies what the block holds from offset from on into p, which must not
// reach beyond the block.
func (b block) read(p []byte, from int) {
	switch len(b) {
	case 0:
		clear(p)
	case BlockSize:
		copy(p, b[from:])
	default:
		clear(p)
		for s := range sectors {
			// The head lies at at of p, which begins in its middle when at < 0.
			at, head := s*SectorSize-from, b[s*headSize:(s+1)*headSize]
			if at < 0 {
				head = head[min(-at, headSize):]
				at = 0
			}
			if at < len(p) {
				copy(p[at:], head)
			}
		}
	}
}

// short says whether each sector of a whole block is zeros after its head.
func short(p []byte) bool {
	for s := range sectors {
		if !bytes.Equal(p[s*SectorSize+headSize:(s+1)*SectorSize], zeros[:SectorSize-headSize]) {
			return false
		}
	}
	return true
}

// maxFree bounds the blocks of each shape that a disk keeps for reuse: about
// what it writes between two flushes.
const maxFree = 64

// freeList holds memory of blocks that nobody refers to any more.
type freeList struct{ short, full []block }

// pack returns a block that holds p, which is whole, in the memory of old if
// that fits. Nobody else may refer to old.
func (f *freeList) pack(old block, p []byte) block {
	if !short(p) {
		b := f.take(old, BlockSize)
		copy(b, p)
		return b
	}
	b := f.take(old, shortSize)
	empty := true
	for s := range sectors {
		head := p[s*SectorSize : s*SectorSize+headSize]
		copy(b[s*headSize:], head)
		empty = empty && bytes.Equal(head, zeros[:headSize])
	}
	if empty {
		f.put(b)
		return block{}
	}
	return b
}

// take returns memory for a block of that size: that of old, or a free one, or
// new.
func (f *freeList) take(old block, size int) block {
	if len(old) == size {
		return old
	}
	f.put(old)
	list := &f.short
	if size == BlockSize {
		list = &f.full
	}
	if n := len(*list); n > 0 {
		b := (*list)[n-1]
		*list = (*list)[:n-1]
		return b
	}
	return make(block, size)
}

func (f *freeList) put(b block) {
	switch {
	case len(b) == shortSize && len(f.short) < maxFree:
		f.short = append(f.short, b)
	case len(b) == BlockSize && len(f.full) < maxFree:
		f.full = append(f.full, b)
	}
}

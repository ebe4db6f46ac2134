package home

import (
	"bytes"
	"encoding/binary"

	"github.com/hdm-project/hdm/core/cache"
)

// Most of what a block holds is zeros more often than not. On the wire, on the
// stage and in the sum its content is a mask, 8 bytes with a bit for each unit
// of it that holds anything else, lowest first, and those units: one form for
// each content, so that the sums of two blocks are equal when the blocks are.
const (
	unit       = 64
	maskSize   = 8
	maxContent = maskSize + cache.BlockSize
	// shortContent is a block with a little in each of its sectors.
	shortContent = maskSize + cache.BlockSize/cache.SectorSize*unit
)

var zeros [unit]byte

// appendContent appends that form of at most a block.
func appendContent(p, data []byte) []byte {
	mask, at := uint64(0), len(p)
	p = binary.LittleEndian.AppendUint64(p, 0)
	for i := 0; i*unit < len(data); i++ {
		u := data[i*unit : min((i+1)*unit, len(data))]
		if !bytes.Equal(u, zeros[:len(u)]) {
			mask |= 1 << i
			p = append(p, u...)
		}
	}
	binary.LittleEndian.PutUint64(p[at:], mask)
	return p
}

// takeContent puts the content at the beginning of p into data, at most a
// block, which it fills; a data of nil is only measured by size. It returns what
// follows in p; not ok if p does not begin with such a content.
func takeContent(p, data []byte, size int) (rest []byte, ok bool) {
	if len(p) < maskSize || size > cache.BlockSize {
		return nil, false
	}
	mask, p := binary.LittleEndian.Uint64(p), p[maskSize:]
	clear(data)
	for i := 0; mask != 0; i, mask = i+1, mask>>1 {
		if mask&1 == 0 {
			continue
		}
		n := min(unit, size-i*unit)
		if n <= 0 || n > len(p) {
			return nil, false
		}
		if data != nil {
			copy(data[i*unit:], p[:n])
		}
		p = p[n:]
	}
	return p, true
}

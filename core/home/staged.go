package home

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"

	"github.com/hdm-project/hdm/core/cache"
)

// A chunk on the stage is a head and its blocks, each a head and its content
// (see sparse.go). The number and the place of the chunk are in it, so that what
// an older flush left in the same place is not taken for it.
const (
	chunkHead = 8 + 4 + 4 + 4 + 4 // number, seq, blocks, bytes that follow, CRC of them
	blockHead = 4 + 8 + 4         // disk, block, length
)

func appendChunk(p []byte, number uint64, seq int, blocks []cache.Block) []byte {
	p = binary.LittleEndian.AppendUint64(p, number)
	p = binary.LittleEndian.AppendUint32(p, uint32(seq))
	p = binary.LittleEndian.AppendUint32(p, uint32(len(blocks)))
	p = binary.LittleEndian.AppendUint64(p, 0)
	body := len(p)
	p = appendBlocks(p, blocks)
	binary.LittleEndian.PutUint32(p[body-8:], uint32(len(p)-body))
	binary.LittleEndian.PutUint32(p[body-4:], crc32.Checksum(p[body:], castagnoli))
	return p
}

func appendBlocks(p []byte, blocks []cache.Block) []byte {
	for _, b := range blocks {
		p = binary.LittleEndian.AppendUint32(p, uint32(b.Disk))
		p = binary.LittleEndian.AppendUint64(p, uint64(b.Block))
		p = binary.LittleEndian.AppendUint32(p, uint32(len(b.Data)))
		p = appendContent(p, b.Data)
	}
	return p
}

// replay hands every block of the flush, as it lies on the stage, to do, which
// may not keep its content; a do of nil reads and checks them. A stage that does
// not hold the flush is ErrDamaged; do has seen a part of it.
func (h *Home) replay(do func(cache.Block) error) error {
	var head [chunkHead]byte
	at, end := int64(dataStart), dataStart+h.flush.bytes
	for seq := range h.flush.chunks {
		if end-at < chunkHead {
			return ErrDamaged
		}
		if _, err := h.stage.ReadAt(head[:], at); err != nil {
			return err
		}
		at += chunkHead
		le := binary.LittleEndian
		number, blocks, size := le.Uint64(head[:]), le.Uint32(head[12:]), int64(le.Uint32(head[16:]))
		if number != h.flush.number || le.Uint32(head[8:]) != seq || blocks > MaxChunkBlocks ||
			size > end-at || size > int64(blocks)*(blockHead+maxContent) {
			return ErrDamaged
		}
		if err := h.replayChunk(at, int(size), int(blocks), le.Uint32(head[20:]), do); err != nil {
			return err
		}
		at += size
	}
	if at != end {
		return ErrDamaged
	}
	return nil
}

// replayChunk reads a chunk's blocks at at, checks all, then does them.
func (h *Home) replayChunk(at int64, size, blocks int, crc uint32, do func(cache.Block) error) error {
	if cap(h.buf) < size {
		h.buf = make([]byte, size)
	}
	p := h.buf[:size]
	if _, err := h.stage.ReadAt(p, at); err != nil {
		return err
	}
	if crc32.Checksum(p, castagnoli) != crc {
		return ErrDamaged
	}
	if err := walk(p, blocks, nil); err != nil || do == nil {
		return err
	}
	return walk(p, blocks, do)
}

// walk hands every block of a chunk to do; with a do of nil it checks that they
// are blocks, and nothing else.
func walk(p []byte, blocks int, do func(cache.Block) error) error {
	var content [cache.BlockSize]byte
	for range blocks {
		if len(p) < blockHead {
			return ErrDamaged
		}
		b := cache.Block{Disk: int(binary.LittleEndian.Uint32(p)), Block: int64(binary.LittleEndian.Uint64(p[4:]))}
		size := int(binary.LittleEndian.Uint32(p[12:]))
		if size > cache.BlockSize {
			return ErrDamaged
		}
		if do != nil {
			b.Data = content[:size]
		}
		rest, ok := takeContent(p[blockHead:], b.Data, size)
		if !ok {
			return ErrDamaged
		}
		p = rest
		if do == nil {
			continue
		}
		if err := do(b); err != nil {
			return err
		}
	}
	if len(p) > 0 {
		return ErrDamaged
	}
	return nil
}

// Sum is what Commit compares, computed by whoever sends the flush: of all its
// blocks, in order, whatever the chunks. The zero Sum is ready to use.
type Sum struct {
	h   hash.Hash
	buf []byte
}

// Add the blocks of the next chunk.
func (s *Sum) Add(blocks []cache.Block) {
	if s.h == nil {
		s.h = sha256.New()
	}
	s.buf = appendBlocks(s.buf[:0], blocks)
	s.h.Write(s.buf)
}

// Bytes of the sum: SHA-256.
func (s *Sum) Bytes() (sum [32]byte) {
	s.Add(nil)
	s.h.Sum(sum[:0])
	return sum
}

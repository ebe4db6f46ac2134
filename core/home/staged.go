package home

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"

	"github.com/hdm-project/hdm/core/cache"
)

// A chunk on the stage is a head and its blocks, each a head and its content.
// The number and the place of the chunk are in it, so that what an older flush
// left in the same place is not taken for it.
const (
	chunkHead = 8 + 4 + 4 + 4 // number, seq, blocks, CRC of all that follows
	blockHead = 4 + 8 + 4     // disk, block, length
)

func appendChunk(p []byte, number uint64, seq int, blocks []cache.Block) []byte {
	p = binary.LittleEndian.AppendUint64(p, number)
	p = binary.LittleEndian.AppendUint32(p, uint32(seq))
	p = binary.LittleEndian.AppendUint32(p, uint32(len(blocks)))
	p = binary.LittleEndian.AppendUint32(p, 0)
	body := len(p)
	for _, b := range blocks {
		p = appendBlockHead(p, b)
		p = append(p, b.Data...)
	}
	binary.LittleEndian.PutUint32(p[body-4:], crc32.Checksum(p[body:], castagnoli))
	return p
}

func appendBlockHead(p []byte, b cache.Block) []byte {
	p = binary.LittleEndian.AppendUint32(p, uint32(b.Disk))
	p = binary.LittleEndian.AppendUint64(p, uint64(b.Block))
	return binary.LittleEndian.AppendUint32(p, uint32(len(b.Data)))
}

// replay hands every block of the flush, as it lies on the stage, to do. A
// stage that does not hold the flush is ErrDamaged; do has seen a part of it.
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
		number, blocks := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint32(head[12:])
		if number != h.flush.number || binary.LittleEndian.Uint32(head[8:]) != seq || blocks > MaxChunkBlocks {
			return ErrDamaged
		}
		n, err := h.replayChunk(at+chunkHead, end, int(blocks), binary.LittleEndian.Uint32(head[16:]), do)
		if err != nil {
			return err
		}
		at += chunkHead + n
	}
	if at != end {
		return ErrDamaged
	}
	return nil
}

// replayChunk reads a chunk's blocks at at, checks all, then does them. It
// returns how many bytes they are.
func (h *Home) replayChunk(at, end int64, blocks int, crc uint32, do func(cache.Block) error) (int64, error) {
	most := min(end-at, int64(blocks)*(blockHead+cache.BlockSize))
	if h.buf == nil || int64(cap(h.buf)) < most {
		h.buf = make([]byte, most)
	}
	p := h.buf[:most]
	if _, err := h.stage.ReadAt(p, at); err != nil {
		return 0, err
	}
	list := make([]cache.Block, 0, blocks)
	n := 0
	for range blocks {
		if len(p)-n < blockHead {
			return 0, ErrDamaged
		}
		head := p[n:]
		size := int(binary.LittleEndian.Uint32(head[12:]))
		if size > cache.BlockSize || len(head)-blockHead < size {
			return 0, ErrDamaged
		}
		list = append(list, cache.Block{
			Disk: int(binary.LittleEndian.Uint32(head)), Block: int64(binary.LittleEndian.Uint64(head[4:])),
			Data: head[blockHead : blockHead+size],
		})
		n += blockHead + size
	}
	if crc32.Checksum(p[:n], castagnoli) != crc {
		return 0, ErrDamaged
	}
	for _, b := range list {
		if err := do(b); err != nil {
			return 0, err
		}
	}
	return int64(n), nil
}

// Sum is what Commit compares, computed by whoever sends the flush: of all its
// blocks, in order, whatever the chunks. The zero Sum is ready to use.
type Sum struct{ h hash.Hash }

// Add the blocks of the next chunk.
func (s *Sum) Add(blocks []cache.Block) {
	if s.h == nil {
		s.h = sha256.New()
	}
	addBlocks(s.h, blocks)
}

// Bytes of the sum: SHA-256.
func (s *Sum) Bytes() (sum [32]byte) {
	s.Add(nil)
	s.h.Sum(sum[:0])
	return sum
}

func addBlocks(h hash.Hash, blocks []cache.Block) {
	for _, b := range blocks {
		h.Write(appendBlockHead(make([]byte, 0, blockHead), b))
		h.Write(b.Data)
	}
}

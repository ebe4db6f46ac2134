package guest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"hash/fnv"

	"github.com/hdm-project/hdm/sim/disk"
)

// Stamp is what a guest writes into a block: who wrote it, where it belongs,
// and which of the guest's writes it is. Any image of a disk tells by its
// stamps which writes it holds.
type Stamp struct {
	Guest uint64 // the guest's Identity
	Disk  int    // which of the guest's disks, from 0
	Block int64
	Write uint64 // the number of the write, from 1; 0: the block was never written
}

// On the disk a stamp is 40 bytes, little-endian, at the head of every sector
// of the block, so that a block which is part old and part new shows:
//
//	0 magic   4 disk   8 guest   16 block   24 write   32 CRC-32C   36 zero
//
// The rest of each sector is zeros.
const (
	stampMagic = 0x4d444853 // "SHDM" as bytes
	stampSize  = 40
	stampSum   = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Identity is the number by which the guest of that name signs its stamps.
func Identity(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name)) // a hash never fails
	return h.Sum64()
}

// put writes the stamp into a block whose bytes are a stamp's already or all
// zeros.
func (s Stamp) put(block []byte) {
	head := block[:stampSize]
	s.encode(head)
	for at := disk.SectorSize; at < disk.BlockSize; at += disk.SectorSize {
		copy(block[at:], head)
	}
}

// encode the stamp into the head of a sector.
func (s Stamp) encode(head []byte) {
	le := binary.LittleEndian
	le.PutUint32(head, stampMagic)
	le.PutUint32(head[4:], uint32(s.Disk))
	le.PutUint64(head[8:], s.Guest)
	le.PutUint64(head[16:], uint64(s.Block))
	le.PutUint64(head[24:], s.Write)
	le.PutUint32(head[stampSum:], crc32.Checksum(head[:stampSum], castagnoli))
}

// ReadStamp reads the stamp of a block of an image. A block of zeros gives the
// zero Stamp, whole. It is not whole when it was torn, belongs to another
// place, holds something else, or cannot be read.
func ReadStamp(r disk.Reader, block int64) (s Stamp, whole bool) {
	return readStamp(r, block, make([]byte, disk.BlockSize))
}

// readStamp is ReadStamp with memory to read into.
func readStamp(r disk.Reader, block int64, p []byte) (s Stamp, whole bool) {
	if _, err := r.ReadAt(p, block*disk.BlockSize); err != nil {
		return Stamp{}, false
	}
	return parseStamp(p, block)
}

var zeros [disk.BlockSize]byte

// parseStamp is ReadStamp of what was read of the block.
func parseStamp(p []byte, block int64) (s Stamp, whole bool) {
	if bytes.Equal(p, zeros[:]) {
		return Stamp{}, true
	}
	le := binary.LittleEndian
	s = Stamp{
		Guest: le.Uint64(p[8:]),
		Disk:  int(le.Uint32(p[4:])),
		Block: int64(le.Uint64(p[16:])),
		Write: le.Uint64(p[24:]),
	}
	if s.Block != block {
		return s, false
	}
	var head [stampSize]byte
	s.encode(head[:])
	for at := 0; at < disk.BlockSize; at += disk.SectorSize {
		sector := p[at : at+disk.SectorSize]
		if !bytes.Equal(sector[:stampSize], head[:]) || !bytes.Equal(sector[stampSize:], zeros[stampSize:disk.SectorSize]) {
			return s, false
		}
	}
	return s, true
}

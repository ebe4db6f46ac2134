package cache

import (
	"encoding/binary"
	"hash/crc32"
)

// The index on the device is a log of batches in one of two areas. An epoch
// begins with a checkpoint, which holds every dirty block, and goes on with
// what changed since. When the area is full, the next epoch begins in the other
// one; it counts from when its superblock is written, and until then the area
// of the epoch before is whole.
//
// A batch is whole sectors: a header, then records. Its sum covers all of it.
// It names its epoch, its place in the log and the sum of the batch before, so
// that what a former epoch, a former cache or a crash has left in the area is
// never read as a part of this log.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	superMagic = 0x4844_4d43_6163_6831 // "HDMCach1"
	batchMagic = 0x4844_4d42
	batchHead  = 48
	recordSize = 16
	maxBatch   = 64 << 10                            // bytes
	perBatch   = (maxBatch - batchHead) / recordSize // records
	gone       = -1                                  // the slot of a block that is not dirty any more
)

// record says where the dirty data of a block is, and its sum.
type record struct {
	key  key
	slot int32 // or gone
	sum  uint32
}

// head is the header of a batch.
type head struct {
	tag, epoch uint64
	seq        uint32 // place in the log, from 0
	checkpoint uint32 // of the first one: how many batches the checkpoint has
	count      uint32 // records
	before     uint32 // sum of the batch before
	cuts       uint64 // number of the last cut
}

// batchSize is the size of a batch of n records, in bytes.
func batchSize(n int) int64 {
	return int64((batchHead + n*recordSize + SectorSize - 1) / SectorSize * SectorSize)
}

// batchesSize is the size of n records in as many batches as they take, at
// least one.
func batchesSize(n int) int64 {
	full := max(0, n-1) / perBatch
	return int64(full)*batchSize(perBatch) + batchSize(n-full*perBatch)
}

// encode returns a batch and its sum.
func (h head) encode(records []record) ([]byte, uint32) {
	p := make([]byte, batchSize(len(records)))
	le := binary.LittleEndian
	le.PutUint32(p, batchMagic)
	le.PutUint64(p[8:], h.tag)
	le.PutUint64(p[16:], h.epoch)
	le.PutUint32(p[24:], h.seq)
	le.PutUint32(p[28:], h.checkpoint)
	le.PutUint32(p[32:], uint32(len(records)))
	le.PutUint32(p[36:], h.before)
	le.PutUint64(p[40:], h.cuts)
	for i, r := range records {
		q := p[batchHead+i*recordSize:]
		le.PutUint64(q, uint64(r.key))
		le.PutUint32(q[8:], uint32(r.slot))
		le.PutUint32(q[12:], r.sum)
	}
	sum := crc32.Checksum(p, castagnoli)
	le.PutUint32(p[4:], sum)
	return p, sum
}

// decodeHead reads a header; its sum has not been looked at.
func decodeHead(p []byte) (h head, sum uint32, ok bool) {
	le := binary.LittleEndian
	h = head{
		tag: le.Uint64(p[8:]), epoch: le.Uint64(p[16:]), seq: le.Uint32(p[24:]), checkpoint: le.Uint32(p[28:]),
		count: le.Uint32(p[32:]), before: le.Uint32(p[36:]), cuts: le.Uint64(p[40:]),
	}
	return h, le.Uint32(p[4:]), le.Uint32(p) == batchMagic && h.count <= perBatch
}

// decodeRecords checks a whole batch against its sum and returns its records.
// It changes p.
func decodeRecords(p []byte, count, sum uint32) ([]record, bool) {
	le := binary.LittleEndian
	le.PutUint32(p[4:], 0)
	if crc32.Checksum(p, castagnoli) != sum {
		return nil, false
	}
	records := make([]record, count)
	for i := range records {
		q := p[batchHead+i*recordSize:]
		records[i] = record{key(le.Uint64(q)), int32(le.Uint32(q[8:])), le.Uint32(q[12:])}
	}
	return records, true
}

// encodeSuper returns the superblock of an epoch, one sector.
func (l layout) encodeSuper(epoch uint64) []byte {
	p := make([]byte, SectorSize)
	le := binary.LittleEndian
	le.PutUint64(p, superMagic)
	le.PutUint64(p[8:], l.tag)
	le.PutUint64(p[16:], epoch)
	le.PutUint32(p[24:], l.shape)
	le.PutUint32(p[28:], crc32.Checksum(p[:28], castagnoli))
	return p
}

// decodeSuper returns the epoch that a superblock names, or false if it is not
// one of this cache.
func (l layout) decodeSuper(p []byte) (epoch uint64, ok bool) {
	le := binary.LittleEndian
	ok = le.Uint64(p) == superMagic && le.Uint64(p[8:]) == l.tag && le.Uint32(p[24:]) == l.shape &&
		le.Uint32(p[28:]) == crc32.Checksum(p[:28], castagnoli)
	return le.Uint64(p[16:]), ok
}

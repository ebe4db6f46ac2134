// Package cache is the cloud cache of one VM: a write-back cache over its
// disks, which lie far away on the premises.
//
// It decides which blocks are held, what a read returns, when a write is
// acknowledged, what a flush to the premises consists of, and what is left
// after a crash. It never does I/O, knows no time, and starts nothing: its
// owner hands it requests (Submit), does the operations that it asks for, and
// hands back how they ended (Complete). It has one owner, so it has no locks.
// What it promises (clauses CACHE-04 to CACHE-08 as far as they are decided in
// the cloud) is written in docs/consistency.md.
//
//	guest --Request--> Cache --Op--> cache device (DeviceRead, DeviceWrite, DeviceFlush)
//	guest <--Done-----   |  \--Op--> premises     (Fetch)
//	                     +---Chunk-> premises     (what a cut holds)
//
// The states of a block, and what moves it (states holds the same as a table,
// and a test compares the two):
//
//	absent   Fetched   -> clean     read from the premises, and there was room
//	absent   Written   -> dirty
//	clean    Written   -> dirty
//	clean    Evicted   -> absent
//	dirty    Written   -> dirty
//	dirty    Cut       -> frozen    the cut holds it; no newer data
//	frozen   Written   -> diverged  frozen and dirty: the cut holds one version, the guest sees another
//	frozen   Applied   -> clean     the premises have it
//	frozen   Abandoned -> dirty
//	diverged Written   -> diverged
//	diverged Applied   -> dirty     the premises have the older version
//	diverged Abandoned -> dirty     the newer version is the one that counts
//
// A version of a block lies in a slot of the device. No version is ever
// overwritten: a write goes to a free slot, and the block moves there when the
// whole request has been written. A slot is free again when nothing refers to
// it: not the guest's view, not a cut, not the index on the device (sync.go).
//
// Read this file, then message.go (what goes in and out), cache.go, write.go,
// read.go, sync.go (FLUSH), cut.go, log.go and recover.go (what is on the
// device).
package cache

// BlockSize is the unit in which data is held, checked and flushed, in bytes.
// SectorSize is the unit in which guests read and write, and which a device
// writes as a whole or not at all.
const (
	BlockSize  = 4096
	SectorSize = 512
)

const (
	maxDisks    = 64
	maxCapacity = 62 << 40 // the largest virtual disk of vSphere
	maxRequests = 4096     // requests that may be outstanding
	maxRequest  = 1 << 20  // bytes of the largest request
	maxChunk    = 1024     // blocks of the largest chunk
	maxPulls    = 16       // chunks that may be read at the same time
	minSlots    = 8
	maxSlots    = 1 << 30 // 4 TiB
)

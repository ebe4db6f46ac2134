package cache

import (
	"encoding/binary"
	"fmt"
)

// model is what a VM's disks must hold: a plain array of sectors. A version of
// a sector is the number of the write that made it (0: as it was at first);
// writes are numbered as they are submitted, and the later one of two wins.
type model struct {
	starts  []int // first sector of each disk
	sectors []truth
	writes  uint32 // the last one's number
	fua     map[uint32]bool
	failed  map[uint32]bool // writes that failed and must not be seen
}

// truth is what is known of one sector.
type truth struct {
	floor   uint32 // acknowledged or seen: nothing older is to be read
	durable uint32 // nothing older may be left by a crash
	base    uint32 // what the last crash left
	since   uint32 // the first write after that crash: others that came before are dead
}

func newModel(disks []int64) *model {
	m := &model{fua: map[uint32]bool{}, failed: map[uint32]bool{}}
	n := 0
	for _, capacity := range disks {
		m.starts = append(m.starts, n)
		n += int(capacity / SectorSize)
	}
	m.sectors = make([]truth, n)
	return m
}

func (m *model) at(disk int, off int64) int { return m.starts[disk] + int(off/SectorSize) }

// stamp fills p, whole sectors, with what a write puts there. No two sectors or
// writes have the same.
func stamp(p []byte, first int, write uint32) {
	for n := 0; n < len(p); n += SectorSize {
		word := uint64(write)<<32 | uint64(first+n/SectorSize)
		for i := 0; i < SectorSize; i += 8 {
			binary.LittleEndian.PutUint64(p[n+i:], word)
		}
	}
}

// versionOf reads the version of a sector, and says whether all of it is that.
func versionOf(p []byte, at int) (uint32, error) {
	word := binary.LittleEndian.Uint64(p)
	for i := 8; i < SectorSize; i += 8 {
		if binary.LittleEndian.Uint64(p[i:]) != word {
			return 0, fmt.Errorf("sector %d is garbage", at)
		}
	}
	if int(uint32(word)) != at {
		return 0, fmt.Errorf("sector %d holds what belongs to sector %d", at, uint32(word))
	}
	return uint32(word >> 32), nil
}

// check says whether a sector may be read in that version, given what was the
// least when it was asked for.
func (m *model) check(at int, v, least uint32) error {
	switch s := m.sectors[at]; {
	case v < least:
		return fmt.Errorf("sector %d is as write %d left it, and write %d was acknowledged", at, v, least)
	case v != s.base && v < s.since:
		return fmt.Errorf("sector %d is as write %d left it, which a crash had lost", at, v)
	case v > m.writes || m.failed[v]:
		return fmt.Errorf("sector %d is as write %d left it, which failed", at, v)
	}
	return nil
}

// floors is what of each sector is acknowledged.
func (m *model) floors() []uint32 {
	floors := make([]uint32, len(m.sectors))
	for i := range floors {
		floors[i] = m.sectors[i].floor
	}
	return floors
}

// settled: after a crash the sector is in that version, whatever was written.
func (m *model) settled(at int, v uint32) {
	m.sectors[at] = truth{floor: v, durable: v, base: v, since: m.writes + 1}
}

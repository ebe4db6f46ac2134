package home

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// record says what is the matter with the stage: a flush is decided, or was
// applied. Two slots hold the last and the one before, each in a sector of its
// own; a new one goes over the older, so that a torn write leaves the other.
type record struct {
	decided bool // false: applied
	number  uint64
	chunks  uint32
	bytes   int64 // that they take on the stage
	sum     [32]byte
}

const (
	recordMagic = "HDMHOME1"
	recordSize  = 8 + 8 + 1 + 8 + 4 + 8 + 32 + 4
	slotSize    = 4096 // apart, so that no device writes both at once
	dataStart   = 2 * slotSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// slots are the two places of records.
type slots struct {
	generation uint64 // of the last durable record; 0: none
	at         int    // the slot that it is in
}

// load finds the last record; the zero record on a new stage.
func (s *slots) load(stage Disk) (record, error) {
	var last record
	written := 0
	for i := range 2 {
		p := make([]byte, recordSize)
		if _, err := stage.ReadAt(p, int64(i)*slotSize); err != nil {
			return last, err
		}
		if !bytes.Equal(p, make([]byte, recordSize)) {
			written++
		}
		if r, generation, ok := decodeRecord(p); ok && generation > s.generation {
			last, s.generation, s.at = r, generation, i
		}
	}
	// The first record of all may be torn, in the first slot. Two slots that
	// both hold no record were never left by a crash.
	if s.generation == 0 && written == 2 {
		return last, ErrDamaged
	}
	return last, nil
}

// store makes r the last record, durably. After an error it may be or not: the
// same slot takes the next one, and the record before stays what it was.
func (s *slots) store(stage Disk, r record) error {
	at := 1 - s.at
	if s.generation == 0 {
		at = 0
	}
	if _, err := stage.WriteAt(encodeRecord(r, s.generation+1), int64(at)*slotSize); err != nil {
		return err
	}
	if err := stage.Flush(); err != nil {
		return err
	}
	s.generation, s.at = s.generation+1, at
	return nil
}

func encodeRecord(r record, generation uint64) []byte {
	p := append(make([]byte, 0, recordSize), recordMagic...)
	p = binary.LittleEndian.AppendUint64(p, generation)
	state := byte(0)
	if r.decided {
		state = 1
	}
	p = append(p, state)
	p = binary.LittleEndian.AppendUint64(p, r.number)
	p = binary.LittleEndian.AppendUint32(p, r.chunks)
	p = binary.LittleEndian.AppendUint64(p, uint64(r.bytes))
	p = append(p, r.sum[:]...)
	return binary.LittleEndian.AppendUint32(p, crc32.Checksum(p, castagnoli))
}

func decodeRecord(p []byte) (r record, generation uint64, ok bool) {
	body := p[:recordSize-4]
	if string(p[:8]) != recordMagic || binary.LittleEndian.Uint32(p[recordSize-4:]) != crc32.Checksum(body, castagnoli) {
		return r, 0, false
	}
	generation = binary.LittleEndian.Uint64(p[8:])
	r.decided = p[16] == 1
	r.number = binary.LittleEndian.Uint64(p[17:])
	r.chunks = binary.LittleEndian.Uint32(p[25:])
	r.bytes = int64(binary.LittleEndian.Uint64(p[29:]))
	copy(r.sum[:], p[37:])
	return r, generation, true
}

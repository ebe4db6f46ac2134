package gateway

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A frame is
//
//	version 1, flags 1, from 8, to 8, cumulative 8, count of selective 1, selective,
//	[sequence 8, stream 4, index 8, size 4, body]  with a message
//	CRC-32C of all that 4
//
// little-endian.
const (
	version = 1

	flagAsk        = 1 << 0 // answer on this lane
	flagMessage    = 1 << 1
	flagCompressed = 1 << 2

	headSize    = 1 + 1 + 8 + 8 + 8 + 1
	packetSize  = 8 + 4 + 8 + 4
	sumSize     = 4
	maxSelected = MaxInFlight / 8
)

// Overhead is what a frame adds to its message at most, in bytes.
const Overhead = headSize + maxSelected + packetSize + sumSize + maxBodyOverhead

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header of a frame.
type header struct {
	ask        bool
	from, to   uint64 // epochs; to 0: not known
	cumulative uint64 // every packet below it has come
	selective  []byte // bits: those from it on that have
}

// packet is a message on its way.
type packet struct {
	sequence   uint64 // among all of the sender
	stream     uint32
	index      uint64 // among those of the stream
	size       int    // of the message
	compressed bool
	body       []byte // the message without its zeros, and perhaps compressed
	weight     int    // of the body, had it not been compressed

	// At the sender.
	lane    int    // that it went on last
	lost    bool   // there; or not sent yet
	ordinal uint64 // among all that went on that lane
	sentAt  time.Duration
	tries   int
	acked   bool
}

func encodeFrame(h header, p *packet) []byte {
	n := headSize + len(h.selective) + sumSize
	flags := byte(0)
	if h.ask {
		flags |= flagAsk
	}
	if p != nil {
		n += packetSize + len(p.body)
		flags |= flagMessage
		if p.compressed {
			flags |= flagCompressed
		}
	}
	b := append(make([]byte, 0, n), version, flags)
	b = binary.LittleEndian.AppendUint64(b, h.from)
	b = binary.LittleEndian.AppendUint64(b, h.to)
	b = binary.LittleEndian.AppendUint64(b, h.cumulative)
	b = append(b, byte(len(h.selective)))
	b = append(b, h.selective...)
	if p != nil {
		b = binary.LittleEndian.AppendUint64(b, p.sequence)
		b = binary.LittleEndian.AppendUint32(b, p.stream)
		b = binary.LittleEndian.AppendUint64(b, p.index)
		b = binary.LittleEndian.AppendUint32(b, uint32(p.size))
		b = append(b, p.body...)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeFrame is total: anything that is no frame is not ok. The packet is nil
// if there is no message.
func decodeFrame(b []byte) (h header, p *packet, ok bool) {
	if len(b) < headSize+sumSize {
		return h, nil, false
	}
	b, sum := b[:len(b)-sumSize], binary.LittleEndian.Uint32(b[len(b)-sumSize:])
	if crc32.Checksum(b, castagnoli) != sum || b[0] != version {
		return h, nil, false
	}
	flags, selected := b[1], int(b[headSize-1])
	h = header{
		ask:  flags&flagAsk != 0,
		from: binary.LittleEndian.Uint64(b[2:]), to: binary.LittleEndian.Uint64(b[10:]),
		cumulative: binary.LittleEndian.Uint64(b[18:]),
	}
	b = b[headSize:]
	if selected > maxSelected || len(b) < selected || h.from == 0 {
		return h, nil, false
	}
	h.selective, b = b[:selected], b[selected:]
	if flags&flagMessage == 0 {
		return h, nil, len(b) == 0
	}
	if len(b) < packetSize {
		return h, nil, false
	}
	return h, &packet{
		sequence: binary.LittleEndian.Uint64(b), stream: binary.LittleEndian.Uint32(b[8:]),
		index: binary.LittleEndian.Uint64(b[12:]), size: int(binary.LittleEndian.Uint32(b[20:])),
		compressed: flags&flagCompressed != 0, body: b[packetSize:],
	}, true
}

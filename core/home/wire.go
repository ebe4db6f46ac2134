package home

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hdm-project/hdm/core/cache"
)

// Limits of what a message may say.
const (
	// MaxBlock is one more than the highest block of a disk: 62 TiB of them.
	MaxBlock = 62 << 40 / cache.BlockSize
	// MaxMessage is the size of the largest encoded message, in bytes.
	MaxMessage = 1 + 4*binary.MaxVarintLen64 + MaxChunkBlocks*(3*binary.MaxVarintLen64+maxContent)
)

// ErrMessage is wrapped by what Encode and Decode refuse with.
var ErrMessage = errors.New("not a message between cloud cache and premises")

// Encode a message: a byte for its kind, then its fields in the order of
// fields, as unsigned varints, counted bytes, what a block holds (see
// sparse.go), or the sum as it is. Error: a field is beyond its limit.
func Encode(m Message) ([]byte, error) { return Append(make([]byte, 0, m.Size()), m) }

// Size is about how many bytes the message takes when it is encoded: often more,
// and less if its blocks are full.
func (m *Message) Size() int {
	return 64 + len(m.Data) + len(m.Text) + len(m.Blocks)*(32+shortContent)
}

// Append is Encode at the end of p.
func Append(p []byte, m Message) ([]byte, error) {
	e := encoder{p: append(p, byte(m.Kind))}
	fields(&e, &m)
	if e.err != nil {
		return nil, e.err
	}
	return e.p, nil
}

// Decode what Encode made. It is total: anything else is an error. What the
// message holds lies in p, but for what blocks hold.
func Decode(p []byte) (Message, error) { return new(Room).Decode(p) }

// Room is where decoded blocks lie. The zero Room is ready to use.
type Room struct {
	blocks []cache.Block
	data   []byte // of the blocks, one after another
	used   int    // of data, by the present message
}

// Decode is Decode for one message at a time: the blocks of the message are
// good until the next one is decoded.
func (r *Room) Decode(p []byte) (Message, error) {
	if len(p) == 0 || len(p) > MaxMessage {
		return Message{}, fmt.Errorf("%w: %d bytes", ErrMessage, len(p))
	}
	m := Message{Kind: Kind(p[0])}
	r.used = 0
	d := decoder{p: p[1:], room: r}
	fields(&d, &m)
	if d.err == nil && len(d.p) > 0 {
		d.fail("what follows it")
	}
	if d.err != nil {
		return Message{}, d.err
	}
	return m, nil
}

// A codec reads or writes a field, which is at most most.
type codec interface {
	uint(name string, v *uint64, most uint64)
	int(name string, v *int, most int)
	bytes(name string, v *[]byte, most int)
	list(n int) []cache.Block
	content(v *[]byte) // of a block: see sparse.go
	sum(v *[32]byte)
	fail(name string)
}

const any64 = 1<<64 - 1

// fields are those of each kind, in order.
func fields(c codec, m *Message) {
	switch m.Kind {
	case Read:
		c.uint("id", &m.ID, any64)
		address(c, &m.Disk, &m.Block)
	case ReadReply:
		c.uint("id", &m.ID, any64)
		c.bytes("data", &m.Data, cache.BlockSize)
	case Begin, Applied, Abort:
		c.uint("number", &m.Number, any64)
	case Put:
		c.uint("number", &m.Number, any64)
		c.int("seq", &m.Seq, MaxChunks)
		blocks(c, &m.Blocks)
	case Commit:
		c.uint("number", &m.Number, any64)
		c.int("chunks", &m.Chunks, MaxChunks)
		c.sum(&m.Sum)
	case Failed:
		c.uint("id", &m.ID, any64)
		c.uint("number", &m.Number, any64)
		code, text := uint64(m.Code), []byte(m.Text)
		c.uint("code", &code, 255)
		c.uint("last", &m.Last, any64)
		c.bytes("text", &text, MaxText)
		m.Code, m.Text = Code(code), string(text)
	default:
		c.fail("kind")
	}
}

func address(c codec, disk *int, block *int64) {
	b := uint64(*block)
	c.int("disk", disk, MaxDisks-1)
	c.uint("block", &b, MaxBlock-1)
	*block = int64(b)
}

func blocks(c codec, list *[]cache.Block) {
	n := len(*list)
	c.int("blocks", &n, MaxChunkBlocks)
	if *list == nil && n > 0 && n <= MaxChunkBlocks {
		*list = c.list(n)
	}
	for i := range *list {
		b := &(*list)[i]
		address(c, &b.Disk, &b.Block)
		c.content(&b.Data)
	}
}

type encoder struct {
	p   []byte
	err error
}

func (e *encoder) fail(name string) {
	if e.err == nil {
		e.err = fmt.Errorf("%w: its %s is none that it may have", ErrMessage, name)
	}
}

func (e *encoder) uint(name string, v *uint64, most uint64) {
	if *v > most {
		e.fail(name)
	}
	e.p = binary.AppendUvarint(e.p, *v)
}

func (e *encoder) int(name string, v *int, most int) {
	u := uint64(*v) // a negative one is beyond any limit
	e.uint(name, &u, uint64(most))
}

func (e *encoder) bytes(name string, v *[]byte, most int) {
	n := len(*v)
	e.int(name, &n, most)
	if e.err == nil {
		e.p = append(e.p, *v...)
	}
}

func (e *encoder) list(n int) []cache.Block { return make([]cache.Block, n) }

func (e *encoder) content(v *[]byte) {
	n := len(*v)
	e.int("content", &n, cache.BlockSize)
	if e.err == nil {
		e.p = appendContent(e.p, *v)
	}
}

func (e *encoder) sum(v *[32]byte) { e.p = append(e.p, v[:]...) }

type decoder struct {
	p    []byte
	err  error
	room *Room
}

func (d *decoder) fail(name string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: its %s is missing or none that it may have", ErrMessage, name)
	}
	d.p = nil
}

func (d *decoder) uint(name string, v *uint64, most uint64) {
	u, n := binary.Uvarint(d.p)
	if n <= 0 || u > most {
		d.fail(name)
		*v = 0
		return
	}
	*v, d.p = u, d.p[n:]
}

func (d *decoder) int(name string, v *int, most int) {
	var u uint64
	d.uint(name, &u, uint64(most))
	*v = int(u)
}

func (d *decoder) bytes(name string, v *[]byte, most int) {
	var n int
	d.int(name, &n, most)
	if n > len(d.p) {
		d.fail(name)
		return
	}
	*v, d.p = d.p[:n:n], d.p[n:]
}

func (d *decoder) list(n int) []cache.Block {
	r := d.room
	if cap(r.blocks) < n {
		r.blocks = make([]cache.Block, n)
	}
	clear(r.blocks[:n])
	return r.blocks[:n]
}

// block is room for n bytes of a block. What the message has already stays where
// it is.
func (r *Room) block(n int) []byte {
	if r.used+n > len(r.data) {
		r.data, r.used = make([]byte, min(max(2*len(r.data), cache.BlockSize), mostRoom)), 0
	}
	p := r.data[r.used : r.used+n : r.used+n]
	r.used += n
	return p
}

// mostRoom is what is kept for the next message, in bytes.
const mostRoom = 64 * cache.BlockSize

func (d *decoder) content(v *[]byte) {
	var n int
	d.int("content", &n, cache.BlockSize)
	if len(d.p) < maskSize {
		d.fail("content")
		return
	}
	data := d.room.block(n)
	rest, ok := takeContent(d.p, data, n)
	if !ok {
		d.fail("content")
		return
	}
	*v, d.p = data, rest
}

func (d *decoder) sum(v *[32]byte) {
	if len(d.p) < len(v) {
		d.fail("sum")
		return
	}
	copy(v[:], d.p)
	d.p = d.p[len(v):]
}

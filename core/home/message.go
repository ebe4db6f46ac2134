package home

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hdm-project/hdm/core/cache"
)

// Kind of a Message.
type Kind uint8

// The kinds. The cloud cache sends those on the left, the premises those on the
// right; Begin and Put are answered only when they fail.
//
//	Read    ReadReply, or Failed with its ID
//	Begin   Failed
//	Put     Failed
//	Commit  Applied, or Failed
//	Abort   Applied if it came too late, else Failed with Aborted
const (
	Read Kind = iota + 1
	ReadReply
	Begin
	Put
	Commit
	Applied
	Failed
	Abort
)

// Message is what the cloud cache and the premises say to each other about the
// disks of one VM. Which fields it has is said by its kind; the others are zero.
type Message struct {
	Kind   Kind
	ID     uint64 // Read, ReadReply, Failed: the reader's, echoed; never 0 for a read
	Disk   int    // Read
	Block  int64  // Read
	Data   []byte // ReadReply: a block
	Number uint64 // Begin, Put, Commit, Abort, Applied, Failed: the flush
	Seq    int    // Put
	Blocks []cache.Block
	Chunks int // Commit
	Sum    [32]byte
	Code   Code   // Failed
	Last   uint64 // Failed: the last flush that was applied
	Text   string // Failed: for people, at most MaxText bytes
}

// Weight is the size of the blocks in the message that are not all zeros, in
// bytes: what a guest's data weigh, however little of a block it has written.
func (m Message) Weight() (sum int) {
	for _, b := range m.Blocks {
		sum += weight(b.Data)
	}
	return sum + weight(m.Data)
}

var nothing [cache.BlockSize]byte

func weight(block []byte) int {
	if bytes.Equal(block, nothing[:len(block)]) {
		return 0
	}
	return len(block)
}

// MaxText is the longest text of a failure, in bytes.
const MaxText = 400

// Code says in a Message why something failed.
type Code uint8

// The codes that are no error of a Home. The others are those of codes.
const (
	Aborted Code = 1 // as was asked for
	Device  Code = 2 // a device failed: Text says which and how
)

// codes are the errors of a Home on the wire. Their order is for good.
var codes = []struct {
	code Code
	err  error
}{
	{3, ErrUnknown}, {4, ErrStale}, {5, ErrOrder}, {6, ErrSum}, {7, ErrConflict}, {8, ErrApplied},
	{9, ErrRange}, {10, ErrLimit}, {11, ErrDamaged}, {12, ErrUnfinished},
}

var errAborted = errors.New("the flush was aborted")

// Err is why it failed, as the premises' Home said it, for errors.Is; nil if
// the message is no Failed.
func (m Message) Err() error {
	if m.Kind != Failed {
		return nil
	}
	for _, c := range codes {
		if c.code == m.Code {
			return fmt.Errorf("on premises: %w", c.err)
		}
	}
	if m.Code == Aborted {
		return errAborted
	}
	return fmt.Errorf("on premises: %s", m.Text)
}

// Handle does what a message of the cloud cache asks for and returns the
// answer, if there is one. A message that only the premises send is no request,
// and has none. The data of an answer is good until the next message.
func (h *Home) Handle(m Message) (answer Message, ok bool) {
	var err error
	switch m.Kind {
	case Read:
		if h.block == nil {
			h.block = make([]byte, cache.BlockSize)
		}
		answer = Message{Kind: ReadReply, ID: m.ID, Data: h.block}
		err = h.Read(m.Disk, m.Block, answer.Data)
		ok = true
	case Begin:
		err = h.Begin(m.Number)
	case Put:
		err = h.Put(m.Number, m.Seq, m.Blocks)
	case Commit:
		answer, ok = Message{Kind: Applied, Number: m.Number}, true
		err = h.Commit(m.Number, m.Chunks, m.Sum)
	case Abort:
		answer, ok = Message{Kind: Failed, Number: m.Number, Code: Aborted, Last: h.Last()}, true
		if err = h.Abort(m.Number); errors.Is(err, ErrApplied) && m.Number <= h.Last() {
			return Message{Kind: Applied, Number: m.Number}, true
		}
	case ReadReply, Applied, Failed:
		return Message{}, false
	}
	if err != nil {
		return h.failed(m, err), true
	}
	return answer, ok
}

func (h *Home) failed(m Message, err error) Message {
	text := err.Error()
	f := Message{Kind: Failed, ID: m.ID, Number: m.Number, Code: Device, Last: h.Last(), Text: text[:min(len(text), MaxText)]}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			f.Code = c.code
		}
	}
	return f
}

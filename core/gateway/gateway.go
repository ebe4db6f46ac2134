// Package gateway is one end of the message gateways, which carry what the
// sites say to each other over the WAN: reads, flushes, bulk data.
//
// It decides when a message is sent, again if need be, and on which lane, and
// what is handed on at the other end: of each stream every message, once, in
// order. It never looks into a message, does no I/O, and knows no time but what
// it is told: frames go in by Arrived, and come out of Poll.
//
//	Send --> stream --+                                             +--> stream --> Delivered
//	Send --> stream --+--> window, cap --> lane 0 ==== WAN ==== +---+--> stream --> Delivered
//	Send --> stream --+        ^     \---> lane 1 ==== WAN ==== |
//	                           +---------------- acknowledged --+
//
// A lane is a pair of gateways, one at each site. Lanes may lose, duplicate,
// reorder and corrupt frames, and go down; an End resends what was lost, on
// another lane if that one is silent, for as long as it takes: an outage makes
// it wait, and uses nothing up. What was sent while the peer is the same arrives;
// a peer that lost its memory begins a new epoch, and then everything that was
// under way is dropped and the streams are told (Out.Restarted).
//
// Read this file, then frame.go (what travels), send.go, receive.go, lane.go,
// body.go (zeros and compression), and spare.go (memory that is used again).
package gateway

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Limits.
const (
	MaxLanes    = 16
	MaxStreams  = 1 << 16
	MaxInFlight = 1024    // frames that wait for their acknowledgement
	MaxWindow   = 1 << 30 // bytes
)

// Never is a Wake that does not come by itself.
const Never = time.Duration(math.MaxInt64)

// Config of an End. Both ends have the same, but for Epoch and Cap.
type Config struct {
	Lanes      int           // 1 to MaxLanes; all are up at first
	Window     int           // bytes of messages under way at once; also that may queue, and that may come out of order
	MaxMessage int           // bytes of a message, at most Window
	Cap        int64         // bytes/s that all frames may weigh; 0: any number
	Compress   bool          // frames, where that makes them smaller
	Retry      time.Duration // how long to wait for an acknowledgement at least; more where the way is longer
	Epoch      uint64        // of this End: more than any that it had before it lost its memory
}

// Errors.
var (
	ErrConfig   = errors.New("gateway: impossible configuration")
	ErrFull     = errors.New("gateway: the stream has no room: wait for Out.Room")
	ErrTooLarge = errors.New("gateway: the message is larger than MaxMessage: cut it")
	ErrStreams  = errors.New("gateway: more streams than MaxStreams: use those that are there")
)

// Validate returns an error that wraps ErrConfig and says what to change.
func (c Config) Validate() error {
	switch {
	case c.Lanes < 1 || c.Lanes > MaxLanes:
		return fmt.Errorf("%w: %d lanes: give 1 to %d", ErrConfig, c.Lanes, MaxLanes)
	case c.Window < 1 || c.Window > MaxWindow:
		return fmt.Errorf("%w: a window of %d bytes: give 1 to %d", ErrConfig, c.Window, MaxWindow)
	case c.MaxMessage < 1 || c.MaxMessage > c.Window:
		return fmt.Errorf("%w: messages of %d bytes: give 1 to what the window holds", ErrConfig, c.MaxMessage)
	case c.Cap < 0:
		return fmt.Errorf("%w: a cap of %d bytes/s: give 0 for none", ErrConfig, c.Cap)
	case c.Retry <= 0:
		return fmt.Errorf("%w: a retry after %v: give the shortest time in which an answer can come, and more", ErrConfig, c.Retry)
	case c.Epoch == 0:
		return fmt.Errorf("%w: epoch 0: give 1 or more", ErrConfig)
	}
	return nil
}

// Message of a stream. The payload is the End's once it was sent, and the
// receiver's once it was delivered.
type Message struct {
	Stream  uint32
	Payload []byte
	// Weight is what the payload would be if its sender had left nothing out, in
	// bytes; 0 if it is the payload's length. Of what is delivered it is not told.
	Weight int
}

// Frame is what travels on a lane.
type Frame struct {
	Lane   int
	Bytes  []byte
	Weight int64 // what Bytes would be without compression: blocks of zeros are left out all the same
}

// Out is what an End wants and has.
type Out struct {
	// Restarted: the peer lost its memory. Of these streams, ascending, what was
	// sent and not delivered is dropped at both ends, and they begin anew. It
	// comes before Delivered.
	Restarted []uint32
	Delivered []Message
	Frames    []Frame
	Room      bool          // for a stream that ErrFull refused
	Wake      time.Duration // Poll then, if nothing happens before; Never: only if something does
}

// Stats are counts since New or Reset.
type Stats struct {
	Sent, Resent         int64 // frames with a message
	Bytes, Weight        int64 // of all frames that were sent
	Delivered            int64 // messages
	Duplicate, Discarded int64 // frames that came twice; that were damaged, of other epochs, or beyond a limit
	Queued, InFlight     int   // bytes of messages now
}

// End is one end. Its methods are not for use by several at once.
type End struct {
	config Config
	now    time.Duration
	peer   uint64 // the epoch of the other end; 0: not known
	rumour uint64 // while it is not known: the epoch that frames not meant for this End were of
	lanes  []lane
	timing timing
	bucket bucket
	body   bodyCodec
	send   sender
	recv   receiver
	hello  time.Duration // when to say hello again, while the peer is not known
	stats  Stats

	anew      bool     // another peer was met, and Out has not told of it
	restarted []uint32 // streams that the one before knew
}

// New returns an End whose lanes are up. A Config that does not validate is a
// bug of the caller, and panics.
func New(c Config) *End {
	if err := c.Validate(); err != nil {
		panic(err)
	}
	e := &End{config: c, lanes: make([]lane, c.Lanes)}
	for i := range e.lanes {
		e.lanes[i].up = true
	}
	e.Reset(c.Epoch)
	return e
}

// Epoch of this End.
func (e *End) Epoch() uint64 { return e.config.Epoch }

// Peer is the epoch of the other end; 0 while nothing was heard of it.
func (e *End) Peer() uint64 { return e.peer }

// Stats since New or Reset.
func (e *End) Stats() Stats {
	s := e.stats
	s.Queued, s.InFlight = e.send.queued, e.send.flying
	return s
}

// Reset forgets everything but the lanes, as a machine that restarted does,
// and begins that epoch, which is higher than the one before.
func (e *End) Reset(epoch uint64) {
	e.config.Epoch, e.peer, e.rumour = epoch, 0, 0
	e.anew, e.restarted, e.hello, e.stats = false, nil, 0, Stats{}
	e.timing = newTiming(e.config.Retry)
	e.bucket = bucket{rate: e.config.Cap, at: e.now}
	e.forget()
}

// forget drops what was under way with the peer.
func (e *End) forget() {
	e.send, e.recv = newSender(), newReceiver()
	for i := range e.lanes {
		e.lanes[i] = lane{up: e.lanes[i].up}
	}
}

// meet notes the epoch of the peer, which is a new one: it is met for the first
// time, or lost its memory. The first time counts only in answer to this End: what
// else comes may be of an earlier life of the peer, and would make a restart of
// what is none.
func (e *End) meet(epoch uint64) {
	if e.peer != 0 {
		e.restarted = e.streams()
		refused := e.send.refused
		e.forget()
		e.send.refused = refused
		e.anew = true
	}
	e.peer = epoch
	e.timing = newTiming(e.config.Retry)
}

// Poll returns what is to be done at now: after Send, Arrived and Lane, and at
// Wake. now never goes back.
func (e *End) Poll(now time.Duration) Out {
	e.now = max(e.now, now)
	out := Out{Restarted: e.tell(), Delivered: e.recv.take()}
	e.watchLanes()
	if e.peer == 0 {
		e.greet(&out)
	} else {
		e.transmit(&out)
	}
	e.answer(&out)
	if e.send.refused && e.send.freed {
		out.Room, e.send.refused = true, false
	}
	e.send.freed = false
	out.Wake = e.wake()
	return out
}

// tell which streams begin anew. What was sent to them since the peer was met
// was meant for the one before, and is dropped too.
func (e *End) tell() []uint32 {
	if !e.anew {
		return nil
	}
	told := append(e.restarted, e.streams()...)
	slices.Sort(told)
	refused := e.send.refused
	e.send, e.restarted, e.anew = newSender(), nil, false
	e.send.refused, e.send.freed = refused, true
	return slices.Compact(told)
}

// greet says hello on every lane, again and again until the peer is known.
func (e *End) greet(out *Out) {
	if e.now < e.hello || !e.anyUp() {
		return
	}
	for i := range e.lanes {
		if e.lanes[i].up {
			e.emit(out, i, header{ask: true}, nil)
			e.lanes[i].answer = false
		}
	}
	e.hello = e.now + e.timing.wait
	e.timing.backOff()
}

// emit a frame on that lane, with a packet or without.
func (e *End) emit(out *Out, lane int, h header, p *packet) {
	h.from, h.to = e.config.Epoch, max(e.peer, e.rumour)
	h.cumulative, h.selective = e.recv.acknowledged()
	f := Frame{Lane: lane, Bytes: encodeFrame(h, p)}
	f.Weight = int64(len(f.Bytes))
	if p != nil {
		f.Weight += int64(p.weight - len(p.body))
	}
	e.bucket.spend(e.now, f.Weight)
	e.stats.Bytes += int64(len(f.Bytes))
	e.stats.Weight += f.Weight
	e.recv.owed = false
	out.Frames = append(out.Frames, f)
}

// answer asks suspects, and sends what the peer waits for and no message has
// carried.
func (e *End) answer(out *Out) {
	for i := range e.lanes {
		l := &e.lanes[i]
		if l.up && (l.answer || l.ask) {
			e.emit(out, i, header{ask: l.ask || e.peer == 0}, nil)
		}
		l.answer, l.ask = false, false
	}
	if !e.recv.owed || !e.anyUp() {
		return
	}
	on := e.recv.owedOn
	if !e.lanes[on].up {
		on = e.pick(noLane)
	}
	e.emit(out, on, header{}, nil)
}

func (e *End) wake() time.Duration {
	if !e.anyUp() {
		return Never
	}
	if e.peer == 0 {
		return e.hello
	}
	wake := e.nextWatch()
	if e.send.blocked {
		wake = min(wake, e.bucket.free(e.now))
	}
	return wake
}

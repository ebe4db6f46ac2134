package gateway

import (
	"maps"
	"slices"
)

const (
	// quantum is what a stream may send, in bytes, before it is another's turn.
	quantum = 64 << 10
	// messageCost is what a message takes beside its bytes, so that empty ones
	// are bounded too.
	messageCost = 64
)

// sender is the way out: streams with what they queue, and the packets under
// way, in the order of their sequence.
type sender struct {
	streams map[uint32]*outStream
	turns   []*outStream // those that queue something; the first is next
	queued  int          // cost of what they queue
	flight  []*packet    // the first is the oldest that is not acknowledged
	flying  int          // cost of them
	base    uint64       // sequence of the first of them
	refused bool         // Send said ErrFull since Room
	freed   bool         // something left a queue
	blocked bool         // by the cap
}

type outStream struct {
	id     uint32
	queue  []Message
	queued int
	index  uint64 // of the next packet
	credit int    // bytes that it may send in this turn
}

func newSender() sender { return sender{streams: map[uint32]*outStream{}} }

func cost(size int) int { return size + messageCost }

// Send queues a message. Errors: ErrTooLarge; ErrStreams; ErrFull, after which
// an Out has Room when it is worth another try.
func (e *End) Send(m Message) error {
	if len(m.Payload) > e.config.MaxMessage {
		return ErrTooLarge
	}
	s := e.send.streams[m.Stream]
	if s == nil {
		if len(e.send.streams) >= MaxStreams {
			return ErrStreams
		}
		s = &outStream{id: m.Stream}
		e.send.streams[m.Stream] = s
	}
	n := cost(len(m.Payload))
	if e.full(s, n) {
		e.send.refused = true
		return ErrFull
	}
	if len(s.queue) == 0 {
		e.send.turns = append(e.send.turns, s)
		s.credit = quantum
	}
	s.queue = append(s.queue, m)
	s.queued += n
	e.send.queued += n
	return nil
}

// full says whether a stream may queue no more. Those that queue something
// share one window; another is kept for the first message of those that do not.
func (e *End) full(s *outStream, n int) bool {
	if len(s.queue) == 0 {
		return e.send.queued > 2*e.config.Window
	}
	return s.queued+n > e.config.Window/len(e.send.turns) || e.send.queued+n > e.config.Window
}

// streams that were used in either direction, ascending.
func (e *End) streams() []uint32 {
	ids := append(slices.Sorted(maps.Keys(e.send.streams)), slices.Sorted(maps.Keys(e.recv.streams))...)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// transmit sends again what was lost, then what is new, as far as lanes, cap
// and window let it.
func (e *End) transmit(out *Out) {
	e.send.blocked = false
	for _, p := range e.send.flight {
		if !p.lost || p.acked {
			continue
		}
		if !e.mayGo() {
			return
		}
		e.dispatch(out, p)
	}
	for len(e.send.turns) > 0 && e.mayGo() {
		p := e.next()
		if p == nil {
			return
		}
		e.dispatch(out, p)
	}
}

func (e *End) mayGo() bool {
	if !e.anyUp() {
		return false
	}
	e.send.blocked = e.bucket.free(e.now) > e.now
	return !e.send.blocked
}

// next takes the next message out of its queue: nil if the window has no room.
func (e *End) next() *packet {
	s := e.send.turn()
	m := s.queue[0]
	n := cost(len(m.Payload))
	if len(e.send.flight) == MaxInFlight || e.send.flying > 0 && e.send.flying+n > e.config.Window {
		return nil
	}
	p := &packet{sequence: e.send.base + uint64(len(e.send.flight)), stream: s.id, index: s.index, size: len(m.Payload), lane: noLane, lost: true}
	p.body, p.weight, p.compressed = e.body.encode(m.Payload, e.config.Compress)
	p.weight = max(p.weight, m.Weight)
	e.body.spare.put(m.Payload)
	s.queue[0] = Message{}
	s.queue, s.queued, s.credit, s.index = s.queue[1:], s.queued-n, s.credit-n, s.index+1
	e.send.queued -= n
	e.send.freed = true
	e.send.flight, e.send.flying = append(e.send.flight, p), e.send.flying+n
	if len(s.queue) == 0 {
		s.queue = nil
		e.send.turns = e.send.turns[1:]
	}
	return p
}

// turn is the stream whose turn it is: deficit round robin, in bytes.
func (s *sender) turn() *outStream {
	for {
		first := s.turns[0]
		if first.credit >= cost(len(first.queue[0].Payload)) {
			return first
		}
		first.credit += quantum
		s.turns = append(s.turns[1:], first)
	}
}

// dispatch sends a packet on the best lane there is.
func (e *End) dispatch(out *Out, p *packet) {
	e.stats.Sent++
	if p.tries > 0 {
		e.stats.Resent++
	}
	i := e.pick(p.lane)
	l := &e.lanes[i]
	if l.waiting == 0 {
		l.progress = e.now
	}
	l.waiting++
	p.lane, p.lost, p.sentAt, p.ordinal = i, false, e.now, l.ordinal
	p.tries++
	l.ordinal++
	e.emit(out, i, header{}, p)
}

// acknowledge takes what the peer says it has.
func (e *End) acknowledge(h header) {
	s := &e.send
	for i, p := range s.flight {
		sequence := s.base + uint64(i)
		if !p.acked && (sequence < h.cumulative || h.selected(sequence)) {
			e.land(p)
		}
	}
	gone := 0
	for gone < len(s.flight) && s.base < h.cumulative {
		s.flying -= cost(s.flight[gone].size)
		s.flight[gone] = nil
		s.base++
		gone++
	}
	s.flight = s.flight[gone:]
	e.missed()
}

// land notes that a packet has arrived.
func (e *End) land(p *packet) {
	e.body.spare.put(p.body)
	p.acked, p.body = true, nil
	if p.tries == 1 {
		e.timing.sample(e.now - p.sentAt)
	}
	if p.lost {
		return // it was given up, and arrived all the same
	}
	l := &e.lanes[p.lane]
	l.waiting--
	l.progress = e.now
	l.arrived = max(l.arrived, p.ordinal+1)
}

// selected says whether the packet is among those that came out of order.
func (h header) selected(sequence uint64) bool {
	n := sequence - h.cumulative
	return sequence >= h.cumulative && n/8 < uint64(len(h.selective)) && h.selective[n/8]>>(n%8)&1 == 1
}

package gateway

import "time"

// receiver is the way in: which packets have come, and what of each stream
// waits for one before it.
type receiver struct {
	streams map[uint32]*inStream
	base    uint64 // every packet below it has come
	end     uint64 // one more than the highest that has
	got     [MaxInFlight]bool
	early   int       // cost of what waits for one before it
	ready   []Message // in order, to be delivered
	waiting int       // cost of them
	owed    bool      // an acknowledgement
	owedOn  int       // the lane of the last packet
}

type inStream struct {
	next  uint64 // index of the packet that is delivered next
	early map[uint64][]byte
}

func newReceiver() receiver { return receiver{streams: map[uint32]*inStream{}} }

// Arrived takes a frame that came on that lane. Whatever it is, it is safe:
// what is damaged, came before, or is of another epoch is dropped.
func (e *End) Arrived(now time.Duration, lane int, frame []byte) {
	e.now = max(e.now, now)
	h, p, ok := decodeFrame(frame)
	if !ok || h.from < max(e.peer, e.rumour) {
		e.stats.Discarded++
		return
	}
	switch {
	case e.peer == 0 && h.to != e.config.Epoch:
		e.rumour = h.from
	case h.from > e.peer:
		e.meet(h.from)
	}
	l := &e.lanes[lane]
	l.suspect = false
	if h.to != e.config.Epoch {
		l.answer = true // it does not know us: now it will
		if p != nil {
			e.stats.Discarded++
		}
		return
	}
	if h.cumulative > e.send.base+uint64(len(e.send.flight)) {
		e.stats.Discarded++ // it has what was not sent
		return
	}
	l.answer = l.answer || h.ask
	e.acknowledge(h)
	if p == nil {
		return
	}
	if !e.accept(p) {
		e.stats.Discarded++
		return
	}
	e.recv.owed, e.recv.owedOn = true, lane
}

// accept a packet; false if it may not, and is to be sent again.
func (e *End) accept(p *packet) bool {
	r := &e.recv
	if p.sequence < r.base || p.sequence < r.base+MaxInFlight && r.got[p.sequence%MaxInFlight] {
		e.stats.Duplicate++
		return true
	}
	s := r.streams[p.stream]
	if s == nil {
		if len(r.streams) >= MaxStreams {
			return false
		}
		s = &inStream{early: map[uint64][]byte{}}
	}
	n := cost(p.size)
	switch {
	case p.sequence >= r.base+MaxInFlight, p.size > e.config.MaxMessage, p.index < s.next, p.index-s.next >= MaxInFlight,
		p.index > s.next && r.early > 0 && r.early+n > e.config.Window,
		p.index == s.next && r.waiting > 0 && r.waiting+n > e.config.Window:
		return false
	}
	message, ok := e.body.decode(p.body, p.compressed, p.size)
	if !ok {
		return false
	}
	r.streams[p.stream] = s
	r.note(p.sequence)
	s.early[p.index] = message
	r.early += n
	for {
		message, ok := s.early[s.next]
		if !ok {
			return true
		}
		delete(s.early, s.next)
		s.next++
		r.early -= cost(len(message))
		r.waiting += cost(len(message))
		r.ready = append(r.ready, Message{Stream: p.stream, Payload: message})
		e.stats.Delivered++
	}
}

// note that a packet has come.
func (r *receiver) note(sequence uint64) {
	r.got[sequence%MaxInFlight] = true
	r.end = max(r.end, sequence+1)
	for r.got[r.base%MaxInFlight] {
		r.got[r.base%MaxInFlight] = false
		r.base++
	}
}

// acknowledged is what has come, as a header has it.
func (r *receiver) acknowledged() (cumulative uint64, selective []byte) {
	if r.end <= r.base {
		return r.base, nil
	}
	selective = make([]byte, (r.end-r.base+7)/8)
	for i := r.base; i < r.end; i++ {
		if r.got[i%MaxInFlight] {
			selective[(i-r.base)/8] |= 1 << ((i - r.base) % 8)
		}
	}
	return r.base, selective
}

// take what is to be delivered.
func (r *receiver) take() []Message {
	ready := r.ready
	r.ready, r.waiting = nil, 0
	return ready
}

package wan

import "time"

// MaxQueue bounds the bytes that wait to enter a Stream.
const MaxQueue = 64 << 20

// Stream is one direction of a connection that lasts: pieces arrive in order,
// each when its bytes have crossed. Those that are on the way share the
// bandwidth as one transfer does. An outage breaks it: what is on the way is
// lost, and so is what is sent until the link is up again. It needs no process.
type Stream struct {
	link   *Link
	pipe   *pipe
	dir    Direction
	queue  []piece
	queued int64
	flow   *flow         // of the first of the queue; nil if nothing moves
	last   time.Duration // when the piece before arrives
	breaks int           // so far: what was sent before the last one is lost
}

type piece struct {
	bytes   int64
	arrived func()
}

// Stream opens a connection's direction on the link. It lives as long as the
// link.
func (l *Link) Stream(dir Direction) *Stream {
	s := &Stream{link: l, pipe: l.pipe(dir), dir: dir}
	l.streams = append(l.streams, s)
	return s
}

// Send a piece; arrived is called at the far end, and never if it is lost. It
// reports whether the piece is on its way: not while the link is down, or more
// than MaxQueue would wait.
func (s *Stream) Send(bytes int64, arrived func()) bool {
	bytes = max(bytes, 1)
	if s.pipe.down || s.queued+bytes > MaxQueue || s.flow == nil && len(s.pipe.flows) >= MaxTransfers {
		return false
	}
	s.queue = append(s.queue, piece{bytes, arrived})
	s.queued += bytes
	if s.flow == nil {
		s.enter()
	}
	return true
}

// enter lets the first of the queue cross.
func (s *Stream) enter() {
	if len(s.queue) == 0 {
		s.flow, s.queue = nil, nil
		return
	}
	s.flow = s.pipe.join(s.queue[0].bytes)
	s.flow.then = s.crossed
}

// crossed is called when the first of the queue has entered the link whole.
func (s *Stream) crossed() {
	p, breaks := s.queue[0], s.breaks
	s.queue[0] = piece{}
	s.queue = s.queue[1:]
	s.queued -= p.bytes
	k := s.link.kernel
	s.last = max(s.last, k.Now()+s.pipe.delay(p.bytes, s.link.roundTrip()))
	k.At(s.last, func() {
		if s.breaks == breaks {
			p.arrived()
		}
	})
	s.enter()
}

// lose drops what is on the way.
func (s *Stream) lose() {
	s.breaks++
	if s.flow != nil {
		s.pipe.leave(s.flow)
	}
	s.queue, s.queued, s.flow, s.last = nil, 0, nil, 0
}

// Watch calls changed whenever a direction, or both, went down or came up.
// changed must not wait.
func (l *Link) Watch(changed func(dir Direction, down bool)) {
	l.watchers = append(l.watchers, changed)
}

// told passes on that a direction, or both, went down or came up.
func (l *Link) told(dir Direction, down bool) {
	for _, s := range l.streams {
		if down && dir&s.dir != 0 {
			s.lose()
		}
	}
	for _, w := range l.watchers {
		w(dir, down)
	}
}

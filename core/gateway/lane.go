package gateway

import "time"

const (
	noLane = -1
	// reordered is by how many packets a lane may change their order: one that
	// so many have overtaken is taken for lost.
	reordered = 3
)

// lane is one pair of gateways, as this end sees it.
type lane struct {
	up       bool
	suspect  bool          // it was silent for too long: others are better
	answer   bool          // the peer waits for a frame on it
	ask      bool          // we do
	waiting  int           // packets on it that are not acknowledged
	ordinal  uint64        // of the next packet
	arrived  uint64        // one more than the highest that was acknowledged
	progress time.Duration // when a packet was acknowledged, or the first of those that wait was sent
	probe    time.Duration // when to ask a suspect that carries nothing
	patience time.Duration // between two such questions
}

// Lane says that a lane's gateway is down, or up again. What was on it and is
// not acknowledged is sent again on another, or on this one when it is back.
func (e *End) Lane(now time.Duration, i int, up bool) {
	e.now = max(e.now, now)
	l := &e.lanes[i]
	if l.up == up {
		return
	}
	if !up {
		e.lose(i, len(e.send.flight))
	}
	l.up, l.suspect, l.answer = up, false, false
	if e.peer == 0 {
		e.hello = e.now
	}
}

func (e *End) anyUp() bool {
	for _, l := range e.lanes {
		if l.up {
			return true
		}
	}
	return false
}

// pick the lane for a packet that was on another: one that is up, better not
// suspect, not the one before, and with little on it.
func (e *End) pick(before int) int {
	best, rank := noLane, 0
	for i, l := range e.lanes {
		if !l.up {
			continue
		}
		r := 2*l.waiting + 1
		if i == before {
			r += 1 << 20
		}
		if l.suspect {
			r += 1 << 21
		}
		if best == noLane || r < rank {
			best, rank = i, r
		}
	}
	return best
}

// lose gives up the oldest packets on a lane, at most most.
func (e *End) lose(i, most int) {
	for _, p := range e.send.flight {
		if most > 0 && p.lane == i && !p.lost && !p.acked {
			p.lost = true
			e.lanes[i].waiting--
			most--
		}
	}
}

// missed gives up packets that others on the same lane have overtaken.
func (e *End) missed() {
	for _, p := range e.send.flight {
		if !p.lost && !p.acked && p.ordinal+reordered < e.lanes[p.lane].arrived {
			p.lost = true
			e.lanes[p.lane].waiting--
		}
	}
}

// watchLanes suspects lanes that carry packets and have acknowledged none for
// too long. If there is a better one, all that they carry goes there; if not,
// the oldest only, to see whether it is acknowledged. And it asks suspects that
// carry nothing whether they are still there.
func (e *End) watchLanes() {
	late := false
	for i := range e.lanes {
		l := &e.lanes[i]
		if !l.up || l.waiting == 0 || e.now < l.progress+e.timing.wait {
			continue
		}
		late = true
		l.suspect, l.progress = true, e.now
		l.patience = e.timing.wait
		l.probe = e.now + l.patience
		most := 1
		if e.trusted() {
			most = len(e.send.flight)
		}
		e.lose(i, most)
	}
	if late {
		e.timing.backOff()
	}
	for i := range e.lanes {
		if l := &e.lanes[i]; l.up && l.suspect && l.waiting == 0 && e.now >= l.probe {
			l.patience = min(2*l.patience, e.timing.most)
			l.probe = e.now + l.patience
			l.ask = true
		}
	}
}

func (e *End) trusted() bool {
	for _, l := range e.lanes {
		if l.up && !l.suspect {
			return true
		}
	}
	return false
}

// nextWatch is when watchLanes has something to do.
func (e *End) nextWatch() time.Duration {
	next := Never
	for _, l := range e.lanes {
		switch {
		case !l.up:
		case l.waiting > 0:
			next = min(next, l.progress+e.timing.wait)
		case l.suspect:
			next = min(next, l.probe)
		}
	}
	return next
}

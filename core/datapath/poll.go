package datapath

import (
	"time"

	"github.com/hdm-project/hdm/core/home"
)

// mostRounds bounds how often Poll goes round: every round takes what came and
// sends what follows from it, and little follows from nothing.
const mostRounds = 1000

// Arrived takes a frame from a component VM that has an IO manager.
func (c *CloudCache) Arrived(now time.Duration, from string, lane int, frame []byte) {
	for _, ch := range c.channels {
		if ch.peer == from {
			ch.end.Arrived(now, lane, frame)
			ch.wake = 0
		}
	}
}

// Lane says that a lane is down or up: one of its gateways is, or the way
// between them.
func (c *CloudCache) Lane(now time.Duration, lane int, up bool) {
	for len(c.lanes) <= lane {
		c.lanes = append(c.lanes, true)
	}
	c.lanes[lane] = up
	for _, ch := range c.channels {
		ch.end.Lane(now, lane, up)
		ch.wake = 0
	}
}

// channel is the one to that component VM.
func (c *CloudCache) channel(peer string) *channel {
	for _, ch := range c.channels {
		if ch.peer == peer {
			return ch
		}
	}
	ch := newChannel(peer, c.cfg.Gateway)
	for lane, up := range c.lanes {
		ch.end.Lane(c.now, lane, up)
	}
	c.channels = append(c.channels, ch)
	return ch
}

// Poll does what is due at now: after Arrived, Lane and Command, after a Submit
// that says so, and at Wake.
func (c *CloudCache) Poll(now time.Duration) Out {
	c.now = now
	var out Out
	if c.failure != nil {
		return Out{Wake: Never}
	}
	for range mostRounds {
		c.advance()
		c.copyOn()
		if !c.exchange(&out) {
			break
		}
	}
	if c.failure != nil {
		return Out{Wake: Never} // what it wanted to say may be wrong
	}
	out.Wake = c.wake()
	return out
}

// exchange lets every end that has something to do take and send, and reports
// whether any did.
func (c *CloudCache) exchange(out *Out) (active bool) {
	for _, ch := range c.channels {
		if ch.wake > c.now {
			continue
		}
		got := ch.poll(c.now)
		out.Frames = frames(ch.peer, got.Frames, out.Frames)
		if len(got.Restarted) > 0 {
			for _, b := range c.bindings {
				if b.home == ch && b.damage == nil {
					b.restarted()
				}
			}
		}
		for _, m := range got.Delivered {
			c.delivered(ch, m.Stream, m.Payload)
		}
		active = active || len(got.Delivered) > 0 || len(got.Restarted) > 0 || got.Room || ch.wake <= c.now
	}
	return active
}

// delivered takes a message of a home. One of a binding that is gone, or that
// is none, says nothing.
func (c *CloudCache) delivered(ch *channel, stream uint32, payload []byte) {
	m, err := home.Decode(payload)
	if err != nil {
		return
	}
	for _, b := range c.bindings {
		if b.home == ch && b.damage == nil && b.entry.Stream == stream/2 {
			b.answered(m)
			return
		}
	}
}

func (c *CloudCache) wake() time.Duration {
	wake := Never
	for _, ch := range c.channels {
		wake = min(wake, ch.wake)
	}
	for _, f := range c.flushes {
		if !f.started && f.since > c.now {
			wake = min(wake, f.since)
		}
	}
	for _, r := range c.copying {
		if r.since > c.now {
			wake = min(wake, r.since)
		}
	}
	return wake
}

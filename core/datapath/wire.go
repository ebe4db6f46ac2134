package datapath

import (
	"math"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/gateway"
	"github.com/hdm-project/hdm/core/home"
)

// Never is a Wake that does not come by itself.
const Never = time.Duration(math.MaxInt64)

// Frame is what goes from one component VM to another over a lane: a pair of
// message gateways.
type Frame struct {
	To     string // the component VM
	Lane   int
	Bytes  []byte
	Weight int64 // without compression: see gateway.Frame
}

// Out is what a service wants.
type Out struct {
	Frames []Frame
	Wake   time.Duration // Poll then, if nothing happens before
}

// GatewayConfig is how the services of a deployment use the message gateways.
func GatewayConfig(lanes int, epoch uint64) gateway.Config {
	return gateway.Config{
		Lanes: lanes, Window: 8 << 20, MaxMessage: 1 << 20, Compress: true,
		Retry: time.Second, Epoch: epoch,
	}
}

// channel is the way to one component VM on the other site.
type channel struct {
	peer string
	end  *gateway.End
	// backlog is what the end had no room for, in order. It is bounded by what is
	// asked for at once: reads by core/cache, chunks by idle.
	backlog []gateway.Message
	wake    time.Duration
}

func newChannel(peer string, cfg gateway.Config) *channel {
	return &channel{peer: peer, end: gateway.New(cfg), wake: 0}
}

// idle reports whether nothing of that stream is held up here.
func (c *channel) idle(stream uint32) bool {
	return !slices.ContainsFunc(c.backlog, func(m gateway.Message) bool { return m.Stream == stream })
}

// send a message on a stream. What cannot be encoded is a bug of ours.
func (c *channel) send(stream uint32, m home.Message) {
	payload, err := home.Append(c.end.Spare(m.Size()), m)
	if err != nil {
		panic(err)
	}
	c.backlog = append(c.backlog, gateway.Message{Stream: stream, Payload: payload, Weight: m.Weight()})
	c.drain()
	c.wake = 0
}

// drain gives the end what it has room for: of each stream in order, and no
// stream waits for another.
func (c *channel) drain() {
	var held []gateway.Message
	for _, m := range c.backlog {
		blocked := slices.ContainsFunc(held, func(h gateway.Message) bool { return h.Stream == m.Stream })
		if blocked || c.end.Send(m) != nil {
			held = append(held, m)
		}
	}
	c.backlog = held
}

// poll is the end's Poll, with what was held up sent on.
func (c *channel) poll(now time.Duration) gateway.Out {
	out := c.end.Poll(now)
	if len(out.Restarted) > 0 {
		c.backlog = nil // it was for the peer before
	}
	if out.Room {
		c.drain()
	}
	c.wake = out.Wake
	return out
}

func frames(to string, sent []gateway.Frame, all []Frame) []Frame {
	for _, f := range sent {
		all = append(all, Frame{To: to, Lane: f.Lane, Bytes: f.Bytes, Weight: f.Weight})
	}
	return all
}

package gateway

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// ledger is what each end may deliver: per stream, what was sent to it since it
// last began anew, and how much of that has come.
type ledger struct {
	sent [2]map[uint32][]string
	come [2]map[uint32]int
}

func newLedger() *ledger {
	l := &ledger{}
	for side := range 2 {
		l.sent[side], l.come[side] = map[uint32][]string{}, map[uint32]int{}
	}
	return l
}

// deliver judges a message that came to that side.
func (l *ledger) deliver(side int, m Message) error {
	sent, n := l.sent[side][m.Stream], l.come[side][m.Stream]
	if n >= len(sent) || sent[n] != string(m.Payload) {
		return fmt.Errorf("stream %d: delivery %d to side %d is not what was sent then: %.20q", m.Stream, n, side, m.Payload)
	}
	l.come[side][m.Stream]++
	return nil
}

// begin anew: nothing that was sent may come any more.
func (l *ledger) begin() { *l = *newLedger() }

func (l *ledger) missing() error {
	for side := range 2 {
		for stream, sent := range l.sent[side] {
			if n := l.come[side][stream]; n != len(sent) {
				return fmt.Errorf("stream %d: %d of %d messages came to side %d", stream, n, len(sent), side)
			}
		}
	}
	return nil
}

func TestTheLedgerRejectsWhatNoGatewayMayDo(t *testing.T) {
	sent := func() *ledger {
		l := newLedger()
		l.sent[1][7] = []string{"a", "b"}
		return l
	}
	message := func(s string) Message { return Message{Stream: 7, Payload: []byte(s)} }
	l := sent()
	require.NoError(t, l.deliver(1, message("a")))
	require.Error(t, l.deliver(1, message("a")), "twice")
	require.Error(t, l.missing())
	require.NoError(t, l.deliver(1, message("b")))
	require.NoError(t, l.missing())
	require.Error(t, sent().deliver(1, message("b")), "out of order")
	require.Error(t, sent().deliver(0, message("a")), "to the wrong side")
	l = sent()
	l.begin()
	require.Error(t, l.deliver(1, message("a")), "of an earlier life")
}

// schedule is a random course of a link.
type schedule struct {
	t      *rapid.T
	link   *testLink
	ledger *ledger
	n      int
	epoch  [2]uint64
	dead   int                 // the side that restarted and was not met yet; -1: none
	fresh  map[uint32][]string // what it has sent in its new life
}

func (s *schedule) send(side int) {
	for range rapid.IntRange(1, 20).Draw(s.t, "messages") {
		stream := uint32(rapid.IntRange(0, 3).Draw(s.t, "stream"))
		s.n++
		m := numbered(stream, s.n, rapid.SampledFrom([]int{0, 10, 700, 8000}).Draw(s.t, "size"))
		content := string(m.Payload)
		switch err := s.link.ends[side].Send(m); {
		case err == nil && side == s.dead:
			s.fresh[stream] = append(s.fresh[stream], content)
		case err == nil:
			s.ledger.sent[1-side][stream] = append(s.ledger.sent[1-side][stream], content)
		case !errors.Is(err, ErrFull):
			require.NoError(s.t, err)
		}
	}
}

// restart makes a side lose its memory: what is on the way is of earlier lives.
func (s *schedule) restart(side int) {
	s.epoch[side]++
	s.link.ends[side].Reset(s.epoch[side])
	s.dead, s.fresh = side, map[uint32][]string{}
}

// settle judges what an end put out.
func (s *schedule) settle(side int, out Out) {
	if len(out.Restarted) > 0 {
		require.Equal(s.t, 1-side, s.dead, "streams are told of a restart that was not one")
		require.True(s.t, slices.IsSorted(out.Restarted))
		for stream := range s.ledger.sent[1-side] {
			require.Contains(s.t, out.Restarted, stream)
		}
		s.ledger.begin()
		s.ledger.sent[side], s.dead = s.fresh, -1
	}
	for _, m := range out.Delivered {
		require.NoError(s.t, s.ledger.deliver(side, m))
	}
}

func (s *schedule) step() {
	lane := rapid.IntRange(0, len(s.link.lanes)-1).Draw(s.t, "lane")
	side := rapid.IntRange(0, 1).Draw(s.t, "side")
	switch rapid.SampledFrom([]string{"send", "send", "send", "wait", "down", "up", "silent", "heard", "restart"}).Draw(s.t, "step") {
	case "send":
		s.send(side)
	case "wait":
		s.link.run(s.link.now + time.Duration(rapid.IntRange(1, 3000).Draw(s.t, "ms"))*time.Millisecond)
	case "down":
		s.link.lane(lane, false)
	case "up":
		s.link.lane(lane, true)
	case "silent":
		s.link.lanes[lane].silent = true
	case "heard":
		s.link.lanes[lane].silent = false
	case "restart":
		if s.dead < 0 && s.link.ends[1-side].Peer() != 0 && s.link.ends[side].Peer() != 0 && len(s.link.ends[1-side].streams()) > 0 {
			s.restart(side)
		}
	}
}

func TestEveryMessageIsDeliveredOnceInOrderOrItsStreamIsToldOfARestart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := config(rapid.IntRange(1, 3).Draw(t, "lanes"))
		c.Compress = rapid.Bool().Draw(t, "compress")
		c.Cap = rapid.SampledFrom([]int64{0, 200_000}).Draw(t, "cap")
		q := quality{latency: 20 * time.Millisecond}
		q.jitter = rapid.SampledFrom([]time.Duration{0, 30 * time.Millisecond, time.Second}).Draw(t, "jitter")
		rates := rapid.SampledFrom([]float64{0, 0.05, 0.3})
		q.loss, q.duplicate, q.corrupt = rates.Draw(t, "loss"), rates.Draw(t, "duplicate"), rates.Draw(t, "corrupt")
		s := &schedule{t: t, link: newTestLink(t, c, q, rapid.Uint64().Draw(t, "chance")), ledger: newLedger(), epoch: [2]uint64{1, 1}, dead: -1}
		s.link.onOut = s.settle
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			s.step()
		}
		for i := range s.link.lanes {
			s.link.lanes[i].silent = false
			s.link.lane(i, true)
		}
		s.link.run(s.link.now + 24*time.Hour)
		require.Equal(t, -1, s.dead, "a restart that nobody was told of")
		require.NoError(t, s.ledger.missing(), "all lanes have been up for a day")
		for _, e := range s.link.ends {
			stats := e.Stats()
			require.Zero(t, stats.Queued)
			require.Zero(t, stats.InFlight)
			require.Zero(t, e.recv.early)
		}
	})
}

func TestAMessageIsNotHeldUpByThoseOfOtherStreams(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: 10 * time.Millisecond}, 1)
	l.run(time.Second)
	l.lanes[0].silent = true
	require.NoError(t, l.ends[0].Send(numbered(1, 1, 100)))
	l.run(l.now + 15*time.Millisecond)
	l.lanes[0].silent = false
	require.NoError(t, l.ends[0].Send(numbered(1, 2, 100)))
	require.NoError(t, l.ends[0].Send(numbered(2, 1, 100)))
	l.run(l.now + 50*time.Millisecond)
	require.Equal(t, []Message{numbered(2, 1, 100)}, l.delivered[1], "the first one of stream 1 was lost, and the second waits")
	l.run(time.Minute)
	assert.Equal(t, []Message{numbered(2, 1, 100), numbered(1, 1, 100), numbered(1, 2, 100)}, l.delivered[1])
}

func TestAnEndThatLostItsMemoryIsFoundOutThoughNobodySendsAnything(t *testing.T) {
	l := newTestLink(t, config(2), quality{latency: 10 * time.Millisecond}, 1)
	require.NoError(t, l.ends[0].Send(numbered(5, 1, 100)))
	require.NoError(t, l.ends[1].Send(numbered(3, 1, 100)))
	l.run(time.Minute)
	require.EqualValues(t, 1, l.ends[0].Peer())
	l.ends[1].Reset(2)
	l.run(2 * time.Minute)
	assert.Equal(t, []uint32{3, 5}, l.restarted[0])
	assert.Empty(t, l.restarted[1], "it knows itself")
	assert.EqualValues(t, 2, l.ends[0].Peer())
}

func TestFramesOfAnEarlierLifeAreDropped(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: 10 * time.Millisecond}, 1)
	var old []Frame
	l.onSent = func(_ int, f Frame) { old = append(old, f) }
	for n := range 5 {
		require.NoError(t, l.ends[0].Send(numbered(1, n, 100)))
		require.NoError(t, l.ends[1].Send(numbered(1, n, 100)))
	}
	l.run(time.Minute)
	require.Len(t, l.delivered[1], 5)
	l.onSent = nil
	for side := range 2 {
		l.ends[side].Reset(2)
	}
	l.run(2 * time.Minute)
	for _, f := range old {
		l.ends[0].Arrived(l.now, 0, f.Bytes)
		l.ends[1].Arrived(l.now, 0, f.Bytes)
	}
	require.NoError(t, l.ends[0].Send(numbered(1, 9, 100)))
	l.run(3 * time.Minute)
	assert.Len(t, l.delivered[0], 5)
	require.Len(t, l.delivered[1], 6)
	assert.Equal(t, numbered(1, 9, 100), l.delivered[1][5])
	assert.Equal(t, int64(len(old)), l.ends[1].Stats().Discarded)
}

func TestWhatIsSentBeforeAnOwnerKnowsOfARestartIsDropped(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: 10 * time.Millisecond}, 1)
	require.NoError(t, l.ends[0].Send(numbered(1, 1, 100)))
	l.run(time.Minute)
	l.ends[1].Reset(2)
	hello := l.ends[1].Poll(l.now).Frames[0]
	l.ends[0].Arrived(l.now, 0, hello.Bytes)
	require.NoError(t, l.ends[0].Send(numbered(8, 2, 100)), "meant for the one before")
	l.run(2 * time.Minute)
	assert.Equal(t, []uint32{1, 8}, l.restarted[0])
	require.NoError(t, l.ends[0].Send(numbered(8, 3, 100)))
	l.run(3 * time.Minute)
	assert.Equal(t, []Message{numbered(1, 1, 100), numbered(8, 3, 100)}, l.delivered[1])
}

func TestAFrameOfAnEarlierLifeOfThePeerIsNoPeer(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: 10 * time.Millisecond}, 1)
	var old []byte
	l.onSent = func(side int, f Frame) {
		if side == 1 {
			old = f.Bytes
		}
	}
	require.NoError(t, l.ends[1].Send(numbered(1, 1, 100)))
	l.run(time.Minute)
	l.onSent = nil
	l.ends[1].Reset(2)
	l.run(2 * time.Minute)
	l.restarted = [2][]uint32{}
	l.ends[0].Reset(2)
	l.ends[0].Arrived(l.now, 0, old)
	require.NoError(t, l.ends[0].Send(numbered(2, 1, 100)))
	l.run(3 * time.Minute)
	assert.Empty(t, l.restarted[0], "the peer has been one and the same since this end began")
	assert.Equal(t, []Message{numbered(2, 1, 100)}, l.delivered[1])
	assert.EqualValues(t, 2, l.ends[0].Peer())
}

package gateway

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
)

// testLink is two ends, and lanes between them that do what lanes may. It is
// the tests' world: its clock goes from one event to the next.
type testLink struct {
	t     require.TestingT
	r     *rand.Rand
	now   time.Duration
	ends  [2]*End
	wake  [2]time.Duration
	onWay []travelling
	rate  quality
	lanes []condition

	room      [2]bool
	delivered [2][]Message // in the order in which they came
	restarted [2][]uint32  // since somebody looked
	bytes     int64
	weight    int64
	sent      int
	onSent    func(side int, f Frame)
	onOut     func(side int, out Out)
}

// quality of every lane.
type quality struct {
	latency, jitter          time.Duration
	loss, duplicate, corrupt float64
}

// condition of one lane.
type condition struct{ down, silent bool }

type travelling struct {
	at    time.Duration
	n     int // so that what arrives together does in the order of sending
	to    int
	lane  int
	bytes []byte
}

func config(lanes int) Config {
	return Config{Lanes: lanes, Window: 64 << 10, MaxMessage: 8 << 10, Compress: true, Retry: 200 * time.Millisecond, Epoch: 1}
}

func newTestLink(t require.TestingT, c Config, q quality, seed uint64) *testLink {
	l := &testLink{t: t, r: rand.New(rand.NewPCG(seed, 0)), rate: q, lanes: make([]condition, c.Lanes)}
	for i := range l.ends {
		l.ends[i] = New(c)
	}
	return l
}

// run lets time pass until the ends are quiet, or until that time.
func (l *testLink) run(until time.Duration) {
	l.poll(0)
	l.poll(1)
	for range 2_000_000 {
		next := min(l.wake[0], l.wake[1])
		for _, f := range l.onWay {
			next = min(next, f.at)
		}
		if next > until {
			l.now = max(l.now, min(until, next))
			return
		}
		l.now = max(l.now, next)
		l.arrive()
		for side := range l.ends {
			l.poll(side)
		}
	}
	require.FailNow(l.t, "the ends never come to rest")
}

// arrive hands over what is due.
func (l *testLink) arrive() {
	var due []travelling
	l.onWay = slices.DeleteFunc(l.onWay, func(f travelling) bool {
		if f.at <= l.now {
			due = append(due, f)
		}
		return f.at <= l.now
	})
	slices.SortFunc(due, func(a, b travelling) int { return a.n - b.n })
	for _, f := range due {
		if !l.lanes[f.lane].down && !l.lanes[f.lane].silent {
			l.ends[f.to].Arrived(l.now, f.lane, f.bytes)
		}
	}
}

func (l *testLink) poll(side int) {
	out := l.ends[side].Poll(l.now)
	require.Greater(l.t, out.Wake, l.now, "it would be polled for ever")
	l.wake[side] = out.Wake
	l.room[side] = l.room[side] || out.Room
	if len(out.Restarted) > 0 {
		l.restarted[side] = append(l.restarted[side], out.Restarted...)
	}
	l.delivered[side] = append(l.delivered[side], out.Delivered...)
	if l.onOut != nil {
		l.onOut(side, out)
	}
	for _, f := range out.Frames {
		l.bytes += int64(len(f.Bytes))
		l.weight += f.Weight
		l.sent++
		if l.onSent != nil {
			l.onSent(side, f)
		}
		require.False(l.t, l.lanes[f.Lane].down, "a frame was sent on a lane that is down")
		l.travel(1-side, f)
		if l.chance(l.rate.duplicate) {
			l.travel(1-side, f)
		}
	}
}

func (l *testLink) travel(to int, f Frame) {
	b := bytes.Clone(f.Bytes)
	if l.chance(l.rate.loss) {
		return
	}
	if l.chance(l.rate.corrupt) {
		b[l.r.IntN(len(b))] ^= 1 << l.r.IntN(8)
		b = b[:len(b)-l.r.IntN(2)]
	}
	at := l.now + l.rate.latency
	if l.rate.jitter > 0 {
		at += time.Duration(l.r.Int64N(int64(l.rate.jitter)))
	}
	l.onWay = append(l.onWay, travelling{at, l.sent, to, f.Lane, b})
}

func (l *testLink) chance(p float64) bool { return p > 0 && l.r.Float64() < p }

// lane takes a lane down or up, and tells both ends.
func (l *testLink) lane(i int, up bool) {
	l.lanes[i].down = !up
	for side := range l.ends {
		l.ends[side].Lane(l.now, i, up)
	}
}

// numbered is the n-th message of a stream: it says which it is, and is as long
// as that says.
func numbered(stream uint32, n, size int) Message {
	p := fmt.Appendf(nil, "%d/%d ", stream, n)
	for len(p) < size {
		p = append(p, byte(len(p)*n))
	}
	return Message{Stream: stream, Payload: p}
}

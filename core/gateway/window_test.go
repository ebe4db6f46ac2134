package gateway

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFullStreamIsRefusedAndToldWhenThereIsRoom(t *testing.T) {
	c := config(1)
	l := newTestLink(t, c, quality{latency: 10 * time.Millisecond}, 1)
	n := 0
	for ; ; n++ {
		err := l.ends[0].Send(numbered(1, n, 1000))
		if err != nil {
			require.ErrorIs(t, err, ErrFull)
			break
		}
	}
	assert.Equal(t, c.Window/cost(1000), n)
	require.NoError(t, l.ends[0].Send(numbered(2, 0, 1000)), "a stream that queues nothing has room kept for it")
	assert.False(t, l.ends[0].Poll(l.now).Room)
	l.run(time.Second)
	assert.True(t, l.room[0])
	assert.Len(t, l.delivered[1], n+1)
}

func TestTheWindowBoundsWhatIsUnderWay(t *testing.T) {
	c := config(2)
	l := newTestLink(t, c, quality{latency: 100 * time.Millisecond, loss: 0.2}, 1)
	l.onOut = func(side int, _ Out) {
		stats := l.ends[side].Stats()
		require.LessOrEqual(t, stats.InFlight, c.Window)
		require.LessOrEqual(t, stats.Queued, 2*c.Window+cost(c.MaxMessage))
		require.LessOrEqual(t, l.ends[side].recv.early, c.Window)
		require.LessOrEqual(t, len(l.ends[side].send.flight), MaxInFlight)
	}
	l.feed(1, 150, 8000, time.Hour)
	l.feed(1, 1500, 0, time.Hour)
}

func TestAMessageAsLargeAsTheWindowGoes(t *testing.T) {
	c := config(1)
	c.MaxMessage = c.Window
	l := newTestLink(t, c, quality{latency: 10 * time.Millisecond}, 1)
	l.feed(1, 3, c.Window, time.Minute)
	assert.Len(t, l.delivered[1], 3)
}

func TestWhatIsBeyondALimitIsRefused(t *testing.T) {
	e := New(config(1))
	require.ErrorIs(t, e.Send(Message{Payload: make([]byte, 8<<10+1)}), ErrTooLarge)
	for i := range MaxStreams {
		if err := e.Send(Message{Stream: uint32(i)}); err != nil {
			require.ErrorIs(t, err, ErrFull)
		}
	}
	require.ErrorIs(t, e.Send(Message{Stream: MaxStreams}), ErrStreams)
	assert.Less(t, e.Stats().Queued, 2*config(1).Window+2*cost(0))
}

func TestAReceiverThatIsNotPolledTakesNoMoreThanAWindow(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: 10 * time.Millisecond}, 1)
	l.run(time.Second)
	for round := range 5 {
		for n := range 40 {
			if err := l.ends[0].Send(numbered(1, 40*round+n, 1000)); err != nil {
				require.ErrorIs(t, err, ErrFull)
			}
		}
		for _, f := range l.ends[0].Poll(l.now).Frames {
			l.ends[1].Arrived(l.now, 0, f.Bytes)
		}
		require.LessOrEqual(t, l.ends[1].recv.waiting, config(1).Window)
	}
}

func TestStreamsShareTheWindow(t *testing.T) {
	c := config(1)
	c.Cap = 100_000
	l := newTestLink(t, c, quality{latency: 10 * time.Millisecond}, 1)
	l.run(time.Second)
	shares := map[uint32]int{}
	sizes := map[uint32]int{1: 8000, 2: 500, 3: 2000}
	for l.now < time.Minute {
		for stream := range uint32(3) {
			for l.ends[0].Send(Message{Stream: stream + 1, Payload: noise(sizes[stream+1])}) == nil {
				continue
			}
		}
		l.run(l.now + 50*time.Millisecond)
	}
	for _, m := range l.delivered[1] {
		shares[m.Stream] += len(m.Payload)
	}
	for stream, got := range shares {
		assert.InDelta(t, 59*c.Cap/3, got, float64(59*c.Cap/10), "stream %d", stream)
	}
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(1 + r.IntN(255))
	}
	return p
}

func TestTheCapIsKept(t *testing.T) {
	c := config(2)
	c.Cap = 50_000
	l := newTestLink(t, c, quality{latency: 10 * time.Millisecond, loss: 0.1}, 1)
	weight, most := int64(0), 0.0
	l.onSent = func(side int, f Frame) {
		if side != 0 {
			return
		}
		// What went before may weigh what the cap lets through, and one frame more.
		over := float64(weight) - float64(c.Cap)*l.now.Seconds()
		most = max(most, over)
		weight += f.Weight
	}
	l.feed(1, 300, 1000, time.Hour)
	assert.Less(t, most, 2*float64(1000+Overhead))
	assert.InDelta(t, float64(weight)/float64(c.Cap), l.now.Seconds(), 2, "and used")
}

func TestZerosAndWhatRepeatsDoNotTravel(t *testing.T) {
	block := noise(4096)
	blocks := bytes.Join([][]byte{[]byte("head"), block, make([]byte, 4096), block[:100], make([]byte, 3000), block, make([]byte, 5*4096)}, nil)
	there := int64(4 + 4096 + 100 + 3000 + 4096)
	for _, compress := range []bool{false, true} {
		c := config(1)
		c.MaxMessage, c.Compress = 64<<10, compress
		l := newTestLink(t, c, quality{latency: time.Millisecond}, 1)
		l.run(time.Second)
		l.bytes, l.weight = 0, 0
		require.NoError(t, l.ends[0].Send(Message{Stream: 1, Payload: bytes.Clone(blocks)}))
		l.run(time.Minute)
		require.Equal(t, blocks, l.delivered[1][0].Payload)
		assert.InDelta(t, there, l.weight, 200, "its zero blocks weigh nothing; those within a block do")
		if compress {
			assert.Less(t, l.bytes, there*3/4)
		} else {
			assert.Equal(t, l.weight, l.bytes)
		}
	}
}

func TestAnImpossibleConfigurationIsRefused(t *testing.T) {
	good := config(1)
	require.NoError(t, good.Validate())
	for says, change := range map[string]func(c *Config){
		"0 lanes":           func(c *Config) { c.Lanes = 0 },
		"17 lanes":          func(c *Config) { c.Lanes = 17 },
		"window of 0":       func(c *Config) { c.Window = 0 },
		"messages of 65537": func(c *Config) { c.MaxMessage = c.Window + 1 },
		"cap of -1":         func(c *Config) { c.Cap = -1 },
		"retry after 0s":    func(c *Config) { c.Retry = 0 },
		"epoch 0":           func(c *Config) { c.Epoch = 0 },
	} {
		c := good
		change(&c)
		err := c.Validate()
		require.ErrorIs(t, err, ErrConfig)
		assert.Contains(t, err.Error(), says)
		assert.Panics(t, func() { New(c) })
	}
}

// BenchmarkFlush is what two ends and a perfect lane cost for messages of 256
// KiB, as chunks of a flush are.
func BenchmarkFlush(b *testing.B) {
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		b.Run(name, func(b *testing.B) {
			c := Config{Lanes: 2, Window: 8 << 20, MaxMessage: 1 << 20, Compress: compress, Retry: time.Second, Epoch: 1}
			ends := [2]*End{New(c), New(c)}
			chunk := bytes.Repeat(append(noise(2048), make([]byte, 2048)...), 64)
			delivered := 0
			exchange := func() {
				for side, e := range ends {
					out := e.Poll(0)
					delivered += len(out.Delivered)
					for _, f := range out.Frames {
						ends[1-side].Arrived(0, f.Lane, f.Bytes)
					}
				}
			}
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				require.NoError(b, ends[0].Send(Message{Stream: 1, Payload: chunk}))
				exchange()
			}
			exchange()
			exchange()
			require.Positive(b, delivered)
			require.Zero(b, ends[0].Stats().Resent)
		})
	}
}

func TestAFrameWeighsWhatItsSenderLeftOut(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: 10 * time.Millisecond}, 1)
	m := numbered(1, 0, 100)
	m.Weight = 4096
	require.NoError(t, l.ends[0].Send(m))
	l.run(time.Second)
	require.Len(t, l.delivered[1], 1)
	stats := l.ends[0].Stats()
	assert.Less(t, stats.Bytes, int64(1000))
	assert.GreaterOrEqual(t, stats.Weight, int64(4096))
}

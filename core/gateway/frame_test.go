package gateway

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAFrameSurvivesItsWayAndADamagedOneIsFoundOut(t *testing.T) {
	h := header{ask: true, from: 3, to: 4, cumulative: 17, selective: []byte{0, 5}}
	p := &packet{sequence: 9, stream: 8, index: 7, size: 3, compressed: true, body: []byte("body")}
	for _, p := range []*packet{nil, p} {
		b := encodeFrame(h, p)
		h2, p2, ok := decodeFrame(b)
		require.True(t, ok)
		require.Equal(t, h, h2)
		require.Equal(t, p, p2)
		for n := range b {
			_, _, ok := decodeFrame(b[:n])
			require.False(t, ok, "cut to %d bytes", n)
			for bit := range 8 {
				b[n] ^= 1 << bit
				_, _, ok := decodeFrame(b)
				require.False(t, ok, "bit %d of byte %d", bit, n)
				b[n] ^= 1 << bit
			}
		}
	}
}

func TestAnyMessageSurvivesItsBody(t *testing.T) {
	var c bodyCodec
	rapid.Check(t, func(t *rapid.T) {
		var message []byte
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			n := rapid.IntRange(0, 3*sparse).Draw(t, "length")
			if rapid.Bool().Draw(t, "zeros") {
				message = append(message, make([]byte, n)...)
			} else {
				message = append(message, noise(n)...)
			}
		}
		body, weight, compressed := c.encode(message, rapid.Bool().Draw(t, "compress"))
		require.LessOrEqual(t, weight, len(message)+maxBodyOverhead)
		require.LessOrEqual(t, len(body), weight)
		got, ok := c.decode(body, compressed, len(message))
		require.True(t, ok)
		require.Equal(t, len(message), len(got))
		require.True(t, string(message) == string(got))
		_, ok = c.decode(body, compressed, len(message)+1)
		require.False(t, ok, "of another size")
	})
}

func TestABodyThatUnpacksToMoreThanItSaysIsRefused(t *testing.T) {
	var c bodyCodec
	body, _, compressed := c.encode(make([]byte, 1<<20), false)
	require.False(t, compressed)
	require.Less(t, len(body), 10, "a million zeros")
	_, ok := c.decode(body, false, 1000)
	require.False(t, ok)
	bomb := make([]byte, 1<<20)
	for i := range bomb {
		bomb[i] = 1
	}
	body, _, compressed = c.encode(bomb, true)
	require.True(t, compressed)
	_, ok = c.decode(body, true, 1000)
	require.False(t, ok)
	assert.LessOrEqual(t, c.small.Cap(), 64<<10, "no more of it was unpacked than could be needed")
}

func FuzzArrived(f *testing.F) {
	l := newTestLink(f, config(2), quality{latency: time.Millisecond}, 1)
	l.onSent = func(_ int, fr Frame) { f.Add(fr.Bytes[:len(fr.Bytes)-sumSize]) }
	l.run(time.Second)
	for n := range 3 {
		require.NoError(f, l.ends[0].Send(numbered(1, n, 4000*n)))
	}
	l.run(time.Minute)
	f.Fuzz(func(t *testing.T, b []byte) {
		e := New(config(2))
		require.NoError(t, e.Send(numbered(1, 1, 10)))
		whole := binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
		for range 2 {
			e.Arrived(0, 1, whole)
			out := e.Poll(0)
			for _, m := range out.Delivered {
				require.LessOrEqual(t, len(m.Payload), e.config.MaxMessage)
			}
			require.LessOrEqual(t, e.recv.early+e.recv.waiting, e.config.Window)
		}
	})
}

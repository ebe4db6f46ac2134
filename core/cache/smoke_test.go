package cache

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

type mem struct{ b []byte }

func (m *mem) ReadAt(p []byte, off int64) (int, error)  { return copy(p, m.b[off:]), nil }
func (m *mem) WriteAt(p []byte, off int64) (int, error) { return copy(m.b[off:], p), nil }
func (m *mem) Flush() error                             { return nil }

func TestSmoke(t *testing.T) {
	cfg := Config{Disks: []int64{1 << 20}, Quota: 64 * BlockSize}
	dev := &mem{make([]byte, cfg.Size())}
	c, out := New(cfg)
	Drive(c, dev, out)
	d := bytes.Repeat([]byte{7}, 8192)
	out = Drive(c, dev, c.Submit(Request{ID: 1, Kind: Write, Off: 4096, Data: d}))
	require.Equal(t, []Done{{1, nil}}, out.Done)
	out = Drive(c, dev, c.Submit(Request{ID: 2, Kind: Write, Off: 512, Data: d[:512]}))
	require.Len(t, out.Ops, 1)
	out = Drive(c, dev, c.Complete(out.Ops[0].ID, nil))
	require.Equal(t, []Done{{2, nil}}, out.Done)
	out = Drive(c, dev, c.Submit(Request{ID: 3, Kind: Flush}))
	require.Equal(t, []Done{{3, nil}}, out.Done)
	c, err := Recover(cfg, dev)
	require.NoError(t, err)
	require.Equal(t, 3, c.Stats().Dirty)
	p := make([]byte, 4096*3)
	out = Drive(c, dev, c.Submit(Request{ID: 4, Kind: Read, Data: p}))
	require.Equal(t, []Done{{4, nil}}, out.Done)
	require.Equal(t, d, p[4096:])
	n, blocks, err := c.Cut()
	require.NoError(t, err)
	require.Equal(t, 3, blocks)
	out = Drive(c, dev, c.Pull(10))
	require.Len(t, out.Chunks, 1)
	require.True(t, out.Chunks[0].Last)
	Drive(c, dev, c.Applied(n))
	require.Equal(t, 3, c.Stats().Clean)
	require.Equal(t, 0, c.Stats().Dirty)
	t.Logf("%+v", c.Stats())
}

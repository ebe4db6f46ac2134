package datapath

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
)

func opened(t *testing.T, dev Device) *volume {
	t.Helper()
	v, err := openVolume(dev, true)
	require.NoError(t, err)
	return v
}

func named(id string) *entry { return &entry{Binding: component.Binding{ID: id}} }

func TestADirectoryThatIsTornLeavesTheOneBefore(t *testing.T) {
	dev := newMemory(4 * mib)
	v := opened(t, dev)
	require.NoError(t, v.add(named("a"), 1, blank))
	first := bytes.Clone(dev.b)
	require.NoError(t, v.add(named("b"), 1, blank))
	assert.Len(t, opened(t, dev).entries, 2)
	dev.b[directoryHead+3] ^= 1 // of the second, which is copy 0
	assert.Len(t, opened(t, dev).entries, 1)

	dev.b = first
	dev.b[directorySize+directoryHead+3] ^= 1 // of the very first
	assert.Empty(t, opened(t, dev).entries)
	dev.b[5] = 1
	_, err := openVolume(dev, true)
	assert.ErrorIs(t, err, ErrDevice, "both copies are damaged")
}

func TestRoomIsGivenOnceAndComesBack(t *testing.T) {
	dev := newMemory(extentsStart + 3*minExtent)
	v := opened(t, dev)
	a, b := named("a"), named("b")
	require.NoError(t, v.add(a, 2*minExtent, blank))
	require.NoError(t, v.add(b, minExtent, blank))
	assert.ErrorIs(t, v.add(named("c"), 1, blank), ErrFull)
	_, err := window{v, a}.WriteAt([]byte("of a"), minExtent)
	require.NoError(t, err)
	_, err = window{v, b}.WriteAt(make([]byte, minExtent), 0)
	require.NoError(t, err)
	p := make([]byte, 4)
	_, err = window{v, a}.ReadAt(p, minExtent)
	require.NoError(t, err)
	assert.Equal(t, "of a", string(p))
	_, err = window{v, b}.WriteAt(p, minExtent)
	assert.ErrorIs(t, err, ErrFull, "it has no room to grow")
	require.NoError(t, v.remove(a))
	_, err = window{v, b}.WriteAt(p, minExtent)
	require.NoError(t, err)
	assert.Equal(t, 2, opened(t, dev).entries[0].extents(), "and it is written down")
	_, err = window{v, b}.ReadAt(p, window{v, b}.Capacity())
	assert.ErrorIs(t, err, ErrDevice)
}

// thin is a device that takes room as it is written to, until there is no more.
type thin struct {
	*memory
	full  bool
	taken map[int64]bool // blocks
}

func (d *thin) WriteAt(p []byte, off int64) (int, error) {
	for b := off / deviceBlock; b*deviceBlock < off+int64(len(p)); b++ {
		if d.full && !d.taken[b] {
			return 0, syscall.ENOSPC
		}
		d.taken[b] = true
	}
	return d.memory.WriteAt(p, off)
}

func TestWhatIsWrittenDownCanBeTakenOutOfADeviceThatHasBecomeFull(t *testing.T) { // SYS-01
	dev := &thin{memory: newMemory(4 * mib), taken: map[int64]bool{}}
	v := opened(t, dev)
	long := named(strings.Repeat("a", 3*deviceBlock))
	require.NoError(t, v.add(named("b"), 1, blank))
	require.NoError(t, v.add(long, 1, blank))
	v = opened(t, dev)
	dev.full = true
	require.Error(t, v.add(named(strings.Repeat("c", 4*deviceBlock)), 1, blank))
	require.NoError(t, v.remove(v.entries[0]), "over the copy that never held as much")
	require.NoError(t, v.remove(v.entries[0]))
	assert.Empty(t, opened(t, dev).entries)
}

func TestAStageThatIsFullTakesRoomFromHomesThatHaveNoFlush(t *testing.T) {
	p := newPairOf(t, 16*mib, extentsStart+8*minExtent)
	for _, id := range []string{"a", "b"} {
		p.bind(id, mib, mib)
		for i := range int64(80) { // five extents of the stage
			p.write(id, 0, i*4096, block(5))
		}
	}
	for _, id := range []string{"a", "b", "a"} {
		p.write(id, 0, 0, block(6))
		require.Equal(t, component.Done, p.flush(id).State)
		assert.Equal(t, block(6), p.premises(id)[0][:4096])
	}
}

func TestAFlushThatIsTooLargeForTheStageFailsAndSaysWhy(t *testing.T) {
	p := newPairOf(t, 16*mib, extentsStart+2*minExtent)
	p.bind("a", 2*mib, mib)
	for i := range int64(200) {
		p.write("a", 0, i*4096, block(5))
	}
	done := p.flush("a")
	require.Equal(t, component.Failed, done.State)
	assert.Contains(t, done.Error.What, "given up after 10 tries")
	assert.Contains(t, done.Error.What, "larg")
}

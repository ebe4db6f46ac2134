package disk_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
)

func TestRotIsInTheImageOfNowOnlyUnlessSnapshotsRotToo(t *testing.T) {
	d := disk.New("d", 10*block)
	fill(t, d, 2, 'a')
	first, err := d.Snapshot()
	require.NoError(t, err)
	fill(t, d, 2, 'b')
	second, err := d.Snapshot()
	require.NoError(t, err)
	before, err := d.View(second)
	require.NoError(t, err)
	child, err := d.Child(second)
	require.NoError(t, err)

	require.NoError(t, d.Damage(2, false))
	rotten := read(t, d, 2)
	assert.NotContains(t, string(rotten), "b")
	for id, want := range map[disk.LayerID]byte{first: 'a', second: 'b'} {
		v, err := d.View(id)
		require.NoError(t, err)
		assert.Equal(t, want, read(t, v, 2)[0], "the snapshots are whole")
	}
	require.NoError(t, d.Revert(second))
	assert.EqualValues(t, 'b', read(t, d, 2)[0])

	require.NoError(t, d.Damage(2, true))
	for _, id := range []disk.LayerID{first, second} {
		v, err := d.View(id)
		require.NoError(t, err)
		assert.Equal(t, rotten, read(t, v, 2))
		require.NoError(t, d.Revert(id))
		assert.Equal(t, rotten, read(t, d, 2))
	}
	assert.EqualValues(t, 'b', read(t, before, 2)[0], "an image stays as it is")
	assert.EqualValues(t, 'b', read(t, child, 2)[0])
}

func TestRotOfABlockThatNobodyWroteIsInEverySnapshot(t *testing.T) {
	d := disk.New("d", 10*block)
	s, err := d.Snapshot()
	require.NoError(t, err)
	require.NoError(t, d.Damage(7, true))
	v, err := d.View(s)
	require.NoError(t, err)
	assert.NotZero(t, read(t, v, 7)[0])
	assert.Equal(t, block, d.Used())
	assert.ErrorIs(t, d.Damage(10, false), disk.ErrRange)
}

func TestRotOutlivesAPowerCutAndAFreshWriteHealsIt(t *testing.T) {
	d := disk.New("d", 10*block)
	fill(t, d, 1, 'a')
	require.NoError(t, d.Damage(1, false))
	rotten := read(t, d, 1)
	assert.Zero(t, d.Unflushed())
	d.Crash(seeded(1))
	assert.Equal(t, rotten, read(t, d, 1))
	fill(t, d, 1, 'c')
	assert.EqualValues(t, 'c', read(t, d, 1)[0])
}

// full is a store without room that can be read or not.
type full struct{ unreadable bool }

func (f full) Fault(_ string, op disk.Op, grows bool) error {
	switch {
	case op == disk.Read && f.unreadable:
		return disk.ErrIO
	case grows:
		return disk.ErrNoSpace
	}
	return nil
}

func TestAFullStoreTakesWhatNeedsNoMoreRoom(t *testing.T) {
	d := disk.New("d", 10*block)
	fill(t, d, 1, 'a')
	d.SetUsed(3 * block)
	d.SetStore(full{})
	fill(t, d, 1, 'b')
	fill(t, d, 2, 'b')
	fill(t, d, 3, 'b')
	_, err := d.WriteAt(make([]byte, block), 4*block)
	require.ErrorIs(t, err, disk.ErrNoSpace, "all that was declared in use has been touched")
	_, err = d.Snapshot()
	require.NoError(t, err)
	_, err = d.WriteAt(make([]byte, block), block)
	require.ErrorIs(t, err, disk.ErrNoSpace, "the snapshot's delta would grow")
	d.SetStore(full{unreadable: true})
	_, err = d.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, disk.ErrIO)
	d.Heal()
	_, err = d.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, disk.ErrIO, "that is no fault of the disk")
	d.SetStore(nil)
	fill(t, d, 4, 'c')
}

func TestWhoeverJudgesADiskMeetsNothingThatFailsThere(t *testing.T) {
	d := disk.New("d", 10*block)
	fill(t, d, 1, 'a')
	d.SetStore(full{unreadable: true})
	d.FailReads(disk.All, disk.ErrIO)
	p := make([]byte, block)
	_, err := d.ReadAt(p, block)
	require.ErrorIs(t, err, disk.ErrIO)
	seen := disk.Seen{Disk: d}
	n, err := seen.ReadAt(p, block)
	require.NoError(t, err)
	assert.Equal(t, disk.BlockSize, n)
	assert.Equal(t, bytes.Repeat([]byte("a"), disk.BlockSize), p)
	_, err = seen.ReadAt(p, 10*block)
	require.ErrorIs(t, err, disk.ErrRange)
}

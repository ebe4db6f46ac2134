package disk_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
)

func first(d *disk.Disk, t *testing.T, n int64) byte {
	t.Helper()
	p := make([]byte, 1)
	_, err := d.ReadAt(p, n*disk.BlockSize)
	require.NoError(t, err)
	return p[0]
}

func poke(d *disk.Disk, t *testing.T, n int64, v byte) {
	t.Helper()
	_, err := d.WriteAt([]byte{v}, n*disk.BlockSize)
	require.NoError(t, err)
}

func TestAChildIsTheSnapshotWhateverBecomesOfTheDisk(t *testing.T) {
	d := disk.New("db-01/0", 1<<20)
	d.SetUsed(100 << 10)
	poke(d, t, 1, 'a')
	poke(d, t, 2, 'b')
	id, err := d.Snapshot()
	require.NoError(t, err)
	poke(d, t, 2, 'c')
	child, err := d.Child(id)
	require.NoError(t, err)
	assert.Equal(t, d.ID(), child.ID())
	assert.Equal(t, d.Capacity(), child.Capacity())
	assert.Equal(t, int64(100<<10), child.Used(), "what the disk declares")
	assert.Zero(t, child.Own())

	poke(child, t, 3, 'x')
	second, err := d.Snapshot()
	require.NoError(t, err)
	poke(d, t, 1, 'z')
	require.NoError(t, d.RemoveSnapshot(id))
	require.NoError(t, d.RemoveSnapshot(second))
	poke(d, t, 2, 'z')
	assert.Equal(t, []byte{'a', 'b', 'x'}, []byte{first(child, t, 1), first(child, t, 2), first(child, t, 3)})
	assert.Equal(t, byte(0), first(d, t, 3), "nothing of the child is in the disk")
	assert.Equal(t, int64(disk.BlockSize), child.Own())
}

func TestAChildHasSnapshotsAndPowerCutsOfItsOwn(t *testing.T) {
	d := disk.New("db-01/0", 1<<20)
	poke(d, t, 1, 'a')
	id, err := d.Snapshot()
	require.NoError(t, err)
	child, err := d.Child(id)
	require.NoError(t, err)
	poke(child, t, 1, 'b')
	own, err := child.Snapshot()
	require.NoError(t, err)
	poke(child, t, 1, 'c')
	require.NoError(t, child.Revert(own))
	assert.Equal(t, byte('b'), first(child, t, 1))
	require.NoError(t, child.RemoveSnapshot(own))
	assert.Equal(t, byte('b'), first(child, t, 1))
	assert.Equal(t, int64(disk.BlockSize), child.Own())
	poke(child, t, 1, 'd')
	child.Crash(rand.New(rand.NewPCG(1, 1)))
	assert.Contains(t, []byte{'b', 'd'}, first(child, t, 1), "kept, lost or torn: never the disk's own")
	assert.Equal(t, byte('a'), first(d, t, 1))
	_, err = child.Child(id)
	assert.ErrorIs(t, err, disk.ErrNoSnapshot, "the snapshot is the disk's, not the child's")
}

func TestADiskThatIsNoChildOwnsAllThatItUses(t *testing.T) {
	d := disk.New("db-01/0", 1<<20)
	d.SetUsed(64 << 10)
	assert.Equal(t, d.Used(), d.Own())
	_, err := d.Child(7)
	assert.ErrorIs(t, err, disk.ErrNoSnapshot)
}

package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
)

const (
	block = int64(disk.BlockSize)
	tib   = int64(1) << 40
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// fill writes the byte v into all of block b.
func fill(t testing.TB, d *disk.Disk, b int64, v byte) {
	t.Helper()
	_, err := d.WriteAt(bytes.Repeat([]byte{v}, disk.BlockSize), b*block)
	require.NoError(t, err)
}

func read(t testing.TB, r disk.Reader, b int64) []byte {
	t.Helper()
	p := make([]byte, disk.BlockSize)
	_, err := r.ReadAt(p, b*block)
	require.NoError(t, err)
	return p
}

func TestADiskOfTwoTerabytesCostsWhatWasTouched(t *testing.T) {
	const disks = 1000
	all := make([]*disk.Disk, disks)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range all {
		all[i] = disk.New("d", 2*tib)
		for j := range int64(10) {
			_, err := all[i].WriteAt([]byte("stamp"), j*tib/5)
			require.NoError(t, err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / disks
	assert.Less(t, each, int64(10*disk.BlockSize), "ten blocks, each with sector heads only")
	runtime.KeepAlive(all)
}

func TestUsedIsWhatWasDeclaredAndNeverLessThanWhatWasWritten(t *testing.T) {
	d := disk.New("d", 10*block)
	assert.Zero(t, d.Used())
	fill(t, d, 3, 1)
	fill(t, d, 3, 2)
	assert.Equal(t, block, d.Used())
	d.SetUsed(5 * block)
	assert.Equal(t, 5*block, d.Used())
	d.SetUsed(99 * block)
	assert.Equal(t, d.Capacity(), d.Used(), "never more than the capacity")
	d.SetUsed(-1)
	assert.Equal(t, block, d.Used())
}

func TestOutsideOfTheDiskIsAnError(t *testing.T) {
	d := disk.New("d", 10000)
	for _, c := range []struct {
		off int64
		n   int
		ok  bool
	}{{0, 10000, true}, {10000, 0, true}, {9999, 1, true}, {9999, 2, false}, {10001, 0, false}, {-1, 1, false}, {1 << 62, 1, false}} {
		_, read := d.ReadAt(make([]byte, c.n), c.off)
		_, write := d.WriteAt(make([]byte, c.n), c.off)
		for _, err := range []error{read, write} {
			if c.ok {
				assert.NoError(t, err, "%+v", c)
			} else {
				assert.ErrorIs(t, err, disk.ErrRange, "%+v", c)
			}
		}
	}
	assert.Panics(t, func() { disk.New("d", -1) })
	assert.Panics(t, func() { disk.New("d", disk.MaxCapacity+1) })
}

func TestAPowerCutKeepsLosesAndTears(t *testing.T) {
	kept, lost, torn := 0, 0, 0
	for seed := range uint64(50) {
		d := disk.New("d", 10*block)
		fill(t, d, 1, 'a')
		require.NoError(t, d.Flush())
		fill(t, d, 1, 'b')
		d.Crash(seeded(seed))
		switch p := read(t, d, 1); {
		case bytes.Count(p, []byte("b")) == len(p):
			kept++
		case bytes.Count(p, []byte("a")) == len(p):
			lost++
		default:
			torn++
			for s := 0; s < len(p); s += disk.SectorSize {
				n := bytes.Count(p[s:s+disk.SectorSize], []byte("a"))
				require.True(t, n == 0 || n == disk.SectorSize, "a sector is written as a whole or not at all")
			}
		}
	}
	assert.Positive(t, kept)
	assert.Positive(t, lost)
	assert.Positive(t, torn)
}

func TestAPowerCutIsAFunctionOfItsSeed(t *testing.T) {
	image := func() []byte {
		d := disk.New("d", 100*block)
		r := seeded(7)
		for range 300 {
			fill(t, d, r.Int64N(100), byte(r.Uint32()))
		}
		d.Crash(seeded(8))
		p := make([]byte, 100*block)
		_, err := d.ReadAt(p, 0)
		require.NoError(t, err)
		return p
	}
	assert.Equal(t, image(), image())
}

func TestWhatWasFlushedOutlivesEveryPowerCut(t *testing.T) {
	for seed := range uint64(20) {
		d := disk.New("d", 10*block)
		fill(t, d, 2, 'x')
		require.NoError(t, d.Flush())
		d.Crash(seeded(seed))
		require.Equal(t, bytes.Repeat([]byte("x"), disk.BlockSize), read(t, d, 2))
	}
}

func TestASnapshotIsDurable(t *testing.T) {
	for seed := range uint64(20) {
		d := disk.New("d", 10*block)
		fill(t, d, 2, 'x')
		_, err := d.Snapshot()
		require.NoError(t, err)
		d.Crash(seeded(seed))
		require.Equal(t, bytes.Repeat([]byte("x"), disk.BlockSize), read(t, d, 2))
	}
}

func TestSnapshotsAreATreeAsInVSphere(t *testing.T) {
	d := disk.New("d", 10*block)
	fill(t, d, 0, 'a')
	a, err := d.Snapshot()
	require.NoError(t, err)
	fill(t, d, 0, 'b')
	b, err := d.Snapshot()
	require.NoError(t, err)
	require.NoError(t, d.Revert(a))
	assert.EqualValues(t, 'a', read(t, d, 0)[0])
	fill(t, d, 0, 'c')
	c, err := d.Snapshot()
	require.NoError(t, err)
	assert.Equal(t, []disk.LayerID{a, b, c}, d.Snapshots(), "reverting removes none")

	require.NoError(t, d.RemoveSnapshot(a))
	for id, want := range map[disk.LayerID]byte{b: 'b', c: 'c'} {
		v, err := d.View(id)
		require.NoError(t, err)
		assert.Equal(t, want, read(t, v, 0)[0])
	}
	require.NoError(t, d.Revert(b))
	assert.EqualValues(t, 'b', read(t, d, 0)[0])

	for _, err := range []error{d.Revert(a), d.RemoveSnapshot(a), d.Revert(99)} {
		assert.ErrorIs(t, err, disk.ErrNoSnapshot)
	}
	_, err = d.View(a)
	assert.ErrorIs(t, err, disk.ErrNoSnapshot)
}

func TestAChainOfSnapshotsHasALimit(t *testing.T) {
	d := disk.New("d", 10*block)
	for range disk.MaxDepth {
		_, err := d.Snapshot()
		require.NoError(t, err)
	}
	_, err := d.Snapshot()
	require.ErrorIs(t, err, disk.ErrTooDeep)
	require.NoError(t, d.RemoveSnapshot(d.Snapshots()[5]))
	_, err = d.Snapshot()
	require.NoError(t, err)
}

func TestFaults(t *testing.T) {
	second := disk.Range{Off: block, Len: block}
	one := make([]byte, 1)
	for name, c := range map[string]struct {
		set    func(*disk.Disk)
		err    func(*disk.Disk) error // of what must fail
		is     error
		passes func(*disk.Disk) error
	}{
		"a failing read": {
			set:    func(d *disk.Disk) { d.FailReads(second, disk.ErrIO) },
			err:    func(d *disk.Disk) error { _, err := d.ReadAt(one, 2*block-1); return err },
			is:     disk.ErrIO,
			passes: func(d *disk.Disk) error { _, err := d.ReadAt(one, 2*block); return err },
		},
		"a failing write": {
			set:    func(d *disk.Disk) { d.FailWrites(second, disk.ErrIO) },
			err:    func(d *disk.Disk) error { _, err := d.WriteAt(make([]byte, 3*block), 0); return err },
			is:     disk.ErrIO,
			passes: func(d *disk.Disk) error { _, err := d.WriteAt(one, block-1); return err },
		},
		"a failing flush": {
			set:    func(d *disk.Disk) { d.FailFlushes(disk.ErrIO) },
			err:    (*disk.Disk).Flush,
			is:     disk.ErrIO,
			passes: func(d *disk.Disk) error { _, err := d.WriteAt(one, 0); return err },
		},
		"a full datastore": {
			set:    func(d *disk.Disk) { d.SetSpace(2 * block) },
			err:    func(d *disk.Disk) error { _, err := d.WriteAt(make([]byte, 3*block), 0); return err },
			is:     disk.ErrNoSpace,
			passes: func(d *disk.Disk) error { _, err := d.WriteAt(make([]byte, 2*block), 0); return err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := disk.New("db-01/0", 10*block)
			c.set(d)
			require.NoError(t, c.passes(d))
			err := c.err(d)
			require.ErrorIs(t, err, c.is)
			var typed *disk.Error
			require.True(t, errors.As(err, &typed))
			assert.Equal(t, "db-01/0", typed.Disk)
			require.NoError(t, c.passes(d))
			d.Heal()
			require.NoError(t, c.err(d))
		})
	}
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	d := disk.New("d", 10*block)
	d.FailWrites(disk.Range{Off: 2 * block, Len: 1}, disk.ErrIO)
	_, err := d.WriteAt(bytes.Repeat([]byte("x"), 3*disk.BlockSize), 0)
	require.Error(t, err)
	assert.Empty(t, slices.Collect(d.Extents()))
}

func TestALyingDeviceLosesWhatItSaidIsDurable(t *testing.T) {
	lost := 0
	for seed := range uint64(20) {
		d := disk.New("d", 10*block)
		d.LoseFlushes()
		fill(t, d, 2, 'x')
		require.NoError(t, d.Flush())
		d.Crash(seeded(seed))
		if read(t, d, 2)[0] == 0 {
			lost++
		}
	}
	assert.Positive(t, lost)
}

func TestWritesAreLostAndTornWithoutAWord(t *testing.T) {
	d := disk.New("d", 10*block)
	fill(t, d, 1, 'a')
	d.LoseWrites(disk.All)
	fill(t, d, 1, 'b')
	fill(t, d, 2, 'b')
	assert.Equal(t, bytes.Repeat([]byte("a"), disk.BlockSize), read(t, d, 1))
	assert.Equal(t, block, d.Used())

	d.TearWrites(disk.Range{Off: block, Len: block}, 3)
	_, err := d.WriteAt(bytes.Repeat([]byte("c"), 2*disk.BlockSize), block)
	require.NoError(t, err)
	assert.Equal(t, bytes.Repeat([]byte("c"), 3*disk.SectorSize), read(t, d, 1)[:3*disk.SectorSize])
	assert.Equal(t, bytes.Repeat([]byte("a"), 5*disk.SectorSize), read(t, d, 1)[3*disk.SectorSize:])
	assert.Equal(t, bytes.Repeat([]byte("c"), disk.BlockSize), read(t, d, 2), "outside of the range")
}

func TestEqualFindsTheFirstDifference(t *testing.T) {
	build := func(capacity int64, blocks ...int64) *disk.Disk {
		d := disk.New("d", capacity)
		for _, b := range blocks {
			fill(t, d, b, byte(b+1))
		}
		return d
	}
	ten := 10 * block
	zeroed := build(ten, 3)
	_, err := zeroed.WriteAt(make([]byte, block), 5*block)
	require.NoError(t, err)
	unreadable := build(ten, 3)
	unreadable.FailReads(disk.All, disk.ErrIO)
	for name, c := range map[string]struct {
		a, b *disk.Disk
		same bool
		at   int64
	}{
		"both empty":             {build(ten), build(ten), true, -1},
		"the same":               {build(ten, 0, 9), build(ten, 9, 0), true, -1},
		"zeros are as untouched": {build(ten, 3), zeroed, true, -1},
		"only one has it":        {build(ten, 3), build(ten, 3, 7), false, 7},
		"the first of several":   {build(ten, 2, 4), build(ten, 3, 5), false, 2},
		"another size":           {build(ten, 3), build(9*block, 3), false, 9},
		"another size and block": {build(ten, 3), build(9*block, 4), false, 3},
		"cannot be read":         {build(ten, 3), unreadable, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pair := range [][2]*disk.Disk{{c.a, c.b}, {c.b, c.a}} {
				same, at := pair[0].Equal(pair[1])
				assert.Equal(t, c.same, same)
				assert.Equal(t, c.at, at)
			}
		})
	}
}

func TestForeignReadersDoNotDisturbTheWorld(t *testing.T) {
	d := disk.New("d", 100*block)
	fill(t, d, 1, 'x')
	id, err := d.Snapshot()
	require.NoError(t, err)
	view, err := d.View(id)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range 500 {
				p := make([]byte, block)
				_, err := d.ReadAt(p, int64(i%100)*block)
				assert.NoError(t, err)
				_, err = view.ReadAt(p, block)
				assert.NoError(t, err)
				assert.EqualValues(t, 'x', p[0])
				disk.Same(d, view)
			}
		})
	}
	for i := range 500 {
		fill(t, d, int64(i%100), byte(i))
		if i%50 == 49 {
			next, err := d.Snapshot()
			require.NoError(t, err)
			require.NoError(t, d.RemoveSnapshot(id))
			id = next
		}
	}
	wg.Wait()
}

func ExampleError() {
	d := disk.New("db-01/0", 1<<20)
	d.FailWrites(disk.All, disk.ErrNoSpace)
	_, err := d.WriteAt([]byte("x"), 4096)
	fmt.Println(err)
	// Output: disk db-01/0: write of 1 bytes at 4096: no space left on the datastore
}

func BenchmarkWriteOfAStampedBlock(b *testing.B) {
	d := disk.New("d", 40<<30)
	p := make([]byte, disk.BlockSize)
	for i := 0; i < len(p); i += disk.SectorSize {
		p[i] = 1
	}
	r := seeded(1)
	for n := 0; b.Loop(); n++ {
		_, err := d.WriteAt(p, r.Int64N(1024)*block)
		require.NoError(b, err)
		if n%50 == 0 {
			require.NoError(b, d.Flush())
		}
	}
}

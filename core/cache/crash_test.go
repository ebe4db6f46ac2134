package cache

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reboot ends the power, keeping so much of what was not flushed (of 4), and
// recovers.
func (s *stand) reboot(kept int, seed uint64) {
	s.t.Helper()
	s.dev.powerCut(kept, rand.New(rand.NewPCG(seed, seed)))
	c, err := Recover(s.c.config, s.dev)
	require.NoError(s.t, err)
	s.c, s.fetches, s.chunks = c, nil, nil
}

func TestAWriteThatWasFlushedOutlivesACrash(t *testing.T) {
	for _, fua := range []bool{false, true} {
		s := newStand(t, 16)
		id := s.submit(Request{Kind: Write, FUA: fua, Data: bytes.Repeat([]byte{'x'}, BlockSize)})
		if !fua {
			id = s.submit(Request{Kind: Flush})
		}
		require.NoError(t, s.done[id])
		s.reboot(0, 1)
		assert.Equal(t, byte('x'), s.read(0, 0))
	}
}

func TestAWriteThatWasNotFlushedMayBeLostInACrash(t *testing.T) {
	s := newStand(t, 16)
	s.write(0, 0, 'x')
	s.reboot(0, 1)
	assert.Zero(t, s.read(0, 0))
}

func TestARecoveredCacheIsFlushedAsIfNothingHadBeen(t *testing.T) {
	s := newStand(t, 16)
	s.write(0, 1, 'a')
	s.write(1, 2, 'b')
	s.submit(Request{Kind: Flush})
	number, _, err := s.c.Cut()
	require.NoError(t, err)
	s.pull(number) // the premises have it; the cache is not told
	s.write(0, 1, 'c')
	s.submit(Request{Kind: Flush})
	s.reboot(4, 1)
	assert.True(t, s.c.Stats().Recovered)
	assert.Equal(t, 2, s.c.Stats().Dirty)
	assert.Equal(t, []BlockRef{{0, 1}, {1, 2}}, s.c.TakeChanged(9))
	s.flush()
	assert.Equal(t, byte('c'), s.letter(0, 1))
	assert.Equal(t, byte('b'), s.letter(1, 2))
}

func TestWhatThePremisesHaveACrashOfTheCacheDoesNotTakeBack(t *testing.T) {
	s := newStand(t, 16)
	s.write(0, 1, 'a')
	s.submit(Request{Kind: Flush})
	s.write(0, 1, 'b') // never flushed by the guest
	number, _, err := s.c.Cut()
	require.NoError(t, err)
	s.pull(number)
	s.reboot(0, 1)
	assert.Equal(t, byte('b'), s.read(0, 1))
}

func TestTheNumberOfACutIsNeverGivenAgain(t *testing.T) {
	s := newStand(t, 16)
	last := uint64(0)
	for range 30 {
		number, _, err := s.c.Cut()
		require.NoError(t, err)
		require.Greater(t, number, last)
		last = number
		s.pull(number) // the premises have it, and remember its number
		s.reboot(0, 1)
	}
}

func TestASlotThatWasUsedAgainIsNotTakenForItsOldBlock(t *testing.T) {
	for seed := range uint64(200) {
		s := newStand(t, 8)
		s.write(0, 1, 'a')
		s.submit(Request{Kind: Flush})
		s.flush()
		for b := range int64(8) {
			s.read(1, b) // evicts it
		}
		s.write(1, 20, 'z')
		s.reboot(int(seed%5), seed)
		assert.Equal(t, byte('a'), s.read(0, 1))
	}
}

func TestAnotherCachesDataIsNeverTaken(t *testing.T) {
	s := newStand(t, 16)
	s.write(0, 0, 'x')
	s.submit(Request{Kind: Flush})
	for name, other := range map[string]Config{
		"another tag":   {Disks: s.c.config.Disks, Quota: s.c.config.Quota, Tag: 8},
		"other disks":   {Disks: []int64{1 << 20, 1 << 21}, Quota: s.c.config.Quota, Tag: 7},
		"another quota": {Disks: s.c.config.Disks, Quota: s.c.config.Quota - BlockSize, Tag: 7},
	} {
		_, err := Recover(other, s.dev)
		assert.ErrorIs(t, err, ErrForeign, name)
	}
	_, err := Recover(s.c.config, newDevice(s.c.config.Size()))
	assert.ErrorIs(t, err, ErrForeign, "a device that holds nothing")
	_, err = Recover(s.c.config, brokenReader{})
	assert.ErrorIs(t, err, ErrDevice)
}

type brokenReader struct{}

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func TestARegionThatIsUsedAgainBeginsEmpty(t *testing.T) {
	s := newStand(t, 16)
	for i := range 40 { // some epochs
		s.write(0, int64(i%5), 'x')
		s.submit(Request{Kind: Flush})
	}
	config := s.c.config
	config.Tag++
	c, out := New(config)
	Drive(c, s.dev, out)
	s.dev.powerCut(4, rand.New(rand.NewPCG(1, 1)))
	c, err := Recover(config, s.dev)
	require.NoError(t, err)
	assert.Zero(t, c.Stats().Dirty)
	_, err = Recover(s.c.config, s.dev)
	assert.ErrorIs(t, err, ErrForeign)
}

func TestACheckpointOfManyBatchesCountsOnlyAsAWhole(t *testing.T) {
	const blocks = perBatch + 500
	s := newStand(t, blocks+100, blocks*BlockSize)
	for b := range int64(blocks) {
		s.write(0, b, byte(b))
	}
	s.submit(Request{Kind: Flush})
	s.reboot(0, 1)
	require.Equal(t, blocks, s.c.Stats().Dirty)
	s.write(0, 0, 'n') // the next sync is a checkpoint
	second := s.c.layout.areaAt(s.c.sync.upcoming()) + batchSize(perBatch)
	err := s.failedBy(func(op OpKind, off int64) bool { return op == DeviceWrite && off == second }, Request{Kind: Flush})
	require.ErrorIs(t, err, ErrDevice)
	_, err = s.dev.WriteAt(s.c.layout.encodeSuper(s.c.sync.epoch+1), s.c.layout.superAt(s.c.sync.epoch+1))
	require.NoError(t, err)
	s.reboot(4, 1)
	assert.Equal(t, blocks, s.c.Stats().Dirty, "those of the epoch before")
	assert.Zero(t, s.read(0, 0))
	assert.Equal(t, byte(5), s.read(0, 256+5))
}

// rotten changes a byte of what the guest sees of a block.
func (s *stand) rotten(disk int, block int64) {
	e := s.c.table.entries[s.c.table.get(keyOf(disk, block))]
	s.dev.rot(s.c.layout.slotAt(e.now) + 77)
}

func TestARottenCleanBlockIsFetchedAgain(t *testing.T) {
	s := newStand(t, 16)
	s.prem[BlockRef{0, 1}] = bytes.Repeat([]byte{'p'}, BlockSize)
	s.read(0, 1)
	s.rotten(0, 1)
	assert.Equal(t, byte('p'), s.read(0, 1))
	assert.Equal(t, uint64(1), s.c.Stats().Healed)
	assert.Equal(t, byte('p'), s.read(0, 1))
	assert.Equal(t, uint64(1), s.c.Stats().Healed)
}

func TestARottenDirtyBlockIsAnErrorUntilItIsWrittenAnew(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash %t", crash), func(t *testing.T) {
			s := newStand(t, 16)
			s.write(0, 1, 'a')
			s.submit(Request{Kind: Flush})
			s.rotten(0, 1)
			if crash {
				s.reboot(4, 1)
			}
			read := s.submit(Request{Kind: Read, Off: BlockSize, Data: make([]byte, BlockSize)})
			part := s.submit(Request{Kind: Write, Off: BlockSize, Data: make([]byte, SectorSize)})
			require.Contains(t, s.done, read)
			assert.ErrorIs(t, s.done[read], ErrRotten)
			assert.ErrorIs(t, s.done[part], ErrRotten)
			number, _, err := s.c.Cut()
			require.NoError(t, err)
			s.take(s.c.Pull(9))
			require.Len(t, s.chunks, 1)
			assert.ErrorIs(t, s.chunks[0].Err, ErrRotten)
			s.take(s.c.Pull(9))
			require.Len(t, s.chunks, 1, "no more come")
			s.take(s.c.Abandon(number))
			s.write(0, 1, 'b')
			s.flush()
			assert.Equal(t, byte('b'), s.letter(0, 1))
		})
	}
}

// faulty is a device that fails what a test says.
type faulty struct {
	*device
	fails func(op OpKind, off int64) bool
}

func (f *faulty) ReadAt(p []byte, off int64) (int, error) {
	if f.fails(DeviceRead, off) {
		return 0, errBroken
	}
	return f.device.ReadAt(p, off)
}

func (f *faulty) WriteAt(p []byte, off int64) (int, error) {
	if f.fails(DeviceWrite, off) {
		return 0, errBroken
	}
	return f.device.WriteAt(p, off)
}

func (f *faulty) Flush() error {
	if f.fails(DeviceFlush, 0) {
		return errBroken
	}
	return f.device.Flush()
}

// failedBy drives a request on a device with that fault, and returns its error.
func (s *stand) failedBy(fails func(OpKind, int64) bool, r Request) error {
	s.t.Helper()
	s.next++
	r.ID = s.next
	out := Drive(s.c, &faulty{s.dev, fails}, s.c.Submit(r))
	require.Len(s.t, out.Done, 1)
	return out.Done[0].Err
}

func TestAWriteThatTheDeviceRefusesLeavesWhatWas(t *testing.T) {
	s := newStand(t, 16)
	s.write(0, 0, 'a')
	s.write(0, 1, 'a')
	n := 0
	err := s.failedBy(func(op OpKind, _ int64) bool { n++; return op == DeviceWrite && n == 2 },
		Request{Kind: Write, Data: bytes.Repeat([]byte{'b'}, 2*BlockSize)})
	assert.ErrorIs(t, err, ErrDevice)
	assert.ErrorIs(t, err, errBroken)
	assert.Equal(t, byte('a'), s.read(0, 0), "not half of it either")
	assert.Equal(t, byte('a'), s.read(0, 1))
	assert.NoError(t, s.c.audit())
}

func TestAFlushThatTheDeviceRefusesIsRefused(t *testing.T) {
	s := newStand(t, 16)
	s.write(0, 0, 'a')
	err := s.failedBy(func(op OpKind, _ int64) bool { return op == DeviceFlush }, Request{Kind: Flush})
	assert.ErrorIs(t, err, ErrDevice)
	err = s.failedBy(func(op OpKind, off int64) bool { return op == DeviceWrite && off < s.c.layout.slotAt(0) }, Request{Kind: Flush})
	assert.ErrorIs(t, err, errBroken)
	s.submit(Request{Kind: Flush})
	s.reboot(0, 1)
	assert.Equal(t, byte('a'), s.read(0, 0), "the next one went well, and counts")
}

func TestAWriteThatWaitsGetsOnAfterASyncThatFailed(t *testing.T) {
	s := newStand(t, 8)
	for b := range int64(8) {
		s.write(0, b, 'a')
	}
	waits := s.write(0, 8, 'b')
	number, _, err := s.c.Cut()
	require.NoError(t, err)
	s.pull(number)
	out := Drive(s.c, &faulty{s.dev, func(op OpKind, _ int64) bool { return op == DeviceFlush }}, s.c.Applied(number))
	assert.NotContains(t, s.done, waits, "the index may still name every slot")
	assert.True(t, out.FlushWanted)
	s.flush()
	assert.NoError(t, s.done[waits])
	assert.Contains(t, s.done, waits)
}

func TestACutThatCannotBeReadSaysSo(t *testing.T) {
	for _, kind := range []OpKind{DeviceRead, DeviceFlush} {
		s := newStand(t, 16)
		s.write(0, 0, 'a')
		number, _, err := s.c.Cut()
		require.NoError(t, err)
		out := Drive(s.c, &faulty{s.dev, func(op OpKind, _ int64) bool { return op == kind }}, s.c.Pull(9))
		require.Len(t, out.Chunks, 1)
		assert.True(t, errors.Is(out.Chunks[0].Err, ErrDevice))
		s.take(s.c.Abandon(number))
		s.flush()
		assert.Equal(t, byte('a'), s.letter(0, 0), "the next one can")
	}
}

func TestAReadErrorOfACleanBlockIsHealed(t *testing.T) {
	s := newStand(t, 16)
	s.read(0, 0)
	s.next++
	p := make([]byte, BlockSize)
	out := Drive(s.c, &faulty{s.dev, func(op OpKind, _ int64) bool { return op == DeviceRead }},
		s.c.Submit(Request{ID: s.next, Kind: Read, Data: p}))
	require.Empty(t, out.Done)
	require.Len(t, out.Ops, 1, "it is fetched")
	s.write(0, 1, 'd')
	assert.ErrorIs(t, s.failedBy(func(op OpKind, _ int64) bool { return op == DeviceRead },
		Request{Kind: Read, Off: BlockSize, Data: p}), ErrDevice, "a dirty one is nowhere else")
}

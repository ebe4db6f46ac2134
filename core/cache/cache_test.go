package cache

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stand is a cache that is driven by hand: what it wants of its device is done
// at once, what it wants of the premises waits.
type stand struct {
	t       *testing.T
	c       *Cache
	dev     *device
	prem    map[BlockRef][]byte
	fetches []Op
	done    map[uint64]error
	order   []uint64
	chunks  []Chunk
	wanted  bool
	next    uint64
}

func newStand(t *testing.T, slots int64, disks ...int64) *stand {
	if len(disks) == 0 {
		disks = []int64{1 << 20, 1 << 20}
	}
	config := Config{Disks: disks, Quota: slots * BlockSize, Tag: 7}
	s := &stand{t: t, dev: newDevice(config.Size()), prem: map[BlockRef][]byte{}, done: map[uint64]error{}}
	c, out := New(config)
	s.c = c
	s.take(out)
	return s
}

func (s *stand) take(out Out) {
	out = Drive(s.c, s.dev, out)
	s.fetches = append(s.fetches, out.Ops...)
	s.chunks = append(s.chunks, out.Chunks...)
	s.wanted = out.FlushWanted
	for _, d := range out.Done {
		s.done[d.ID] = d.Err
		s.order = append(s.order, d.ID)
	}
}

func (s *stand) submit(r Request) uint64 {
	s.next++
	r.ID = s.next
	s.take(s.c.Submit(r))
	return r.ID
}

// write writes whole blocks of a letter.
func (s *stand) write(disk int, block int64, letter byte) uint64 {
	return s.submit(Request{Kind: Write, Disk: disk, Off: block * BlockSize, Data: bytes.Repeat([]byte{letter}, BlockSize)})
}

// fetch lets the premises answer all fetches.
func (s *stand) fetch() {
	for len(s.fetches) > 0 {
		op := s.fetches[0]
		s.fetches = s.fetches[1:]
		clear(op.Data)
		copy(op.Data, s.prem[BlockRef{op.Disk, op.Block}])
		s.take(s.c.Complete(op.ID, nil))
	}
}

// read returns the letter of a block, which must be all of it.
func (s *stand) read(disk int, block int64) byte {
	s.t.Helper()
	p := make([]byte, BlockSize)
	id := s.submit(Request{Kind: Read, Disk: disk, Off: block * BlockSize, Data: p})
	s.fetch()
	err, done := s.done[id]
	require.True(s.t, done)
	require.NoError(s.t, err)
	require.Equal(s.t, bytes.Repeat(p[:1], BlockSize), p)
	return p[0]
}

// flush takes a cut, brings it to the premises, and says whether it was whole.
func (s *stand) flush() {
	s.t.Helper()
	number, _, err := s.c.Cut()
	require.NoError(s.t, err)
	for range s.pull(number) {
		s.take(s.c.Applied(number))
	}
}

// pull pulls all of a cut and applies it, though the cache is not told.
func (s *stand) pull(number uint64) []Chunk {
	s.t.Helper()
	s.chunks = nil
	for len(s.chunks) == 0 || !s.chunks[len(s.chunks)-1].Last {
		s.take(s.c.Pull(3))
		require.NotEmpty(s.t, s.chunks)
		require.NoError(s.t, s.chunks[len(s.chunks)-1].Err)
	}
	for i, k := range s.chunks {
		require.Equal(s.t, number, k.Cut)
		require.Equal(s.t, i, k.Seq)
		for _, b := range k.Blocks {
			s.prem[BlockRef{b.Disk, b.Block}] = b.Data
		}
	}
	return s.chunks
}

func (s *stand) letter(disk int, block int64) byte {
	if p := s.prem[BlockRef{disk, block}]; p != nil {
		return p[0]
	}
	return 0
}

func TestABlockThatIsHeldIsReadWithoutThePremises(t *testing.T) {
	s := newStand(t, 16)
	s.prem[BlockRef{0, 3}] = bytes.Repeat([]byte{'p'}, BlockSize)
	assert.Equal(t, byte('p'), s.read(0, 3))
	misses := s.c.Stats().Misses
	for range 10 {
		p := make([]byte, BlockSize)
		s.submit(Request{Kind: Read, Off: 3 * BlockSize, Data: p})
		assert.Equal(t, byte('p'), p[0])
		assert.Empty(t, s.fetches)
	}
	assert.Equal(t, misses, s.c.Stats().Misses)
}

func TestAWorkingSetThatFitsIsFetchedOnce(t *testing.T) {
	s := newStand(t, 64)
	for range 20 {
		for b := range int64(64) {
			s.read(0, b)
		}
	}
	stats := s.c.Stats()
	assert.Equal(t, uint64(64), stats.Misses)
	assert.Equal(t, uint64(19*64), stats.Hits)
}

func TestReadsOfTheSameBlockShareOneFetch(t *testing.T) {
	s := newStand(t, 16)
	for range 5 {
		s.submit(Request{Kind: Read, Off: 512, Data: make([]byte, 1024)})
	}
	s.submit(Request{Kind: Write, Off: 0, Data: make([]byte, 512)})
	assert.Len(t, s.fetches, 1)
	s.fetch()
	assert.Len(t, s.done, 6)
}

func TestAFetchThatTheGuestOvertookIsNotKept(t *testing.T) {
	s := newStand(t, 8)
	old := make([]byte, BlockSize)
	early := s.submit(Request{Kind: Read, Data: old})
	late := s.fetches[0]
	s.fetches = nil
	s.write(0, 0, 'n')
	s.flush()
	for b := range int64(8) { // until the block is evicted
		s.read(1, b)
	}
	p := make([]byte, BlockSize)
	s.submit(Request{Kind: Read, Data: p})
	require.Len(t, s.fetches, 1, "a fetch of its own: the older one brings what was")
	s.take(s.c.Complete(late.ID, nil))
	assert.Contains(t, s.done, early)
	s.fetch()
	assert.Equal(t, byte('n'), p[0])
	assert.Equal(t, byte('n'), s.read(0, 0))
}

func TestTheBlockUsedLeastRecentlyIsEvictedFirst(t *testing.T) {
	s := newStand(t, 8)
	for b := range int64(8) {
		s.read(0, b)
	}
	s.read(0, 0)
	s.read(0, 8)
	misses := s.c.Stats().Misses
	s.read(0, 0)
	assert.Equal(t, misses, s.c.Stats().Misses)
	s.read(0, 1)
	assert.Equal(t, misses+1, s.c.Stats().Misses)
}

func TestAFullCacheOfDirtyBlocksStallsWritesAndWantsAFlush(t *testing.T) {
	s := newStand(t, 8)
	for b := range int64(8) {
		s.write(0, b, 'a')
	}
	first, second := s.write(0, 8, 'b'), s.write(0, 9, 'c')
	assert.True(t, s.wanted)
	assert.Equal(t, 2, s.c.Stats().Stalled)
	assert.NotContains(t, s.done, first)
	s.order = nil
	s.flush()
	assert.Equal(t, []uint64{first, second}, s.order, "in the order in which they came")
	s.flush()
	for b := range int64(8) {
		assert.Equal(t, byte('a'), s.letter(0, b))
	}
	assert.Equal(t, byte('c'), s.letter(0, 9))
}

func TestAFlushIsWantedAtTheHighMark(t *testing.T) {
	s := newStand(t, 16)
	for b := range int64(8) {
		assert.False(t, s.wanted)
		s.write(0, b, 'a')
	}
	assert.True(t, s.wanted)
	_, _, err := s.c.Cut()
	require.NoError(t, err)
	s.write(0, 9, 'b')
	assert.False(t, s.wanted, "one is under way")
}

func TestAFlushWritesEachBlockOnceHoweverOftenItWasWritten(t *testing.T) {
	s := newStand(t, 16)
	for i := range 100 {
		s.write(0, 1, byte(i))
	}
	_, blocks, err := s.c.Cut()
	require.NoError(t, err)
	assert.Equal(t, 1, blocks)
	assert.Equal(t, uint64(99*BlockSize), s.c.Stats().Overwritten)
}

func TestOneCutAtATime(t *testing.T) {
	s := newStand(t, 16)
	number, _, err := s.c.Cut()
	require.NoError(t, err)
	_, _, err = s.c.Cut()
	assert.ErrorIs(t, err, ErrCut)
	s.take(s.c.Applied(number))
	_, _, err = s.c.Cut()
	assert.ErrorIs(t, err, ErrCut, "it was not handed over as a whole, so nobody can have applied it")
	s.take(s.c.Abandon(number + 1))
	_, _, err = s.c.Cut()
	assert.ErrorIs(t, err, ErrCut, "another one was abandoned")
	require.Len(t, s.pull(number), 1, "a cut of nothing is one empty chunk")
	s.take(s.c.Applied(number))
	_, _, err = s.c.Cut()
	assert.NoError(t, err)
}

func TestRequestsThatCannotBeServedAreRefused(t *testing.T) {
	s := newStand(t, 16, 10*BlockSize)
	for name, r := range map[string]Request{
		"no such disk":        {Kind: Read, Disk: 1},
		"a disk below zero":   {Kind: Read, Disk: -1},
		"before the disk":     {Kind: Write, Off: -SectorSize, Data: make([]byte, SectorSize)},
		"over the end":        {Kind: Write, Off: 9 * BlockSize, Data: make([]byte, BlockSize+SectorSize)},
		"far over the end":    {Kind: Read, Off: 1 << 62, Data: make([]byte, SectorSize)},
		"not at a sector":     {Kind: Read, Off: 1, Data: make([]byte, SectorSize)},
		"not a whole sector":  {Kind: Read, Data: make([]byte, 1)},
		"more than fits":      {Kind: Write, Data: make([]byte, 9*BlockSize)},
		"no kind that exists": {Kind: 9, Data: make([]byte, SectorSize)},
	} {
		err, done := s.done[s.submit(r)]
		require.True(t, done, name)
		assert.ErrorIs(t, err, ErrRequest, name)
		assert.NotEmpty(t, err.Error())
	}
	assert.NoError(t, s.done[s.submit(Request{Kind: Write})], "a write of nothing is a write")
}

func TestRequestsAreBounded(t *testing.T) {
	s := newStand(t, 16)
	for range maxRequests {
		s.submit(Request{Kind: Read, Data: make([]byte, SectorSize)})
	}
	require.Len(t, s.fetches, 1)
	assert.ErrorIs(t, s.done[s.submit(Request{Kind: Flush})], ErrBusy)
	s.fetch()
	assert.NoError(t, s.done[s.submit(Request{Kind: Flush})])
}

func TestAnOperationThatIsNotOutstandingIsIgnored(t *testing.T) {
	s := newStand(t, 16)
	s.submit(Request{Kind: Read, Data: make([]byte, BlockSize)})
	op := s.fetches[0]
	s.fetch()
	assert.Equal(t, Out{}, s.c.Complete(op.ID, nil), "it was completed")
	assert.Equal(t, Out{}, s.c.Complete(1<<40, nil), "there was none")
	assert.Equal(t, Out{}, s.c.Complete(99, nil), "there was none")
}

func TestBlocksThatWereWrittenAreToldOnce(t *testing.T) {
	s := newStand(t, 16, 1<<30)
	s.write(0, 100000, 'a')
	s.write(0, 5, 'a')
	s.write(0, 70, 'a')
	s.read(0, 7)
	assert.Equal(t, 3, s.c.Changed())
	assert.Equal(t, []BlockRef{{0, 5}, {0, 70}}, s.c.TakeChanged(2))
	s.flush()
	assert.Equal(t, []BlockRef{{0, 100000}}, s.c.TakeChanged(2), "a flush does not take them")
	assert.Zero(t, s.c.Changed())
	s.write(0, 5, 'b')
	assert.Equal(t, []BlockRef{{0, 5}}, s.c.TakeChanged(2))
	assert.Empty(t, s.c.TakeChanged(2))
}

func TestWhatThePremisesDoNotGiveIsAnErrorOfWhoNeedsIt(t *testing.T) {
	s := newStand(t, 16)
	read := s.submit(Request{Kind: Read, Data: make([]byte, BlockSize)})
	part := s.submit(Request{Kind: Write, Data: make([]byte, SectorSize)})
	whole := s.write(0, 1, 'w')
	gone := errors.New("link is down")
	s.take(s.c.Complete(s.fetches[0].ID, gone))
	for _, id := range []uint64{read, part} {
		require.Contains(t, s.done, id)
		assert.ErrorIs(t, s.done[id], ErrFetch)
		assert.ErrorIs(t, s.done[id], gone)
	}
	assert.NoError(t, s.done[whole], "a whole block needs nobody")
	s.fetches = nil
	assert.Zero(t, s.read(0, 0), "the next one asks again")
}

func TestABusyCacheIsTheSameEveryTime(t *testing.T) {
	trace := func() []uint64 {
		s := newStand(t, 12)
		for i := range 200 {
			s.write(i%2, int64(i*7%40), byte(i))
			s.read(i%2, int64(i*5%40))
			if i%9 == 8 {
				s.flush()
			}
		}
		return append(s.order, s.c.Stats().Evictions, s.c.Stats().Misses)
	}
	assert.Equal(t, trace(), trace())
}

func TestAGroupOfVMsIsCutAtOneInstant(t *testing.T) {
	group := []*stand{newStand(t, 16), newStand(t, 16)}
	numbers := make([]uint64, len(group))
	for _, s := range group {
		s.write(0, 0, 'b')
	}
	for i, s := range group {
		var err error
		numbers[i], _, err = s.c.Cut()
		require.NoError(t, err)
	}
	for _, s := range group {
		s.write(0, 0, 'a')
		s.write(0, 1, 'a')
		s.submit(Request{Kind: Flush})
	}
	for i, s := range group {
		s.pull(numbers[i])
		assert.Equal(t, byte('b'), s.letter(0, 0), "what was written before")
		assert.Zero(t, s.letter(0, 1), "nothing that was written after")
	}
}

func TestACutIsAllDisksAtOneInstant(t *testing.T) {
	s := newStand(t, 32, 1<<20, 1<<20, 1<<20)
	for disk := range 3 {
		s.write(disk, 4, 'b')
	}
	number, blocks, err := s.c.Cut()
	require.NoError(t, err)
	assert.Equal(t, 3, blocks)
	for disk := range 3 {
		s.write(disk, 4, 'a')
		s.take(s.c.Pull(1))
		s.write(2-disk, 5, 'a')
	}
	for _, k := range s.chunks {
		for _, b := range k.Blocks {
			assert.Equal(t, byte('b'), b.Data[0])
			assert.Equal(t, int64(4), b.Block)
		}
	}
	require.True(t, s.chunks[2].Last)
	s.take(s.c.Applied(number))
	assert.Equal(t, byte('a'), s.read(0, 4), "the guest sees what it wrote since")
	assert.Equal(t, 6, s.c.Stats().Dirty)
}

func TestACutThatWasAbandonedIsInTheNextOne(t *testing.T) {
	s := newStand(t, 16)
	s.write(0, 0, 'a')
	s.write(0, 1, 'a')
	number, _, err := s.c.Cut()
	require.NoError(t, err)
	s.take(s.c.Pull(1))
	s.write(0, 1, 'b')
	s.take(s.c.Abandon(number))
	s.flush()
	assert.Equal(t, byte('a'), s.letter(0, 0))
	assert.Equal(t, byte('b'), s.letter(0, 1), "the later content wins")
	assert.Zero(t, s.c.Stats().Dirty)
}

func TestFiguresTellWhatIsHeld(t *testing.T) {
	s := newStand(t, 16)
	s.read(0, 0)
	s.write(0, 1, 'a')
	s.write(0, 2, 'a')
	_, _, err := s.c.Cut()
	require.NoError(t, err)
	s.write(0, 2, 'b')
	stats := s.c.Stats()
	assert.Equal(t, Stats{
		Slots: 16, Free: 12, Clean: 1, Dirty: 2, Frozen: 2, Misses: 1, Syncs: 1, Checkpoints: 1,
		BytesRead: BlockSize, Absorbed: 3 * BlockSize, Overwritten: BlockSize,
	}, stats)
}

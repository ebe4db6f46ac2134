package home

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/sim/disk"
)

func opened(t *testing.T, p *premises) *Home {
	t.Helper()
	h, err := p.open()
	require.NoError(t, err)
	return h
}

// one is a flush of one chunk: block 1 of the first disk, filled with v.
func one(number uint64, v byte) flush {
	return flush{number, [][]cache.Block{{{Disk: 0, Block: 1, Data: bytes.Repeat([]byte{v}, cache.BlockSize)}}}}
}

func (p *premises) holds(t *testing.T, h *Home, v byte) {
	t.Helper()
	got := make([]byte, cache.BlockSize)
	require.NoError(t, h.Read(0, 1, got))
	require.Equal(t, bytes.Repeat([]byte{v}, cache.BlockSize), got)
}

func TestReadsSeeTheLastAppliedFlushWhileAnotherIsOpen(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	p.holds(t, h, 0)
	require.NoError(t, one(1, 'a').send(h, (*Home).Commit))
	require.NoError(t, one(2, 'b').stage(h))
	p.holds(t, h, 'a')
	require.NoError(t, h.Commit(2, 1, one(2, 'b').sum()))
	p.holds(t, h, 'b')
	assert.EqualValues(t, 2, h.Last())
}

func TestAFlushThatWasAbortedLeavesNothing(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	require.NoError(t, one(1, 'a').stage(h))
	require.NoError(t, h.Abort(1))
	require.NoError(t, h.Abort(1), "it is not here: nothing is left to do")
	p.holds(t, h, 0)
	require.ErrorIs(t, h.Commit(1, 1, one(1, 'a').sum()), ErrUnknown)
	require.NoError(t, one(1, 'b').send(h, (*Home).Commit), "its number may be used again")
	p.holds(t, h, 'b')
	require.ErrorIs(t, h.Abort(1), ErrApplied)
}

func TestRepeatsOfAnAppliedFlushAnswerNilAndDoNothing(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	for _, reopened := range []bool{false, true} {
		if reopened {
			h = opened(t, p)
		}
		require.NoError(t, one(1, 'a').send(h, (*Home).Commit))
		p.holds(t, h, 'a')
	}
	require.NoError(t, one(1, 'b').stage(h))
	require.ErrorIs(t, h.Commit(1, 1, one(1, 'b').sum()), ErrConflict, "another flush under its number is not taken for it")
	p.holds(t, h, 'a')
}

func TestWhatIsOutOfOrderIsRefusedAndChangesNothing(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	require.NoError(t, one(5, 'a').send(h, (*Home).Commit))
	f := flush{6, append(one(0, 'b').chunks, one(0, 'c').chunks...)}

	require.ErrorIs(t, h.Begin(0), ErrStale)
	require.ErrorIs(t, h.Begin(4), ErrStale)
	require.ErrorIs(t, h.Put(4, 0, nil), ErrStale)
	require.ErrorIs(t, h.Commit(4, 0, [32]byte{}), ErrStale)
	require.ErrorIs(t, h.Put(6, 0, nil), ErrUnknown)
	require.ErrorIs(t, h.Commit(6, 0, [32]byte{}), ErrUnknown)
	require.NoError(t, h.Begin(6))
	require.ErrorIs(t, h.Put(6, 1, f.chunks[1]), ErrOrder)
	require.NoError(t, h.Put(6, 0, f.chunks[0]))
	require.ErrorIs(t, h.Put(6, 0, f.chunks[0]), ErrOrder)
	require.ErrorIs(t, h.Put(7, 1, f.chunks[1]), ErrUnknown)
	require.ErrorIs(t, h.Commit(6, 2, f.sum()), ErrOrder, "a chunk is missing")
	require.NoError(t, h.Put(6, 1, f.chunks[1]))
	require.ErrorIs(t, h.Commit(6, 2, [32]byte{1}), ErrSum)
	p.holds(t, h, 'a')
	require.NoError(t, h.Commit(6, 2, f.sum()))
	p.holds(t, h, 'c')
}

func TestALaterFlushTakesThePlaceOfAnOpenOne(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	require.NoError(t, one(2, 'a').stage(h))
	require.ErrorIs(t, h.Begin(1), ErrStale)
	require.NoError(t, one(3, 'b').stage(h))
	require.ErrorIs(t, h.Commit(2, 1, one(2, 'a').sum()), ErrUnknown)
	require.NoError(t, one(3, 'c').send(h, (*Home).Commit), "begun again from its first chunk")
	p.holds(t, h, 'c')
}

func TestBlocksOutsideOfTheDisksAreRefused(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	require.NoError(t, h.Begin(1))
	content := make([]byte, cache.BlockSize)
	for _, b := range []cache.Block{
		{Disk: -1, Data: content},
		{Disk: 2, Data: content},
		{Block: -1, Data: content},
		{Block: 9, Data: content},
		{Disk: 1, Block: 6, Data: content},
		{Data: content[:100]},
		{Disk: 1, Block: 5, Data: content[:3*512-1]},
		{Data: append(content, 1)},
	} {
		require.ErrorIs(t, h.Put(1, 0, []cache.Block{b}), ErrRange, "disk %d, block %d, %d bytes", b.Disk, b.Block, len(b.Data))
		require.ErrorIs(t, h.Read(b.Disk, b.Block, make([]byte, len(b.Data))), ErrRange)
	}
	require.NoError(t, h.Put(1, 0, []cache.Block{{Disk: 1, Block: 5, Data: content[:3*512]}}), "the last one ends with its disk")
}

func TestALimitIsRefusedBeforeItIsReached(t *testing.T) {
	p := newPremises()
	p.stage.Disk = disk.New("stage", dataStart+2*(cache.BlockSize+100))
	h := opened(t, p)
	require.NoError(t, h.Begin(1))
	chunk := one(1, 'a').chunks[0]
	require.ErrorIs(t, h.Put(1, 0, make([]cache.Block, MaxChunkBlocks+1)), ErrLimit)
	require.NoError(t, h.Put(1, 0, chunk))
	require.NoError(t, h.Put(1, 1, chunk))
	require.ErrorIs(t, h.Put(1, 2, chunk), ErrLimit, "the stage is full")
	_, err := Open(p.stage, make([]Disk, MaxDisks+1))
	require.ErrorIs(t, err, ErrLimit)
}

func TestADeviceThatFailsLeavesAFlushThatCanBeFinished(t *testing.T) {
	fail := disk.ErrIO
	for name, c := range map[string]struct {
		fail    func(p *premises)
		dropped bool // the flush
	}{
		"the stage cannot flush":         {func(p *premises) { p.stage.FailFlushes(fail) }, true},
		"the stage cannot read back":     {func(p *premises) { p.stage.FailReads(disk.All, fail) }, true},
		"the decision is not written":    {func(p *premises) { p.stage.FailWrites(disk.Range{Len: dataStart}, fail) }, false},
		"the second disk is not written": {func(p *premises) { p.disks[1].FailWrites(disk.All, fail) }, false},
		"the first disk cannot flush":    {func(p *premises) { p.disks[0].FailFlushes(fail) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPremises()
			h := opened(t, p)
			f := flush{1, [][]cache.Block{{one(0, 'a').chunks[0][0], {Disk: 1, Block: 1, Data: make([]byte, cache.BlockSize)}}}}
			require.NoError(t, f.stage(h))
			c.fail(p)
			require.ErrorIs(t, h.Commit(1, 1, f.sum()), fail)
			for _, d := range append(p.disks, p.stage) {
				d.Heal()
			}
			if c.dropped {
				p.holds(t, h, 0)
				require.ErrorIs(t, h.Commit(1, 1, f.sum()), ErrUnknown)
				require.NoError(t, f.stage(h))
			}
			require.NoError(t, h.Commit(1, 1, f.sum()))
			p.holds(t, h, 'a')
		})
	}
}

func TestHalfAFlushIsNeverRead(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	f := one(1, 'a')
	require.NoError(t, f.stage(h))
	p.disks[0].FailFlushes(disk.ErrIO)
	require.ErrorIs(t, h.Commit(1, 1, f.sum()), ErrUnfinished)
	got := make([]byte, cache.BlockSize)
	require.ErrorIs(t, h.Read(0, 2, got), ErrUnfinished)
	require.ErrorIs(t, h.Begin(2), ErrUnfinished)
	require.ErrorIs(t, h.Put(1, 1, nil), ErrUnfinished)
	require.ErrorIs(t, h.Abort(1), ErrApplied, "it is decided")
	_, err := p.open()
	require.ErrorIs(t, err, ErrUnfinished)
	p.disks[0].Heal()
	p.holds(t, h, 'a')
	assert.EqualValues(t, 1, h.Last())
}

func TestADecisionInDoubtCanBeTakenBack(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	require.NoError(t, one(1, 'a').send(h, (*Home).Commit))
	f := one(2, 'b')
	require.NoError(t, f.stage(h))
	p.stage.FailWrites(disk.Range{Len: dataStart}, disk.ErrIO)
	require.ErrorIs(t, h.Commit(2, 1, f.sum()), disk.ErrIO)
	p.holds(t, h, 'a')
	require.ErrorIs(t, h.Abort(2), disk.ErrIO, "it cannot be known yet")
	require.ErrorIs(t, h.Begin(3), disk.ErrIO)
	p.stage.Heal()
	require.NoError(t, h.Abort(2))
	h = opened(t, p)
	p.holds(t, h, 'a')
	assert.EqualValues(t, 1, h.Last())
}

func TestAStageThatLosesWhatItWasGivenIsFoundOutBeforeTheDisksAreTouched(t *testing.T) {
	for name, lose := range map[string]func(d *disk.Disk){
		"lost": func(d *disk.Disk) { d.LoseWrites(disk.Range{Off: dataStart, Len: 1 << 20}) },
		"torn": func(d *disk.Disk) { d.TearWrites(disk.Range{Off: dataStart, Len: 1 << 20}, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPremises()
			h := opened(t, p)
			require.NoError(t, one(1, 'a').send(h, (*Home).Commit))
			lose(p.stage.Disk)
			require.ErrorIs(t, one(2, 'b').send(h, (*Home).Commit), ErrDamaged)
			p.holds(t, h, 'a')
			p.holds(t, opened(t, p), 'a')
		})
	}
}

func TestADamagedStageIsRefused(t *testing.T) {
	p := newPremises()
	for _, at := range []int64{0, slotSize} {
		_, err := p.stage.WriteAt([]byte("rubbish"), at)
		require.NoError(t, err)
	}
	_, err := p.open()
	require.ErrorIs(t, err, ErrDamaged)

	p = newPremises()
	h := opened(t, p)
	require.NoError(t, one(1, 'a').stage(h))
	p.disks[0].FailFlushes(disk.ErrIO)
	require.Error(t, h.Commit(1, 1, one(1, 'a').sum()))
	_, err = p.stage.WriteAt([]byte{'x'}, dataStart+100)
	require.NoError(t, err)
	_, err = p.open()
	require.ErrorIs(t, err, ErrDamaged, "what is decided cannot be done again")
	assert.ErrorContains(t, err, "open: flush 1: ")
}

func TestARecordThatIsTornLeavesTheOneBefore(t *testing.T) {
	p := newPremises()
	h := opened(t, p)
	for n := range uint64(4) {
		require.NoError(t, one(n+1, byte(n+1)).send(h, (*Home).Commit))
		f := one(n+2, 'x')
		require.NoError(t, f.stage(h))
		require.NoError(t, h.decide())
		_, err := p.stage.WriteAt([]byte("torn"), int64(h.slots.at)*slotSize+20)
		require.NoError(t, err)
		h = opened(t, p)
		require.Equal(t, n+1, h.Last(), "the decision was not durable")
		p.holds(t, h, byte(n+1))
	}
}

func TestWhatTheDisksTearOrLoseIsAppliedAgain(t *testing.T) {
	for name, silent := range map[string]error{"torn": disk.ErrTorn, "lost": disk.ErrLost} {
		t.Run(name, func(t *testing.T) {
			p := newPremises()
			h := opened(t, p)
			f := one(1, 'a')
			require.NoError(t, f.stage(h))
			p.disks[0].SetFault(func(op disk.Op, _ int64, _ int) error { return map[disk.Op]error{disk.Write: silent}[op] })
			err := h.Commit(1, 1, f.sum())
			require.ErrorIs(t, err, ErrTorn)
			require.ErrorIs(t, err, ErrUnfinished, "it has been decided")
			assert.Zero(t, h.Last(), "and is not told as applied")
			p.disks[0].SetFault(nil)
			require.NoError(t, h.Commit(1, 1, f.sum()))
			p.holds(t, h, 'a')
		})
	}
}

package home

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/sim/disk"
)

// premises are the devices, whose power goes after so many operations. The
// last block of the second disk is cut by its capacity.
type premises struct {
	stage *device
	disks []*device
	left  int // operations until the power goes; < 0: it does not
}

var capacities = []int64{9 * cache.BlockSize, 5*cache.BlockSize + 3*512}

func newPremises() *premises {
	p := &premises{left: -1}
	p.stage = &device{p, disk.New("stage", 1<<30)}
	for i, c := range capacities {
		p.disks = append(p.disks, &device{p, disk.New(fmt.Sprint("disk-", i), c)})
	}
	return p
}

func (p *premises) open() (*Home, error) {
	var disks []Disk
	for _, d := range p.disks {
		disks = append(disks, d)
	}
	return Open(p.stage, disks)
}

// device is a disk that stops when the power goes.
type device struct {
	p *premises
	*disk.Disk
}

type powerCut struct{}

func (p *premises) operate() {
	if p.left == 0 {
		panic(powerCut{})
	}
	p.left--
}

func (d *device) ReadAt(b []byte, off int64) (int, error) {
	d.p.operate()
	return d.Disk.ReadAt(b, off)
}

func (d *device) WriteAt(b []byte, off int64) (int, error) {
	d.p.operate()
	return d.Disk.WriteAt(b, off)
}

func (d *device) Flush() error {
	d.p.operate()
	return d.Disk.Flush()
}

// until does what it is told until the power goes, and says whether it did.
func (p *premises) until(operations int, do func()) (cut bool) {
	p.left = operations
	defer func() {
		p.left = -1
		switch r := recover(); r {
		case nil:
		case any(powerCut{}):
			cut = true
		default:
			panic(r)
		}
	}()
	do()
	return false
}

// crash leaves of what was not flushed what chance does.
func (p *premises) crash(r *rand.Rand) {
	p.stage.Crash(r)
	for _, d := range p.disks {
		d.Crash(r)
	}
}

// image is the disks as plain arrays.
type image [][]byte

func blank() image {
	var i image
	for _, c := range capacities {
		i = append(i, make([]byte, c))
	}
	return i
}

func (p *premises) image(t require.TestingT) image {
	i := blank()
	for n, d := range p.disks {
		_, err := d.Disk.ReadAt(i[n], 0)
		require.NoError(t, err)
	}
	return i
}

// after is the image after a flush.
func (i image) after(f flush) image {
	var next image
	for _, d := range i {
		next = append(next, bytes.Clone(d))
	}
	for _, chunk := range f.chunks {
		for _, b := range chunk {
			copy(next[b.Disk][b.Block*cache.BlockSize:], b.Data)
		}
	}
	return next
}

// flush is what a cloud cache would send.
type flush struct {
	number uint64
	chunks [][]cache.Block
}

func (f flush) sum() [32]byte {
	var s Sum
	for _, c := range f.chunks {
		s.Add(c)
	}
	return s.Bytes()
}

func (f flush) stage(h *Home) error {
	if err := h.Begin(f.number); err != nil {
		return err
	}
	for i, c := range f.chunks {
		if err := h.Put(f.number, i, c); err != nil {
			return err
		}
	}
	return nil
}

// A commit is that of Home, or a wrong one.
type commit func(h *Home, number uint64, chunks int, sum [32]byte) error

func (f flush) send(h *Home, how commit) error {
	if err := f.stage(h); err != nil {
		return err
	}
	return how(h, f.number, len(f.chunks), f.sum())
}

func drawFlush(r *rand.Rand, number uint64) flush {
	f := flush{number: number}
	for range r.IntN(4) {
		chunk := []cache.Block{}
		for range r.IntN(4) {
			d := r.IntN(len(capacities))
			b := cache.Block{Disk: d, Block: r.Int64N((capacities[d] + cache.BlockSize - 1) / cache.BlockSize), Data: make([]byte, cache.BlockSize)}
			for i := 0; i < cache.BlockSize; i += 64 {
				b.Data[i] = byte(r.Uint32())
			}
			chunk = append(chunk, b)
		}
		f.chunks = append(f.chunks, chunk)
	}
	return f
}

// course sends flushes until the power goes, after that many operations, cuts
// it again while Open recovers, and judges what is there then: the image after
// the last flush that was acknowledged, or after the next, as a whole. It says
// whether the power went before all was done.
func course(t require.TestingT, r *rand.Rand, how commit, operations int, again []int) (cut bool, err error) {
	p := newPremises()
	now := blank()
	next := now
	acked := uint64(0)
	cut = p.until(operations, func() {
		h, err := p.open()
		require.NoError(t, err)
		for n := uint64(1); n <= 3; n++ {
			f := drawFlush(r, n)
			next = now.after(f)
			require.NoError(t, f.send(h, how))
			now, acked = next, n
		}
	})
	for _, operations := range again {
		p.crash(r)
		p.until(operations, func() { _, _ = p.open() })
	}
	p.crash(r)
	h, err := p.open()
	if err != nil {
		return cut, err
	}
	return cut, p.judge(t, h, now, next, acked)
}

func (p *premises) judge(t require.TestingT, h *Home, now, next image, acked uint64) error {
	got := p.image(t)
	last := h.Last()
	switch {
	case last == acked && assert.ObjectsAreEqual(now, got):
	case last == acked+1 && assert.ObjectsAreEqual(next, got):
	default:
		return fmt.Errorf("after flush %d the disks hold neither the image before nor the one after a whole flush", last)
	}
	f := flush{last + 1, [][]cache.Block{{{Disk: 1, Block: 2, Data: bytes.Repeat([]byte{7}, cache.BlockSize)}}}}
	if err := f.send(h, (*Home).Commit); err != nil {
		return fmt.Errorf("the next flush: %w", err)
	}
	if !assert.ObjectsAreEqual(got.after(f), p.image(t)) {
		return errors.New("the next flush is not what the disks hold")
	}
	return nil
}

func TestAFlushIsAppliedAsAWholeOrNotAtAllWhereverThePowerGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "chance"), 0))
		operations := rapid.IntRange(0, 120).Draw(t, "operations")
		again := rapid.SliceOfN(rapid.IntRange(0, 30), 0, 3).Draw(t, "again")
		_, err := course(t, r, (*Home).Commit, operations, again)
		require.NoError(t, err)
	})
}

func TestEveryOperationOfAFlushMayBeTheLast(t *testing.T) {
	for seed := range uint64(8) {
		operations := everywhere(t, seed, (*Home).Commit, func(operations int, err error) {
			require.NoError(t, err, "seed %d, operation %d", seed, operations)
		})
		assert.Greater(t, operations, 20, "operations of three flushes")
	}
}

// everywhere runs the course of that seed once for each of its operations, with
// the power going there, and returns how many those are.
func everywhere(t require.TestingT, seed uint64, how commit, judged func(operations int, err error)) int {
	for operations := 0; ; operations++ {
		cut, err := course(t, rand.New(rand.NewPCG(seed, 0)), how, operations, nil)
		judged(operations, err)
		if !cut {
			return operations
		}
	}
}

// mutants are ways to commit that look right and are not.
var mutants = map[string]func(h *Home) error{
	"the disks are written before the decision": func(h *Home) error {
		return first(func() error { return h.replay(h.apply) }, h.decide, h.finish)
	},
	"the decision is written before the chunks are durable": func(h *Home) error {
		h.phase = doubtful // as if they had been secured
		return first(h.decide, h.finish)
	},
	"the flush is struck off before the disks are durable": func(h *Home) error {
		disks := h.disks
		apply := func() error { return h.replay(h.apply) }
		strike := func() error { h.disks = nil; h.flush.chunks, h.flush.bytes = 0, 0; return h.finish() }
		err := first(h.decide, apply, strike)
		h.disks = disks
		return err
	},
}

func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func TestAWrongOrderOfStepsIsCaught(t *testing.T) {
	for name, mutant := range mutants {
		t.Run(name, func(t *testing.T) {
			wrong := func(h *Home, number uint64, chunks int, sum [32]byte) error {
				h.sum.Sum(h.flush.sum[:0])
				return mutant(h)
			}
			caught := 0
			for seed := range uint64(16) {
				everywhere(t, seed, wrong, func(_ int, err error) {
					if err != nil {
						caught++
					}
				})
			}
			assert.Greater(t, caught, 5, "power cuts that showed it")
		})
	}
}

func TestADiskThatLosesFlushesIsCaught(t *testing.T) {
	caught := 0
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := newPremises()
		p.disks[0].LoseFlushes()
		h, err := p.open()
		require.NoError(t, err)
		f := flush{1, [][]cache.Block{{{Data: bytes.Repeat([]byte{1}, cache.BlockSize)}}}}
		require.NoError(t, f.send(h, (*Home).Commit))
		p.crash(r)
		h, err = p.open()
		require.NoError(t, err)
		if p.judge(t, h, blank().after(f), blank().after(f), 1) != nil {
			caught++
		}
	}
	assert.Greater(t, caught, 30)
}

package cache

import (
	"bytes"
	"errors"
	"fmt"
)

// takeCut takes a cut and notes what it has to be.
func (w *world) takeCut() {
	number, size, err := w.c.Cut()
	if err != nil {
		w.fail("cut: %w", err)
		return
	}
	w.cut = &flushing{number: number, size: size, least: w.model.floors(), writes: w.model.writes}
	if w.mutant.cutting != nil {
		w.mutant.cutting(w)
	}
}

func (w *world) pull(blocks int) {
	if w.cut.seq == 0 && w.mutant.pulling != nil {
		w.mutant.pulling(w)
	}
	w.take(w.c.Pull(blocks))
}

// chunk takes a part of the cut.
func (w *world) chunk(k Chunk) {
	f := w.cut
	switch {
	case f == nil || k.Cut != f.number || k.Seq != f.seq || f.whole || f.broken:
		w.fail("chunk %d of cut %d does not belong here", k.Seq, k.Cut)
	case k.Err != nil:
		if !w.failing && (!w.rotting || !errors.Is(k.Err, ErrRotten)) {
			w.fail("cut: %w", k.Err)
		}
		f.broken = true
	case k.Seq == 0 && k.Cut <= w.told:
		w.fail("cut %d: the premises have heard of cut %d", k.Cut, w.told)
	default:
		w.told = k.Cut
		f.seq++
		f.whole = k.Last
		f.blocks = append(f.blocks, k.Blocks...)
	}
}

// apply lets the premises apply a cut as a whole, and looks whether they then
// are as the VM's disks were at the instant of the cut.
func (w *world) apply() {
	f := w.cut
	if len(f.blocks) != f.size && w.mutant.cutting == nil {
		w.fail("the cut holds %d blocks, and %d came", f.size, len(f.blocks))
	}
	for _, b := range f.blocks {
		if end := w.config.Disks[b.Disk] - b.Block*BlockSize; end < BlockSize && !bytes.Equal(b.Data[end:], make([]byte, BlockSize-end)) {
			w.fail("what is behind the end of disk %d is not zeros", b.Disk)
		}
		copy(w.prem[b.Disk][b.Block*BlockSize:], b.Data)
	}
	for disk, image := range w.prem {
		for off := int64(0); off < w.config.Disks[disk]; off += SectorSize {
			at := w.model.at(disk, off)
			v, err := versionOf(image[off:], at)
			if err == nil {
				err = w.checkCut(f, at, v)
			}
			if err != nil {
				w.fail("the premises: %w", err)
				return
			}
			w.model.sectors[at].durable = max(w.model.sectors[at].durable, v)
		}
	}
}

// checkCut: a sector is as the last write left it that was acknowledged before
// the cut. A write with FUA is seen before it is acknowledged: it may be there.
func (w *world) checkCut(f *flushing, at int, v uint32) error {
	switch {
	case v == f.least[at]:
		return nil
	case v < f.least[at]:
		return fmt.Errorf("sector %d is as write %d left it; write %d was acknowledged before the cut", at, v, f.least[at])
	case v > f.writes || !w.model.fua[v]:
		return fmt.Errorf("sector %d is as write %d left it, which was not acknowledged before the cut", at, v)
	}
	return nil
}

// applied ends a cut that came as a whole.
func (w *world) applied() {
	w.apply()
	number := w.cut.number
	w.cut = nil
	w.take(w.c.Applied(number))
}

// abandon ends a cut; the premises may have it all the same.
func (w *world) abandon(told bool) {
	if told && w.cut.whole {
		w.apply()
	}
	number := w.cut.number
	w.cut = nil
	w.take(w.c.Abandon(number))
}

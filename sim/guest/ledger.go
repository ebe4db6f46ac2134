package guest

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/hdm-project/hdm/sim/disk"
)

// Ack is the last write to a block that must be there: the device acknowledged
// it, and no power cut has legally taken it since.
type Ack struct {
	Write uint64
	At    time.Duration // virtual time
	Torn  bool          // a power cut tore the block: it may hold anything
	run   int32         // the run that wrote it; 0: before the world began
}

// ledger is what one disk of a guest must hold. It belongs to the guest, not
// to a copy of the disk: a disk that was moved must hold it as well.
type ledger map[int64]Ack

// Acknowledged are the blocks of one of the guest's disks that must be there,
// ascending.
func (g *Guest) Acknowledged(disk int) iter.Seq2[int64, Ack] {
	return func(yield func(int64, Ack) bool) {
		acks := g.ledgers[disk]
		for _, block := range slices.Sorted(maps.Keys(acks)) {
			if !yield(block, acks[block]) {
				return
			}
		}
	}
}

// Loss is a block that lacks what it must hold.
type Loss struct {
	Guest string
	Disk  int
	Block int64
	Want  Ack
	Got   Stamp
	Whole bool // whether Got could be read: see ReadStamp
}

func (l Loss) String() string {
	return fmt.Sprintf("disk %s/%d block %#x: write #%d acknowledged at %v, but the block %s", l.Guest, l.Disk, l.Block, l.Want.Write, l.Want.At, l.found())
}

// found says what the block has instead, as what a block does.
func (l Loss) found() string {
	switch {
	case l.Whole && l.Got.Write == 0:
		return "was never written"
	case l.Whole && l.Got.Guest == Identity(l.Guest) && l.Got.Disk == l.Disk:
		return fmt.Sprintf("holds write #%d", l.Got.Write)
	case l.Whole:
		return "holds what another guest or disk wrote"
	}
	return "holds no whole stamp"
}

// holds says whether a block has what it must have: that write, or a later one
// that the device carried out and did not acknowledge.
func (g *Guest) holds(disk int, want Ack, got Stamp, whole bool) bool {
	return whole && got.Guest == g.identity && got.Disk == disk && got.Write >= want.Write
}

// Check compares an image of one of the guest's disks with what it must hold,
// in ascending order, and returns at most limit losses. A block may hold a
// later write than the last acknowledged: one that the device carried out and
// did not acknowledge.
func (g *Guest) Check(index int, image disk.Reader, limit int) []Loss {
	var losses []Loss
	memory := make([]byte, disk.BlockSize) // of one block after another
	for block, want := range g.Acknowledged(index) {
		if len(losses) == limit {
			break
		}
		if want.Torn {
			continue
		}
		got, whole := readStamp(image, block, memory)
		if !g.holds(index, want, got, whole) {
			losses = append(losses, Loss{Guest: g.spec.Name, Disk: index, Block: block, Want: want, Got: got, Whole: whole})
		}
	}
	return losses
}

// settle looks at what a power cut left of the run's writes that no flush made
// durable, and makes it what the disk must hold from now on. It returns how
// many blocks lost their last write. Of a block that was durable only a write
// that was not acknowledged can have torn it: it is then lost as well.
func (r *Run) settle(v *volume) (lost int) {
	acks, image := r.guest.ledgers[v.index], v.Image()
	for block, ack := range r.guest.Acknowledged(v.index) {
		_, doubtful := r.doubtful[place{v.index, block}]
		durable := ack.run != r.number || ack.Write <= r.flushed
		if durable && !doubtful {
			continue
		}
		got, whole := ReadStamp(image, block)
		switch {
		case !whole:
			ack.Torn = true
		case durable:
			continue
		case got.Write == 0:
			delete(acks, block)
			lost++
			continue
		case got.Write < ack.Write:
			ack.Write = got.Write
		default:
			continue
		}
		lost++
		acks[block] = ack
	}
	return lost
}

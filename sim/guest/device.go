package guest

import (
	"math/rand/v2"

	"github.com/hdm-project/hdm/sim/disk"
)

// Device is a disk as the guest on it drives it: what is asked for is done at
// once or later, or never. Everything happens on the world's kernel.
//
// done is called exactly once, perhaps before the call returns; memory that a
// request was given is the device's until then. Requests may be done in any
// order: a guest never has two under way at the same place of which one is a
// write. A write that failed is there or not by then, or in part.
type Device interface {
	ID() string      // the identity of the disk, wherever its image goes
	Capacity() int64 // bytes
	// Write writes p at off, in bytes; done without an error acknowledges it.
	Write(p []byte, off int64, done func(error))
	// Read fills p with what is at off.
	Read(p []byte, off int64, done func(error))
	// Flush makes durable what was acknowledged when it was called.
	Flush(done func(error))
	// PowerCut says that the VM of a guest that drove it has no power any more,
	// also after a shutdown in good order. Of what was acknowledged and not flushed,
	// and of what is under way, each block is there, lost or torn, as r draws; what
	// is not there by then never will be. For requests that were under way done need
	// not be called any more.
	PowerCut(r *rand.Rand)
	// Unflushed is the number of blocks that a power cut may take.
	Unflushed() int
	// Boot fills p with the disk's first bytes as the VM's firmware reads them:
	// before there is a guest, at once, and with what fails there.
	Boot(p []byte) error
	// Image is what the disk holds now, for whoever judges it: no fault meets the
	// reader.
	Image() disk.Reader
}

// Local is a disk that does everything before the call returns.
func Local(d *disk.Disk) Device { return local{d} }

type local struct{ *disk.Disk }

func (l local) Write(p []byte, off int64, done func(error)) {
	_, err := l.WriteAt(p, off)
	done(err)
}

func (l local) Read(p []byte, off int64, done func(error)) {
	_, err := l.ReadAt(p, off)
	done(err)
}

func (l local) Flush(done func(error)) { done(l.Disk.Flush()) }

func (l local) PowerCut(r *rand.Rand) { l.Crash(r) }

func (l local) Boot(p []byte) error {
	_, err := l.ReadAt(p, 0)
	return err
}

func (l local) Image() disk.Reader { return disk.Seen{Disk: l.Disk} }

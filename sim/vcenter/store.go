package vcenter

import (
	"fmt"
	"sync"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
)

// trouble is what fails in a datastore: it is the disk.Store of the disks on it
// while something does. Disks ask it whenever a guest writes, so it has a lock of
// its own.
type trouble struct {
	vc    *VCenter
	store string

	mu     sync.Mutex
	full   bool
	broken map[disk.Op]bool
	told   map[string]bool // by disk, operation and error
}

// Fault implements disk.Store.
func (t *trouble) Fault(id string, op disk.Op, grows bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	name := ""
	switch {
	case t.broken[op]:
		err, name = disk.ErrIO, "EIO"
	case t.full && grows:
		err, name = disk.ErrNoSpace, "ENOSPC"
	default:
		return nil
	}
	if key := id + "\x00" + string(op) + "\x00" + name; !t.told[key] {
		t.told[key] = true
		// The disk is busy, and so may be whoever uses it: told when they are not.
		t.vc.after(0, func() {
			t.vc.changed(event.DiskError, t.store, "disk", id, "op", string(op), "error", name)
		})
	}
	return err
}

func (t *trouble) any() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.full || len(t.broken) > 0
}

func (t *trouble) isFull() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.full
}

// fault is what keeps a file from being written.
func (t *trouble) fault(file string) types.BaseMethodFault {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := fmt.Sprintf("[%s] %s", t.store, file)
	switch {
	case t.broken[disk.Write]:
		return explained(&types.CannotAccessFile{FileFault: types.FileFault{File: name}}, name+": "+disk.ErrIO.Error())
	case t.full:
		return explained(&types.NoDiskSpace{FileFault: types.FileFault{File: name}, Datastore: t.store}, "The operation failed because the datastore "+t.store+" is full.")
	}
	return nil
}

// adopt makes a disk one that lies in the datastore.
func (d *datastore) adopt(o *disk.Disk) {
	if d.served != nil {
		return
	}
	if d.trouble.any() {
		o.SetStore(d.trouble)
		return
	}
	o.SetStore(nil)
}

// inTrouble changes what fails in a datastore of the vCenter's own.
func (vc *VCenter) inTrouble(name string, change func(*trouble)) (err error) {
	vc.do(func() {
		d := vc.stores[name]
		if d == nil || d.served != nil {
			err = &NotFoundError{"datastore of its own", name}
			return
		}
		func() {
			d.trouble.mu.Lock()
			defer d.trouble.mu.Unlock()
			change(d.trouble)
			d.trouble.told = map[string]bool{}
		}()
		for _, m := range vc.order {
			for _, a := range m.disks {
				if a.store == d {
					d.adopt(a.disk)
				}
			}
		}
		d.account()
	})
	return err
}

// FillDatastore makes a datastore full, or gives it back the room that it had:
// what is made on it is refused with NoDiskSpace, and so is what a guest or an
// import writes if a file has to grow for it. Errors: *NotFoundError.
func (vc *VCenter) FillDatastore(name string, full bool) error {
	return vc.inTrouble(name, func(t *trouble) { t.full = full })
}

// FailDatastore makes reads or writes of the disks on a datastore fail with EIO,
// or ends that: those of guests, of transfers, and of whoever else has the disk.
// While writes fail nothing is made on it, neither. op is "read" or "write".
// Errors: *NotFoundError, *OpError.
func (vc *VCenter) FailDatastore(name, op string, on bool) error {
	if o := disk.Op(op); o != disk.Read && o != disk.Write {
		return &OpError{op}
	}
	return vc.inTrouble(name, func(t *trouble) {
		delete(t.broken, disk.Op(op))
		if on {
			t.broken[disk.Op(op)] = true
		}
	})
}

// OpError says that a datastore cannot fail at that.
type OpError struct{ Op string }

func (e *OpError) Error() string {
	return fmt.Sprintf("a datastore cannot fail at a %q: take \"read\" or \"write\"", e.Op)
}

// Corrupt damages one block of 4 KiB of a disk of a VM, counted from 0 as the disk
// is, as storage rots: nobody is told. With snapshots the block of every snapshot
// rots, too; linked clones that are there already have theirs. Errors:
// *NotFoundError, *disk.Error.
func (vc *VCenter) Corrupt(vm string, number int, block int64, snapshots bool) (err error) {
	vc.do(func() {
		m := vc.byName[vm]
		switch {
		case m == nil:
			err = &NotFoundError{"VM", vm}
		case number < 0 || number >= len(m.disks) || m.disks[number].store.served != nil:
			err = &NotFoundError{"disk of its own", fmt.Sprintf("%s/%d", vm, number)}
		default:
			err = m.disks[number].disk.Damage(block, snapshots)
		}
	})
	return err
}

// source is an image that is read from a datastore: a snapshot's, which no fault
// of its disk meets.
type source struct {
	disk.Reader
	a *attached
}

// ReadAt implements io.ReaderAt.
func (s source) ReadAt(p []byte, off int64) (int, error) {
	id := s.a.disk.ID()
	if err := s.a.store.trouble.Fault(id, disk.Read, false); err != nil {
		return 0, &disk.Error{Disk: id, Op: string(disk.Read), Off: off, Len: len(p), Err: err}
	}
	return s.Reader.ReadAt(p, off)
}

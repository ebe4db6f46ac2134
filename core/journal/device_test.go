package journal

import (
	"io"
	"math/rand/v2"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

const sector = 512 // bytes that a device writes whole or not at all

// action is one thing that was done to a device. Data belongs to an inode, not
// to a name: a log that was deleted and one made after it under the same name
// must not mix when the power goes.
type action struct {
	op    op
	inode int
	name  string // of create and remove
	off   int64  // of a write; of truncate the size
	data  []byte
}

type op byte

const (
	write op = iota
	truncate
	syncFile
	create
	remove
	syncFolder
)

// state is what a device holds.
type state struct {
	folder map[string]int
	inodes map[int][]byte
}

func newState() *state { return &state{map[string]int{}, map[int][]byte{}} }

func (s *state) apply(a action) {
	b := s.inodes[a.inode]
	switch a.op {
	case write:
		if grow := int(a.off) + len(a.data) - len(b); grow > 0 {
			b = append(b, make([]byte, grow)...)
		}
		copy(b[a.off:], a.data)
		s.inodes[a.inode] = b
	case truncate:
		s.inodes[a.inode] = append([]byte(nil), b[:min(int(a.off), len(b))]...)
	case create:
		s.folder[a.name] = a.inode
	case remove:
		delete(s.folder, a.name)
	}
}

// device is a VFS for SQLite in memory, which logs what it is told.
type device struct {
	now      *state // as the running process sees it
	log      []action
	inode    int
	failSync bool
}

func newDevice(s *state) *device { return &device{now: s, inode: 1 << 20} }

func (d *device) do(a action) {
	d.now.apply(a)
	d.log = append(d.log, a)
}

// A loss says what is left of a device's log when the power goes after it.
type loss func(log []action, r *rand.Rand) *state

// processDies: the device lives on. Every write is there.
func processDies(log []action, _ *rand.Rand) *state {
	s := newState()
	for _, a := range log {
		s.apply(a)
	}
	return s
}

// powerCut: what was not synced is there or not, sector by sector, in any order.
// The folder is what a journaling file system keeps: its changes up to a point.
func powerCut(log []action, r *rand.Rand) *state {
	synced, folder := map[int]int{}, 0
	for i, a := range log {
		switch a.op {
		case syncFile:
			synced[a.inode] = i
		case syncFolder:
			folder = i
		}
	}
	durable := func(i int) bool {
		at, ok := synced[log[i].inode]
		return ok && i <= at
	}
	return remains(log, durable, folder+r.IntN(len(log)-folder+1), r)
}

// syncsIgnored: a device that says yes to a sync and does nothing. Its cache
// holds the last 60 actions.
func syncsIgnored(log []action, r *rand.Rand) *state {
	from := max(0, len(log)-60)
	return remains(log, func(i int) bool { return i < from }, from+r.IntN(len(log)-from+1), r)
}

// remains keeps durable data, every other sector by the toss of a coin, and the
// folder's changes before action number folder.
func remains(log []action, durable func(int) bool, folder int, r *rand.Rand) *state {
	s := newState()
	for i, a := range log {
		switch {
		case a.op == create || a.op == remove:
			if i <= folder {
				s.apply(a)
			}
		case durable(i):
			s.apply(a)
		case a.op == write:
			for len(a.data) > 0 {
				n := min(len(a.data), sector-int(a.off)%sector)
				if r.IntN(2) == 0 {
					s.apply(action{op: write, inode: a.inode, off: a.off, data: a.data[:n]})
				}
				a.off, a.data = a.off+int64(n), a.data[n:]
			}
		case a.op == truncate && r.IntN(2) == 0:
			s.apply(a)
		}
	}
	return s
}

func (d *device) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	inode, there := d.now.folder[name]
	if !there {
		if flags&vfs.OPEN_CREATE == 0 {
			return nil, flags, sqlite3.CANTOPEN
		}
		d.inode++
		inode = d.inode
		d.do(action{op: create, inode: inode, name: name})
	}
	return &deviceFile{d: d, inode: inode, fresh: !there}, flags, nil
}

func (d *device) Delete(name string, syncDir bool) error {
	if _, ok := d.now.folder[name]; !ok {
		return sqlite3.IOERR_DELETE_NOENT
	}
	d.do(action{op: remove, name: name})
	if syncDir {
		d.do(action{op: syncFolder})
	}
	return nil
}

func (d *device) Access(name string, _ vfs.AccessFlag) (bool, error) {
	_, ok := d.now.folder[name]
	return ok, nil
}

func (d *device) FullPathname(name string) (string, error) { return name, nil }

type deviceFile struct {
	d     *device
	inode int
	fresh bool // created and not synced yet
	lock  vfs.LockLevel
}

func (f *deviceFile) Close() error { return nil }

func (f *deviceFile) ReadAt(p []byte, off int64) (int, error) {
	b := f.d.now.inodes[f.inode]
	n := 0
	if off < int64(len(b)) {
		n = copy(p, b[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *deviceFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.do(action{op: write, inode: f.inode, off: off, data: append([]byte(nil), p...)})
	return len(p), nil
}

func (f *deviceFile) Truncate(size int64) error {
	f.d.do(action{op: truncate, inode: f.inode, off: size})
	return nil
}

// Sync of a new file syncs the folder too: on POSIX that is the VFS's duty, and
// SQLite relies on it.
func (f *deviceFile) Sync(vfs.SyncFlag) error {
	if f.d.failSync {
		return sqlite3.IOERR_FSYNC
	}
	f.d.do(action{op: syncFile, inode: f.inode})
	if f.fresh {
		f.fresh = false
		f.d.do(action{op: syncFolder})
	}
	return nil
}

func (f *deviceFile) Size() (int64, error)             { return int64(len(f.d.now.inodes[f.inode])), nil }
func (f *deviceFile) Lock(l vfs.LockLevel) error       { f.lock = l; return nil }
func (f *deviceFile) Unlock(l vfs.LockLevel) error     { f.lock = l; return nil }
func (f *deviceFile) CheckReservedLock() (bool, error) { return f.lock >= vfs.LOCK_RESERVED, nil }
func (f *deviceFile) SectorSize() int                  { return sector }

// No promises: no atomic writes, no safe overwrite, no order.
func (f *deviceFile) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }

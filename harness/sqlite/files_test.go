package sqlite

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/hdm-project/hdm/core/cache"
)

const database = "/bank.db"

// drive is a disk as the guest's kernel sees it: it reads and writes sectors.
type drive interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Flush() error
}

// files is the guest's file system, as small as SQLite allows: a file on each
// drive, the database on the first, its log or journal on the second. A drive
// begins with a sector that says what the file is called and how long it is,
// written when that is to be durable.
type files struct{ volumes []*volume }

type volume struct {
	drive
	name   string // "" if there is no file
	length int64
	dirty  bool // the sector is not what the drive has
}

const dataStart = cache.BlockSize

func mount(drives []drive) (*files, error) {
	f := &files{}
	for _, d := range drives {
		v := &volume{drive: d}
		p := make([]byte, cache.SectorSize)
		if _, err := d.ReadAt(p, 0); err != nil {
			return nil, err
		}
		if body := p[:cache.SectorSize-4]; binary.LittleEndian.Uint32(p[len(body):]) == crc32.ChecksumIEEE(body) {
			v.length = int64(binary.LittleEndian.Uint64(body))
			v.name = string(bytes.TrimRight(body[8:], "\x00"))
		}
		f.volumes = append(f.volumes, v)
	}
	return f, nil
}

// record writes the first sector, if it changed.
func (v *volume) record() error {
	if !v.dirty {
		return nil
	}
	p := binary.LittleEndian.AppendUint64(nil, uint64(v.length))
	p = append(p, v.name...)
	p = append(p, make([]byte, cache.SectorSize-4-len(p))...)
	p = binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(p))
	_, err := v.drive.WriteAt(p, 0)
	v.dirty = err != nil
	return err
}

func (f *files) volume(name string) *volume {
	if name == database {
		return f.volumes[0]
	}
	return f.volumes[1]
}

func (f *files) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	v := f.volume(name)
	if v.name != name {
		if v.name != "" || flags&vfs.OPEN_CREATE == 0 {
			return nil, flags, sqlite3.CANTOPEN
		}
		v.name, v.length, v.dirty = name, 0, true
	}
	return &file{volume: v}, flags, nil
}

func (f *files) Delete(name string, sync bool) error {
	v := f.volume(name)
	if v.name != name {
		return sqlite3.IOERR_DELETE_NOENT
	}
	v.name, v.length, v.dirty = "", 0, true
	if err := v.record(); err != nil {
		return sqlite3.IOERR_DELETE
	}
	if sync && v.drive.Flush() != nil {
		return sqlite3.IOERR_DIR_FSYNC
	}
	return nil
}

func (f *files) Access(name string, _ vfs.AccessFlag) (bool, error) {
	return f.volume(name).name == name, nil
}

func (f *files) FullPathname(name string) (string, error) { return name, nil }

type file struct {
	*volume
	lock vfs.LockLevel
}

func (f *file) Close() error { return nil }

// around reads the sectors that n bytes at off of the file lie in, and says
// where they begin on the drive and those bytes in them.
func (f *file) around(off int64, n int) (sectors []byte, at int64, from int, err error) {
	off += dataStart
	at = off / cache.SectorSize * cache.SectorSize
	from = int(off - at)
	sectors = make([]byte, (from+n+cache.SectorSize-1)/cache.SectorSize*cache.SectorSize)
	_, err = f.drive.ReadAt(sectors, at)
	return sectors, at, from, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), f.length-off)))
	if n > 0 {
		sectors, _, from, err := f.around(off, n)
		if err != nil {
			return 0, sqlite3.IOERR_READ
		}
		copy(p, sectors[from:from+n])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	sectors, at, from, err := f.around(off, len(p))
	if err != nil {
		return 0, sqlite3.IOERR_READ
	}
	copy(sectors[from:], p)
	if _, err := f.drive.WriteAt(sectors, at); err != nil {
		return 0, sqlite3.IOERR_WRITE
	}
	if end := off + int64(len(p)); end > f.length {
		f.length, f.dirty = end, true
	}
	return len(p), nil
}

func (f *file) Truncate(size int64) error {
	f.length, f.dirty = size, true
	return nil
}

func (f *file) Sync(vfs.SyncFlag) error {
	if f.record() != nil || f.drive.Flush() != nil {
		return sqlite3.IOERR_FSYNC
	}
	return nil
}

func (f *file) Size() (int64, error)             { return f.length, nil }
func (f *file) Lock(l vfs.LockLevel) error       { f.lock = l; return nil }
func (f *file) Unlock(l vfs.LockLevel) error     { f.lock = l; return nil }
func (f *file) CheckReservedLock() (bool, error) { return f.lock >= vfs.LOCK_RESERVED, nil }
func (f *file) SectorSize() int                  { return cache.SectorSize }

// No promises: no atomic writes, no safe overwrite, no order.
func (f *file) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }

package datapath

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/hdm-project/hdm/core/component"
)

// Device is a disk of a component VM: of the cloud cache, or the stage. What
// WriteAt acknowledges is durable after Flush; of what was not flushed a crash
// keeps, loses or tears each sector of 512 bytes.
type Device interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Flush() error
	Capacity() int64 // bytes
}

// What can be wrong with a device; match with errors.Is.
var (
	ErrDevice = errors.New("the device cannot be used")
	ErrFull   = errors.New("the device is full")
)

// How a device is divided: two copies of the directory, then extents, which are
// so large that there are a few thousand of them.
//
//	| directory 0 | directory 1 | extent 0 | extent 1 | ...
const (
	directorySize = 1 << 20
	extentsStart  = 2 * directorySize
	mostExtents   = 8192
	minExtent     = 64 << 10
	maxExtent     = 256 << 20
	directoryHead = 8 + 8 + 4 + 4 // magic, sequence, length, CRC
	deviceBlock   = 4096          // of which a device that grows takes one after the other
)

var directoryMagic = []byte("HDMVOL01")

// volume is a device with its directory: which binding lies in which extents.
type volume struct {
	dev      *steady
	extent   int64 // bytes
	used     []bool
	sequence uint64
	counter  uint64   // of tags and streams: none is given twice
	lengths  [2]int64 // of the copies of the directory, in bytes
	room     int64    // that either copy is known to have, in bytes
	entries  []*entry
	// reclaim lets go of extents that are not needed now; nil: nobody can.
	reclaim func()
}

// entry is a binding in the directory.
type entry struct {
	Binding component.Binding `json:"binding"`
	Home    string            `json:"home,omitempty"` // of a cache: the component VM with its home
	Stream  uint32            `json:"stream"`
	Tag     uint64            `json:"tag"`
	Runs    []run             `json:"runs,omitempty"` // of extents, in order
}

// run of extents.
type run struct {
	From  int32 `json:"from"`
	Count int32 `json:"count"`
}

func (e *entry) extents() int {
	n := 0
	for _, r := range e.Runs {
		n += int(r.Count)
	}
	return n
}

// directory is what is written.
type directory struct {
	Counter uint64   `json:"counter"`
	Entries []*entry `json:"entries"`
}

// openVolume reads the directory of a device. One that holds none yet, only
// zeros, is empty. flushes says whether one that failed is tried again: see steady.
func openVolume(device Device, flushes bool) (*volume, error) {
	dev := &steady{Device: device, flushes: flushes}
	v := &volume{dev: dev, extent: extentSize(dev.Capacity())}
	n := (dev.Capacity() - extentsStart) / v.extent
	if n < 1 {
		return nil, fmt.Errorf("%w: %d bytes are too few: give it at least %d", ErrDevice, dev.Capacity(), extentsStart+minExtent)
	}
	v.used = make([]bool, n)
	var last directory
	var states [2]copyState
	for i := range states {
		d, length, sequence, state, err := readDirectory(dev, int64(i)*directorySize)
		if err != nil {
			return nil, fmt.Errorf("%w: reading its directory: %w", ErrDevice, err)
		}
		if state == whole {
			v.lengths[i] = length
		}
		if states[i] = state; state == whole && sequence > v.sequence {
			last, v.sequence = d, sequence
		}
	}
	// The first write of all may be torn: it goes to copy 1, and copy 0 is blank.
	if v.sequence == 0 && states[0] != unwritten {
		return nil, fmt.Errorf("%w: both copies of its directory are damaged", ErrDevice)
	}
	v.counter, v.entries = last.Counter, last.Entries
	return v, v.occupy()
}

func extentSize(capacity int64) int64 {
	size := int64(minExtent)
	for size < maxExtent && capacity/size > mostExtents {
		size *= 2
	}
	return size
}

// occupy marks the extents of all entries.
func (v *volume) occupy() error {
	for _, e := range v.entries {
		for _, r := range e.Runs {
			for i := r.From; i < r.From+r.Count; i++ {
				if i < 0 || int(i) >= len(v.used) || v.used[i] {
					return fmt.Errorf("%w: its directory gives %s an extent that it cannot have", ErrDevice, e.Binding.ID)
				}
				v.used[i] = true
			}
		}
	}
	return nil
}

// copyState is what a copy of the directory can be.
type copyState int

const (
	unwritten copyState = iota
	torn
	whole
)

func readDirectory(dev Device, at int64) (d directory, size int64, sequence uint64, state copyState, err error) {
	head := make([]byte, directoryHead)
	if _, err := dev.ReadAt(head, at); err != nil {
		return d, 0, 0, torn, err
	}
	if bytes.Equal(head, make([]byte, directoryHead)) {
		return d, 0, 0, unwritten, nil
	}
	length := binary.LittleEndian.Uint32(head[16:])
	if !bytes.Equal(head[:8], directoryMagic) || length > directorySize-directoryHead {
		return d, 0, 0, torn, nil
	}
	body := make([]byte, length)
	if _, err := dev.ReadAt(body, at+directoryHead); err != nil {
		return d, 0, 0, torn, err
	}
	sequence = binary.LittleEndian.Uint64(head[8:])
	if crc32.ChecksumIEEE(append(head[8:20:20], body...)) != binary.LittleEndian.Uint32(head[20:]) {
		return d, 0, 0, torn, nil
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return d, 0, 0, torn, err // it is whole, and not ours
	}
	return d, directoryHead + int64(length), sequence, whole, nil
}

// save makes the directory durable, over the older copy.
func (v *volume) save() error {
	body, err := json.Marshal(directory{v.counter, v.entries})
	if err != nil {
		return err
	}
	if len(body) > directorySize-directoryHead {
		return fmt.Errorf("%w: its directory would have %d bytes", ErrFull, len(body))
	}
	next := v.sequence + 1
	p := append(make([]byte, 0, directoryHead+len(body)), directoryMagic...)
	p = binary.LittleEndian.AppendUint64(p, next)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(body)))
	p = binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(append(p[8:20:20], body...)))
	p = append(p, body...)
	err = v.reserve(int64(len(p)))
	if err == nil {
		_, err = v.dev.WriteAt(p, int64(next%2)*directorySize)
	}
	if err == nil {
		err = v.dev.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: writing its directory: %w", ErrDevice, err)
	}
	v.sequence, v.lengths[next%2] = next, int64(len(p))
	return nil
}

// reserve gives both copies of the directory room for so many bytes, so that an
// entry which could be written down can be taken out again on a device that has
// become full. It writes behind what they hold.
func (v *volume) reserve(size int64) error {
	size = inBlocks(size)
	if size <= v.room {
		return nil
	}
	for i, length := range v.lengths {
		if from := inBlocks(length); from < size {
			if _, err := v.dev.WriteAt(make([]byte, size-from), int64(i)*directorySize+from); err != nil {
				return err
			}
		}
	}
	v.room = size
	return nil
}

// inBlocks is a size in bytes, rounded up to whole blocks of the device.
func inBlocks(size int64) int64 { return (size + deviceBlock - 1) / deviceBlock * deviceBlock }

// unique is a number that this volume has never given.
func (v *volume) unique() uint64 {
	v.counter++
	return v.counter
}

// add gives a new entry room for size bytes, lets format prepare that, and only
// then writes the entry down: what a crash leaves in the directory is usable.
func (v *volume) add(e *entry, size int64, format func(window) error) error {
	if err := v.grow(e, size); err != nil {
		return err
	}
	err := format(window{v, e})
	if err == nil {
		v.entries = append(v.entries, e)
		if err = v.save(); err != nil {
			v.entries = v.entries[:len(v.entries)-1]
		}
	}
	if err != nil {
		v.release(e, 0)
	}
	return err
}

// remove takes an entry out and lets go of its room.
func (v *volume) remove(e *entry) error {
	at := slices.Index(v.entries, e)
	v.entries = slices.Delete(v.entries, at, at+1)
	if err := v.save(); err != nil {
		v.entries = slices.Insert(v.entries, at, e)
		return err
	}
	v.release(e, 0)
	return nil
}

// grow gives an entry room for size bytes, or returns ErrFull. It is for the
// caller to save.
func (v *volume) grow(e *entry, size int64) error {
	missing := int((size+v.extent-1)/v.extent) - e.extents()
	if missing <= 0 {
		return nil
	}
	if v.free() < missing && v.reclaim != nil {
		v.reclaim()
	}
	if free := v.free(); free < missing {
		return fmt.Errorf("%w: %d bytes are wanted and %d are free", ErrFull, int64(missing)*v.extent, int64(free)*v.extent)
	}
	for i := 0; missing > 0; i++ {
		if v.used[i] {
			continue
		}
		v.used[i] = true
		missing--
		if n := len(e.Runs); n > 0 && e.Runs[n-1].From+e.Runs[n-1].Count == int32(i) {
			e.Runs[n-1].Count++
		} else {
			e.Runs = append(e.Runs, run{int32(i), 1})
		}
	}
	return nil
}

// release lets go of all but the first keep extents of an entry.
func (v *volume) release(e *entry, keep int) {
	for n := e.extents(); n > keep; n-- {
		last := &e.Runs[len(e.Runs)-1]
		last.Count--
		v.used[last.From+last.Count] = false
		if last.Count == 0 {
			e.Runs = e.Runs[:len(e.Runs)-1]
		}
	}
}

func (v *volume) free() int {
	n := 0
	for _, u := range v.used {
		if !u {
			n++
		}
	}
	return n
}

package datapath

import "fmt"

// window is the room of one binding on a device, as a device of its own. It is
// as large as the device, and takes an extent once something is written there:
// what was never written reads as zeros, or as what another binding left.
type window struct {
	volume *volume
	entry  *entry
}

// Capacity is the most that it could grow to.
func (w window) Capacity() int64 { return int64(len(w.volume.used)) * w.volume.extent }

func (w window) Flush() error { return w.volume.dev.Flush() }

func (w window) ReadAt(p []byte, off int64) (int, error) {
	return w.each(p, off, func(p []byte, at int64) error {
		if at < 0 {
			clear(p)
			return nil
		}
		_, err := w.volume.dev.ReadAt(p, at)
		return err
	})
}

// WriteAt takes what room is missing, durably, before it writes.
func (w window) WriteAt(p []byte, off int64) (int, error) {
	if end := off + int64(len(p)); end > int64(w.entry.extents())*w.volume.extent {
		before := w.entry.extents()
		if err := w.volume.grow(w.entry, end); err != nil {
			return 0, err
		}
		if err := w.volume.save(); err != nil {
			w.volume.release(w.entry, before)
			return 0, err
		}
	}
	return w.each(p, off, func(p []byte, at int64) error {
		_, err := w.volume.dev.WriteAt(p, at)
		return err
	})
}

// each hands over p in pieces that lie in one extent, with where that is on the
// device; negative: nowhere yet.
func (w window) each(p []byte, off int64, do func(p []byte, at int64) error) (int, error) {
	if off < 0 || off+int64(len(p)) > w.Capacity() {
		return 0, fmt.Errorf("%w: %d bytes at %d lie outside of it", ErrDevice, len(p), off)
	}
	size := w.volume.extent
	for done := 0; done < len(p); {
		at, within := w.place((off+int64(done))/size), (off+int64(done))%size
		n := int(min(int64(len(p)-done), size-within))
		if at >= 0 {
			at += within
		}
		if err := do(p[done:done+n], at); err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}

// place is where the n-th extent of the entry is on the device; -1: nowhere yet.
func (w window) place(n int64) int64 {
	for _, r := range w.entry.Runs {
		if n < int64(r.Count) {
			return extentsStart + (int64(r.From)+n)*w.volume.extent
		}
		n -= int64(r.Count)
	}
	return -1
}

// blank writes zeros over the head of the window, where an empty stage has no
// records.
func (w window) blank() error {
	const head = 64 << 10
	if _, err := w.WriteAt(make([]byte, head), 0); err != nil {
		return err
	}
	return w.Flush()
}

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
	if err := w.inside(p, off); err != nil {
		return 0, err
	}
	for done := 0; done < len(p); {
		at, n := w.piece(off+int64(done), len(p)-done)
		if at < 0 {
			clear(p[done : done+n])
		} else if _, err := w.volume.dev.ReadAt(p[done:done+n], at); err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}

// WriteAt takes what room is missing, durably, before it writes.
func (w window) WriteAt(p []byte, off int64) (int, error) {
	if err := w.inside(p, off); err != nil {
		return 0, err
	}
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
	for done := 0; done < len(p); {
		at, n := w.piece(off+int64(done), len(p)-done)
		if _, err := w.volume.dev.WriteAt(p[done:done+n], at); err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}

func (w window) inside(p []byte, off int64) error {
	if off < 0 || off+int64(len(p)) > w.Capacity() {
		return fmt.Errorf("%w: %d bytes at %d lie outside of it", ErrDevice, len(p), off)
	}
	return nil
}

// piece is where byte off is on the device, negative if nowhere yet, and how
// many of most bytes from there lie in the same extent.
func (w window) piece(off int64, most int) (at int64, n int) {
	size := w.volume.extent
	within := off % size
	if at = w.place(off / size); at >= 0 {
		at += within
	}
	return at, int(min(int64(most), size-within))
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

// blank writes zeros over the head of a window, where an empty stage has no
// records.
func blank(w window) error {
	const head = 64 << 10
	if _, err := w.WriteAt(make([]byte, head), 0); err != nil {
		return err
	}
	return w.Flush()
}

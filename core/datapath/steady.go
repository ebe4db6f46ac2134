package datapath

import (
	"errors"
	"syscall"
)

// deviceTries is how often something is asked of a device before it has failed:
// an error that passes is ridden out, and nothing is lost.
const deviceTries = 4

// steady is a device that is asked again when it fails. A flush is asked again
// only of a device whose owner knows the sum of every block (a cloud cache): one
// that failed may have forgotten what was written, and say yes the next time. So
// the stage's owner begins a whole flush of the VM again instead.
type steady struct {
	Device
	flushes bool // are asked again, too
	// failed is the last error of a read or write that did not pass, but for a
	// device that is full: what needs no more room goes on.
	failed error
}

func (s *steady) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.Device.ReadAt(p, off)
	for try := 1; err != nil && try < deviceTries; try++ {
		n, err = s.Device.ReadAt(p, off)
	}
	s.note(err)
	return n, err
}

func (s *steady) WriteAt(p []byte, off int64) (int, error) {
	n, err := s.Device.WriteAt(p, off)
	for try := 1; err != nil && try < deviceTries; try++ {
		n, err = s.Device.WriteAt(p, off)
	}
	s.note(err)
	return n, err
}

func (s *steady) Flush() error {
	err := s.Device.Flush()
	for try := 1; err != nil && s.flushes && try < deviceTries; try++ {
		err = s.Device.Flush()
	}
	return err
}

func (s *steady) note(err error) {
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		s.failed = err
	}
}

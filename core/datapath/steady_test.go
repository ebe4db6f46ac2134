package datapath

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/cache"
)

// flaky is a device of which so many operations in a row fail.
type flaky struct {
	*memory
	left int
	err  error
}

func (f *flaky) fails() error {
	if f.left == 0 {
		return nil
	}
	f.left--
	return f.err
}

func (f *flaky) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fails(); err != nil {
		return 0, err
	}
	return f.memory.ReadAt(p, off)
}

func (f *flaky) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fails(); err != nil {
		return 0, err
	}
	return f.memory.WriteAt(p, off)
}

func (f *flaky) Flush() error { return f.fails() }

func TestADeviceIsAskedAgainSoOftenAndNoMore(t *testing.T) {
	p := make([]byte, 512)
	for name, ask := range map[string]func(*steady) error{
		"read":  func(s *steady) error { _, err := s.ReadAt(p, 0); return err },
		"write": func(s *steady) error { _, err := s.WriteAt(p, 0); return err },
		"flush": func(s *steady) error { return s.Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			dev := &flaky{newMemory(mib), deviceTries - 1, syscall.EIO}
			s := &steady{Device: dev, flushes: true}
			require.NoError(t, ask(s), "it passes")
			require.NoError(t, s.failed)
			dev.left = deviceTries
			require.ErrorIs(t, ask(s), syscall.EIO)
			assert.Zero(t, dev.left)
			assert.Equal(t, name == "flush", s.failed == nil, "that a flush failed is for its owner to judge")
		})
	}
}

func TestAFlushOfTheStageIsNotAskedForAgain(t *testing.T) {
	dev := &flaky{newMemory(mib), 1, syscall.EIO}
	require.ErrorIs(t, (&steady{Device: dev}).Flush(), syscall.EIO, "it may have forgotten what was written")
}

func TestAFullDeviceHasNotFailed(t *testing.T) {
	s := &steady{Device: &flaky{newMemory(mib), 100, syscall.ENOSPC}}
	_, err := s.WriteAt(make([]byte, 512), 0)
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.NoError(t, s.failed)
}

func TestACacheThatHasFailedSaysNothingMore(t *testing.T) {
	p := newPair(t)
	p.bind("m-1", 8*mib, mib)
	p.device.failed = errors.New("gone")
	done := false
	p.cache.Submit(p.now, "m-1", cache.Request{Kind: cache.Write, Data: make([]byte, cache.BlockSize)}, func(error) { done = true })
	require.ErrorContains(t, p.cache.Failure(), "gone")
	p.device.failed = nil
	p.cache.Submit(p.now, "m-1", cache.Request{Kind: cache.Flush}, func(error) { done = true })
	out := p.cache.Poll(p.now + time.Hour)
	assert.False(t, done)
	assert.Empty(t, out.Frames)
	assert.Equal(t, Never, out.Wake)
}

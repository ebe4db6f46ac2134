package cache

import (
	"errors"
	"fmt"
)

// What can be wrong; match with errors.Is.
var (
	ErrRequest   = errors.New("the request is not one that the disk can serve")
	ErrBusy      = errors.New("too many requests are outstanding: wait until one is done")
	ErrDevice    = errors.New("the cache device failed")
	ErrFetch     = errors.New("the premises did not give the block")
	ErrRotten    = errors.New("the cache device returned other bytes than were written: write the whole block again")
	ErrCut       = errors.New("a cut is open: say whether it was applied, or abandon it")
	ErrConfig    = errors.New("not a configuration that a cache can have")
	ErrWithdrawn = errors.New("the write was taken back before it was done")
	ErrForeign   = errors.New("the device holds no cache of this configuration")
	ErrCorrupt   = errors.New("the index on the cache device is damaged")
)

// Error tells what could not be done and why: it wraps one of the errors
// above, and what the device or the premises said.
type Error struct {
	What  string // read, write, flush, cut, recover
	Disk  int    // -1 if it is about no block
	Block int64
	Err   error // one of those above
	Cause error // as the owner gave it, or nil
}

func (e *Error) Error() string {
	s := "cache: " + e.What
	if e.Disk >= 0 {
		s += fmt.Sprintf(" of block %d of disk %d", e.Block, e.Disk)
	}
	s += ": " + e.Err.Error()
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives both the kind of the error and its cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

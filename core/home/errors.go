package home

import (
	"errors"
	"fmt"
)

// What a Home refuses with. They come wrapped in an *Error.
var (
	ErrUnknown    = errors.New("no such flush is open here: begin it")
	ErrStale      = errors.New("a later flush was begun or applied: take a higher number")
	ErrOrder      = errors.New("chunks are missing or out of order: begin the flush again")
	ErrSum        = errors.New("the chunks are not those that were summed: begin the flush again")
	ErrConflict   = errors.New("another flush was applied under this number: take a higher one")
	ErrApplied    = errors.New("the flush has been decided: it cannot be aborted any more")
	ErrRange      = errors.New("a block is outside of the VM's disks or has the wrong length")
	ErrLimit      = errors.New("more than a chunk, the stage or a VM may hold: flush less at once, or enlarge the stage")
	ErrDamaged    = errors.New("the stage does not hold what was written to it: check its device")
	ErrTorn       = errors.New("the VM's disks do not hold what was written to them: check their datastore")
	ErrUnfinished = errors.New("a flush was decided and could not be applied yet: commit it again when the devices work")
)

// Error is a failed call of a Home.
type Error struct {
	Op     string // "open", "read", "begin", "put", "commit", "abort"
	Number uint64 // of the flush that it is about; 0: none
	Err    error  // one of the above, or what a device said
}

func (e *Error) Error() string {
	if e.Number == 0 {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s: flush %d: %v", e.Op, e.Number, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

func fail(op string, number uint64, err error) error {
	return &Error{Op: op, Number: number, Err: err}
}

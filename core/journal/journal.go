// Package journal keeps the durable facts of the appliance: records by kind and
// key, changed in batches that take effect whole or not at all.
//
// It decides when a batch is durable: when Write returns, and not before. It
// never interprets a value, never repairs one, and keeps nothing of a batch
// that it refused.
//
//	Write(batch) --> written --> synced --> returns nil
//	            ^           ^          ^
//	     a crash here:   lost or    survives
//	        lost         whole
//
// SQLite is the journal of a real appliance. Memory is the same promise without
// a file, with the places named at which a simulated appliance can die. Read
// this file, then memory.go (the promise in its smallest form), then sqlite.go.
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Limits of a batch. A writer that hits one has a bug, or lets a queue grow
// without end: the batch is refused whole.
const (
	MaxRecords = 1024    // records in a batch
	MaxName    = 256     // bytes of a kind or a key
	MaxValue   = 1 << 20 // bytes of a value
	MaxBatch   = 4 << 20 // bytes of all names and values of a batch
)

// Record is one durable fact. Its kind and key name it; writing another value
// under the same name replaces it, and writing a nil Value deletes it. Deleting
// what is not there is no error. An empty, non-nil Value is a value.
type Record struct {
	Kind, Key string
	Value     []byte
}

// Journal is durable storage for Records. It belongs to one process of the
// appliance; its methods may be called from any task, one at a time.
type Journal interface {
	// Write makes a batch durable: when it returns nil, every record survives a
	// power cut; when it returns an error, or never returns, the batch is there
	// whole or not at all. Records apply in order. Errors: *LimitError,
	// ErrClosed, *FailedError.
	Write(batch []Record) error
	// Load returns every record, sorted by kind, then key. The values are the
	// caller's to keep.
	Load() ([]Record, error)
	// Close gives the journal up. Closing twice is no error.
	Close() error
}

// ErrClosed is returned for what is asked of a journal after Close.
var ErrClosed = errors.New("the journal is closed")

// LimitError says that a batch was refused because of its size, which is a bug
// of the writer. Nothing was written.
type LimitError struct {
	What  string // "records", "bytes of kind", ...
	Of    string // "kind/key" of the record, or "batch"
	Have  int
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("journal: %s has %d %s, more than the limit of %d; nothing was written: split the batch or keep less in it", e.Of, e.Have, e.What, e.Limit)
}

// FailedError says that storage failed in the middle of an operation. After a
// failed write it is not known whether the batch is durable: close the journal,
// open it again and Load.
type FailedError struct {
	Op      string // "open", "write", "load", "close"
	Journal string // the file
	Fix     string // what to do
	Err     error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("journal %s: %s failed: %v; %s", e.Journal, e.Op, e.Err, e.Fix)
}

func (e *FailedError) Unwrap() error { return e.Err }

// checkLimits refuses a batch that is larger than the limits, before anything
// of it is written.
func checkLimits(batch []Record) error {
	if len(batch) > MaxRecords {
		return &LimitError{What: "records", Of: "batch", Have: len(batch), Limit: MaxRecords}
	}
	total := 0
	for _, r := range batch {
		name := r.Kind + "/" + r.Key
		if len(name) > 64 {
			name = name[:64] + "..."
		}
		for _, part := range []struct {
			what        string
			have, limit int
		}{
			{"bytes of kind", len(r.Kind), MaxName},
			{"bytes of key", len(r.Key), MaxName},
			{"bytes of value", len(r.Value), MaxValue},
		} {
			if part.have > part.limit {
				return &LimitError{What: part.what, Of: name, Have: part.have, Limit: part.limit}
			}
			total += part.have
		}
	}
	if total > MaxBatch {
		return &LimitError{What: "bytes", Of: "batch", Have: total, Limit: MaxBatch}
	}
	return nil
}

func byName(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
}

// Sort puts records into the order in which Load returns them.
func Sort(records []Record) { slices.SortFunc(records, byName) }

package record

import "time"

// Recovered is a VM that was brought back after a failure, and what it lost: what
// it had written in the cloud since its last flush (POL-06, REC-04).
type Recovered struct {
	VM     string        `json:"vm"`
	At     time.Duration `json:"at_ns"`    // when it was back
	Pool   string        `json:"pool"`     // that it is in then
	Blocks int64         `json:"blocks"`   // of 4 KiB, that the cloud cache was thrown away with
	Writes uint64        `json:"writes"`   // acknowledged ones, overwritten ones included
	Lost   time.Duration `json:"lost_ns"`  // the age of its oldest lost write when the failure began
	Bound  time.Duration `json:"bound_ns"` // what that may be at most: the interval, the flush that was interrupted, and outages since the last flush
}

// Within says whether a VM lost no more than it may.
func (r *Recovered) Within() bool { return r.Lost <= r.Bound }

// MostRecovered bounds how many of them a run tells one by one.
const MostRecovered = 100

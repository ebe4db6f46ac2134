//go:build !unix

package bench

import "time"

var start = time.Now()

// busy is the time since the start: as near as comes to the processor time that
// this process has taken.
func busy() time.Duration { return time.Since(start) }

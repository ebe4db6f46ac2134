//go:build unix

package bench

import (
	"syscall"
	"time"
)

// busy is the processor time that this process has taken so far.
func busy() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no way to fail for oneself
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

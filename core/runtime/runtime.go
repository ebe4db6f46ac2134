// Package runtime is the few things that code which acts needs from outside:
// the time, sleep, tasks that run beside one another, cancellation, and
// randomness.
//
// Executors in core are plain sequential functions written on a Runtime. Live,
// a task is a goroutine and the time is the machine's (see Live); in a
// simulation a task is a process on virtual time. The code is the same. Code
// in core uses no other source of time, concurrency or chance: no package
// time functions that read the clock, no go statement, no context deadline.
package runtime

import (
	"context"
	"math/rand/v2"
	"time"
)

// Runtime is what acting code runs on.
type Runtime interface {
	// Now is the wall clock. It may step, back too: use it to stamp, never to
	// measure.
	Now() time.Time
	// Elapsed is the monotonic time since the runtime began: use it to measure.
	Elapsed() time.Duration
	// Sleep waits for d, or until ctx is cancelled: then, and also if that has
	// happened before, it returns ctx.Err().
	Sleep(ctx context.Context, d time.Duration) error
	// Go runs fn as a task beside the caller, also if ctx is cancelled already.
	// The context that fn gets is cancelled by the task's Cancel, with ctx, and
	// when fn has returned.
	Go(ctx context.Context, name string, fn func(ctx context.Context)) Task
	// WithCancel is context.WithCancel for contexts that are handed to this
	// runtime's Sleep, Go and Wait, and to calls made over its transports.
	WithCancel(ctx context.Context) (context.Context, context.CancelFunc)
	// Rand is the stream of random numbers of that name.
	Rand(name string) *rand.Rand
}

// Task is something that Go started.
type Task interface {
	// Cancel asks the task to end; it does not wait for that.
	Cancel()
	// Wait waits until the task has ended, or ctx is cancelled: then, and also if
	// that has happened before, it returns ctx.Err().
	Wait(ctx context.Context) error
}

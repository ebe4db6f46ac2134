package runtime

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// MaxTasks bounds the tasks of a Live runtime that run at once. Whoever starts
// tasks has a limit of its own far below: to get here is a bug.
const MaxTasks = 1024

// Live is the Runtime of a real appliance: goroutines and the machine's clocks.
// It is this package's one adapter to the machine.
type Live struct {
	start time.Time
	tasks atomic.Int64

	mu      sync.Mutex
	streams map[string]*rand.Rand
}

// NewLive returns a runtime that begins now.
func NewLive() *Live {
	return &Live{start: time.Now(), streams: map[string]*rand.Rand{}}
}

func (l *Live) Now() time.Time         { return time.Now() }
func (l *Live) Elapsed() time.Duration { return time.Since(l.start) }

func (l *Live) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err // a select with both ready would choose by chance
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Go never waits, so that it can be called under a lock. It panics when MaxTasks
// run already.
func (l *Live) Go(ctx context.Context, name string, fn func(ctx context.Context)) Task {
	if l.tasks.Add(1) > MaxTasks {
		l.tasks.Add(-1)
		panic(fmt.Sprintf("runtime: task %q would be one of more than %d at once: whoever starts it needs a limit", name, MaxTasks))
	}
	ctx, cancel := context.WithCancel(ctx)
	t := &liveTask{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer func() { cancel(); l.tasks.Add(-1); close(t.done) }()
		fn(ctx)
	}()
	return t
}

func (l *Live) WithCancel(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Rand streams are seeded by chance; each is for one task at a time.
func (l *Live) Rand(name string) *rand.Rand {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.streams[name]
	if r == nil {
		h := fnv.New64a()
		h.Write([]byte(name))
		r = rand.New(rand.NewPCG(rand.Uint64(), h.Sum64()))
		l.streams[name] = r
	}
	return r
}

type liveTask struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (t *liveTask) Cancel() { t.cancel() }

func (t *liveTask) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

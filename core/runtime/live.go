package runtime

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// MaxTasks bounds the tasks of a Live runtime that run at once.
const MaxTasks = 1024

// Live is the Runtime of a real appliance: goroutines and the machine's clocks.
// It is this package's one adapter to the machine.
type Live struct {
	start time.Time
	slots chan struct{}

	mu      sync.Mutex
	streams map[string]*rand.Rand
}

// NewLive returns a runtime that begins now.
func NewLive() *Live {
	return &Live{start: time.Now(), slots: make(chan struct{}, MaxTasks), streams: map[string]*rand.Rand{}}
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

// Go waits for a free slot when MaxTasks run already, unless ctx is cancelled:
// a task that finds its context cancelled ends soon and needs none.
func (l *Live) Go(ctx context.Context, _ string, fn func(ctx context.Context)) Task {
	ctx, cancel := context.WithCancel(ctx)
	t := &liveTask{cancel: cancel, done: make(chan struct{})}
	release := func() {}
	select {
	case l.slots <- struct{}{}:
		release = func() { <-l.slots }
	case <-ctx.Done():
	}
	go func() {
		defer func() { cancel(); close(t.done); release() }()
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

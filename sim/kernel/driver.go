package kernel

import (
	"fmt"
	"sync"
	"time"
)

// Limits bound a run. Zero means no limit. A run that hits one fails: see
// LimitError.
type Limits struct {
	Events  uint64        // scheduled events
	Virtual time.Duration // virtual time
	Wall    time.Duration // wall time, pauses included
}

// LimitError says which watchdog stopped a run, and where.
type LimitError struct {
	Limit  string // "events", "virtual time" or "wall time"
	Bound  string
	At     time.Duration
	Events uint64
	Seed   uint64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the run exceeded its limit of %s %s at virtual time %v after %d events (seed %d)", e.Bound, e.Limit, e.At, e.Events, e.Seed)
}

// Driver runs a Kernel at a speed: 0 is as fast as possible, 1 is real time,
// 60 a minute per second. It decides when the next event runs, never which
// one, so that the hash is the same at every speed. This is the one place of
// the simulation that reads the wall clock. Pause, Resume, Step and SetSpeed
// may be called from any goroutine, before and while it runs; the rest may not.
type Driver struct {
	kernel *Kernel
	limits Limits

	mu      sync.Mutex
	changed chan struct{} // holds a token when something below has changed
	speed   float64
	paused  bool
	steps   int // events to run although paused

	wall    time.Time // wall and virtual time of the last change of pace
	virtual time.Duration
}

// NewDriver returns a driver at that speed, not paused.
func NewDriver(k *Kernel, speed float64, limits Limits) *Driver {
	return &Driver{kernel: k, limits: limits, speed: speed, changed: make(chan struct{}, 1)}
}

// Pause stops before the next event.
func (d *Driver) Pause() { d.change(func() { d.paused = true }) }

// Resume ends a pause.
func (d *Driver) Resume() { d.change(func() { d.paused, d.steps = false, 0 }) }

// SetSpeed changes the pace.
func (d *Driver) SetSpeed(x float64) { d.change(func() { d.speed = x }) }

// Step runs n events at once and pauses then.
func (d *Driver) Step(n int) { d.change(func() { d.paused = true; d.steps += n }) }

func (d *Driver) change(f func()) {
	d.mu.Lock()
	f()
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Run runs until nothing is left to do before virtual time until, a failure of
// the world, a limit, or stop is closed (nil: never). The clock stands at until
// afterwards if the world ran out of events before.
func (d *Driver) Run(until time.Duration, stop <-chan struct{}) error {
	k := d.kernel
	start := time.Now()
	d.rebase()
	for n := 0; k.failure == nil; n++ {
		at, ok := k.next()
		if !ok || at > until {
			k.now = max(k.now, until)
			return nil
		}
		if err := d.overLimit(at, n, start); err != nil {
			k.Fail(err)
			break
		}
		if d.unhurried(n) {
			if go_, err := d.pace(at, stop); err != nil {
				return err
			} else if !go_ {
				continue
			}
		}
		k.step()
	}
	return k.failure
}

// unhurried says whether to look at pace and controls before this event: at
// full speed that look costs as much as an event, so only now and then.
func (d *Driver) unhurried(n int) bool {
	if n%256 == 0 {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.speed > 0 || d.paused
}

func (d *Driver) overLimit(at time.Duration, n int, start time.Time) error {
	k, l := d.kernel, d.limits
	over := func(limit, bound string) error {
		return &LimitError{Limit: limit, Bound: bound, At: k.now, Events: k.events, Seed: k.seed}
	}
	switch {
	case l.Events > 0 && k.events >= l.Events:
		return over("events", fmt.Sprint(l.Events))
	case l.Virtual > 0 && at > l.Virtual:
		return over("virtual time", l.Virtual.String())
	case l.Wall > 0 && n%1024 == 0 && time.Since(start) > l.Wall:
		return over("wall time", l.Wall.String())
	}
	return nil
}

func (d *Driver) rebase() { d.wall, d.virtual = time.Now(), d.kernel.now }

// ErrStopped is what Run returns when its stop channel was closed.
var ErrStopped = fmt.Errorf("the run was interrupted")

// pace waits until the event at virtual time at is due. It reports false when
// something changed meanwhile and the caller must look again.
func (d *Driver) pace(at time.Duration, stop <-chan struct{}) (due bool, err error) {
	select {
	case <-stop:
		return false, ErrStopped
	default:
	}
	d.mu.Lock()
	speed, paused := d.speed, d.paused
	step := paused && d.steps > 0
	if step {
		d.steps--
	}
	d.mu.Unlock()
	switch {
	case step:
		d.wall, d.virtual = time.Now(), at
		return true, nil
	case paused:
		select {
		case <-d.changed:
		case <-stop:
			return false, ErrStopped
		}
		d.rebase()
		return false, nil
	case speed <= 0:
		return true, nil
	}
	wait := time.Duration(float64(at-d.virtual)/speed) - time.Since(d.wall)
	if wait <= 0 {
		return true, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-stop:
		return false, ErrStopped
	case <-d.changed:
		passed := time.Duration(float64(time.Since(d.wall)) * speed)
		d.wall, d.virtual = time.Now(), min(d.virtual+passed, at)
		return false, nil
	}
}

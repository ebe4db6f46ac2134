package kernel

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound a run. Zero means no limit. A run that hits one fails: see
// LimitError.
type Limits struct {
	Events  uint64        // scheduled events
	Virtual time.Duration // virtual time
	Wall    time.Duration // wall time since the Driver's first Run, pauses included
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

// ErrStopped is what Run returns when its stop channel was closed.
var ErrStopped = errors.New("the run was interrupted")

// Driver runs a Kernel at a speed: 0 is as fast as possible, 1 is real time,
// 60 a minute per second. It decides when the next event runs, never which
// one, so that the hash is the same at every speed. This is the one place of
// the simulation that reads the wall clock. Pause, Resume, Step and SetSpeed
// may be called from any goroutine, before and while it runs; the rest may not.
type Driver struct {
	kernel *Kernel
	limits Limits

	mu      sync.Mutex
	wanted  control
	steps   int           // events to run although paused
	inbox   inbox         // what others want done
	changed chan struct{} // holds a token when one of these has changed
	hurried atomic.Bool   // at full speed, not paused, nobody waits: no look at them is needed

	pace     pace
	expired  <-chan time.Time // when the limit of wall time is over; nil before the first Run, or if there is none
	horizon  func() time.Duration
	free     bool // the horizon was far when it was last looked at
	again    []Again
	replayed int // how many of again
}

// control is what people want of a Driver.
type control struct {
	speed   float64
	paused  bool
	version int // grows with every change
}

// pace relates wall and virtual time since the last change of control, over all
// that the Driver ran since.
type pace struct {
	control
	wall    time.Time
	virtual time.Duration
}

// NewDriver returns a driver at that speed, not paused.
func NewDriver(k *Kernel, speed float64, limits Limits) *Driver {
	d := &Driver{kernel: k, limits: limits, changed: make(chan struct{}, 1)}
	d.SetSpeed(speed)
	return d
}

// Pause stops before the next event.
func (d *Driver) Pause() { d.change(func() { d.wanted.paused = true }) }

// Resume ends a pause.
func (d *Driver) Resume() { d.change(func() { d.wanted.paused, d.steps = false, 0 }) }

// SetSpeed changes the speed; zero or less is as fast as possible.
func (d *Driver) SetSpeed(x float64) { d.change(func() { d.wanted.speed = x }) }

// Step runs n events at once, however far off they are, and pauses then.
func (d *Driver) Step(n int) { d.change(func() { d.wanted.paused = true; d.steps += n }) }

func (d *Driver) change(f func()) {
	d.mu.Lock()
	f()
	d.wanted.version++
	d.hurry()
	d.mu.Unlock()
	d.wake()
}

// hurry notes whether a look is needed before every event. mu is held.
func (d *Driver) hurry() {
	d.hurried.Store(d.wanted.speed <= 0 && !d.wanted.paused && len(d.inbox.waiting) == 0)
}

func (d *Driver) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Within keeps a world that waits for people from running away at full speed:
// before an event later than horizon() the Driver waits until somebody calls Do,
// or changes the pace. It is asked now and then, between events; Forever is no
// bound. At any other speed time passes as it does. To be called before Run.
func (d *Driver) Within(horizon func() time.Duration) { d.horizon = horizon }

// Run runs until nothing is left to do before virtual time until (Forever: until
// nothing is left), a failure of the world, a limit, or stop is closed (nil:
// never). If until was reached or nothing is left before it, the clock stands at
// it afterwards; paced or paused, until is waited for as an event is. The pace
// goes on from one Run to the next: who takes long between them is made up for.
//
// A process that never waits cannot be interrupted; one that spins at one
// virtual time meets the limit of events.
func (d *Driver) Run(until time.Duration, stop <-chan struct{}) error {
	k := d.kernel
	if d.limits.Wall > 0 && d.expired == nil {
		d.expired = time.After(d.limits.Wall)
	}
	wait := waiting{stop: stop, changed: d.changed, expired: d.expired}
	// At full speed a look at channels costs as much as an event: only now and then.
	const seldom = 256
	for n := 0; k.failure == nil; n++ {
		at, event := k.next()
		switch {
		case until >= 0 && (!event || at > until):
			at, event = max(until, k.now), false
		case !event:
			return nil
		}
		if d.replayed < len(d.again) {
			before := k.events
			if err := d.repeat(at, event); err != nil {
				return err
			}
			if k.events != before {
				continue
			}
		}
		if event {
			if err := d.overLimit(at); err != nil {
				k.Fail(err)
				break
			}
		}
		if n%seldom == 0 || !d.hurried.Load() || d.horizon != nil && (!d.free || !event) {
			d.repace(at)
			if d.serve(at) {
				d.free = false
				continue
			}
			switch d.await(at, event, wait) {
			case stopped:
				return ErrStopped
			case expired:
				k.Fail(d.limitError("wall time", d.limits.Wall.String()))
				continue
			case lookAgain:
				continue
			}
		}
		if !event {
			k.now = at
			return nil
		}
		k.step()
	}
	return k.failure
}

func (d *Driver) overLimit(at time.Duration) error {
	k, l := d.kernel, d.limits
	switch {
	case l.Events > 0 && k.events >= l.Events:
		return d.limitError("events", fmt.Sprint(l.Events))
	case l.Virtual > 0 && at > l.Virtual:
		return d.limitError("virtual time", l.Virtual.String())
	}
	return nil
}

func (d *Driver) limitError(limit, bound string) error {
	k := d.kernel
	return &LimitError{Limit: limit, Bound: bound, At: k.now, Events: k.events, Seed: k.seed}
}

// waiting is what can end a wait of the Driver before its time.
type waiting struct {
	stop    <-chan struct{}
	changed <-chan struct{}
	expired <-chan time.Time
}

type verdict uint8

const (
	due verdict = iota
	lookAgain
	stopped
	expired
)

// until waits for timer (nil: does not come).
func (w waiting) until(timer <-chan time.Time) verdict {
	select {
	case <-timer:
		return due
	case <-w.changed:
		return lookAgain
	case <-w.stop:
		return stopped
	case <-w.expired:
		return expired
	}
}

// await waits until virtual time at is due: that of the next event, or the end
// of the Run.
func (d *Driver) await(at time.Duration, event bool, w waiting) verdict {
	select {
	case <-w.stop:
		return stopped
	case <-w.expired:
		return expired
	default:
	}
	wanted, step := d.look(event)
	if wanted.version != d.pace.version {
		return lookAgain
	}
	switch {
	case step:
		return due
	case wanted.paused:
		return w.until(nil)
	case wanted.speed <= 0:
		if d.beyond(at) {
			return w.until(nil)
		}
		return due
	}
	left := stretch(at-d.pace.virtual, 1/wanted.speed) - time.Since(d.pace.wall)
	if left <= 0 {
		return due
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	return w.until(timer.C)
}

// beyond says whether an event at that time has to wait for people.
func (d *Driver) beyond(at time.Duration) bool {
	if d.horizon == nil {
		return false
	}
	h := d.horizon()
	d.free = h < 0
	return h >= 0 && at > h
}

// repace starts the pace anew from the present if people want another.
func (d *Driver) repace(next time.Duration) {
	d.mu.Lock()
	wanted := d.wanted
	d.mu.Unlock()
	if wanted.version != d.pace.version {
		d.pace = pace{control: wanted, wall: time.Now(), virtual: d.reached(next)}
	}
}

// look reads what is wanted, and whether there is a step to take. Only an event
// uses it up: the end of a Run on the way there does not.
func (d *Driver) look(event bool) (c control, step bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	step = d.wanted.paused && d.steps > 0 && d.wanted.version == d.pace.version
	if step && event {
		d.steps--
	}
	return d.wanted, step
}

// reached is the virtual time that the present pace has come to, at most next.
func (d *Driver) reached(next time.Duration) time.Duration {
	p := d.pace
	at := p.virtual
	if !p.paused && p.speed > 0 {
		at += stretch(time.Since(p.wall), p.speed)
	}
	return min(max(at, d.kernel.now), next)
}

// stretch is d times x, and a very long time rather than an overflow.
func stretch(d time.Duration, x float64) time.Duration {
	const most = float64(math.MaxInt64 / 4)
	return time.Duration(min(float64(d)*x, most))
}

package kernel

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxInbox bounds how many calls wait for the Driver at once.
const maxInbox = 4096

// What a call to the inbox comes to if it is not run.
var (
	// ErrInboxFull says that too many calls wait already: try again later.
	ErrInboxFull = fmt.Errorf("%d calls wait for the world already: try again later", maxInbox)
	// ErrOver says that the world has ended, or ended before the call's turn came.
	ErrOver = errors.New("the world has ended")
	// ErrWithdrawn says that the caller went away before the call's turn came.
	ErrWithdrawn = errors.New("the caller went away before its turn came")
)

// Mark is a place between two events of a run. With the seed it names one state
// of the world.
type Mark struct {
	Events uint64        // that ran before
	At     time.Duration // virtual time
	Hash   uint64        // of all before
}

// inbox holds what other goroutines want done between two events. The Driver's
// mutex guards it.
type inbox struct {
	waiting []*posted
	over    bool
}

type posted struct {
	fn    func(Mark)
	event bool
	done  chan struct{} // closed once it has run, or never will
	ran   bool
}

// Do runs fn between two events as an event of its own, at the virtual time that
// the pace has come to, never after the next event; paused or not. It may be
// called from any goroutine but the Driver's, and returns when fn has: fn is told
// where in the run that was, must not wait, and changes the world as an event
// does. Equal functions at equal Marks make equal runs: see Replay.
//
// gone (nil: never) withdraws what has not begun. Errors: ErrInboxFull,
// ErrOver, ErrWithdrawn; fn has not run then and never will.
func (d *Driver) Do(gone <-chan struct{}, fn func(Mark)) error { return d.post(gone, fn, true) }

// Look is Do for fn that only reads: it is no event, and leaves nothing in the
// hash.
func (d *Driver) Look(gone <-chan struct{}, fn func()) error {
	return d.post(gone, func(Mark) { fn() }, false)
}

func (d *Driver) post(gone <-chan struct{}, fn func(Mark), event bool) error {
	p := &posted{fn: fn, event: event, done: make(chan struct{})}
	d.mu.Lock()
	switch {
	case d.inbox.over:
		d.mu.Unlock()
		return ErrOver
	case len(d.inbox.waiting) >= maxInbox:
		d.mu.Unlock()
		return ErrInboxFull
	}
	d.inbox.waiting = append(d.inbox.waiting, p)
	d.hurry()
	d.mu.Unlock()
	d.wake()
	select {
	case <-p.done:
	case <-gone:
		if d.withdraw(p) {
			return ErrWithdrawn
		}
		<-p.done // it has begun, and does not wait
	}
	if !p.ran {
		return ErrOver
	}
	return nil
}

// withdraw takes p out, unless its turn has come.
func (d *Driver) withdraw(p *posted) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.inbox.waiting, p)
	if i < 0 {
		return false
	}
	d.inbox.waiting = slices.Delete(d.inbox.waiting, i, i+1)
	d.hurry()
	return true
}

// Over says that Run is not called any more: whoever waits for a turn hears that
// the world has ended, and so does whoever comes later. Only the Driver's
// goroutine may call it.
func (d *Driver) Over() {
	d.mu.Lock()
	left := d.inbox.waiting
	d.inbox.waiting, d.inbox.over = nil, true
	d.hurry()
	d.mu.Unlock()
	for _, p := range left {
		close(p.done)
	}
}

// take is the next call that waits, or nil.
func (d *Driver) take() *posted {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.inbox.waiting) == 0 {
		return nil
	}
	p := d.inbox.waiting[0]
	d.inbox.waiting = slices.Delete(d.inbox.waiting, 0, 1)
	d.hurry()
	return p
}

// serve runs the calls that wait, one after the other, before the event at next.
func (d *Driver) serve(next time.Duration) (served bool) {
	for d.kernel.failure == nil {
		p := d.take()
		if p == nil {
			return served
		}
		served = true
		d.run(p, next)
		if at, more := d.kernel.next(); more {
			next = min(next, at) // it may have begun something
		}
	}
	return served
}

func (d *Driver) run(p *posted, next time.Duration) {
	defer close(p.done)
	k := d.kernel
	if !p.event {
		p.ran = true
		k.callback(&Timer{fn: func() { p.fn(k.mark(k.now)) }})
		return
	}
	at := d.reached(next)
	if err := d.overLimit(at); err != nil {
		k.Fail(err)
		return
	}
	p.ran = true
	m := k.mark(at)
	k.outside(at, func() { p.fn(m) })
}

func (k *Kernel) mark(at time.Duration) Mark { return Mark{Events: k.events, At: at, Hash: k.Hash()} }

// outside runs fn now, at virtual time at, as an event that nothing in the world
// scheduled.
func (k *Kernel) outside(at time.Duration, fn func()) {
	k.seq++
	e := entry{at: at, seq: k.seq, timer: &Timer{fn: fn}}
	k.now = at
	k.events++
	k.hash.event(e)
	k.callback(e.timer)
}

// Again is something that Do ran in an earlier run.
type Again struct {
	Mark        // where; a Hash of 0 is not compared
	Fn   func() // nil: the run ended here
}

// DivergedError says that a run is not the one that was recorded.
type DivergedError struct {
	Step int           // of those that Replay was given, from 0: the first that does not fit
	Want Mark          // where it was
	Got  Mark          // where this run is
	Next time.Duration // when this run's next event is
}

func (e *DivergedError) Error() string {
	what := fmt.Sprintf("after %d events the hash is %016x, and was %016x", e.Got.Events, e.Got.Hash, e.Want.Hash)
	if e.Got.At > e.Want.At || e.Next < e.Want.At {
		what = fmt.Sprintf("after %d events it is %v and the next event is at %v; it was %v", e.Got.Events, e.Got.At, e.Next, e.Want.At)
	}
	return fmt.Sprintf("the run differs before outside step %d: %s", e.Step+1, what)
}

// Replay makes the following Runs do again what was done from outside in an
// earlier one, in order: each when as many events have run, at its time. The
// run fails with a *DivergedError where that cannot be, and ends with ErrEnded at
// a step without a function.
func (d *Driver) Replay(steps []Again) { d.again, d.replayed = steps, 0 }

// ErrEnded is what Run returns when it came to the end of what it replays.
var ErrEnded = errors.New("the recorded run ended here")

// repeat does the steps whose turn it is, before what comes next: an event, or
// the end of a Run, which a step may lie beyond.
func (d *Driver) repeat(next time.Duration, event bool) error {
	k := d.kernel
	for d.replayed < len(d.again) && d.again[d.replayed].Events <= k.events {
		s := d.again[d.replayed]
		if s.At > next && !event {
			return nil
		}
		got := k.mark(k.now)
		if s.Events != k.events || s.At < k.now || s.At > next || s.Hash != 0 && s.Hash != got.Hash {
			err := &DivergedError{Step: d.replayed, Want: s.Mark, Got: got, Next: next}
			k.Fail(err)
			return err
		}
		d.replayed++
		if s.Fn == nil {
			k.now = s.At
			return ErrEnded
		}
		k.outside(s.At, s.Fn)
		if k.failure != nil {
			return k.failure
		}
		if at, more := k.next(); more && at <= next {
			next, event = at, true
		}
	}
	return nil
}

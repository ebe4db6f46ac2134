// Package kernel is virtual time: a discrete-event simulation in which exactly
// one thing happens at a time, in order of (time, sequence).
//
// It decides when things happen and in which order. It never reads the wall
// clock (the Driver does, to pace), starts no goroutine that runs beside
// another, and draws no randomness that is not named. So a run is a function
// of its seed, and the running hash says whether two runs were the same.
//
//	          After, At            Go
//	             |                 |
//	             v                 v
//	callbacks ->  [ heap of (time, seq) ] <- wakes of processes
//	                       |
//	                     step: one event
//	                    /            \
//	              callback      resume a process until it waits
//
// Processes are sequential Go code on iter.Pull coroutines. They wait in
// Sleep, Wait and Mailbox.Recv, and nowhere else. Read this file, then proc.go
// (processes and their death), wait.go (what a process can wait for), driver.go
// (pace and watchdogs), inbox.go (what others do to the world from outside).
package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

// Kernel is one world's clock, event queue and processes. It belongs to one
// goroutine at a time, that of the Driver which runs it; Kernels of different
// worlds are independent.
type Kernel struct {
	now     time.Duration
	seq     uint64
	queue   queue
	seed    uint64
	procs   procList
	current *Proc
	events  uint64
	traced  uint64
	hash    hash
	streams map[string]*rand.Rand
	observe []func(Event)
	failure error
	telling bool // observers are being told of an event
	closing bool
}

// New returns an empty world at virtual time 0. Every random stream of the
// world is drawn from seed.
func New(seed uint64) *Kernel {
	return &Kernel{seed: seed, hash: newHash(), streams: map[string]*rand.Rand{}}
}

// Seed is the seed that New was given.
func (k *Kernel) Seed() uint64 { return k.seed }

// Now is the virtual time since the start of the world.
func (k *Kernel) Now() time.Duration { return k.now }

// Events counts the scheduled events that have run.
func (k *Kernel) Events() uint64 { return k.events }

// Hash covers every event so far: when, in which order, for which process, and
// what the trace said. Equal hashes mean equal runs.
func (k *Kernel) Hash() uint64 { return k.hash.sum() }

// Err is the first failure of the world: a *Panic of a process or callback, or
// what Fail was given. The Driver stops at it.
func (k *Kernel) Err() error { return k.failure }

// Fail stops the world with err. The first failure stands.
func (k *Kernel) Fail(err error) {
	if k.failure == nil {
		k.failure = err
	}
}

// Panic is a panic in a process or callback of the world: a bug in the code
// under simulation, never an outcome.
type Panic struct {
	Proc  string        // the process, or "callback"
	At    time.Duration // virtual time
	Value any           // what was passed to panic
	Stack string        // the stack of the panicking process
}

func (p *Panic) Error() string {
	return fmt.Sprintf("panic in %s at %v: %v\n%s", p.Proc, p.At, p.Value, p.Stack)
}

// Rand is the random stream of that name. Streams do not disturb one another:
// a new draw in one part of the world leaves the draws of all others as they
// were.
func (k *Kernel) Rand(name string) *rand.Rand {
	r := k.streams[name]
	if r == nil {
		// Hashed: seeds and names that differ in one bit give unrelated streams.
		key := binary.BigEndian.AppendUint64(nil, k.seed)
		r = rand.New(rand.NewChaCha8(sha256.Sum256(append(key, name...))))
		k.streams[name] = r
	}
	return r
}

// Timer is a callback that has not run yet.
type Timer struct {
	fn func()
}

// Stop keeps the callback from running and reports whether it did: false when
// it ran before or was stopped before.
func (t *Timer) Stop() bool {
	pending := t.fn != nil
	t.fn = nil
	return pending
}

// After calls fn, which must not wait, when d has passed.
func (k *Kernel) After(d time.Duration, fn func()) *Timer { return k.At(k.later(d), fn) }

// later is d from now, and the end of time rather than an overflow.
func (k *Kernel) later(d time.Duration) time.Duration {
	if t := k.now + max(d, 0); t >= k.now {
		return t
	}
	return math.MaxInt64
}

// At calls fn, which must not wait, at virtual time t, or now if t has passed.
func (k *Kernel) At(t time.Duration, fn func()) *Timer {
	timer := &Timer{fn: fn}
	k.push(entry{at: t, timer: timer})
	return timer
}

func (k *Kernel) push(e entry) {
	e.at = max(e.at, k.now)
	k.seq++
	e.seq = k.seq
	k.queue.push(e)
}

// next is the time of the next entry that is not stale.
func (k *Kernel) next() (time.Duration, bool) {
	for k.queue.len() > 0 {
		if e := k.queue.peek(); !e.stale() {
			return e.at, true
		}
		k.queue.pop()
	}
	return 0, false
}

// step runs the next entry. next must have said that there is one.
func (k *Kernel) step() {
	e := k.queue.pop()
	k.now = e.at
	k.events++
	k.hash.event(e)
	if e.timer != nil {
		k.callback(e.timer)
		return
	}
	p := e.proc
	p.gen++
	k.run(p, p.resume)
}

func (k *Kernel) callback(t *Timer) {
	defer func() {
		if r := recover(); r != nil {
			k.Fail(&Panic{Proc: "callback", At: k.now, Value: r, Stack: string(debug.Stack())})
		}
	}()
	fn := t.fn
	t.fn = nil
	fn()
}

// Close kills what still runs, in order of creation, and what that starts does
// not run. Without it every waiting coroutine leaks. It is for the Driver's
// side: a process of the world cannot close it.
func (k *Kernel) Close() {
	if k.current != nil {
		panic("kernel: Close was called by a process of the world")
	}
	k.closing = true
	for _, p := range slices.Clone(k.procs) {
		p.Kill()
	}
	k.procs, k.queue = nil, queue{}
}

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
// Sleep, Wait and Mailbox.Recv, and nowhere else. Read this file, then wait.go
// (what a process can wait for), then driver.go (pace and watchdogs).
package kernel

import (
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
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
	procs   []*Proc // in order of creation: what goes over them must not range over a map
	current *Proc
	events  uint64
	traced  uint64
	hash    hash
	streams map[string]*rand.Rand
	observe []func(Event)
	failure error
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

// Hash covers every event so far: when, in which order, for whom, and what the
// trace said. Equal hashes mean equal runs.
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
		h := fnv.New64a()
		h.Write([]byte(name))
		r = rand.New(rand.NewPCG(k.seed, h.Sum64()))
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
func (k *Kernel) After(d time.Duration, fn func()) *Timer { return k.At(k.now+max(d, 0), fn) }

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

// Proc is a process: sequential code with a name. It is killed at its next or
// present wait, never in between.
type Proc struct {
	kernel *Kernel
	id     uint64
	name   string
	group  *Group

	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool

	gen   uint64 // of the present wait: wakes of an older one are stale
	waits []Waitable
	dead  bool
	done  *Signal
}

var errKilled = errors.New("process killed")

// Go starts a process at the current time. It joins the group of the process
// that starts it, if that has one.
func (k *Kernel) Go(name string, fn func()) *Proc {
	var g *Group
	if k.current != nil {
		g = k.current.group
	}
	return k.start(name, g, fn)
}

func (k *Kernel) start(name string, g *Group, fn func()) *Proc {
	k.seq++
	p := &Proc{kernel: k, id: k.seq, name: name, group: g, done: NewSignal(k)}
	p.resume, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		// Recovered in here: a panic that leaves the body comes out of resume with
		// the stack of the process gone.
		defer func() {
			if r := recover(); r != nil && r != any(errKilled) {
				k.Fail(&Panic{Proc: name, At: k.now, Value: r, Stack: string(debug.Stack())})
			}
		}()
		fn()
	})
	k.procs = append(k.procs, p)
	if g != nil {
		g.procs = append(g.procs, p)
	}
	k.push(entry{at: k.now, proc: p})
	return p
}

// Current is the running process, or nil in a callback.
func (k *Kernel) Current() *Proc { return k.current }

// Name is what Go was given.
func (p *Proc) Name() string { return p.name }

// Done fires when the process has ended, by itself or killed.
func (p *Proc) Done() *Signal { return p.done }

// Kill ends the process where it waits: its deferred functions run, nothing
// after. A process may kill itself.
func (p *Proc) Kill() {
	if p.dead {
		return
	}
	p.dead = true
	p.unwait()
	k := p.kernel
	if k.current == p {
		panic(errKilled) // stop on oneself would hang
	}
	prev := k.current
	k.current = p
	p.stop()
	k.current = prev
	k.forget(p)
}

func (k *Kernel) forget(p *Proc) {
	same := func(q *Proc) bool { return q == p }
	if p.group != nil {
		p.group.procs = slices.DeleteFunc(p.group.procs, same)
	}
	if k.closing {
		return
	}
	k.procs = slices.DeleteFunc(k.procs, same)
	p.done.Fire()
}

// Group is a set of processes that die together, such as those of one
// incarnation of the appliance. What a member starts is a member.
type Group struct {
	kernel *Kernel
	procs  []*Proc // in order of creation
	killed bool
}

// NewGroup returns an empty group.
func (k *Kernel) NewGroup() *Group { return &Group{kernel: k} }

// Go starts a process in the group. In a killed group it does nothing and
// returns a process that has ended.
func (g *Group) Go(name string, fn func()) *Proc {
	if g.killed {
		p := &Proc{kernel: g.kernel, name: name, dead: true, done: NewSignal(g.kernel)}
		p.done.Fire()
		return p
	}
	return g.kernel.start(name, g, fn)
}

// Len is the number of live members.
func (g *Group) Len() int { return len(g.procs) }

// Kill kills every member, in order of creation, and the calling one last.
func (g *Group) Kill() {
	g.killed = true
	self := g.kernel.current
	for _, p := range slices.Clone(g.procs) {
		if p != self {
			p.Kill()
		}
	}
	if self != nil && self.group == g {
		self.Kill()
	}
}

// park gives control back to the kernel until a wake of the present wait.
func (p *Proc) park() {
	// Dead and still here: a deferred function that waits, or code that recovered
	// from the kill. Yielding again after yield said false would crash the runtime.
	if p.dead || !p.yield(struct{}{}) {
		panic(errKilled)
	}
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
	k.current = p
	_, alive := p.resume()
	k.current = nil
	if !alive {
		p.dead = true
		k.forget(p)
	}
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

// Close kills what still runs. Without it every waiting coroutine leaks.
func (k *Kernel) Close() {
	k.closing = true
	for _, p := range k.procs {
		p.Kill()
	}
	k.procs, k.queue = nil, queue{}
}

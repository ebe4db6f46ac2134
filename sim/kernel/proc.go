package kernel

import (
	"cmp"
	"errors"
	"iter"
	"runtime/debug"
	"slices"
)

// Proc is a process: sequential code with a name. It is killed at its next or
// present wait, never in between.
type Proc struct {
	kernel *Kernel
	id     uint64
	name   string
	group  *Group

	resume func()
	stop   func()
	yield  func(struct{}) bool // nil until it first runs

	gen     uint64 // of the present wait: wakes of an older one are stale
	waits   []Waitable
	running bool // on the stack: it runs, or it is killing one that runs
	dead    bool // it has ended, or ends at its next wait
	done    *Signal
}

// errKilled unwinds the stack of a killed process.
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
	if k.closing || g != nil && g.killed {
		p := &Proc{kernel: k, name: name, dead: true, done: NewSignal(k)}
		p.done.Fire()
		return p
	}
	k.seq++
	p := &Proc{kernel: k, id: k.seq, name: name, group: g, done: NewSignal(k)}
	enter, stop := iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		// Recovered in here: a panic that leaves the body comes out of resume with
		// the stack of the process gone.
		defer func() {
			if r := recover(); r != nil && r != any(errKilled) {
				k.Fail(&Panic{Proc: name, At: k.now, Value: r, Stack: string(debug.Stack())})
			}
			p.dead = true
			k.forget(p)
		}()
		fn()
	})
	p.resume, p.stop = func() { enter() }, stop
	k.procs.add(p)
	if g != nil {
		g.procs.add(p)
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
// after, and none of them can wait. A process may kill itself, also by killing
// one whose deferred functions kill it: then Kill does not return.
func (p *Proc) Kill() { p.kernel.lethal(p.kill) }

// lethal runs fn, which kills, and does not return if it killed the caller.
func (k *Kernel) lethal(fn func()) {
	c := k.current
	lived := c != nil && !c.dead
	fn()
	if lived && c.dead {
		panic(errKilled)
	}
}

func (p *Proc) kill() {
	if p.dead {
		return
	}
	p.dead = true
	p.unwait()
	if p.running {
		return // to stop what is on the stack would hang: it ends when that is back at it
	}
	p.kernel.run(p, p.stop)
	if p.yield == nil {
		p.kernel.forget(p) // its body, which does that, never ran
	}
}

// run lets a process run, by enter, until it waits or ends. Deferred, so that
// a test that ends itself (runtime.Goexit) in a process leaves the kernel fit
// for Close.
func (k *Kernel) run(p *Proc, enter func()) {
	prev := k.current
	k.current, p.running = p, true
	defer func() { k.current, p.running = prev, false }()
	enter()
}

func (k *Kernel) forget(p *Proc) {
	if p.group != nil {
		p.group.procs.remove(p)
	}
	k.procs.remove(p)
	p.done.Fire()
}

// CheckAlive does not return to a process that was killed. What the deferred
// functions of such a process still do must not reach the world, as a machine
// without power sends nothing: whoever acts on the world for a process calls
// this first.
func (k *Kernel) CheckAlive() {
	if k.current != nil && k.current.dead {
		panic(errKilled)
	}
}

// park gives control back to the kernel until a wake of the present wait.
func (p *Proc) park() {
	if !p.yield(struct{}{}) {
		panic(errKilled)
	}
}

// Group is a set of processes that die together, such as those of one
// incarnation of the appliance. What a member starts is a member.
type Group struct {
	kernel *Kernel
	procs  procList
	killed bool
}

// NewGroup returns an empty group.
func (k *Kernel) NewGroup() *Group { return &Group{kernel: k} }

// Go starts a process in the group. In a killed group it does nothing and
// returns a process that has ended.
func (g *Group) Go(name string, fn func()) *Proc { return g.kernel.start(name, g, fn) }

// Len is the number of live members.
func (g *Group) Len() int { return len(g.procs) }

// Kill kills every member, in order of creation, and the calling one last:
// then it does not return.
func (g *Group) Kill() {
	g.killed = true
	g.kernel.lethal(func() {
		for _, p := range slices.Clone(g.procs) {
			p.kill()
		}
	})
}

// procList holds processes in order of creation: what goes over processes must
// not range over a map.
type procList []*Proc

func (l *procList) add(p *Proc) { *l = append(*l, p) } // ids grow

func (l *procList) remove(p *Proc) {
	i, found := slices.BinarySearchFunc(*l, p.id, func(q *Proc, id uint64) int { return cmp.Compare(q.id, id) })
	if found {
		*l = slices.Delete(*l, i, i+1)
	}
}

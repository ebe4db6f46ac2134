package kernel

import (
	"slices"
	"time"
)

// Forever is a timeout that never comes.
const Forever time.Duration = -1

// Waitable is what a process can wait for: a Signal or a Mailbox.
type Waitable interface {
	ready() bool
	join(*Proc)
	leave(*Proc)
}

// Sleep makes the running process wait for d.
func (k *Kernel) Sleep(d time.Duration) { k.Wait(max(d, 0)) }

// Wait makes the running process wait until one of ws is ready or timeout has
// passed (Forever: no timeout). It returns the index of the first ready one,
// or -1 after the timeout. A timeout of 0 lets everything else that is due run
// first. Waiting outside of a process, or in an observer, is a bug and panics.
func (k *Kernel) Wait(timeout time.Duration, ws ...Waitable) int {
	p := k.current
	switch {
	case k.telling:
		panic("kernel: a wait in an observer of the trace")
	case p == nil:
		panic("kernel: a wait outside of a process")
	case p.dead:
		// A deferred function that waits, or code that recovered from the kill.
		panic(errKilled)
	}
	if i := slices.IndexFunc(ws, Waitable.ready); i >= 0 {
		return i
	}
	deadline := k.later(timeout)
	p.waits = ws
	for _, w := range ws {
		w.join(p)
	}
	// Joined once: a process that is woken for what another then took keeps its
	// place in the row.
	for {
		if timeout >= 0 {
			k.push(entry{at: deadline, proc: p, gen: p.gen})
		}
		p.park()
		i := slices.IndexFunc(ws, Waitable.ready)
		if i >= 0 || timeout >= 0 && k.now >= deadline {
			p.unwait()
			return i
		}
	}
}

// unwait takes a process out of what it waits for.
func (p *Proc) unwait() {
	for _, w := range p.waits {
		w.leave(p)
	}
	p.waits = nil
}

func (k *Kernel) wake(p *Proc) { k.push(entry{at: k.now, proc: p, gen: p.gen}) }

// waiters are the processes that wait for one thing, in the order in which
// they came.
type waiters []*Proc

func (w *waiters) join(p *Proc)  { *w = append(*w, p) }
func (w *waiters) leave(p *Proc) { *w = slices.DeleteFunc(*w, func(q *Proc) bool { return q == p }) }

// Signal happens once and stays: every process that waits for it, now or
// later, goes on.
type Signal struct {
	kernel *Kernel
	fired  bool
	waiters
}

// NewSignal returns a signal that has not fired.
func NewSignal(k *Kernel) *Signal { return &Signal{kernel: k} }

// Fire wakes all who wait. Firing again does nothing.
func (s *Signal) Fire() {
	if s.fired {
		return
	}
	s.fired = true
	for _, p := range s.waiters {
		s.kernel.wake(p)
	}
}

// Fired reports whether the signal has fired.
func (s *Signal) Fired() bool { return s.fired }

func (s *Signal) ready() bool { return s.fired }

// Mailbox is a bounded FIFO queue between processes. Receivers are served in
// the order in which they came.
type Mailbox[T any] struct {
	kernel *Kernel
	items  []T
	limit  int
	waiters
}

// NewMailbox returns a mailbox of at most limit messages.
func NewMailbox[T any](k *Kernel, limit int) *Mailbox[T] {
	return &Mailbox[T]{kernel: k, limit: limit}
}

// Len is the number of messages waiting.
func (m *Mailbox[T]) Len() int { return len(m.items) }

// Send adds a message, without waiting, and reports whether there was room.
func (m *Mailbox[T]) Send(v T) bool {
	if len(m.items) >= m.limit {
		return false
	}
	m.items = append(m.items, v)
	m.wakeFirst()
	return true
}

func (m *Mailbox[T]) wakeFirst() {
	if len(m.waiters) > 0 {
		m.kernel.wake(m.waiters[0])
	}
}

func (m *Mailbox[T]) ready() bool { return len(m.items) > 0 }

// leave also passes the turn on: if p was the one that a message woke and it
// left without taking it, the next waiter must hear of it.
func (m *Mailbox[T]) leave(p *Proc) {
	m.waiters.leave(p)
	if len(m.items) > 0 {
		m.wakeFirst()
	}
}

// Take takes the first message without waiting.
func (m *Mailbox[T]) Take() (v T, ok bool) {
	if len(m.items) == 0 {
		return v, false
	}
	v = m.items[0]
	m.items[0] = *new(T)
	m.items = m.items[1:]
	return v, true
}

// Recv takes a message for the running process, waiting at most timeout.
func (m *Mailbox[T]) Recv(timeout time.Duration) (v T, ok bool) {
	m.kernel.Wait(timeout, m)
	return m.Take()
}

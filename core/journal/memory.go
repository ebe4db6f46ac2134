package journal

import (
	"math/rand/v2"
	"slices"
)

// Point is a place in a write at which a process can die.
type Point string

// The points of a write, in order.
const (
	BeforeWrite Point = "before-write" // nothing of the batch has left the process
	Written     Point = "written"      // in the volatile half: a power cut keeps or loses it whole
	Synced      Point = "synced"       // durable; Write has not returned yet
)

// MaxUnsynced bounds the batches that a Memory whose syncs are ignored holds in
// its volatile half; the oldest becomes durable then, as a device's cache spills.
const MaxUnsynced = 64

// Memory is a journal without a file, for simulated appliances and tests. Like a
// disk it has a volatile half, of what is written, and a durable half, of what
// is synced. It outlives the process that writes it: after the death of that,
// call Crash, and the next incarnation loads what is left.
type Memory struct {
	durable  []Record   // sorted by name
	volatile [][]Record // batches that are not durable, oldest first
	hook     func(p Point, batch []Record)
	fault    func(op Operation, batch []Record) error
	lies     bool
	closed   bool
}

// NewMemory returns an empty journal.
func NewMemory() *Memory { return &Memory{} }

// OnPoint calls hook at every point of every write, on the writer's thread. The
// hook may kill the writer by a panic that the writer does not recover: the
// write then ends where it is. There is one hook; nil takes it away.
func (m *Memory) OnPoint(hook func(p Point, batch []Record)) { m.hook = hook }

// IgnoreSyncs makes the device below lie: it acknowledges syncs and does not do
// them. It is a fault, for showing that somebody notices.
func (m *Memory) IgnoreSyncs(on bool) { m.lies = on }

// Operation is what a write asks of the device below.
type Operation string

// The operations of a write, in order.
const (
	OpWrite Operation = "write"
	OpSync  Operation = "sync"
)

// SetFault asks f what becomes of each operation of each write. An error, such
// as syscall.ENOSPC of a write or syscall.EIO, fails it: nothing of the batch
// is there if it was not written, and a batch that was written and not synced is
// kept or lost whole by the next Crash. Nil, of f and as its answer: it works.
func (m *Memory) SetFault(f func(op Operation, batch []Record) error) { m.fault = f }

func (m *Memory) asked(op Operation, batch []Record) error {
	if m.fault == nil {
		return nil
	}
	if err := m.fault(op, batch); err != nil {
		return &FailedError{Op: "write", Journal: "memory", Fix: "see to its disk, then open it again and load", Err: err}
	}
	return nil
}

// Write implements Journal.
func (m *Memory) Write(batch []Record) error {
	if m.closed {
		return ErrClosed
	}
	if err := checkLimits(batch); err != nil {
		return err
	}
	m.at(BeforeWrite, batch)
	if err := m.asked(OpWrite, batch); err != nil {
		return err
	}
	own := make([]Record, len(batch))
	for i, r := range batch {
		own[i] = Record{Kind: r.Kind, Key: r.Key, Value: slices.Clone(r.Value)}
	}
	m.volatile = append(m.volatile, own)
	m.at(Written, batch)
	if err := m.asked(OpSync, batch); err != nil {
		return err
	}
	m.sync()
	m.at(Synced, batch)
	return nil
}

func (m *Memory) at(p Point, batch []Record) {
	if m.hook != nil {
		m.hook(p, batch)
	}
}

// sync makes every batch durable, or as few as a lying device can hold no longer.
func (m *Memory) sync() {
	keep := 0
	if m.lies {
		keep = MaxUnsynced
	}
	for len(m.volatile) > keep {
		m.durable = apply(m.durable, m.volatile[0])
		m.volatile = m.volatile[1:]
	}
}

// Crash is what is left after a power cut: all that was synced, and of what was
// written since as many whole batches, from the oldest on, as r says. The
// journal is open again afterwards.
func (m *Memory) Crash(r *rand.Rand) {
	for _, batch := range m.volatile[:r.IntN(len(m.volatile)+1)] {
		m.durable = apply(m.durable, batch)
	}
	m.volatile = nil
	m.closed = false
}

// Load implements Journal. It shows what is written, synced or not, as a
// process reads its own writes.
func (m *Memory) Load() ([]Record, error) {
	if m.closed {
		return nil, ErrClosed
	}
	now := slices.Clone(m.durable)
	for _, batch := range m.volatile {
		now = apply(now, batch)
	}
	for i := range now {
		now[i].Value = slices.Clone(now[i].Value)
	}
	return now, nil
}

// Close implements Journal. Crash opens it again.
func (m *Memory) Close() error {
	m.closed = true
	return nil
}

// Reopen gives the journal to the next incarnation after one that closed it in
// good order.
func (m *Memory) Reopen() { m.closed = false }

// apply changes sorted records by a batch, in order, and returns them sorted.
func apply(records, batch []Record) []Record {
	for _, r := range batch {
		i, there := slices.BinarySearchFunc(records, r, byName)
		switch {
		case r.Value == nil && there:
			records = slices.Delete(records, i, i+1)
		case r.Value == nil:
		case there:
			records[i] = r
		default:
			records = slices.Insert(records, i, r)
		}
	}
	return records
}

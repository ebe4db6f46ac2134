package kernel

import "time"

// entry is something scheduled: a callback, or the wake of a process.
type entry struct {
	at    time.Duration
	seq   uint64
	timer *Timer // a callback, or
	proc  *Proc  // the process to wake, if its generation is still gen
	gen   uint64
}

func (e *entry) stale() bool {
	if e.timer != nil {
		return e.timer.fn == nil
	}
	return e.proc.dead || e.gen != e.proc.gen
}

func (e *entry) before(o *entry) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// queue is a 4-ary heap by (time, sequence): shallower than a binary one, and
// faster for entries of this size.
type queue struct{ heap []entry }

func (q *queue) len() int     { return len(q.heap) }
func (q *queue) peek() *entry { return &q.heap[0] }

func (q *queue) push(e entry) {
	h := append(q.heap, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&h[up]) {
			break
		}
		h[i], i = h[up], up
	}
	h[i] = e
	q.heap = h
}

func (q *queue) pop() entry {
	h := q.heap
	n := len(h) - 1
	top, last := h[0], h[n]
	h[n] = entry{} // let go of the closure
	h = h[:n]
	i := 0
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, n); c++ {
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if !h[least].before(&last) {
			break
		}
		h[i], i = h[least], least
	}
	if n > 0 {
		h[i] = last
	}
	q.heap = h
	return top
}

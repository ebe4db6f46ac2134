package sqs

import (
	"container/list"
	"time"
)

// waiter is a long poll that has found nothing yet.
type waiter struct {
	call        *call
	queue       *queue
	deadline    time.Time
	stop        func() bool
	element     *list.Element
	inDeadlines int
}

// wait parks a call at a queue, behind those that already wait.
func (c *call) wait(q *queue, d time.Duration) *Error {
	s := c.service
	if s.waiting >= s.limits.Waiters {
		return overLimit("%d long polls are pending, of at most %d: end some, or raise the service's limit Waiters.", s.waiting, s.limits.Waiters)
	}
	w := &waiter{call: c, queue: q, deadline: s.config.Clock.Now().Add(d)}
	w.element = q.waiters.PushBack(w)
	w.stop = s.config.Clock.After(d, func() { s.expire(w) })
	s.deadlines.add(w)
	s.waiting++
	c.waiter, c.parked = w, true
	s.touch(q)
	return nil
}

// forget ends a wait, for whatever reason.
func (s *Service) forget(w *waiter) {
	w.stop()
	w.queue.waiters.Remove(w.element)
	s.deadlines.drop(w)
	s.waiting--
	w.call.waiter = nil
	s.touch(w.queue)
}

// expire answers a long poll whose time is over, unless something has become
// visible at this very moment.
func (s *Service) expire(w *waiter) {
	s.advance(w.queue)
	s.serve(w.queue)
	if w.call.waiter != nil {
		s.forget(w)
		w.call.reply(&output{}, nil)
	}
	s.finish()
}

// serve hands out what has become visible to those who wait, in the order in
// which they came.
func (s *Service) serve(q *queue) {
	for q.waiters.Len() > 0 {
		w := q.waiters.Front().Value.(*waiter)
		got, _ := w.call.receive(q, false)
		if len(got) == 0 {
			return
		}
		s.forget(w)
		w.call.reply(&output{Messages: got}, nil)
	}
}

// arm sets the clock for when a message may come back to somebody who waits;
// nobody else needs it to.
func (s *Service) arm(q *queue) {
	next, any := q.due.first()
	any = any && q.waiters.Len() > 0
	if q.stopWake != nil && (!any || !next.until.Equal(q.wakeAt)) {
		q.stopWake()
		q.stopWake = nil
	}
	if any && q.stopWake == nil {
		q.wakeAt = next.until
		q.stopWake = s.config.Clock.After(q.wakeAt.Sub(s.config.Clock.Now()), func() {
			q.stopWake = nil
			s.advance(q)
			s.touch(q)
			s.finish()
		})
	}
}

// advance lets time pass for a queue: what was hidden comes back, what is too
// old goes.
func (s *Service) advance(q *queue) {
	now := s.config.Clock.Now()
	for {
		m, any := q.due.first()
		if !any || m.until.After(now) {
			break
		}
		q.release(m, m.until)
	}
	for {
		m, any := q.old.first()
		if !any || m.entered.Add(q.settings.retention).After(now) {
			break
		}
		s.drop(q, m)
		s.changed(Expired, q, m, "")
	}
	gone := 0
	for gone < len(q.forgets) && !q.forgets[gone].at.After(now) {
		delete(q.dedupe, q.forgets[gone].key)
		gone++
	}
	q.forgets = q.forgets[gone:]
	s.remembered -= gone
}

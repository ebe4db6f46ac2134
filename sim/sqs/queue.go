package sqs

import (
	"container/list"
	"strconv"
	"strings"
	"time"
)

// message is a message in a queue. It is in exactly one of: the visible ones of
// its group (of its queue, if that is a standard one) and the queue's due.
type message struct {
	number  uint64 // of all that were ever stored, in their order in this queue
	id      string
	body    string
	attrs   map[string]Attribute
	trace   string // system attribute AWSTraceHeader
	group   string
	dedupe  string
	seq     string
	source  string // ARN of the queue that gave it up
	weight  int
	sent    time.Time
	entered time.Time // from when retention counts
	first   time.Time
	last    time.Time // when it was last received
	until   time.Time // when it leaves due
	state   State

	received int // ever
	tries    int // in this queue: what a redrive policy counts
	receipt  string
	since    time.Time // its place among the visible ones of a standard queue: when it became visible

	inVisible, inDue, inOld int // places in the indexes
}

// group is the messages of a FIFO queue that have a MessageGroupId in common; a
// standard queue has one for all its messages.
type group struct {
	name    string
	visible index[*message]
	members int       // visible, in flight or delayed
	flying  int       // in flight: while there are any, a FIFO queue hands out no more of it
	delayed time.Time // until when the newest of it is delayed
	inReady int
}

// queue finds a message by its number, the next one and the next group by indexes,
// and what time does by due and old: no call is linear in the number of
// messages, except a purge.
//
//	sent ---> visible --received--> in flight --deleted--> gone
//	  |          ^                      |
//	  v          |                      v
//	delayed --> due <---(until) --------+
type queue struct {
	name     string
	arn      string
	fifo     bool
	settings settings
	created  time.Time
	modified time.Time
	purged   time.Time

	messages map[uint64]*message
	groups   map[string]*group
	ready    index[*group]   // groups that may be handed out, by their first message
	due      index[*message] // in flight or delayed, by until
	old      index[*message] // all, by entered
	counts   map[State]int

	dedupe  map[string]remembered
	forgets []forget // in the order of time

	waiters  *list.List // of *waiter, first come first served
	wakeAt   time.Time  // when what is due next may serve a waiter
	stopWake func() bool
}

func newQueue(name, arn string, now time.Time) *queue {
	q := &queue{
		name: name, arn: arn, fifo: strings.HasSuffix(name, fifoSuffix), created: now, modified: now,
		settings: defaults(),
		messages: map[uint64]*message{}, groups: map[string]*group{}, counts: map[State]int{},
		dedupe: map[string]remembered{}, waiters: list.New(),
	}
	q.ready = index[*group]{
		before: func(a, b *group) bool { return sooner(a.visible.members[0], b.visible.members[0]) },
		place:  func(g *group) *int { return &g.inReady },
	}
	q.due = index[*message]{
		before: func(a, b *message) bool { return earlier(a.until, b.until, a, b) },
		place:  func(m *message) *int { return &m.inDue },
	}
	q.old = index[*message]{
		before: func(a, b *message) bool { return earlier(a.entered, b.entered, a, b) },
		place:  func(m *message) *int { return &m.inOld },
	}
	return q
}

func earlier(t, u time.Time, a, b *message) bool {
	if c := t.Compare(u); c != 0 {
		return c < 0
	}
	return a.number < b.number
}

// sooner is the order in which messages are handed out: of a standard queue, by
// when they became visible; of a FIFO queue, as they were sent.
func sooner(a, b *message) bool { return earlier(a.since, b.since, a, b) }

// groupOf is the group that a message belongs to, made if there is none.
func (q *queue) groupOf(m *message) *group {
	name := ""
	if q.fifo {
		name = m.group
	}
	g := q.groups[name]
	if g == nil {
		g = &group{name: name, visible: index[*message]{
			before: func(a, b *message) bool { return sooner(a, b) },
			place:  func(m *message) *int { return &m.inVisible },
		}}
		q.groups[name] = g
	}
	return g
}

// put stores a message that is new here, hidden until a time that may be over.
func (q *queue) put(m *message, until, now time.Time) {
	g := q.groupOf(m)
	if q.fifo && g.delayed.After(until) {
		until = g.delayed // no message overtakes one of its group
	}
	g.delayed = until
	g.members++
	q.messages[m.number] = m
	q.old.add(m)
	if until.After(now) {
		q.hide(m, g, Delayed, until)
	} else {
		q.show(m, g, now)
	}
	q.settle(g)
}

// take removes a message for good.
func (q *queue) take(m *message) {
	g := q.groupOf(m)
	q.leave(m, g)
	g.members--
	q.old.drop(m)
	delete(q.messages, m.number)
	q.settle(g)
	if g.members == 0 {
		delete(q.groups, g.name)
	}
}

// hold takes a message into flight.
func (q *queue) hold(m *message, until time.Time) {
	g := q.groupOf(m)
	q.leave(m, g)
	q.hide(m, g, InFlight, until)
	q.settle(g)
}

// release makes a message visible again. In a FIFO queue it comes before what
// was sent after it; in a standard one it goes to the end of the line.
func (q *queue) release(m *message, at time.Time) {
	g := q.groupOf(m)
	q.leave(m, g)
	q.show(m, g, at)
	q.settle(g)
}

func (q *queue) leave(m *message, g *group) {
	if m.state == InFlight {
		g.flying--
	}
	q.counts[m.state]--
	g.visible.drop(m)
	q.due.drop(m)
}

func (q *queue) show(m *message, g *group, at time.Time) {
	m.state, m.until = Visible, time.Time{}
	if !q.fifo {
		m.since = at
	}
	q.counts[Visible]++
	g.visible.add(m)
}

func (q *queue) hide(m *message, g *group, s State, until time.Time) {
	m.state, m.until = s, until
	q.counts[s]++
	if s == InFlight {
		g.flying++
	}
	q.due.add(m)
}

// settle says whether a group may be handed out, after it has changed.
func (q *queue) settle(g *group) {
	may := len(g.visible.members) > 0 && (!q.fifo || g.flying == 0)
	switch {
	case may && g.inReady == 0:
		q.ready.add(g)
	case may:
		q.ready.moved(g)
	default:
		q.ready.drop(g)
	}
}

// handle is a receipt handle: which message of which queue, and the how manieth
// time it was handed out.
func (q *queue) handle(m *message) string {
	return encodeHandle(q.name + "/" + strconv.FormatUint(m.number, 10) + "/" + strconv.Itoa(m.received))
}

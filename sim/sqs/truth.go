package sqs

import (
	"maps"
	"slices"
	"time"
)

// Kind of a Change.
type Kind string

// The kinds.
const (
	Sent         Kind = "sent"
	Suppressed   Kind = "suppressed" // a FIFO queue has had it in the last 5 minutes: it is answered, not stored
	Duplicated   Kind = "duplicated" // a standard queue has made a second copy of it
	Received     Kind = "received"
	Deleted      Kind = "deleted"
	Moved        Kind = "moved" // to the dead-letter queue
	Expired      Kind = "expired"
	Purged       Kind = "purged"    // once for the queue, not for each message
	Prolonged    Kind = "prolonged" // its visibility timeout is another now, or over
	QueueCreated Kind = "queue created"
	QueueChanged Kind = "queue changed" // its attributes
	QueueDeleted Kind = "queue deleted"
)

// Change is something that has become true.
type Change struct {
	Kind    Kind
	Queue   string
	Message Message // as it is after the change; zero if the change is the queue's
	To      string  // of Moved: the dead-letter queue
}

// State of a message.
type State string

// The states. Only a visible message is handed out, and of a FIFO queue's group
// only while nothing of the group is in flight.
const (
	Visible  State = "visible"
	InFlight State = "in flight"
	Delayed  State = "delayed"
)

// Message is a message as it is stored.
type Message struct {
	ID         string
	Body       string
	Attributes map[string]Attribute // shared: not to be changed
	Group      string               // MessageGroupId
	Dedupe     string               // MessageDeduplicationId, given or made of the body
	Sequence   string               // SequenceNumber, of FIFO queues
	State      State
	Sent       time.Time
	Until      time.Time // when it becomes visible; zero if it is
	First      time.Time // when it was first received; zero if it never was
	Received   int       // how often it was handed out
	Receipt    string    // the newest receipt handle; "" if there is none
}

// Attribute is a message attribute.
type Attribute struct {
	DataType string // String, Number or Binary, and perhaps a label: "Number.int"
	String   string
	Binary   []byte // of a Binary
}

// QueueInfo is a queue as it is.
type QueueInfo struct {
	Name       string
	FIFO       bool
	Visible    int
	InFlight   int
	Delayed    int
	DeadLetter string // the name of its dead-letter queue, "" if it has none
}

// Queues are all queues, by name.
func (s *Service) Queues() []QueueInfo {
	all := make([]QueueInfo, 0, len(s.names))
	for _, name := range s.names {
		q := s.queues[name]
		s.advance(q)
		all = append(all, QueueInfo{
			Name: name, FIFO: q.fifo, DeadLetter: q.settings.deadLetter,
			Visible: q.counts[Visible], InFlight: q.counts[InFlight], Delayed: q.counts[Delayed],
		})
	}
	s.tell()
	return all
}

// Messages are all messages of a queue, in the order in which they came into
// it; none if there is no such queue.
func (s *Service) Messages(queue string) []Message {
	q := s.queues[queue]
	if q == nil {
		return nil
	}
	s.advance(q)
	all := make([]Message, 0, len(q.messages))
	for _, number := range slices.Sorted(maps.Keys(q.messages)) {
		all = append(all, q.messages[number].truth())
	}
	s.tell()
	return all
}

func (m *message) truth() Message {
	return Message{
		ID: m.id, Body: m.body, Attributes: m.attrs, Group: m.group, Dedupe: m.dedupe, Sequence: m.seq,
		State: m.state, Sent: m.sent, Until: m.until, First: m.first, Received: m.received, Receipt: m.receipt,
	}
}

// NextDeadline is the earliest end of a pending long poll, for who drives the
// clock; false if nobody waits.
func (s *Service) NextDeadline() (time.Time, bool) {
	w, any := s.deadlines.first()
	if !any {
		return time.Time{}, false
	}
	return w.deadline, true
}

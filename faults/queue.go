package faults

import (
	"fmt"
	"slices"
)

// Queue is one of the message bus's, by what it is for.
type Queue string

// The queues.
const (
	Commands    Queue = "commands"
	Responses   Queue = "responses"
	DeadLetters Queue = "dead-letters"
)

// Queues are all of them.
func Queues() []Queue { return []Queue{Commands, Responses, DeadLetters} }

// The operations of SQS that HDM and its clients use, and that a fault can name.
const (
	Send    = "SendMessage"
	Receive = "ReceiveMessage"
	Delete  = "DeleteMessage"
	Extend  = "ChangeMessageVisibility"
)

// QueueCalls says which calls to SQS a fault acts on: of those that match and
// that it could act on, counted from when the trigger holds, number Nth and the
// Count-1 after it. A fault that refuses calls could act on any as it comes in.
// The others could act on a call that hands out, stores, answers for or deletes a
// message, when it does, and message-reorder on a receive that has two messages
// (of a FIFO queue, two groups) or more to choose from. A call that another fault
// acts on already is put off to the next.
type QueueCalls struct {
	Queue Queue `yaml:"queue" jsonschema:"enum=commands,enum=responses,enum=dead-letters"`
	// Operation as in SQS; "" means the one that the kind is about.
	Operation string `yaml:"operation,omitempty" jsonschema:"enum=SendMessage,enum=ReceiveMessage,enum=DeleteMessage,enum=ChangeMessageVisibility"`
	// Nth counts from 1; 0 means 1.
	Nth int `yaml:"nth,omitempty" nonzero:"count from 1"`
	// Count is how many calls in a row; 0 means 1.
	Count int `yaml:"count,omitempty" nonzero:"default"`
}

// Numbers are those of the calls that the fault acts on.
func (m *QueueCalls) Numbers() Numbers { return numbers(m.Nth, m.Count) }

// target implements Target for all faults of queues.
func (m *QueueCalls) target(operation string) string {
	return fmt.Sprintf("queue %s %s", m.Queue, operation)
}

// operation is what the calls do: the one that is named, or else the first of
// those that the kind can act on.
func (m *QueueCalls) operation(possible []string) string {
	if m.Operation != "" {
		return m.Operation
	}
	return possible[0]
}

func (m *QueueCalls) check(c *checker, possible []string) {
	c.hasBus()
	if !slices.Contains(Queues(), m.Queue) {
		c.fail("queue", "use "+list(Queues()), "there is no queue %q", m.Queue)
	}
	operation := m.operation(possible)
	switch {
	case !slices.Contains(possible, operation):
		c.fail("operation", "use "+list(possible), "it cannot act on %q", m.Operation)
	case m.Queue == DeadLetters && operation != Send:
		c.fail("operation", "use "+Send, "nobody takes from the dead-letter queue: it would never act")
	}
	c.numbers(m.Nth, m.Count)
}

// OfQueue is a kind of fault that acts on calls to SQS.
type OfQueue interface {
	Kind
	// Calls are the queue, the operation and the numbers of the calls.
	Calls() (q *QueueCalls, operation string)
}

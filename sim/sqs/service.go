// Package sqs is an SQS service in this process: standard and FIFO queues,
// dead-letter queues and long polls, on a clock of the caller's.
//
//	AWS SDK, JSON 1.0 ----+
//	awscli, query (XML) --+--> Do --> Intercept(Call) --> one operation on one queue
//	set-up, people -------+--> CreateQueue, ...               |
//	tests, oracles <----------- Queues, Messages, Observe(Change)
//
// It decides what an API call does, when a message is seen and by whom. It
// never reads the wall clock, starts no goroutine, opens no socket, and knows
// nothing of migrations. Ids, receipt handles and sequence numbers come from
// counters, so that equal calls at equal times give equal answers. Answers have
// no Date header: a client would correct its clock by it.
//
// It verifies no signature and asks for none: whoever reaches it may do
// everything. Policies, encryption and tags are kept or ignored, never acted on;
// a ReceiveRequestAttemptId is ignored (a receive that is tried again is a new
// one). Time passes for a queue when it is looked at: a message that has expired
// is reported by the next call, or look at the truth, that comes across it.
//
// Where the reference leaves a choice, the service takes the one that is hard on
// clients: an old receipt deletes nothing, and what was in flight comes back at
// the end of a standard queue.
//
// Read this file, then act.go (what may go wrong), queue.go (how a message is
// found), receive.go and wait.go (who gets it); json.go and query.go are the
// protocols, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/.
package sqs

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// Clock is the time that a service lives in. After calls f once d has passed,
// never before After has returned, and stop keeps it from being called; in a
// simulation both are the kernel's.
type Clock interface {
	Now() time.Time
	After(d time.Duration, f func()) (stop func() bool)
}

// Config describes a service. Only Clock is needed.
type Config struct {
	Clock   Clock
	Region  string // "us-east-1" if ""
	Account string // "000000000000" if ""

	// Chance decides what a standard queue leaves open: which messages a short
	// poll leaves out, and in which order messages are handed out. Nil leaves
	// nothing to chance: everything visible, oldest first.
	Chance *rand.Rand

	// Observe hears of every change, in order, after it is true. It may read the
	// truth and call back. Nil: nobody listens.
	Observe func(Change)
	// Intercept decides what happens to a call. Nil: every call passes.
	Intercept func(Call) Act

	Limits Limits
}

// Limits are the service's own, so that no client can exhaust the machine. Zero
// means the default. A call that would go beyond one is refused, with its name.
type Limits struct {
	Queues   int // 1,000
	Messages int // in all queues together, 1,000,000
	Bytes    int // of all messages together, 1 GiB
	Waiters  int // pending long polls, 10,000
	Request  int // bytes of a request's body, 8 MiB
	Dedupe   int // remembered deduplication ids, 1,000,000

	// What may be in flight of one queue. Beyond it a short poll is refused with
	// OverLimit and a long poll waits. (AWS refuses for standard queues only; a
	// FIFO queue just hands out nothing.)
	InFlight     int // of a standard queue, 120,000 as in AWS
	InFlightFIFO int // of a FIFO queue, 20,000
}

func (l Limits) orDefaults() Limits {
	for _, d := range []struct {
		limit *int
		usual int
	}{
		{&l.Queues, 1000}, {&l.Messages, 1_000_000}, {&l.Bytes, 1 << 30}, {&l.Waiters, 10_000},
		{&l.Request, 8 << 20}, {&l.Dedupe, 1_000_000}, {&l.InFlight, 120_000}, {&l.InFlightFIFO, 20_000},
	} {
		if *d.limit == 0 {
			*d.limit = d.usual
		}
	}
	return l
}

// Service is one SQS endpoint. It is called by its owner, one call at a time; in
// a simulation that is the kernel's goroutine.
type Service struct {
	config Config
	limits Limits

	queues  map[string]*queue
	names   []string             // of the queues, sorted
	deleted map[string]time.Time // names that may not be used again yet

	calls  uint64
	nth    map[counted]int
	serial uint64 // of messages

	stored     int // messages in all queues
	bytes      int // of them
	remembered int // deduplication ids in all queues

	waiting   int            // long polls
	deadlines index[*waiter] // of them

	touched []*queue // where something may now be handed out
	outbox  []func() // what others are to hear, once everything is true
}

// counted is what Call.Nth counts.
type counted struct{ operation, queue string }

// maxCounted is how many pairs of operation and queue are counted apart; beyond
// it, which takes a client that makes up names, they are counted together.
const maxCounted = 1 << 16

// New starts a service without queues.
func New(c Config) *Service {
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Account == "" {
		c.Account = "000000000000"
	}
	return &Service{
		config: c, limits: c.Limits.orDefaults(),
		queues: map[string]*queue{}, deleted: map[string]time.Time{}, nth: map[counted]int{},
		deadlines: index[*waiter]{
			before: func(a, b *waiter) bool { return a.deadline.Before(b.deadline) },
			place:  func(w *waiter) *int { return &w.inDeadlines },
		},
	}
}

// Request is an API call as HTTP carries it.
type Request struct {
	Method   string
	Path     string // "/", or "/<account>/<queue>" in the query protocol
	RawQuery string
	Host     string // with the port; it comes back in queue URLs
	Header   http.Header
	Body     []byte
}

// Response is the answer to one.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do performs one API call, in either protocol. It calls done exactly once: at
// once, or later if the call is a long poll; never if an Act loses the answer,
// or if cancel comes first. cancel says that the caller has gone: it ends a long
// poll. What was handed out by then stays in flight.
//
// Do may be called from done, Observe and timers of the clock.
func (s *Service) Do(r Request, done func(Response)) (cancel func()) {
	s.calls++
	c := &call{service: s, protocol: protocolOf(r), number: s.calls, host: r.Host, done: done}
	if err := s.begin(c, r); err != nil {
		c.reply(nil, err)
	}
	s.finish()
	return func() {
		c.gone = true
		if c.waiter != nil {
			s.forget(c.waiter)
			s.finish()
		}
	}
}

// About is what a request asks for, and the name of the queue that it is about;
// both are "" if it cannot be read, and then it does nothing.
func About(r Request) (operation, queue string) {
	in, err := protocolOf(r).read(r)
	if err != nil {
		return "", ""
	}
	if in.QueueURL != "" { // what only CreateQueue and GetQueueUrl give is a name
		in.QueueName = ""
	}
	return in.Operation, in.queueName()
}

// begin reads a request, asks what shall happen to it, and lets that happen.
func (s *Service) begin(c *call, r Request) *Error {
	if len(r.Body) > s.limits.Request {
		return refuse("RequestTooLarge", http.StatusRequestEntityTooLarge, "The request has %d bytes, of at most %d: send smaller batches.", len(r.Body), s.limits.Request)
	}
	if r.Method != http.MethodPost {
		return refuse("MethodNotAllowed", http.StatusMethodNotAllowed, "SQS is called with POST, not %s.", quote(r.Method))
	}
	in, err := c.protocol.read(r)
	if err != nil {
		return err
	}
	c.in = in
	op, known := operations[in.Operation]
	if !known {
		return noOperation(in.Operation)
	}
	c.perform = op
	s.apply(c, s.decide(c))
	return nil
}

func noOperation(name string) *Error {
	const others = " AddPermission CancelMessageMoveTask ListMessageMoveTasks ListQueueTags RemovePermission StartMessageMoveTask TagQueue UntagQueue "
	if name != "" && strings.Contains(others, " "+name+" ") {
		return bad("UnsupportedOperation", "%s is not done by this service, which has no permissions, tags or move tasks: do without.", name)
	}
	return bad("InvalidAction", "The action or operation requested is invalid: there is no %s. Name one in Action, or in X-Amz-Target after AmazonSQS.", quote(name))
}

func (s *Service) decide(c *call) Act {
	key := counted{c.in.Operation, c.in.queueName()}
	if _, known := s.nth[key]; !known && len(s.nth) >= maxCounted {
		key.queue = ""
	}
	s.nth[key]++
	if s.config.Intercept == nil {
		return Pass()
	}
	return s.config.Intercept(Call{Number: c.number, Nth: s.nth[key], Operation: c.in.Operation, Queue: c.in.queueName()})
}

// finish hands out what has become free, then tells the callers and the observer
// what has happened. It is the last thing of whatever calls the service: then
// everything is true, and who is told may call again.
func (s *Service) finish() {
	for len(s.touched) > 0 {
		q := s.touched[0]
		s.touched = s.touched[1:]
		s.serve(q)
		s.arm(q)
	}
	s.tell()
}

func (s *Service) tell() {
	for len(s.outbox) > 0 {
		next := s.outbox[0]
		s.outbox = s.outbox[1:]
		next()
	}
}

func (s *Service) touch(q *queue) { s.touched = append(s.touched, q) }

func (s *Service) changed(k Kind, q *queue, m *message, to string) {
	if s.config.Observe == nil {
		return
	}
	c := Change{Kind: k, Queue: q.name, To: to}
	if m != nil {
		c.Message = m.truth()
	}
	s.outbox = append(s.outbox, func() { s.config.Observe(c) })
}

// CreateQueue makes a queue without a request, by the rules of the API's
// CreateQueue: attributes have the API's names, and a FIFO queue's name ends in
// ".fifo" (its attribute FifoQueue need not be given). The error is an *Error.
func (s *Service) CreateQueue(name string, attributes map[string]string) error {
	defer s.finish()
	attributes = maps.Clone(attributes)
	if strings.HasSuffix(name, fifoSuffix) {
		if attributes == nil {
			attributes = map[string]string{}
		}
		attributes["FifoQueue"] = "true"
	}
	if err := s.create(name, attributes); err != nil {
		return err
	}
	return nil
}

// DeleteQueue ends a queue with everything in it. The error is an *Error.
func (s *Service) DeleteQueue(name string) error {
	defer s.finish()
	q := s.queues[name]
	if q == nil {
		return noQueue(name)
	}
	s.end(q)
	return nil
}

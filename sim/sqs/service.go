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
	"math/rand/v2"
	"net/http"
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

	InFlight     int // of one standard queue, 120,000 as in AWS
	InFlightFIFO int // of one FIFO queue, 20,000 as in AWS
}

// Service is one SQS endpoint. It is called by its owner, one call at a time; in
// a simulation that is the kernel's goroutine.
type Service struct {
	config Config
}

// New starts a service without queues.
func New(c Config) *Service { return &Service{config: c} }

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
func (s *Service) Do(r Request, done func(Response)) (cancel func()) {
	done(Response{Status: http.StatusNotImplemented})
	return func() {}
}

// CreateQueue makes a queue without a request, by the rules of the API's
// CreateQueue: attributes have the API's names, a FIFO queue's name ends in
// ".fifo". The error is an *Error.
func (s *Service) CreateQueue(name string, attributes map[string]string) error { return nil }

// DeleteQueue ends a queue with everything in it. The error is an *Error.
func (s *Service) DeleteQueue(name string) error { return nil }

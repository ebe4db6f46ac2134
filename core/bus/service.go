package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/core/runtime"
)

// How the service works.
const (
	DefaultHeartbeat = 30 * time.Second
	DefaultStatus    = 30 * time.Second

	bootLook   = 100 * time.Millisecond
	look       = 5 * time.Second  // how often it looks for something to tell
	visibility = 2 * time.Minute  // of a command that is being handled; kept up while it is
	leastWait  = 10 * time.Second // before something that failed is tried again; doubles
	mostWait   = time.Minute
	// mostTold bounds the statuses of one look: what is not told then is told the
	// next time, the longest untold first.
	mostTold = 100
	// mostUntold bounds the ends of migrations that are remembered for being told.
	mostUntold = 1000
)

// Config of a Service.
type Config struct {
	Runtime   runtime.Runtime
	Appliance Appliance
	// ID of the appliance, as every response tells it.
	ID       string
	Endpoint Endpoint
	// Names of the queues. Commands and Responses must be there; DeadLetters is
	// made if it is not, and derived from Commands if it is "".
	Commands, Responses, DeadLetters string
	// Token that every request must have (SQS-01).
	Token protocol.Secret
	// HeartbeatEvery and StatusEvery are how often the state of HDM, and of each
	// migration, is told; DefaultHeartbeat and DefaultStatus if 0.
	HeartbeatEvery, StatusEvery time.Duration
	// Observer is told how the set-up goes. May be nil.
	Observer Observer
}

// Appliance is what the service needs of *appliance.Appliance.
type Appliance interface {
	Health() health.State
	Booted() bool
	Epoch() int
	Incarnation() string
	Order(migration.Order) (appliance.Answer, error)
	Find(request string) (appliance.Status, bool)
	Unanswered() []appliance.Status
	Responded(migration.ID, migration.Responded) error
	Inventory(context.Context) ([]migration.Offered, error)
	Say(ctx context.Context, vm string, w migration.Word) (appliance.Answer, error)
}

// Observer is told what a service does.
type Observer interface {
	// BusSetUp is told of each try to set the bus up, and why it failed.
	BusSetUp(err error)
	// BusTrouble is told when the bus begins to fail in another way, once it was
	// set up, and with nil when all is well again.
	BusTrouble(err error)
}

// Service answers on the message bus. It is one boot's: it ends with the
// context that it was started in.
type Service struct {
	Config
	commands, responses, deadLetters *Queue

	mu    sync.Mutex
	setUp error // why the bus is not set up; nil once it is
	beats int

	// What the observer was told last, each of one task.
	inTrouble, outTrouble string
}

// trouble tells the observer what fails now, if that is another thing than before.
func (s *Service) trouble(ctx context.Context, last *string, err error) {
	what := ""
	if err != nil {
		what = err.Error()
	}
	if what == *last || s.Observer == nil || ctx.Err() != nil {
		return
	}
	*last = what
	s.Observer.BusTrouble(err)
}

// ErrNoToken refuses a service that could not tell its clients from others.
var ErrNoToken = errors.New("the message bus has no token: give HDM the token that its clients use (SQS-01)")

// Start checks the configuration and begins to set the bus up and to answer on
// it: until ctx is cancelled, whatever fails meanwhile.
func Start(ctx context.Context, c Config) (*Service, error) {
	switch {
	case c.Token.Empty():
		return nil, ErrNoToken
	case c.Commands == "" || c.Responses == "":
		return nil, errors.New("the message bus needs the names of a command queue and a response queue: create both in SQS and give their names (SQS-11)")
	}
	if c.DeadLetters == "" {
		c.DeadLetters = DeadLettersOf(c.Commands)
	}
	if c.HeartbeatEvery <= 0 {
		c.HeartbeatEvery = DefaultHeartbeat
	}
	if c.StatusEvery <= 0 {
		c.StatusEvery = DefaultStatus
	}
	s := &Service{Config: c, setUp: errors.New("the message bus is being set up")}
	c.Runtime.Go(ctx, "bus", s.run)
	return s, nil
}

// DeadLettersOf is the name of the dead-letter queue of a command queue.
func DeadLettersOf(commands string) string {
	const end = "_dead_letter"
	if name, fifo := strings.CutSuffix(commands, fifoEnd); fifo {
		return name + end + fifoEnd
	}
	return commands + end
}

// SetUp is why the bus is not set up, or nil once it is.
func (s *Service) SetUp() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setUp
}

// SetUpError says what of the message bus's surroundings is missing (SQS-11).
type SetUpError struct {
	Needs string // "access to the Internet", "the command queue", ...
	Err   error
}

func (e *SetUpError) Error() string {
	return fmt.Sprintf("the message bus cannot be set up without %s: %v", e.Needs, e.Err)
}

func (e *SetUpError) Unwrap() error { return e.Err }

// run sets the bus up, tried again until it works, and serves it.
func (s *Service) run(ctx context.Context) {
	wait := newBackoff()
	for {
		err := s.open(ctx)
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.setUp = err
		s.mu.Unlock()
		if s.Observer != nil {
			s.Observer.BusSetUp(err)
		}
		if err == nil {
			break
		}
		if s.Runtime.Sleep(ctx, wait.Next()) != nil {
			return
		}
	}
	s.Runtime.Go(ctx, "bus/status", s.tell)
	// What was sent while HDM was down is judged by the state that it comes up
	// with, not by that of a boot of less than a second.
	for !s.Appliance.Booted() {
		if s.Runtime.Sleep(ctx, bootLook) != nil {
			return
		}
	}
	s.serve(ctx)
}

// open looks for both queues before it makes the third.
func (s *Service) open(ctx context.Context) (err error) {
	if s.commands, err = s.Endpoint.Open(ctx, s.Commands); err != nil {
		return needs("the command queue", err)
	}
	if s.responses, err = s.Endpoint.Open(ctx, s.Responses); err != nil {
		return needs("the response queue", err)
	}
	if s.deadLetters, err = s.Endpoint.Open(ctx, s.DeadLetters); CauseOf(err) == Missing {
		s.deadLetters, err = s.Endpoint.Create(ctx, s.DeadLetters)
	}
	if err != nil {
		return needs("the dead-letter queue", err)
	}
	return nil
}

func needs(what string, err error) error {
	if CauseOf(err) == Unreachable {
		what = "access to the Internet"
	}
	return &SetUpError{what, err}
}

// Backoff is a wait that doubles, from Least to Most.
type Backoff struct{ Least, Most, last time.Duration }

// Next is how long to wait now.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.Least), b.Most)
	return b.last
}

// Reset makes the next wait the least one again.
func (b *Backoff) Reset() { b.last = 0 }

func newBackoff() Backoff { return Backoff{Least: leastWait, Most: mostWait} }

// respond sends a response. id is its own among those of the appliance, and
// topic says with which others it keeps its order.
func (s *Service) respond(ctx context.Context, r protocol.Response, topic, id string) error {
	h := r.Head()
	h.ApplianceID, h.Sent = s.ID, s.Runtime.Now().UTC().Round(0)
	h.ResponseID = s.Appliance.Incarnation() + "/" + id
	body, err := protocol.EncodeResponse(r)
	if err != nil {
		return err
	}
	return s.responses.Send(ctx, Message{Body: string(body), ID: h.ResponseID, Group: s.ID + "/" + topic})
}

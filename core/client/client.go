package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/core/runtime"
)

// How a client works.
const (
	// sendTries bounds how often one request is sent: over a minute and a half.
	sendTries = 8
	leastWait = time.Second // before something that failed is tried again; doubles
	mostWait  = 30 * time.Second
	// visibility is how long a response stays in flight: whoever it is handed to
	// should be done with ten of them by then.
	visibility = 30 * time.Second
	// releaseTries and mostReleasing bound what is done for the next listener once
	// this one was stopped: so many failures, so long in all.
	releaseTries  = 3
	mostReleasing = 5 * time.Second
	// mostReceives bounds how often a message that is no response is received: it
	// is deleted then, after some five minutes. In a FIFO queue ten of one group
	// keep all that are behind them waiting until then.
	mostReceives = 10
	// mostRemembered bounds the responses that are known to have been handed over.
	// A queue that delivers one twice does so soon.
	mostRemembered = 10_000
)

// group orders the commands in a FIFO queue: a BulkMigrationDoneRequest comes
// after the request that it is about, whichever program sends it.
const group = "commands"

// Config of a Client.
type Config struct {
	Runtime  runtime.Runtime
	Endpoint bus.Endpoint
	// Names of the queues. Both must be there.
	Commands, Responses string
	// Token of the message bus, as HDM was configured with (SQS-01).
	Token protocol.Secret
	// Observer is told what happens. May be nil.
	Observer Observer
}

// Observer is told what a client does, by the task that does it.
type Observer interface {
	// Heard is told of every response, once, before it is handed over.
	Heard(protocol.Response)
	// Unreadable is told of a message on the response queue that this client cannot
	// read: SQS's name for it, and a *protocol.UnreadableError if it is left in the
	// queue, since it may be another program's; a *DroppedError if it is deleted. It
	// is told of each message once, and once more if one that was left is deleted.
	Unreadable(message string, err error)
	// Trouble is told of what failed and is tried again. Errors: *bus.Error.
	Trouble(err error)
}

// silent is the Observer of a client that has none.
type silent struct{}

func (silent) Heard(protocol.Response)  {}
func (silent) Unreadable(string, error) {}
func (silent) Trouble(error)            {}

// Client talks to one HDM. Several tasks may send at once; one at a time may
// listen.
type Client struct {
	Config
	commands, responses *bus.Queue
	name                string // of this client among those that ever send

	mu         sync.Mutex
	sent       int
	listening  bool
	heard      *memory // responses that were handed over
	unreadable *memory // messages that were told as such
}

// Open finds both queues. It tries once: whoever calls knows whether waiting for
// the Internet link makes sense. Errors: *bus.Error; of another kind if the
// configuration is wrong.
func Open(ctx context.Context, c Config) (*Client, error) {
	switch {
	case c.Token.Empty():
		return nil, errors.New("the client has no message bus token: give it the one that HDM was configured with (SQS-01)")
	case c.Commands == "" || c.Responses == "":
		return nil, errors.New("the client needs the names of the command queue and of the response queue: give those that HDM was configured with")
	}
	if c.Observer == nil {
		c.Observer = silent{}
	}
	cl := &Client{
		Config: c, name: fmt.Sprintf("%08x", c.Runtime.Rand("client").Uint32()),
		heard: newMemory(mostRemembered), unreadable: newMemory(mostRemembered),
	}
	var err error
	if cl.commands, err = c.Endpoint.Open(ctx, c.Commands); err != nil {
		return nil, err
	}
	if cl.responses, err = c.Endpoint.Open(ctx, c.Responses); err != nil {
		return nil, err
	}
	return cl, nil
}

// Inventory asks for the VMs on premises, on pages of at most pageSize VMs (0: as
// many as fit into a message). Errors: those of Send; *protocol.Refusal if HDM
// would refuse it.
func (c *Client) Inventory(ctx context.Context, request string, pageSize int) error {
	_, err := c.request(ctx, &protocol.InventoryRequest{RequestHead: protocol.RequestHead{RequestID: request}, PageSize: pageSize})
	return err
}

// Clone orders a migration. The client's token goes with it, whatever r holds for
// one. Errors: as of Inventory.
func (c *Client) Clone(ctx context.Context, r protocol.CloneRequest) error {
	_, err := c.request(ctx, &r)
	return err
}

// BulkDone tells whether the offline bulk transfer of the migration that was
// ordered as clone is complete. Errors: as of Inventory.
func (c *Client) BulkDone(ctx context.Context, request, clone string, complete bool) error {
	_, err := c.request(ctx, &protocol.BulkDoneRequest{RequestHead: protocol.RequestHead{RequestID: request}, Clone: clone, Complete: complete})
	return err
}

// request sends a request, and returns SQS's name for its message.
func (c *Client) request(ctx context.Context, r protocol.Request) (message string, err error) {
	r.Head().Token = c.Token
	body, err := protocol.EncodeRequest(r)
	if err != nil {
		return "", err
	}
	// A request that is made twice is sent twice: that asks HDM to repeat its
	// answer. Only the tries of one call are the same message to a FIFO queue.
	c.mu.Lock()
	c.sent++
	id := fmt.Sprintf("%s/%s-%d", r.Head().RequestID, c.name, c.sent)
	c.mu.Unlock()
	return c.send(ctx, body, id)
}

// Send sends any body to the command queue; of two with one id a FIFO queue drops
// the second. It is tried again while SQS is busy or out of reach, some 90
// seconds long: it may then arrive twice, and its request_id makes that harmless.
// Errors: *bus.Error, after which it may still have arrived.
func (c *Client) Send(ctx context.Context, body []byte, id string) error {
	_, err := c.send(ctx, body, id)
	return err
}

func (c *Client) send(ctx context.Context, body []byte, id string) (message string, err error) {
	wait := newBackoff()
	for try := 1; ; try++ {
		message, err = c.commands.Post(ctx, bus.Message{Body: string(body), ID: id, Group: group})
		if err == nil || !passing(err) || try == sendTries {
			return message, err
		}
		c.Observer.Trouble(err)
		if stopped := c.Runtime.Sleep(ctx, wait.Next()); stopped != nil {
			return "", err
		}
	}
}

// passing says whether an error may go away by itself.
func passing(err error) bool {
	cause := bus.CauseOf(err)
	return cause == bus.Busy || cause == bus.Unreachable
}

func newBackoff() bus.Backoff { return bus.Backoff{Least: leastWait, Most: mostWait} }

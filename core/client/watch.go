package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/protocol"
)

// ErrListening refuses a second listener: each would get a part of what HDM says.
var ErrListening = errors.New("the client listens already: let one task listen, and tell the others")

// Watch hands over what HDM says until ctx is cancelled or hear returns an error,
// which Watch returns then. A response is deleted once hear returned nil: one that
// it fails on comes again, and so may one whose deletion is lost, but not to this
// Client. Responses to one request come in their order from a FIFO queue; a
// standard queue may change it. While SQS is busy or out of reach, Watch tries
// again for as long as it takes. Errors: hear's, ctx.Err(), ErrListening,
// *bus.Error.
func (c *Client) Watch(ctx context.Context, hear func(protocol.Response) error) error {
	return c.listen(ctx, hear, func(bool) bool { return false })
}

// listen is Watch, until enough says after a batch that it is: it is told whether
// the batch had fewer responses than it could have, so that the queue is probably
// empty now.
func (c *Client) listen(ctx context.Context, hear func(protocol.Response) error, enough func(drained bool) bool) error {
	c.mu.Lock()
	already := c.listening
	c.listening = true
	c.mu.Unlock()
	if already {
		return ErrListening
	}
	defer func() {
		c.mu.Lock()
		c.listening = false
		c.mu.Unlock()
	}()
	wait := newBackoff()
	for {
		batch, err := c.responses.Receive(ctx, bus.MaxBatch, bus.MaxWait, visibility)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !passing(err):
			return err
		case err != nil:
			c.Observer.Trouble(err)
			if err := c.Runtime.Sleep(ctx, wait.Next()); err != nil {
				return err
			}
			continue
		}
		wait.Reset()
		for i, d := range batch {
			if err := c.take(ctx, d, hear); err != nil {
				c.release(batch[i:])
				return err
			}
		}
		if enough(len(batch) < bus.MaxBatch) {
			return nil
		}
	}
}

// take hands one response over, unless that has been done, and deletes it.
func (c *Client) take(ctx context.Context, d bus.Delivery, hear func(protocol.Response) error) error {
	r, err := protocol.DecodeResponse([]byte(d.Body))
	if err != nil {
		if c.leave(d, err) {
			return nil
		}
		return c.remove(ctx, d)
	}
	name := r.Head().ApplianceID + "\n" + r.Head().ResponseID
	if !c.heard.knows(name) {
		c.Observer.Heard(r)
		if err := hear(r); err != nil {
			return err
		}
		c.heard.add(name)
	}
	return c.remove(ctx, d)
}

// remove deletes a message. If that fails, it comes again, and is deleted then.
func (c *Client) remove(ctx context.Context, d bus.Delivery) error {
	if err := c.responses.Delete(ctx, d); err != nil && ctx.Err() == nil {
		c.Observer.Trouble(err)
	}
	return ctx.Err()
}

// DroppedError is a message on the response queue that this client could not read,
// and deletes.
type DroppedError struct {
	Why string
	Err error // *protocol.UnreadableError
}

func (e *DroppedError) Error() string {
	return "the message is deleted from the response queue, since " + e.Why + ": " + e.Err.Error()
}

func (e *DroppedError) Unwrap() error { return e.Err }

// leave hears of a message that cannot be read, and says whether it stays in the
// queue. One of HDM's does not: what a client does not know, it ignores. Any other
// stays for a while only, so that nothing keeps HDM's waiting for ever.
func (c *Client) leave(d bus.Delivery, err error) bool {
	came := c.unreadable.add(d.ID)
	hdms := isResponse(d.Body)
	switch {
	case hdms && came == 1:
		c.Observer.Unreadable(d.ID, &DroppedError{"HDM says there what this client does not know", err})
	case came == 1:
		c.Observer.Unreadable(d.ID, err)
	case came == mostReceives && !hdms:
		c.Observer.Unreadable(d.ID, &DroppedError{fmt.Sprintf("it has come %d times", came), err})
	}
	return !hdms && came < mostReceives
}

// isResponse says whether a message has what every response of HDM has, of
// whatever version and type.
func isResponse(body string) bool {
	var head struct {
		V          *float64 `json:"v"`
		ResponseID string   `json:"response_id"`
	}
	return json.Unmarshal([]byte(body), &head) == nil && head.V != nil && head.ResponseID != ""
}

// release lets go of what was received and not handed over, so that the next
// listener need not wait for it. The caller's context may be cancelled already:
// it has a time of its own. If it fails, the next one waits.
func (c *Client) release(batch []bus.Delivery) {
	ctx, cancel := c.Runtime.WithCancel(context.Background())
	defer cancel()
	c.Runtime.Go(ctx, "client/release", func(ctx context.Context) {
		if c.Runtime.Sleep(ctx, mostReleasing) == nil {
			cancel()
		}
	})
	for failed := 0; len(batch) > 0 && failed < releaseTries; {
		if err := c.responses.Extend(ctx, batch[0], 0); err != nil {
			failed++
			if passing(err) {
				continue
			}
		}
		batch = batch[1:]
	}
}

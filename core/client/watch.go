package client

import (
	"context"
	"errors"

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
	var wait backoff
	for {
		batch, err := c.responses.Receive(ctx, bus.MaxBatch, bus.MaxWait, visibility)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !passing(err):
			return err
		case err != nil:
			c.Observer.Trouble(err)
			if err := c.Runtime.Sleep(ctx, wait.next()); err != nil {
				return err
			}
			continue
		}
		wait = backoff{}
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
		if !c.unreadable.knows(d.ID) {
			c.unreadable.add(d.ID)
			c.Observer.Unreadable(d.ID, err)
		}
		return nil
	}
	name := r.Head().ApplianceID + "\n" + r.Head().ResponseID
	if !c.heard.knows(name) {
		c.Observer.Heard(r)
		if err := hear(r); err != nil {
			return err
		}
		c.heard.add(name)
	}
	if err := c.responses.Delete(ctx, d); err != nil && ctx.Err() == nil {
		c.Observer.Trouble(err) // it comes again, and is deleted then
	}
	return ctx.Err()
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

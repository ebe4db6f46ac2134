package client

import (
	"context"
	"fmt"
	"strings"

	"github.com/hdm-project/hdm/core/protocol"
)

// The conversations listen for themselves. Responses that have nothing to do with
// one are deleted as well: the Observer hears them. Whoever has several
// conversations at once calls Watch, and gives what it hears to a Gather or a
// Follow for each.

// AwaitReady waits until HDM's newest heartbeat says that it is ready (SQS-08).
// It cannot tell whether HDM has died since. The newest is the last of a FIFO queue;
// a standard queue may deliver it before an older one, and HDM's clock decides.
// Errors: those of Watch.
func (c *Client) AwaitReady(ctx context.Context) (*protocol.Heartbeat, error) {
	var newest *protocol.Heartbeat
	err := c.listen(ctx, func(r protocol.Response) error {
		if beat, ok := r.(*protocol.Heartbeat); ok && (c.responses.FIFO() || newest == nil || !beat.Sent.Before(newest.Sent)) {
			newest = beat
		}
		return nil
	}, func(drained bool) bool { return drained && newest != nil && newest.Status == protocol.Ready })
	if err != nil {
		return nil, err
	}
	return newest, nil
}

// RefusedError is HDM's refusal of a request.
type RefusedError struct{ Response *protocol.ErrorResponse }

func (e *RefusedError) Error() string {
	var all []string
	for _, p := range e.Response.Errors {
		all = append(all, p.String())
	}
	of := fmt.Sprintf("the request %q", e.Response.RequestID)
	if e.Response.RequestID == "" {
		of = "the message " + e.Response.MessageID
	}
	return fmt.Sprintf("HDM refused %s: %s", of, strings.Join(all, "; "))
}

// Collect asks for the VMs on premises and puts the pages together. Errors: those
// of Inventory and Watch; *RefusedError.
func (c *Client) Collect(ctx context.Context, request string, pageSize int) ([]protocol.VM, error) {
	message, err := c.request(ctx, &protocol.InventoryRequest{RequestHead: protocol.RequestHead{RequestID: request}, PageSize: pageSize})
	if err != nil {
		return nil, err
	}
	g := Gather{Request: request, ending: ending{Message: message}}
	if err := c.listen(ctx, g.Hear, func(bool) bool { return g.Complete() }); err != nil {
		return nil, err
	}
	return g.VMs(), g.err()
}

// Migrate orders a migration and listens until it has ended, well or not: the
// response says how. Errors: those of Clone and Watch; *RefusedError.
func (c *Client) Migrate(ctx context.Context, r protocol.CloneRequest) (*protocol.CloneResponse, error) {
	message, err := c.request(ctx, &r)
	if err != nil {
		return nil, err
	}
	f := Follow{Request: r.RequestID, ending: ending{Message: message}}
	if err := c.listen(ctx, f.Hear, func(bool) bool { return f.Complete() }); err != nil {
		return nil, err
	}
	return f.Last, f.err()
}

// TellBulkDone tells whether the offline bulk transfer of the migration that was
// ordered as clone is complete, and listens until HDM has answered. Errors: those
// of BulkDone and Watch; *RefusedError.
func (c *Client) TellBulkDone(ctx context.Context, request, clone string, complete bool) (*protocol.BulkDoneResponse, error) {
	message, err := c.request(ctx, &protocol.BulkDoneRequest{RequestHead: protocol.RequestHead{RequestID: request}, Clone: clone, Complete: complete})
	if err != nil {
		return nil, err
	}
	var done *protocol.BulkDoneResponse
	end := ending{Message: message}
	err = c.listen(ctx, func(r protocol.Response) error {
		if !end.about(request, r) {
			return nil
		}
		switch r := r.(type) {
		case *protocol.BulkDoneResponse:
			done = r
		case *protocol.ErrorResponse:
			end.Refused = r
		}
		return nil
	}, func(bool) bool { return done != nil || end.Refused != nil })
	if err != nil {
		return nil, err
	}
	return done, end.err()
}

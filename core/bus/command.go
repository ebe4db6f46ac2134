package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
)

// The codes of refusals by the service, beside those of package protocol and of
// the migrations.
const (
	CodeToken          = "token"
	CodeUnknownRequest = "unknown-request"
	CodeNotWaiting     = "not-waiting"
	CodeVCenter        = "vcenter"
)

// serve takes commands until ctx is cancelled. What cannot be handled now is left
// in the queue, and comes again.
func (s *Service) serve(ctx context.Context) {
	wait := backoff{}
	for ctx.Err() == nil {
		batch, err := s.commands.Receive(ctx, MaxBatch, MaxWait, visibility)
		if err == nil {
			err = s.handle(ctx, batch)
		}
		switch {
		case err == nil:
			wait = backoff{}
		case errors.Is(err, appliance.ErrJournal):
			return // the appliance does nothing more until it is restarted
		default:
			if s.Runtime.Sleep(ctx, wait.next()) != nil {
				return
			}
		}
	}
}

// handle answers what was received, in order, and keeps it in flight for as long
// as that takes. A command that cannot be handled keeps those behind it waiting:
// in a FIFO queue they are to come after it.
func (s *Service) handle(ctx context.Context, batch []Delivery) error {
	if len(batch) == 0 {
		return nil
	}
	left := slices.Clone(batch)
	keep := s.Runtime.Go(ctx, "bus/keep", func(ctx context.Context) {
		for s.Runtime.Sleep(ctx, visibility/3) == nil {
			s.mu.Lock()
			inFlight := slices.Clone(left)
			s.mu.Unlock()
			for _, d := range inFlight {
				// What is not kept comes again: that does no harm.
				_ = s.commands.Extend(ctx, d, visibility)
			}
		}
	})
	defer keep.Cancel()
	for i, d := range batch {
		if err := s.command(ctx, d); err != nil {
			return err
		}
		if err := s.commands.Delete(ctx, d); err != nil {
			return err
		}
		s.mu.Lock()
		left = batch[i+1:]
		s.mu.Unlock()
	}
	return nil
}

// command does what one message asks for. With a nil error all that it asks for
// is durable, and it may be deleted.
func (s *Service) command(ctx context.Context, d Delivery) error {
	request, err := protocol.DecodeRequest([]byte(d.Body))
	var refusal *protocol.Refusal
	switch {
	case errors.As(err, &refusal):
		return s.refuse(ctx, d, refusal)
	case err != nil:
		return err
	case !request.Head().Token.Equal(s.Token):
		return s.deny(ctx, d)
	}
	switch r := request.(type) {
	case *protocol.InventoryRequest:
		return s.inventory(ctx, d, r)
	case *protocol.CloneRequest:
		return s.clone(ctx, d, r)
	case *protocol.BulkDoneRequest:
		return s.bulkDone(ctx, d, r)
	}
	panic(fmt.Sprintf("bus: no way to answer a %T", request))
}

// refuse answers a message that is no request, or not one that can be carried
// out. To one without the token only that is said. What is not even readable goes
// to the dead-letter queue first, so that it is never lost (SQS-10).
func (s *Service) refuse(ctx context.Context, d Delivery, r *protocol.Refusal) error {
	if !r.Unreadable && !r.Token.Equal(s.Token) {
		return s.deny(ctx, d)
	}
	if r.Unreadable {
		if err := s.bury(ctx, d, r); err != nil {
			return err
		}
	}
	return s.answerError(ctx, d, r.RequestID, &protocol.ErrorResponse{Errors: r.Problems, Final: true})
}

// bury puts a message into the dead-letter queue, with the reason if both fit.
func (s *Service) bury(ctx context.Context, d Delivery, r *protocol.Refusal) error {
	const mostNote = 1 << 10
	m := Message{Body: d.Body, ID: d.ID, Group: s.ID + "/unreadable", Note: strings.ToValidUTF8(r.Error()[:min(len(r.Error()), mostNote)], "")}
	if len(d.Body) > protocol.MaxMessage-2*mostNote {
		m.Note = ""
	}
	return s.deadLetters.Send(ctx, m)
}

// deny answers whoever has no token by SQS's name of the message, which its
// sender was told. The name of a request in it may be somebody else's: that one
// is not to hear that its request was refused.
func (s *Service) deny(ctx context.Context, d Delivery) error {
	return s.answerError(ctx, d, "", &protocol.ErrorResponse{Final: true, Errors: []protocol.Problem{{
		Code: CodeToken, Field: "token", What: "it is missing, or not the message bus token of this appliance", Fix: "send the token that HDM was configured with",
	}}})
}

// answerError answers d with an error. Its name comes from SQS's of the message:
// the same message twice is answered with the same response.
func (s *Service) answerError(ctx context.Context, d Delivery, request string, r *protocol.ErrorResponse) error {
	r.RequestID, r.MessageID = request, d.ID
	return s.respond(ctx, r, "error/"+d.ID, "error/"+d.ID)
}

// refuseUnready answers a request that is not served now (SQS-08).
func (s *Service) refuseUnready(ctx context.Context, d Delivery, request string, h health.State) error {
	r := unready(h)
	return s.answerError(ctx, d, request, &r)
}

func unready(h health.State) protocol.ErrorResponse {
	return protocol.ErrorResponse{
		Status: protocol.Status(h.Status), Details: h.Details, Final: true,
		Errors: []protocol.Problem{{Code: migration.CodeNotReady, What: "HDM is " + h.String(), Fix: "wait for a heartbeat that says Ready"}},
	}
}

// inventory answers with the VMs on premises, page by page. It is read anew if
// the command comes again, and is then another reading.
func (s *Service) inventory(ctx context.Context, d Delivery, r *protocol.InventoryRequest) error {
	if h := s.Appliance.Health(); !h.Ready() {
		return s.refuseUnready(ctx, d, r.RequestID, h)
	}
	offered, err := s.Appliance.Inventory(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return s.answerError(ctx, d, r.RequestID, &protocol.ErrorResponse{Final: true, Errors: []protocol.Problem{{
			Code: CodeVCenter, What: "the inventory could not be read: " + err.Error(), Fix: "ask again",
		}}})
	}
	vms := make([]protocol.VM, len(offered))
	for i, o := range offered {
		vms[i] = describeVM(o)
	}
	pages := protocol.Split(vms, r.PageSize)
	reading := fmt.Sprintf("%s/%d-%d", r.RequestID, s.Appliance.Epoch(), s.Runtime.Elapsed().Milliseconds())
	for i, page := range pages {
		response := &protocol.InventoryResponse{Reading: reading, Page: i + 1, Pages: len(pages), Total: len(vms), VMs: page}
		response.RequestID = r.RequestID
		if err := s.respond(ctx, response, "inventory/"+r.RequestID, fmt.Sprintf("inventory/%s/%d", reading, i+1)); err != nil {
			return err
		}
	}
	return nil
}

// clone orders a migration. What becomes of it, and that it was refused, is told
// with the other statuses: here it is only written down.
func (s *Service) clone(ctx context.Context, d Delivery, r *protocol.CloneRequest) error {
	answer, err := s.Appliance.Order(orderOf(r))
	switch {
	case err != nil:
		return err
	case answer.Outcome == appliance.Rejected && (answer.Migration == "" || answer.Reasons[0].Code == migration.CodeRequest):
		// It left no record. Under the name of another request it is no end of that.
		conflict := answer.Migration != ""
		return s.answerError(ctx, d, r.RequestID, &protocol.ErrorResponse{Errors: problems(answer.Reasons), Final: !conflict})
	case answer.Outcome == appliance.Duplicate:
		return s.repeat(ctx, d, r.RequestID)
	}
	return nil
}

// repeat tells again how a migration ended whose client asks again. While it is
// under way, statuses come by themselves. It is a response of its own: under the
// name of the first one, a FIFO queue and the client would drop it.
func (s *Service) repeat(ctx context.Context, d Delivery, request string) error {
	m, ok := s.Appliance.Find(request)
	if !ok || !m.Responses.Final {
		return nil
	}
	r := statusOf(m)
	switch r := r.(type) {
	case *protocol.CloneResponse:
		r.Repeat = true
	case *protocol.ErrorResponse:
		r.Repeat = true
	}
	return s.respond(ctx, r, topicOf(m), "again/"+d.ID)
}

// orderOf is the order that a request makes.
func orderOf(r *protocol.CloneRequest) migration.Order {
	o := migration.Order{
		Request: r.RequestID, VM: r.VM, Type: migration.Type(r.Mode), Origin: migration.FromMessage,
		Target: migration.Target{Pool: r.Target.Pool, Datastore: r.Target.Datastore, Adapter: r.Target.Adapter},
	}
	for _, n := range r.Target.Networks {
		o.Target.Networks = append(o.Target.Networks, migration.Mapping(n))
	}
	return o
}

// bulkDone hears that the data of a warm migration has travelled by other means.
func (s *Service) bulkDone(ctx context.Context, d Delivery, r *protocol.BulkDoneRequest) error {
	if h := s.Appliance.Health(); !h.Ready() {
		return s.refuseUnready(ctx, d, r.RequestID, h)
	}
	problem := protocol.Problem{Code: CodeUnknownRequest, Field: "clone_request_id", What: "no SourceCloneRequest of that name is known", Fix: "give the request_id of a SourceCloneRequest"}
	if m, ok := s.Appliance.Find(r.Clone); ok {
		problem.Code, problem.What = CodeNotWaiting, fmt.Sprintf("%s is a %s migration: it waits for no offline bulk transfer", m.ID, m.Order.Type)
		problem.Fix = "tell it of warm migrations whose bulk_transfer is offline"
	}
	return s.answerError(ctx, d, r.RequestID, &protocol.ErrorResponse{Final: true, Errors: []protocol.Problem{problem}})
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/core/vsphere"
)

// The codes of refusals by the service, beside those of package protocol and of
// the migrations.
const (
	CodeToken          = "token"
	CodeUnknownRequest = "unknown-request"
	CodeNotWaiting     = "not-waiting"
	CodeVCenter        = "vcenter"
	CodeUnanswerable   = "unanswerable" // it was read, and its answer fits nowhere
)

// serve takes commands until ctx is cancelled. What cannot be handled now is left
// in the queue, and comes again.
func (s *Service) serve(ctx context.Context) {
	wait := newBackoff()
	for ctx.Err() == nil {
		err := s.take(ctx)
		s.trouble(ctx, &s.inTrouble, err)
		switch {
		case err == nil:
			wait.Reset()
		case errors.Is(err, appliance.ErrJournal):
			// The appliance does nothing more until it is restarted; that it is not Ready
			// is still told.
			for s.Runtime.Sleep(ctx, mostWait) == nil {
			}
		default:
			if s.Runtime.Sleep(ctx, wait.Next()) != nil {
				return
			}
		}
	}
}

// errBehind keeps commands in their queue, which is the place for them to wait.
var errBehind = errors.New("the ends of many migrations could not be told yet: no command is taken until they are")

// take receives commands and handles them.
func (s *Service) take(ctx context.Context) error {
	ends := 0
	for _, m := range s.Appliance.Unanswered() {
		if m.State.Final() {
			ends++
		}
	}
	if ends > mostUntold {
		return errBehind
	}
	batch, err := s.commands.Receive(ctx, MaxBatch, MaxWait, visibility)
	if err != nil {
		return err
	}
	return s.handle(ctx, batch)
}

// handle answers what was received, in order, and keeps it in flight for as long
// as that takes. A command that cannot be handled now keeps those behind it
// waiting: in a FIFO queue they are to come after it. One that can never be
// handled does not.
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
		err := s.command(ctx, d)
		if hopeless(err) {
			err = s.giveUp(ctx, d, err)
		}
		if err == nil {
			err = s.commands.Delete(ctx, d)
		}
		if err != nil {
			s.release(ctx, batch[i:])
			return err
		}
		s.mu.Lock()
		left = batch[i+1:]
		s.mu.Unlock()
	}
	return nil
}

// release lets what was not handled come again at once. What cannot be released
// comes when its visibility timeout is over.
func (s *Service) release(ctx context.Context, batch []Delivery) {
	for _, d := range batch {
		if s.commands.Extend(ctx, d, 0) != nil {
			return
		}
	}
}

// hopeless says of an error that no other try gets over it, and that it is about
// this one message alone.
func hopeless(err error) bool {
	large := new(protocol.TooLargeError)
	return errors.As(err, &large) || CauseOf(err) == Unfit
}

// giveUp keeps a command in the dead-letter queue whose answer SQS takes from
// nobody, and says so to its sender, so that it holds up no other one.
func (s *Service) giveUp(ctx context.Context, d Delivery, why error) error {
	problem := protocol.Problem{Code: CodeUnanswerable, What: "its answer cannot be sent: " + why.Error(), Fix: "look at the dead-letter queue, and ask for less at once"}
	if err := s.bury(ctx, d, problem.String()); err != nil {
		return err
	}
	return s.answerError(ctx, d, "", &protocol.ErrorResponse{Final: true, Errors: []protocol.Problem{problem}})
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
	request := r.RequestID
	if r.Unreadable {
		if err := s.bury(ctx, d, r.Error()); err != nil {
			return err
		}
	}
	if !r.Token.Equal(s.Token) {
		request = "" // it may be somebody else's: see deny
	}
	return s.answerError(ctx, d, request, &protocol.ErrorResponse{Errors: r.Problems, Final: true})
}

// bury puts a message into the dead-letter queue, whole, and with the reason if
// both fit.
func (s *Service) bury(ctx context.Context, d Delivery, why string) error {
	const mostNote = 1 << 10
	m := Message{Body: d.Body, ID: d.ID, Group: s.ID + "/unreadable", Attributes: map[string]string{AttributeMessage: d.ID}}
	if len(d.Body) <= protocol.MaxMessage-2*mostNote {
		m.Attributes[AttributeReason] = strings.ToValidUTF8(why[:min(len(why), mostNote)], "")
	}
	err := s.deadLetters.Send(ctx, m)
	if CauseOf(err) == Unfit { // there is no room for the attributes, or for its characters
		m.Attributes = nil
		err = s.deadLetters.Send(ctx, m)
	}
	return err
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
	return s.answerError(ctx, d, request, refusal([]migration.Reason{migration.Unready(h.Details)}))
}

// refusal tells why something is not done; the state of HDM besides, where that is
// why.
func refusal(why []migration.Reason) *protocol.ErrorResponse {
	r := &protocol.ErrorResponse{Errors: problems(why), Final: true}
	for _, w := range why {
		if w.Code == migration.CodeNotReady {
			r.Status, r.Details = protocol.NotReady, w.What
		}
	}
	return r
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
		Offline: r.Mode == protocol.Warm && r.BulkTransfer == protocol.Offline,
		Target:  migration.Target{Pool: r.Target.Pool, Datastore: r.Target.Datastore, Adapter: r.Target.Adapter},
	}
	for _, n := range r.Target.Networks {
		o.Target.Networks = append(o.Target.Networks, migration.Mapping(n))
	}
	return o
}

// bulkDone hears whether the data of a warm migration has travelled by other
// means. That it has counts only if it is there: else the answer says so, and the
// migration goes on waiting. What came while HDM was Ready is not refused for an
// outage that is ridden out (WAN-01).
func (s *Service) bulkDone(ctx context.Context, d Delivery, r *protocol.BulkDoneRequest) error {
	if h := s.Appliance.Health(); !h.Ready() {
		return s.refuseUnready(ctx, d, r.RequestID, h)
	}
	refuse := func(p protocol.Problem) error {
		p.Field = "clone_request_id"
		return s.answerError(ctx, d, r.RequestID, &protocol.ErrorResponse{Final: true, Errors: []protocol.Problem{p}})
	}
	m, ok := s.Appliance.Find(r.Clone)
	switch {
	case !ok:
		return refuse(protocol.Problem{Code: CodeUnknownRequest, What: "no SourceCloneRequest of that name is known", Fix: "give the request_id of a SourceCloneRequest"})
	case !m.Order.Offline:
		return refuse(protocol.Problem{
			Code: CodeNotWaiting, What: fmt.Sprintf("%s is a %s migration: it waits for no offline bulk transfer", m.ID, m.Order.Type),
			Fix: "tell it of warm migrations whose bulk_transfer is offline",
		})
	case r.Complete && m.Image == "": // else it was heard before
		answer, err := s.sayBulkDone(ctx, m.Order.VM)
		var failed *vsphere.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &failed):
			return refuse(protocol.Problem{Code: CodeVCenter, What: "the cloud could not be read: " + err.Error(), Fix: "tell it again"})
		case err != nil:
			return err
		case answer.Outcome == appliance.Rejected:
			return refuse(problems(answer.Reasons)[0])
		}
	}
	response := &protocol.BulkDoneResponse{Clone: r.Clone, Complete: r.Complete, Final: true}
	response.RequestID = r.RequestID
	return s.respond(ctx, response, "bulk-done/"+r.RequestID, "bulk-done/"+r.RequestID)
}

// ridden is how long an outage may last that nobody hears of but in the state of
// HDM, and how long HDM may take to see that it is over.
const ridden = 5*time.Minute + 2*time.Minute

// sayBulkDone says that the data of a VM has travelled by other means, again and
// again as long as the cloud, where it is looked for, does not answer, or HDM is
// not Ready any more.
func (s *Service) sayBulkDone(ctx context.Context, vm string) (appliance.Answer, error) {
	wait, began := newBackoff(), s.Runtime.Elapsed()
	for {
		answer, err := s.Appliance.Say(ctx, vm, migration.BulkDone)
		if !passes(answer, err) || s.Runtime.Elapsed()-began >= ridden {
			return answer, err
		}
		if err := s.Runtime.Sleep(ctx, wait.Next()); err != nil {
			return appliance.Answer{}, err
		}
	}
}

// passes says of what a word has come to that it may be heard a while later.
func passes(a appliance.Answer, err error) bool {
	if failed := new(vsphere.Error); errors.As(err, &failed) {
		return failed.Class == vsphere.Retryable || failed.Class == vsphere.Unreachable
	}
	unready := func(r migration.Reason) bool { return r.Code == migration.CodeNotReady }
	return err == nil && a.Outcome == appliance.Rejected && slices.ContainsFunc(a.Reasons, unready)
}

package site

import (
	"errors"
	"strconv"

	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/sqs"
)

// applianceName is the appliance's in the trace.
const applianceName = "appliance"

// queued hears of everything that becomes true in the message queues, and tells
// the trace, without the token or anything else that is secret.
func (w *World) queued(c sqs.Change) {
	m := []string{"message", c.Message.ID}
	switch c.Kind {
	case sqs.Sent:
		told := w.telling(&c.Message)
		w.Kernel.Emit(event.SQSSent, c.Queue, append(append(m, "bytes", strconv.Itoa(len(c.Message.Body))), told...)...)
		if len(told) > 1 && told[1] == string(protocol.TypeHeartbeat) {
			w.Kernel.Emit(event.Heartbeat, applianceName, told[2:]...)
		}
	case sqs.Suppressed:
		w.Kernel.Emit(event.SQSDropped, c.Queue, append(m, w.telling(&c.Message)...)...)
	case sqs.Duplicated:
		w.Kernel.Emit(event.SQSStored, c.Queue, m...)
	case sqs.Received:
		w.Kernel.Emit(event.SQSReceived, c.Queue, append(m, "times", strconv.Itoa(c.Message.Received))...)
	case sqs.Deleted:
		w.Kernel.Emit(event.SQSDeleted, c.Queue, m...)
	case sqs.Moved:
		w.Kernel.Emit(event.SQSMoved, c.Queue, append(m, "to", c.To)...)
	case sqs.Expired:
		w.Kernel.Emit(event.SQSExpired, c.Queue, m...)
	case sqs.QueueCreated, sqs.QueueDeleted, sqs.Purged:
		what := map[sqs.Kind]string{sqs.QueueCreated: "created", sqs.QueueDeleted: "deleted", sqs.Purged: "purged"}[c.Kind]
		w.Kernel.Emit(event.SQSQueue, c.Queue, "what", what)
	}
}

// originalName is the message attribute of a dead letter that says which message
// it was: its id in SQS.
const originalName = "HDMMessageID"

// telling is what the trace tells of a message: what is in it, the message that a
// dead letter was, and that a request has not the token of the bus.
func (w *World) telling(m *sqs.Message) []string {
	told, token := read(m.Body)
	if of := m.Attributes[originalName].String; of != "" {
		told = append(told, "of", of)
	}
	if token != nil && !w.Token.Empty() && !token.Equal(w.Token) {
		told = append(told, "token", "wrong")
	}
	return told
}

// Telling is what the trace tells of a message: attributes, keys and values in
// turn, as event.SQSSent has them. type comes first.
func Telling(body string) []string {
	told, _ := read(body)
	return told
}

// read is Telling, and the token that a request came with; nil if it is none.
func read(body string) (told []string, token *protocol.Secret) {
	if r, err := protocol.DecodeResponse([]byte(body)); err == nil {
		return TellingOf(r), nil
	}
	r, err := protocol.DecodeRequest([]byte(body))
	var refusal *protocol.Refusal
	switch {
	case err == nil:
		return []string{"type", string(r.Type()), "request", r.Head().RequestID}, &r.Head().Token
	case errors.As(err, &refusal) && !refusal.Unreadable:
		return []string{"type", "refused", "request", refusal.RequestID}, &refusal.Token
	}
	return []string{"unreadable", "true"}, nil
}

// TellingOf is Telling of a response that has been read.
func TellingOf(r protocol.Response) []string {
	kv := []string{"type", string(protocol.TypeOf(r)), "request", r.Head().RequestID, "response", r.Head().ResponseID}
	if protocol.Final(r) {
		kv = append(kv, "final", "true")
	}
	if protocol.Repeats(r) {
		kv = append(kv, "repeat", "true")
	}
	switch r := r.(type) {
	case *protocol.Heartbeat:
		kv = append(kv, "status", string(r.Status), "details", r.Details)
	case *protocol.InventoryResponse:
		kv = append(kv, "reading", r.Reading, "page", strconv.Itoa(r.Page), "pages", strconv.Itoa(r.Pages), "vms", strconv.Itoa(r.Total))
	case *protocol.CloneResponse:
		kv = append(kv, "migration", r.Migration, "vm", r.VM, "state", r.State, "step", r.Step, "percent", strconv.Itoa(int(r.Percent)))
	case *protocol.ErrorResponse:
		if r.Status != "" {
			kv = append(kv, "status", string(r.Status), "details", r.Details)
		}
		if len(r.Errors) > 0 {
			kv = append(kv, "code", r.Errors[0].Code, "field", r.Errors[0].Field)
		}
		kv = append(kv, "about", r.MessageID)
	}
	return kv
}

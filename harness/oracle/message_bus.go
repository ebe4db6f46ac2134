package oracle

import (
	"strings"

	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// MessageBus: no command is lost silently (SQS-10). One is deleted only once what
// it asks for is written down, or it has been refused with a response, or, if it
// could not be read, it is in the dead-letter queue as well; and at the end none
// is left, nor a copy that a standard queue has made. A command without the token
// may go only once it has been refused, whatever request it names. Each order that
// has come to its end has exactly one final response, by its id, and none after it
// but repeats of it to those who ask again; what is told of progress never falls,
// and how the migration ended is true (SQS-06); none is told to have failed that
// goes on (SQS-09). That a migration ends is not judged here: one may wait for a
// person.
type MessageBus struct {
	verdicts
	rules    Rules
	posted   map[string]*posted // commands, by SQS's id
	order    []*posted          // all that ever were
	answered map[string]bool    // SQS's ids of messages that an error response is about
	ordered  map[string]bool    // requests that the appliance has answered for
	accepted map[string]string  // requests: the migration
	listed   map[string]bool    // requests whose last page was sent
	heard    map[string]bool    // requests that told of data which came by other means, and were answered
	buried   map[string]bool    // SQS's ids of messages that are in the dead-letter queue
	unnamed  int                // dead letters that do not say which message they were
	unread   int                // unreadable messages that were deleted
	told     map[string]*telling
	states   map[string]string // of migrations
	setUp    uint64            // the event; 0: the bus is not set up
	again    bool              // a message was delivered again
}

// posted is a command.
type posted struct {
	id, kind, request string
	sent              uint64
	stranger          bool // it has not the token
	left              int  // copies in the queue
	deleted           bool // one was
}

// telling is what was told in reply to an order.
type telling struct {
	final     string // id of the final response
	finalSeq  uint64
	last      uint64 // the event of the last response
	percent   int64
	responses map[string]bool
}

// NewMessageBus returns the oracle for one run.
func NewMessageBus(r Rules) *MessageBus {
	return &MessageBus{
		verdicts: verdicts{oracle: "message-bus"}, rules: r, posted: map[string]*posted{}, answered: map[string]bool{},
		buried: map[string]bool{}, ordered: map[string]bool{}, accepted: map[string]string{}, listed: map[string]bool{}, heard: map[string]bool{}, told: map[string]*telling{}, states: map[string]string{},
	}
}

// The kinds of commands, as the trace tells them.
const (
	kindUnreadable = ""
	kindClone      = string(protocol.TypeCloneRequest)
	kindInventory  = string(protocol.TypeInventoryRequest)
	kindBulkDone   = string(protocol.TypeBulkDoneRequest)
)

// Observe implements Oracle.
func (o *MessageBus) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.SQSSent:
		o.sent(&e)
	case event.SQSStored:
		o.again = true
		if p := o.posted[e.Attr("message")]; p != nil {
			p.left++
		}
	case event.SQSReceived:
		o.again = o.again || e.Attr("times") != "1"
	case event.SQSDeleted:
		o.deleted(&e)
	case event.OrderAnswered:
		o.ordered[e.Attr("request")] = true
		if e.Attr("outcome") == "accepted" {
			o.accepted[e.Attr("request")] = e.Attr("migration")
		}
	case event.Migration:
		o.states[e.Subject] = e.Attr("to")
	case event.ApplianceDown:
		o.setUp = 0
	case event.BusSetUp:
		if e.Attr("outcome") == "done" {
			o.setUp = e.Seq
		}
	}
	return o.take()
}

func (o *MessageBus) sent(e *kernel.Event) {
	switch {
	case strings.HasPrefix(e.Subject, o.rules.DeadLetters):
		if of := e.Attr("of"); of != "" {
			o.buried[of] = true
		} else {
			o.unnamed++
		}
	case strings.HasPrefix(e.Subject, o.rules.Commands):
		p := &posted{id: e.Attr("message"), kind: e.Attr("type"), request: e.Attr("request"), sent: e.Seq, stranger: e.Attr("token") == "wrong", left: 1}
		o.posted[p.id] = p
		o.order = append(o.order, p)
	case strings.HasPrefix(e.Subject, o.rules.Responses):
		o.responded(e)
	}
}

// deleted judges whether a command may go.
func (o *MessageBus) deleted(e *kernel.Event) {
	p := o.posted[e.Attr("message")]
	if p == nil {
		return
	}
	p.deleted = true
	p.left--
	done := o.answered[p.id]
	switch {
	case p.kind == kindUnreadable:
		o.unread++
		if !o.isBuried(p.id) {
			o.broken("SQS-10", e.At, p.id, []uint64{p.sent, e.Seq}, "it cannot be read, and was deleted without going to the dead-letter queue")
		}
	case p.stranger:
	case p.kind == kindClone:
		done = done || o.ordered[p.request]
	case p.kind == kindInventory:
		done = done || o.listed[p.request]
	case p.kind == kindBulkDone:
		done = done || o.heard[p.request]
	}
	if !done {
		o.broken("SQS-10", e.At, p.id, []uint64{p.sent, e.Seq}, "it was deleted before it was answered, or what it asks for was written down")
	}
}

// isBuried says whether a message is in the dead-letter queue. A dead letter that
// does not say which it was stands for one message.
func (o *MessageBus) isBuried(id string) bool {
	if !o.buried[id] && o.unnamed > 0 {
		o.unnamed--
		o.buried[id] = true
	}
	return o.buried[id]
}

func (o *MessageBus) responded(e *kernel.Event) {
	if about := e.Attr("about"); about != "" {
		o.answered[about] = true
	}
	request := e.Attr("request")
	switch e.Attr("type") {
	case string(protocol.TypeInventoryResponse):
		o.listed[request] = o.listed[request] || e.Attr("final") == "true"
	case string(protocol.TypeBulkDoneResponse):
		o.heard[request] = o.heard[request] || e.Attr("final") == "true"
	case string(protocol.TypeCloneResponse):
		o.status(e)
	case string(protocol.TypeErrorResponse):
		if request != "" && o.ordered[request] {
			o.reply(e)
		}
	}
}

// status judges what is told of a migration.
func (o *MessageBus) status(e *kernel.Event) {
	t := o.reply(e)
	percent := number(e, "percent")
	state, is := e.Attr("state"), o.states[e.Attr("migration")]
	switch final := e.Attr("final") == "true"; {
	case percent < t.percent:
		o.broken("SQS-06", e.At, e.Attr("request"), []uint64{t.last, e.Seq}, "it was told to be at %d%% after %d%%", percent, t.percent)
	case final && state != is:
		o.broken("SQS-06", e.At, e.Attr("request"), []uint64{e.Seq}, "it was told to have ended as %s, and its migration is %s", state, is)
	case !final && state == stateFailed:
		o.broken("SQS-09", e.At, e.Attr("request"), []uint64{e.Seq}, "it was told to have failed, and not as its end")
	}
	t.percent, t.last = max(t.percent, percent), e.Seq
}

// reply notes a response to an order. The same one may be sent twice.
func (o *MessageBus) reply(e *kernel.Event) *telling {
	request, id := e.Attr("request"), e.Attr("response")
	t := o.told[request]
	if t == nil {
		t = &telling{responses: map[string]bool{}}
		o.told[request] = t
	}
	if e.Attr("repeat") == "true" {
		if t.final == "" {
			o.broken("SQS-06", e.At, request, []uint64{e.Seq}, "an end was told again that was never told")
		}
		return t
	}
	if t.final != "" && id != t.final && !t.responses[id] {
		o.broken("SQS-06", e.At, request, []uint64{t.finalSeq, e.Seq}, "response %s follows on the final one, %s", id, t.final)
	}
	t.responses[id] = true
	if e.Attr("final") == "true" && t.final == "" {
		t.final, t.finalSeq = id, e.Seq
	}
	return t
}

// Finish implements Oracle.
func (o *MessageBus) Finish(t *Truth) []record.Violation {
	for _, p := range o.order {
		switch {
		case p.left > 0 && o.setUp > 0:
			o.broken("SQS-10", t.At, p.id, []uint64{p.sent}, "it is still in the command queue, and nobody answers it")
		case p.deleted && !p.stranger && p.kind == kindClone && o.over(p.request) && o.setUp > 0:
			if told := o.told[p.request]; told == nil || told.final == "" {
				o.broken("SQS-06", t.At, p.request, []uint64{p.sent}, "no final response tells its end")
			}
		}
	}
	return o.take()
}

// over says whether an order has been answered, and is not under way any more.
func (o *MessageBus) over(request string) bool {
	state := o.states[o.accepted[request]]
	return o.ordered[request] && (state == "" || o.rules.final(state))
}

// Tested implements Oracle.
func (o *MessageBus) Tested() []string {
	return append(tested(o.again && len(o.order) > 0, "SQS-10/twice"), tested(o.unread > 0, "SQS-10/unreadable")...)
}

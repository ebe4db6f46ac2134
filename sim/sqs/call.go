package sqs

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// call is one API call on its way to an answer.
type call struct {
	service  *Service
	protocol protocol
	number   uint64
	host     string
	in       *input
	perform  operation
	act      Act
	done     func(Response)
	gone     bool          // the caller does not listen any more
	lost     bool          // the answer is
	parked   bool          // the answer follows: it waits for a message
	later    time.Duration // what a delete takes effect after
	waiter   *waiter       // while it waits
}

// An operation does what its name says to the service and returns the answer;
// nil and no error if the call is parked.
type operation func(*call) (*output, *Error)

var operations = map[string]operation{
	"CreateQueue":                  (*call).createQueue,
	"DeleteQueue":                  (*call).deleteQueue,
	"GetQueueUrl":                  (*call).getQueueURL,
	"ListQueues":                   (*call).listQueues,
	"ListDeadLetterSourceQueues":   (*call).listDeadLetterSourceQueues,
	"GetQueueAttributes":           (*call).getQueueAttributes,
	"SetQueueAttributes":           (*call).setQueueAttributes,
	"PurgeQueue":                   (*call).purgeQueue,
	"SendMessage":                  (*call).sendMessage,
	"SendMessageBatch":             (*call).sendMessageBatch,
	"ReceiveMessage":               (*call).receiveMessage,
	"DeleteMessage":                (*call).deleteMessage,
	"DeleteMessageBatch":           (*call).deleteMessageBatch,
	"ChangeMessageVisibility":      (*call).changeMessageVisibility,
	"ChangeMessageVisibilityBatch": (*call).changeMessageVisibilityBatch,
}

// apply lets an act happen to a call.
func (s *Service) apply(c *call, a Act) {
	c.act = a
	switch a.kind {
	case fails:
		c.reply(nil, refuse(a.code, a.status, "The service has refused %s: %s. Nothing was done; try again later.", c.in.Operation, a.code))
		return
	case loses:
		c.lost = true
	case lags:
		if c.deletes() {
			c.later = a.delay
			break
		}
		c.lost = true
		none := 0
		c.in.WaitTimeSeconds = &none // nobody is there to wait
		s.config.Clock.After(a.delay, func() { c.run(); s.finish() })
		return
	}
	c.run()
}

// about is called as soon as the call is to do something to a message.
func (c *call) about(e Effect) {
	if c.act.kind != asks {
		return
	}
	c.act = c.act.settle(e)
	switch c.act.kind {
	case loses:
		c.lost = true
	case lags:
		if c.deletes() {
			c.later = c.act.delay
		}
	}
}

func (c *call) deletes() bool { return strings.HasPrefix(c.in.Operation, "DeleteMessage") }

func (c *call) run() {
	out, err := c.perform(c)
	if !c.parked {
		c.reply(out, err)
	}
}

// reply puts the answer in the outbox.
func (c *call) reply(out *output, err *Error) {
	if c.lost {
		return
	}
	if out != nil && c.act.kind == corrupts {
		out.corrupt()
	}
	c.service.outbox = append(c.service.outbox, func() {
		if c.gone {
			return
		}
		r := c.protocol.write(c, out, err)
		r.Header.Set("x-amzn-RequestId", c.id())
		c.done(r)
	})
}

// id is the request's, which an answer carries.
func (c *call) id() string { return fmt.Sprintf("00000000-0000-4000-9000-%012x", c.number) }

// corrupt makes the MD5s of bodies wrong.
func (o *output) corrupt() {
	wrong := func(m *sentMessage) {
		if m != nil {
			m.MD5OfBody = md5OfBody(m.MD5OfBody)
		}
	}
	wrong(o.sentMessage)
	for _, e := range o.Successful {
		wrong(e.sentMessage)
	}
	for i := range o.Messages {
		o.Messages[i].MD5OfBody = md5OfBody(o.Messages[i].MD5OfBody)
	}
}

// queue is the one that a call is about.
func (c *call) queue() (*queue, *Error) {
	if c.in.QueueURL == "" {
		return nil, missing("QueueUrl")
	}
	name, is := c.service.addressed(c.in.QueueURL)
	if !is {
		return nil, refuse("InvalidAddress", http.StatusNotFound, "The address %s is not valid for this endpoint: use the URL that GetQueueUrl gives, http://%s/%s/<name>.", quote(c.in.QueueURL), c.host, c.service.config.Account)
	}
	return c.service.find(name)
}

// find looks a queue up, as it is now.
func (s *Service) find(name string) (*queue, *Error) {
	q := s.queues[name]
	if q == nil {
		return nil, noQueue(name)
	}
	s.advance(q)
	return q, nil
}

// addressed is the name in a queue's URL, which may be of any host: a client
// behind a forwarded port has its own idea of ours.
func (s *Service) addressed(url string) (name string, is bool) {
	rest := url
	if at := strings.Index(url, "://"); at >= 0 {
		_, rest, _ = strings.Cut(url[at+3:], "/")
	}
	account, name, is := strings.Cut(strings.Trim(rest, "/"), "/")
	return name, is && account == s.config.Account
}

// queueName is the name of the queue that a call is about, as far as it says.
func (in *input) queueName() string {
	if in.QueueName != "" {
		return in.QueueName
	}
	url := strings.TrimSuffix(in.QueueURL, "/")
	return url[strings.LastIndexByte(url, '/')+1:]
}

func (c *call) url(queue string) string {
	host := c.host
	if host == "" {
		host = "localhost"
	}
	return "http://" + host + "/" + c.service.config.Account + "/" + queue
}

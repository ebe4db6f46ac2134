package sqs

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxVisibility = 12 * 3600 // seconds

// systemNames are the attributes that a message gets from the service, besides
// All.
var systemNames = []string{
	"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SequenceNumber",
	"MessageDeduplicationId", "MessageGroupId", traceHeader, "DeadLetterQueueSourceArn",
}

func (c *call) receiveMessage() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	if err := c.checkReceive(); err != nil {
		return nil, err
	}
	wait := q.settings.wait
	if c.in.WaitTimeSeconds != nil {
		wait = time.Duration(*c.in.WaitTimeSeconds) * time.Second
	}
	// Who polls long leaves nothing out, and is not told that the queue is full.
	got, full := c.receive(q, wait == 0)
	switch {
	case full && wait == 0:
		return nil, overLimit("%d messages of queue %s are in flight, of at most %d: delete what has been done.", q.counts[InFlight], q.name, c.service.mayFly(q))
	case len(got) > 0 || wait == 0:
		return &output{Messages: got}, nil
	}
	return nil, c.wait(q, wait)
}

func (c *call) checkReceive() *Error {
	const most = "Reason: Must be between %d and %d, if provided."
	for _, p := range []struct {
		name        string
		given       *int
		least, most int
	}{
		{"MaxNumberOfMessages", c.in.MaxNumberOfMessages, 1, maxEntries},
		{"WaitTimeSeconds", c.in.WaitTimeSeconds, 0, 20},
		{"VisibilityTimeout", c.in.VisibilityTimeout, 0, maxVisibility},
	} {
		if p.given != nil && (*p.given < p.least || *p.given > p.most) {
			return bad("InvalidParameterValue", "Value %d for parameter %s is invalid. "+most, *p.given, p.name, p.least, p.most)
		}
	}
	for _, name := range slices.Concat(c.in.AttributeNames, c.in.MessageSystemAttributeNames) {
		if name != "All" && !slices.Contains(systemNames, name) {
			return bad("InvalidAttributeName", "Unknown Attribute %s: ask for All to see which a message has.", quote(name))
		}
	}
	return nil
}

func (s *Service) mayFly(q *queue) int {
	if q.fifo {
		return s.limits.InFlightFIFO
	}
	return s.limits.InFlight
}

// receive hands out what there is, up to as many as the call wants; full says
// that there may be more, and too many are in flight.
func (c *call) receive(q *queue, short bool) (got []receivedMessage, full bool) {
	s := c.service
	most := 1
	if c.in.MaxNumberOfMessages != nil {
		most = *c.in.MaxNumberOfMessages
	}
	free := s.mayFly(q) - q.counts[InFlight]
	if free <= 0 {
		return nil, true
	}
	timeout := q.settings.visibility
	if c.in.VisibilityTimeout != nil {
		timeout = time.Duration(*c.in.VisibilityTimeout) * time.Second
	}
	chosen := s.choose(q, min(most, free), c.act.kind == reorders, short)
	if len(chosen) == 0 {
		return nil, false
	}
	if c.about(Effect{Open: q.open()}); c.act.kind == reorders {
		chosen = s.choose(q, min(most, free), true, short)
	}
	for _, m := range chosen {
		got = append(got, c.hand(q, m, timeout))
	}
	return got, false
}

// hand gives one message to a caller.
func (c *call) hand(q *queue, m *message, timeout time.Duration) receivedMessage {
	s, now := c.service, c.service.config.Clock.Now()
	if c.act.kind == duplicates && !q.fifo {
		s.copy(q, m, now)
	}
	m.received++
	m.tries++
	m.last = now
	if m.first.IsZero() {
		m.first = now
	}
	m.receipt = q.handle(m)
	q.hold(m, now.Add(timeout))
	s.changed(Received, q, m, "")
	if timeout == 0 {
		q.release(m, now)
		s.touch(q)
	}
	shown, attributed := c.shown(m)
	return receivedMessage{
		MessageID: m.id, ReceiptHandle: m.receipt, Body: m.body, MD5OfBody: md5OfBody(m.body),
		Attributes: c.system(m), Attributed: attributed, MD5OfAttributes: md5OfAttributes(shown),
	}
}

// system are the system attributes that the caller wants and the message has.
func (c *call) system(m *message) map[string]string {
	told := map[string]string{}
	for _, name := range slices.Concat(c.in.AttributeNames, c.in.MessageSystemAttributeNames) {
		names := []string{name}
		if name == "All" {
			names = systemNames
		}
		for _, n := range names {
			if value := c.service.systemAttribute(m, n); value != "" {
				told[n] = value
			}
		}
	}
	return told
}

func (s *Service) systemAttribute(m *message, name string) string {
	switch name {
	case "SenderId":
		return s.config.Account
	case "SentTimestamp":
		return strconv.FormatInt(m.sent.UnixMilli(), 10)
	case "ApproximateReceiveCount":
		return strconv.Itoa(m.received)
	case "ApproximateFirstReceiveTimestamp":
		return strconv.FormatInt(m.first.UnixMilli(), 10)
	case "SequenceNumber":
		return m.seq
	case "MessageDeduplicationId":
		return m.dedupe
	case "MessageGroupId":
		return m.group
	case traceHeader:
		return m.trace
	case "DeadLetterQueueSourceArn":
		return m.source
	}
	return ""
}

// shown are the message attributes that the caller has asked for, by name, by
// "prefix.*", or all by "All" or ".*".
func (c *call) shown(m *message) (map[string]Attribute, map[string]attributeValue) {
	shown, attributed := map[string]Attribute{}, map[string]attributeValue{}
	for name, a := range m.attrs { //hdm:order-safe what is filled are maps
		if !slices.ContainsFunc(c.in.MessageAttributeNames, func(asked string) bool {
			prefix, is := strings.CutSuffix(asked, ".*")
			return asked == "All" || asked == name || is && strings.HasPrefix(name, prefix)
		}) {
			continue
		}
		shown[name] = a
		v := attributeValue{DataType: a.DataType, BinaryValue: a.Binary}
		if !a.binary() {
			v.StringValue = &a.String
		}
		attributed[name] = v
	}
	return shown, attributed
}

// exhausted says whether a message goes to the dead-letter queue instead of out:
// after it has been received as often as the policy says, so never at the first
// try. A policy whose queue does not exist moves nothing.
func (s *Service) exhausted(q *queue, m *message) bool {
	return q.settings.maxReceives > 0 && m.tries >= q.settings.maxReceives && s.queues[q.settings.deadLetter] != nil
}

// redrive moves a message to the dead-letter queue. As in AWS, a standard
// queue's message keeps the time from which its retention counts.
func (s *Service) redrive(q *queue, m *message) {
	target, now := s.queues[q.settings.deadLetter], s.config.Clock.Now()
	q.take(m)
	s.serial++
	m.number, m.tries, m.source, m.receipt = s.serial, 0, q.arn, ""
	if q.fifo {
		m.entered = now
	}
	s.advance(target)
	target.put(m, now, now)
	s.touch(q)
	s.touch(target)
	s.changed(Moved, q, m, target.name)
}

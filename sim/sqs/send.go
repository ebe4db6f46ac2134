package sqs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// window is how long a FIFO queue remembers a deduplication id.
const window = 5 * time.Minute

// remembered is the first message that had a deduplication id.
type remembered struct{ id, seq string }

type forget struct {
	key string
	at  time.Time
}

func (c *call) sendMessage() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	sent, err := c.send(q, &c.in.entry)
	if err != nil {
		return nil, err
	}
	return &output{sentMessage: sent}, nil
}

func (c *call) sendMessageBatch() (*output, *Error) {
	q, err := c.batch()
	if err != nil {
		return nil, err
	}
	sum := 0
	for i := range c.in.Entries {
		if body := c.in.Entries[i].MessageBody; body != nil {
			sum += len(*body)
		}
		for name, v := range c.in.Entries[i].MessageAttributes { //hdm:order-safe it is a sum
			sum += len(name) + len(v.DataType) + len(v.BinaryValue)
			if v.StringValue != nil {
				sum += len(*v.StringValue)
			}
		}
	}
	if sum > maxMessage {
		return nil, bad("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes: you have sent %d. Split it.", maxMessage, sum)
	}
	return c.each(func(e *entry) (*sentMessage, *Error) { return c.send(q, e) })
}

// draft is a message that has been checked and not been stored.
type draft struct {
	attrs  map[string]Attribute
	system map[string]Attribute
	delay  time.Duration
	weight int
}

func (c *call) send(q *queue, e *entry) (*sentMessage, *Error) {
	d, err := check(q, e)
	if err != nil {
		return nil, err
	}
	s, now := c.service, c.service.config.Clock.Now()
	m := &message{body: *e.MessageBody, attrs: d.attrs, trace: d.system[traceHeader].String, weight: d.weight, sent: now, entered: now}
	if e.MessageGroupID != nil {
		m.group = *e.MessageGroupID
	}
	if err := s.room(m); err != nil {
		return nil, err
	}
	sent := &sentMessage{MD5OfBody: md5OfBody(m.body), MD5OfAttributes: md5OfAttributes(d.attrs), MD5OfSystemAttributes: md5OfAttributes(d.system)}
	key := ""
	if q.fifo {
		m.dedupe = dedupeID(m.body, e)
		key = m.dedupe
		if q.settings.perGroup {
			key = m.group + "\x00" + m.dedupe
		}
		if first, again := q.dedupe[key]; again {
			c.about(Effect{})
			m.id, m.seq = first.id, first.seq
			sent.MessageID, sent.SequenceNumber = m.id, m.seq
			s.changed(Suppressed, q, m, "")
			return sent, nil
		}
		if s.remembered >= s.limits.Dedupe {
			return nil, overLimit("%d deduplication ids are remembered, of at most %d: send slower, or raise the service's limit Dedupe.", s.remembered, s.limits.Dedupe)
		}
	}
	c.about(Effect{})
	s.number(q, m)
	if q.fifo {
		q.dedupe[key] = remembered{m.id, m.seq}
		q.forgets = append(q.forgets, forget{key, now.Add(window)})
		s.remembered++
	}
	s.store(q, m, now.Add(d.delay), Sent)
	if c.act.kind == duplicates && !q.fifo {
		s.copy(q, m, now.Add(d.delay))
	}
	sent.MessageID, sent.SequenceNumber = m.id, m.seq
	return sent, nil
}

// check says whether a queue takes a message.
func check(q *queue, e *entry) (draft, *Error) {
	var d draft
	switch {
	case e.MessageBody == nil || *e.MessageBody == "":
		return d, missing("MessageBody")
	case len(*e.MessageBody) > q.settings.maxSize:
		return d, tooLong(q)
	case !legal(*e.MessageBody):
		return d, badContent("the message body")
	}
	var err *Error
	if d.attrs, err = attributes(e.MessageAttributes); err != nil {
		return d, err
	}
	if d.system, err = systemAttributes(e.MessageSystemAttributes); err != nil {
		return d, err
	}
	if d.weight = weight(*e.MessageBody, d.attrs); d.weight > q.settings.maxSize {
		return d, tooLong(q)
	}
	d.delay = q.settings.delay
	if e.DelaySeconds != nil {
		switch n := *e.DelaySeconds; {
		case n < 0 || n > ranges["DelaySeconds"].most:
			return d, invalid("DelaySeconds", "it is %d: use a whole number from 0 to %d.", n, ranges["DelaySeconds"].most)
		case q.fifo && n != 0:
			return d, invalid("DelaySeconds", "a FIFO queue delays all its messages alike: set the queue's attribute instead.")
		case !q.fifo:
			d.delay = time.Duration(n) * time.Second
		}
	}
	return d, checkIDs(q, e)
}

func tooLong(q *queue) *Error {
	return invalid("MessageBody", "Message must be shorter than %d bytes, with its attributes, in queue %s. Put the content elsewhere and send where it is.", q.settings.maxSize, q.name)
}

func checkIDs(q *queue, e *entry) *Error {
	group, dedupe := e.MessageGroupID, e.MessageDeduplicationID
	const shape = "it is %s: use 1 to 128 of A-Z, a-z, 0-9 and punctuation."
	switch {
	case q.fifo && group == nil:
		return missing("MessageGroupId")
	case group != nil && !token(*group):
		return invalid("MessageGroupId", shape, quote(*group))
	case dedupe != nil && !token(*dedupe):
		return invalid("MessageDeduplicationId", shape, quote(*dedupe))
	case !q.fifo && dedupe != nil:
		return invalid("MessageDeduplicationId", "The request include parameter that is not valid for this queue type: only FIFO queues deduplicate.")
	case q.fifo && dedupe == nil && !q.settings.byContent:
		return invalid("MessageDeduplicationId", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly.")
	}
	return nil
}

const traceHeader = "AWSTraceHeader"

func systemAttributes(given map[string]attributeValue) (map[string]Attribute, *Error) {
	for name := range given { //hdm:order-safe one name is allowed, and the answer does not tell which other came first
		if name != traceHeader {
			return nil, invalid("MessageSystemAttributes", "the only one that can be sent is %s.", traceHeader)
		}
	}
	v, has := given[traceHeader]
	if !has {
		return nil, nil
	}
	a, err := attribute(traceHeader, v)
	if err == nil && v.DataType != "String" {
		err = invalid("MessageSystemAttributes", "%s is a String.", traceHeader)
	}
	return map[string]Attribute{traceHeader: a}, err
}

// dedupeID is what a message of a FIFO queue is known by: an id that was given,
// or the SHA-256 of its body.
func dedupeID(body string, e *entry) string {
	if e.MessageDeduplicationID != nil {
		return *e.MessageDeduplicationID
	}
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// room says whether the service can take one more message.
func (s *Service) room(m *message) *Error {
	switch {
	case s.stored >= s.limits.Messages:
		return overLimit("The service holds %d messages, of at most %d: receive and delete some, or raise its limit Messages.", s.stored, s.limits.Messages)
	case s.bytes+m.weight > s.limits.Bytes:
		return overLimit("The service holds %d bytes of messages, of at most %d: receive and delete some, or raise its limit Bytes.", s.bytes, s.limits.Bytes)
	}
	return nil
}

// number gives a message its identity.
func (s *Service) number(q *queue, m *message) {
	s.serial++
	m.number = s.serial
	m.id = fmt.Sprintf("00000000-0000-4000-8000-%012x", m.number)
	if q.fifo {
		m.seq = fmt.Sprintf("%020d", m.number)
	}
}

// store puts a message that has a number into a queue.
func (s *Service) store(q *queue, m *message, visible time.Time, k Kind) {
	q.put(m, visible, s.config.Clock.Now())
	s.stored++
	s.bytes += m.weight
	s.touch(q)
	s.changed(k, q, m, "")
}

// copy stores a message once more, if there is room: the same to who reads it,
// another to who deletes it.
func (s *Service) copy(q *queue, m *message, visible time.Time) {
	if s.room(m) != nil {
		return
	}
	s.serial++
	again := &message{
		number: s.serial, id: m.id, body: m.body, attrs: m.attrs, trace: m.trace, group: m.group, source: m.source,
		weight: m.weight, sent: m.sent, entered: m.entered, first: m.first, received: m.received, tries: m.tries,
	}
	s.store(q, again, visible, Duplicated)
}

// drop takes a message out of its queue.
func (s *Service) drop(q *queue, m *message) {
	q.take(m)
	s.stored--
	s.bytes -= m.weight
	s.touch(q)
}

package sqs

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxHandle is the most bytes of a receipt handle, as in the reference.
const maxHandle = 1024

func encodeHandle(plain string) string { return base64.StdEncoding.EncodeToString([]byte(plain)) }

// receipt finds the message that a handle was given for: nil if it is gone, and
// current if it has not been handed out since.
func (c *call) receipt(q *queue, handle *string) (m *message, current bool, err *Error) {
	if handle == nil || *handle == "" {
		return nil, false, missing("ReceiptHandle")
	}
	wrong := refuse("ReceiptHandleIsInvalid", http.StatusNotFound, "The input receipt handle is invalid: use the one that the last receive of the message from queue %s gave.", q.name)
	if len(*handle) > maxHandle {
		return nil, false, wrong
	}
	plain, fail := base64.StdEncoding.DecodeString(*handle)
	parts := strings.Split(string(plain), "/")
	if fail != nil || len(parts) != 3 || parts[0] != q.name {
		return nil, false, wrong
	}
	number, fail := strconv.ParseUint(parts[1], 10, 64)
	times, fail2 := strconv.Atoi(parts[2])
	if fail != nil || fail2 != nil || number < 1 || number > c.service.serial || times < 1 {
		return nil, false, wrong
	}
	m = q.messages[number]
	return m, m != nil && m.receipt == *handle, nil
}

func (c *call) deleteMessage() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	return nil, c.delete(q, &c.in.entry)
}

func (c *call) deleteMessageBatch() (*output, *Error) {
	q, err := c.batch()
	if err != nil {
		return nil, err
	}
	return c.each(func(e *entry) (*sentMessage, *Error) { return nil, c.delete(q, e) })
}

func (c *call) delete(q *queue, e *entry) *Error {
	m, current, err := c.receipt(q, e.ReceiptHandle)
	switch {
	case err != nil:
		return err
	case m == nil: // deleting twice is no error
		return nil
	case q.fifo && !(current && m.state == InFlight):
		return invalid("ReceiptHandle", "The receipt handle has expired: receive the message again.")
	case !current: // it has been received again since: whoever has it now may delete it
		return nil
	}
	s := c.service
	c.about(Effect{})
	effect := func() {
		if q.messages[m.number] == m {
			s.drop(q, m)
			s.changed(Deleted, q, m, "")
		}
	}
	if c.later == 0 {
		effect()
		return nil
	}
	s.config.Clock.After(c.later, func() {
		s.advance(q)
		effect()
		s.finish()
	})
	return nil
}

func (c *call) changeMessageVisibility() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	return nil, c.prolong(q, &c.in.entry)
}

func (c *call) changeMessageVisibilityBatch() (*output, *Error) {
	q, err := c.batch()
	if err != nil {
		return nil, err
	}
	return c.each(func(e *entry) (*sentMessage, *Error) { return nil, c.prolong(q, e) })
}

func (c *call) prolong(q *queue, e *entry) *Error {
	m, current, err := c.receipt(q, e.ReceiptHandle)
	if err != nil {
		return err
	}
	if e.VisibilityTimeout == nil {
		return missing("VisibilityTimeout")
	}
	seconds, s := *e.VisibilityTimeout, c.service
	now := s.config.Clock.Now()
	until := now.Add(time.Duration(seconds) * time.Second)
	switch {
	case seconds < 0 || seconds > maxVisibility:
		return invalid("VisibilityTimeout", "it is %d: use a whole number from 0 to %d.", seconds, maxVisibility)
	case m == nil:
		return invalid("ReceiptHandle", "Message does not exist or is not available for visibility timeout change: it has been deleted, or has expired.")
	case !current || m.state != InFlight:
		return bad("MessageNotInflight", "The message referred to isn't in flight: its visibility timeout is over, receive it again.")
	case until.Sub(m.last) > maxVisibility*time.Second:
		return invalid("VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [%d seconds] from when it was received.", maxVisibility)
	}
	c.about(Effect{})
	if seconds == 0 {
		q.release(m, now)
	} else {
		q.hold(m, until)
	}
	s.touch(q)
	s.changed(Prolonged, q, m, "")
	return nil
}

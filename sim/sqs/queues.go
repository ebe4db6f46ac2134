package sqs

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"
)

// reuse is how long the name of a deleted queue, and another purge, have to
// wait.
const reuse = time.Minute

func (s *Service) create(name string, attributes map[string]string) *Error {
	now := s.config.Clock.Now()
	isFIFO := attributes["FifoQueue"] == "true"
	switch {
	case !queueName(name):
		return invalid("QueueName", "%s is no queue's name: use 1 to 80 of A-Z, a-z, 0-9, '_' and '-', and the end %s for a FIFO queue.", quote(name), fifoSuffix)
	case isFIFO != strings.HasSuffix(name, fifoSuffix):
		return invalid("QueueName", "%s: a queue whose name ends in %s has the attribute FifoQueue=true, and no other has.", quote(name), fifoSuffix)
	}
	q := newQueue(name, s.arn(name), now)
	set, err := q.settings.with(q, attributes)
	if err != nil {
		return err
	}
	q.settings = set
	if old := s.queues[name]; old != nil {
		for _, attribute := range slices.Sorted(maps.Keys(attributes)) {
			if q.attribute(attribute) != old.attribute(attribute) {
				return bad("QueueNameExists", "A queue %s already exists with a different value for attribute %s: change it with SetQueueAttributes.", quote(name), attribute)
			}
		}
		return nil
	}
	for _, gone := range slices.Sorted(maps.Keys(s.deleted)) {
		if now.Sub(s.deleted[gone]) >= reuse {
			delete(s.deleted, gone)
		}
	}
	if _, recently := s.deleted[name]; recently {
		return bad("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name: %s.", quote(name))
	}
	if len(s.queues)+len(s.deleted) >= s.limits.Queues {
		return overLimit("There are %d queues (with those deleted in the last minute), of at most %d: delete some, or raise the service's limit Queues.", len(s.queues)+len(s.deleted), s.limits.Queues)
	}
	s.queues[name] = q
	at, _ := slices.BinarySearch(s.names, name)
	s.names = slices.Insert(s.names, at, name)
	s.changed(QueueCreated, q, nil, "")
	return nil
}

func (s *Service) arn(queue string) string {
	return "arn:aws:sqs:" + s.config.Region + ":" + s.config.Account + ":" + queue
}

// end deletes a queue. Who waits at it is told.
func (s *Service) end(q *queue) {
	s.clear(q)
	for q.waiters.Len() > 0 {
		w := q.waiters.Front().Value.(*waiter)
		s.forget(w)
		w.call.reply(nil, noQueue(q.name))
	}
	s.remembered -= len(q.dedupe)
	clear(q.dedupe)
	q.forgets = nil
	delete(s.queues, q.name)
	at, _ := slices.BinarySearch(s.names, q.name)
	s.names = slices.Delete(s.names, at, at+1)
	s.deleted[q.name] = s.config.Clock.Now()
	s.touch(q)
	s.changed(QueueDeleted, q, nil, "")
}

// clear takes all messages out of a queue; what it remembers of sent ones stays.
func (s *Service) clear(q *queue) {
	for _, m := range q.messages { //hdm:order-safe it is a sum
		s.bytes -= m.weight
	}
	s.stored -= len(q.messages)
	clear(q.messages)
	clear(q.groups)
	clear(q.counts)
	q.ready.members, q.due.members, q.old.members = nil, nil, nil
}

func (c *call) createQueue() (*output, *Error) {
	if c.in.QueueName == "" {
		return nil, missing("QueueName")
	}
	if err := c.service.create(c.in.QueueName, c.in.Attributes); err != nil {
		return nil, err
	}
	return &output{QueueURL: c.url(c.in.QueueName)}, nil
}

func (c *call) deleteQueue() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	c.service.end(q)
	return nil, nil
}

func (c *call) getQueueURL() (*output, *Error) {
	if c.in.QueueName == "" {
		return nil, missing("QueueName")
	}
	if owner := c.in.QueueOwnerAWSAccountID; owner != "" && owner != c.service.config.Account {
		return nil, noQueue(owner + "/" + c.in.QueueName)
	}
	q, err := c.service.find(c.in.QueueName)
	if err != nil {
		return nil, err
	}
	return &output{QueueURL: c.url(q.name)}, nil
}

func (c *call) listQueues() (*output, *Error) {
	at, _ := slices.BinarySearch(c.service.names, c.in.QueueNamePrefix)
	urls, next, err := c.page(c.service.names[at:], func(name string) (is, more bool) {
		is = strings.HasPrefix(name, c.in.QueueNamePrefix)
		return is, is
	})
	return &output{QueueURLs: urls, NextToken: next}, err
}

func (c *call) listDeadLetterSourceQueues() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	urls, next, err := c.page(c.service.names, func(name string) (is, more bool) {
		return c.service.queues[name].settings.deadLetter == q.name, true
	})
	return &output{SourceURLs: urls, NextToken: next}, err
}

// page is the URLs of those of names, which are sorted, that are wanted, as many
// as the call has asked for and from where its token says. The token is the last
// name of the page before.
func (c *call) page(names []string, wanted func(string) (is, more bool)) (urls []string, next string, err *Error) {
	const usual = 1000
	most := usual
	if c.in.MaxResults != nil {
		if most = *c.in.MaxResults; most < 1 || most > usual {
			return nil, "", invalid("MaxResults", "it is %d: use a whole number from 1 to %d.", most, usual)
		}
	}
	after, fail := base64.RawURLEncoding.DecodeString(c.in.NextToken)
	if fail != nil {
		return nil, "", invalid("NextToken", "it is none that this service has given: begin without one.")
	}
	last := ""
	for _, name := range names {
		is, more := wanted(name)
		switch {
		case !more:
			return urls, "", nil
		case !is || name <= string(after):
		case len(urls) == most:
			return urls, base64.RawURLEncoding.EncodeToString([]byte(last)), nil
		default:
			urls, last = append(urls, c.url(name)), name
		}
	}
	return urls, "", nil
}

func (c *call) getQueueAttributes() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	told := map[string]string{}
	for _, name := range c.in.AttributeNames {
		switch {
		case name == "All":
			for _, k := range known {
				told[k] = q.attribute(k)
			}
		case !slices.Contains(known, name):
			return nil, bad("InvalidAttributeName", "Unknown Attribute %s: ask for All to see which there are.", quote(name))
		default:
			told[name] = q.attribute(name)
		}
	}
	maps.DeleteFunc(told, func(_, value string) bool { return value == "" })
	return &output{Attributes: told}, nil
}

func (c *call) setQueueAttributes() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	if len(c.in.Attributes) == 0 {
		return nil, missing("Attributes")
	}
	set, err := q.settings.with(q, c.in.Attributes)
	if err != nil {
		return nil, err
	}
	q.settings, q.modified = set, c.service.config.Clock.Now()
	c.service.changed(QueueChanged, q, nil, "")
	return nil, nil
}

func (c *call) purgeQueue() (*output, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	now := c.service.config.Clock.Now()
	if !q.purged.IsZero() && now.Sub(q.purged) < reuse {
		return nil, refuse("PurgeQueueInProgress", 403, "Only one PurgeQueue operation on %s is allowed every 60 seconds: wait.", q.name)
	}
	q.purged = now
	c.service.clear(q)
	c.service.touch(q)
	c.service.changed(Purged, q, nil, "")
	return nil, nil
}

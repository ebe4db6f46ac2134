package sqs

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const fifoSuffix = ".fifo"

// settings are what a queue's attributes say, and the attributes themselves as
// they were set, for who asks.
type settings struct {
	visibility, delay, retention, wait time.Duration

	maxSize     int
	byContent   bool // ContentBasedDeduplication
	perGroup    bool // DeduplicationScope is messageGroup
	deadLetter  string
	maxReceives int
	set         map[string]string
}

func defaults() settings {
	return settings{
		visibility: 30 * time.Second, retention: 4 * 24 * time.Hour, maxSize: maxMessage,
		set: map[string]string{},
	}
}

// ranges of the numeric attributes, and their defaults, from the reference of
// SetQueueAttributes.
var ranges = map[string]struct{ least, most, usual int }{
	"DelaySeconds":                  {0, 900, 0},
	"MaximumMessageSize":            {1024, maxMessage, maxMessage},
	"MessageRetentionPeriod":        {60, 14 * 24 * 3600, 4 * 24 * 3600},
	"ReceiveMessageWaitTimeSeconds": {0, 20, 0},
	"VisibilityTimeout":             {0, maxVisibility, 30},
}

// choices of the attributes that are words.
var choices = map[string][]string{
	"FifoQueue":                 {"true", "false"},
	"ContentBasedDeduplication": {"true", "false"},
	"DeduplicationScope":        {"queue", "messageGroup"},
	"FifoThroughputLimit":       {"perQueue", "perMessageGroupId"},
	"SqsManagedSseEnabled":      {"true", "false"},
}

// kept are attributes that are stored and told, and never acted on.
var kept = []string{"Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"}

// maxKept is the most bytes of one of them; a policy may have 8 KiB.
const maxKept = 8 << 10

// ofFIFO are the attributes that only a FIFO queue has.
var ofFIFO = []string{"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"}

// with is the settings after some attributes have been set; the old ones stay as
// they are.
func (s settings) with(q *queue, given map[string]string) (settings, *Error) {
	s.set = maps.Clone(s.set)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if slices.Contains(ofFIFO, name) && !q.fifo {
			return s, bad("InvalidAttributeName", "Unknown Attribute %s: only a FIFO queue has it, whose name ends in %s.", name, fifoSuffix)
		}
		if name == "FifoQueue" && given[name] != "true" {
			return s, bad("InvalidAttributeValue", "Invalid value for the parameter FifoQueue: it is true of a queue whose name ends in %s, and cannot change.", fifoSuffix)
		}
		if err := s.apply(q, name, given[name]); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *settings) apply(q *queue, name, value string) *Error {
	words, isChoice := choices[name]
	r, isNumber := ranges[name]
	switch {
	case isNumber:
		n, err := strconv.Atoi(value)
		if err != nil || n < r.least || n > r.most {
			return bad("InvalidAttributeValue", "Invalid value %s for the parameter %s: use a whole number from %d to %d.", quote(value), name, r.least, r.most)
		}
		s.number(name, n)
	case isChoice:
		if !slices.Contains(words, value) {
			return bad("InvalidAttributeValue", "Invalid value %s for the parameter %s: use %s.", quote(value), name, strings.Join(words, " or "))
		}
		s.choose(name, value)
	case name == "RedrivePolicy":
		return s.redrive(q, value)
	case !slices.Contains(kept, name):
		return bad("InvalidAttributeName", "Unknown Attribute %s: it is none that can be set.", quote(name))
	case len(value) > maxKept || !legal(value):
		return bad("InvalidAttributeValue", "Invalid value for the parameter %s: it is longer than %d bytes or has characters that XML 1.0 lacks.", name, maxKept)
	}
	s.set[name] = value
	if value == "" {
		delete(s.set, name)
	}
	return nil
}

func (s *settings) choose(name, value string) {
	switch name {
	case "ContentBasedDeduplication":
		s.byContent = value == "true"
	case "DeduplicationScope":
		s.perGroup = value == "messageGroup"
	}
}

func (s *settings) number(name string, n int) {
	seconds := time.Duration(n) * time.Second
	switch name {
	case "DelaySeconds":
		s.delay = seconds
	case "MaximumMessageSize":
		s.maxSize = n
	case "MessageRetentionPeriod":
		s.retention = seconds
	case "ReceiveMessageWaitTimeSeconds":
		s.wait = seconds
	case "VisibilityTimeout":
		s.visibility = seconds
	}
}

// redrive reads {"deadLetterTargetArn": ..., "maxReceiveCount": 1 to 1000}, the
// number perhaps in quotes; "" takes the policy away.
func (s *settings) redrive(q *queue, value string) *Error {
	if value == "" {
		s.deadLetter, s.maxReceives = "", 0
		delete(s.set, "RedrivePolicy")
		return nil
	}
	var policy struct {
		Target string          `json:"deadLetterTargetArn"`
		Count  json.RawMessage `json:"maxReceiveCount"`
	}
	wrong := func(why string) *Error {
		return bad("InvalidParameterValue", "Value %s for parameter RedrivePolicy is invalid. Reason: %s", quote(value), why)
	}
	if len(value) > maxKept || !legal(value) || json.Unmarshal([]byte(value), &policy) != nil {
		return wrong(`Redrive policy is not a valid JSON map: use {"deadLetterTargetArn": "<ARN>", "maxReceiveCount": 5}.`)
	}
	count, err := strconv.Atoi(strings.Trim(string(policy.Count), `"`))
	if err != nil || count < 1 || count > 1000 {
		return wrong("maxReceiveCount must be a whole number from 1 to 1000.")
	}
	at := strings.LastIndexByte(q.arn, ':') + 1
	target, here := strings.CutPrefix(policy.Target, q.arn[:at])
	if !here || !queueName(target) {
		return wrong("deadLetterTargetArn must name a queue of this account and region: " + q.arn[:at] + "<name>.")
	}
	if strings.HasSuffix(target, fifoSuffix) != q.fifo {
		return wrong("the dead-letter queue must be of the same type as the source, FIFO or standard.")
	}
	if target == q.name {
		return wrong("a queue cannot be its own dead-letter queue.")
	}
	s.deadLetter, s.maxReceives = target, count
	s.set["RedrivePolicy"] = value
	return nil
}

// queueName says whether a queue may be called so.
func queueName(name string) bool {
	const most = 80
	return name != "" && len(name) <= most && strings.TrimSuffix(name, fifoSuffix) != "" && only(strings.TrimSuffix(name, fifoSuffix), "-_")
}

// known are the attributes of a queue that can be asked for, besides All.
var known = func() []string {
	names := append([]string{
		"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
		"CreatedTimestamp", "LastModifiedTimestamp", "QueueArn", "RedrivePolicy",
	}, kept...)
	names = append(names, slices.Sorted(maps.Keys(ranges))...)
	return append(names, slices.Sorted(maps.Keys(choices))...)
}()

// attribute is the value of one of them; "" if the queue does not have it.
func (q *queue) attribute(name string) string {
	switch name {
	case "ApproximateNumberOfMessages":
		return strconv.Itoa(q.counts[Visible])
	case "ApproximateNumberOfMessagesNotVisible":
		return strconv.Itoa(q.counts[InFlight])
	case "ApproximateNumberOfMessagesDelayed":
		return strconv.Itoa(q.counts[Delayed])
	case "CreatedTimestamp":
		return strconv.FormatInt(q.created.Unix(), 10)
	case "LastModifiedTimestamp":
		return strconv.FormatInt(q.modified.Unix(), 10)
	case "QueueArn":
		return q.arn
	}
	if value, set := q.settings.set[name]; set && (q.fifo || !slices.Contains(ofFIFO, name)) {
		return value
	}
	if r, isNumber := ranges[name]; isNumber {
		return strconv.Itoa(r.usual)
	}
	switch {
	case name == "SqsManagedSseEnabled":
		return "true"
	case q.fifo && name == "FifoQueue":
		return "true"
	case q.fifo && name == "ContentBasedDeduplication":
		return "false"
	case q.fifo && name == "DeduplicationScope":
		return "queue"
	case q.fifo && name == "FifoThroughputLimit":
		return "perQueue"
	}
	return ""
}

// Package sqstable is what clients may count on of an SQS service, as a table
// that any service can be put under: ours in this process, and others'.
//
// It decides what to ask and what answer is right. It never waits by itself: an
// Env passes the time, which is virtual for our service and real for others',
// so that visibilities and delays are of one or two seconds. Read Env, then the
// behaviours: visibility.go, fifo.go, refusals.go and the rest.
package sqstable

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"
)

// Env is a service under the table.
type Env struct {
	Client *sqs.Client
	Prefix string                      // of the queues' names, so that several tables can share a service
	Pass   func(time.Duration)         // lets time pass
	Later  func(time.Duration, func()) // does something while a call of the table waits
}

// Behaviour is one thing that clients may count on.
type Behaviour struct {
	Name string
	try  func(*bench)
}

// Table is all behaviours.
func Table() []Behaviour {
	var all []Behaviour
	for _, part := range [][]Behaviour{visibility, polling, fifo, batches, content, refusals, queues, redrive} {
		all = append(all, part...)
	}
	return all
}

// Try asks a service for one behaviour. The error says what it did instead.
func (b Behaviour) Try(e Env) (err error) {
	s := &bench{Env: e, name: slug(b.Name)}
	defer func() {
		caught(recover())
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.failures) > 0 {
			err = fmt.Errorf("%s: %s", b.Name, strings.Join(s.failures, "; "))
		}
	}()
	b.try(s)
	return nil
}

func slug(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// bench is where one behaviour is tried. It is what testify calls a TestingT.
type bench struct {
	Env
	name     string
	made     int
	mu       sync.Mutex // what is done later may be done beside
	failures []string
}

// failed is what FailNow panics with.
var failed any = new(int)

// Errorf notes a failure.
func (b *bench) Errorf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = append(b.failures, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
}

// FailNow ends the attempt.
func (b *bench) FailNow() { panic(failed) }

// caught lets go on what was not ended by FailNow.
func caught(r any) {
	if r != nil && r != failed {
		panic(r)
	}
}

// later does something while a call of the table waits, a second from now. If it
// fails, so does the behaviour.
func (b *bench) later(f func()) {
	b.Later(second, func() {
		defer func() { caught(recover()) }()
		f()
	})
}

var ctx = context.Background()

// queue makes a queue of its own for the behaviour; attributes in turn with
// their values.
func (b *bench) queue(attributes ...string) *target {
	b.made++
	name := fmt.Sprintf("%s%.60s-%d", b.Prefix, b.name, b.made)
	in := &sqs.CreateQueueInput{Attributes: pairs(attributes)}
	if in.Attributes["FifoQueue"] != "" {
		name += ".fifo"
	}
	in.QueueName = &name
	out, err := b.Client.CreateQueue(ctx, in)
	require.NoError(b, err)
	return &target{bench: b, name: name, url: out.QueueUrl}
}

func pairs(kv []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return m
}

// sorted ranges over a map by its keys, so that two attempts are alike.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// target is a queue under test.
type target struct {
	*bench
	name string
	url  *string
}

func (q *target) send(bodies ...string) {
	for _, body := range bodies {
		_, err := q.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: &body})
		require.NoError(q, err)
	}
}

// sendTo sends to a FIFO queue's group; dedupe "" gives no id.
func (q *target) sendTo(group, dedupe, body string) *sqs.SendMessageOutput {
	in := &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: &body, MessageGroupId: &group}
	if dedupe != "" {
		in.MessageDeduplicationId = &dedupe
	}
	out, err := q.Client.SendMessage(ctx, in)
	require.NoError(q, err)
	return out
}

// receive takes up to n messages, waiting up to some seconds for the first.
func (q *target) receive(n, wait int32, changes ...func(*sqs.ReceiveMessageInput)) []types.Message {
	in := &sqs.ReceiveMessageInput{
		QueueUrl: q.url, MaxNumberOfMessages: n, WaitTimeSeconds: wait, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	}
	for _, change := range changes {
		change(in)
	}
	out, err := q.Client.ReceiveMessage(ctx, in)
	require.NoError(q, err)
	return out.Messages
}

// drain takes and deletes what is there, as often as something comes.
func (q *target) drain() []string {
	var all []string
	for {
		got := q.receive(10, 1)
		if len(got) == 0 {
			return all
		}
		for _, m := range got {
			all = append(all, aws.ToString(m.Body))
			require.NoError(q, q.delete(m))
		}
	}
}

// one takes the message that must be there.
func (q *target) one(body string) types.Message {
	got := q.receive(1, 1)
	require.Equal(q, []string{body}, bodies(got))
	return got[0]
}

func (q *target) empty() { require.Empty(q, bodies(q.receive(10, 0))) }

func bodies(messages []types.Message) []string {
	all := make([]string, 0, len(messages))
	for _, m := range messages {
		all = append(all, aws.ToString(m.Body))
	}
	return all
}

func (q *target) delete(m types.Message) error {
	_, err := q.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: q.url, ReceiptHandle: m.ReceiptHandle})
	return err
}

func (q *target) change(m types.Message, seconds int32) error {
	_, err := q.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: q.url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
	return err
}

func (q *target) attributes(names ...types.QueueAttributeName) map[string]string {
	if len(names) == 0 {
		names = []types.QueueAttributeName{types.QueueAttributeNameAll}
	}
	out, err := q.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: q.url, AttributeNames: names})
	require.NoError(q, err)
	return out.Attributes
}

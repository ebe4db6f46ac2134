package sqstable

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var queues = []Behaviour{
	{"a queue is found by its name", func(b *bench) {
		q := b.queue()
		out, err := b.Client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.name})
		require.NoError(b, err)
		assert.Equal(b, *q.url, aws.ToString(out.QueueUrl))
		assert.True(b, strings.HasSuffix(*q.url, "/"+q.name))
	}},
	{"making a queue again finds it", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("m")
		out, err := b.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &q.name, Attributes: map[string]string{"VisibilityTimeout": "1"}})
		require.NoError(b, err)
		assert.Equal(b, *q.url, aws.ToString(out.QueueUrl))
		q.one("m")
	}},
	{"queues are listed by prefix, page by page", func(b *bench) {
		var want, got []string
		prefix := ""
		for range 5 {
			q := b.queue()
			prefix = strings.TrimRight(q.name, "0123456789")
			want = append(want, *q.url)
		}
		in := &sqs.ListQueuesInput{QueueNamePrefix: &prefix, MaxResults: aws.Int32(2)}
		for pages := 1; ; pages++ {
			out, err := b.Client.ListQueues(ctx, in)
			require.NoError(b, err)
			require.LessOrEqual(b, len(out.QueueUrls), 2)
			got = append(got, out.QueueUrls...)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				require.Equal(b, 3, pages)
				break
			}
		}
		assert.ElementsMatch(b, want, got)
	}},
	{"a queue that is deleted is gone", func(b *bench) {
		q := b.queue()
		_, err := b.Client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: q.url})
		require.NoError(b, err)
		_, err = b.Client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.name})
		refused[*types.QueueDoesNotExist](b, err)
	}},
	{"a purge empties a queue, of what is in flight, too", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("1", "2", "3")
		require.Len(b, q.receive(1, 1), 1)
		_, err := b.Client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: q.url})
		require.NoError(b, err)
		b.Pass(2 * second)
		q.empty()
	}},
	{"a queue tells its attributes, and what it was not told", func(b *bench) {
		q := b.queue("DelaySeconds", "3")
		got := q.attributes()
		for name, want := range sorted(map[string]string{
			"DelaySeconds": "3", "VisibilityTimeout": "30", "MessageRetentionPeriod": "345600", "MaximumMessageSize": "1048576",
			"ReceiveMessageWaitTimeSeconds": "0",
		}) {
			assert.Equal(b, want, got[name], name)
		}
		assert.True(b, strings.HasSuffix(got["QueueArn"], ":"+q.name))
		assert.NotContains(b, got, "FifoQueue")
	}},
	{"a FIFO queue tells that it is one", func(b *bench) {
		got := b.queue("FifoQueue", "true").attributes("FifoQueue", "ContentBasedDeduplication")
		assert.Equal(b, map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "false"}, got)
	}},
	{"a queue tells how many messages are visible and in flight", func(b *bench) {
		q := b.queue()
		q.send("1", "2", "3")
		require.Len(b, q.receive(1, 1), 1)
		got := q.attributes("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
		assert.Equal(b, map[string]string{"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1"}, got)
	}},
	{"an attribute that is set goes from then on", func(b *bench) {
		q := b.queue()
		_, err := b.Client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: q.url, Attributes: map[string]string{"VisibilityTimeout": "1"}})
		require.NoError(b, err)
		assert.Equal(b, "1", q.attributes()["VisibilityTimeout"])
		q.send("m")
		q.one("m")
		b.Pass(2 * second)
		q.one("m")
	}},
	{"one wrong attribute leaves the others as they were", func(b *bench) {
		q := b.queue()
		_, err := b.Client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
			QueueUrl: q.url, Attributes: map[string]string{"DelaySeconds": "1", "VisibilityTimeout": "many"},
		})
		refused[*types.InvalidAttributeValue](b, err)
		assert.Equal(b, "0", q.attributes()["DelaySeconds"])
	}},
}

// withDeadLetter makes a queue and the one that its messages go to after so many
// receives.
func (b *bench) withDeadLetter(receives int, attributes ...string) (q, dead *target) {
	dead = b.queue(attributes...)
	policy := `{"deadLetterTargetArn":"` + dead.attributes()["QueueArn"] + `","maxReceiveCount":` + strconv.Itoa(receives) + `}`
	return b.queue(append([]string{"RedrivePolicy", policy, "VisibilityTimeout", "1"}, attributes...)...), dead
}

var redrive = []Behaviour{
	{"a message goes to the dead-letter queue after its receives, not at the first", func(b *bench) {
		q, dead := b.withDeadLetter(2)
		q.send("m")
		q.one("m")
		b.Pass(2 * second)
		id := aws.ToString(q.one("m").MessageId)
		b.Pass(2 * second)
		q.empty()
		assert.Equal(b, id, aws.ToString(dead.one("m").MessageId))
	}},
	{"a message in a dead-letter queue tells where it has come from", func(b *bench) {
		q, dead := b.withDeadLetter(1)
		q.send("m")
		q.one("m")
		b.Pass(2 * second)
		q.empty()
		assert.Equal(b, q.attributes()["QueueArn"], dead.one("m").Attributes["DeadLetterQueueSourceArn"])
	}},
	{"even a policy of one receive hands a message out once", func(b *bench) {
		q, dead := b.withDeadLetter(1)
		q.send("m")
		q.one("m")
		dead.empty()
		b.Pass(2 * second)
		q.empty()
		dead.one("m")
	}},
	{"a group goes on when its first message has gone to the dead-letter queue", func(b *bench) {
		q, dead := b.withDeadLetter(1, "FifoQueue", "true")
		q.sendTo("g", "1", "1")
		q.sendTo("g", "2", "2")
		q.one("1")
		b.Pass(2 * second)
		q.one("2")
		assert.Equal(b, "g", dead.one("1").Attributes["MessageGroupId"])
	}},
	{"who waits at the dead-letter queue gets what goes there", func(b *bench) {
		q, dead := b.withDeadLetter(1)
		q.send("m")
		q.one("m")
		b.Pass(2 * second)
		b.later(func() { q.empty() })
		require.Equal(b, []string{"m"}, bodies(dead.receive(1, 5)))
	}},
	{"a dead-letter queue knows its sources", func(b *bench) {
		q, dead := b.withDeadLetter(1)
		out, err := b.Client.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead.url})
		require.NoError(b, err)
		require.Equal(b, []string{*q.url}, out.QueueUrls)
	}},
	{"a dead-letter queue is of its source's type", func(b *bench) {
		dead := b.queue()
		_, err := b.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(b.Prefix + "wrong.fifo"), Attributes: map[string]string{
			"FifoQueue": "true", "RedrivePolicy": `{"deadLetterTargetArn":"` + dead.attributes()["QueueArn"] + `","maxReceiveCount":1}`,
		}})
		refusedAs(b, err, "InvalidParameterValue")
	}},
	{"a dead-letter queue must be there", func(b *bench) {
		q := b.queue()
		policy := `{"deadLetterTargetArn":"` + q.attributes()["QueueArn"] + `-none","maxReceiveCount":1}`
		_, err := b.Client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: q.url, Attributes: map[string]string{"RedrivePolicy": policy}})
		refusedAs(b, err, "InvalidParameterValue")
	}},
	{"a redrive policy that is none is refused", func(b *bench) {
		q := b.queue()
		for _, policy := range []string{"x", "{}", `{"deadLetterTargetArn":"` + q.attributes()["QueueArn"] + `2","maxReceiveCount":0}`} {
			_, err := b.Client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: q.url, Attributes: map[string]string{"RedrivePolicy": policy}})
			refusedAs(b, err, "InvalidParameterValue")
		}
	}},
}

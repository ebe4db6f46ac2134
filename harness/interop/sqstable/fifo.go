package sqstable

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var fifo = []Behaviour{
	{"a FIFO queue keeps the order within a group", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		for _, body := range []string{"1", "2", "3"} {
			q.sendTo("g", body, body)
		}
		require.Equal(b, []string{"1", "2", "3"}, bodies(q.receive(10, 1)))
	}},
	{"what is in flight blocks its group and no other", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		q.sendTo("a", "1", "a1")
		q.sendTo("a", "2", "a2")
		q.sendTo("b", "3", "b1")
		first := q.one("a1")
		require.Equal(b, []string{"b1"}, bodies(q.receive(10, 1)))
		q.empty()
		require.NoError(b, q.delete(first))
		q.one("a2")
	}},
	{"a group goes on where it was when a visibility timeout is over", func(b *bench) {
		q := b.queue("FifoQueue", "true", "VisibilityTimeout", "1")
		q.sendTo("g", "1", "1")
		q.sendTo("g", "2", "2")
		q.one("1")
		b.Pass(2 * second)
		require.Equal(b, []string{"1", "2"}, bodies(q.receive(10, 1)))
	}},
	{"a FIFO queue's message cannot be deleted after its visibility timeout", func(b *bench) {
		q := b.queue("FifoQueue", "true", "VisibilityTimeout", "1")
		q.sendTo("g", "1", "1")
		m := q.one("1")
		b.Pass(2 * second)
		refusedAs(b, q.delete(m), "InvalidParameterValue")
		q.one("1")
	}},
	{"a deduplication id that was used stores nothing, even after a delete", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		first := q.sendTo("g", "id", "first")
		again := q.sendTo("g", "id", "again")
		assert.Equal(b, aws.ToString(first.MessageId), aws.ToString(again.MessageId))
		assert.Equal(b, aws.ToString(first.SequenceNumber), aws.ToString(again.SequenceNumber))
		require.NoError(b, q.delete(q.one("first")))
		q.sendTo("g", "id", "again")
		q.empty()
	}},
	{"a deduplication id counts across groups", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		q.sendTo("a", "id", "first")
		q.sendTo("b", "id", "again")
		require.Equal(b, []string{"first"}, bodies(q.receive(10, 1)))
	}},
	{"by DeduplicationScope messageGroup it counts within one", func(b *bench) {
		q := b.queue("FifoQueue", "true", "DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId")
		q.sendTo("a", "id", "first")
		q.sendTo("b", "id", "other")
		require.ElementsMatch(b, []string{"first", "other"}, bodies(q.receive(10, 1)))
	}},
	{"by content, equal bodies are stored once", func(b *bench) {
		q := b.queue("FifoQueue", "true", "ContentBasedDeduplication", "true")
		q.sendTo("g", "", "same")
		q.sendTo("g", "", "same")
		q.sendTo("g", "", "other")
		q.sendTo("g", "own", "same")
		require.Equal(b, []string{"same", "other", "same"}, bodies(q.receive(10, 1)))
	}},
	{"sequence numbers grow", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		one, two := q.sendTo("g", "1", "1"), q.sendTo("h", "2", "2")
		assert.Less(b, aws.ToString(one.SequenceNumber), aws.ToString(two.SequenceNumber))
		got := q.one("1")
		assert.Equal(b, aws.ToString(one.SequenceNumber), got.Attributes["SequenceNumber"])
		assert.Equal(b, []string{"g", "1"}, []string{got.Attributes["MessageGroupId"], got.Attributes["MessageDeduplicationId"]})
	}},
	{"a FIFO queue needs a group", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("m"), MessageDeduplicationId: aws.String("1")})
		refusedAs(b, err, "MissingParameter")
	}},
	{"a FIFO queue needs a deduplication id, unless it goes by content", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("m"), MessageGroupId: aws.String("g")})
		refusedAs(b, err, "InvalidParameterValue")
	}},
	{"a FIFO queue delays no message by itself", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: q.url, MessageBody: aws.String("m"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("1"), DelaySeconds: 1,
		})
		refusedAs(b, err, "InvalidParameterValue")
	}},
	{"a standard queue has no deduplication ids", func(b *bench) {
		q := b.queue()
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("m"), MessageDeduplicationId: aws.String("1")})
		refusedAs(b, err, "InvalidParameterValue")
	}},
	{"a group's id has at most 128 characters, without blanks", func(b *bench) {
		q := b.queue("FifoQueue", "true", "ContentBasedDeduplication", "true")
		for _, group := range []string{string(make([]byte, 129)), "a b", "ä"} {
			_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("m"), MessageGroupId: &group})
			refusedAs(b, err, "InvalidParameterValue")
		}
	}},
	{"the name of a FIFO queue ends in .fifo, and no other's does", func(b *bench) {
		for name, attributes := range map[string]map[string]string{"a": {"FifoQueue": "true"}, "a.fifo": nil} {
			_, err := b.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(b.Prefix + name), Attributes: attributes})
			refusedAs(b, err, "InvalidParameterValue")
		}
	}},
}

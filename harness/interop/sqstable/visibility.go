package sqstable

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const second = time.Second

var visibility = []Behaviour{
	{"a received message is hidden until its visibility timeout is over", func(b *bench) {
		q := b.queue("VisibilityTimeout", "2")
		q.send("m")
		q.one("m")
		q.empty()
		b.Pass(3 * second)
		assert.Equal(b, "2", q.one("m").Attributes["ApproximateReceiveCount"])
	}},
	{"a receive's own visibility timeout goes before the queue's", func(b *bench) {
		q := b.queue("VisibilityTimeout", "30")
		q.send("m")
		require.Len(b, q.receive(1, 0, func(in *sqs.ReceiveMessageInput) { in.VisibilityTimeout = 1 }), 1)
		q.empty()
		b.Pass(2 * second)
		q.one("m")
	}},
	{"a deleted message does not come back", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("m")
		require.NoError(b, q.delete(q.one("m")))
		b.Pass(2 * second)
		q.empty()
	}},
	{"deleting twice is no error", func(b *bench) {
		q := b.queue()
		q.send("m")
		m := q.one("m")
		require.NoError(b, q.delete(m))
		require.NoError(b, q.delete(m))
	}},
	{"the receipt of an earlier receive deletes nothing", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("m")
		old := q.one("m")
		b.Pass(2 * second)
		q.one("m")
		require.NoError(b, q.delete(old))
		b.Pass(2 * second)
		q.one("m")
	}},
	{"a message that is visible again can be deleted by its newest receipt", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("m")
		m := q.one("m")
		b.Pass(2 * second)
		require.NoError(b, q.delete(m))
		q.empty()
	}},
	{"a visibility timeout can be prolonged", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("m")
		require.NoError(b, q.change(q.one("m"), 4))
		b.Pass(2 * second)
		q.empty()
		b.Pass(3 * second)
		q.one("m")
	}},
	{"a visibility timeout of 0 gives a message back", func(b *bench) {
		q := b.queue()
		q.send("m")
		require.NoError(b, q.change(q.one("m"), 0))
		q.one("m")
	}},
	{"a visibility timeout that is over cannot be changed", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("m")
		m := q.one("m")
		b.Pass(2 * second)
		refused[*types.MessageNotInflight](b, q.change(m, 1))
	}},
	{"a deleted message's visibility timeout cannot be changed", func(b *bench) {
		q := b.queue()
		q.send("m")
		m := q.one("m")
		require.NoError(b, q.delete(m))
		refusedAs(b, q.change(m, 1), "InvalidParameterValue")
	}},
	{"a visibility timeout is at most 12 hours", func(b *bench) {
		q := b.queue()
		q.send("m")
		m := q.one("m")
		refusedAs(b, q.change(m, 12*3600+1), "InvalidParameterValue")
		refusedAs(b, q.change(m, -1), "InvalidParameterValue")
	}},
	{"a delayed message is hidden until its delay is over", func(b *bench) {
		q := b.queue()
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("m"), DelaySeconds: 2})
		require.NoError(b, err)
		q.empty()
		b.Pass(3 * second)
		q.one("m")
	}},
	{"a queue's delay goes for all its messages", func(b *bench) {
		q := b.queue("DelaySeconds", "2")
		q.send("m")
		q.empty()
		assert.Equal(b, "1", q.attributes()["ApproximateNumberOfMessagesDelayed"])
		b.Pass(3 * second)
		q.one("m")
	}},
	{"a message tells when it was sent and first received, and how often", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("m")
		first := q.one("m").Attributes
		b.Pass(2 * second)
		again := q.one("m").Attributes
		assert.NotEmpty(b, first["SentTimestamp"])
		assert.NotEmpty(b, first["SenderId"])
		assert.Equal(b, first["SentTimestamp"], again["SentTimestamp"])
		assert.Equal(b, first["ApproximateFirstReceiveTimestamp"], again["ApproximateFirstReceiveTimestamp"])
		assert.Equal(b, []string{"1", "2"}, []string{first["ApproximateReceiveCount"], again["ApproximateReceiveCount"]})
	}},
}

var polling = []Behaviour{
	{"a long poll wakes when a message is sent", func(b *bench) {
		q := b.queue()
		b.later(func() { q.send("m") })
		require.Equal(b, []string{"m"}, bodies(q.receive(1, 5)))
	}},
	{"a long poll ends empty", func(b *bench) {
		require.Empty(b, b.queue().receive(1, 1))
	}},
	{"a long poll wakes when a visibility timeout is over", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		q.send("m")
		q.one("m")
		require.Equal(b, []string{"m"}, bodies(q.receive(1, 5)))
	}},
	{"a long poll wakes when a delay is over", func(b *bench) {
		q := b.queue("DelaySeconds", "1")
		q.send("m")
		require.Equal(b, []string{"m"}, bodies(q.receive(1, 5)))
	}},
	{"a long poll wakes when a group is free again", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		q.sendTo("g", "1", "one")
		q.sendTo("g", "2", "two")
		m := q.one("one")
		b.later(func() { assert.NoError(b, q.delete(m)) })
		require.Equal(b, []string{"two"}, bodies(q.receive(1, 5)))
	}},
	{"a queue's own wait goes for receives that say none", func(b *bench) {
		q := b.queue("ReceiveMessageWaitTimeSeconds", "5")
		b.later(func() { q.send("m") })
		require.Equal(b, []string{"m"}, bodies(q.receive(1, 0)))
	}},
	{"a long poll waits at most 20 seconds", func(b *bench) {
		q := b.queue()
		_, err := b.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: q.url, WaitTimeSeconds: 21})
		refusedAs(b, err, "InvalidParameterValue")
	}},
	{"a receive takes 1 to 10 messages", func(b *bench) {
		q := b.queue()
		_, err := b.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: q.url, MaxNumberOfMessages: 11})
		refusedAs(b, err, "InvalidParameterValue")
		q.send("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11")
		require.Len(b, q.receive(10, 1), 10)
		require.Len(b, q.receive(10, 1), 1)
	}},
}

package sqstable

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mebibyte = 1 << 20

// entries of a batch: ids and bodies in turn.
func entries(kv ...string) []types.SendMessageBatchRequestEntry {
	var all []types.SendMessageBatchRequestEntry
	for i := 0; i+1 < len(kv); i += 2 {
		all = append(all, types.SendMessageBatchRequestEntry{Id: &kv[i], MessageBody: &kv[i+1]})
	}
	return all
}

func (q *target) batch(kv ...string) (*sqs.SendMessageBatchOutput, error) {
	return q.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: q.url, Entries: entries(kv...)})
}

var batches = []Behaviour{
	{"a batch is sent, prolonged and deleted", func(b *bench) {
		q := b.queue()
		sent, err := q.batch("a", "1", "b", "2")
		require.NoError(b, err)
		require.Len(b, sent.Successful, 2)
		var change []types.ChangeMessageVisibilityBatchRequestEntry
		var del []types.DeleteMessageBatchRequestEntry
		for i, m := range q.receive(10, 1) {
			id := fmt.Sprint(i)
			change = append(change, types.ChangeMessageVisibilityBatchRequestEntry{Id: &id, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 60})
			del = append(del, types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: m.ReceiptHandle})
		}
		changed, err := b.Client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: q.url, Entries: change})
		require.NoError(b, err)
		require.Len(b, changed.Successful, 2)
		deleted, err := b.Client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: q.url, Entries: del})
		require.NoError(b, err)
		require.Len(b, deleted.Successful, 2)
		assert.Equal(b, "0", q.attributes()["ApproximateNumberOfMessagesNotVisible"])
	}},
	{"an entry that fails does not keep the others", func(b *bench) {
		q := b.queue()
		out, err := q.batch("good", "m", "bad", "\x00")
		require.NoError(b, err)
		require.Len(b, out.Successful, 1)
		require.Len(b, out.Failed, 1)
		assert.Equal(b, "bad", aws.ToString(out.Failed[0].Id))
		assert.True(b, out.Failed[0].SenderFault)
		q.one("m")
	}},
	{"a deletion that fails does not keep the others", func(b *bench) {
		q := b.queue()
		q.send("m")
		m := q.one("m")
		out, err := b.Client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: q.url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("bad"), ReceiptHandle: aws.String("nonsense")}, {Id: aws.String("good"), ReceiptHandle: m.ReceiptHandle},
		}})
		require.NoError(b, err)
		require.Len(b, out.Successful, 1)
		require.Len(b, out.Failed, 1)
		assert.Equal(b, "ReceiptHandleIsInvalid", aws.ToString(out.Failed[0].Code))
	}},
	{"a batch has at most 10 entries", func(b *bench) {
		var kv []string
		for i := range 11 {
			kv = append(kv, fmt.Sprint(i), "m")
		}
		q := b.queue()
		_, err := q.batch(kv...)
		refused[*types.TooManyEntriesInBatchRequest](b, err)
		q.empty()
	}},
	{"a batch has at least one entry", func(b *bench) {
		_, err := b.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: b.queue().url, Entries: []types.SendMessageBatchRequestEntry{}})
		refused[*types.EmptyBatchRequest](b, err)
	}},
	{"the ids of a batch differ", func(b *bench) {
		q := b.queue()
		_, err := q.batch("a", "1", "a", "2")
		refused[*types.BatchEntryIdsNotDistinct](b, err)
		q.empty()
	}},
	{"the ids of a batch have no blanks", func(b *bench) {
		_, err := b.queue().batch("a b", "1")
		refused[*types.InvalidBatchEntryId](b, err)
	}},
	{"a batch has at most 1 MiB in sum", func(b *bench) {
		q := b.queue()
		half := strings.Repeat("x", mebibyte/2)
		_, err := q.batch("a", half, "b", half+"x")
		refused[*types.BatchRequestTooLong](b, err)
		out, err := q.batch("a", half, "b", half)
		require.NoError(b, err)
		require.Len(b, out.Successful, 2)
	}},
	{"a FIFO batch keeps its order and its duplicates out", func(b *bench) {
		q := b.queue("FifoQueue", "true")
		in := entries("a", "1", "b", "2", "c", "1 again")
		for i, dedupe := range []string{"1", "2", "1"} {
			in[i].MessageGroupId, in[i].MessageDeduplicationId = aws.String("g"), &dedupe
		}
		out, err := b.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: q.url, Entries: in})
		require.NoError(b, err)
		require.Len(b, out.Successful, 3)
		require.Equal(b, []string{"1", "2"}, bodies(q.receive(10, 1)))
	}},
}

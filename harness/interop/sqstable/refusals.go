package sqstable

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refused demands an error of a type of the SDK's, which tells what happened (a
// MessageNotInflight cannot: the API's model gives it no message).
func refused[E smithy.APIError](b *bench, err error) {
	var typed E
	require.ErrorAs(b, err, &typed)
	if _, mute := error(typed).(*types.MessageNotInflight); !mute { //nolint:errorlint // the error itself
		assert.NotEmpty(b, typed.ErrorMessage())
	}
}

// refusedAs demands an error that the SDK has no type for.
func refusedAs(b *bench, err error, code string) {
	var typed smithy.APIError
	if !errors.As(err, &typed) {
		b.Errorf("want the error %s, got %v", code, err)
		b.FailNow()
	}
	require.Equal(b, code, typed.ErrorCode())
	assert.NotEmpty(b, typed.ErrorMessage())
}

func (q *target) nowhere() *target {
	other := *q
	other.url = aws.String(strings.TrimSuffix(*q.url, q.name) + q.Prefix + "nowhere")
	return &other
}

var refusals = []Behaviour{
	{"a queue that is not there is refused by its type", func(b *bench) {
		q := b.queue().nowhere()
		_, err := b.Client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(b.Prefix + "nowhere")})
		refused[*types.QueueDoesNotExist](b, err)
		_, err = b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("m")})
		refused[*types.QueueDoesNotExist](b, err)
		_, err = b.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: q.url})
		refused[*types.QueueDoesNotExist](b, err)
	}},
	{"a receipt handle of no receive is refused by its type", func(b *bench) {
		q := b.queue()
		m := types.Message{ReceiptHandle: aws.String("nonsense")}
		refused[*types.ReceiptHandleIsInvalid](b, q.delete(m))
		refused[*types.ReceiptHandleIsInvalid](b, q.change(m, 1))
	}},
	{"a receipt handle of another queue is refused", func(b *bench) {
		q, other := b.queue(), b.queue()
		q.send("m")
		refused[*types.ReceiptHandleIsInvalid](b, other.delete(q.one("m")))
	}},
	{"an attribute that queues do not have is refused by its type", func(b *bench) {
		q := b.queue()
		_, err := b.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: q.url, AttributeNames: []types.QueueAttributeName{"Colour"}})
		refused[*types.InvalidAttributeName](b, err)
		_, err = b.Client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: q.url, Attributes: map[string]string{"Colour": "red"}})
		refused[*types.InvalidAttributeName](b, err)
	}},
	{"an attribute's value out of range is refused by its type", func(b *bench) {
		q := b.queue()
		for name, value := range map[string]string{
			"VisibilityTimeout": "43201", "DelaySeconds": "901", "MessageRetentionPeriod": "59",
			"ReceiveMessageWaitTimeSeconds": "21", "MaximumMessageSize": "1048577",
		} {
			_, err := b.Client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: q.url, Attributes: map[string]string{name: value}})
			refused[*types.InvalidAttributeValue](b, err)
		}
	}},
	{"characters that XML 1.0 lacks are refused by their type", func(b *bench) {
		q := b.queue()
		for _, body := range []string{"\x00", "a\x0bb", "\uFFFE"} {
			_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: &body})
			refused[*types.InvalidMessageContents](b, err)
		}
	}},
	{"an empty message is refused", func(b *bench) {
		q := b.queue()
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("")})
		refusedAs(b, err, "MissingParameter")
	}},
	{"a name that no queue may have is refused", func(b *bench) {
		for _, name := range []string{"a b", "ä", strings.Repeat("a", 81), "a.b"} {
			_, err := b.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name})
			refusedAs(b, err, "InvalidParameterValue")
		}
	}},
	{"a second purge within a minute is refused by its type", func(b *bench) {
		q := b.queue()
		_, err := b.Client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: q.url})
		require.NoError(b, err)
		_, err = b.Client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: q.url})
		refused[*types.PurgeQueueInProgress](b, err)
	}},
	{"a name of a queue that was just deleted is refused by its type", func(b *bench) {
		q := b.queue()
		_, err := b.Client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: q.url})
		require.NoError(b, err)
		_, err = b.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &q.name})
		refused[*types.QueueDeletedRecently](b, err)
	}},
	{"a queue with other attributes is refused by its type", func(b *bench) {
		q := b.queue("VisibilityTimeout", "1")
		_, err := b.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &q.name, Attributes: map[string]string{"VisibilityTimeout": "2"}})
		refused[*types.QueueNameExists](b, err)
	}},
}

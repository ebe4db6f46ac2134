package sqstable

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func text(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

func (q *target) sendWith(attributes map[string]types.MessageAttributeValue) (*sqs.SendMessageOutput, error) {
	return q.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("m"), MessageAttributes: attributes})
}

var content = []Behaviour{
	{"a message of 1 MiB is taken, a longer one is not", func(b *bench) {
		q := b.queue()
		long := strings.Repeat("x", mebibyte)
		q.send(long)
		require.Len(b, aws.ToString(q.receive(1, 1)[0].Body), mebibyte)
		long += "x"
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: &long})
		refusedAs(b, err, "InvalidParameterValue")
	}},
	{"a message's attributes count for its size", func(b *bench) {
		q := b.queue("MaximumMessageSize", "1024")
		body := strings.Repeat("x", 1020)
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: q.url, MessageBody: &body, MessageAttributes: map[string]types.MessageAttributeValue{"name": text("value")},
		})
		refusedAs(b, err, "InvalidParameterValue")
		q.send(body)
	}},
	{"a queue's own limit of size is kept", func(b *bench) {
		q := b.queue("MaximumMessageSize", "1024")
		long := strings.Repeat("x", 1025)
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: &long})
		refusedAs(b, err, "InvalidParameterValue")
		q.send(long[1:])
	}},
	{"every character of XML 1.0 arrives as it was sent", func(b *bench) {
		q := b.queue()
		body := "\t\n\r <&>\"' \u007f \u0085 \u2028 ä \ud7ff \ue000 \ufffd 😀"
		q.send(body)
		q.one(body)
	}},
	{"the answers carry the MD5 of the body", func(b *bench) {
		q := b.queue()
		out, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: aws.String("hello")})
		require.NoError(b, err)
		const sum = "5d41402abc4b2a76b9719d911017c592"
		assert.Equal(b, sum, aws.ToString(out.MD5OfMessageBody))
		assert.Equal(b, sum, aws.ToString(q.one("hello").MD5OfBody))
	}},
	{"the answers carry the MD5 of the message attributes", func(b *bench) {
		q := b.queue()
		out, err := q.sendWith(map[string]types.MessageAttributeValue{
			"text": text("ä"), "number": {DataType: aws.String("Number.int"), StringValue: aws.String("1")},
			"bytes": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 0xff}},
		})
		require.NoError(b, err)
		const sum = "ffff680f326be8598ca104294f5d6c1c"
		assert.Equal(b, sum, aws.ToString(out.MD5OfMessageAttributes))
		assert.Equal(b, sum, aws.ToString(q.one("m").MD5OfMessageAttributes))
	}},
	{"message attributes arrive as they were sent", func(b *bench) {
		q := b.queue()
		sent := map[string]types.MessageAttributeValue{
			"a.text": text("<ä>"), "a.number": {DataType: aws.String("Number"), StringValue: aws.String("-1.5e3")},
			"bytes": {DataType: aws.String("Binary.gif"), BinaryValue: []byte{0, 1, 0xff}},
		}
		_, err := q.sendWith(sent)
		require.NoError(b, err)
		got := q.one("m").MessageAttributes
		require.Len(b, got, len(sent))
		for name, want := range sent {
			assert.Equal(b, aws.ToString(want.DataType), aws.ToString(got[name].DataType))
			assert.Equal(b, aws.ToString(want.StringValue), aws.ToString(got[name].StringValue))
			assert.Equal(b, want.BinaryValue, got[name].BinaryValue)
		}
	}},
	{"a receive gets the message attributes that it asks for", func(b *bench) {
		q := b.queue("VisibilityTimeout", "0")
		_, err := q.sendWith(map[string]types.MessageAttributeValue{"a.1": text("x"), "a.2": text("x"), "b": text("x")})
		require.NoError(b, err)
		for asked, want := range map[string]int{"a.*": 2, "b": 1, "none": 0, "All": 3} {
			got := q.receive(1, 1, func(in *sqs.ReceiveMessageInput) { in.MessageAttributeNames = []string{asked} })
			require.Len(b, got, 1)
			assert.Len(b, got[0].MessageAttributes, want, asked)
		}
	}},
	{"a message has at most 10 attributes", func(b *bench) {
		q, many := b.queue(), map[string]types.MessageAttributeValue{}
		for _, r := range "abcdefghijk" {
			many[string(r)] = text("x")
		}
		_, err := q.sendWith(many)
		refusedAs(b, err, "InvalidParameterValue")
		delete(many, "a")
		_, err = q.sendWith(many)
		require.NoError(b, err)
	}},
	{"message attributes without a type, a value or a good name are refused", func(b *bench) {
		q := b.queue()
		for name, v := range map[string]types.MessageAttributeValue{
			"type":      {DataType: aws.String("Colour"), StringValue: aws.String("red")},
			"value":     {DataType: aws.String("String")},
			"empty":     text(""),
			"number":    {DataType: aws.String("Number"), StringValue: aws.String("one")},
			"a b":       text("x"),
			"AWS.mine":  text("x"),
			"dots..two": text("x"),
		} {
			_, err := q.sendWith(map[string]types.MessageAttributeValue{name: v})
			if err == nil {
				b.Errorf("message attribute %q was taken", name)
				continue
			}
			refusedAs(b, err, "InvalidParameterValue")
		}
	}},
	{"a trace header is a system attribute", func(b *bench) {
		q := b.queue()
		_, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: q.url, MessageBody: aws.String("m"),
			MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-1-1")}},
		})
		require.NoError(b, err)
		assert.Equal(b, "Root=1-1-1", q.one("m").Attributes["AWSTraceHeader"])
	}},
}

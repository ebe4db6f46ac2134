package sqs_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/sim/sqs"
)

// query makes a call in the query protocol: the queue, "" for none, then
// parameters and their values in turn. It shows the answer without what frames
// every one.
func (w *world) query(queue string, kv ...string) string {
	form := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	path := "/"
	if queue != "" {
		path += "000000000000/" + queue
	}
	var got string
	w.Do(sqs.Request{Method: http.MethodPost, Path: path, Host: "h:1", Body: []byte(form.Encode())}, func(r sqs.Response) {
		assert.Equal(w, "text/xml", r.Header.Get("Content-Type"))
		assert.NoError(w, wellFormed(r.Body))
		got = string(r.Body)
	})
	_, got, _ = strings.Cut(got, ` xmlns="http://queue.amazonaws.com/doc/2012-11-05/">`)
	got, _, _ = strings.Cut(got, "<ResponseMetadata>")
	return got
}

// The MD5s in it were computed apart, by Python's hashlib.
func TestTheQueryProtocolSaysTheSameInXML(t *testing.T) {
	w := start(t)
	assert.Equal(t, "<CreateQueueResult><QueueUrl>http://h:1/000000000000/q.fifo</QueueUrl></CreateQueueResult>",
		w.query("", "Action", "CreateQueue", "QueueName", "q.fifo", "Attribute.1.Name", "FifoQueue", "Attribute.1.Value", "true"))
	assert.Equal(t, "<ListQueuesResult><QueueUrl>http://h:1/000000000000/q.fifo</QueueUrl></ListQueuesResult>", w.query("", "Action", "ListQueues"))
	assert.Equal(t, "<SendMessageResult><MessageId>00000000-0000-4000-8000-000000000001</MessageId>"+
		"<MD5OfMessageBody>1b5f2bb0c5a3b7179210df05806cf770</MD5OfMessageBody><MD5OfMessageAttributes>1263a979332a0d122cfa78b9bf2ecd4d</MD5OfMessageAttributes>"+
		"<SequenceNumber>00000000000000000001</SequenceNumber></SendMessageResult>",
		w.query("q.fifo", "Action", "SendMessage", "MessageBody", "<\r>", "MessageGroupId", "g", "MessageDeduplicationId", "d",
			"MessageAttribute.1.Name", "a", "MessageAttribute.1.Value.DataType", "Binary", "MessageAttribute.1.Value.BinaryValue", "AP8="))
	assert.Equal(t, "<ReceiveMessageResult><Message><MessageId>00000000-0000-4000-8000-000000000001</MessageId><ReceiptHandle>cS5maWZvLzEvMQ==</ReceiptHandle>"+
		"<MD5OfBody>1b5f2bb0c5a3b7179210df05806cf770</MD5OfBody><Body>&lt;&#xD;&gt;</Body>"+
		"<Attribute><Name>MessageGroupId</Name><Value>g</Value></Attribute>"+
		"<MD5OfMessageAttributes>1263a979332a0d122cfa78b9bf2ecd4d</MD5OfMessageAttributes>"+
		"<MessageAttribute><Name>a</Name><Value><BinaryValue>AP8=</BinaryValue><DataType>Binary</DataType></Value></MessageAttribute></Message></ReceiveMessageResult>",
		w.query("q.fifo", "Action", "ReceiveMessage", "AttributeName.1", "MessageGroupId", "MessageAttributeName.1", "All"))
	assert.Equal(t, "<ReceiveMessageResult></ReceiveMessageResult>", w.query("q.fifo", "Action", "ReceiveMessage"))
	assert.Equal(t, "<DeleteMessageBatchResult><DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>"+
		"<BatchResultErrorEntry><Id>b</Id><Code>MissingParameter</Code><Message>The request must contain the parameter ReceiptHandle.</Message><SenderFault>true</SenderFault></BatchResultErrorEntry></DeleteMessageBatchResult>",
		w.query("q.fifo", "Action", "DeleteMessageBatch", "DeleteMessageBatchRequestEntry.1.Id", "a", "DeleteMessageBatchRequestEntry.1.ReceiptHandle", "cS5maWZvLzEvMQ==", "DeleteMessageBatchRequestEntry.2.Id", "b"))
	assert.Empty(t, w.query("q.fifo", "Action", "PurgeQueue"))
	assert.Equal(t, "<Error><Type>Sender</Type><Code>ReceiptHandleIsInvalid</Code><Message>The input receipt handle is invalid: use the one that the last receive of the message from queue q.fifo gave.</Message><Detail/></Error>",
		strings.Split(w.query("q.fifo", "Action", "DeleteMessage", "ReceiptHandle", "x"), "<RequestId>")[0])
}

package sqs_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hdm-project/hdm/sim/sqs"
)

// small limits keep what a fuzzer sends within bounds, and make it reach them.
var small = sqs.Limits{Queues: 4, Messages: 8, Bytes: 4 << 10, Waiters: 2, Request: 4 << 10, Dedupe: 8, InFlight: 3, InFlightFIFO: 3}

// setUp is what is in the queues that a request may mention.
var setUp = []struct{ queue, calls string }{
	{"q", "Action=SendMessage&QueueUrl=/000000000000/q&MessageBody=m Action=ReceiveMessage&QueueUrl=/000000000000/q"},
	{"f.fifo", "Action=SendMessage&QueueUrl=/000000000000/f.fifo&MessageBody=m&MessageGroupId=g&MessageDeduplicationId=d"},
}

// probe makes one call of a service that has something in the queue that is
// called: it is answered exactly once, by the end of the longest long poll.
func probe(t *testing.T, r sqs.Request) sqs.Response {
	c, lost := newClock(), sqs.LoseAnswer() // nobody reads the answers of the set-up
	s := sqs.New(sqs.Config{Clock: c, Limits: small, Intercept: func(sqs.Call) sqs.Act { return lost }})
	for _, u := range setUp {
		if !strings.Contains(r.Path, u.queue) && !bytes.Contains(r.Body, []byte("/"+u.queue)) {
			continue // not to make what nobody sees: set-up is what an input costs
		}
		if err := s.CreateQueue(u.queue, nil); err != nil {
			t.Fatal(err)
		}
		for call := range strings.FieldsSeq(u.calls) {
			s.Do(sqs.Request{Method: http.MethodPost, Path: "/", Body: []byte(call)}, nil)
		}
	}
	lost = sqs.Pass()
	var got []sqs.Response
	s.Do(r, func(a sqs.Response) { got = append(got, a) })
	c.pass(20 * time.Second)
	if len(got) != 1 {
		t.Fatalf("%d answers", len(got))
	}
	if got[0].Status < 200 || got[0].Status > 599 {
		t.Fatalf("status %d", got[0].Status)
	}
	queues, stored, bytes := s.Queues(), 0, 0
	for _, q := range queues {
		for _, m := range s.Messages(q.Name) {
			stored++
			bytes += len(m.Body)
		}
	}
	if stored > small.Messages || bytes > small.Bytes || len(queues) > small.Queues {
		t.Fatalf("beyond the limits: %d messages, %d bytes, %d queues", stored, bytes, len(queues))
	}
	return got[0]
}

func FuzzJSON(f *testing.F) {
	for operation, body := range map[string]string{
		"CreateQueue":                  `{"QueueName":"n","Attributes":{"DelaySeconds":"1"}}`,
		"SendMessage":                  `{"QueueUrl":"http://h/000000000000/f.fifo","MessageBody":"m","MessageGroupId":"g","MessageDeduplicationId":"d","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AA=="}}}`,
		"SendMessageBatch":             `{"QueueUrl":"http://h/000000000000/q","Entries":[{"Id":"a","MessageBody":"m","DelaySeconds":1},{"Id":"b"}]}`,
		"ReceiveMessage":               `{"QueueUrl":"http://h/000000000000/f.fifo","MaxNumberOfMessages":10,"WaitTimeSeconds":20,"MessageAttributeNames":["All"],"AttributeNames":["All"]}`,
		"DeleteMessage":                `{"QueueUrl":"http://h/000000000000/q","ReceiptHandle":"cS8xLzE="}`,
		"ChangeMessageVisibilityBatch": `{"QueueUrl":"http://h/000000000000/q","Entries":[{"Id":"a","ReceiptHandle":"cS8xLzE=","VisibilityTimeout":5}]}`,
		"SetQueueAttributes":           `{"QueueUrl":"http://h/000000000000/q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:d\",\"maxReceiveCount\":1}"}}`,
		"ListQueues":                   `{"MaxResults":1,"NextToken":"cQ","QueueNamePrefix":"q"}`,
		"PurgeQueue":                   `{"QueueUrl":"/000000000000/q"}`,
		"":                             `{`,
	} {
		f.Add(operation, []byte(body))
	}
	f.Fuzz(func(t *testing.T, operation string, body []byte) {
		got := probe(t, sqs.Request{
			Method: http.MethodPost, Path: "/", Host: "h", Header: http.Header{"X-Amz-Target": {"AmazonSQS." + operation}}, Body: body,
		})
		if len(got.Body) > 0 && !json.Valid(got.Body) || len(got.Body) == 0 && got.Status != http.StatusOK {
			t.Fatalf("%d %q", got.Status, got.Body)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, body := range []string{
		"Action=CreateQueue&QueueName=n&Attribute.1.Name=DelaySeconds&Attribute.1.Value=1",
		"Action=SendMessage&MessageBody=%3Cm%3E&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=x&DelaySeconds=1",
		"Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=m&SendMessageBatchRequestEntry.2.Id=b",
		"Action=ReceiveMessage&WaitTimeSeconds=20&MaxNumberOfMessages=10&AttributeName.1=All&MessageAttributeName.1=.*",
		"Action=DeleteMessage&ReceiptHandle=cS8xLzE=",
		"Action=ChangeMessageVisibility&ReceiptHandle=cS8xLzE=&VisibilityTimeout=5",
		"Action=GetQueueAttributes&AttributeName.1=All",
		"Action=ListQueues&MaxResults=1", "Action=DeleteQueue", "Action=%00", "%", "",
	} {
		f.Add("/000000000000/q", "", body)
	}
	f.Add("/", "Action=ListQueues", "")
	f.Fuzz(func(t *testing.T, path, query, body string) {
		got := probe(t, sqs.Request{Method: http.MethodPost, Path: path, RawQuery: query, Host: "h", Body: []byte(body)})
		if err := wellFormed(got.Body); err != nil {
			t.Fatalf("%d %q: %v", got.Status, got.Body, err)
		}
	})
}

func wellFormed(body []byte) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	elements := 0
	for {
		switch token, err := d.Token(); {
		case errors.Is(err, io.EOF) && elements > 0:
			return nil
		case err != nil:
			return err
		default:
			if _, is := token.(xml.StartElement); is {
				elements++
			}
		}
	}
}

func TestTheCheckOfXMLRejectsWhatIsNone(t *testing.T) {
	for _, body := range []string{"", "<a>", "<a></b>", "<a>\x00</a>"} {
		if wellFormed([]byte(body)) == nil {
			t.Errorf("%q", body)
		}
	}
	if err := wellFormed([]byte(strings.Repeat(" ", 3) + "<a/>")); err != nil {
		t.Error(err)
	}
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// Limits of SQS (Amazon SQS Developer Guide, Quotas).
const (
	MaxWait       = 20 * time.Second // of a long poll
	MaxBatch      = 10               // messages of a receive
	MaxVisibility = 12 * time.Hour
)

// Endpoint is how to reach SQS.
type Endpoint struct {
	// URL of the service. Empty: that of AWS in the region.
	URL    string
	Region string
	// Credentials sign the calls. Nil: calls are not signed.
	Credentials aws.CredentialsProvider
	// HTTP does the requests. It must end one when its context is cancelled, and
	// bound how long one may stay unanswered, at more than MaxWait. Nil:
	// NewHTTPClient().
	HTTP sqs.HTTPClient
}

// answerTimeout is how long a live request may stay unanswered: longer than any
// long poll.
const answerTimeout = MaxWait + 10*time.Second

// NewHTTPClient is the HTTP client of a live appliance or client.
func NewHTTPClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = answerTimeout
	return &http.Client{Transport: t}
}

// service is the SDK's client. It tries nothing again by itself: that would be
// on the machine's clock, and is the caller's to decide.
func (e Endpoint) service() *sqs.Client {
	o := sqs.Options{Region: e.Region, HTTPClient: e.HTTP, Credentials: e.Credentials, Retryer: aws.NopRetryer{}}
	if e.URL != "" {
		o.BaseEndpoint = aws.String(e.URL)
	}
	if e.Credentials == nil {
		o.Credentials = aws.AnonymousCredentials{}
	}
	if e.HTTP == nil {
		o.HTTPClient = NewHTTPClient()
	}
	return sqs.New(o)
}

// Queue is one queue. Its methods may be called by several tasks at once.
type Queue struct {
	Name string
	sqs  *sqs.Client
	url  *string
}

// Open looks a queue up. Errors: *Error; Missing if there is no such queue.
func (e Endpoint) Open(ctx context.Context, name string) (*Queue, error) {
	q := &Queue{Name: name, sqs: e.service()}
	out, err := q.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return nil, q.fail(ctx, "find", err)
	}
	q.url = out.QueueUrl
	return q, nil
}

// Create makes a queue, or finds the one that there is. A name that ends in
// .fifo is that of a FIFO queue. Errors: *Error.
func (e Endpoint) Create(ctx context.Context, name string) (*Queue, error) {
	q := &Queue{Name: name, sqs: e.service()}
	in := &sqs.CreateQueueInput{QueueName: &name}
	if q.FIFO() {
		in.Attributes = map[string]string{"FifoQueue": "true"}
	}
	out, err := q.sqs.CreateQueue(ctx, in)
	if err != nil {
		return nil, q.fail(ctx, "create", err)
	}
	q.url = out.QueueUrl
	return q, nil
}

// fifoEnd ends the name of every FIFO queue, and of no other.
const fifoEnd = ".fifo"

// FIFO says whether the queue is one.
func (q *Queue) FIFO() bool { return strings.HasSuffix(q.Name, fifoEnd) }

// Message is what is sent.
type Message struct {
	Body string
	// ID tells it from others: of two with the same ID a FIFO queue drops the
	// second one, for five minutes.
	ID string
	// Group orders it among others of the group, in a FIFO queue.
	Group string
	// Attributes go with the message.
	Attributes map[string]string
}

// The message attributes of what is in the dead-letter queue: why it is there, if
// there was room, and SQS's name for it as it came.
const (
	AttributeReason  = "HDMReason"
	AttributeMessage = "HDMMessageID"
)

// Send sends a message. Errors: *Error; if it is Unknown, it may have been sent.
func (q *Queue) Send(ctx context.Context, m Message) error {
	_, err := q.Post(ctx, m)
	return err
}

// Post is Send, and returns SQS's name for the message: an answer to one that
// has no token gives only that.
func (q *Queue) Post(ctx context.Context, m Message) (id string, err error) {
	in := &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: &m.Body}
	if q.FIFO() {
		in.MessageDeduplicationId, in.MessageGroupId = &m.ID, &m.Group
	}
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		if in.MessageAttributes == nil {
			in.MessageAttributes = map[string]types.MessageAttributeValue{}
		}
		in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(m.Attributes[name])}
	}
	out, err := q.sqs.SendMessage(ctx, in)
	if err != nil {
		return "", q.fail(ctx, "send to", err)
	}
	return aws.ToString(out.MessageId), nil
}

// Delivery is a message that was received. It is in flight until it is deleted,
// or until its visibility timeout has passed: then it comes again.
type Delivery struct {
	ID   string // SQS's name for the message
	Body string

	receipt *string
}

// Receive receives up to most messages (at most MaxBatch), and waits up to wait
// (at most MaxWait) for the first. They stay in flight for visibility. Errors:
// *Error.
func (q *Queue) Receive(ctx context.Context, most int, wait, visibility time.Duration) ([]Delivery, error) {
	out, err := q.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: q.url, MaxNumberOfMessages: int32(min(most, MaxBatch)),
		WaitTimeSeconds: seconds(min(wait, MaxWait)), VisibilityTimeout: seconds(min(visibility, MaxVisibility)),
	})
	if err != nil {
		return nil, q.fail(ctx, "receive from", err)
	}
	var all []Delivery
	for _, m := range out.Messages {
		all = append(all, Delivery{ID: aws.ToString(m.MessageId), Body: aws.ToString(m.Body), receipt: m.ReceiptHandle})
	}
	return all, nil
}

func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

// Delete deletes what was received. Errors: *Error.
func (q *Queue) Delete(ctx context.Context, d Delivery) error {
	_, err := q.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: q.url, ReceiptHandle: d.receipt})
	return q.fail(ctx, "delete from", err)
}

// Extend keeps what was received in flight for so long from now on. Errors:
// *Error.
func (q *Queue) Extend(ctx context.Context, d Delivery, by time.Duration) error {
	_, err := q.sqs.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: q.url, ReceiptHandle: d.receipt, VisibilityTimeout: seconds(min(by, MaxVisibility)),
	})
	return q.fail(ctx, "keep a message of", err)
}

// Cause says what a caller can do about an error.
type Cause string

// The causes.
const (
	Unreachable Cause = "unreachable" // SQS cannot be reached: wait for the Internet link
	Missing     Cause = "missing"     // there is no such queue
	Refused     Cause = "refused"     // it stays refused until somebody changes something
	Unfit       Cause = "unfit"       // SQS takes the message from nobody
	Busy        Cause = "busy"        // it may go away: try again later
	Cancelled   Cause = "cancelled"   // the caller's context
)

// Error is what every call to SQS returns when it fails.
type Error struct {
	Op    string // "send to"
	Queue string
	Cause Cause
	Hint  string // what to do
	Err   error
}

func (e *Error) Error() string {
	return fmt.Sprintf("cannot %s the queue %s: %s; %s", e.Op, e.Queue, describe(e.Err), e.Hint)
}

func (e *Error) Unwrap() error { return e.Err }

// describe is the cause without the SDK's layers around it, which name requests
// and addresses.
func describe(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

// refusals are the codes of SQS that do not go away by themselves, and what to
// do.
var refusals = map[string]string{
	"AccessDenied":                    "allow HDM's credentials to use the queue",
	"AccessDeniedException":           "allow HDM's credentials to use the queue",
	"InvalidClientTokenId":            "check the access key that HDM was given",
	"InvalidAccessKeyId":              "check the access key that HDM was given",
	"SignatureDoesNotMatch":           "check the secret key that HDM was given, and the clock",
	"UnrecognizedClientException":     "check the access key that HDM was given",
	"MissingParameter":                "check that the queue is of the kind that its name says",
	"UnsupportedOperation":            "check that the queue is of the kind that its name says",
	"ReceiptHandleIsInvalid":          "receive the message again",
	"MessageNotInflight":              "receive the message again",
	"QueueDeletedRecently":            "wait a minute after a queue was deleted",
	"KmsAccessDenied":                 "allow HDM's credentials to use the queue's key",
	"AuthorizationError":              "allow HDM's credentials to use the queue",
	"OptInRequired":                   "enable SQS for the account",
	"InvalidAddress":                  "check the address of the queue",
	"InvalidSecurity":                 "use https for this queue",
	"QueueNameExists":                 "use the queue that exists, or choose another name",
	"InvalidAttributeName":            "check that the endpoint is SQS",
	"InvalidAttributeValue":           "check that the endpoint is SQS",
	"AWS.SimpleQueueService.NotFound": "check the address of the endpoint",
}

// unfits are the codes of SQS that say that the message is wrong, and no other
// would be.
var unfits = map[string]string{
	"InvalidParameterValue":  "change what SQS names",
	"InvalidMessageContents": "send characters that XML 1.0 has only",
	"BatchRequestTooLong":    "send less at once",
	"RequestTooLarge":        "send less at once",
}

func (q *Queue) fail(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Queue: q.Name, Cause: Busy, Hint: "it is tried again later", Err: err}
	var api smithy.APIError
	var unreachable interface{ Unreachable() bool }
	var missing *types.QueueDoesNotExist
	var network net.Error
	switch {
	case ctx.Err() != nil:
		e.Cause, e.Hint = Cancelled, "it was stopped"
	case errors.As(err, &missing):
		e.Cause, e.Hint = Missing, "create the queue in SQS, or correct its name"
	case errors.As(err, &api):
		if hint, stays := refusals[api.ErrorCode()]; stays {
			e.Cause, e.Hint = Refused, hint
		} else if hint, never := unfits[api.ErrorCode()]; never {
			e.Cause, e.Hint = Unfit, hint
		}
	case errors.As(err, &unreachable) && unreachable.Unreachable(), errors.As(err, &network):
		e.Cause, e.Hint = Unreachable, "check the appliance's access to the Internet and the address of SQS"
	}
	return e
}

// CauseOf is the cause of an error of this package, or "".
func CauseOf(err error) Cause {
	var e *Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return ""
}

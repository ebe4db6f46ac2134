package sqstable

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hdm-project/hdm/sim/sqs"
)

// Client is the AWS SDK's, of an endpoint that verifies no signatures. It signs
// nothing and tries nothing twice: both would bring the wall clock in.
func Client(endpoint string, http awssqs.HTTPClient) *awssqs.Client {
	return awssqs.New(awssqs.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, HTTPClient: http,
		Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{},
	})
}

// Clock is virtual time that moves when somebody passes it.
type Clock struct {
	now    time.Time
	timers []*timer
	made   int
}

type timer struct {
	at     time.Time
	number int
	f      func()
}

// NewClock starts at an arbitrary time.
func NewClock() *Clock { return &Clock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }

// Now is the virtual time.
func (c *Clock) Now() time.Time { return c.now }

// After calls f once d has passed.
func (c *Clock) After(d time.Duration, f func()) (stop func() bool) {
	c.made++
	t := &timer{c.now.Add(d), c.made, f}
	at, _ := slices.BinarySearchFunc(c.timers, t, func(a, b *timer) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.number, b.number))
	})
	c.timers = slices.Insert(c.timers, at, t)
	return func() bool {
		i := slices.Index(c.timers, t)
		if i >= 0 {
			c.timers = slices.Delete(c.timers, i, i+1)
		}
		return i >= 0
	}
}

// Pass lets time pass, and what was to happen meanwhile.
func (c *Clock) Pass(d time.Duration) {
	end := c.now.Add(d)
	for len(c.timers) > 0 && !c.timers[0].at.After(end) {
		c.step()
	}
	c.now = end
}

func (c *Clock) step() {
	t := c.timers[0]
	c.timers = c.timers[1:]
	if t.at.After(c.now) {
		c.now = t.at
	}
	t.f()
}

// InProcess carries an SDK's calls to a service without a socket. While a call
// waits, time passes.
type InProcess struct {
	Service *sqs.Service
	Clock   *Clock
}

// errLost is a call that will never be answered.
var errLost = errors.New("no answer, and nothing left to happen: the service has lost it")

// Do is the SDK's.
func (p InProcess) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	var got *sqs.Response
	cancel := p.Service.Do(sqs.Request{
		Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Host: r.URL.Host, Header: r.Header, Body: body,
	}, func(answer sqs.Response) { got = &answer })
	for got == nil {
		if len(p.Clock.timers) == 0 {
			cancel()
			return nil, errLost
		}
		p.Clock.step()
	}
	return &http.Response{
		StatusCode: got.Status, Header: got.Header, Body: io.NopCloser(bytes.NewReader(got.Body)),
		ContentLength: int64(len(got.Body)), Request: r, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

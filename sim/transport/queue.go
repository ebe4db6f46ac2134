package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/sqs"
	"github.com/hdm-project/hdm/sim/wan"
)

// How long a call to the message queues waits.
const (
	queueConnectTimeout = 20 * time.Second
	queueCallTimeout    = 30 * time.Second // longer than any long poll
)

// queueOverhead is what HTTP adds to a body on the link, either way.
const queueOverhead = 512

// mostQueueCalls bounds the calls of a QueuePath that are on their way.
const mostQueueCalls = 1024

// QueuePath is the way from a machine to the message queues and back: an
// http.RoundTripper for the AWS SDK. It belongs to its kernel.
type QueuePath struct {
	Kernel  *kernel.Kernel
	Service *sqs.Service
	// Link to the Internet. Nil: the machine is beside the queues, and only
	// LANLatency passes.
	Link *wan.Link

	inFlight int
}

// QueueError is a call to the message queues that got no answer. core/bus
// recognises its method Unreachable.
type QueueError struct {
	Operation string
	Reason    Reason
	After     time.Duration // virtual time since it was sent
}

func (e *QueueError) Error() string {
	return fmt.Sprintf("%s: %s (after %v)", e.Operation, queueExplanations[e.Reason], e.After)
}

var queueExplanations = map[Reason]string{
	Unreachable: "the message queues cannot be reached: nothing was sent, wait for the Internet link",
	TimedOut:    "no answer from the message queues: it may have been done, or yet be",
	Busy:        "too many calls to the message queues are on their way: make fewer at once",
}

// Unreachable is true if nothing was sent.
func (e *QueueError) Unreachable() bool { return e.Reason == Unreachable }

// Do implements the AWS SDK's HTTPClient. It waits on the running process.
// Errors: *QueueError, ctx.Err(), or that of reading the request's body.
func (p *QueuePath) Do(req *http.Request) (*http.Response, error) {
	p.Kernel.CheckAlive()
	ctx, began := req.Context(), p.Kernel.Now()
	body, err := readAll(req.Body)
	if err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	fail := func(r Reason) error {
		return &QueueError{Operation: operation, Reason: r, After: p.Kernel.Now() - began}
	}
	if err := p.connect(ctx); errors.Is(err, wan.ErrDown) {
		return nil, fail(Unreachable)
	} else if err != nil {
		return nil, err
	}
	if p.inFlight >= mostQueueCalls {
		return nil, fail(Busy)
	}
	answered := kernel.NewSignal(p.Kernel)
	var answer sqs.Response
	leave := p.fly(sqs.Request{
		Method: req.Method, Path: req.URL.Path, RawQuery: req.URL.RawQuery, Host: req.URL.Host, Header: req.Header, Body: body,
	}, func(r sqs.Response) {
		answer = r
		answered.Fire()
	})
	err = machine.Wait(ctx, p.Kernel, queueCallTimeout, answered)
	switch {
	case answered.Fired():
		return response(req, answer), nil
	case err != nil:
		leave() // the connection is closed; without power nobody does that
		return nil, err
	}
	leave()
	return nil, fail(TimedOut)
}

func (p *QueuePath) connect(ctx context.Context) error {
	if p.Link == nil {
		return nil
	}
	return p.Link.AwaitUp(ctx, queueConnectTimeout)
}

// fly takes a call to the queues and its answer back. Whoever waits for that may
// have gone by then: leave says so. Who lost power does not; the call ends all the
// same when nobody could wait for it any more, or one whose answer is lost never
// would.
func (p *QueuePath) fly(r sqs.Request, answered func(sqs.Response)) (leave func()) {
	p.inFlight++
	over, gone := false, false
	var timeout *kernel.Timer
	end := func() {
		if !over {
			over = true
			p.inFlight--
			timeout.Stop()
		}
	}
	cancel := func() {}
	leave = func() {
		gone = true
		cancel()
		end()
	}
	timeout = p.Kernel.After(queueCallTimeout, leave)
	p.deliver(out, len(r.Body), func(lost bool) {
		if lost || gone {
			end()
			return
		}
		cancel = p.Service.Do(r, func(a sqs.Response) {
			p.deliver(back, len(a.Body), func(lost bool) {
				end()
				if !lost {
					answered(a)
				}
			})
		})
	})
	return leave
}

func (p *QueuePath) deliver(dir wan.Direction, bytes int, arrived func(lost bool)) {
	if p.Link == nil {
		p.Kernel.After(DefaultLANLatency, func() { arrived(false) })
		return
	}
	p.Link.Deliver(dir, int64(bytes+queueOverhead), func(err error) { arrived(err != nil) })
}

func response(req *http.Request, a sqs.Response) *http.Response {
	return &http.Response{
		StatusCode: a.Status, Status: strconv.Itoa(a.Status) + " " + http.StatusText(a.Status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.Header, Request: req,
		Body: io.NopCloser(bytes.NewReader(a.Body)), ContentLength: int64(len(a.Body)),
	}
}

package loopback

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/sim/sqs"
)

const maxQueueBody = 8 << 20 // bytes of a request

type response = sqs.Response

// longestPoll is how long SQS lets a client wait for a message.
const longestPoll = 20 * time.Second

// bus is the message queues of a world, as clients find them.
type bus struct {
	service *sqs.Service
	run.Bus

	hide, show *strings.Replacer // see hidden.go

	calls   int                 // numbers given so far
	pending map[int]pendingCall // those without an answer
}

// pendingCall is a call that waits, such as a long poll.
type pendingCall struct {
	cancel func()
	until  time.Duration // virtual time at which it has ended at the latest
}

func newBus(l *run.Live) *bus {
	b := &bus{service: l.World().SQS, Bus: l.Bus(), pending: map[int]pendingCall{}}
	b.hide, b.show = hiding(b.Token)
	return b
}

// deadline is the end of the foreign call that ends first, if there is one.
func (b *bus) deadline() (at time.Duration, any bool) {
	for _, c := range b.pending { //hdm:order-safe the least
		if !any || c.until < at {
			at, any = c.until, true
		}
	}
	return at, any
}

// keptHeaders are those of a request that say what it means. Signatures and
// session tokens are not among them.
var keptHeaders = []string{"Content-Type", "X-Amz-Target", "X-Amzn-Query-Mode"}

// call is what a client asks for, in its own words: without what signs it, and as
// text.
func call(number int, r *http.Request, body []byte) *recording.QueueCall {
	c := &recording.QueueCall{
		Number: number, Method: r.Method, Path: valid(r.URL.Path), Host: valid(r.Host), Query: unsigned(valid(r.URL.RawQuery)),
		Header: map[string]string{}, Body: unsignedBody(r, valid(string(body))),
	}
	for _, name := range keptHeaders {
		if v := r.Header.Get(name); v != "" && utf8.ValidString(v) {
			c.Header[name] = v
		}
	}
	return c
}

func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// unsigned is a query without what signs it.
func unsigned(query string) string {
	if !strings.Contains(query, "X-Amz-") && !strings.Contains(query, "Signature") && !strings.Contains(query, "AWSAccessKeyId") {
		return query
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	maps.DeleteFunc(values, func(key string, _ []string) bool {
		return strings.HasPrefix(key, "X-Amz-") || slices.Contains([]string{"Signature", "AWSAccessKeyId", "SecurityToken"}, key)
	})
	return values.Encode()
}

// unsignedBody is the same for a form.
func unsignedBody(r *http.Request, body string) string {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return unsigned(body)
	}
	return body
}

// requestOf is a call as the service takes it.
func requestOf(c *recording.QueueCall) sqs.Request {
	r := sqs.Request{Method: c.Method, Path: c.Path, RawQuery: c.Query, Host: c.Host, Header: http.Header{}, Body: []byte(c.Body)}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		r.Header.Set(name, c.Header[name])
	}
	return r
}

// do makes a call: live in the client's own words, again in those of shown.
func (b *bus) do(now time.Duration, c *recording.QueueCall, done func(response)) {
	answered := false
	cancel := b.service.Do(requestOf(c), func(a response) {
		answered = true
		delete(b.pending, c.Number)
		done(a)
	})
	if !answered {
		b.pending[c.Number] = pendingCall{cancel, now + longestPoll}
	}
}

// taken is the queue of HDM's own that a call takes from, and the operation; ""
// if it only sends, or looks.
func (b *bus) taken(c *recording.QueueCall) (operation, queue string) {
	operation, queue = sqs.About(requestOf(c))
	for _, sends := range []string{"Send", "Get", "List", "Create"} {
		if strings.HasPrefix(operation, sends) {
			return operation, ""
		}
	}
	if queue != b.DeadLetters && queue != b.Commands {
		return operation, ""
	}
	return operation, queue
}

// gone ends a call whose caller has gone; one that was answered meanwhile is
// none.
func (b *bus) gone(number int) {
	if call, waits := b.pending[number]; waits {
		delete(b.pending, number)
		call.cancel()
	}
}

// send lets a call into the world; the answer comes when it comes.
func (w *World) send(r *http.Request, body []byte, answer chan<- response) (number int, err error) {
	var c *recording.QueueCall
	err = w.do(r.Context(), func(p recording.Place) recording.Step {
		w.bus.calls++
		number = w.bus.calls
		c = call(number, r, body)
		return recording.Step{Place: p, Kind: recording.SQS, Queue: w.bus.hidden(c)}
	}, func() {
		if operation, queue := w.bus.taken(c); queue != "" {
			w.live.ByQueue(operation, queue)
		}
		w.bus.do(w.live.Mark().At, c, func(a response) { answer <- a }) // once, and there is room for one
	})
	return number, err
}

// hungUp tells the world that the caller of a call is gone.
func (w *World) hungUp(number int) {
	// A world that has ended needs not to know.
	_ = w.do(context.Background(), func(p recording.Place) recording.Step {
		return recording.Step{Place: p, Kind: recording.Gone, Of: number}
	}, func() { w.bus.gone(number) })
}

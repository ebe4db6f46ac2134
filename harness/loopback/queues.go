package loopback

import (
	"context"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/sqs"
)

const (
	maxQueueBody = 8 << 20 // bytes of a request
	tokenBytes   = 16
	// tokenMark stands for the message bus token in a recording.
	tokenMark = "{message bus token}"
)

type response = sqs.Response

// bus is the message queues of a world, as clients find them.
type bus struct {
	service *sqs.Service
	region  string
	names   []string
	token   string

	calls   int            // numbers given so far
	pending map[int]func() // calls without an answer: how to cancel them
}

// newBus makes the queues of a world. This is the one place that knows what they
// are called and where the service comes from.
func newBus(w *site.World) *bus {
	b := &bus{region: "us-east-1", pending: map[int]func(){}, token: token(w.Kernel)}
	b.service = sqs.New(sqs.Config{Clock: clock{w.Kernel}, Region: b.region, Chance: w.Kernel.Rand("sqs")})
	for _, name := range []string{"hdm-requests.fifo", "hdm-responses"} {
		attributes := map[string]string{}
		if strings.HasSuffix(name, ".fifo") {
			attributes["FifoQueue"] = "true"
		}
		if err := b.service.CreateQueue(name, attributes); err != nil {
			w.Kernel.Fail(err)
		}
		b.names = append(b.names, name)
	}
	return b
}

// token is the message bus token of a world: of its seed.
func token(k *kernel.Kernel) string {
	bytes := make([]byte, tokenBytes)
	r := k.Rand("bus/token")
	for i := range bytes {
		bytes[i] = byte(r.Uint32())
	}
	return hex.EncodeToString(bytes)
}

// clock is the kernel's time.
type clock struct{ kernel *kernel.Kernel }

func (c clock) Now() time.Time { return machine.Epoch.Add(c.kernel.Now()) }

func (c clock) After(d time.Duration, f func()) (stop func() bool) {
	return c.kernel.After(d, f).Stop
}

// keptHeaders are those of a request that say what it means. Signatures and
// session tokens are not among them.
var keptHeaders = []string{"Content-Type", "X-Amz-Target", "X-Amzn-Query-Mode"}

// kept is the call as it can be kept.
func (b *bus) kept(number int, r *http.Request, body []byte) *recording.QueueCall {
	c := &recording.QueueCall{
		Number: number, Method: r.Method, Path: r.URL.Path, Host: r.Host, Query: unsigned(r.URL.RawQuery),
		Header: map[string]string{}, Body: b.hide(unsignedBody(r, strings.ToValidUTF8(string(body), "\uFFFD"))),
	}
	for _, name := range keptHeaders {
		if v := r.Header.Get(name); v != "" && utf8.ValidString(v) {
			c.Header[name] = v
		}
	}
	return c
}

func (b *bus) hide(text string) string { return strings.ReplaceAll(text, b.token, tokenMark) }

func (b *bus) show(text string) string { return strings.ReplaceAll(text, tokenMark, b.token) }

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

// do makes a call, live or again: what is kept of it is what the service gets.
func (b *bus) do(c *recording.QueueCall, done func(response)) {
	r := sqs.Request{Method: c.Method, Path: c.Path, RawQuery: c.Query, Host: c.Host, Header: http.Header{}, Body: []byte(b.show(c.Body))}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		r.Header.Set(name, c.Header[name])
	}
	answered := false
	cancel := b.service.Do(r, func(a response) {
		answered = true
		delete(b.pending, c.Number)
		done(a)
	})
	if !answered {
		b.pending[c.Number] = cancel
	}
}

// gone ends a call whose caller has gone; one that was answered meanwhile is
// none.
func (b *bus) gone(number int) {
	if cancel := b.pending[number]; cancel != nil {
		delete(b.pending, number)
		cancel()
	}
}

// send lets a call into the world; the answer comes when it comes.
func (w *World) send(r *http.Request, body []byte, answer chan<- response) (number int, err error) {
	var call *recording.QueueCall
	err = w.do(r.Context(), func(p recording.Place) recording.Step {
		w.bus.calls++
		number = w.bus.calls
		call = w.bus.kept(number, r, body)
		return recording.Step{Place: p, Kind: recording.SQS, Queue: call}
	}, func() {
		w.bus.do(call, func(a response) { answer <- a }) // once, and there is room for one
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

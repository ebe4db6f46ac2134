package sqs_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/sim/sqs"
)

// model is a queue as one would write it down: a list that every question walks
// through, without an index.
type model struct {
	fifo       bool
	visibility time.Duration
	delay      time.Duration
	tries      int // maxReceiveCount, 0 for none
	messages   []*modelled
	dedupe     map[string]time.Time
	dead       []string
}

type modelled struct {
	body, group string
	sent, since time.Time // since: its place in a standard queue
	until       time.Time
	flying      bool
	received    int
	receipt     string
}

func (m *model) send(now time.Time, group, dedupe, body string) {
	if m.fifo {
		if at, seen := m.dedupe[dedupe]; seen && now.Sub(at) < 5*time.Minute {
			return
		}
		m.dedupe[dedupe] = now
	}
	m.messages = append(m.messages, &modelled{body: body, group: group, sent: now, since: now.Add(m.delay), until: now.Add(m.delay)})
}

// visible says whether a message is, and ends what is over.
func (x *modelled) visible(now time.Time) bool {
	if x.until.After(now) {
		return false
	}
	if x.flying {
		x.flying, x.since = false, x.until
	}
	return true
}

func (m *model) busy(now time.Time, group string) bool {
	return slices.ContainsFunc(m.messages, func(x *modelled) bool { return x.group == group && !x.visible(now) && x.flying })
}

// expected are the messages that a receive of n gets, in order.
func (m *model) expected(now time.Time, n int) []*modelled {
	candidates := []*modelled{}
	blocked := map[string]bool{}
	if m.fifo {
		for _, x := range m.messages {
			blocked[x.group] = blocked[x.group] || m.busy(now, x.group)
		}
	}
	for _, x := range slices.Clone(m.messages) {
		if !x.visible(now) || blocked[x.group] {
			continue
		}
		candidates = append(candidates, x)
	}
	if m.fifo { // one group after the other, by their first messages
		var groups []string
		for _, x := range candidates {
			if !slices.Contains(groups, x.group) {
				groups = append(groups, x.group)
			}
		}
		slices.SortStableFunc(candidates, func(a, b *modelled) int { return slices.Index(groups, a.group) - slices.Index(groups, b.group) })
	} else {
		slices.SortStableFunc(candidates, func(a, b *modelled) int { return a.since.Compare(b.since) })
	}
	var got []*modelled
	for _, x := range candidates {
		if len(got) == n {
			break
		}
		if m.tries > 0 && x.received >= m.tries {
			m.dead = append(m.dead, x.body)
			m.remove(x)
			continue
		}
		got = append(got, x)
	}
	return got
}

func (m *model) remove(x *modelled) {
	m.messages = slices.DeleteFunc(m.messages, func(y *modelled) bool { return x == y })
}

// TestTheServiceAgreesWithAListThatIsWalkedThrough draws calls and times, and
// compares what is handed out, in which order, and what is left.
func TestTheServiceAgreesWithAListThatIsWalkedThrough(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &model{
			fifo: rapid.Bool().Draw(r, "fifo"), visibility: time.Duration(rapid.IntRange(1, 40).Draw(r, "visibility")) * time.Second,
			delay: time.Duration(rapid.SampledFrom([]int{0, 0, 3}).Draw(r, "delay")) * time.Second,
			tries: rapid.SampledFrom([]int{0, 0, 2}).Draw(r, "tries"), dedupe: map[string]time.Time{},
		}
		w, name, dead := start(t), "q", "dead"
		if m.fifo {
			name, dead = "q.fifo", "dead.fifo"
		}
		attributes := map[string]string{"VisibilityTimeout": fmt.Sprint(m.visibility.Seconds()), "DelaySeconds": fmt.Sprint(m.delay.Seconds())}
		if m.tries > 0 {
			attributes["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:%s","maxReceiveCount":%d}`, dead, m.tries)
		}
		require.NoError(t, w.CreateQueue(dead, nil))
		require.NoError(t, w.CreateQueue(name, attributes))
		p := &pair{world: w, model: m, name: name, dead: dead}
		r.Repeat(map[string]func(*rapid.T){
			"send": p.send, "receive": p.receive, "delete": p.drop, "change": p.change,
			"pass": func(r *rapid.T) { w.clock.pass(time.Duration(rapid.IntRange(0, 90).Draw(r, "seconds")) * time.Second) },
			"":     p.compare,
		})
	})
}

// pair is a service and its model, with the receipts that were ever given.
type pair struct {
	*world
	model      *model
	name, dead string
	sent       int
	receipts   []string
}

func (p *pair) send(r *rapid.T) {
	p.sent++
	group, dedupe, body := "", "", fmt.Sprint(p.sent)
	in := object{"QueueUrl": base + p.name, "MessageBody": body}
	if p.model.fifo {
		group, dedupe = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "group"), fmt.Sprint(rapid.IntRange(0, 20).Draw(r, "dedupe"))
		in["MessageGroupId"], in["MessageDeduplicationId"] = group, dedupe
	}
	p.ok("SendMessage", in)
	p.model.send(p.clock.now, group, dedupe, body)
}

func (p *pair) receive(r *rapid.T) {
	n := rapid.IntRange(1, 10).Draw(r, "n")
	got := p.world.receive(p.name, n)
	want := p.model.expected(p.clock.now, n)
	names := []string{}
	for _, x := range want {
		names = append(names, x.body)
	}
	require.Equal(r, names, bodies(got))
	for i, x := range want {
		x.flying, x.until, x.receipt = true, p.clock.now.Add(p.model.visibility), got[i].ReceiptHandle
		x.received++
		p.receipts = append(p.receipts, x.receipt)
	}
}

// given draws a receipt, and the message that it is the newest one of.
func (p *pair) given(r *rapid.T) (receipt string, x *modelled) {
	if len(p.receipts) == 0 {
		r.Skip("nothing has been received")
	}
	receipt = rapid.SampledFrom(p.receipts).Draw(r, "receipt")
	for _, x := range p.model.messages {
		if x.receipt == receipt {
			x.visible(p.clock.now)
			return receipt, x
		}
	}
	return receipt, nil
}

func (p *pair) drop(r *rapid.T) {
	receipt, x := p.given(r)
	a := p.do("DeleteMessage", object{"QueueUrl": base + p.name, "ReceiptHandle": receipt})
	if x != nil && (x.flying || !p.model.fifo) {
		p.model.remove(x)
		require.Equal(r, 200, a.status)
	}
}

func (p *pair) change(r *rapid.T) {
	receipt, x := p.given(r)
	seconds := rapid.SampledFrom([]int{0, 1, 50}).Draw(r, "seconds")
	a := p.do("ChangeMessageVisibility", object{"QueueUrl": base + p.name, "ReceiptHandle": receipt, "VisibilityTimeout": seconds})
	if x == nil || !x.flying {
		require.NotEqual(r, 200, a.status)
		return
	}
	require.Equal(r, 200, a.status)
	x.until = p.clock.now.Add(time.Duration(seconds) * time.Second)
}

func (p *pair) compare(r *rapid.T) {
	var want, dead, got []string
	counts := map[sqs.State]int{}
	for _, x := range p.model.messages {
		state := sqs.Visible
		if !x.visible(p.clock.now) {
			state = map[bool]sqs.State{true: sqs.InFlight, false: sqs.Delayed}[x.flying]
		}
		counts[state]++
		want = append(want, x.body+" "+string(state))
	}
	for _, m := range p.Messages(p.name) {
		got = append(got, m.Body+" "+string(m.State))
	}
	require.Equal(r, want, got)
	for _, m := range p.Messages(p.dead) {
		dead = append(dead, m.Body)
	}
	require.ElementsMatch(r, p.model.dead, dead)
	q := p.Queues()[1]
	require.Equal(r, []int{counts[sqs.Visible], counts[sqs.InFlight], counts[sqs.Delayed]}, []int{q.Visible, q.InFlight, q.Delayed})
}

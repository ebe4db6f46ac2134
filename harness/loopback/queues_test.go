package loopback

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/find"

	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/kernel"
)

const idle = `
title: A world in which nothing happens by itself
world:
  on-premises:
    vms: [{name: db-01, disks: [{capacity: 8 MB, used: 6 MB}]}]
  guests:
    workload: {kind: none}
steps: []
`

// post makes one call of the JSON protocol.
func (v *served) post(ctx context.Context, operation string, in map[string]any) (out map[string]any, err error) {
	body, err := json.Marshal(in)
	require.NoError(v.t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.world.Info().SQS.URL, bytes.NewReader(body))
	require.NoError(v.t, err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDSECRET")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	assert.Empty(v.t, answer.Header.Get("Date"), "a client would correct its clock by it")
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", answer.Status, text)
	}
	return out, json.Unmarshal(text, &out)
}

// queue makes a queue that is nobody else's, and returns its URL.
func (v *served) queue(name string) string {
	attributes := map[string]string{}
	if strings.HasSuffix(name, ".fifo") {
		attributes["FifoQueue"] = "true"
	}
	out, err := v.post(v.t.Context(), "CreateQueue", map[string]any{"QueueName": name, "Attributes": attributes})
	require.NoError(v.t, err)
	return out["QueueUrl"].(string)
}

func TestServedQueuesCarryMessagesAndReplay(t *testing.T) {
	v := serve(t, idle, 0)
	ctx := t.Context()
	token := v.world.Info().SQS.Token
	orders, answers := v.queue("orders.fifo"), v.queue("answers")
	_, err := v.post(ctx, "SendMessage", map[string]any{"QueueUrl": orders, "MessageBody": "hello " + token, "MessageGroupId": "g", "MessageDeduplicationId": "1"})
	require.NoError(t, err)
	out, err := v.post(ctx, "ReceiveMessage", map[string]any{"QueueUrl": orders, "WaitTimeSeconds": 20})
	require.NoError(t, err)
	message := out["Messages"].([]any)[0].(map[string]any)
	assert.Equal(t, "hello "+token, message["Body"], "the token goes through as it is")
	v.quiet()
	began := v.now()
	out, err = v.post(ctx, "ReceiveMessage", map[string]any{"QueueUrl": answers, "WaitTimeSeconds": 20})
	require.NoError(t, err)
	assert.Empty(t, out["Messages"])
	assert.Equal(t, 20*time.Second, v.now()-began, "a long poll lasts virtual time")
	r, rec := v.end()
	assert.Empty(t, r.Violations)
	require.Len(t, rec.Steps, 5)
	assert.Contains(t, rec.Steps[2].Queue.Body, tokenMark)
	v.tellsNoSecret()
	assert.NotContains(t, fmt.Sprint(rec.Steps[2].Queue), "AKIDSECRET")
	replays(t, rec, 0)
}

func (v *served) now() (at time.Duration) {
	require.NoError(v.t, v.world.Driver().Look(nil, func() { at = v.world.live.Mark().At }))
	return at
}

func TestAClientThatGoesAwayInALongPollTakesNoMessage(t *testing.T) {
	v := serve(t, idle, 1)
	answers := v.queue("answers")
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := v.post(ctx, "ReceiveMessage", map[string]any{"QueueUrl": answers, "WaitTimeSeconds": 20})
		gone <- err
	}()
	waiting := func() (n int) {
		require.NoError(t, v.world.Driver().Look(nil, func() { n = len(v.world.bus.pending) }))
		return n
	}
	for waiting() == 0 { // until the call is there
	}
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	for waiting() > 0 { // until the world knows
	}
	_, err := v.post(t.Context(), "SendMessage", map[string]any{"QueueUrl": answers, "MessageBody": "for the next"})
	require.NoError(t, err)
	out, err := v.post(t.Context(), "ReceiveMessage", map[string]any{"QueueUrl": answers, "WaitTimeSeconds": 5})
	require.NoError(t, err)
	assert.Len(t, out["Messages"], 1)
	_, rec := v.end()
	assert.Equal(t, []recording.Kind{recording.SQS, recording.SQS, recording.Gone, recording.SQS, recording.SQS}, kindsOf(rec))
	replays(t, rec, 0)
}

func kindsOf(rec *recording.Recording) (all []recording.Kind) {
	for _, s := range rec.Steps {
		all = append(all, s.Kind)
	}
	return all
}

func TestAHundredClientsAtOnceAreServedAndReplay(t *testing.T) {
	v := serve(t, migrates, 500)
	info, answers := v.world.Info(), v.queue("answers")
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			if n%4 == 0 {
				c := v.client(info.OnPremises)
				vm, err := find.NewFinder(c.Client).VirtualMachine(t.Context(), "web-01")
				if assert.NoError(t, err) && n%8 == 0 {
					_, err = vm.CreateSnapshot(t.Context(), fmt.Sprint("s", n), "", false, false)
					_ = err // others are at it
				}
				assert.NoError(t, c.Logout(t.Context()))
				return
			}
			_, err := v.post(t.Context(), "SendMessage", map[string]any{"QueueUrl": answers, "MessageBody": fmt.Sprint(n)})
			assert.NoError(t, err)
			_, err = v.post(t.Context(), "ReceiveMessage", map[string]any{"QueueUrl": answers})
			assert.NoError(t, err)
		})
	}
	all.Wait()
	v.world.Driver().SetSpeed(0)
	v.quiet()
	r, rec := v.end()
	assert.Empty(t, r.Error)
	assert.Empty(t, r.Violations)
	assert.GreaterOrEqual(t, len(rec.Steps), 150)
	replays(t, rec, 0)
}

func TestAClientThatDoesNotReadHoldsUpNobody(t *testing.T) {
	v := serve(t, idle, 0)
	address := strings.TrimPrefix(v.world.Info().SQS.URL, "http://")
	for range 50 {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer c.Close()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ListQueues\r\nContent-Length: 2\r\n\r\n{}")
		half, err := net.Dial("tcp", address) // one that does not even finish its request
		require.NoError(t, err)
		defer half.Close()
		fmt.Fprintf(half, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n{")
	}
	out, err := v.post(t.Context(), "ListQueues", map[string]any{})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(out["QueueUrls"].([]any)), 2)
	_, rec := v.end()
	replays(t, rec, 0)
}

func TestWhoWaitsWhenTheWorldEndsIsTold(t *testing.T) {
	v := serve(t, idle, 0.001)
	answers := v.queue("answers")
	answered := make(chan error)
	go func() {
		_, err := v.post(t.Context(), "ReceiveMessage", map[string]any{"QueueUrl": answers, "WaitTimeSeconds": 20})
		answered <- err
	}()
	for waiting := 0; waiting == 0; {
		require.NoError(t, v.world.Driver().Look(nil, func() { waiting = len(v.world.bus.pending) }))
	}
	_, rec := v.end()
	require.Error(t, <-answered)
	replays(t, rec, 0)
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	v := serve(t, idle, 0)
	large := bytes.NewReader(make([]byte, maxQueueBody+1))
	answer, err := http.Post(v.world.Info().SQS.URL, "application/x-amz-json-1.0", large)
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode)
	_, rec := v.end()
	assert.Empty(t, rec.Steps)
}

func TestTheAPIShowsTheViewsAndLeavesNothingInTheRecording(t *testing.T) {
	v := serve(t, migrates, 0)
	v.quiet()
	get := func(method, path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, v.world.Info().API+path, nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(body)
	}
	code, body := get(http.MethodGet, "/api/v1/migrations")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `"summary":[{"migration":"m-0001","vm":"db-01"`)
	_, body = get(http.MethodGet, "/api/v1/health")
	assert.Contains(t, body, `"status":"Ready"`)
	_, body = get(http.MethodGet, "/api/v1/types")
	assert.Contains(t, body, `"type":"cold"`)
	code, _ = get(http.MethodPost, "/api/v1/migrations")
	assert.Equal(t, http.StatusMethodNotAllowed, code)
	_, rec := v.end()
	assert.Empty(t, rec.Steps)
	replays(t, rec, 0)
}

func TestACallWhoseTurnComesWhenTheWorldEndsIsCountedByTheReplay(t *testing.T) {
	v := serve(t, idle, 0)
	v.quiet()
	w := v.world
	posted := make(chan error)
	require.NoError(t, w.live.Driver().Look(nil, func() { // while the world cannot go on
		w.end(kernel.ErrStopped)
		go func() {
			posted <- w.do(context.Background(), func(p recording.Place) recording.Step {
				return recording.Step{Place: p, Kind: recording.Gone, Of: 1}
			}, func() { t.Error("it acted") })
		}()
	}))
	_, rec := v.end()
	require.Error(t, <-posted, "its turn came too late, or never")
	for _, s := range rec.Steps {
		assert.Equal(t, recording.Late, s.Kind)
	}
	replays(t, rec, 0)
}

// secret is a client's that no recording may have.
const secret = "hunter2"

func TestTheTokenOfAServedWorldCannotBeComputedFromItsSeed(t *testing.T) {
	v := serve(t, idle, 0)
	s, err := scenario.ParseServed("served.yaml", []byte(idle))
	require.NoError(t, err)
	seeded, err := run.NewLive(s, run.Options{Seed: &v.world.info.Seed}, nil)
	require.NoError(t, err)
	guess := seeded.Bus().Token
	require.NoError(t, seeded.Close())
	assert.NotEqual(t, guess, v.world.Info().SQS.Token)
	assert.Len(t, v.world.Info().SQS.Token, len(guess))
	v.command("1", `{"v":1,"type":"SourceInventoryRequest","request_id":"q-1","token":"`+guess+`"}`)
	v.quiet()
	assert.Zero(t, v.hears("SourceInventoryResponse"))
	_, rec := v.end()
	replays(t, rec, 0)
}

// hears counts the messages in the response queue that have a text.
func (v *served) hears(text string) (n int) {
	out, err := v.post(v.t.Context(), "ReceiveMessage", map[string]any{
		"QueueUrl": v.own(v.world.Info().SQS.Responses), "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20,
	})
	require.NoError(v.t, err)
	messages, _ := out["Messages"].([]any)
	for _, m := range messages {
		if strings.Contains(m.(map[string]any)["Body"].(string), text) {
			n++
		}
	}
	return n
}

// own is the URL of a queue of the world's.
func (v *served) own(name string) string { return v.world.Info().SQS.URL + "/000000000000/" + name }

// command sends a message to HDM.
func (v *served) command(id, message string) {
	_, err := v.post(v.t.Context(), "SendMessage", map[string]any{
		"QueueUrl": v.own(v.world.Info().SQS.Commands), "MessageGroupId": "g", "MessageDeduplicationId": id, "MessageBody": message,
	})
	require.NoError(v.t, err)
}

func TestTheMarkOfTheTokenIsNoToken(t *testing.T) {
	v := serve(t, idle, 0)
	v.command("1", `{"v":1,"type":"SourceInventoryRequest","request_id":"q-1","token":"`+tokenMark+`"}`)
	v.quiet()
	assert.Zero(t, v.hears("SourceInventoryResponse"))
	v.command("2", `{"v":1,"type":"SourceInventoryRequest","request_id":"q-2","token":"`+v.world.Info().SQS.Token+`"}`)
	v.quiet()
	n := 0
	for range 5 {
		n += v.hears("SourceInventoryResponse")
	}
	assert.Positive(t, n)
	_, rec := v.end()
	v.tellsNoSecret()
	replays(t, rec, 0)
}

func TestSecretsOfMessagesAreNotOnRecord(t *testing.T) {
	v := serve(t, idle, 0)
	i := v.world.Info().SQS
	v.command("1", `{"v":1,"type":"SourceCloneRequest","request_id":"q-1","token":"`+i.Token+`","vm":"db-01","mode":"warm","bulk_transfer":"online","credentials":{"user":"root","password":"`+secret+`"}}`)
	query := url.Values{
		"Action": {"SendMessage"}, "QueueUrl": {v.own(i.Commands)}, "MessageGroupId": {"g"}, "MessageDeduplicationId": {"2"},
		"MessageBody": {`{"v":1,"type":"SourceInventoryRequest","request_id":"q-2","token":"` + i.Token + `"}`},
	}
	answer, err := http.Post(i.URL+"/?"+query.Encode(), "application/x-www-form-urlencoded", strings.NewReader(""))
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	v.quiet()
	_, rec := v.end()
	assert.NotContains(t, rec.Steps[0].Queue.Body, secret)
	assert.Contains(t, rec.Steps[1].Queue.Query, tokenMark)
	text, err := os.ReadFile(v.world.Info().Recording)
	require.NoError(t, err)
	assert.NotContains(t, string(text), secret)
	assert.NotContains(t, string(text), i.Token)
	replays(t, rec, 0)
}

func TestWhoTakesFromAQueueIsReadFromTheRequest(t *testing.T) {
	b := &bus{}
	b.Commands, b.DeadLetters = "commands", "commands_dead_letter"
	url := "http://h/000000000000/"
	for name, c := range map[string]struct {
		call  recording.QueueCall
		queue string
	}{
		"json":             {recording.QueueCall{Header: map[string]string{"X-Amz-Target": "AmazonSQS.ReceiveMessage"}, Body: `{"QueueUrl":"` + url + `commands"}`}, "commands"},
		"an escaped slash": {recording.QueueCall{Header: map[string]string{"X-Amz-Target": "AmazonSQS.PurgeQueue"}, Body: `{"QueueUrl":"\/000000000000\/comm\u0061nds"}`}, "commands"},
		"a form":           {recording.QueueCall{Body: "Action=DeleteMessage&QueueUrl=http%3A%2F%2Fh%2F000000000000%2Fcomm%61nds"}, "commands"},
		"in the query":     {recording.QueueCall{Path: "/000000000000/commands_dead_letter", Query: "Action=ReceiveMessage"}, "commands_dead_letter"},
		"a longer name":    {recording.QueueCall{Header: map[string]string{"X-Amz-Target": "AmazonSQS.ReceiveMessage"}, Body: `{"QueueUrl":"` + url + `commands2"}`}, ""},
		"named elsewhere":  {recording.QueueCall{Header: map[string]string{"X-Amz-Target": "AmazonSQS.ReceiveMessage"}, Body: `{"QueueUrl":"` + url + `other","MessageAttributeNames":["commands"]}`}, ""},
		"it only sends":    {recording.QueueCall{Header: map[string]string{"X-Amz-Target": "AmazonSQS.SendMessage"}, Body: `{"QueueUrl":"` + url + `commands"}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, queue := b.taken(&c.call)
			assert.Equal(t, c.queue, queue)
		})
	}
}

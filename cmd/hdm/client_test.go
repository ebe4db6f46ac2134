package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/api"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/sim/sqs"
)

const busToken = "token-of-the-command-line-tests"

// hdmOnBus is an SQS service on loopback, and somebody who answers for HDM with
// what a test gives it, by the request's type.
type hdmOnBus struct {
	t       *testing.T
	mu      sync.Mutex
	sqs     *sqs.Service
	answers map[protocol.Type][]protocol.Response
	asked   func(protocol.Request) // hears of each, if it is not nil
	sent    int
	url     string
}

// Now and After are the service's clock.
func (b *hdmOnBus) Now() time.Time { return time.Now() }

func (b *hdmOnBus) After(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		f()
	}).Stop
}

func newBus(t *testing.T, answers map[protocol.Type][]protocol.Response) *hdmOnBus {
	t.Chdir(t.TempDir())
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", tokenVariable} {
		t.Setenv(name, "")
	}
	b := &hdmOnBus{t: t, answers: answers}
	b.sqs = sqs.New(sqs.Config{Clock: b, Observe: b.observe})
	require.NoError(t, b.sqs.CreateQueue("commands.fifo", nil))
	require.NoError(t, b.sqs.CreateQueue("responses.fifo", nil))
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	said := fmt.Sprintf(`{"region":"us-east-1","vcenters":[1],"sqs":{"url":%q,"commands":"commands.fifo","responses":"responses.fifo","dead_letters":"d","token":%q}}
{"more": "lines"}`, b.url, busToken)
	require.NoError(t, os.WriteFile("bus.json", []byte(said), 0o600))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.say(&protocol.Heartbeat{Status: protocol.NotReady, Details: "Services not ready or down Cloud vCenter", Every: 30})
	b.say(&protocol.Heartbeat{Status: protocol.Ready, Details: "All the components are deployed and up.", Every: 30})
	return b
}

func (b *hdmOnBus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	answered := make(chan sqs.Response, 1)
	b.mu.Lock()
	gone := b.sqs.Do(sqs.Request{Method: r.Method, Path: r.URL.Path, Host: r.Host, Header: r.Header, Body: body}, func(a sqs.Response) { answered <- a })
	b.mu.Unlock()
	select {
	case a := <-answered:
		for name, values := range a.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body)
	case <-r.Context().Done():
		b.mu.Lock()
		gone()
		b.mu.Unlock()
	}
}

func (b *hdmOnBus) observe(c sqs.Change) {
	if c.Kind != sqs.Sent || c.Queue != "commands.fifo" {
		return
	}
	r, err := protocol.DecodeRequest([]byte(c.Message.Body))
	if !assert.NoError(b.t, err) {
		return
	}
	assert.True(b.t, r.Head().Token.Equal(protocol.NewSecret(busToken)))
	if b.asked != nil {
		b.asked(r)
	}
	for _, answer := range b.answers[r.Type()] {
		answer.Head().RequestID = r.Head().RequestID
		b.say(answer)
	}
}

// say sends a response. The bus's mu is held.
func (b *hdmOnBus) say(r protocol.Response) {
	b.sent++
	h := r.Head()
	h.ResponseID, h.ApplianceID, h.Sent = fmt.Sprint("x/", b.sent), "hdm-1", time.Date(2026, 1, 2, 3, 4, b.sent, 0, time.Local)
	body, err := protocol.EncodeResponse(r)
	assert.NoError(b.t, err)
	call, err := json.Marshal(map[string]string{
		"QueueUrl": b.url + "/000000000000/responses.fifo", "MessageBody": string(body), "MessageGroupId": "g", "MessageDeduplicationId": h.ResponseID,
	})
	assert.NoError(b.t, err)
	b.sqs.Do(sqs.Request{Method: "POST", Path: "/", Host: strings.TrimPrefix(b.url, "http://"), Body: call, Header: http.Header{
		"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"AmazonSQS.SendMessage"},
	}}, func(a sqs.Response) { assert.Equal(b.t, 200, a.Status, "%s", a.Body) })
}

var (
	running   = protocol.CloneResponse{Migration: "m-0001", VM: "db-01", Mode: protocol.Cold, State: "running", Shows: "Bulk transfer", Percent: 40}
	completed = protocol.CloneResponse{Migration: "m-0001", VM: "db-01", Mode: protocol.Cold, State: "completed", Percent: 100, Final: true}
	failed    = protocol.CloneResponse{
		Migration: "m-0001", VM: "db-01", Mode: protocol.Cold, State: "failed", Final: true,
		Reasons: []protocol.Problem{{Code: "space", What: "no room", Fix: "make some"}},
	}
	noAdapter = protocol.ErrorResponse{Errors: []protocol.Problem{{Code: "adapter", Field: "target.adapter", What: "no such adapter", Fix: "use vmxnet3"}}, Final: true}
)

func TestClientCloneWaitsForReadyAndTellsHowItGoes(t *testing.T) {
	going, end := running, completed
	newBus(t, map[protocol.Type][]protocol.Response{protocol.TypeCloneRequest: {&going, &end}})
	r := call(t, context.Background(), "", "client", "clone", "db-01", "--bus", "bus.json", "--network", "VM Network=Cloud Net", "--request", "r-1")
	assert.Equal(t, exitHeld, r.code, r.err)
	assert.Equal(t, `03:04:01 heartbeat Not Ready Services not ready or down Cloud vCenter
03:04:02 heartbeat Ready All the components are deployed and up.
03:04:03 m-0001 db-01 running 40% Bulk transfer
03:04:04 m-0001 db-01 completed 100%
`, r.stdout)
	assert.Contains(t, r.err, "the request is r-1")
	assert.NotContains(t, r.stdout+r.err, busToken)
}

func TestClientCloneEndsWith1IfTheMigrationFailsOrIsRefused(t *testing.T) {
	end, refusal := failed, noAdapter
	for says, answer := range map[string]protocol.Response{
		"the migration m-0001 of db-01: failed: no room (make some)":                   &end,
		`HDM refused the request "r-1": target.adapter: no such adapter (use vmxnet3)`: &refusal,
	} {
		newBus(t, map[protocol.Type][]protocol.Response{protocol.TypeCloneRequest: {answer}})
		r := call(t, context.Background(), "", "client", "clone", "db-01", "--bus", "bus.json", "--request", "r-1")
		assert.Equal(t, exitBroken, r.code)
		assert.Contains(t, r.err, says)
	}
}

func TestClientInventoryPutsThePagesTogether(t *testing.T) {
	answers := func() map[protocol.Type][]protocol.Response {
		return map[protocol.Type][]protocol.Response{protocol.TypeInventoryRequest: {
			&protocol.InventoryResponse{Reading: "1", Page: 1, Pages: 2, Total: 2, VMs: []protocol.VM{{
				Name: "db-01", Power: "poweredOn", CPUs: 2, MemoryMB: 4096, Disks: []protocol.Disk{{Capacity: 5e9}}, Networks: []string{"VM Network"}, Migratable: true,
			}}},
			&protocol.InventoryResponse{Reading: "1", Page: 2, Pages: 2, Total: 2, VMs: []protocol.VM{{
				Name: "evil\x1b[2J", Disks: []protocol.Disk{}, Networks: []string{}, Reasons: []protocol.Problem{{What: "it has no disk", Fix: "add one"}},
			}}},
		}}
	}
	newBus(t, answers())
	r := call(t, context.Background(), "", "client", "inventory", "--bus", "bus.json", "--page-size", "1")
	assert.Equal(t, exitHeld, r.code, r.err)
	assert.Regexp(t, `db-01 +poweredOn +2 +4096 MB +1 +5.0 GB +VM Network +yes`, r.stdout)
	assert.Contains(t, r.stdout, "no: it has no disk (add one)")
	assert.NotContains(t, r.stdout, "\x1b")

	newBus(t, answers())
	r = call(t, context.Background(), "", "client", "inventory", "--bus", "bus.json", "--format", "json")
	var vms []protocol.VM
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &vms))
	assert.Len(t, vms, 2)
}

func TestClientBulkDoneTellsTheAnswer(t *testing.T) {
	newBus(t, map[protocol.Type][]protocol.Response{protocol.TypeBulkDoneRequest: {&protocol.BulkDoneResponse{Clone: "r-1", Complete: true, Final: true}}})
	r := call(t, context.Background(), "", "client", "bulk-done", "r-1", "--complete=true", "--bus", "bus.json")
	assert.Equal(t, exitHeld, r.code, r.err)
	assert.Contains(t, r.stdout, "bulk transfer of r-1 complete: true")
}

func TestClientWatchEndsWith0AfterItsTimeAndWith130IfInterrupted(t *testing.T) {
	newBus(t, nil)
	r := call(t, context.Background(), "", "client", "watch", "--bus", "bus.json", "--for", "200ms")
	assert.Equal(t, exitHeld, r.code, r.err)
	assert.Equal(t, 2, strings.Count(r.stdout, "heartbeat"))

	newBus(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := execute(ctx, "hdm", []string{"client", "watch", "--bus", "bus.json", "--format", "json"}, nil, writer(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte(`"Ready"`)) {
			cancel()
		}
		return stdout.Write(p)
	}), &stderr)
	assert.Equal(t, exitInterrupted, code)
	assert.Empty(t, stderr.String())
	assert.Contains(t, stdout.String(), `"status":"Not Ready"`)
}

func TestClientEndsWith3IfHDMDoesNotAnswerOrAQueueIsNotThere(t *testing.T) {
	b := newBus(t, nil)
	r := call(t, context.Background(), "", "client", "inventory", "--bus", "bus.json", "--for", "200ms", "--request", "i-1")
	assert.Equal(t, exitEnvironment, r.code)
	assert.Contains(t, r.err, "--request i-1")

	r = call(t, context.Background(), "", "client", "watch", "--bus", "bus.json", "--responses", "nobodys")
	assert.Equal(t, exitEnvironment, r.code)
	assert.Contains(t, r.err, "the queue nobodys")

	t.Setenv(tokenVariable, busToken)
	r = call(t, context.Background(), "", "client", "watch", "--url", b.url, "--region", "us-east-1", "--commands", "nobodys", "--responses", "responses.fifo")
	assert.Equal(t, exitEnvironment, r.code)
	assert.Contains(t, r.err, "the queue nobodys")
}

func TestClientRefusesWhatItCannotUseAndSendsNothing(t *testing.T) {
	b := newBus(t, nil)
	require.NoError(t, os.WriteFile("broken.json", []byte(busToken), 0o600))
	t.Setenv(tokenVariable, busToken)
	where := []string{"--url", b.url, "--region", "r", "--commands", "commands.fifo", "--responses", "responses.fifo"}
	for says, args := range map[string][]string{
		"--commands is missing":               {"watch"},
		"--region is missing":                 {"watch", "--commands", "a", "--responses", "b"},
		"cannot be read as JSON":              {"watch", "--bus", "broken.json"},
		"gone.json":                           {"watch", "--bus", "gone.json"},
		"--token-file \"gone\"":               append([]string{"watch", "--token-file", "gone"}, where...),
		"choose text or json":                 append([]string{"watch", "--format", "xml"}, where...),
		"--for -1s":                           append([]string{"watch", "--for", "-1s"}, where...),
		"write FROM=TO":                       append([]string{"clone", "db-01", "--network", "a"}, where...),
		"--complete is missing":               append([]string{"bulk-done", "r-1"}, where...),
		"page_size":                           append([]string{"inventory", "--page-size", "5000"}, where...),
		"--mode \"hot\": choose cold or warm": append([]string{"clone", "db-01", "--mode", "hot", "--for", "5s", "--bus", "bus.json"}, where...),
		"--api \"ftp://x\"":                   {"migrations", "--api", "ftp://x"},
		"unknown flag: --token":               append([]string{"watch", "--token", "x"}, where...),
		"accepts 1 arg":                       append([]string{"clone"}, where...),
	} {
		r := call(t, context.Background(), "", append([]string{"client"}, args...)...)
		assert.Equal(t, exitUsage, r.code, "%s: %s", args, r.err)
		assert.Contains(t, r.err, says)
		assert.NotContains(t, r.stdout+r.err, busToken)
	}
	assert.Empty(t, b.sqs.Messages("commands.fifo"))

	t.Setenv(tokenVariable, "")
	r := call(t, context.Background(), "", append([]string{"client", "watch"}, where...)...)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "set HDM_BUS_TOKEN")

	t.Setenv("AWS_ACCESS_KEY_ID", "half")
	r = call(t, context.Background(), "", "client", "watch", "--bus", "bus.json")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "AWS_SECRET_ACCESS_KEY")
}

func TestClientMigrationsPrintsBothViews(t *testing.T) {
	said := `{"in_progress":[{"migration":"m-0002","vm":"web-01","type":"cold","state":"running","percent":40}],"summary":[{"migration":"m-0001","vm":"db-01","type":"cold","state":"completed","percent":100}]}`
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, api.PathMigrations, r.URL.Path)
		w.WriteHeader(status)
		fmt.Fprint(w, said)
	}))
	defer server.Close()
	r := hdm(t, "", "client", "migrations", "--api", server.URL)
	assert.Equal(t, exitHeld, r.code, r.err)
	assert.Regexp(t, `(?s)IN PROGRESS.*m-0002 +web-01 +cold +running +40%.*SUMMARY.*m-0001 +db-01 +cold +completed`, r.stdout)

	said, status = `{"error":"HDM is not up","fix":"ask again"}`, http.StatusServiceUnavailable
	r = hdm(t, "", "client", "migrations", "--api", server.URL)
	assert.Equal(t, exitEnvironment, r.code)
	assert.Contains(t, r.err, "HDM is not up: ask again")
}

func TestSchemaMessagesPrintsTheFormOfEveryMessage(t *testing.T) {
	r := hdm(t, "", "schema", "messages")
	assert.Equal(t, exitHeld, r.code, r.err)
	want, err := protocol.Schema()
	require.NoError(t, err)
	assert.Equal(t, string(want), r.stdout)
	assert.Contains(t, r.stdout, `"title": "SourceCloneRequest"`)
}

func TestClientWatchEndsWhenNobodyReadsWhatItPrints(t *testing.T) {
	b := newBus(t, nil)

	b.say(&protocol.Heartbeat{Status: protocol.Ready, Details: "fine"})
	code := execute(context.Background(), "hdm", []string{"client", "watch", "--bus", "bus.json"}, strings.NewReader(""), goneReader{}, io.Discard)
	assert.Equal(t, exitEnvironment, code)
}

// goneReader reads nothing any more.
type goneReader struct{}

func (goneReader) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

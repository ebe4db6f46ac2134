package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/loopback"
)

// serving is an hdm serve that goes on.
type serving struct {
	info   loopback.Info
	cancel func()
	ended  chan int
	rest   chan string
	err    bytes.Buffer
}

func begin(t *testing.T, args ...string) *serving {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s := &serving{cancel: cancel, ended: make(chan int, 1), rest: make(chan string, 1)}
	read, write := io.Pipe()
	go func() {
		code := execute(ctx, "bin/hdm", append([]string{"serve"}, args...), strings.NewReader(""), write, &s.err)
		write.Close()
		s.ended <- code
	}()
	in := bufio.NewReader(read)
	first, err := in.ReadString('\n')
	require.NoError(t, err, "%s", &s.err)
	require.NoError(t, json.Unmarshal([]byte(first), &s.info))
	go func() {
		rest, _ := io.ReadAll(in)
		s.rest <- string(rest)
	}()
	return s
}

// end interrupts it.
func (s *serving) end() (code int, rest string) {
	s.cancel()
	return <-s.ended, <-s.rest
}

func TestServeTellsWhatAClientNeedsAndLeavesARecordingThatRunsAgain(t *testing.T) {
	inFolder(t)
	s := begin(t, "tiny", "--seed", "7", "--speed", "60")
	assert.Equal(t, uint64(7), s.info.Seed)
	assert.InDelta(t, 60, s.info.Speed, 0)
	assert.NotEmpty(t, s.info.SQS.Token)
	assert.NotEmpty(t, s.info.SQS.Commands)
	pem, err := os.ReadFile(s.info.CA.File)
	require.NoError(t, err)
	assert.Equal(t, s.info.CA.PEM, string(pem))
	answer, err := http.Post(s.info.SQS.URL, "application/x-www-form-urlencoded", strings.NewReader("Action=ListQueues&Version=2012-11-05"))
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Contains(t, string(body), s.info.SQS.Commands)

	code, rest := s.end()
	assert.Equal(t, exitHeld, code, "%s", &s.err)
	assert.Contains(t, rest, "GOVC_TLS_CA_CERTS="+s.info.CA.File)
	assert.Contains(t, s.err.String(), "run it again: bin/hdm replay "+s.info.Recording)
	for _, name := range []string{"verdicts.json", "run.json", "junit.xml", "trace.jsonl"} {
		assert.FileExists(t, filepath.Join(filepath.Dir(s.info.Recording), name))
	}

	again := call(t, context.Background(), "", "replay", s.info.Recording)
	assert.Equal(t, exitHeld, again.code, again.err)
	assert.Contains(t, again.stdout, "the same: 1 steps were done again")

	text, err := os.ReadFile(s.info.Recording)
	require.NoError(t, err)
	changed := func(from, to string) result {
		require.Contains(t, string(text), from)
		require.NoError(t, os.WriteFile("changed.jsonl", []byte(strings.Replace(string(text), from, to, 1)), 0o600))
		return call(t, context.Background(), "", "replay", "changed.jsonl")
	}
	r := changed("world: tiny", "world: pair")
	assert.Equal(t, exitBroken, r.code)
	assert.Contains(t, r.stdout, "DIFFERS changed.jsonl: the run differs before outside step 1")
	r = changed(`"kind":"sqs"`, `"kind":"fax"`)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, `changed.jsonl:2: there is no kind of step "fax"`)
	assert.Equal(t, exitUsage, call(t, context.Background(), "", "replay", s.info.Recording, "--step").code)
}

func TestServeOfAScenarioLetsItsStepsAct(t *testing.T) {
	inFolder(t)
	s := begin(t, "./held.yaml", "--speed", "0")
	code, rest := s.end()
	assert.Equal(t, exitHeld, code, "%s", &s.err)
	assert.Contains(t, rest, "passed  held")
}

func TestServeThatCannotSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	tests := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"serve", "nowhere"}, exitUsage, `there is no world "nowhere"; use one of`},
		{[]string{"serve", "./missing.yaml"}, exitUsage, "it cannot be read"},
		{[]string{"serve", "./unknown-key.yaml"}, exitUsage, "stepz"},
		{[]string{"serve", "--speed", "NaN"}, exitUsage, "--speed NaN"},
		{[]string{"serve", "--sqs-port", "70000"}, exitUsage, "--sqs-port 70000: choose 1 to 65535"},
		{[]string{"serve", "--cloud-port", port}, exitEnvironment, "port " + port + " of the loopback address cannot be had for cloud"},
	}
	for _, test := range tests {
		r := hdm(t, "", test.args...)
		assert.Equal(t, test.code, r.code, "%v", test.args)
		assert.Contains(t, r.err, test.says)
		left, err := filepath.Glob(filepath.Join(r.out, "*"))
		require.NoError(t, err)
		assert.Empty(t, left, "%v left something", test.args)
	}
}

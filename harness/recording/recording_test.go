package recording

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// some are steps of every kind.
var some = []Step{
	{Place: Place{3, time.Second, 7}, Kind: SOAP, Site: vsphere.Cloud, Call: &vcenter.ForeignCall{Session: 1, Agent: "a", Method: "PowerOnVM_Task", Object: "VirtualMachine:vm-1", Path: "/sdk", Body: "<x/>"}},
	{Place: Place{4, time.Second, 8}, Kind: HTTP, Site: vsphere.OnPremises, Call: &vcenter.ForeignCall{Method: "PUT", Path: "/nfc/lease-1/disk-0.vmdk", Data: []byte{0, 255}}},
	{Place: Place{5, time.Minute, 9}, Kind: SQS, Queue: &QueueCall{Number: 1, Method: "POST", Path: "/", Header: map[string]string{"X": "y"}, Body: "{}"}},
	{Place: Place{9, time.Hour, 10}, Kind: Gone, Of: 1},
}

func write(t *testing.T, end bool, steps ...Step) string {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	w, err := Begin(path, Header{Program: "test", Seed: 1<<64 - 1, Transport: "direct", Scenario: "title: x\n"})
	require.NoError(t, err)
	for _, s := range steps {
		require.NoError(t, w.Step(s))
	}
	if end {
		require.NoError(t, w.End(Place{12, 2 * time.Hour, 1<<64 - 1}))
	}
	return path
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := write(t, true, some...)
	assert.True(t, Is(path))
	r, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, Header{Version: Version, Program: "test", Seed: 1<<64 - 1, Transport: "direct", Scenario: "title: x\n"}, r.Header)
	assert.Equal(t, some, r.Steps)
	assert.Equal(t, &End{true, Place{12, 2 * time.Hour, 1<<64 - 1}}, r.End)
	assert.False(t, r.Cut)
}

func TestEachStepIsOnDiskBeforeItActs(t *testing.T) {
	path := write(t, false, some[:2]...)
	r, err := Read(path)
	require.NoError(t, err)
	assert.Len(t, r.Steps, 2)
	assert.Nil(t, r.End)
}

func TestARecordingThatWasCutOffLacksItsLastLineOnly(t *testing.T) {
	path := write(t, true, some...)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	first := strings.Index(string(text), "\n") + 1
	for n := first + 1; n < len(text); n++ {
		r, err := Parse("r", strings.NewReader(string(text[:n])))
		require.NoError(t, err, "cut at %d", n)
		whole := strings.Count(string(text[:n]), "\n") - 1
		assert.Len(t, r.Steps, min(whole, len(some)))
		assert.Equal(t, text[n-1] != '\n', r.Cut, "cut at %d", n)
		assert.Nil(t, r.End)
	}
	_, err = Parse("r", strings.NewReader(string(text[:first-1])))
	assert.ErrorContains(t, err, "r:1: the line is cut off")
}

func TestARecordingIsNeverWrittenOver(t *testing.T) {
	path := write(t, true)
	_, err := Begin(path, Header{})
	assert.ErrorIs(t, err, os.ErrExist)
}

func TestWhatIsNoRecordingIsRefusedWithItsLine(t *testing.T) {
	const header = `{"hdm-recording":1,"hdm":"x","seed":1,"transport":"direct","scenario":""}` + "\n"
	const step = `{"events":5,"at_ns":10,"hash":"0000000000000001","kind":"gone","of":1}` + "\n"
	cases := map[string]struct{ text, says string }{
		"nothing":            {"", "r: it is empty"},
		"a scenario":         {"title: x\n", "r:1: it is no header"},
		"another version":    {`{"hdm-recording":2,"hdm":"x","seed":1,"transport":"direct","scenario":""}` + "\n", "r:1: the recording has version 2"},
		"an unknown field":   {header + `{"events":1,"extra":2}` + "\n", `r:2: it is no step of a recording: json: unknown field "extra"`},
		"an empty line":      {header + "\n", "r:2: it is no step of a recording: it ends too early"},
		"two values":         {header + strings.TrimSpace(step) + "{}\n", "r:2: it is no step of a recording: there is something after it"},
		"an unknown kind":    {header + `{"events":1,"at_ns":1,"hash":"0000000000000001","kind":"fax"}` + "\n", `r:2: there is no kind of step "fax"`},
		"no hash":            {header + `{"events":1,"at_ns":1,"hash":"x","kind":"gone","of":1}` + "\n", `"x" is no hash`},
		"a call too few":     {header + `{"events":1,"at_ns":1,"hash":"0000000000000001","kind":"soap","site":"cloud"}` + "\n", `r:2: a step of kind "soap" has a site and a call`},
		"no site":            {header + `{"events":1,"at_ns":1,"hash":"0000000000000001","kind":"soap","site":"moon","call":{"method":"x","object":"y","path":"/"}}` + "\n", `r:2: a step of kind "soap"`},
		"no number":          {header + `{"events":1,"at_ns":1,"hash":"0000000000000001","kind":"sqs","queue":{"number":0,"method":"","path":""}}` + "\n", `r:2: a step of kind "sqs"`},
		"a time before":      {header + `{"events":1,"at_ns":-1,"hash":"0000000000000001","kind":"gone","of":1}` + "\n", "r:2: a step cannot be at -1ns"},
		"out of order":       {header + step + step, "r:3: it is at 10ns after 5 events, and so before the line above it"},
		"after the end":      {header + `{"end":true,"events":1,"at_ns":1,"hash":"0000000000000001"}` + "\n" + step, "r:3: there is something after the end"},
		"an end too early":   {header + step + `{"end":true,"events":1,"at_ns":1,"hash":"0000000000000001"}` + "\n", "r:3: it is at 1ns"},
		"a number too large": {header + `{"events":99999999999999999999}` + "\n", "r:2: it is no step"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("r", strings.NewReader(c.text))
			var wrong *Error
			require.ErrorAs(t, err, &wrong)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestARecordingThatIsFullTakesNothingMore(t *testing.T) {
	path := write(t, false)
	w := &Writer{path: path, steps: MaxSteps}
	var full *FullError
	require.ErrorAs(t, w.Step(some[0]), &full)
	require.ErrorAs(t, w.Step(some[0]), &full, "and says so again")

	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	large := &Writer{path: path, file: file, bytes: MaxBytes - 5000}
	big := some[0]
	call := *big.Call
	call.Body = strings.Repeat("x", 2000)
	big.Call = &call
	require.ErrorAs(t, large.Step(big), &full)
	assert.ErrorAs(t, large.End(Place{}), &full, "it has no end, since it broke before")
}

func TestAScenarioIsNotTakenForARecording(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.yaml")
	require.NoError(t, os.WriteFile(path, []byte("title: x\n"), 0o600))
	assert.False(t, Is(path))
	assert.False(t, Is(filepath.Join(t.TempDir(), "missing")))
}

func FuzzParse(f *testing.F) {
	f.Add(`{"hdm-recording":1,"hdm":"x","seed":1,"transport":"direct","scenario":""}` + "\n" + `{"events":5,"at_ns":10,"hash":"0000000000000001","kind":"gone","of":1}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse("r", strings.NewReader(text))
		if err != nil {
			assert.ErrorAs(t, err, new(*Error))
			return
		}
		assert.Equal(t, Version, r.Version)
	})
}

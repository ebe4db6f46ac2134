package chrome_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/reports/chrome"
	"github.com/hdm-project/hdm/reports/record"
)

// slice is an event of the format.
type slice struct {
	PID, TID int
	Ph, Name string
	TS       float64
	Dur      *float64
	Args     map[string]any
}

// file writes one run and reads it back.
func file(t require.TestingT, r *record.Run, events []record.Event) (all []slice, calls int) {
	var lines, out bytes.Buffer
	run := chrome.NewRun(func(line []byte, bulk bool) {
		lines.Write(line)
		if bulk {
			calls++
		}
	})
	for i := range events {
		run.Add(&events[i])
	}
	run.End()
	f := chrome.NewFile(&out)
	require.NoError(t, f.Process(1, r, &lines))
	require.NoError(t, f.Close())
	var object struct {
		TraceEvents []slice `json:"traceEvents"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &object), out.String())
	return object.TraceEvents, calls
}

func event(seq uint64, kind, subject string, attrs ...string) record.Event {
	e := record.Event{Seq: seq, At: time.Duration(seq) * 1500 * time.Nanosecond, Kind: kind, Subject: subject}
	for i := 0; i < len(attrs); i += 2 {
		e.Attrs = append(e.Attrs, record.Attr{Key: attrs[i], Value: attrs[i+1]})
	}
	return e
}

func TestWhateverHappensAViewerTakesEverySlice(t *testing.T) {
	pairs := [][2]string{{"call.sent", "call.answered"}, {"task.started", "task.finished"}, {"fault.began", "fault.ended"},
		{"guest.started", "guest.stopped"}, {"effect.started", "effect.ended"}, {"link.down", "link.up"}, {"appliance.down", "appliance.up"}, {"migration", "link.transfer"}}
	rapid.Check(t, func(t *rapid.T) {
		var events []record.Event
		for i := range rapid.IntRange(0, 80).Draw(t, "events") {
			pair := rapid.SampledFrom(pairs).Draw(t, "pair")
			n := strconv.Itoa(rapid.IntRange(1, 4).Draw(t, "of"))
			events = append(events, event(uint64(i+1), rapid.SampledFrom(pair[:]).Draw(t, "kind"), rapid.SampledFrom([]string{"a", `"<b>\`, n}).Draw(t, "subject"),
				"call", n, "task", n, "key", n, "vm", n, "site", n, "to", rapid.SampledFrom([]string{"running", "queued", "failed"}).Draw(t, "to"), "state", "started", "what", n, "bytes", n))
		}
		all, _ := file(t, &record.Run{Scenario: `a "run"`}, events)
		ends := map[int]float64{}
		slices.SortStableFunc(all, func(a, b slice) int { return cmp.Compare(a.TS, b.TS) })
		for _, s := range all {
			assert.Equal(t, 1, s.PID)
			assert.NotEmpty(t, s.Ph)
			if s.Ph != "X" {
				continue
			}
			require.NotNil(t, s.Dur)
			assert.GreaterOrEqual(t, *s.Dur, 0.0)
			assert.GreaterOrEqual(t, s.TS, ends[s.TID]-1e-6, "slices of one thread follow one another")
			ends[s.TID] = s.TS + *s.Dur
		}
	})
}

func TestTimesAreVirtualMicrosecondsAndNamesAreTold(t *testing.T) {
	all, calls := file(t, &record.Run{Scenario: "<s>", Verdict: record.Failed, Violations: []record.Violation{{Oracle: "one-copy", At: time.Second, Subject: "vm", Evidence: []uint64{7}}}}, []record.Event{
		event(2, "task.started", "cloud", "task", "t", "method", "PowerOnVM_Task", "entity", `vm "1"`),
		event(3, "call.sent", "cloud", "call", "1", "method", "Login"),
		event(5, "call.answered", "cloud", "call", "1", "outcome", "ok"),
		event(6, "task.finished", "cloud", "task", "t", "state", "success"),
		event(7, "migration", "m-1", "vm", "a", "to", "queued"),
		event(8, "sqs.sent", "q", "message", "1"),
	})
	byName := map[string]slice{}
	threads := map[string]int{}
	for _, s := range all {
		if s.Name == "thread_name" {
			threads[s.Args["name"].(string)] = s.TID
			continue
		}
		byName[s.Ph+" "+s.Name] = s
	}
	assert.Equal(t, "<s> (failed)", byName["M process_name"].Args["name"])
	task := byName[`X PowerOnVM_Task vm "1"`]
	assert.InDelta(t, 3.0, task.TS, 0)
	assert.InDelta(t, 6.0, *task.Dur, 0)
	assert.Equal(t, "success", task.Args["state"])
	assert.Equal(t, threads["tasks cloud"], task.TID)
	assert.Equal(t, threads["calls cloud"], byName["X Login"].TID)
	assert.Equal(t, 3, calls, "a call, and its thread's name and place")
	assert.InDelta(t, 1e6, byName["i VIOLATED one-copy vm"].TS, 0)
	assert.Equal(t, map[string]any{"waiting": 1.0, "running": 0.0}, byName["C orders"].Args)
	assert.Equal(t, map[string]any{"messages": 1.0}, byName["C queue q"].Args)
}

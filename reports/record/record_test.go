package record_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/reports/record"
)

var catalogue = record.Catalogue{
	{ID: "COLD-01", Must: "Both tasks are seen."},
	{ID: "MIG-08", Must: "Off here, on there.", Parts: []record.Part{{ID: "cold", What: "cold migrations"}, {ID: "warm", What: "warm migrations"}}},
}

func TestAClauseStandsAsItsRunsSay(t *testing.T) {
	passed := func(covers ...string) record.Run {
		return record.Run{Scenario: "p", Verdict: record.Passed, Covers: covers}
	}
	failed := func(clauses []string, covers ...string) record.Run {
		return record.Run{Scenario: "f", Verdict: record.Failed, Covers: covers, Violations: []record.Violation{{Oracle: "o", Clauses: clauses}}}
	}
	tests := []struct {
		name  string
		runs  []record.Run
		cold1 record.Standing
		mig8  record.Standing
	}{
		{"nothing ran", nil, record.Uncovered, record.Uncovered},
		{"one passed", []record.Run{passed("COLD-01")}, record.Held, record.Uncovered},
		{"an oracle tested it", []record.Run{{Verdict: record.Passed, Tested: []string{"COLD-01"}}}, record.Held, record.Uncovered},
		{"some parts passed", []record.Run{passed("MIG-08/cold")}, record.Uncovered, record.Partial},
		{"citing no part shows nothing", []record.Run{passed("MIG-08")}, record.Uncovered, record.Uncovered},
		{"all parts passed", []record.Run{passed("MIG-08/cold"), passed("MIG-08/warm")}, record.Uncovered, record.Held},
		{"one of two failed", []record.Run{passed("COLD-01"), failed(nil, "COLD-01")}, record.Violated, record.Uncovered},
		{"a part failed", []record.Run{passed("MIG-08/cold"), failed(nil, "MIG-08/warm")}, record.Uncovered, record.Violated},
		{"an oracle saw it broken", []record.Run{passed("COLD-01"), failed([]string{"COLD-01"})}, record.Violated, record.Uncovered},
		{"an oracle saw a whole clause broken", []record.Run{passed("MIG-08/cold"), failed([]string{"MIG-08"})}, record.Uncovered, record.Violated},
		{"a failed run shows nothing", []record.Run{{Verdict: record.Failed, Tested: []string{"COLD-01"}}}, record.Uncovered, record.Uncovered},
		{"an interrupted run shows nothing", []record.Run{{Verdict: record.Interrupted, Covers: []string{"COLD-01"}}}, record.Uncovered, record.Uncovered},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := catalogue.Judge(test.runs)
			assert.Equal(t, test.cold1, got[0].Standing, "COLD-01")
			assert.Equal(t, test.mig8, got[1].Standing, "MIG-08")
		})
	}
}

func TestAPartialClauseListsTheMissingParts(t *testing.T) {
	got := catalogue.Judge([]record.Run{{Scenario: "s", Verdict: record.Passed, Covers: []string{"MIG-08/cold"}}})
	assert.Equal(t, []record.Part{{ID: "warm", What: "warm migrations"}}, got[1].Missing)
	assert.Equal(t, []string{"s"}, got[1].By)
}

func TestAnEventIsOneJSONObjectWhateverItsTextHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := record.Event{
			Run: rapid.String().Draw(t, "run"), Seq: rapid.Uint64().Draw(t, "seq"), At: time.Duration(rapid.Int64().Draw(t, "at")),
			Kind: rapid.String().Draw(t, "kind"), Subject: rapid.String().Draw(t, "subject"),
			Attrs: []record.Attr{{Key: "what", Value: rapid.String().Draw(t, "value")}},
		}
		var got struct {
			Run     string            `json:"run"`
			Seq     uint64            `json:"seq"`
			At      time.Duration     `json:"at_ns"`
			Kind    string            `json:"kind"`
			Subject string            `json:"subject"`
			Attrs   map[string]string `json:"attrs"`
		}
		line := e.AppendJSON(nil)
		require.NoError(t, json.Unmarshal(line, &got), "%s", line)
		assert.NotContains(t, string(line), "\n")
		var read record.Event
		require.NoError(t, json.Unmarshal(line, &read))
		assert.Equal(t, e, read, "and it can be read back")
		assert.Equal(t, record.Event{Run: got.Run, Seq: got.Seq, At: got.At, Kind: got.Kind, Subject: got.Subject, Attrs: []record.Attr{{Key: "what", Value: got.Attrs["what"]}}}, e)
	})
}

package mutants

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// faked is a builder whose go command, instead of building, makes a program that
// says these things and ends with these codes, by its first argument.
func faked(t *testing.T, says map[string]string, codes map[string]int) Builder {
	t.Helper()
	made := fake(t, says, codes)
	dir := t.TempDir()
	script := strings.Join([]string{
		"#!/bin/sh", `while [ "$1" != -o ]; do shift; done`,
		"cp " + made.Path + " " + made.Dir + "/*.json " + made.Dir + `/*.code "$(dirname "$2")"`, "",
	}, "\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "core"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core", "x.go"), []byte("package x // right\n"), 0o600))
	return Builder{Root: dir, Go: filepath.Join(dir, "go")}
}

var wrong = Record{
	Name: "wrong", Package: "core", File: "x.go", Edits: []Edit{{"right", "wrong"}},
	Notice: Notice{Scenarios: []string{"b"}, Clauses: []string{"COLD-05"}, Seeds: "1-9"},
}

func ledgerOf(t *testing.T) *Ledger {
	t.Helper()
	l, err := OpenLedger(filepath.Join(t.TempDir(), "found.jsonl"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func TestASurveyTellsWhichClausesTheSuiteHasViolated(t *testing.T) {
	s := Survey{
		Builder: faked(t, map[string]string{"run": broken}, map[string]int{"run": 1}), Limit: time.Minute, Ledger: ledgerOf(t),
		Sound: fake(t, map[string]string{"run": `{"clauses": {"COLD-01": "held", "COLD-02": "uncovered", "COLD-05": "partial"}}`}, nil),
	}
	held, err := s.Held(t.Context(), []string{"COLD-05", "COLD-01", "COLD-02"})
	require.NoError(t, err)
	assert.Equal(t, []string{"COLD-05", "COLD-01"}, held, "in the catalogue's order")
	seen, err := s.Mutant(t.Context(), &wrong)
	require.NoError(t, err)
	assert.Equal(t, []string{"COLD-01", "COLD-05"}, seen.Violated)
	assert.Equal(t, []string{"b"}, seen.Failed)
	s.Builder.Go = "nothing that could build"
	again, err := s.Mutant(t.Context(), &wrong)
	require.NoError(t, err, "it is known")
	assert.Equal(t, seen, again)
}

func TestABriefSurveyEndsOnceEachClauseHasNoticedAMutant(t *testing.T) {
	s := Survey{Builder: faked(t, map[string]string{"run": broken}, map[string]int{"run": 1}), Limit: time.Minute, Ledger: ledgerOf(t)}
	other := wrong
	other.Name, other.Notice = "other", Notice{Test: &Test{"core", "TestX"}}
	told := 0
	count := func(Sighting) { told++ }
	seen, err := s.Brief(t.Context(), []string{"COLD-05", "COLD-01"}, []Record{other, wrong}, count)
	require.NoError(t, err)
	require.Len(t, seen, 1, "both clauses notice the mutant whose record names one of them")
	assert.Equal(t, "wrong", seen[0].Name)
	assert.Subset(t, seen[0].Of, append([]string{"b"}, covering()["COLD-05"]...), "its own scenarios, and those of the clause")
	seen, err = s.Brief(t.Context(), []string{"COLD-05", "SQS-10"}, []Record{other, wrong}, count)
	require.NoError(t, err)
	require.Len(t, seen, 3, "no record names the clause that notices none, so that all are held against it")
	assert.Equal(t, "other", seen[1].Name)
	assert.Equal(t, covering()["SQS-10"], seen[1].Of)
	assert.Equal(t, 4, told)
	none, err := s.Brief(t.Context(), []string{"NONE-01"}, []Record{other}, count)
	require.NoError(t, err)
	assert.Empty(t, none, "no scenario is there for the clause: the whole suite is no brief survey")
	m := Matrix{Clauses: []string{"COLD-05", "SQS-10"}, Seen: seen}
	assert.Equal(t, []string{"SQS-10"}, m.Idle())
	assert.Equal(t, []string{"wrong", "other"}, m.By("COLD-05"), "once each")
}

func TestASuiteThatTheProductItselfFailsIsNoMeasure(t *testing.T) {
	s := Survey{Ledger: ledgerOf(t), Sound: fake(t, map[string]string{"run": broken}, map[string]int{"run": 1})}
	_, err := s.Held(t.Context(), []string{"COLD-01"})
	require.ErrorAs(t, err, new(*ControlError))
	h := Hunt{Ledger: ledgerOf(t), Sound: s.Sound}
	err = h.Control(t.Context(), []Record{wrong})
	require.ErrorAs(t, err, new(*ControlError))
	assert.ErrorContains(t, err, "failed: b")
}

func TestAMutantIsLookedForByItsScenariosAndThenByItsSeeds(t *testing.T) {
	failure := `{"runs": [{"scenario": "seed-3", "seed": 3, "verdict": "failed", "hash": "12", "replay": "hdm replay x.yaml",
		"violations": [{"oracle": "limits", "clauses": ["DEP-03"], "what": "nine run at once"}]}]}`
	tests := []struct {
		name string
		says map[string]string
		code map[string]int
		want Catch
	}{
		{"a scenario", map[string]string{"run": broken}, map[string]int{"run": 1},
			Catch{By: "scenario b", Oracle: "no-lost-write", Clauses: []string{"COLD-01", "COLD-05"}, What: "a write is lost"}},
		{"a seed", map[string]string{"run": held, "explore": failure, "replay": failure}, map[string]int{"explore": 1, "replay": 1},
			Catch{By: "seed 3", Oracle: "limits", Clauses: []string{"DEP-03"}, What: "nine run at once"}},
		{"a seed that does not fail again", map[string]string{"run": held, "explore": failure, "replay": held}, map[string]int{"explore": 1},
			Catch{Oracle: "limits", Clauses: []string{"DEP-03"}, What: "nine run at once", Notes: []string{
				"seed 3 would have caught it, but: what seed-3 found is not to be relied on: its replay ends with exit code 0 and other than hash 12; this is a bug in hdm or in the record",
			}}},
		{"nothing", map[string]string{"run": held, "explore": held}, nil, Catch{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := Hunt{Builder: faked(t, test.says, test.code), Sound: fake(t, map[string]string{"replay": held}, nil), Ledger: ledgerOf(t), Limit: time.Minute}
			c, err := h.Mutant(t.Context(), 1, &wrong)
			require.NoError(t, err)
			assert.Positive(t, c.Took)
			test.want.Name, test.want.Took = "wrong", c.Took
			assert.Equal(t, test.want, c)
			assert.Contains(t, c.Text(&wrong), map[bool]string{true: "caught  wrong\n", false: "MISSED  wrong  "}[c.Caught()])
		})
	}
}

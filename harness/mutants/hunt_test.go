package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fake is a program that says what a file of its folder, named by its command,
// says, and ends with the code in another one.
func fake(t *testing.T, says map[string]string, codes map[string]int) Program {
	t.Helper()
	dir := t.TempDir()
	for verb, text := range says {
		require.NoError(t, os.WriteFile(filepath.Join(dir, verb+".json"), []byte(text), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, verb+".code"), fmt.Appendf(nil, "%d", codes[verb]), 0o600))
	}
	path := filepath.Join(dir, "hdm")
	script := "#!/bin/sh\nd=$(dirname \"$0\")\ncat \"$d/$1.json\"\nexit $(cat \"$d/$1.code\")\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o700))
	return Program{Path: path, Dir: dir, Limit: time.Minute}
}

const (
	held   = `{"clauses": {"COLD-01": "held"}, "runs": [{"scenario": "a", "verdict": "passed"}]}`
	broken = `{"clauses": {"COLD-05": "violated", "COLD-01": "violated", "COLD-02": "held"}, "runs": [
		{"scenario": "a", "verdict": "passed"},
		{"scenario": "b", "seed": 7, "verdict": "failed", "hash": "12", "replay": "hdm replay out/b.failure.yaml",
		 "violations": [{"oracle": "no-lost-write", "clauses": ["COLD-05"], "what": "a write is lost"}]}]}`
	expired = `{"clauses": {}, "runs": [{"scenario": "b", "verdict": "failed", "error": "limit of wall time"}]}`
)

func TestOnlyABrokenPromiseIsACatch(t *testing.T) {
	tests := []struct {
		name string
		says string
		code int
		want Catch
	}{
		{"every promise held", held, 0, Catch{}},
		{"one was broken", broken, 1, Catch{By: "scenario b", Oracle: "no-lost-write", Clauses: []string{"COLD-01", "COLD-05"}, What: "a write is lost"}},
		{"a run that a watchdog ended", expired, 1, Catch{By: "scenario b", Oracle: "watchdog", What: "limit of wall time"}},
		{"a family", held, 1, Catch{By: "scenario b", Oracle: "family", What: "runs that are compared say otherwise than promised"}},
		{"wrong usage", "", 2, Catch{Notes: []string{"scenario b ended with exit code 2: "}}},
		{"a bug of the program's", "", 3, Catch{Notes: []string{"scenario b ended with exit code 3: "}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			told, err := fake(t, map[string]string{"run": test.says}, map[string]int{"run": test.code}).Says(t.Context(), "run")
			require.NoError(t, err)
			var c Catch
			assert.Equal(t, test.want.By != "", c.take(told, "scenario ", "b"))
			assert.Equal(t, test.want, c)
		})
	}
}

func TestAProgramThatHangsIsStoppedAndIsNoCatch(t *testing.T) {
	p := fake(t, map[string]string{"run": ""}, nil)
	require.NoError(t, os.WriteFile(p.Path, []byte("#!/bin/sh\nexec sleep 600\n"), 0o700))
	p.Limit = 50 * time.Millisecond
	told, err := p.Says(t.Context(), "run")
	require.NoError(t, err)
	assert.True(t, told.Hung)
	var c Catch
	assert.False(t, c.take(told, "scenario ", "b"))
	assert.Equal(t, []string{"scenario b did not end within its limit of wall time"}, c.Notes)
}

func TestAFailureMustReplayToItsHashAndTheSoundProgramMustPassIt(t *testing.T) {
	same := `{"runs": [{"scenario": "b", "verdict": "failed", "hash": "12"}]}`
	other := `{"runs": [{"scenario": "b", "verdict": "failed", "hash": "13"}]}`
	failed := Run{Scenario: "b", Hash: "12", Replay: "hdm replay out/b.failure.yaml --transport soap"}
	tests := []struct {
		name   string
		mutant string
		code   int
		sound  int
		want   string // of the error
	}{
		{"it does, and it does", same, 1, 0, ""},
		{"another hash", other, 1, 0, "other than hash 12"},
		{"it passes the second time", same, 0, 0, "its replay ends with exit code 0"},
		{"the sound program fails, too", same, 1, 1, "mend that first"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := Hunt{Sound: fake(t, map[string]string{"replay": same}, map[string]int{"replay": test.sound})}
			err := h.again(t.Context(), failed, fake(t, map[string]string{"replay": test.mutant}, map[string]int{"replay": test.code}))
			if test.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.want)
		})
	}
	h := Hunt{}
	assert.ErrorContains(t, h.again(t.Context(), Run{Replay: "hdm explore --seeds 7"}, Program{}), "it was not kept")
}

func TestWhatAFailedScenarioIsThereForNoticesTheMutant(t *testing.T) {
	told := Told{Clauses: map[string]string{"SQS-01": "violated", "MIG-14": "held"}, Runs: []Run{
		{Scenario: "tbc-disk-size", Verdict: "failed"}, {Scenario: "order-vm-twice", Verdict: "passed"},
	}}
	assert.Equal(t, []string{"SQS-01", "TBC-01"}, told.Noticing())
	assert.Empty(t, (&Told{}).Noticing())
}

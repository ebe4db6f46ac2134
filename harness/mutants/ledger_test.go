package mutants_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/mutants"
)

func open(t *testing.T, path string) *mutants.Ledger {
	t.Helper()
	l, err := mutants.OpenLedger(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func TestWhatWasFoundOutIsKnownAfterAnInterruption(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "found.jsonl")
	require.NoError(t, open(t, path).Keep("a", mutants.Catch{Name: "one", By: "seed 7"}))
	again := open(t, path)
	var c mutants.Catch
	require.True(t, again.Known("a", &c))
	assert.Equal(t, mutants.Catch{Name: "one", By: "seed 7"}, c)
	assert.False(t, again.Known("b", &c))
}

func TestALineThatWasCutShortIsFoundOutAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "found.jsonl")
	require.NoError(t, open(t, path).Keep("a", true))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(whole, `{"key":"b","fo`...), 0o600))
	l := open(t, path)
	assert.True(t, l.Known("a", new(bool)))
	assert.False(t, l.Known("b", new(bool)))
	require.NoError(t, l.Keep("b", true))
	again := open(t, path)
	assert.True(t, again.Known("a", new(bool)))
	assert.True(t, again.Known("b", new(bool)))
}

func TestAnotherProductOrAnotherRecordIsAnotherFinding(t *testing.T) {
	r := mutants.Record{Name: "one", Edits: []mutants.Edit{{Find: "a", Replace: "b"}}}
	key := mutants.Key("sum", "hunt", &r)
	assert.Equal(t, key, mutants.Key("sum", "hunt", &r))
	assert.NotEqual(t, key, mutants.Key("other", "hunt", &r))
	assert.NotEqual(t, key, mutants.Key("sum", "survey", &r))
	r.Edits[0].Replace = "c"
	assert.NotEqual(t, key, mutants.Key("sum", "hunt", &r))
}

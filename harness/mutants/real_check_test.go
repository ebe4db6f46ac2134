//go:build check

package mutants

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One of each kind of catcher, with the real compiler and the real hdm. All
// mutants are the matter of make mutants.
func TestAMutantIsBuiltCaughtAndRunAgain(t *testing.T) {
	all, err := All()
	require.NoError(t, err)
	b := Builder{Root: "../..", Go: "go"}
	dir := t.TempDir()
	program, sum, err := b.Sound(t.Context(), dir)
	require.NoError(t, err)
	ledger, err := OpenLedger(filepath.Join(dir, "found.jsonl"))
	require.NoError(t, err)
	defer ledger.Close()
	h := Hunt{Builder: b, Sound: Program{Path: program, Dir: dir, Limit: 10 * time.Minute, Workers: 2}, Sum: sum, Ledger: ledger, Limit: 10 * time.Minute, Again: 1}
	for name, by := range map[string]string{
		"nine migrations run at once": "scenario queue-eight-at-once",
		"a torn flush is accepted":    "test core/home.TestWhatIsOutOfOrderIsRefusedAndChangesNothing",
	} {
		i := slices.IndexFunc(all, func(r Record) bool { return r.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		require.NoError(t, h.Control(t.Context(), all[i:i+1]))
		c, err := h.Mutant(t.Context(), 0, &all[i])
		require.NoError(t, err)
		assert.Equal(t, by, c.By, "%+v", c)
		again, err := h.Mutant(t.Context(), 0, &all[i])
		require.NoError(t, err)
		assert.Equal(t, c, again, "it is known, and not looked for again")
	}
}

func TestAMutantThatDoesNotCompileIsAnError(t *testing.T) {
	r := Record{Name: "one", Package: "core/health", File: "health.go", Edits: []Edit{{"func Of(", "func Of)("}}}
	_, err := Builder{Root: "../..", Go: "go"}.Mutant(t.Context(), &r, t.TempDir())
	require.ErrorAs(t, err, new(*RecordError))
	assert.ErrorContains(t, err, "it does not compile")
	r.Edits[0].Replace, r.Notice.Test = "func Of( ", &Test{"core/health", "TestNobodyWroteIt"}
	_, err = Builder{Root: "../..", Go: "go"}.Tests(t.Context(), &r, t.TempDir())
	require.ErrorAs(t, err, new(*RecordError))
	assert.ErrorContains(t, err, "has no test TestNobodyWroteIt")
}

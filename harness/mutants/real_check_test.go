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
	b.Archives, err = b.Archived(t.Context())
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

func TestOnlyAMutantThatOtherPackagesCannotTellFromTheProductIsRelinked(t *testing.T) {
	b := Builder{Root: "../..", Go: "go"}
	_, _, err := b.Sound(t.Context(), t.TempDir())
	require.NoError(t, err)
	b.Archives, err = b.Archived(t.Context())
	require.NoError(t, err)
	within := Record{Name: "within", Package: "core/appliance", File: "report.go", Edits: []Edit{{"p > now.percent {", "p > 100 {"}}}
	seen := Record{Name: "seen", Package: "core/component", File: "watch.go", Edits: []Edit{{"const MissedAfter = 2 *", "const MissedAfter = 3 *"}}}
	wrong := Record{Name: "wrong", Package: "core/component", File: "watch.go", Edits: []Edit{{"const MissedAfter = 2 *", "const MissedAfter = 2 **"}}}
	for r, want := range map[*Record]bool{&within: true, &seen: false, &wrong: false} {
		dir := t.TempDir()
		_, err := b.overlay(r, dir)
		require.NoError(t, err)
		to := filepath.Join(dir, "hdm")
		assert.Equal(t, want, b.relink(t.Context(), r, dir, to), r.Name)
		if want {
			told, err := Program{Path: to, Dir: dir, Limit: time.Minute}.Says(t.Context(), "run", "--only", "cold-running-vm")
			require.NoError(t, err)
			assert.Equal(t, exitBroken, told.Code, told.Log)
		}
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

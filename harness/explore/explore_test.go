package explore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
)

func text(t *testing.T, s *scenario.Scenario) string {
	t.Helper()
	yaml, err := scenario.Format(s)
	require.NoError(t, err)
	return string(yaml)
}

func TestASeedDrawsTheSameScenarioEachTime(t *testing.T) {
	for seed := range uint64(200) {
		require.Equal(t, text(t, Generate(seed)), text(t, Generate(seed)))
	}
	assert.NotEqual(t, text(t, Generate(1)), text(t, Generate(2)), "and another seed another one")
}

func TestEveryScenarioThatIsDrawnCanBeRun(t *testing.T) {
	for seed := range uint64(2000) {
		s := Generate(seed)
		require.NoError(t, s.Check(), "seed %d:\n%s", seed, text(t, s))
	}
}

func TestAScenarioThatIsDrawnReadsBackFromItsFile(t *testing.T) {
	for seed := range uint64(300) {
		yaml := text(t, Generate(seed))
		back, err := scenario.ParseText("drawn.yaml", []byte(yaml))
		require.NoError(t, err, "%s", yaml)
		require.Equal(t, yaml, text(t, back))
	}
}

func TestAScenarioRunsFromItsFileAsItWasDrawn(t *testing.T) {
	for seed := range uint64(6) {
		s := Generate(seed)
		drawn, err := run.One(context.Background(), s, run.Options{})
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "drawn.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text(t, s)), 0o600))
		back, err := scenario.Parse(file)
		require.NoError(t, err)
		again, err := run.One(context.Background(), back, run.Options{})
		require.NoError(t, err)
		assert.Equal(t, drawn.Hash, again.Hash, "seed %d", seed)
		assert.Equal(t, drawn.Violations, again.Violations)
	}
}

// What is drawn is worth running only if it gets to what can go wrong.
func TestWhatIsDrawnHasEverythingInIt(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(2000) {
		s := Generate(seed)
		if len(s.World.Description.OnPremises.VMs) > 8 {
			seen["more VMs than may migrate at once"]++
		}
		if s.World.Description.Links.WAN.Loss > 0 {
			seen["packets that are lost"]++
		}
		if len(s.Expect) > 0 {
			seen["migrations that must complete"]++
		}
		cancels, requests := map[string]int{}, map[string]int{}
		for _, step := range s.Steps {
			if step.Cancel != nil {
				cancels[step.Cancel.VM]++
			}
			if step.Migrate != nil {
				requests[step.Migrate.Request]++
			}
			if step.Migrate != nil && step.When != nil && step.When.Enters == string(migration.Failed) {
				seen["orders given anew"]++
			}
		}
		for _, n := range cancels {
			seen[fmt.Sprintf("cancelled %d times", n)]++
		}
		for _, n := range requests {
			seen[fmt.Sprintf("ordered %d times", n)]++
		}
		for _, f := range s.Faults {
			seen[f.Kind().Name()]++
			if r := f.ApplianceRestart; r != nil && r.CrashPoint != "" {
				seen[string(r.CrashPoint)]++
			}
		}
	}
	for _, what := range []string{
		"more VMs than may migrate at once", "packets that are lost", "migrations that must complete", "orders given anew",
		"cancelled 1 times", "cancelled 2 times", "ordered 2 times",
		"appliance-restart", "wan-down", "call-error", "call-hang", "call-lost", "call-late",
		"before-write", "written-not-synced", "synced-before-effect", "applied-before-completion",
	} {
		assert.Greater(t, seen[what], 20, "%s, in 2,000 seeds", what)
	}
}

func TestAnExplorationRunsEachSeedOnce(t *testing.T) {
	var ran []uint64
	summary, err := Explore(context.Background(), Options{First: 3, Last: 8, Workers: 2, Ended: func(r record.Run) { ran = append(ran, r.Seed) }})
	require.NoError(t, err)
	slices.Sort(ran)
	assert.Equal(t, []uint64{3, 4, 5, 6, 7, 8}, ran)
	assert.Equal(t, 6, summary.Runs)
	assert.Empty(t, summary.Failures)
	assert.Positive(t, summary.VirtualSeconds)
}

// What exploration has found once stays.
func TestEveryRegressionStaysAway(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/regressions/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s, err := scenario.Parse(file)
			require.NoError(t, err)
			r, err := run.One(context.Background(), s, run.Options{})
			require.NoError(t, err)
			assert.Equal(t, record.Passed, r.Verdict, "%v %s", r.Violations, r.Error)
		})
	}
}

package outcome_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/outcome"
	"github.com/hdm-project/hdm/scenarios"
)

func TestTheTableSpeaksOfEveryFaultAtEveryStep(t *testing.T) {
	for _, kind := range faults.Names() {
		for _, c := range outcome.Variants(kind) {
			for _, p := range outcome.Places() {
				v := outcome.Of(c, p)
				if !v.Applies() {
					assert.Empty(t, v.Allowed, "%s at %s does not apply, and may end well", c, p)
					continue
				}
				assert.NotEmpty(t, v.Allowed, "%s at %s", c, p)
				assert.NotEmpty(t, v.Clauses, "%s at %s: who promises it?", c, p)
				for _, o := range v.Allowed {
					assert.True(t, fits(o, p), "%s at %s: %s is nothing that becomes of that", c, p, o)
				}
			}
		}
	}
}

// fits says whether an outcome is one of the kind of place.
func fits(o outcome.Outcome, p outcome.Place) bool {
	switch {
	case o == outcome.Reset:
		return true
	case p.Type == outcome.Idle:
		return o == outcome.Recovers
	case p.Type == outcome.Bound:
		return slices.Contains([]outcome.Outcome{outcome.Stays, outcome.Returns, outcome.ReturnsHurt}, o)
	}
	return o != outcome.Stays && o != outcome.Recovers
}

func TestEachPlaceIsAStepOfItsType(t *testing.T) {
	all := outcome.Places()
	for of, table := range migration.Tables {
		for _, row := range table {
			assert.Contains(t, all, outcome.Place{Type: of, Step: row.Step})
		}
	}
	assert.Contains(t, all, outcome.Place{Type: outcome.Bound})
	assert.Contains(t, all, outcome.Place{Type: outcome.Idle})
}

func TestEveryLineOfTheTableIsReached(t *testing.T) {
	reached := map[string]bool{}
	for _, kind := range faults.Names() {
		for _, c := range outcome.Variants(kind) {
			for _, p := range outcome.Places() {
				reached[outcome.Line(c, p)] = true
			}
		}
	}
	for _, line := range outcome.Lines() {
		assert.True(t, reached[line], "nothing reaches the line: %s", line)
	}
}

func TestTheTableSaysNothingOfWhatIsNoFault(t *testing.T) {
	assert.Panics(t, func() { outcome.Of(outcome.Case{Kind: "earthquake"}, outcome.Place{Type: outcome.Idle}) })
}

func TestTheClausesOfTheTableExist(t *testing.T) {
	for _, kind := range faults.Names() {
		for _, c := range outcome.Variants(kind) {
			for _, p := range outcome.Places() {
				for _, id := range outcome.Of(c, p).Clauses {
					_, known := scenarios.FindClause(id)
					assert.True(t, known, "%s at %s cites %s", c, p, id)
				}
			}
		}
	}
}

func TestThePageIsPrintedFromTheTable(t *testing.T) {
	const page = "../../docs/outcomes.md"
	var want strings.Builder
	require.NoError(t, outcome.Print(&want))
	if os.Getenv("PRINT_OUTCOMES") != "" {
		require.NoError(t, os.WriteFile(page, []byte(want.String()), 0o644))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, want.String(), string(got), "make outcomes prints it anew")
}

func TestAnOutageIsHeldAgainstFiveMinutesAsExactlyAsItCanBeTold(t *testing.T) { // WAN-01, WAN-02
	for _, c := range []struct {
		lasts     time.Duration
		direction faults.Direction
		of        string
	}{
		{299 * time.Second, faults.Both, outcome.Short},
		{300 * time.Second, faults.Both, outcome.Edge},
		{330 * time.Second, faults.Both, outcome.Long},
		{330 * time.Second, faults.ToPremises, outcome.Long},
		{299 * time.Second, faults.ToCloud, outcome.Short},
		{330 * time.Second, faults.ToCloud, outcome.Edge}, // nobody is silent: who asks finds out
		{8 * time.Minute, faults.ToCloud, outcome.Long},
	} {
		f := faults.Fault{WANDown: &faults.WANDown{For: faults.Span(c.lasts), Direction: c.direction}}
		assert.Equal(t, outcome.Case{Kind: "wan-down", Of: c.of}, outcome.CaseOf(f), "%v %s", c.lasts, c.direction)
	}
}

package mutants_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/mutants"
)

func TestTheMatrixNamesTheClausesThatNoticeNothing(t *testing.T) {
	m := mutants.Matrix{
		Clauses: []string{"A-1", "A-2", "A-3"},
		Seen: []mutants.Sighting{
			{Name: "first | wide", Violated: []string{"A-1", "A-3"}, Failed: []string{"x", "y"}},
			{Name: "second", Violated: []string{"A-3"}, Failed: []string{"x"}, Hung: true},
			{Name: "third", Of: []string{"x", "y"}},
		},
		Left: []string{"fourth"},
	}
	assert.Equal(t, []string{"A-2"}, m.Idle())
	assert.Equal(t, []string{"first | wide", "second"}, m.By("A-3"))
	var b strings.Builder
	require.NoError(t, m.Write(&b))
	for _, want := range []string{
		"2 of 3 mutants that were run are noticed by what was run; 2 of 3 clauses notice at least one.",
		"Clauses that notice none: A-2.", "Not run: 1 mutants.", "Made with the tree at hand.",
		"| A-1 | 1 | first \\| wide |\n| A-2 | 0 |  |\n| A-3 | 2 | second |\n",
		"| first \\| wide | 2 | A-1 A-3 |\n| second | 1 until the limit | A-3 |\n| third | 0 of 2 |  |\n| fourth | not run | |\n",
	} {
		assert.Contains(t, b.String(), want)
	}
}

package mutants_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/mutants"
)

// root is the module's folder, seen from the package's.
const root = "../.."

// A mutant whose text has gone from the product shows nothing any more. That it
// compiles is seen when it is built.
func TestEveryRecordFitsTheProductAsItIs(t *testing.T) {
	all, err := mutants.All()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(all), 60)
	for _, r := range all {
		_, err := r.Apply(root)
		assert.NoError(t, err)
	}
}

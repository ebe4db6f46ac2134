package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// worlds are those that come with the scenarios.
func worlds(t testing.TB) map[string]Description {
	t.Helper()
	files, err := filepath.Glob("../../scenarios/worlds/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]Description{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		d, err := decodeStrict(string(text))
		require.NoError(t, err, f)
		all[strings.TrimSuffix(filepath.Base(f), ".yaml")] = d
	}
	return all
}

func TestEveryWorldOfTheScenariosCanBeBuiltAndSaysWhatItIs(t *testing.T) {
	for name, d := range worlds(t) {
		assert.NoError(t, d.Validate(), name)
		assert.NotEmpty(t, d.Title, name)
	}
}

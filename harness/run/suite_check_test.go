//go:build check

package run_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/reports/record"
)

// TestTheWholeSuiteGivesTheHashesOfThePlainProgram compares this test's program,
// which the race detector may be in, with one that is built plainly; and many
// processors and workers with one.
func TestTheWholeSuiteGivesTheHashesOfThePlainProgram(t *testing.T) {
	want := printed(t)
	all := embedded(t)
	require.Len(t, want, len(all))
	assert.Equal(t, want, hashes(t, all, 4, 4))
}

// printed are the hashes that the program itself prints, on one processor.
func printed(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "hdm")
	build := exec.Command("go", "build", "-o", program, "../../cmd/hdm")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program, "run", "--format", "json", "--workers", "1", "--out", filepath.Join(dir, "out"))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", stderr.String())
	var suite struct{ Runs []record.Run }
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &suite))
	found := map[string]string{}
	for _, r := range suite.Runs {
		found[r.Scenario] = r.Hash
	}
	return found
}

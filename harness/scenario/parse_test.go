package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/strictyaml"
)

func TestAFileThatIsNotThereSaysSo(t *testing.T) {
	_, err := Parse(filepath.Join(t.TempDir(), "none.yaml"))
	assert.ErrorContains(t, err, "none.yaml: it cannot be read: no such file")
}

func TestAWorldInAFileBesideTheScenarioIsFoundAndItsErrorsAreToldThere(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	file := write("s.yaml", strings.Replace(good, "world: small", "world: w.yaml", 1))
	write("w.yaml", "on-premises:\n  vms: [{name: db-01}]\n")
	_, err := Parse(file)
	require.NoError(t, err)
	write("w.yaml", "on-premises:\n  vms: [{name: db-01, cpus: many}]\n")
	_, err = Parse(file)
	assert.ErrorContains(t, err, filepath.Join(dir, "w.yaml")+`:2:29: "many" is not a whole number`)
	write("w.yaml", "on-premises:\n  vms: [{name: db-01, cpus: 0.5}]\n")
	_, err = Parse(file)
	assert.ErrorContains(t, err, filepath.Join(dir, "w.yaml")+":2:29: ")
	write("w.yaml", "on-premises:\n  vms: [{name: db-01, cpus: 5000}]\n")
	_, err = Parse(file)
	assert.ErrorContains(t, err, filepath.Join(dir, "w.yaml")+":2:29: ")
	write("w.yaml", "on-premises:\n  vms:\n    - {name: db-01, tools-late: {boots: 2,\n        never: true}}\n")
	_, err = Parse(file)
	assert.ErrorContains(t, err, filepath.Join(dir, "w.yaml")+":4:16: ")
	write("w.yaml", "on-premises:\n  vms:\n    - {name: db-01, workload: {kind: trace,\n        reads: 30}}\n")
	_, err = Parse(file)
	assert.ErrorContains(t, err, filepath.Join(dir, "w.yaml")+":4:16: ")
}

func TestOnlyRegularFilesOfReasonableSizeAreRead(t *testing.T) {
	dir := t.TempDir()
	_, err := Parse(os.DevNull) // as /dev/zero, which has no end, or a pipe, on which nobody writes
	require.ErrorContains(t, err, "it is no regular file")
	_, err = Parse(dir)
	require.ErrorContains(t, err, "it is no regular file")
	long := filepath.Join(dir, "long.yaml")
	require.NoError(t, os.WriteFile(long, nil, 0o600))
	require.NoError(t, os.Truncate(long, 1<<40))
	_, err = Parse(long)
	require.ErrorContains(t, err, "more than 4194304 bytes")
	text, err := read(long)
	require.NoError(t, err)
	require.Len(t, text, strictyaml.MaxBytes+1, "no more is read than shows that")
	s := filepath.Join(dir, "s.yaml")
	require.NoError(t, os.Symlink(os.DevNull, filepath.Join(dir, "w.yaml")))
	require.NoError(t, os.WriteFile(s, []byte(strings.Replace(good, "world: small", "world: w.yaml", 1)), 0o600))
	_, err = Parse(s)
	require.ErrorContains(t, err, "w.yaml cannot be read: it is no regular file")
}

func TestAWorldThatAScenarioNamesIsNoScenario(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		"a.yaml":     "world: sub/w.yaml\n",
		"broken":     "world: [\n",
		"none.yaml":  "title: x\n",
		"own.yaml":   "world: {title: own}\n",
		"sub/w.yaml": "on-premises: {}\n",
		"w.yaml":     "world: tiny\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path(name)), 0o700))
		require.NoError(t, os.WriteFile(path(name), []byte(text), 0o600))
	}
	all := []string{path("a.yaml"), path("broken"), path("gone.yaml"), path("none.yaml"), path("own.yaml"), path("sub/w.yaml"), path("w.yaml")}
	want := []string{path("a.yaml"), path("broken"), path("gone.yaml"), path("none.yaml"), path("own.yaml"), path("w.yaml")}
	assert.Equal(t, want, WithoutWorlds(all))
}

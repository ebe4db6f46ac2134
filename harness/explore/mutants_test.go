//go:build check

package explore_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seeds are those in which every mutant has to be found, and the product as it
// is breaks no promise.
const seeds = "1-1000"

// root is the module's folder, seen from the package's.
const root = "../.."

// A mutant whose text has gone from the product shows nothing any more.
func TestEveryMutantFitsTheProductAsItIs(t *testing.T) {
	for _, m := range slices.Concat(mutants, cloudMutants) {
		t.Run(m.name, func(t *testing.T) { mutate(t, &m) })
	}
}

func TestEveryMutantOfTheProductIsFoundByExploration(t *testing.T) {
	sound := build(t, nil)
	t.Run("the product as it is breaks no promise", func(t *testing.T) {
		code, out := hdm(t, sound, t.TempDir(), "explore", "--seeds", seeds)
		require.Equal(t, 0, code, "%s", out)
	})
	for _, m := range slices.Concat(mutants, cloudMutants) {
		t.Run(m.name, func(t *testing.T) {
			mutant, dir := build(t, &m), t.TempDir()
			code, out := hdm(t, mutant, dir, "explore", "--seeds", seeds)
			require.Equal(t, 1, code, "%s: %s, and no seed shows it\n%s", m.file, m.matters, out)
			found := read(t, out)
			t.Logf("seed %s: %s", found.seed, strings.Join(found.oracles(), ", "))
			assert.Subset(t, append(slices.Clone(m.oracles), "expect"), found.oracles()[:1], "%s", out)

			code, out = hdm(t, mutant, dir, "replay", found.file)
			assert.Equal(t, 1, code, "%s", out)
			again := read(t, out)
			assert.Equal(t, found.hash, again.hash, "the file that was kept replays to the same trace")
			assert.Equal(t, found.violations, again.violations, "and to the same violations")

			code, out = hdm(t, sound, dir, "replay", found.file)
			assert.Equal(t, 0, code, "without the mutation it breaks no promise:\n%s", out)
		})
	}
}

// build builds hdm, with a mutation if there is one, and returns the program.
// The tree stays as it is: the compiler is shown another file in its place.
func build(t *testing.T, m *mutant) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "hdm")
	args := []string{"build", "-o", program}
	if m != nil {
		args = append(args, "-overlay", overlay(t, dir, m))
	}
	cmd := exec.Command("go", append(args, "./cmd/hdm")...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// mutate returns the file that is mutated, and what becomes of its text.
func mutate(t *testing.T, m *mutant) (file, text string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(root, m.file))
	require.NoError(t, err)
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	text = string(source)
	for _, e := range m.edits {
		require.Equal(t, 1, strings.Count(text, e.old), "the mutant is stale: %s must have this exactly once:\n%s", m.file, e.old)
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return file, text
}

func overlay(t *testing.T, dir string, m *mutant) string {
	t.Helper()
	file, text := mutate(t, m)
	mutated, list := filepath.Join(dir, "mutated.go"), filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(mutated, []byte(text), 0o600))
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{file: mutated}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(list, replace, 0o600))
	return list
}

// hdm runs a program that was built, and returns its exit code and what it
// printed.
func hdm(t *testing.T, program, dir string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	var log strings.Builder
	cmd.Stderr = &log
	stdout, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode(), string(stdout) + log.String()
	}
	require.NoError(t, err)
	return 0, string(stdout)
}

// failure is what hdm prints of a run that failed.
type failure struct {
	seed, hash, file string
	violations       []violation
}

type violation struct{ oracle, at, what string }

func (f *failure) oracles() []string {
	var all []string
	for _, v := range f.violations {
		if !slices.Contains(all, v.oracle) {
			all = append(all, v.oracle)
		}
	}
	return all
}

var (
	hashForm      = regexp.MustCompile(`(?m)^FAILED .* ([0-9a-f]{16})$`)
	replayForm    = regexp.MustCompile(`(?m)^  replay: (?:.* )?replay (\S+)$`)
	violationForm = regexp.MustCompile(`(?m)^VIOLATED (\S+)(?: \S+)*  scenario=\S+ seed=(\d+) t=(\S+)\n((?:  .*\n)*)`)
)

func read(t *testing.T, out string) failure {
	t.Helper()
	hash, file := hashForm.FindStringSubmatch(out), replayForm.FindStringSubmatch(out)
	require.NotNil(t, hash, "%s", out)
	require.NotNil(t, file, "%s", out)
	f := failure{hash: hash[1], file: file[1]}
	for _, v := range violationForm.FindAllStringSubmatch(out, -1) {
		what, _, _ := strings.Cut(v[4], "  replay: ")
		f.seed = v[2]
		f.violations = append(f.violations, violation{v[1], v[3], what})
	}
	require.NotEmpty(t, f.violations, "no oracle has seen it:\n%s", out)
	return f
}

package mutants

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sound = `- name: a step is forgotten
  package: core/x
  file: x.go
  edits:
    - {find: "a", replace: ""}
  matters: it is not done
  notice:
    scenarios: [cold-running-vm]
    clauses: [COLD-01]
`

func read(text string) ([]Record, error) {
	return load(fstest.MapFS{"records/some.yaml": {Data: []byte(text)}})
}

func TestARecordSaysWhatIsWrongAndWhatNoticesIt(t *testing.T) {
	all, err := read(sound)
	require.NoError(t, err)
	assert.Equal(t, []Record{{
		Name: "a step is forgotten", Package: "core/x", File: "x.go", Edits: []Edit{{"a", ""}}, Matters: "it is not done",
		Notice: Notice{Scenarios: []string{"cold-running-vm"}, Clauses: []string{"COLD-01"}},
	}}, all)
}

func TestARecordThatCannotBeIsRefused(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"an unknown key", "matters:", "mattered:", "field mattered not found"},
		{"an unknown scenario", "cold-running-vm", "warm-running-vm", `there is no scenario "warm-running-vm"`},
		{"an unknown clause", "COLD-01", "COLD-99", `there is no clause "COLD-99"`},
		{"nothing to notice it", "scenarios: [cold-running-vm]\n    clauses: [COLD-01]", "seeds: ''", "nothing is to notice it"},
		{"a clause that no scenario covers", "scenarios: [cold-running-vm]\n    clauses: [COLD-01]", "clauses: [BED-06]", "nothing is to notice it"},
		{"no seeds", "scenarios:", "seeds: many\n    scenarios:", `"many" are no seeds`},
		{"a test file", "file: x.go", "file: x_test.go", "x_test.go is not to be changed"},
		{"a file elsewhere", "file: x.go", "file: ../x.go", "../x.go is not to be changed"},
		{"no edit", "  edits:\n    - {find: \"a\", replace: \"\"}\n", "", "something is missing"},
		{"a test without a name", "    scenarios:", "    test: {package: core/x, name: ''}\n    scenarios:", "its test is not named"},
		{"two of one name", sound, sound + sound, "another record has that name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Contains(t, sound, test.old)
			_, err := read(strings.Replace(sound, test.old, test.new, 1))
			require.ErrorAs(t, err, new(*RecordError))
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestAClauseStandsForTheScenariosThatCoverIt(t *testing.T) {
	n := Notice{Clauses: []string{"COLD-01", "TBC-01"}}
	assert.Equal(t, []string{"cold-running-vm", "tbc-and-back", "tbc-disk-size"}, n.First())
	n.Scenarios = []string{"real-40"}
	assert.Equal(t, []string{"real-40"}, n.First(), "but those that are named come first")
	n = Notice{Clauses: []string{"MIG-13"}}
	assert.Len(t, n.First(), mostCovering)
}

func TestARecordThatNoLongerAppliesIsAnError(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "core", "x"), 0o755))
	file := filepath.Join(dir, "core", "x", "x.go")
	tests := []struct{ name, text, find, replace, want string }{
		{"the text has gone", "bcd", "a", "e", "0 times, not once"},
		{"the text is there twice", "aba", "a", "e", "2 times, not once"},
		{"nothing is looked for", "abc", "", "e", "not once"},
		{"nothing is changed", "abc", "a", "a", "changes nothing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(file, []byte(test.text), 0o600))
			r := Record{Name: "one", Package: "core/x", File: "x.go", Edits: []Edit{{test.find, test.replace}}}
			_, err := r.Apply(dir)
			require.ErrorAs(t, err, new(*RecordError))
			assert.ErrorContains(t, err, test.want)
		})
	}
	require.NoError(t, os.WriteFile(file, []byte("abc"), 0o600))
	r := Record{Name: "one", Package: "core/x", File: "x.go", Edits: []Edit{{"b", "x"}, {"xc", "y"}}}
	text, err := r.Apply(dir)
	require.NoError(t, err)
	assert.Equal(t, "ay", text, "one edit after the other")
	r.File = "gone.go"
	_, err = r.Apply(dir)
	assert.ErrorContains(t, err, "the product has no core/x/gone.go")
}

func TestWhatStandsBelowAnEditKeepsItsLine(t *testing.T) {
	tests := []struct{ name, text, find, replace, want string }{
		{"lines are taken away", "a\nb\nc\nd", "b\nc\n", "", "a\n\n\nd"},
		{"up to the end of one", "a\nb\nc\nd", "b\nc", "x", "a\nx\n\nd"},
		{"up to within one, where a line more could end a statement", "a\nb\ncd", "b\nc", "x", "a\nxd"},
		{"lines are added", "a\nd", "a", "b\nc", "b\nc\nd"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "x.go"), []byte(test.text), 0o600))
			r := Record{Name: "one", Package: ".", File: "x.go", Edits: []Edit{{test.find, test.replace}}}
			text, err := r.Apply(dir)
			require.NoError(t, err)
			assert.Equal(t, test.want, text)
		})
	}
}

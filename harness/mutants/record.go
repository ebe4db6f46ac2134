// Package mutants plants mistakes in the product, one at a time, and has the
// conformance scenarios, exploration or a test notice each.
//
// It decides how a mistake is written down and applied, in which order it is
// looked for, and what counts as noticing it. It never judges a run: hdm does,
// by its exit code and its violations. A mistake is a record of texts to find
// and what to put in their place. The compiler is shown another file instead of
// the product's (go build -overlay), so that the tree carries no trace; and a
// record that no longer applies is an error, not a mutant that nobody misses.
//
//	records/*.yaml --> Record --> Builder: hdm with the mistake
//	                                |
//	            Hunt: named scenarios, then seeds or a test, until one breaks
//	            Survey: the whole suite --> which clauses would have noticed --> Matrix
//
// Read this file, then build.go, run.go (what hdm says), hunt.go and survey.go.
package mutants

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/hdm-project/hdm/scenarios"
)

//go:embed records/*.yaml
var files embed.FS

// Record is a mistake that somebody could make in the product.
type Record struct {
	Name    string `yaml:"name"`    // what is wrong, in words
	Package string `yaml:"package"` // its folder, below the module's
	File    string `yaml:"file"`    // in that folder
	Edits   []Edit `yaml:"edits"`
	Matters string `yaml:"matters"` // what it does to a user
	Notice  Notice `yaml:"notice"`
}

// Edit replaces a text that the file has exactly once.
type Edit struct {
	Find    string `yaml:"find"`
	Replace string `yaml:"replace"`
}

// Notice is what should notice the mistake: scenarios first, those that are named
// or else those that cover one of the clauses; if they do not, the seeds of an
// exploration, or a test where no run can show it.
type Notice struct {
	Scenarios []string `yaml:"scenarios,omitempty"`
	// Together: they are compared with each other, and run in one go.
	Together bool     `yaml:"together,omitempty"`
	Clauses  []string `yaml:"clauses,omitempty"` // of which one is broken
	Seeds    string   `yaml:"seeds,omitempty"`   // "A-B", as hdm explore takes them
	Test     *Test    `yaml:"test,omitempty"`
}

// Test is a test function of a package below the module's folder.
type Test struct {
	Package string `yaml:"package"`
	Name    string `yaml:"name"`
}

// RecordError says what is wrong with a record, and what to do about it.
type RecordError struct {
	Where string // the file that holds it, and its name if it has one
	What  string
	Fix   string
}

func (e *RecordError) Error() string { return fmt.Sprintf("%s: %s; %s", e.Where, e.What, e.Fix) }

// MaxRecords bounds how many there are: each costs a build and some runs.
const MaxRecords = 500

// All are the project's records, file by file. Every problem is a *RecordError,
// joined.
func All() ([]Record, error) { return load(files) }

func load(from fs.FS) ([]Record, error) {
	paths, err := fs.Glob(from, "records/*.yaml")
	if err != nil {
		panic(fmt.Sprintf("mutants: %v", err)) // the pattern is ours
	}
	var all []Record
	var wrong []error
	names := map[string]bool{}
	for _, p := range paths {
		text, err := fs.ReadFile(from, p)
		if err != nil {
			return nil, fmt.Errorf("reading the records of mutants: %w", err)
		}
		read, err := decode(path.Base(p), text)
		wrong = append(wrong, err)
		for _, r := range read {
			wrong = append(wrong, r.check(path.Base(p)))
			if names[r.Name] {
				wrong = append(wrong, &RecordError{path.Base(p) + ": " + r.Name, "another record has that name", "say what differs"})
			}
			names[r.Name] = true
		}
		all = append(all, read...)
	}
	if len(all) > MaxRecords {
		wrong = append(wrong, &RecordError{"records", fmt.Sprintf("there are %d, more than %d", len(all), MaxRecords), "leave out those that say the same"})
	}
	return all, errors.Join(wrong...)
}

// decode reads a file of records. Their texts have tabs and lines, and may be
// empty, so that this is plain YAML without unknown keys.
func decode(file string, text []byte) ([]Record, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var all []Record
	if err := d.Decode(&all); err != nil {
		return nil, &RecordError{file, strings.TrimPrefix(err.Error(), "yaml: "), "see type Record for what a record is"}
	}
	return all, nil
}

// seedsForm is how hdm explore takes a range of seeds.
var seedsForm = regexp.MustCompile(`^[0-9]+-[0-9]+$`)

// check holds a record against the catalogue and the suite. Whether it fits the
// product is told by Apply.
func (r *Record) check(file string) error {
	where := file + ": " + r.Name
	var wrong []error
	refuse := func(fix, format string, args ...any) {
		wrong = append(wrong, &RecordError{where, fmt.Sprintf(format, args...), fix})
	}
	n := &r.Notice
	if r.Name == "" || r.Package == "" || r.File == "" || r.Matters == "" || len(r.Edits) == 0 {
		refuse("give it a name, package and file, edits, and what it matters to a user", "something is missing")
	}
	if n.Test != nil && (n.Test.Package == "" || n.Test.Name == "") {
		refuse("give the test's package and name", "its test is not named")
	}
	if len(n.First()) == 0 && n.Seeds == "" && n.Test == nil {
		refuse("name a scenario, a clause that one covers, seeds or a test", "nothing is to notice it")
	}
	for _, s := range n.Scenarios {
		if !slices.Contains(scenarios.Conformance(), "conformance/"+s+".yaml") {
			refuse("name one of scenarios/conformance", "there is no scenario %q", s)
		}
	}
	for _, id := range n.Clauses {
		if _, ok := scenarios.FindClause(id); !ok {
			refuse("see hdm explain", "there is no clause %q", id)
		}
	}
	if n.Seeds != "" && !seedsForm.MatchString(n.Seeds) {
		refuse("write A-B", "%q are no seeds", n.Seeds)
	}
	if strings.ContainsAny(r.File, `/\`) || strings.HasSuffix(r.File, "_test.go") {
		refuse("name a file of the product, and its folder as package", "%s is not to be changed", r.File)
	}
	return errors.Join(wrong...)
}

// mostCovering bounds the scenarios that are run because of what they cover.
const mostCovering = 12

// First are the scenarios that should notice it, in the order in which they are
// run.
func (n *Notice) First() []string {
	if len(n.Scenarios) > 0 {
		return n.Scenarios
	}
	var all []string
	for _, id := range n.Clauses {
		for _, s := range covering()[id] {
			if !slices.Contains(all, s) && len(all) < mostCovering {
				all = append(all, s)
			}
		}
	}
	return all
}

// covering are the scenarios of the suite by the clauses that they cover, in part
// or whole.
var covering = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	for _, p := range scenarios.Conformance() {
		text, err := scenarios.FS.ReadFile(p)
		if err != nil {
			panic(fmt.Sprintf("mutants: %v", err)) // it is embedded
		}
		var s struct {
			Covers []string `yaml:"covers"`
		}
		if err := yaml.Unmarshal(text, &s); err != nil {
			panic(fmt.Sprintf("mutants: %s: %v", p, err)) // tests read it
		}
		for _, c := range s.Covers {
			id, _, _ := strings.Cut(c, "/")
			name := strings.TrimSuffix(path.Base(p), ".yaml")
			if !slices.Contains(all[id], name) {
				all[id] = append(all[id], name)
			}
		}
	}
	return all
})

// Path of the file that is changed, below the module's folder.
func (r *Record) Path() string { return path.Join(r.Package, r.File) }

// Apply returns the file's text with the mistake in it. A record that does not
// fit the product any more is a *RecordError.
func (r *Record) Apply(root string) (string, error) {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(r.Path())))
	if errors.Is(err, fs.ErrNotExist) {
		return "", &RecordError{r.Name, "the product has no " + r.Path(), "name the file that has the text now"}
	}
	if err != nil {
		return "", fmt.Errorf("reading what %q changes: %w", r.Name, err)
	}
	text := string(source)
	for i, e := range r.Edits {
		switch n := strings.Count(text, e.Find); {
		case e.Find == "" || n != 1:
			return "", &RecordError{r.Name, fmt.Sprintf("%s has the text of edit %d %d times, not once:\n%s", r.Path(), i+1, n, e.Find), "fit the record to the product, or remove it"}
		case e.Find == e.Replace:
			return "", &RecordError{r.Name, fmt.Sprintf("edit %d changes nothing", i+1), "say what is wrong in the mutant"}
		}
		text = strings.Replace(text, e.Find, e.inPlace(text), 1)
	}
	return text, nil
}

// inPlace is what replaces a text, with empty lines in place of those that go, so
// that what stands below keeps its line: packages are compiled against where
// things are declared (see Archives).
func (e *Edit) inPlace(text string) string {
	_, after, _ := strings.Cut(text, e.Find)
	gone := strings.Count(e.Find, "\n") - strings.Count(e.Replace, "\n")
	if gone <= 0 || !strings.HasSuffix(e.Find, "\n") && !strings.HasPrefix(after, "\n") {
		return e.Replace
	}
	return e.Replace + strings.Repeat("\n", gone)
}

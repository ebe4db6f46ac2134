// Package scenarios holds the project's YAML: the promise catalogue, the
// worlds, and the scenarios that check the promises.
//
// It decides nothing: it embeds the files, so that the program needs none beside
// it, and reads the catalogue and the ledger of how the guide's gaps are settled. See CONTRIBUTING.md on adding a scenario, and
// package harness/scenario for what one can say.
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// FS holds clauses.yaml, conformance/*.yaml and worlds/*.yaml.
//
//go:embed clauses.yaml conformance/*.yaml worlds/*.yaml
var FS embed.FS

// Ambiguity is a question that the guide leaves open, or answers twice, and how it
// is settled here.
type Ambiguity struct{ ID, Question, Settled, Why string }

//go:embed ambiguities.md
var ledger string

// Ambiguities is the ledger: the rows of the table in ambiguities.md, in order.
func Ambiguities() []Ambiguity {
	var all []Ambiguity
	for line := range strings.Lines(ledger) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) == 4 && strings.HasPrefix(strings.TrimSpace(cells[0]), "A-") {
			all = append(all, Ambiguity{strings.TrimSpace(cells[0]), cells[1], cells[2], strings.TrimSpace(cells[3])})
		}
	}
	return all
}

// Clause is one promise of the guide that can be checked. The head of
// clauses.yaml says what each field means.
type Clause struct {
	ID    string `yaml:"id"`
	Guide string `yaml:"guide"`
	Must  string `yaml:"must"`
	See   string `yaml:"see"`
	How   How    `yaml:"how"`
	// Needs are the facts that a run must establish to show it; without any, this
	// version cannot show it.
	Needs []string `yaml:"needs,omitempty"`
	Parts []Part   `yaml:"parts,omitempty"`
}

// How a clause is shown to hold.
type How string

// The ways.
const (
	ByScenario How = "scenario"
	ByProperty How = "property"
	ByFamily   How = "family"
	BySurface  How = "surface"
)

// Part of a clause that is shown apart.
type Part struct {
	ID   string `yaml:"id"`
	What string `yaml:"what"`
	// Needs are as those of a clause.
	Needs []string `yaml:"needs,omitempty"`
}

// Needed are the facts that a run must establish to show the clause, or the part
// of it; none if this version cannot show it.
func (c Clause) Needed(part string) []string {
	if part == "" {
		return slices.Clone(c.Needs)
	}
	p, _ := c.Part(part)
	return slices.Clone(p.Needs)
}

// Part is the part of that id.
func (c Clause) Part(id string) (Part, bool) {
	i := slices.IndexFunc(c.Parts, func(p Part) bool { return p.ID == id })
	if i < 0 {
		return Part{}, false
	}
	return c.Parts[i], true
}

var catalogue = sync.OnceValue(func() []Clause {
	text, err := FS.ReadFile("clauses.yaml")
	if err != nil {
		panic(fmt.Sprintf("scenarios: %v", err)) // it is embedded
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	var all []Clause
	if err := dec.Decode(&all); err != nil {
		panic(fmt.Sprintf("scenarios: clauses.yaml: %v", err)) // a test reads it
	}
	return all
})

// Clauses is the promise catalogue, in its own order.
func Clauses() []Clause { return slices.Clone(catalogue()) }

// FindClause finds a clause by its id.
func FindClause(id string) (Clause, bool) {
	all := catalogue()
	i := slices.IndexFunc(all, func(c Clause) bool { return c.ID == id })
	if i < 0 {
		return Clause{}, false
	}
	return all[i], true
}

// Conformance are the paths in FS of all conformance scenarios, sorted.
func Conformance() []string { return glob("conformance/*.yaml") }

// Worlds are the names of all embedded worlds, sorted.
func Worlds() []string {
	var names []string
	for _, p := range glob("worlds/*.yaml") {
		names = append(names, strings.TrimSuffix(path.Base(p), ".yaml"))
	}
	return names
}

// World is the text of an embedded world, and its path in FS.
func World(name string) (file string, text []byte, err error) {
	if !slices.Contains(Worlds(), name) {
		return "", nil, fmt.Errorf("there is no world %q; use one of %s", name, strings.Join(Worlds(), ", "))
	}
	file = "worlds/" + name + ".yaml"
	text, err = FS.ReadFile(file)
	return file, text, err
}

func glob(pattern string) []string {
	paths, err := fs.Glob(FS, pattern)
	if err != nil {
		panic(fmt.Sprintf("scenarios: %v", err)) // the patterns are ours
	}
	slices.Sort(paths)
	return paths
}

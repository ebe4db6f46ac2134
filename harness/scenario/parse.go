package scenario

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hdm-project/hdm/harness/strictyaml"
	"github.com/hdm-project/hdm/scenarios"
	"github.com/hdm-project/hdm/sim/site"
)

// Error is something wrong with a scenario file, or with a world that it names.
type Error struct {
	File         string
	Line, Column int // 0 if the whole file is meant
	What         string
	Fix          string
}

func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	return fmt.Sprintf("%s: %s\n    %s", where, e.What, e.Fix)
}

// Parse reads a scenario file. Every error it finds is an *Error; they come
// joined, in the order of the file.
func Parse(file string) (*Scenario, error) { return reading{}.file(file) }

// ParseOn is Parse with that site on premises, if not nil, in place of what the
// file says of it; the scenario keeps its own cloud and links.
func ParseOn(file string, onPremises *site.Site) (*Scenario, error) {
	return reading{onPremises: onPremises}.file(file)
}

// ReadServed is ParseOn for a world that is served: see ParseServed.
func ReadServed(file string, onPremises *site.Site) (*Scenario, error) {
	return reading{onPremises: onPremises, served: true}.file(file)
}

// reading is how a scenario is read.
type reading struct {
	onPremises *site.Site // in place of the scenario's, if not nil
	served     bool       // it needs no steps
}

func (r reading) file(file string) (*Scenario, error) {
	text, err := read(file)
	if err != nil {
		return nil, &Error{File: file, What: "it cannot be read: " + err.Error(), Fix: "give the path of a scenario file, or of a folder of them"}
	}
	return r.text(file, text)
}

// read is the text of a file, or enough of it to see that it is too long. What
// is no file may have no end, or keep one waiting for ever.
func read(name string) (text []byte, err error) {
	defer func() {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err // the message names the file already
		}
	}()
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, strictyaml.MaxBytes+1))
}

// WithoutWorlds are the files less those that one of them names as its world:
// a world may lie beside the scenario that it is for.
func WithoutWorlds(files []string) []string {
	worlds := map[string]bool{}
	for _, file := range files {
		text, err := read(file)
		if err != nil {
			continue // whoever parses it says so
		}
		root, problem := strictyaml.Parse(text)
		if problem != nil {
			continue
		}
		if world := site.Locate(root, "world"); world != root && world.Kind == yaml.ScalarNode && strings.HasSuffix(world.Value, worldEnding) {
			worlds[filepath.Join(filepath.Dir(file), world.Value)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(files), func(file string) bool { return worlds[filepath.Clean(file)] })
}

// worldEnding tells the name of a file from that of a world of the program.
const worldEnding = ".yaml"

// Embedded are the conformance scenarios that come with the program, sorted by
// their paths.
func Embedded() ([]*Scenario, error) {
	var all []*Scenario
	var errs []error
	for _, file := range scenarios.Conformance() {
		text, err := scenarios.FS.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("scenario: reading the embedded %s: %w", file, err)
		}
		s, err := ParseText("scenarios/"+file, text)
		all, errs = append(all, s), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// ParseText is Parse of text that stands in file.
func ParseText(file string, text []byte) (*Scenario, error) { return reading{}.text(file, text) }

// ParseServed is ParseText for a world that is served: people act in it, so that
// it needs no steps.
func ParseServed(file string, text []byte) (*Scenario, error) {
	return reading{served: true}.text(file, text)
}

func (r reading) text(file string, text []byte) (*Scenario, error) {
	root, problem := strictyaml.Parse(text)
	if problem != nil {
		return nil, located(file, problem)
	}
	s := &Scenario{file: file, root: root, served: r.served}
	if problems := strictyaml.Decode(root, s); len(problems) > 0 {
		return nil, located(file, problems...)
	}
	if err := s.Load(); err != nil {
		return nil, err
	}
	if r.onPremises != nil {
		s.World.Name, s.World.Description.OnPremises = "", *r.onPremises
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

func located(file string, problems ...*strictyaml.Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = &Error{File: file, Line: p.Line, Column: p.Column, What: p.What, Fix: p.Fix}
	}
	return errors.Join(errs...)
}

// Load reads the named world, if there is a name, into the description: one
// that comes with the program or, if the name ends in .yaml, a file beside the
// scenario. ParseText has done so; scenarios that are made rather than read need
// it.
func (s *Scenario) Load() error {
	if s.World.Name == "" {
		return nil
	}
	name := s.World.Name
	file, text, err := "", []byte(nil), error(nil)
	if strings.HasSuffix(name, worldEnding) {
		file = filepath.Join(filepath.Dir(s.file), name)
		if text, err = read(file); err != nil {
			err = fmt.Errorf("%s cannot be read: %w", file, err)
		}
	} else {
		file, text, err = scenarios.World(name)
		file = "scenarios/" + file
	}
	if err != nil {
		return s.at("world", err.Error(), "name a world of the program, or a file that ends in .yaml beside the scenario, or describe the world here")
	}
	root, problem := strictyaml.Parse(text)
	if problem != nil {
		return located(file, problem)
	}
	s.World.Description = site.Description{}
	if problems := strictyaml.Decode(root, &s.World.Description); len(problems) > 0 {
		return located(file, problems...)
	}
	if err := s.World.Description.Validate(); err != nil {
		return worldErrors(err, func(p *site.PathError) error {
			at := site.Locate(root, p.Path)
			return &Error{File: file, Line: at.Line, Column: at.Column, What: p.Path + ": " + p.What, Fix: p.Fix}
		})
	}
	return nil
}

// worldErrors makes errors with a place of all *site.PathErrors in err.
func worldErrors(err error, place func(*site.PathError) error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		var p *site.PathError
		if errors.As(err, &p) {
			return place(p)
		}
		return err
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, worldErrors(e, place))
	}
	return errors.Join(errs...)
}

// at makes an Error about a path of this scenario.
func (s *Scenario) at(path, what, fix string) error {
	e := &Error{File: s.file, What: what, Fix: fix}
	if s.root == nil {
		e.What = path + ": " + what
		return e
	}
	node := site.Locate(s.root, path)
	e.Line, e.Column = node.Line, node.Column
	return e
}

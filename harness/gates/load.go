package gates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the source of a Go module with its types.
type module struct {
	dir      string
	packages []*pkg // by import path
}

// pkg is one package: its files that are not tests.
type pkg struct {
	module string // path of the module
	dir    string // slash-separated, relative to the module; "" is the root
	fset   *token.FileSet
	files  []*ast.File
	names  []string // of files, relative to the module
	info   *types.Info
	tests  []string // names of test files, relative to the module
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath   string
	Dir          string
	Export       string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Module       *struct {
		Path, Dir string
		Main      bool
	}
	Error *struct{ Err string }
}

// load reads the module in dir. Types of what it imports come from the build
// cache, where a build of the module has put them.
func load(dir string) (*module, error) {
	all, err := list(dir)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, l := range all {
		exports[l.ImportPath] = l.Export
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no types of %s in the build cache: build the module first", path)
		}
		return os.Open(exports[path])
	})
	m := &module{dir: dir}
	for _, l := range all {
		if l.Module == nil || !l.Module.Main {
			continue
		}
		if l.Error != nil {
			return nil, fmt.Errorf("%s does not build, so the gates cannot read it: %s", l.ImportPath, l.Error.Err)
		}
		p, err := read(l, fset, imports)
		if err != nil {
			return nil, err
		}
		m.packages = append(m.packages, p)
	}
	if len(m.packages) == 0 {
		return nil, fmt.Errorf("there is no Go package in %s: give the folder of go.mod", dir)
	}
	return m, nil
}

func list(dir string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-export", "-deps",
		"-json=ImportPath,Dir,Export,GoFiles,TestGoFiles,XTestGoFiles,Module,Error", "./...")
	cmd.Dir = dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w: %s", dir, err, complaints.String())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list in %s: %w", dir, err)
		}
		all = append(all, l)
	}
}

func read(l listed, fset *token.FileSet, imports types.Importer) (*pkg, error) {
	dir, err := filepath.Rel(l.Module.Dir, l.Dir)
	if err != nil {
		return nil, err
	}
	p := &pkg{module: l.Module.Path, dir: strings.TrimPrefix(filepath.ToSlash(dir), "."), fset: fset, info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
	}}
	for _, name := range l.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, f)
		p.names = append(p.names, p.name(name))
	}
	for _, name := range append(l.TestGoFiles, l.XTestGoFiles...) {
		p.tests = append(p.tests, p.name(name))
	}
	config := types.Config{Importer: imports}
	if _, err := config.Check(l.ImportPath, fset, p.files, p.info); err != nil {
		return nil, fmt.Errorf("the types of %s: %w", l.ImportPath, err)
	}
	return p, nil
}

func (p *pkg) name(file string) string {
	if p.dir == "" {
		return file
	}
	return p.dir + "/" + file
}

func (p *pkg) line(at token.Pos) int { return p.fset.Position(at).Line }

// inspect calls visit for every node of every file, with the file's name.
func (p *pkg) inspect(visit func(file string, n ast.Node)) {
	for i, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil {
				visit(p.names[i], n)
			}
			return true
		})
	}
}

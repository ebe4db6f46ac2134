package gates

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strconv"
)

// instead says what to use in place of something from a package.
type instead struct {
	rule Rule
	use  string
}

const (
	ofRuntime = "take time from runtime.Runtime, or from the kernel"
	ofStream  = "draw from a named stream: Runtime.Rand or Kernel.Rand"
	bySleep   = "it waits by the wall clock: poll with Runtime.Sleep"
)

// functions that must not be used, by package. Constructors of a random source
// of one's own are no functions of these.
var functions = map[string]map[string]instead{
	"time": {
		"Now": {Clock, ofRuntime}, "Since": {Clock, ofRuntime}, "Until": {Clock, ofRuntime},
		"Sleep": {Clock, ofRuntime}, "After": {Clock, ofRuntime}, "AfterFunc": {Clock, ofRuntime},
		"Tick": {Clock, ofRuntime}, "NewTimer": {Clock, ofRuntime}, "NewTicker": {Clock, ofRuntime},
	},
	"context": {
		"WithTimeout": {Clock, ofRuntime}, "WithTimeoutCause": {Clock, ofRuntime},
		"WithDeadline": {Clock, ofRuntime}, "WithDeadlineCause": {Clock, ofRuntime},
		"AfterFunc": {Goroutine, "it starts a goroutine: wait on the context with Runtime.Sleep"},
	},
	"github.com/vmware/govmomi/property": {
		"Wait": {Clock, bySleep}, "WaitForUpdates": {Clock, bySleep}, "WaitForUpdatesEx": {Clock, bySleep},
	},
	"github.com/google/uuid": {
		"New": {Chance, ofStream}, "NewString": {Chance, ofStream}, "NewRandom": {Chance, ofStream},
		"NewUUID": {Chance, ofStream}, "NewV6": {Chance, ofStream}, "NewV7": {Chance, ofStream},
	},
	"github.com/vmware/govmomi/task": {"Wait": {Clock, bySleep}, "WaitEx": {Clock, bySleep}},
}

// methods that must not be used, as types.Func.FullName has them.
var methods = map[string]instead{
	"(*sync.WaitGroup).Go": {Goroutine, "it starts a goroutine: start a task with Runtime.Go, or a process with Kernel.Go"},
	"(*sync.Map).Range":    {Order, "its order is chance: keep a sorted slice"},

	"(reflect.Value).MapRange": {Order, "its order is chance: sort the keys"},
	"(reflect.Value).MapKeys":  {Order, "its order is chance: sort the keys"},

	"(*github.com/vmware/govmomi/nfc.Lease).Wait":              {Clock, bySleep},
	"(*github.com/vmware/govmomi/nfc.Lease).StartUpdater":      {Goroutine, "it starts a goroutine: keep the lease in a task of Runtime.Go"},
	"(*github.com/vmware/govmomi/object.Task).Wait":            {Clock, bySleep},
	"(*github.com/vmware/govmomi/object.Task).WaitEx":          {Clock, bySleep},
	"(*github.com/vmware/govmomi/object.Task).WaitForResult":   {Clock, bySleep},
	"(*github.com/vmware/govmomi/object.Task).WaitForResultEx": {Clock, bySleep},
}

// sources are the functions of math/rand/v2 that make a source from a seed.
var sources = []string{"New", "NewPCG", "NewChaCha8", "NewZipf"}

// clock finds what takes time or chance from the machine, however it is named
// or passed.
func clock(p *pkg) []Finding {
	var found []Finding
	p.inspect(func(file string, n ast.Node) {
		id, is := n.(*ast.Ident)
		if !is {
			return
		}
		used := p.info.Uses[id]
		if used == nil || used.Pkg() == nil {
			return
		}
		if ban, banned := forbidden(used); banned {
			found = append(found, Finding{file, p.line(id.Pos()), ban.rule, fmt.Sprintf("%s.%s: %s", used.Pkg().Path(), used.Name(), ban.use)})
		}
	})
	return found
}

func forbidden(used types.Object) (instead, bool) {
	f, is := used.(*types.Func)
	if !is { // crypto/rand.Reader is a variable
		_, variable := used.(*types.Var)
		return instead{Chance, ofStream}, variable && used.Pkg().Path() == "crypto/rand" && used.Name() == "Reader"
	}
	if f.Signature().Recv() != nil {
		ban, is := methods[f.Origin().FullName()]
		return ban, is
	}
	switch path := f.Pkg().Path(); path {
	case "math/rand", "crypto/rand":
		return instead{Chance, ofStream}, true
	case "math/rand/v2":
		return instead{Chance, ofStream}, !slices.Contains(sources, f.Name())
	default:
		ban, is := functions[path][f.Name()]
		return ban, is
	}
}

// sleepsInTests finds tests that sleep on the wall clock. In a bubble of
// testing/synctest a sleep takes no time.
func sleepsInTests(m *module) ([]Finding, error) {
	var found []Finding
	for _, p := range m.packages {
		for _, name := range p.tests {
			f, err := parser.ParseFile(p.fset, filepath.Join(m.dir, filepath.FromSlash(name)), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			if imports(f, "testing/synctest") {
				continue
			}
			for at := range selections(f, "time", "Sleep") {
				found = append(found, Finding{name, p.line(at), Clock, "a test that sleeps: run it on virtual time, or in a bubble of testing/synctest"})
			}
		}
	}
	return found, nil
}

func imports(f *ast.File, path string) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool {
		got, err := strconv.Unquote(i.Path.Value)
		return err == nil && got == path
	})
}

// selections are the places where a file says pkg.name.
func selections(f *ast.File, pkg, name string) func(yield func(token.Pos) bool) {
	return func(yield func(token.Pos) bool) {
		for n := range ast.Preorder(f) {
			s, is := n.(*ast.SelectorExpr)
			if !is || s.Sel.Name != name {
				continue
			}
			if x, is := s.X.(*ast.Ident); is && x.Name == pkg && !yield(s.Pos()) {
				return
			}
		}
	}
}

package gates

import (
	"fmt"
	"go/ast"
)

// Lines beyond which nobody reads at a sitting. Generated files and tests, most
// of which are tables, are not counted.
const (
	maxFile     = 600
	maxFunction = 100
)

func size(p *pkg) []Finding {
	var found []Finding
	for i, f := range p.files {
		if ast.IsGenerated(f) {
			continue
		}
		if n := p.line(f.FileEnd); n > maxFile {
			found = append(found, Finding{p.names[i], 1, Size, fmt.Sprintf("%d lines, of at most %d: split it by idea", n, maxFile)})
		}
		for _, d := range f.Decls {
			fn, is := d.(*ast.FuncDecl)
			if !is {
				continue
			}
			if n := p.line(fn.End()) - p.line(fn.Pos()) + 1; n > maxFunction {
				found = append(found, Finding{p.names[i], p.line(fn.Pos()), Size,
					fmt.Sprintf("%s has %d lines, of at most %d: split it by step", fn.Name.Name, n, maxFunction)})
			}
		}
	}
	return found
}

package gates

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// mark is the comment, on the line or above it, that says why an order that is
// chance does not matter.
const mark = "//hdm:order-safe"

const sortThem = "the order is chance: range over slices.Sorted(maps.Keys(m)), or say why it cannot leak with " + mark + " <why>"

// order finds where the order of a map, or of goroutines, can get out.
func order(p *pkg) []Finding {
	var found []Finding
	for i, f := range p.files {
		file := p.names[i]
		marks := marksOf(p, f)
		add := func(at token.Pos, rule Rule, what string) {
			if line := p.line(at); rule != Order || !marks.cover(line) {
				found = append(found, Finding{file, line, rule, what})
			}
		}
		sorted := map[ast.Expr]bool{} // calls whose result is sorted at once
		for n := range ast.Preorder(f) {
			switch n := n.(type) {
			case *ast.RangeStmt:
				if t := p.info.TypeOf(n.X); t != nil && isMap(t) && !blank(n) {
					add(n.Pos(), Order, sortThem)
				}
			case *ast.CallExpr:
				if p.calls(n, "slices", "Sorted", "SortedFunc", "SortedStableFunc") {
					sorted[n.Args[0]] = true
				}
				if p.calls(n, "maps", "Keys", "Values", "All") && !sorted[n] {
					add(n.Pos(), Order, sortThem)
				}
			case *ast.GoStmt:
				add(n.Pos(), Goroutine, "a go statement: start a task with Runtime.Go, or a process with Kernel.Go")
			case *ast.SelectStmt:
				if len(n.Body.List) > 1 {
					add(n.Pos(), Goroutine, "a select chooses by chance: wait on several with Kernel.Wait")
				}
			}
		}
		for _, line := range marks.unused() {
			found = append(found, Finding{file, line, Stale, "nothing here needs " + mark + ", or it does not say why: take it out, or say why"})
		}
	}
	return found
}

func isMap(t types.Type) bool {
	_, is := types.Unalias(t).Underlying().(*types.Map)
	return is
}

// blank says whether a range tells its body nothing: it only counts.
func blank(n *ast.RangeStmt) bool { return n.Key == nil && n.Value == nil }

// calls says whether a call is of one of these functions of a package.
func (p *pkg) calls(c *ast.CallExpr, pkg string, names ...string) bool {
	fun := c.Fun
	if generic, is := fun.(*ast.IndexExpr); is {
		fun = generic.X
	}
	s, is := fun.(*ast.SelectorExpr)
	if !is {
		return false
	}
	f, is := p.info.Uses[s.Sel].(*types.Func)
	return is && f.Pkg() != nil && f.Pkg().Path() == pkg && slices.Contains(names, f.Name())
}

// marks are the lines of a file's order-safe comments that say why.
type marks map[int]*markUse

type markUse struct{ valid, used bool }

func marksOf(p *pkg, f *ast.File) marks {
	m := marks{}
	for _, g := range f.Comments {
		for _, c := range g.List {
			if why, is := strings.CutPrefix(c.Text, mark); is {
				m[p.line(c.Pos())] = &markUse{valid: strings.TrimSpace(why) != ""}
			}
		}
	}
	return m
}

func (m marks) cover(line int) bool {
	for _, l := range []int{line, line - 1} {
		if u := m[l]; u != nil && u.valid {
			u.used = true
			return true
		}
	}
	return false
}

func (m marks) unused() []int {
	var lines []int
	for line, u := range m { //hdm:order-safe findings are sorted by line
		if !u.used {
			lines = append(lines, line)
		}
	}
	return lines
}

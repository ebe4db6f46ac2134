package gates

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mayImport is the arrows: core <- faults <- sim <- harness <- cmd, and the
// records that harness hands to reports. A layer may always import itself.
var mayImport = map[string][]string{
	"core":           nil,
	"faults":         {"core"},
	"sim":            {"core", "faults"},
	"reports/record": nil,
	"reports":        {"reports/record", "scenarios"},
	"scenarios":      nil,
	"harness":        {"core", "faults", "sim", "reports/record", "scenarios"},
	"cmd":            {"core", "faults", "sim", "harness", "reports", "reports/record", "scenarios"},
}

// layer of a folder, relative to the module.
func layer(dir string) string {
	if dir == "reports/record" || strings.HasPrefix(dir, "reports/record/") {
		return "reports/record"
	}
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// arrows finds imports against the arrows, and folders that are in no layer.
func arrows(p *pkg) []Finding {
	from := layer(p.dir)
	allowed, known := mayImport[from]
	if !known {
		return []Finding{{p.names[0], 1, Arrow, fmt.Sprintf("%q is no layer of ARCHITECTURE.md: move the package into one", from)}}
	}
	var found []Finding
	for i, f := range p.files {
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has refused it
			}
			dir, ours := strings.CutPrefix(path, p.module+"/")
			if to := layer(dir); ours && to != from && !slices.Contains(allowed, to) {
				found = append(found, Finding{p.names[i], p.line(spec.Pos()), Arrow,
					fmt.Sprintf("%s may not import %s (see the arrows in ARCHITECTURE.md): turn it round with an interface here", from, dir)})
			}
		}
	}
	return found
}

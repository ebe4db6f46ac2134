package run

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hdm-project/hdm/harness/scenario"
)

// Name is what a run of the scenario is called in reports.
func Name(s *scenario.Scenario) string {
	if s.File() == "" {
		return strings.ReplaceAll(strings.ToLower(s.Title), " ", "-")
	}
	return tail(s.File(), 1)
}

// Names are what runs of these scenarios are called together: their names and,
// where several have one name, as much of their paths as tells them apart.
func Names(all []*scenario.Scenario) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = Name(s)
	}
	for depth, grew := 2, true; grew; depth++ {
		grew = false
		shared := counts(names)
		for i, s := range all {
			if shared[names[i]] > 1 && s.File() != "" && tail(s.File(), depth) != names[i] {
				names[i], grew = tail(s.File(), depth), true
			}
		}
	}
	given := map[string]int{}
	for i, shared := 0, counts(names); i < len(names); i++ {
		if name := names[i]; shared[name] > 1 { // no path tells them apart
			given[name]++
			names[i] = fmt.Sprintf("%s#%d", name, given[name])
		}
	}
	return names
}

func counts(names []string) map[string]int {
	n := map[string]int{}
	for _, name := range names {
		n[name]++
	}
	return n
}

// tail is the last elements of a path, without ending.
func tail(path string, elements int) string {
	path = filepath.ToSlash(strings.TrimSuffix(path, filepath.Ext(path)))
	parts := strings.Split(path, "/")
	return strings.Join(parts[max(0, len(parts)-elements):], "/")
}

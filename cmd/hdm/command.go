package main

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/site"
)

// command is what a shell has to be given to call this program so.
func (t *terminal) command(args ...string) string {
	words := []string{quote(t.program)}
	if strings.Contains(filepath.ToSlash(t.program), "/go-build") { // go run removes it
		words = []string{"go", "run", "./cmd/hdm"}
	}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ")
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote makes a word of a shell (POSIX) of any text.
func quote(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// asPath is a path that cannot be taken for a flag.
func asPath(path string) string {
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

// again is the command that runs r once more: that of a file, or that of the
// suite in this program.
func (c *common) again(t *terminal, s *scenario.Scenario, r *record.Run) string {
	args := []string{"run", "--only", run.Name(s)}
	switch {
	case c.inventory != "" && c.fromFiles:
		args = []string{"run", asPath(s.File()), "--inventory", c.inventory}
	case c.inventory != "":
		args = []string{"run", "--inventory", c.inventory}
	case c.fromFiles:
		args = []string{"replay", asPath(s.File())}
	}
	return t.command(append(append(args, "--seed", strconv.FormatUint(r.Seed, 10)), c.way()...)...)
}

// way are the flags of the transport.
func (c *common) way() []string {
	if c.transport == "" || c.transport == string(site.Direct) {
		return nil
	}
	return []string{"--transport", c.transport}
}

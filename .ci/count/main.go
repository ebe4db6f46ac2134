// Command count reads what `go test -json` writes and prints what a person wants
// of it: a line per package, the output of what failed, and last how many tests
// passed, failed and were skipped. It exits with 1 if anything failed, a package
// that does not build included, and if there was no test at all.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	c := newCount(os.Stdout)
	if err := c.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
	if !c.summary() {
		os.Exit(1)
	}
}

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of what does not build
	Test       string
	Elapsed    float64
	Output     string
}

type count struct {
	out                     io.Writer
	passed, failed, skipped int
	broken                  int                 // packages that failed
	output                  map[string][]string // of tests and packages under way
	tests                   map[string]int      // of packages under way
}

func newCount(out io.Writer) *count {
	return &count{out: out, output: map[string][]string{}, tests: map[string]int{}}
}

// maxLine is more than a test prints in one line.
const maxLine = 16 << 20

func (c *count) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(c.out, lines.Text()) // not from a test: the go command itself speaks
			continue
		}
		c.hear(&e)
	}
	return lines.Err()
}

func (c *count) hear(e *event) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		c.output[key] = append(c.output[key], e.Output)
	case "build-fail":
		c.print(key)
	case "pass", "fail", "skip":
		if e.Test == "" {
			c.ended(e, key)
		} else {
			c.test(e, key)
		}
		delete(c.output, key)
	}
}

func (c *count) test(e *event, key string) {
	c.tests[e.Package]++
	switch e.Action {
	case "pass":
		c.passed++
	case "skip":
		c.skipped++
		c.print(key)
	case "fail":
		c.failed++
		c.print(key)
	}
}

func (c *count) ended(e *event, key string) {
	switch {
	case e.Action == "fail":
		c.broken++
		c.print(key)
		fmt.Fprintf(c.out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
	case c.tests[e.Package] > 0:
		fmt.Fprintf(c.out, "ok    %s  %d tests  %.1fs\n", e.Package, c.tests[e.Package], e.Elapsed)
	}
}

func (c *count) print(key string) {
	fmt.Fprint(c.out, strings.Join(c.output[key], ""))
}

// summary prints the last line and says whether all is well.
func (c *count) summary() bool {
	fmt.Fprintf(c.out, "%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
	if c.broken > 0 {
		fmt.Fprintf(c.out, "%d packages failed\n", c.broken)
	}
	return c.failed == 0 && c.broken == 0 && c.passed > 0
}

package mutants

import (
	"fmt"
	"strings"
	"time"
)

// Kind of what caught it: "scenario", "seed" or "test".
func (c *Catch) Kind() string {
	kind, _, _ := strings.Cut(c.By, " ")
	return kind
}

// mostShown bounds the clauses of a line.
const mostShown = 6

// Text is a line about a mutant, and what people should know besides, indented.
func (c *Catch) Text(r *Record) string {
	var b strings.Builder
	if c.Caught() {
		clauses := c.Clauses[:min(len(c.Clauses), mostShown)]
		fmt.Fprintf(&b, "caught  %s\n        by %s: %s, %s  %v\n", c.Name, c.By, c.Oracle, strings.Join(clauses, " "), c.Took.Round(time.Second))
	} else {
		fmt.Fprintf(&b, "MISSED  %s  %v\n        %s: %s\n", c.Name, c.Took.Round(time.Second), r.Path(), r.Matters)
	}
	for _, n := range c.Notes {
		fmt.Fprintf(&b, "        %s\n", strings.ReplaceAll(strings.TrimSpace(n), "\n", "\n        "))
	}
	return b.String()
}

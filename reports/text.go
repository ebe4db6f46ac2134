package reports

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
)

// Width is how many columns the text report keeps to, whatever it has to say;
// only names, hashes and commands are never broken.
const Width = 100

// TextRun prints a line about a run and, if it failed, why, so that a long suite
// can be told as it goes.
func TextRun(w io.Writer, r *record.Run) error {
	b := bufio.NewWriter(w)
	writeRun(b, r)
	return b.Flush()
}

// TextSummary prints what follows the runs: a table of the clauses that were put
// to the test, those that were not if whole is true, and what it comes to.
func TextSummary(w io.Writer, s *record.Suite, whole bool) error {
	b := bufio.NewWriter(w)
	writeClauses(b, s, whole)
	writeFamilies(b, s)
	writeCounts(b, s)
	return b.Flush()
}

// mostViolations of one run are printed.
const mostViolations = 10

func writeRun(b *bufio.Writer, r *record.Run) {
	fmt.Fprintf(b, "%-6s  %-38s %7s in %6s  %s events  %s\n", shortVerdict(r.Verdict), r.Scenario,
		seconds(r.VirtualSeconds), seconds(r.WallSeconds), grouped(r.Events), r.Hash)
	for i := range r.Violations {
		if i == mostViolations {
			fmt.Fprintf(b, "  and %d more: see verdicts.json\n", len(r.Violations)-i)
			break
		}
		writeViolation(b, r, &r.Violations[i])
	}
	if r.Error != "" {
		fmt.Fprintf(b, "ERROR  scenario=%s seed=%d t=%s\n", r.Scenario, r.Seed, seconds(r.VirtualSeconds))
		for line := range strings.Lines(r.Error) {
			fmt.Fprintf(b, "  %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if r.Replay != "" && (r.Verdict == record.Failed || r.Verdict == record.Interrupted) {
		fmt.Fprintf(b, "  replay: %s\n", r.Replay)
	}
}

func shortVerdict(v record.Verdict) string {
	switch v {
	case record.Passed:
		return "passed"
	case record.Failed:
		return "FAILED"
	}
	return "ended" // before its time
}

func writeViolation(b *bufio.Writer, r *record.Run, v *record.Violation) {
	fmt.Fprintf(b, "VIOLATED %s  scenario=%s seed=%d t=%s\n", strings.Join(append([]string{v.Oracle}, v.Clauses...), " "),
		r.Scenario, r.Seed, v.At.Round(time.Millisecond))
	what := v.What
	if v.Subject != "" {
		what = v.Subject + ": " + what
	}
	for _, line := range wrap(what, Width-2) {
		fmt.Fprintf(b, "  %s\n", line)
	}
	if len(v.Evidence) > 0 {
		numbers := make([]string, len(v.Evidence))
		for i, n := range v.Evidence {
			numbers[i] = strconv.FormatUint(n, 10)
		}
		for _, line := range wrap("evidence: events "+strings.Join(numbers, " "), Width-2) {
			fmt.Fprintf(b, "  %s\n", line)
		}
	}
}

// The columns of the table of clauses.
const (
	idWidth       = 8
	standingWidth = 9
	promiseColumn = idWidth + 1 + standingWidth + 1
)

func writeClauses(b *bufio.Writer, s *record.Suite, whole bool) {
	var tested []*record.Clause
	var uncovered []string
	for i := range s.Clauses {
		if c := &s.Clauses[i]; c.Standing == record.Uncovered {
			uncovered = append(uncovered, c.ID)
		} else {
			tested = append(tested, c)
		}
	}
	if len(tested) > 0 {
		fmt.Fprintf(b, "\n%-*s %-*s %s\n", idWidth, "CLAUSE", standingWidth, "VERDICT", "PROMISE")
	}
	for _, c := range tested {
		writeClause(b, c)
	}
	if len(uncovered) > 0 && whole {
		fmt.Fprintln(b)
		for _, line := range wrap(fmt.Sprintf("uncovered (%d): %s", len(uncovered), strings.Join(uncovered, " ")), Width) {
			fmt.Fprintln(b, line)
		}
	}
}

// writeFamilies says what runs that passed break together.
func writeFamilies(b *bufio.Writer, s *record.Suite) {
	for i := range s.Families {
		f := &s.Families[i]
		for j, what := range f.Broken {
			if j == mostViolations {
				fmt.Fprintf(b, "  and %d more: see verdicts.json\n", len(f.Broken)-j)
				break
			}
			fmt.Fprintf(b, "\nVIOLATED family=%s  runs=%s\n", f.Name, strings.Join(f.Runs, ","))
			for _, line := range wrap(what, Width-2) {
				fmt.Fprintf(b, "  %s\n", line)
			}
		}
	}
}

func writeCounts(b *bufio.Writer, s *record.Suite) {
	fmt.Fprintf(b, "\n%d passed, %d failed", s.Count(record.Passed), s.Count(record.Failed))
	if n := s.Count(record.Stopped); n > 0 {
		fmt.Fprintf(b, ", %d ended at --until, not judged", n)
	}
	if s.Interrupted {
		fmt.Fprintf(b, ", interrupted")
	}
	if names := failedIn(s); len(names) > 0 {
		for _, line := range wrap("failed: "+strings.Join(names, ", "), Width-2) {
			fmt.Fprintf(b, "\n  %s", line)
		}
	}
	count := map[record.Standing]int{}
	for i := range s.Clauses {
		count[s.Clauses[i].Standing]++
	}
	fmt.Fprintf(b, "\nclauses: %d held, %d partial, %d violated, %d uncovered\n",
		count[record.Held], count[record.Partial], count[record.Violated], count[record.Uncovered])
	virtual, events, calls := 0.0, uint64(0), uint64(0)
	for i := range s.Runs {
		virtual += s.Runs[i].VirtualSeconds
		events += s.Runs[i].Events
		calls += s.Runs[i].VSphereCalls
	}
	fmt.Fprintf(b, "%s of virtual time in %s; seed: %s; transport: %s\n", seconds(virtual), seconds(s.WallSeconds), seedOf(s), s.Transport)
	if n := uint64(len(s.Runs)); n > 0 {
		fmt.Fprintf(b, "%d events and %d vSphere calls; a run: %d and %d\n", events, calls, events/n, calls/n)
	}
}

// mostNames of runs that failed are repeated at the end.
const mostNames = 20

// failedIn names the runs that failed: why stands far above by then.
func failedIn(s *record.Suite) []string {
	var names []string
	for i := range s.Runs {
		if s.Runs[i].Verdict == record.Failed {
			names = append(names, s.Runs[i].Scenario)
		}
	}
	if more := len(names) - mostNames; more > 0 {
		names = append(names[:mostNames], fmt.Sprintf("and %d more", more))
	}
	return names
}

func writeClause(b *bufio.Writer, c *record.Clause) {
	indent := strings.Repeat(" ", promiseColumn)
	for i, line := range wrap(c.Must, Width-promiseColumn) {
		if i == 0 {
			fmt.Fprintf(b, "%-*s %-*s %s\n", idWidth, c.ID, standingWidth, c.Standing, line)
		} else {
			fmt.Fprintf(b, "%s%s\n", indent, line)
		}
	}
	note := ""
	switch {
	case c.Standing == record.Violated:
		note = "failed in: " + strings.Join(c.Broken, ", ")
	case len(c.Missing) > 0:
		missing := make([]string, len(c.Missing))
		for i, p := range c.Missing {
			missing[i] = p.What
		}
		note = "missing: " + strings.Join(missing, "; ")
	}
	if note != "" {
		for _, line := range wrap(note, Width-promiseColumn) {
			fmt.Fprintf(b, "%s%s\n", indent, line)
		}
	}
}

// wrap breaks text at spaces into lines of at most width columns. A word that
// is longer stays whole.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// seconds prints a length of time with about three digits: "0.12s", "14m7s",
// "2h14m".
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Minute:
		return strconv.FormatFloat(s, 'f', 2, 64) + "s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// grouped prints a count right-aligned in nine columns, its digits in groups of
// three.
func grouped(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var groups []string
	for len(digits) > 3 {
		groups = append(groups, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	groups = append(groups, digits)
	slices.Reverse(groups)
	return fmt.Sprintf("%9s", strings.Join(groups, ","))
}

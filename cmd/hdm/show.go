package main

import (
	"fmt"
	"io"
	"os"

	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
)

// show tells people how a suite goes (a line on stderr, where that is a
// terminal) and prints what comes out on stdout.
type show struct {
	format string
	out    io.Writer
	live   io.Writer // nil: not a terminal
	total  int       // 0: not known
	done   int
	failed int
}

func newShow(t *terminal, format string, total int) *show {
	s := &show{format: format, out: t.out, total: total}
	if isTerminal(t.err) {
		s.live = t.err
	}
	return s
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// eraseLine takes the cursor back to the beginning of an empty line.
const eraseLine = "\r\x1b[K"

// ended hears of a run that ended.
func (s *show) ended(r record.Run) {
	s.done++
	if r.Verdict == record.Failed {
		s.failed++
	}
	if s.live != nil {
		of := ""
		if s.total > 0 {
			of = fmt.Sprintf(" of %d", s.total)
		}
		fmt.Fprintf(s.live, "%s%d%s run, %d failed; last: %s", eraseLine, s.done, of, s.failed, r.Scenario)
	}
}

// over takes the progress away.
func (s *show) over() {
	if s.live != nil {
		fmt.Fprint(s.live, eraseLine)
	}
}

var printers = map[string]func(io.Writer, *record.Suite) error{
	"text": reports.Text, "json": reports.JSON, "junit": reports.JUnit,
}

// suite prints what came out.
func (s *show) suite(all *record.Suite) error { return printers[s.format](s.out, all) }

package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
)

// show tells how runs go: text on stdout as they end, in their order, and how
// many there were on stderr, where that is a screen.
type show struct {
	t      *terminal
	format string
	whole  bool // the suite: what is uncovered is listed

	mu      sync.Mutex
	order   []string // the runs; nil: not known
	next    int      // of order, to be printed
	waiting map[string]*record.Run
	done    int
	failed  int
}

func newShow(t *terminal, format string, order []string, whole bool) *show {
	s := &show{t: t, format: format, whole: whole, order: order, waiting: map[string]*record.Run{}}
	s.progress("")
	return s
}

// eraseLine takes the cursor back to the beginning of an empty line.
const eraseLine = "\r\x1b[K"

// progressWidth is short enough for every screen, so that the line never breaks.
const progressWidth = 78

// ended hears of a run that ended.
func (s *show) ended(r *record.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	if r.Verdict == record.Failed {
		s.failed++
	}
	s.erase()
	s.waiting[r.Scenario] = r
	s.print()
	s.progress("; last: " + r.Scenario)
}

// print prints the runs whose turn it is.
func (s *show) print() {
	for s.format == "text" && s.next < len(s.order) {
		r, is := s.waiting[s.order[s.next]]
		if !is {
			return
		}
		delete(s.waiting, r.Scenario)
		_ = reports.TextRun(s.t.out, r) // output keeps the error
		s.next++
	}
}

func (s *show) progress(last string) {
	if !s.t.live || s.done > 0 && s.done == len(s.order) || len(s.order) == 1 {
		return
	}
	of := ""
	if len(s.order) > 0 {
		of = fmt.Sprintf(" of %d", len(s.order))
	}
	line := fmt.Sprintf("%d%s run, %d failed%s", s.done, of, s.failed, last)
	fmt.Fprint(s.t.err, line[:min(len(line), progressWidth)])
}

// erase takes the progress away.
func (s *show) erase() {
	if s.t.live {
		fmt.Fprint(s.t.err, eraseLine)
	}
}

var printers = map[string]func(io.Writer, *record.Suite) error{"json": reports.JSON, "junit": reports.JUnit}

// suite prints what came out, as far as it was not printed before. The terminal's
// output keeps the error.
func (s *show) suite(all *record.Suite) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	if s.format != "text" {
		_ = printers[s.format](s.t.out, all)
		return
	}
	_ = reports.TextSummary(s.t.out, all, s.whole)
}

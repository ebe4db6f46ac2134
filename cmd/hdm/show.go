package main

import (
	"io"
	"sync"
	"time"

	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
)

// show tells how runs go: text on stdout as they end, in their order, and how
// far they are on stderr.
type show struct {
	t      *terminal
	format string
	whole  bool // the suite: what is uncovered is listed

	mu       sync.Mutex
	order    []string // the runs; nil: not known
	next     int      // of order, to be printed
	waiting  map[string]*record.Run
	progress *progress // nil: it would be in the way of what a run prints
}

func newShow(t *terminal, format string, order []string, whole, quiet bool) *show {
	s := &show{t: t, format: format, whole: whole, order: order, waiting: map[string]*record.Run{}}
	if !quiet {
		s.progress = newProgress(t, len(order))
	}
	return s
}

// ended hears of a run that ended, and of its clock if it had one.
func (s *show) ended(r *record.Run, c *clock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[r.Scenario] = r
	if s.progress == nil {
		s.print()
		return
	}
	s.progress.end(c, r.Verdict == record.Failed, time.Duration(r.VirtualSeconds*float64(time.Second)), s.print)
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
	if s.order == nil || s.format != "text" { // nobody waits for them
		clear(s.waiting)
	}
}

// close takes the progress away.
func (s *show) close() {
	if s.progress != nil {
		s.progress.close()
	}
}

var printers = map[string]func(io.Writer, *record.Suite) error{"json": reports.JSON, "junit": reports.JUnit}

// suite prints what came out, as far as it was not printed before. The terminal's
// output keeps the error.
func (s *show) suite(all *record.Suite) {
	s.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.format != "text" {
		_ = printers[s.format](s.t.out, all)
		return
	}
	_ = reports.TextSummary(s.t.out, all, s.whole)
}

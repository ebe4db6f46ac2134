// Package page draws what runs came to as one HTML page that people like to show:
// a summary, the clause matrix, and of each run its time line, its curves and
// what was lost against the bound.
//
// The page stands alone: it loads nothing, and its policy forbids that it could.
// It can be read without scripts, without colours and on paper. It decides how
// things look, and what is left out when there is too much; what they mean is
// decided by packages record and timeline. All text is hostile: html/template
// escapes it.
//
// Read this file, then page.html; draw.go is the time line.
package page

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the template, its style and its script
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/reports/timeline"
	"github.com/hdm-project/hdm/scenarios"
)

// The limits of a page, so that it opens at once.
const (
	MostShapes     = 24_000 // of all time lines together
	mostViolations = 20     // of a run, in full
	mostEvidence   = 12     // events of a violation
	mostProofs     = 3      // of a clause
	mostScenarios  = 3      // of a clause, before the others are folded away
	mostFaultRows  = 30
)

// Suite is what a page is about.
type Suite struct {
	Record *record.Suite
	Began  time.Time // wall time; zero: not told
	Facts  []Fact    // what it ran on
	Runs   []Run     // one for each of the record's, in its order
}

// Fact is a line about the machine or the program.
type Fact struct{ Name, Value string }

// Run is what is shown of a run beside its record.
type Run struct {
	Line     *timeline.Timeline // nil: there is no trace of it
	Evidence []record.Event     // those of its violations' events that were found
	Thin     bool               // its trace does not tell the writes of guests
}

//go:embed page.html
var markup string

//go:embed page.css
var style string

//go:embed page.js
var script string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"code": code}).Parse(markup))

// code is a text of the catalogue, whose `names` are set as code. What is not a
// name is escaped, and so are the names.
func code(text string) template.HTML {
	parts := strings.Split(text, "`")
	for i := range parts {
		parts[i] = template.HTMLEscapeString(parts[i])
		if i%2 == 1 {
			parts[i] = "<code>" + parts[i] + "</code>"
		}
	}
	return template.HTML(strings.Join(parts, "")) //nolint:gosec // every part was escaped above
}

// Write draws the page.
func Write(w io.Writer, s *Suite) error {
	b := bufio.NewWriter(w)
	if err := page.Execute(b, newView(s)); err != nil {
		return fmt.Errorf("drawing the page: %w", err)
	}
	return b.Flush()
}

// policy forbids the page to load or run anything but its own style and script.
func policy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hash(style), hash(script))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// view is what the template sees.
type view struct {
	Policy   string
	Style    template.CSS
	Script   template.JS
	Headline string
	Broken   bool
	Line     string // below the headline
	Figures  []figure
	Facts    []Fact
	Families []family
	Counts   []standing
	Clauses  []clauseRow
	Loss     loss
	Together []familyView
	Back     recoveredView
	Ledger   []scenarios.Ambiguity
	Runs     []runView
	Left     int // runs whose time line was left out
}

type figure struct{ Value, Unit, Name string }

func newView(s *Suite) *view {
	v := &view{Policy: policy(), Style: template.CSS(style), Script: template.JS(script), Facts: s.Facts}
	r := s.Record
	v.Headline, v.Broken = headline(r)
	v.Line = fmt.Sprintf("%s passed, %d failed", plural(r.Count(record.Passed), "run"), r.Count(record.Failed))
	if n := r.Count(record.Stopped); n > 0 {
		v.Line += fmt.Sprintf(", %d ended early and not judged", n)
	}
	if r.Interrupted {
		v.Line += ", interrupted"
	}
	v.Counts = counts(r.Clauses)
	v.Families = families(r.Clauses)
	anchors := anchorsOf(r)
	for rank := range 3 { // what there is most to say of comes first
		for i := range r.Clauses {
			if rankOf(r.Clauses[i].Standing) == rank {
				v.Clauses = append(v.Clauses, newClauseRow(&r.Clauses[i], r, anchors))
			}
		}
	}
	v.Loss = lossOf(s)
	v.Together = familyViews(r, anchors)
	v.Back, v.Ledger = recoveredOf(r, anchors), scenarios.Ambiguities()
	v.Figures = figures(s, &v.Loss)
	room := MostShapes
	for _, failed := range []bool{true, false} { // what failed comes first
		for i := range r.Runs {
			if (r.Runs[i].Verdict == record.Failed) != failed {
				continue
			}
			run := newRunView(&r.Runs[i], &s.Runs[i], anchors[i])
			run.Open = failed || len(r.Runs) == 1
			if run.Drawing != nil && run.Drawing.size() > room {
				run.Drawing, run.Left = nil, true
				v.Left++
			} else if run.Drawing != nil {
				room -= run.Drawing.size()
			}
			v.Runs = append(v.Runs, run)
		}
	}
	if !s.Began.IsZero() {
		v.Facts = append([]Fact{{"began", s.Began.UTC().Format("2 January 2006, 15:04 UTC")}}, v.Facts...)
	}
	return v
}

// headline is what the runs came to, in a sentence.
func headline(r *record.Suite) (text string, broken bool) {
	violated, tested := 0, 0
	for i := range r.Clauses {
		switch r.Clauses[i].Standing {
		case record.Violated:
			violated++
			tested++
		case record.Held, record.Partial:
			tested++
		}
	}
	failed := r.Count(record.Failed)
	switch {
	case violated > 0 && failed == 0:
		return plural(violated, "promise") + " broken by runs that were compared", true
	case violated > 0:
		return fmt.Sprintf("%s broken in %s", plural(violated, "promise"), plural(failed, "run")), true
	case failed > 0:
		return plural(failed, "run") + " failed", true
	case tested == 0:
		return "No promise was put to the test", false
	case tested == 1:
		return "The one promise that was tested held", false
	}
	return fmt.Sprintf("All %d promises that were tested held", tested), false
}

func figures(s *Suite, l *loss) []figure {
	virtual, events := 0.0, uint64(0)
	for i := range s.Record.Runs {
		virtual += s.Record.Runs[i].VirtualSeconds
		events += s.Record.Runs[i].Events
	}
	all := []figure{
		{clock(time.Duration(virtual * float64(time.Second))), "", "of virtual time"},
		{fmt.Sprintf("%.1f", s.Record.WallSeconds), "s", "of real time"},
	}
	if s.Record.WallSeconds > 0 {
		all = append(all, figure{"×" + grouped(uint64(virtual/s.Record.WallSeconds)), "", "as fast as real time"})
	}
	all = append(all, figure{grouped(events), "", "events"})
	return append(all, figure{grouped(uint64(l.Lost)), "", "writes lost; the bound is 0"})
}

// clock is a length of time as people say it, to about three digits.
func clock(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", d.Seconds()), "0"), ".0") + "s"
	case d < time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60), "00s")
	}
	return fmt.Sprintf("%sh%02dm", grouped(uint64(d.Hours())), int(d.Minutes())%60)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func bytesOf(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB", "TB"} {
		if n < 1000 || unit == "TB" {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") + " " + unit
		}
		n /= 1000
	}
	return ""
}

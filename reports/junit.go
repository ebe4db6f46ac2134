package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hdm-project/hdm/reports/record"
)

// The elements of JUnit's format that CI servers agree upon.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string      `xml:"name,attr"`
		Tests      int         `xml:"tests,attr"`
		Failures   int         `xml:"failures,attr"`
		Errors     int         `xml:"errors,attr"`
		Skipped    int         `xml:"skipped,attr"`
		Time       string      `xml:"time,attr"` // wall seconds
		Properties []junitProp `xml:"properties>property"`
		Cases      []junitCase `xml:"testcase"`
	}
	junitProp struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class    string         `xml:"classname,attr"`
		Name     string         `xml:"name,attr"`
		Time     string         `xml:"time,attr"` // wall seconds
		Failures []junitFailure `xml:"failure"`
		Error    *junitFailure  `xml:"error"`
		Skipped  *junitSkipped  `xml:"skipped"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

// JUnit prints a suite as JUnit XML: a case per run, a failure per violation, an
// error for a run that could not go on, skipped for one that was not judged.
func JUnit(w io.Writer, s *record.Suite) error {
	suite := junitSuite{
		Name: "hdm", Tests: len(s.Runs), Time: wall(s.WallSeconds),
		Properties: []junitProp{{"seed", seedOf(s)}, {"transport", s.Transport}},
	}
	for i := range s.Runs {
		c := newCase(&s.Runs[i])
		suite.Cases = append(suite.Cases, c)
		switch {
		case c.Error != nil:
			suite.Errors++
		case len(c.Failures) > 0:
			suite.Failures++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	for i := range s.Families {
		if f := &s.Families[i]; len(f.Broken) > 0 {
			suite.Cases = append(suite.Cases, familyCase(f))
			suite.Tests++
			suite.Failures++
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suite: suite}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// seedOf says which seed the runs had.
func seedOf(s *record.Suite) string {
	if s.Seed == nil {
		return "each scenario's own"
	}
	return strconv.FormatUint(*s.Seed, 10)
}

func newCase(r *record.Run) junitCase {
	c := junitCase{Class: "hdm.scenario", Name: r.Scenario, Time: wall(r.WallSeconds)}
	context := fmt.Sprintf("scenario=%s seed=%d", r.Scenario, r.Seed)
	if r.Replay != "" {
		context += "\nreplay: " + r.Replay
	}
	for i := range r.Violations {
		v := &r.Violations[i]
		text := fmt.Sprintf("%s t=%s\n%s", v.Subject, v.At, context)
		if len(v.Evidence) > 0 {
			text += "\nevidence: events " + strings.Trim(fmt.Sprint(v.Evidence), "[]")
		}
		c.Failures = append(c.Failures, junitFailure{Type: v.Oracle, Message: v.What, Text: text})
	}
	switch {
	case r.Error != "":
		message, _, _ := strings.Cut(r.Error, "\n")
		c.Error = &junitFailure{Type: "error", Message: message, Text: r.Error + "\n" + context}
	case r.Verdict == record.Stopped:
		c.Skipped = &junitSkipped{Message: "stopped before its end, as asked"}
	case r.Verdict == record.Interrupted:
		c.Skipped = &junitSkipped{Message: "interrupted before its end"}
	}
	return c
}

// familyCase is a case of its own for what runs that passed break together.
func familyCase(f *record.Family) junitCase {
	c := junitCase{Class: "hdm.family", Name: f.Name, Time: wall(0)}
	for _, what := range f.Broken {
		c.Failures = append(c.Failures, junitFailure{Type: "family", Message: what, Text: "runs: " + strings.Join(f.Runs, ", ")})
	}
	return c
}

func wall(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 3, 64) }

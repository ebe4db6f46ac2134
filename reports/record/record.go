// Package record is what runs leave behind: runs, events, violations, and what
// they say about each promise.
//
// It holds the types that the harness fills in and the reports print, and the
// rules that turn runs into the standing of a promise: each by itself
// (clause.go), and those that differ in one setting together (family.go). It
// never runs anything, prints anything or reads a clock. Read this file, then
// clause.go, flushes.go and family.go.
package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Verdict is how a run ended.
type Verdict string

// The verdicts. A run that hits a watchdog or panics has failed, like one that
// breaks a promise.
const (
	Passed      Verdict = "passed"
	Failed      Verdict = "failed"
	Stopped     Verdict = "stopped" // at a virtual time that was asked for; not judged
	Interrupted Verdict = "interrupted"
)

// Run is one scenario, run once from one seed.
type Run struct {
	Scenario       string      `json:"scenario"` // the file's name without ending, with folders where that tells two apart
	Title          string      `json:"title,omitempty"`
	Seed           uint64      `json:"seed"`
	Verdict        Verdict     `json:"verdict"`
	Hash           string      `json:"hash"` // of the whole trace: see Hash
	VirtualSeconds float64     `json:"virtual_seconds"`
	WallSeconds    float64     `json:"wall_seconds"`
	Events         uint64      `json:"events"`               // of the trace
	VSphereCalls   uint64      `json:"vsphere_calls"`        // sent to either site
	Covers         []string    `json:"covers,omitempty"`     // clauses, or parts of them ("MIG-08/cold"), that the scenario puts to the test
	Losses         []Loss      `json:"losses,omitempty"`     // of VMs that were brought back after a failure
	Tested         []string    `json:"tested,omitempty"`     // those that its oracles found put to the test besides
	Violations     []Violation `json:"violations,omitempty"` // in the order in which they were seen
	Error          string      `json:"error,omitempty"`      // why it could not go on: a watchdog, or a panic with its stack
	Replay         string      `json:"replay,omitempty"`     // the command that runs it again exactly
	Family         string      `json:"family,omitempty"`     // of runs that it is compared with; see Family
	Flushes        *Flushes    `json:"flushes,omitempty"`    // nil: no VM ran on a cloud cache
	Expected       int         `json:"expected,omitempty"`   // promises that the scenario itself makes
}

// Hash prints a trace's hash. Equal hashes mean equal runs.
func Hash(h uint64) string { return fmt.Sprintf("%016x", h) }

// Violation is a promise seen broken.
type Violation struct {
	Oracle   string        `json:"oracle"`             // who saw it, or "expect" for what the scenario itself demands
	Clauses  []string      `json:"clauses,omitempty"`  // the clauses that it breaks, besides those that the scenario covers
	At       time.Duration `json:"at_ns"`              // virtual time
	Subject  string        `json:"subject"`            // whom it happened to
	What     string        `json:"what"`               // in a sentence
	Evidence []uint64      `json:"evidence,omitempty"` // numbers of events in the trace
}

// Event is one line of a trace.
type Event struct {
	Run     string        // the scenario
	Seq     uint64        // its number in that run, from 1
	At      time.Duration // virtual time
	Kind    string
	Subject string
	Attrs   []Attr // in the order in which they were given
}

// Attr is a named detail of an Event.
type Attr struct{ Key, Value string }

// Attr is the value of a detail, or "" if there is none of that name.
func (e *Event) Attr(key string) string {
	for i := range e.Attrs {
		if e.Attrs[i].Key == key {
			return e.Attrs[i].Value
		}
	}
	return ""
}

// AppendJSON appends the event as one JSON object, without a line end. Traces
// hold millions of events, so this takes no detour over reflection.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"run":`...)
	b = appendString(b, e.Run)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, e.Seq, 10)
	b = append(b, `,"at_ns":`...)
	b = strconv.AppendInt(b, int64(e.At), 10)
	b = append(b, `,"kind":`...)
	b = appendString(b, e.Kind)
	b = append(b, `,"subject":`...)
	b = appendString(b, e.Subject)
	for i, a := range e.Attrs {
		if i == 0 {
			b = append(b, `,"attrs":{`...)
		} else {
			b = append(b, ',')
		}
		b = appendString(b, a.Key)
		b = append(b, ':')
		b = appendString(b, a.Value)
	}
	if len(e.Attrs) > 0 {
		b = append(b, '}')
	}
	return append(b, '}')
}

// UnmarshalJSON reads what AppendJSON wrote, the details in their order.
func (e *Event) UnmarshalJSON(text []byte) error {
	var line struct {
		Run     string          `json:"run"`
		Seq     uint64          `json:"seq"`
		At      time.Duration   `json:"at_ns"`
		Kind    string          `json:"kind"`
		Subject string          `json:"subject"`
		Attrs   json.RawMessage `json:"attrs"`
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return err
	}
	*e = Event{Run: line.Run, Seq: line.Seq, At: line.At, Kind: line.Kind, Subject: line.Subject}
	if len(line.Attrs) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(line.Attrs))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("event %d: attrs are no object", line.Seq)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		a := Attr{Key: key.(string)} // JSON has no other keys
		if err := d.Decode(&a.Value); err != nil {
			return fmt.Errorf("event %d: %s: %w", line.Seq, a.Key, err)
		}
		e.Attrs = append(e.Attrs, a)
	}
	return nil
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(fmt.Sprintf("record: a string that JSON cannot hold: %v", err)) // there is none
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// Suite is the runs of one command, and what they say together.
type Suite struct {
	Seed        *uint64  `json:"seed,omitempty"` // nil: each scenario's own
	Transport   string   `json:"transport"`      // "direct" or "soap"
	Workers     int      `json:"workers"`
	WallSeconds float64  `json:"wall_seconds"`
	Interrupted bool     `json:"interrupted,omitempty"` // not every scenario was run
	Seeds       *Seeds   `json:"seeds,omitempty"`       // of an exploration
	Runs        []Run    `json:"runs"`                  // in the order in which they were asked for
	Families    []Family `json:"families,omitempty"`    // of the runs that are compared with others
	Clauses     []Clause `json:"clauses"`               // in the catalogue's order
}

// Seeds are those of an exploration: a run each, of which only the failures are
// among the suite's runs.
type Seeds struct {
	First  uint64   `json:"first"`
	Run    int      `json:"run"`    // how many were run to their end, from First on
	Failed []uint64 `json:"failed"` // sorted
}

// Judge holds the runs against the catalogue, each by itself and together.
func (s *Suite) Judge(c Catalogue) {
	s.Families = Families(s.Runs)
	s.Clauses = c.Judge(s.Runs)
}

// Count is how many runs ended with that verdict.
func (s *Suite) Count(v Verdict) int {
	n := 0
	for i := range s.Runs {
		if s.Runs[i].Verdict == v {
			n++
		}
	}
	return n
}

// Held says whether no promise was broken: every run passed, and none in
// comparison with others.
func (s *Suite) Held() bool {
	return s.Count(Passed) == len(s.Runs) && !slices.ContainsFunc(s.Families, func(f Family) bool { return len(f.Broken) > 0 })
}

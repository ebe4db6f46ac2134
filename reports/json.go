package reports

import (
	"encoding/json"
	"io"

	"github.com/hdm-project/hdm/reports/record"
)

// summary is what `--format json` prints, and nothing else: scripts read it, so a
// field is never renamed.
type summary struct {
	Passed  int                        `json:"passed"`
	Failed  int                        `json:"failed"`
	Clauses map[string]record.Standing `json:"clauses"`
	Runs    []runSummary               `json:"runs"`
	Seeds   *record.Seeds              `json:"seeds,omitempty"` // of an exploration
}

type runSummary struct {
	Scenario       string         `json:"scenario"`
	Seed           uint64         `json:"seed"`
	Verdict        record.Verdict `json:"verdict"`
	Hash           string         `json:"hash"`
	VirtualSeconds float64        `json:"virtual_seconds"`
	WallSeconds    float64        `json:"wall_seconds"`
	Events         uint64         `json:"events"`
	VSphereCalls   uint64         `json:"vsphere_calls"`

	// Of runs that failed.
	Violations []violationSummary `json:"violations,omitempty"`
	Error      string             `json:"error,omitempty"`
	Replay     string             `json:"replay,omitempty"` // a command for a shell
}

type violationSummary struct {
	Oracle  string   `json:"oracle"`
	Clauses []string `json:"clauses"`
	At      string   `json:"at"` // virtual time as flags take it: "14m7s"
	Subject string   `json:"subject"`
	What    string   `json:"what"`
}

// JSON prints a suite for scripts, as one object. A run that was interrupted or
// stopped counts neither as passed nor as failed. Of an exploration the failures
// alone are among the runs, and the seeds say how many there were.
func JSON(w io.Writer, s *record.Suite) error {
	out := summary{
		Passed:  s.Count(record.Passed),
		Failed:  s.Count(record.Failed),
		Clauses: map[string]record.Standing{},
		Runs:    []runSummary{},
		Seeds:   s.Seeds,
	}
	if s.Seeds != nil {
		out.Failed = len(s.Seeds.Failed)
		out.Passed = s.Seeds.Run - out.Failed
	}
	for i := range s.Clauses {
		out.Clauses[s.Clauses[i].ID] = s.Clauses[i].Standing
	}
	for i := range s.Runs {
		out.Runs = append(out.Runs, summarize(&s.Runs[i]))
	}
	return encode(w, out)
}

func summarize(r *record.Run) runSummary {
	out := runSummary{
		Scenario: r.Scenario, Seed: r.Seed, Verdict: r.Verdict, Hash: r.Hash,
		VirtualSeconds: r.VirtualSeconds, WallSeconds: r.WallSeconds, Events: r.Events, VSphereCalls: r.VSphereCalls,
	}
	if r.Verdict != record.Failed {
		return out
	}
	out.Error, out.Replay = r.Error, r.Replay
	for i := range r.Violations {
		v := &r.Violations[i]
		out.Violations = append(out.Violations, violationSummary{
			Oracle: v.Oracle, Clauses: append([]string{}, v.Clauses...), At: v.At.String(), Subject: v.Subject, What: v.What,
		})
	}
	return out
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

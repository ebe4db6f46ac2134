package reports

import (
	"encoding/json"
	"io"

	"github.com/hdm-project/hdm/reports/record"
)

// summary is what `hdm run --format json` prints, and nothing else: scripts
// read it, so a field is never renamed.
type summary struct {
	Passed  int                        `json:"passed"`
	Failed  int                        `json:"failed"`
	Clauses map[string]record.Standing `json:"clauses"`
	Runs    []runSummary               `json:"runs"`
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
}

// JSON prints a suite for scripts, as one object. An interrupted run counts
// neither as passed nor as failed.
func JSON(w io.Writer, s *record.Suite) error {
	out := summary{
		Passed:  s.Count(record.Passed),
		Failed:  s.Count(record.Failed),
		Clauses: map[string]record.Standing{},
		Runs:    []runSummary{},
	}
	for i := range s.Clauses {
		out.Clauses[s.Clauses[i].ID] = s.Clauses[i].Standing
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		out.Runs = append(out.Runs, runSummary{
			Scenario: r.Scenario, Seed: r.Seed, Verdict: r.Verdict, Hash: r.Hash,
			VirtualSeconds: r.VirtualSeconds, WallSeconds: r.WallSeconds, Events: r.Events, VSphereCalls: r.VSphereCalls,
		})
	}
	return encode(w, out)
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

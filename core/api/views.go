package api

import (
	"cmp"
	"fmt"
	"io"

	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/migration"
)

// Row is a migration as both views show it.
type Row struct {
	Migration string    `json:"migration"`
	VM        string    `json:"vm"`
	Type      string    `json:"type"`
	State     string    `json:"state"`
	Step      string    `json:"step,omitempty"`
	Shows     string    `json:"shows,omitempty"` // what it is doing, for people
	Percent   int32     `json:"percent"`         // 0 to 100
	Ordered   time.Time `json:"ordered"`
	Ended     time.Time `json:"ended,omitzero"`
	Reasons   []Reason  `json:"reasons,omitempty"` // why it was refused, failed or cancelled
	Left      []string  `json:"left,omitempty"`    // what could not be put back
}

// Reason says why a migration did not do what was ordered.
type Reason struct {
	Code string `json:"code"`
	What string `json:"what"`
	Fix  string `json:"fix,omitempty"`
}

// mostEnded bounds the Summary view: the newest are shown.
const mostEnded = 1000

// Views are the two views of the migrations (MIG-09). In Progress has those that
// are not over, in the order of their orders. Summary has those that are, the
// last one to end first, at most 1000.
func Views(statuses []appliance.Status) (inProgress, summary []Row) {
	inProgress, summary = []Row{}, []Row{}
	var ended []appliance.Status
	for _, m := range slices.SortedFunc(slices.Values(statuses), byNumber) {
		if m.State.Final() {
			ended = append(ended, m)
		} else {
			inProgress = append(inProgress, row(m))
		}
	}
	slices.SortStableFunc(ended, func(a, b appliance.Status) int {
		return cmp.Or(b.Ended.Compare(a.Ended), byNumber(b, a))
	})
	for _, m := range ended[:min(len(ended), mostEnded)] {
		summary = append(summary, row(m))
	}
	return inProgress, summary
}

func byNumber(a, b appliance.Status) int { return cmp.Compare(a.Number, b.Number) }

func row(m appliance.Status) Row {
	r := Row{
		Migration: string(m.ID), VM: cmp.Or(m.Plan.Name, m.Order.VM), Type: string(m.Order.Type), State: string(m.State),
		Step: string(m.Step), Shows: m.Shows(), Percent: max(m.Percent(), m.Responses.Percent), Ordered: m.Ordered, Ended: m.Ended,
	}
	if m.State.Final() {
		r.Shows = ""
		for _, why := range m.Reasons {
			r.Reasons = append(r.Reasons, Reason(why))
		}
	}
	for _, l := range m.Leftovers {
		r.Left = append(r.Left, l.String())
	}
	return r
}

// Type is a type of migration that is offered, with its steps in order.
type Type struct {
	Type  string `json:"type"`
	Steps []Step `json:"steps"`
}

// Step of a type.
type Step struct {
	Step  string `json:"step"`
	Shows string `json:"shows"`
}

// Types are the types that are offered (MIG-01), by name.
func Types() []Type {
	var all []Type
	for _, name := range migration.Types {
		t := Type{Type: string(name)}
		for _, r := range migration.Tables[name] {
			t.Steps = append(t.Steps, Step{string(r.Step), r.Shows})
		}
		all = append(all, t)
	}
	return all
}

// Print writes both views as tables for people, with times as at is. Errors: w's.
func (m Migrations) Print(w io.Writer, at *time.Location) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "IN PROGRESS\tVM\tTYPE\tSTATE\tDONE\tORDERED\tDOING")
	for _, r := range m.InProgress {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d%%\t%s\t%s\n", cell(r.Migration), cell(r.VM), cell(r.Type), cell(r.State), r.Percent, stamp(r.Ordered, at), cell(r.Shows))
	}
	fmt.Fprintln(t)
	fmt.Fprintln(t, "SUMMARY\tVM\tTYPE\tSTATE\tORDERED\tENDED\tWHY")
	for _, r := range m.Summary {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cell(r.Migration), cell(r.VM), cell(r.Type), cell(r.State), stamp(r.Ordered, at), stamp(r.Ended, at), cell(why(r)))
	}
	return t.Flush()
}

func why(r Row) string {
	var all []string
	for _, reason := range r.Reasons {
		text := reason.What
		if reason.Fix != "" {
			text += " (" + reason.Fix + ")"
		}
		all = append(all, text)
	}
	return strings.Join(append(all, r.Left...), "; ")
}

func stamp(t time.Time, at *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(at).Format(time.DateTime)
}

// cell is a text that stays in its cell of a table, and cannot move a terminal's
// cursor.
func cell(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/reports/timeline"
)

// runView is a run on the page.
type runView struct {
	*record.Run
	Anchor     string
	Open       bool
	Virtual    string
	Wall       string
	EventCount string
	Calls      string
	Shows      []string // clauses
	Broken     []violation
	More       int // violations
	Failure    string
	Drawing    *drawing
	Left       bool // the time line was left out
	Faults     []faultRow
	MoreFaults int
	VMs        []vmRow
	Interval   string
	Flushed    bool // one of them ran on a cloud cache
	MoreVMs    int
	Loss       loss
}

type violation struct {
	At, Oracle, Clauses, What string
	Evidence                  string
	Events                    []eventRow
}

type eventRow struct {
	Seq           uint64
	At, Kind, Who string
	Attrs         string
}

type faultRow struct{ Number, Kind, Target, Began, Ended, Lasted string }

type vmRow struct {
	Name       string
	Migrations int
	Ended      string
	Runs       string // where its guest runs in the end
	Writes     string
	Cut        uint64
	AtRisk     string // while it ran on a cloud cache; "" if it did not
	Waited     string // its guest, for its disks in the cloud
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func newRunView(r *record.Run, of *Run, anchor string) runView {
	v := runView{
		Run: r, Anchor: anchor, Virtual: clock(seconds(r.VirtualSeconds)), Wall: clock(seconds(r.WallSeconds)),
		EventCount: grouped(r.Events), Calls: grouped(r.VSphereCalls), Failure: r.Error,
		Loss: lossOfRun(r, of),
	}
	for _, id := range append(slices.Clone(r.Covers), r.Tested...) {
		if !slices.Contains(v.Shows, id) {
			v.Shows = append(v.Shows, id)
		}
	}
	for i := range r.Violations {
		if i == mostViolations {
			v.More = len(r.Violations) - i
			break
		}
		v.Broken = append(v.Broken, newViolation(&r.Violations[i], of.Evidence))
	}
	if of.Line == nil {
		return v
	}
	v.Drawing = draw(of.Line, r)
	if r.Flushes != nil {
		v.Interval = axisTime(r.Flushes.Interval)
	}
	v.MoreFaults = of.Line.MoreFaults
	for i := range of.Line.Faults {
		if i == mostFaultRows {
			v.MoreFaults += len(of.Line.Faults) - i
			break
		}
		v.Faults = append(v.Faults, newFaultRow(&of.Line.Faults[i]))
	}
	v.MoreVMs = of.Line.MoreVMs
	for i := range of.Line.VMs {
		row := newVMRow(&of.Line.VMs[i], of)
		row.flushed(r.Flushes)
		v.Flushed = v.Flushed || row.AtRisk != ""
		v.VMs = append(v.VMs, row)
	}
	return v
}

func newViolation(v *record.Violation, events []record.Event) violation {
	row := violation{At: clock(v.At), Oracle: v.Oracle, Clauses: strings.Join(v.Clauses, " "), What: subject(v), Evidence: numbers(v.Evidence)}
	for i := range events {
		e := &events[i]
		if !slices.Contains(v.Evidence, e.Seq) || len(row.Events) == mostEvidence {
			continue
		}
		var attrs []string
		for _, a := range e.Attrs {
			if a.Value != "" {
				attrs = append(attrs, a.Key+"="+cut(a.Value))
			}
		}
		row.Events = append(row.Events, eventRow{e.Seq, axisExact(e.At), e.Kind, cut(e.Subject), strings.Join(attrs, "  ")})
	}
	return row
}

func cut(s string) string {
	if len(s) > timeline.MostText {
		return strings.ToValidUTF8(s[:timeline.MostText], "") + "…"
	}
	return s
}

func newFaultRow(f *timeline.Fault) faultRow {
	row := faultRow{Number: f.Number, Kind: f.Kind, Target: f.Target, Began: clock(f.From), Ended: "not before the end", Lasted: clock(f.To - f.From)}
	if f.Ended {
		row.Ended = clock(f.To)
	}
	if f.To == f.From {
		row.Lasted = "a moment"
	}
	return row
}

func newVMRow(vm *timeline.VM, of *Run) vmRow {
	row := vmRow{Name: vm.Name, Migrations: vm.Migrations, Ended: string(vm.Ended), Runs: "nowhere", Cut: vm.Cut, Writes: grouped(vm.Writes)}
	if of.Thin {
		row.Writes = "not kept"
	}
	if vm.Ended == "" && vm.Migrations > 0 {
		row.Ended = "not over"
	}
	var at []string
	for _, s := range vm.Guest.Spans {
		if s.To < of.Line.End {
			continue
		}
		if where := strings.TrimPrefix(s.Text, "runs in "); !slices.Contains(at, where) {
			at = append(at, where)
		}
	}
	if len(at) > 0 {
		row.Runs = strings.Join(at, " and ")
	}
	return row
}

// flushed tells what was at risk of a VM while it ran on a cloud cache.
func (v *vmRow) flushed(f *record.Flushes) {
	if f == nil {
		return
	}
	for i := range f.VMs {
		if vm := &f.VMs[i]; vm.Name == v.Name {
			v.AtRisk = fmt.Sprintf("%s, %s", tenths(vm.Loss), plural(int(min(vm.AtRisk, 1<<40)), "write"))
			v.Waited = "never"
			if vm.Longest > 0 {
				v.Waited = fmt.Sprintf("%s; longest request %s", clock(vm.Stalled), clock(vm.Longest))
			}
		}
	}
}

// loss is what was lost against the bound.
type loss struct {
	Writes   string
	Told     bool // how many writes there were
	Lost     int  // what was acknowledged and is absent, as often as it was told
	Cut      string
	Migrated int // cold migrations that completed
}

// losing is the oracle that finds lost writes, lossless the promise that there
// are none.
const (
	losing   = "no-lost-write"
	lossless = "COLD-05"
)

func lossOf(s *Suite) loss {
	sum := loss{Told: true}
	writes, cut := uint64(0), uint64(0)
	for i := range s.Runs {
		l := lossOfRun(&s.Record.Runs[i], &s.Runs[i])
		sum.Lost += l.Lost
		sum.Migrated += l.Migrated
		if s.Runs[i].Line == nil || s.Runs[i].Thin {
			sum.Told = false
			continue
		}
		writes += s.Runs[i].Line.Writes
		cut += s.Runs[i].Line.Cut
	}
	sum.Writes, sum.Cut = grouped(writes), grouped(cut)
	return sum
}

func lossOfRun(r *record.Run, of *Run) loss {
	l := loss{Writes: "0", Cut: "0"}
	for i := range r.Violations {
		if v := &r.Violations[i]; v.Oracle == losing && slices.Contains(v.Clauses, lossless) {
			l.Lost++
		}
	}
	if of.Line != nil {
		l.Told = !of.Thin
		l.Writes, l.Cut = grouped(of.Line.Writes), grouped(of.Line.Cut)
		l.Migrated = of.Line.Cold
	}
	return l
}

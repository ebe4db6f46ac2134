package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
)

// familyView is runs that differ in their flush interval, side by side.
type familyView struct {
	Name     string
	Workload string
	Chart    *chart // nil: fewer than two intervals
	Rows     []familyRow
	Broken   []string
}

type familyRow struct {
	Run                                          link
	Interval, Applied, Bytes, WAN, Absorbed      string
	Loss, AtRisk, Bound, Flush, Stalled, Request string
}

// mostMembers bounds how many runs of a family are drawn.
const mostMembers = 40

func familyViews(s *record.Suite, anchors []string) []familyView {
	var all []familyView
	for i := range s.Families {
		f := &s.Families[i]
		v := familyView{Name: f.Name, Broken: f.Broken}
		var runs []*record.Flushes
		for _, name := range f.Runs[:min(len(f.Runs), mostMembers)] {
			at := slices.IndexFunc(s.Runs, func(r record.Run) bool { return r.Scenario == name })
			if at < 0 || s.Runs[at].Flushes == nil {
				continue // not of this suite
			}
			flushes := s.Runs[at].Flushes
			runs = append(runs, flushes)
			v.Workload = flushes.Workload
			v.Rows = append(v.Rows, newFamilyRow(flushes, link{name, anchors[at]}))
		}
		if len(runs) > 1 && runs[0].Interval > 0 && runs[0].Interval < runs[len(runs)-1].Interval {
			v.Chart = newChart(runs)
		}
		if len(v.Rows) > 0 {
			all = append(all, v)
		}
	}
	return all
}

func newFamilyRow(f *record.Flushes, run link) familyRow {
	worst := f.Worst()
	row := familyRow{
		Run: run, Interval: axisTime(f.Interval), Applied: grouped(uint64(f.Applied)), Bytes: bytesOf(float64(f.Bytes)), WAN: bytesOf(float64(f.WANBytes)),
		Absorbed: bytesOf(float64(f.Absorbed)), Loss: tenths(worst.Loss), AtRisk: grouped(worst.AtRisk),
		Bound: tenths(f.Bound()), Flush: clock(f.Longest),
	}
	var stalled, longest time.Duration
	for _, vm := range f.VMs {
		stalled += vm.Stalled
		longest = max(longest, vm.Longest)
	}
	row.Stalled, row.Request = clock(stalled), clock(longest)
	return row
}

// The measures of a chart: two plots side by side, over one axis of intervals
// whose steps are ratios.
const (
	chartHeight = 286.0
	keyRow      = 278.0
	plotWidth   = 396.0
	plotTop     = 46.0
	plotBottom  = 222.0
	plotLeft    = 58.0 // of the first point: its value stands there
	plotRight   = 18.0 // of the last one
	mostSteps   = 5    // of a vertical axis
)

// chart is two plots: what flushes cost, and what they save.
type chart struct {
	Width, Height, Title, About string
	Plots                       []plot
}

// plot is curves over the flush interval. Its shapes are in units of the chart.
type plot struct {
	Title, X, Unit, UnitY string
	Rules                 []rule
	Ticks, Across         []glyph // of the vertical axis, and of the intervals
	Lines                 []path
	Dots                  []shape
	Labels                []glyph
	Keys                  []chartKey
}

// chartKey tells which line is which.
type chartKey struct{ Class, D, X, Y, Text string }

// curve is one line of a plot.
type curve struct {
	class, name string
	values      []float64
	label       func(float64) string // nil: its points are not labelled
}

func newChart(runs []*record.Flushes) *chart {
	c := &chart{Width: f(width), Height: f(chartHeight), Title: "Flush interval: bytes over the WAN, and what a failure could lose"}
	values := func(of func(*record.Flushes) float64) []float64 {
		all := make([]float64, len(runs))
		for i, r := range runs {
			all[i] = of(r)
		}
		return all
	}
	scale, unit := byteUnit(slices.Max(values(func(r *record.Flushes) float64 { return float64(max(r.Bytes, r.WANBytes)) })))
	amount := func(v float64) string { return short(v) + " " + unit }
	minutes := func(v float64) string { return tenths(time.Duration(v * float64(time.Minute))) }
	carried := values(func(r *record.Flushes) float64 { return float64(r.Bytes) / scale })
	loss := values(func(r *record.Flushes) float64 { return r.Worst().Loss.Minutes() })
	c.Plots = []plot{
		newPlot(44, "Bytes over the WAN", unit, runs,
			curve{"flushed", "carried by flushes", carried, amount},
			curve{"all", "all that crossed the WAN", values(func(r *record.Flushes) float64 { return float64(r.WANBytes) / scale }), nil}),
		newPlot(width/2+56, "Age of the oldest write that a failure could lose", "minutes", runs,
			curve{"loss", "worst moment of the run", loss, minutes},
			curve{"bound", "bound: interval and longest flush", values(func(r *record.Flushes) float64 { return r.Bound().Minutes() }), nil}),
	}
	var told []string
	for i, r := range runs {
		told = append(told, fmt.Sprintf("every %s: %s flushed, %s at risk", axisTime(r.Interval), amount(carried[i]), minutes(loss[i])))
	}
	c.About = strings.Join(told, "; ")
	return c
}

// newPlot draws curves over the intervals of the runs, with their names below.
func newPlot(x0 float64, title, unit string, runs []*record.Flushes, curves ...curve) plot {
	p := plot{Title: title, X: f(x0), Unit: unit, UnitY: f(plotTop - 8)}
	first, last := math.Log(float64(runs[0].Interval)), math.Log(float64(runs[len(runs)-1].Interval))
	x := func(i int) float64 {
		return x0 + plotLeft + (plotWidth-plotLeft-plotRight)*(math.Log(float64(runs[i].Interval))-first)/(last-first)
	}
	top := 0.0
	for _, c := range curves {
		top = max(top, slices.Max(c.values))
	}
	step := roundStep(top)
	top = step * math.Ceil(top/step)
	y := func(v float64) float64 { return plotBottom - (plotBottom-plotTop)*v/max(top, step) }
	for v := 0.0; v <= top+step/2; v += step {
		class := "grid"
		if v == 0 {
			class = "floor"
		}
		p.Rules = append(p.Rules, rule{class, f(x0), f(y(v)), f(x0 + plotWidth), f(y(v))})
		p.Ticks = append(p.Ticks, glyph{Class: "tick", X: f(x0 - 7), Y: f(y(v) + 3.5), Text: short(v)})
	}
	for i, r := range runs {
		p.Rules = append(p.Rules, rule{"grid", f(x(i)), f(plotBottom), f(x(i)), f(plotBottom + 4)})
		p.Across = append(p.Across, glyph{X: f(x(i)), Y: f(plotBottom + 17), Text: axisTime(r.Interval)})
	}
	p.Across = append(p.Across, glyph{Class: "of", X: f(x0 + plotWidth/2), Y: f(plotBottom + 34), Text: "flush interval, on a logarithmic axis"})
	key := x0
	for _, c := range curves {
		p.Keys = append(p.Keys, chartKey{c.class, fmt.Sprintf("M%s %sh22", f(key), f(keyRow-3.5)), f(key + 28), f(keyRow), c.name})
		key += 46 + float64(len(c.name))*letter
	}
	for _, c := range curves {
		var d strings.Builder
		aside := -7.0 // to the left of a curve that rises there is room above it
		if c.values[0] > c.values[len(c.values)-1] {
			aside = 15
		}
		for i, v := range c.values {
			command := "L"
			if i == 0 {
				command = "M"
			}
			fmt.Fprintf(&d, "%s%s %s", command, f(x(i)), f(y(v)))
			if c.label != nil {
				p.Dots = append(p.Dots, shape{Class: c.class, X: f(x(i)), Y: f(y(v)), Title: fmt.Sprintf("every %s: %s", axisTime(runs[i].Interval), c.label(v))})
				p.Labels = append(p.Labels, glyph{X: f(x(i) - 8), Y: f(y(v) + aside), Text: c.label(v)})
			}
		}
		p.Lines = append(p.Lines, path{c.class, d.String(), c.name})
	}
	return p
}

// roundStep is how far the lines of an axis up to top are from one another: 1, 2
// or 5 times a power of ten.
func roundStep(top float64) float64 {
	if top <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(top/mostSteps)))
	for _, m := range []float64{1, 2, 5} {
		if top/(m*power) <= mostSteps {
			return m * power
		}
	}
	return 10 * power
}

// byteUnit is the unit in which bytes up to top are told, and its size.
func byteUnit(top float64) (size float64, unit string) {
	size, unit = 1, "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if top < 1000*size {
			break
		}
		size, unit = 1000*size, next
	}
	return size, unit
}

// tenths is a length of time to a tenth of a second.
func tenths(d time.Duration) string { return shortened(d.Round(100 * time.Millisecond).String()) }

// short is a number with at most three digits that count.
func short(v float64) string {
	switch {
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return f(v)
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

package page

import (
	"cmp"
	"slices"
	"time"

	"github.com/hdm-project/hdm/reports/timeline"
)

// A run is mostly waiting: hours between orders, and ten minutes at the end in
// which nothing may follow. scale shows what is busy in proportion and cuts what
// is idle short, visibly.
type scale struct{ pieces []piece }

// piece is a stretch of time and where it is drawn.
type piece struct {
	from, to time.Duration
	x0, x1   float64
	cut      bool
}

// stretch is from one virtual time to another.
type stretch struct{ from, to time.Duration }

const (
	cutWidth   = 16.0
	mostCuts   = 16
	cutShare   = 0.05 // an idle stretch is cut if it is more than this share of what is busy,
	cutAtLeast = 20 * time.Second
)

func newScale(t *timeline.Timeline, x0, x1 float64) *scale {
	busy := busyIn(t)
	total := time.Duration(0)
	for _, b := range busy {
		total += b.to - b.from
	}
	idle := gaps(busy, t.End)
	idle = slices.DeleteFunc(idle, func(g stretch) bool {
		return g.to-g.from < max(cutAtLeast, time.Duration(float64(total)*cutShare))
	})
	if len(idle) > mostCuts {
		slices.SortStableFunc(idle, func(a, b stretch) int { return cmp.Compare(b.to-b.from, a.to-a.from) })
		idle = idle[:mostCuts]
		slices.SortFunc(idle, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	}
	if total == 0 {
		idle = nil // nothing happened: it is shown as it was
	}
	s := &scale{}
	shown := t.End
	for _, g := range idle {
		shown -= g.to - g.from
	}
	per := (x1 - x0 - cutWidth*float64(len(idle))) / float64(max(shown, 1))
	at, x := time.Duration(0), x0
	add := func(to time.Duration, width float64, cut bool) {
		if to > at {
			s.pieces = append(s.pieces, piece{at, to, x, x + width, cut})
			at, x = to, x+width
		}
	}
	for _, g := range idle {
		add(g.from, float64(g.from-at)*per, false)
		add(g.to, cutWidth, true)
	}
	add(t.End, float64(t.End-at)*per, false)
	return s
}

// busyIn are the stretches in which something is under way, with a margin,
// joined.
func busyIn(t *timeline.Timeline) []stretch {
	var all []stretch
	add := func(from, to time.Duration) { all = append(all, stretch{from, to}) }
	active := 0.0
	since := time.Duration(0)
	for _, p := range merged(&t.Waiting, &t.Running) {
		if active > 0 {
			add(since, p.At)
		}
		active, since = p.Value, p.At
	}
	if active > 0 {
		add(since, t.End)
	}
	for _, f := range t.Faults {
		add(f.From, f.To)
	}
	lanes := append([]timeline.Lane{t.Appliance, t.Health, t.People}, t.Links...)
	for _, vm := range t.VMs {
		lanes = append(lanes, timeline.Lane{Marks: vm.Guest.Marks})
	}
	for _, l := range lanes {
		for _, s := range l.Spans {
			if s.Kind == timeline.Down || s.Kind == timeline.NotReady {
				add(s.From, s.To)
			}
		}
		for _, m := range l.Marks {
			add(m.At, m.At)
		}
	}
	return joined(all, t.End)
}

// joined sorts stretches, gives them a margin and joins those that touch.
func joined(all []stretch, end time.Duration) []stretch {
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	total := time.Duration(0)
	last := time.Duration(0)
	for _, s := range all {
		total += max(s.to, last) - max(s.from, last)
		last = max(s.to, last)
	}
	margin := max(total/200, time.Second)
	var out []stretch
	for _, s := range all {
		s = stretch{max(s.from-margin, 0), min(s.to+margin, end)}
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

func gaps(busy []stretch, end time.Duration) []stretch {
	var all []stretch
	at := time.Duration(0)
	for _, b := range busy {
		if b.from > at {
			all = append(all, stretch{at, b.from})
		}
		at = max(at, b.to)
	}
	if end > at {
		all = append(all, stretch{at, end})
	}
	return all
}

// merged is the sum of two curves.
func merged(a, b *timeline.Curve) []timeline.Point {
	var out []timeline.Point
	i, j, x, y := 0, 0, 0.0, 0.0
	for i < len(a.Points) || j < len(b.Points) {
		var at time.Duration
		switch {
		case j == len(b.Points) || i < len(a.Points) && a.Points[i].At <= b.Points[j].At:
			at = a.Points[i].At
		default:
			at = b.Points[j].At
		}
		for ; i < len(a.Points) && a.Points[i].At == at; i++ {
			x = a.Points[i].Value
		}
		for ; j < len(b.Points) && b.Points[j].At == at; j++ {
			y = b.Points[j].Value
		}
		out = append(out, timeline.Point{At: at, Value: x + y})
	}
	return out
}

// x is where a virtual time is drawn.
func (s *scale) x(at time.Duration) float64 {
	for _, p := range s.pieces {
		if at <= p.to {
			return p.x0 + (p.x1-p.x0)*float64(max(at-p.from, 0))/float64(p.to-p.from)
		}
	}
	if n := len(s.pieces); n > 0 {
		return s.pieces[n-1].x1
	}
	return 0
}

// tick is a labelled time.
type tick struct {
	X    float64
	Text string
}

var steps = []time.Duration{
	10 * time.Millisecond, 100 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
}

// apart is how far labels are from one another at least.
const apart = 54.0

func (s *scale) ticks() []tick {
	var all []tick
	last := -apart
	label := func(at time.Duration) {
		if x := s.x(at); x-last >= apart {
			all = append(all, tick{x, axisTime(at)})
			last = x
		}
	}
	for _, p := range s.pieces {
		if p.cut {
			continue
		}
		per := float64(p.to-p.from) / (p.x1 - p.x0)
		step := steps[len(steps)-1]
		for _, candidate := range steps {
			if float64(candidate)/per >= apart {
				step = candidate
				break
			}
		}
		began := len(all)
		for at := (p.from + step - 1).Truncate(step); at < p.to; at += step {
			label(at)
		}
		if len(all) == began { // no round time is in it
			label(p.from.Round(time.Second))
		}
	}
	return all
}

// axisTime is a time on an axis, short.
func axisTime(at time.Duration) string {
	switch {
	case at == 0:
		return "0"
	case at < time.Second:
		return at.Round(time.Millisecond).String()
	}
	return shortened(at.Round(time.Second).String())
}

// shortened leaves out what is zero at the end: "1h0m0s" is "1h".
func shortened(s string) string {
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(s) - len(zero); n > 0 && s[n:] == zero {
			s = s[:n+1]
		}
	}
	return s
}

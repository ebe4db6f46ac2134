package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/reports/timeline"
)

// The measures of a time line, in units of its own; on a wide screen a unit is a
// little more than a pixel.
const (
	width    = 960.0
	labels   = 128.0 // the column of names
	right    = width - 8
	axisRow  = 20.0
	flagRow  = 18.0
	laneRow  = 16.0
	guestRow = 25.0
	curveRow = 46.0
	letter   = 5.6 // about the width of a letter of the small text
	mostText = 17  // letters of a name before it is cut
	thin     = 0.8 // nothing is drawn narrower
)

// drawing is the time line of a run as shapes, back to front.
type drawing struct {
	Width, Height string
	Title         string
	Bands         []shape // faults, over all lanes
	Rules         []rule
	Ticks         []tickText
	Cuts          []shape
	Shapes        []shape
	Marks         []glyph
	Names         []glyph
	Texts         []glyph
	Curves        []path
	More          []string
}

type shape struct{ Class, X, Y, W, H, Title string }
type glyph struct{ Class, X, Y, Text, Title string }
type rule struct{ Class, X1, Y1, X2, Y2 string }
type path struct{ Class, D, Title string }
type tickText struct{ X, Text string }

// size is how many shapes it has.
func (d *drawing) size() int {
	n := len(d.Bands) + len(d.Rules) + len(d.Cuts) + len(d.Shapes) + len(d.Marks) + len(d.Names) + len(d.Texts)
	for _, p := range d.Curves {
		n += len(p.D) / 100
	}
	return n
}

// pen draws a time line from the top to the bottom.
type pen struct {
	*drawing
	*scale
	y float64
}

func f(x float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0") }

func draw(t *timeline.Timeline, r *record.Run) *drawing {
	p := &pen{drawing: &drawing{Width: f(width), Title: fmt.Sprintf("Time line of %s, %s of virtual time", r.Scenario, clock(t.End))}, scale: newScale(t, labels, right)}
	p.y = axisRow
	top := p.y
	p.faultFlags(t)
	p.violations(r)
	p.lane(&t.Appliance)
	p.lane(&t.Health)
	for i := range t.Links {
		p.lane(&t.Links[i])
	}
	for i := range t.Parts {
		p.lane(&t.Parts[i])
	}
	if t.MoreParts {
		p.More = append(p.More, "other parts of HDM that were down")
	}
	p.lane(&t.Recovery)
	p.lane(&t.People)
	for i := range t.VMs {
		p.vm(&t.VMs[i])
	}
	if t.MoreVMs > 0 {
		p.More = append(p.More, plural(t.MoreVMs, "VM"))
	}
	p.curves(t)
	p.axis(top)
	p.bands(t, r, top)
	p.Height = f(p.y + 4)
	return p.drawing
}

// axis draws the times, and where idle time is cut.
func (p *pen) axis(top float64) {
	for _, tick := range p.ticks() {
		p.Ticks = append(p.Ticks, tickText{f(min(tick.X, right-14)), tick.Text})
		p.Rules = append(p.Rules, rule{"grid", f(tick.X), f(axisRow - 4), f(tick.X), f(p.y)})
	}
	for _, piece := range p.pieces {
		if piece.cut {
			p.Cuts = append(p.Cuts, shape{"cut", f(piece.x0), f(top), f(piece.x1 - piece.x0), f(p.y - top),
				fmt.Sprintf("%s to %s: nothing happened; %s cut short", axisTime(piece.from), axisTime(piece.to), axisTime(piece.to-piece.from))})
		}
	}
}

// faultFlags draws a row with a flag where each fault begins, and a mark where it
// ends.
func (p *pen) faultFlags(t *timeline.Timeline) {
	if len(t.Faults) == 0 {
		return
	}
	p.name("faults", "")
	free := 0.0
	for i := range t.Faults {
		ft := &t.Faults[i]
		x, y := p.x(ft.From), p.y+12
		title := faultTitle(ft)
		next := right
		if i+1 < len(t.Faults) {
			next = p.x(t.Faults[i+1].From)
		}
		text := ft.Number
		if long := ft.Number + " " + ft.Kind; x+float64(len(long))*letter+6 < next && x+float64(len(long))*letter < right {
			text = long
		}
		if x >= free {
			p.Texts = append(p.Texts, glyph{"flag", f(x + 2), f(y), text, title})
			free = x + float64(len(text))*letter + 4
		}
		if ft.Ended && ft.To > ft.From {
			if e := p.x(ft.To); e >= free {
				p.Marks = append(p.Marks, glyph{"recovered", f(e), f(y), "◁", "fault " + ft.Number + " is over: " + title})
			}
		}
	}
	if t.MoreFaults > 0 {
		p.More = append(p.More, plural(t.MoreFaults, "fault"))
	}
	p.y += flagRow
}

func faultTitle(ft *timeline.Fault) string {
	what := "fault " + ft.Number + ": " + ft.Kind + " " + ft.Target + ", " + axisExact(ft.From)
	switch {
	case !ft.Ended:
		return what + " until the end"
	case ft.To > ft.From:
		return what + " to " + axisExact(ft.To)
	}
	return what
}

func axisExact(at time.Duration) string { return at.Round(time.Millisecond).String() }

// violations marks where promises were seen broken.
func (p *pen) violations(r *record.Run) {
	if len(r.Violations) == 0 {
		return
	}
	p.name("broken", "")
	for i := range r.Violations {
		if i == mostViolations {
			break
		}
		v := &r.Violations[i]
		p.Marks = append(p.Marks, glyph{"violation", f(min(p.x(v.At), right-4)), f(p.y + 12), "✗", axisExact(v.At) + " " + v.Oracle + " " + subject(v)})
	}
	p.y += laneRow
}

// bands draws faults and violations over all lanes.
func (p *pen) bands(t *timeline.Timeline, r *record.Run, top float64) {
	for i := range t.Faults {
		ft := &t.Faults[i]
		x := p.x(ft.From)
		p.Bands = append(p.Bands, shape{"fault", f(x), f(top), f(max(p.x(ft.To)-x, thin)), f(p.y - top), faultTitle(ft)})
		p.Rules = append(p.Rules, rule{"fault-edge", f(x), f(top), f(x), f(p.y)})
	}
	for i := range r.Violations {
		if i == mostViolations {
			break
		}
		x := f(min(p.x(r.Violations[i].At), right-4))
		p.Rules = append(p.Rules, rule{"violation-edge", x, f(top), x, f(p.y)})
	}
}

func (p *pen) name(text, title string) {
	short := shortName(text)
	if short != text {
		title = text
	}
	p.Names = append(p.Names, glyph{"name", f(labels - 8), f(p.y + 12), short, title})
}

// lane draws spans and marks in one row.
func (p *pen) lane(l *timeline.Lane) {
	if l.Empty() {
		return
	}
	p.name(l.Name, "")
	p.base(p.y + laneRow/2)
	for i := range l.Spans {
		s := &l.Spans[i]
		y, h := p.y+3, 10.0
		switch { // two ways of a link may be down apart
		case strings.HasSuffix(s.Text, "to-cloud"):
			h = 5
		case strings.HasSuffix(s.Text, "to-premises"):
			y, h = y+5, 5
		}
		p.span(s, y, h, s.Text)
	}
	for i := range l.Marks {
		p.mark(&l.Marks[i], p.y+12)
	}
	p.more(l, l.Name)
	p.y += laneRow
}

func (p *pen) more(l *timeline.Lane, of string) {
	if l.More > 0 {
		p.More = append(p.More, fmt.Sprintf("%d of %s", l.More, of))
	}
}

func (p *pen) base(y float64) {
	p.Rules = append(p.Rules, rule{"base", f(labels), f(y), f(right), f(y)})
}

// vm draws where a guest runs (on premises above, cloud below) and between them
// its migration.
func (p *pen) vm(vm *timeline.VM) {
	p.y += 1
	p.Names = append(p.Names, glyph{"name", f(labels - 8), f(p.y + 15), shortName(vm.Name), vm.Name})
	p.base(p.y + 4)
	p.base(p.y + 20)
	for i := range vm.Guest.Spans {
		s := &vm.Guest.Spans[i]
		y := p.y + 2
		if s.Kind == timeline.Cloud {
			y = p.y + 18
		}
		p.span(s, y, 4, "")
	}
	for i := range vm.Migration.Spans {
		s := &vm.Migration.Spans[i]
		_, step, _ := strings.Cut(s.Text, ", ")
		p.span(s, p.y+7, 10, step)
	}
	for i := range vm.Guest.Marks {
		p.mark(&vm.Guest.Marks[i], p.y+8)
	}
	for i := range vm.Migration.Marks {
		p.mark(&vm.Migration.Marks[i], p.y+16)
	}
	p.more(&vm.Guest, vm.Name)
	p.more(&vm.Migration, vm.Name)
	p.y += guestRow - 1
}

// shortName cuts a name in its middle: names of one kind differ at their ends.
func shortName(s string) string {
	const end = mostText / 2
	if r := []rune(s); len(r) > mostText {
		return string(r[:mostText-end-1]) + "…" + string(r[len(r)-end:])
	}
	return s
}

// span draws a stretch of time, and its text if there is room.
func (p *pen) span(s *timeline.Span, y, h float64, text string) {
	x := p.x(s.From)
	w := max(p.x(s.To)-x, thin)
	title := fmt.Sprintf("%s, %s to %s (event %d)", s.Text, axisExact(s.From), axisExact(s.To), s.Seq)
	p.Shapes = append(p.Shapes, shape{string(s.Kind), f(x), f(y), f(w), f(h), title})
	if room := float64(len(text)) * letter; text != "" && h >= 10 && room+6 < w {
		p.Texts = append(p.Texts, glyph{"in " + string(s.Kind), f(x + 3), f(y + h - 2), text, ""})
	}
}

// signs are how marks are drawn.
var signs = map[timeline.Kind]string{
	timeline.Boot: "▲", timeline.Retry: "↻", timeline.PowerCut: "↯", timeline.Completed: "●", timeline.Failed: "✗",
	timeline.Cancelled: "⊘", timeline.Refused: "⊗", timeline.Order: "▾", timeline.Step: "▾", timeline.Foreign: "◆",
	timeline.Detected: "!", timeline.Repaired: "✓", timeline.Recovered: "◂",
}

func (p *pen) mark(m *timeline.Mark, y float64) {
	p.Marks = append(p.Marks, glyph{string(m.Kind), f(p.x(m.At)), f(y), signs[m.Kind],
		fmt.Sprintf("%s, %s (event %d)", m.Text, axisExact(m.At), m.Seq)})
}

// curves draws the queues and the transfers below the lanes, on the same scale.
func (p *pen) curves(t *timeline.Timeline) {
	if top := max(t.Waiting.Top(), t.Running.Top()); top > 0 {
		p.curve("orders", fmt.Sprintf("up to %.0f waiting, %.0f running", t.Waiting.Top(), t.Running.Top()), top, fmt.Sprintf("%.0f", top), t.End,
			series{"running", &t.Running}, series{"waiting", &t.Waiting})
	}
	if top := t.Rate.Top(); top > 0 {
		p.curve("WAN", bytesOf(float64(t.Carried))+" carried", top, bytesOf(top)+"/s", t.End, series{"rate", &t.Rate})
	}
	for i := range t.Queues {
		q := &t.Queues[i]
		note := fmt.Sprintf("%d sent, %d received, %d deleted, %d moved, %d expired", q.Sent, q.Received, q.Deleted, q.Moved, q.Expired)
		p.curve(q.Name, note, max(q.Depth.Top(), 1), fmt.Sprintf("%.0f", q.Depth.Top()), t.End, series{"queue", &q.Depth})
	}
	if t.MoreQs {
		p.More = append(p.More, "other queues")
	}
}

type series struct {
	class string
	curve *timeline.Curve
}

func (p *pen) curve(name, note string, top float64, topText string, end time.Duration, all ...series) {
	p.y += 6
	bottom, high := p.y+curveRow-8, curveRow-14
	p.Names = append(p.Names, glyph{"name", f(labels - 8), f(p.y + 14), shortName(name), name + ": " + note},
		glyph{"top", f(labels - 8), f(p.y + 26), "top " + topText, note})
	p.Rules = append(p.Rules, rule{"floor", f(labels), f(bottom), f(right), f(bottom)}, rule{"base", f(labels), f(bottom - high), f(right), f(bottom - high)})
	for _, s := range all {
		var d strings.Builder
		fmt.Fprintf(&d, "M%s %s", f(labels), f(bottom))
		for _, point := range s.curve.Points {
			fmt.Fprintf(&d, "H%sV%s", f(p.x(point.At)), f(bottom-high*point.Value/top))
		}
		fmt.Fprintf(&d, "H%s", f(p.x(end)))
		if s.class != "waiting" { // an area; what waits is a line over it
			fmt.Fprintf(&d, "V%sZ", f(bottom))
		}
		p.Curves = append(p.Curves, path{s.class, d.String(), name + ": " + note})
	}
	p.y += curveRow - 4
}

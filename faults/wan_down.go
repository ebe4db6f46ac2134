package faults

// Direction of a link, seen from the premises.
type Direction string

// The directions.
const (
	Both       Direction = "both"
	ToCloud    Direction = "to-cloud"
	ToPremises Direction = "to-premises"
)

// meets says whether two outages have a direction in common.
func (d Direction) meets(o Direction) bool { return d == Both || o == Both || d == o }

// orBoth is the direction, or both where none was given.
func (d Direction) orBoth() Direction {
	if d == "" {
		return Both
	}
	return d
}

// outage checks how a link is cut.
func (c *checker) outage(lasts Span, d Direction) {
	c.span(lasts)
	switch d {
	case Both, ToCloud, ToPremises:
	default:
		c.fail("direction", "use both, to-cloud or to-premises", "there is no direction %q", d)
	}
}

// WANDown takes the WAN between the sites away. The Internet link stays up
//
type WANDown struct {
	For Span `yaml:"for,omitempty" nonzero:"default"` // default ever
	// Direction that is cut; default both.
	Direction Direction `yaml:"direction,omitempty" jsonschema:"enum=both,enum=to-cloud,enum=to-premises"`
}

// Name implements Kind.
func (*WANDown) Name() string { return "wan-down" }

// Target implements Kind.
func (w *WANDown) Target() string { return "wan " + string(w.Directions()) }

// Directions is what is cut.
func (w *WANDown) Directions() Direction { return w.Direction.orBoth() }

// Lasts is how long it is down.
func (w *WANDown) Lasts() Span { return w.For.or(Ever) }

func (w *WANDown) clash(other Kind) string {
	if o := other.(*WANDown); w.Directions().meets(o.Directions()) {
		return "the WAN would go down while it is down"
	}
	return ""
}

func (w *WANDown) check(c *checker) { c.outage(w.Lasts(), w.Directions()) }

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

// WANDown takes the WAN between the sites away. The Internet link stays up
//
type WANDown struct {
	For Duration `yaml:"for"`
	// Direction that is cut; default both.
	Direction Direction `yaml:"direction,omitempty" jsonschema:"enum=both,enum=to-cloud,enum=to-premises"`
}

// Name implements Kind.
func (*WANDown) Name() string { return "wan-down" }

// Target implements Kind.
func (w *WANDown) Target() string { return "wan " + string(w.Directions()) }

// Directions is what is cut.
func (w *WANDown) Directions() Direction {
	if w.Direction == "" {
		return Both
	}
	return w.Direction
}

func (w *WANDown) check(c *checker) {
	c.positive("for", w.For)
	switch w.Directions() {
	case Both, ToCloud, ToPremises:
	default:
		c.fail("direction", "use both, to-cloud or to-premises", "there is no direction %q", w.Direction)
	}
}

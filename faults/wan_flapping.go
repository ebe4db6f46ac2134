package faults

// WANFlapping takes the WAN down and up in turn, beginning with down.
type WANFlapping struct {
	For  Duration `yaml:"for"`
	Down Duration `yaml:"down"` // each time
	Up   Duration `yaml:"up"`   // in between
}

// Name implements Kind.
func (*WANFlapping) Name() string { return "wan-flapping" }

// Target implements Kind.
func (*WANFlapping) Target() string { return "wan both" }

// Lasts is how long it flaps.
func (w *WANFlapping) Lasts() Span { return Span(w.For) }

func (w *WANFlapping) clash(other Kind) string { return sameTarget(w, other) }

// MaxFlaps bounds how often a WANFlapping takes the WAN down.
const MaxFlaps = 10_000

func (w *WANFlapping) check(c *checker) {
	c.positive("for", w.For)
	c.positive("down", w.Down)
	c.positive("up", w.Up)
	switch {
	case w.For <= 0 || w.Down <= 0 || w.Up <= 0:
	case w.Down+w.Up >= w.For:
		c.fail("for", "make it longer, or use wan-down", "%v holds no second outage", w.For)
	case w.For/(w.Down+w.Up) >= MaxFlaps:
		c.fail("for", "make it shorter, or down and up longer", "the WAN would go down more than %d times", MaxFlaps)
	}
}

package faults

// WANLossy makes the WAN lose packets in both directions.
type WANLossy struct {
	For  Span    `yaml:"for,omitempty" nonzero:"default"` // default ever
	Loss float64 `yaml:"loss"`                            // of packets
}

// MaxLoss bounds the loss of a WANLossy: a link that loses more is down.
const MaxLoss = 0.9

// Name implements Kind.
func (*WANLossy) Name() string { return "wan-lossy" }

// Target implements Kind.
func (*WANLossy) Target() string { return "wan" }

// Lasts is how long it is lossy.
func (w *WANLossy) Lasts() Span { return w.For.or(Ever) }

func (w *WANLossy) clash(other Kind) string { return sameTarget(w, other) }

func (w *WANLossy) check(c *checker) {
	c.span(w.Lasts())
	if !(w.Loss > 0 && w.Loss <= MaxLoss) {
		c.fail("loss", "use a number above 0 and up to 0.9; wan-down loses everything", "%v is no share of packets to lose", w.Loss)
	}
}

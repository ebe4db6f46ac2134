package faults

// WANSlow makes the WAN slow in both directions: less bandwidth, more latency,
// or both.
type WANSlow struct {
	For Span `yaml:"for,omitempty" nonzero:"default"` // default ever
	// Percent of its bandwidth that is left; left out: all of it.
	Percent int `yaml:"percent,omitempty" nonzero:"use wan-down for none"`
	// Latency is added to that of each direction.
	Latency Duration `yaml:"latency,omitempty" nonzero:"leave the key out"`
}

// Name implements Kind.
func (*WANSlow) Name() string { return "wan-slow" }

// Target implements Kind.
func (*WANSlow) Target() string { return "wan" }

// Lasts is how long it is slow.
func (w *WANSlow) Lasts() Span { return w.For.or(Ever) }

func (w *WANSlow) clash(other Kind) string { return sameTarget(w, other) }

// MaxAddedLatency bounds what a WANSlow adds.
const MaxAddedLatency = Duration(10e9)

func (w *WANSlow) check(c *checker) {
	c.span(w.Lasts())
	switch {
	case w.Percent == 0 && w.Latency == 0:
		c.fail("", "add percent: or latency:", "nothing of it is slow")
	case w.Percent < 0 || w.Percent > 99:
		c.fail("percent", "use 1 to 99", "%d %% of a bandwidth is not less of it", w.Percent)
	case w.Latency < 0 || w.Latency > MaxAddedLatency:
		c.fail("latency", "use a duration above 0 and up to "+MaxAddedLatency.String(), "no packet is late by %v", w.Latency)
	}
}

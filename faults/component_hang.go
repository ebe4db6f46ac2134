package faults

// ComponentHang makes a service stand still: it does nothing and says nothing,
// and then goes on where it was, if nobody has started it anew meanwhile.
type ComponentHang struct {
	ComponentService `yaml:",inline"`
	For              Span `yaml:"for,omitempty" nonzero:"default"` // default ever
}

// Name implements Kind.
func (*ComponentHang) Name() string { return "component-hang" }

// Lasts is how long it hangs.
func (h *ComponentHang) Lasts() Span { return h.For.or(Ever) }

func (h *ComponentHang) clash(other Kind) string { return sameTarget(h, other) }

func (h *ComponentHang) check(c *checker) {
	h.ComponentService.check(c)
	c.span(h.Lasts())
}

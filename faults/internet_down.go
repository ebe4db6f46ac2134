package faults

// InternetDown takes the appliance's access to the Internet away, and with it the
// message queues. The WAN stays up.
type InternetDown struct {
	For Span `yaml:"for,omitempty" nonzero:"default"` // default ever
	// Direction that is cut; default both. To the cloud is from the appliance to
	// the queues.
	Direction Direction `yaml:"direction,omitempty" jsonschema:"enum=both,enum=to-cloud,enum=to-premises"`
}

// Name implements Kind.
func (*InternetDown) Name() string { return "internet-down" }

// Target implements Kind.
func (w *InternetDown) Target() string { return "internet " + string(w.Directions()) }

// Directions is what is cut.
func (w *InternetDown) Directions() Direction { return w.Direction.orBoth() }

// Lasts is how long it is down.
func (w *InternetDown) Lasts() Span { return w.For.or(Ever) }

func (w *InternetDown) clash(other Kind) string {
	if o := other.(*InternetDown); w.Directions().meets(o.Directions()) {
		return "the Internet link would go down while it is down"
	}
	return ""
}

func (w *InternetDown) check(c *checker) {
	c.hasBus()
	c.outage(w.Lasts(), w.Directions())
}

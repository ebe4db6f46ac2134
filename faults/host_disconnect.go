package faults

// HostDisconnect takes an ESXi host out of its vCenter's reach. Its VMs go on
// running, unseen.
type HostDisconnect struct {
	Host `yaml:",inline"`
	For  Span `yaml:"for,omitempty" nonzero:"default"` // default ever
}

// Name implements Kind.
func (*HostDisconnect) Name() string { return "host-disconnect" }

// Lasts is how long it is out of reach.
func (d *HostDisconnect) Lasts() Span { return d.For.or(Ever) }

func (d *HostDisconnect) clash(other Kind) string { return sameTarget(d, other) }

func (d *HostDisconnect) check(c *checker) {
	d.Host.check(c)
	c.span(d.Lasts())
}

package faults

import "time"

// DefaultHostRestart is how long an ESXi host takes to restart.
const DefaultHostRestart = Span(5 * time.Minute)

// HostRestart restarts an ESXi host. Its VMs lose their power, and those that
// were on are not powered on by it (ESX-01).
type HostRestart struct {
	Host `yaml:",inline"`
	For  Span `yaml:"for,omitempty" nonzero:"default"` // down; default DefaultHostRestart
}

// Name implements Kind.
func (*HostRestart) Name() string { return "host-restart" }

// Lasts is how long it is down.
func (r *HostRestart) Lasts() Span { return r.For.or(DefaultHostRestart) }

func (r *HostRestart) clash(other Kind) string { return sameTarget(r, other) }

func (r *HostRestart) check(c *checker) {
	r.Host.check(c)
	c.span(r.Lasts())
}

package faults

import "time"

// DefaultReboot is how long a component VM that reboots is off.
const DefaultReboot = Span(30 * time.Second)

// ComponentVMReboot takes a component VM off in its vCenter, past HDM, and
// powers it on again: every service in it loses its memory (CVM-01). One that is
// off for ever stays so until HDM powers it on.
type ComponentVMReboot struct {
	VM  string `yaml:"vm"`
	For Span   `yaml:"for,omitempty" nonzero:"default"` // off; default DefaultReboot
}

// Name implements Kind.
func (*ComponentVMReboot) Name() string { return "component-vm-reboot" }

// Target implements Kind.
func (r *ComponentVMReboot) Target() string { return "component VM " + r.VM }

// Lasts is how long it is off.
func (r *ComponentVMReboot) Lasts() Span { return r.For.or(DefaultReboot) }

func (r *ComponentVMReboot) clash(other Kind) string { return sameTarget(r, other) }

func (r *ComponentVMReboot) check(c *checker) {
	c.component(r.VM)
	c.span(r.Lasts())
}

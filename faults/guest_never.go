package faults

import "github.com/hdm-project/hdm/core/vsphere"

// GuestNever keeps the tools of a guest from ever coming up again in the cloud
// (BOOT-01). It acts at the next boot there.
type GuestNever struct {
	VM string `yaml:"vm"` // on premises, as the guest is called
}

// Name implements Kind.
func (*GuestNever) Name() string { return "guest-never" }

// Target implements Kind.
func (g *GuestNever) Target() string { return "guest " + g.VM }

func (g *GuestNever) check(c *checker) { c.has(vsphere.OnPremises, "vm", g.VM, c.VMs) }

package faults

import (
	"fmt"

	"github.com/hdm-project/hdm/core/vsphere"
)

// GuestLate makes the tools of a guest come up late from now on: so many boots
// in the cloud go by without (BOOT-01). It acts at the first.
type GuestLate struct {
	VM    string `yaml:"vm"`                                // on premises, as the guest is called
	Boots int    `yaml:"boots,omitempty" nonzero:"default"` // 0 means 1
}

// MaxBoots bounds the boots of a GuestLate.
const MaxBoots = 100

// Name implements Kind.
func (*GuestLate) Name() string { return "guest-late" }

// Target implements Kind.
func (g *GuestLate) Target() string { return "guest " + g.VM }

// Without is how many boots go by.
func (g *GuestLate) Without() int { return max(g.Boots, 1) }

func (g *GuestLate) check(c *checker) {
	c.has(vsphere.OnPremises, "vm", g.VM, c.VMs)
	if g.Boots < 0 || g.Boots > MaxBoots {
		c.fail("boots", fmt.Sprintf("use 1 to %d", MaxBoots), "%d is no number of boots", g.Boots)
	}
}

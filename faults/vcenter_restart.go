package faults

import (
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
)

// DefaultVCenterRestart is how long a vCenter takes to restart.
const DefaultVCenterRestart = Span(4 * time.Minute)

// VCenterRestart restarts a vCenter: it answers nobody until it is up, its
// sessions are over, and the tasks that it ran have failed. VMs and hosts go on.
type VCenterRestart struct {
	Site vsphere.Site `yaml:"site" jsonschema:"enum=on-premises,enum=cloud"`
	For  Span         `yaml:"for,omitempty" nonzero:"default"` // down; default DefaultVCenterRestart
}

// Name implements Kind.
func (*VCenterRestart) Name() string { return "vcenter-restart" }

// Target implements Kind.
func (r *VCenterRestart) Target() string { return string(r.Site) + " vCenter" }

// Lasts is how long it is down.
func (r *VCenterRestart) Lasts() Span { return r.For.or(DefaultVCenterRestart) }

func (r *VCenterRestart) clash(other Kind) string { return sameTarget(r, other) }

func (r *VCenterRestart) check(c *checker) {
	c.site(r.Site)
	c.span(r.Lasts())
}

package faults

import "github.com/hdm-project/hdm/core/vsphere"

// IOFilterRestart restarts the daemon of the IO filter on an ESXi host on
// premises (ESX-01).
type IOFilterRestart struct {
	Host string `yaml:"host"`
}

// Name implements Kind.
func (*IOFilterRestart) Name() string { return "iofilter-restart" }

// Target implements Kind.
func (r *IOFilterRestart) Target() string { return string(vsphere.OnPremises) + "/" + r.Host }

func (r *IOFilterRestart) check(c *checker) { c.has(vsphere.OnPremises, "host", r.Host, c.Hosts) }

package faults

import (
	"slices"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Host is an ESXi host of a site.
type Host struct {
	Site vsphere.Site `yaml:"site" jsonschema:"enum=on-premises,enum=cloud"`
	Host string       `yaml:"host"`
}

// Target implements Kind for all faults of hosts.
func (h *Host) Target() string { return string(h.Site) + "/" + h.Host }

func (h *Host) check(c *checker) { c.has(h.Site, "host", h.Host, c.Hosts) }

// site says that there is such a site.
func (c *checker) site(s vsphere.Site) bool {
	if !slices.Contains(bothSites, s) {
		c.fail("site", "use on-premises or cloud", "there is no site %q", s)
		return false
	}
	return true
}

// has says that a site has a thing of that name: what kind of thing, the key
// tells.
func (c *checker) has(s vsphere.Site, key, name string, known map[vsphere.Site][]string) {
	if c.site(s) && !slices.Contains(known[s], name) {
		c.fail(key, "use one of "+list(known[s]), "there is no %s %q at %s: it would never act", key, name, s)
	}
}

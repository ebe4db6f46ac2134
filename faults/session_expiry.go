package faults

import "github.com/hdm-project/hdm/core/vsphere"

// SessionExpiry ends every session that HDM has with a vCenter.
type SessionExpiry struct {
	Site vsphere.Site `yaml:"site" jsonschema:"enum=on-premises,enum=cloud"`
}

// Name implements Kind.
func (*SessionExpiry) Name() string { return "session-expiry" }

// Target implements Kind.
func (e *SessionExpiry) Target() string { return string(e.Site) + " vCenter" }

func (e *SessionExpiry) check(c *checker) { c.site(e.Site) }

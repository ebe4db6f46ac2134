package faults

import "github.com/hdm-project/hdm/core/vsphere"

// Datastore is one of a site's.
type Datastore struct {
	Site      vsphere.Site `yaml:"site" jsonschema:"enum=on-premises,enum=cloud"`
	Datastore string       `yaml:"datastore"`
}

// Target implements Kind for all faults of datastores.
func (d *Datastore) Target() string { return string(d.Site) + "/" + d.Datastore }

func (d *Datastore) check(c *checker) { c.has(d.Site, "datastore", d.Datastore, c.Datastores) }

// Op is an operation of a disk, or of what it lies on.
type Op string

// The operations.
const (
	Read  Op = "read"
	Write Op = "write"
)

func (c *checker) op(o Op) {
	if o != Read && o != Write {
		c.fail("op", "use read or write", "a disk knows no operation %q", o)
	}
}

package faults

import (
	"slices"

	"github.com/hdm-project/hdm/core/component"
)

// DeviceError makes a disk of a component VM fail: the cache device of a cloud
// cache, or the system disk, on which IO managers stage flushes. The services
// that need it go down when they meet it (SYS-01): it acts then.
type DeviceError struct {
	VM    string `yaml:"vm"`
	Use   Use    `yaml:"use" jsonschema:"enum=cache,enum=system"`
	Op    Op     `yaml:"op" jsonschema:"enum=read,enum=write"`
	Error Errno  `yaml:"error" jsonschema:"enum=EIO,enum=ENOSPC"`
	Times int    `yaml:"times,omitempty" nonzero:"default"` // operations in a row that fail; 0 means 1
}

// Use is what a disk of a component VM is for.
type Use string

// The uses.
const (
	CacheDevice  Use = "cache"
	SystemDevice Use = "system"
)

// Errno is how an operation of a disk fails.
type Errno string

// The errors.
const (
	EIO    Errno = "EIO"    // the disk is broken there
	ENOSPC Errno = "ENOSPC" // it is full
)

// Name implements Kind.
func (*DeviceError) Name() string { return "device-error" }

// Target implements Kind.
func (e *DeviceError) Target() string { return e.VM + " " + string(e.Use) + " " + string(e.Op) }

// Count is how many operations fail.
func (e *DeviceError) Count() int { return max(e.Times, 1) }

func (e *DeviceError) check(c *checker) {
	c.component(e.VM)
	c.op(e.Op)
	c.times(e.Times)
	if !slices.Contains([]Use{CacheDevice, SystemDevice}, e.Use) {
		c.fail("use", "use cache or system", "no disk of a component VM is for %q", e.Use)
	}
	if runs, deployed := c.Components[e.VM]; deployed && e.Use == CacheDevice && !slices.Contains(runs, component.CloudCache) {
		c.fail("use", "use system, or name the VM of a cloud cache", "%s has no cache device: it would never act", e.VM)
	}
	switch {
	case e.Error != EIO && e.Error != ENOSPC:
		c.fail("error", "use EIO or ENOSPC", "no disk fails with %q", e.Error)
	case e.Error == ENOSPC && e.Op == Read:
		c.fail("error", "use EIO", "no read runs out of space")
	}
}

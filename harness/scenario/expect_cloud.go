package scenario

import (
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/site"
)

// Deployed: how the component VMs stand.
type Deployed struct {
	Deployment struct {
		Phase string `yaml:"phase" jsonschema:"enum=deploying,enum=deployed,enum=undeploying,enum=undeployed"`
		Mode  string `yaml:"mode,omitempty"`
		// VMs are how many there are, at both sites, without the appliance.
		VMs *int `yaml:"vms,omitempty"`
	} `yaml:"deployment"`
}

// Flushes: of the cloud cache of a VM, those that are applied on premises.
type Flushes struct {
	VM      string `yaml:"vm"`
	Flushes struct {
		AtLeast *int `yaml:"at-least,omitempty"`
		AtMost  *int `yaml:"at-most,omitempty"`
		// Every is how long it is from one cut to the next, give or take a minute; the
		// last one may come sooner.
		Every Duration `yaml:"every,omitempty" nonzero:"give a duration, or leave the key out"`
		// With is a VM that it moves together with: they are cut at the same instants,
		// but for the last flush, which each may have by itself.
		With string `yaml:"with,omitempty"`
	} `yaml:"flushes"`
}

// Bound: whether a VM is on the cloud cache, with a data path to its disks on
// premises.
type Bound struct {
	VM    string `yaml:"vm"`
	Bound bool   `yaml:"bound"`
}

// CacheQuota: how much cloud cache a VM was given (CACHE-01 to -03).
type CacheQuota struct {
	VM    string    `yaml:"vm"`
	Quota site.Size `yaml:"quota"`
}

// SnapshotImage: what the migrate-time snapshot of a VM holds; if it was removed,
// what the disks hold.
type SnapshotImage struct {
	VM string `yaml:"vm"`
	// Image says what it must equal: the disks as the guest left them when it was last off on
	// premises, before it ran in the cloud.
	Image string `yaml:"snapshot-image" jsonschema:"enum=pre-migration"`
}

// PreMigration is what SnapshotImage can say.
const PreMigration = "pre-migration"

// InOrder: steps that the last migration of a VM began, in this order; others may
// be in between.
type InOrder struct {
	VM    string               `yaml:"vm"`
	Type  migration.Type       `yaml:"type,omitempty" jsonschema:"enum=cold,enum=warm,enum=tbc,enum=back"`
	Steps []migration.StepName `yaml:"steps"`
}

// TimeToCloud: how long it took from a VM's turn until its guest was up in the
// cloud (TBC-01).
type TimeToCloud struct {
	VM   string `yaml:"vm"`
	Time struct {
		// SameAs is a VM that took as long, give or take Percent of that.
		SameAs  string   `yaml:"same-as,omitempty"`
		Percent int      `yaml:"percent,omitempty" nonzero:"give a percentage, or leave the key out"`
		AtMost  Duration `yaml:"at-most,omitempty" nonzero:"give a duration, or leave the key out"`
	} `yaml:"time-to-cloud"`
}

// Subject implements Promise.
func (e *Deployed) Subject() string      { return "the deployment" }
func (e *Flushes) Subject() string       { return e.VM }
func (e *Bound) Subject() string         { return e.VM }
func (e *CacheQuota) Subject() string    { return e.VM }
func (e *SnapshotImage) Subject() string { return e.VM }
func (e *InOrder) Subject() string       { return e.VM }
func (e *TimeToCloud) Subject() string   { return e.VM }

func (e *Deployed) check(c *checker) {
	d := &e.Deployment
	switch d.Phase {
	case faults.Deploying, faults.Deployed, faults.Undeploying, faults.Undeployed:
	default:
		c.fail("deployment.phase", "use deploying, deployed, undeploying or undeployed", "a deployment is never %q", d.Phase)
	}
	if _, err := deployment.Parse(d.Mode); d.Mode != "" && err != nil {
		c.fail("deployment.mode", "use a class, and perhaps a topology, such as standard, or lite cluster 3", "%v", err)
	}
	if d.Mode != "" && d.Phase == faults.Undeployed {
		c.fail("deployment.mode", "leave it out", "what is not deployed has no mode")
	}
	if d.VMs != nil {
		c.notNegative("deployment.vms", *d.VMs)
	}
}

func (e *Flushes) check(c *checker) {
	c.migrated(e.VM)
	f := &e.Flushes
	if f.AtLeast == nil && f.AtMost == nil && f.Every == 0 && f.With == "" {
		c.fail("flushes", "add at-least:, at-most:, every: or with:", "it expects nothing")
	}
	switch f.With {
	case "":
	case e.VM:
		c.fail("flushes.with", "name another VM", "it is always flushed with itself")
	default:
		c.vm("flushes.with", f.With, c.vms[vsphere.OnPremises], "on premises")
	}
	if f.AtLeast != nil {
		c.notNegative("flushes.at-least", *f.AtLeast)
	}
	if f.AtMost != nil {
		c.notNegative("flushes.at-most", *f.AtMost)
	}
	if f.AtLeast != nil && f.AtMost != nil && *f.AtLeast > *f.AtMost {
		c.fail("flushes.at-least", "swap the two", "%d is more than at-most", *f.AtLeast)
	}
	if f.Every < 0 || f.Every > c.s.End() {
		c.fail("flushes.every", fmt.Sprintf("use a duration up to the limit of the run, %v", c.s.End()), "%v cannot be seen", f.Every)
	}
}

func (e *Bound) check(c *checker)      { c.migrated(e.VM) }
func (e *CacheQuota) check(c *checker) { c.migrated(e.VM) }

func (e *SnapshotImage) check(c *checker) {
	c.migrated(e.VM)
	if e.Image != PreMigration {
		c.fail("snapshot-image", "use "+PreMigration, "nothing is known of an image %q", e.Image)
	}
}

func (e *InOrder) check(c *checker) {
	c.migrated(e.VM)
	c.typed(e.VM, e.Type)
	if len(e.Steps) == 0 {
		c.fail("steps", "name steps", "it expects nothing")
	}
	known := c.steps(e.VM)
	for i, step := range e.Steps {
		if !slices.Contains(known, string(step)) {
			c.fail(fmt.Sprintf("steps[%d]", i), "use "+join(known), "its migration has no step %q", step)
		}
	}
}

// MaxPercent bounds how far apart two times may be that count as the same.
const MaxPercent = 1000

func (e *TimeToCloud) check(c *checker) {
	c.migrated(e.VM)
	t := &e.Time
	switch {
	case t.SameAs == "" && t.AtMost == 0:
		c.fail("time-to-cloud", "add same-as: and percent:, or at-most:", "it expects nothing")
	case t.SameAs == "" && t.Percent != 0:
		c.fail("time-to-cloud.percent", "add same-as:", "it does not say of what")
	case t.SameAs != "":
		if _, ok := c.context.Migrations[t.SameAs]; !ok {
			c.fail("time-to-cloud.same-as", "name a VM that a step migrates", "no step migrates %q", t.SameAs)
		}
		if t.Percent <= 0 || t.Percent > MaxPercent {
			c.fail("time-to-cloud.percent", fmt.Sprintf("use 1 to %d", MaxPercent), "%d is no percentage", t.Percent)
		}
	}
	if t.AtMost < 0 || t.AtMost > c.s.End() {
		c.fail("time-to-cloud.at-most", fmt.Sprintf("use a duration up to the limit of the run, %v", c.s.End()), "%v cannot be seen", t.AtMost)
	}
}

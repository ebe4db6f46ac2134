package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/site"
)

// What a person may be told instead of what was asked for.
type Refusal struct {
	// Refused: HDM says no.
	Refused bool `yaml:"refused,omitempty"`
	// Reason is the code of one of the reasons that it gives.
	Reason string `yaml:"reason,omitempty"`
}

// Deploy asks for the component VMs of a mode (DEP-01, DEP-02).
type Deploy struct {
	Mode    string `yaml:"mode"` // as people write it: "standard", "lite cluster 3"
	Refusal `yaml:",inline"`
}

// Undeploy asks for their removal.
type Undeploy struct {
	Refusal `yaml:",inline"`
}

// MigrateBack orders that VMs are brought back (BACK-01 to -04).
type MigrateBack struct {
	VM  string   `yaml:"vm,omitempty"`
	VMs []string `yaml:"vms,omitempty" nonzero:"name a VM"` // instead: one order for each
	// Request and Alone are as in Migrate.
	Request string `yaml:"request,omitempty"`
	Alone   bool   `yaml:"alone,omitempty"`
}

// Word is what a user says to the migration of a VM that waits for it (MIG-10).
type Word struct {
	VM      string `yaml:"vm"`
	Refusal `yaml:",inline"`
}

// Ship is a person who exports the linked clone of a VM on premises and imports
// it in the cloud by other means than the WAN (WARM-07).
type Ship struct {
	VM string `yaml:"vm"`
	// Of is another VM on premises, which is off: the person takes it for the clone.
	Of    string   `yaml:"of,omitempty"`
	Takes Duration `yaml:"takes,omitempty" nonzero:"give a duration, or leave the key out"`
}

// Settings are what a user changes while HDM works, as a whole.
type Settings struct {
	// FlushEvery is the flush interval of clusters on premises, by name (POL-04).
	FlushEvery map[string]Duration `yaml:"flush-every,omitempty"`
	// Groups are VMs that depend on each other (BACK-02).
	Groups  [][]string `yaml:"groups,omitempty"`
	Refusal `yaml:",inline"`
}

// Revert is a person who restores a snapshot past HDM (MIG-12).
type Revert struct {
	Site     vsphere.Site `yaml:"site" jsonschema:"enum=on-premises,enum=cloud"`
	VM       string       `yaml:"vm"`
	Snapshot string       `yaml:"snapshot"`
	// Refused: the vCenter does not let it happen, at once or when it is tried.
	Refused bool `yaml:"refused,omitempty"`
}

// Order is what the step orders as a migration, to the cloud or back; nil if it
// orders none.
func (s *Step) Order() *Migrate {
	if b := s.MigrateBack; b != nil {
		return &Migrate{VM: b.VM, VMs: b.VMs, Type: migration.Back, Request: b.Request, Alone: b.Alone}
	}
	return s.Migrate
}

// Word is what the step says, and to the migration of which VM; nil if it says
// nothing.
func (s *Step) Word() (migration.Word, *Word) {
	switch {
	case s.StartTransfer != nil:
		return migration.StartTransfer, s.StartTransfer
	case s.ConfigureSync != nil:
		return migration.ConfigureSync, s.ConfigureSync
	case s.Commit != nil:
		return migration.Commit, s.Commit
	}
	return "", nil
}

// refusal is what the step's user may be told instead; nil if nothing.
func (s *Step) refusal() *Refusal {
	_, word := s.Word()
	switch {
	case s.Deploy != nil:
		return &s.Deploy.Refusal
	case s.Undeploy != nil:
		return &s.Undeploy.Refusal
	case s.Settings != nil:
		return &s.Settings.Refusal
	case s.Reset != nil:
		return &s.Reset.Refusal
	case s.DeleteLeftover != nil:
		return &s.DeleteLeftover.Refusal
	case word != nil:
		return &word.Refusal
	}
	return nil
}

// Reason is the code of the reason that the step's refusal has to give; "" if
// any may.
func (s *Step) Reason() string {
	if r := s.refusal(); r != nil {
		return r.Reason
	}
	return ""
}

// Set is what the appliance is given.
func (s *Settings) Set() appliance.Settings {
	set := appliance.Settings{}
	for cluster, every := range s.FlushEvery { //hdm:order-safe from a map into a map
		if set.FlushEvery == nil {
			set.FlushEvery = map[string]time.Duration{}
		}
		set.FlushEvery[cluster] = time.Duration(every)
	}
	for _, vms := range s.Groups {
		set.Groups = append(set.Groups, appliance.Group{VMs: vms})
	}
	return set
}

// brings are the VMs of an order and those that depend on one of them, and come
// along if they are where that one starts from.
func (s *Scenario) brings(m *Migrate) []string {
	names := slices.Clone(m.Names())
	if m.Alone || m.Type == migration.Cold || m.ByMessage() {
		return names
	}
	for _, step := range s.Steps {
		if step.Settings == nil {
			continue
		}
		for _, group := range step.Settings.Groups {
			if slices.ContainsFunc(m.Names(), func(vm string) bool { return slices.Contains(group, vm) }) {
				names = append(names, group...)
			}
		}
	}
	return names
}

// Deploys says whether a step deploys HDM.
func (s *Scenario) Deploys() bool {
	return slices.ContainsFunc(s.Steps, func(step Step) bool { return step.Deploy != nil })
}

// MaxShipping bounds how long a person may take to bring data to the cloud.
const MaxShipping = Duration(30 * 24 * time.Hour)

// cloud checks the steps that are about VMs on a cloud cache, and what they run
// on.
func (c *checker) cloud(s Step) {
	if d := s.Deploy; d != nil {
		if _, err := deployment.Parse(d.Mode); err != nil {
			c.fail("deploy.mode", "use a class, and perhaps a topology, such as standard, or lite cluster 3", "%v", err)
		}
	}
	if r := s.refusal(); r != nil && r.Reason != "" && !r.Refused {
		c.fail("", "add refused: true, or leave the reason out", "only a refusal gives a reason")
	}
	if b := s.MigrateBack; b != nil {
		c.order("migrate-back", s.Order())
	}
	if word, w := s.Word(); w != nil {
		if !slices.Contains(c.context.Migrations[w.VM], migration.Warm) {
			c.fail(wordKeys[word]+".vm", "name a VM that a step migrates warm", "no step migrates %q warm, so no migration of it waits for a word", w.VM)
		}
	}
	if ship := s.Ship; ship != nil {
		if !slices.Contains(c.context.Migrations[ship.VM], migration.Warm) {
			c.fail("ship.vm", "name a VM that a step migrates warm", "no step migrates %q warm, so there is no clone of it", ship.VM)
		}
		if ship.Of != "" {
			c.vm("ship.of", ship.Of, c.vms[vsphere.OnPremises], "on premises")
		}
		if ship.Takes < 0 || ship.Takes > MaxShipping {
			c.fail("ship.takes", fmt.Sprintf("use a duration up to %v", MaxShipping), "nobody brings data in %v", ship.Takes)
		}
	}
	if set := s.Settings; set != nil {
		for i, group := range set.Groups {
			for j, vm := range group {
				c.vm(fmt.Sprintf("settings.groups[%d][%d]", i, j), vm, c.vms[vsphere.OnPremises], "on premises")
			}
		}
	}
	if r := s.Revert; r != nil {
		known := c.vms[r.Site]
		if r.Site == vsphere.Cloud {
			known = c.inCloud()
		}
		c.vm("revert.vm", r.VM, known, "at that site, and no step brings it there")
	}
}

// wordKeys are the keys of the steps that say words.
var wordKeys = map[migration.Word]string{
	migration.StartTransfer: "start-transfer", migration.ConfigureSync: "configure-sync", migration.Commit: "commit",
}

// made are the names of what HDM makes of the VMs that it migrates, by site, and
// of its component VMs.
func (s *Scenario) made(at vsphere.Site, in faults.Context) (names []string) {
	for _, vm := range sorted(in.Components) {
		if component.SiteOf(vm) == at {
			names = append(names, vm)
		}
	}
	for _, vm := range sorted(in.Migrations) {
		onCache := slices.Contains(in.Migrations[vm], migration.Warm) || slices.Contains(in.Migrations[vm], migration.TBC)
		switch {
		case at == vsphere.OnPremises && onCache:
			names = append(names, migration.CloneName(vm))
		case at == vsphere.Cloud && onCache:
			names = append(names, vm, migration.ComputeName(vm), migration.ImageName(vm))
		case at == vsphere.Cloud:
			names = append(names, vm)
		}
	}
	return names
}

// inCloud are the VMs that are in the cloud, or may be there by then.
func (c *checker) inCloud() []string {
	return append(slices.Clone(c.vms[vsphere.Cloud]), c.s.made(vsphere.Cloud, c.context)...)
}

// offline says how the data of a warm migration goes to the cloud.
func (c *checker) offline(m *Migrate) {
	switch {
	case m.Transfer != "" && m.Transfer != transferOnline && m.Transfer != transferOffline:
		c.fail("migrate.transfer", "use online or offline", "no data travels %q", m.Transfer)
	case m.Transfer == transferOffline && m.Type != migration.Warm:
		c.fail("migrate.transfer", "leave it out", "only the data of a warm migration can come by other means")
	}
}

// How Migrate says that data travels.
const (
	transferOnline  = "online"
	transferOffline = "offline"
)

// power checks a step of a person at a vCenter.
func (c *checker) power(p *Power) {
	known := append(slices.Clone(c.vms[p.Site]), c.s.made(p.Site, c.context)...)
	if p.State != site.On && p.State != site.Off {
		return // the reader has told it
	}
	c.vm("power.vm", p.VM, known, "at that site, and no step brings it there")
}

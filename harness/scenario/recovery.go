package scenario

import (
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/site"
)

// Reset is a user who asks for an HDM reset (RST-01).
type Reset struct {
	// Force: although none is offered.
	Force bool `yaml:"force,omitempty"`
	// CloudDead: the user declares that nothing runs in the cloud any more.
	CloudDead bool `yaml:"cloud-dead,omitempty"`
	Refusal   `yaml:",inline"`
}

// Order is what the appliance is asked for.
func (r *Reset) Order() recovery.ResetOrder {
	return recovery.ResetOrder{Force: r.Force, CloudDead: r.CloudDead}
}

// RestartFilters is a person who restarts the daemon of the IO filter on every
// host on premises, one after the other (RST-02).
type RestartFilters struct{}

// RestartAppliance is a person who restarts the appliance.
type RestartAppliance struct {
	For Duration `yaml:"for,omitempty" nonzero:"default"` // down; default faults.DefaultDowntime
}

// Downtime is how long it is down.
func (r *RestartAppliance) Downtime() Duration {
	if r.For == 0 {
		return faults.DefaultDowntime
	}
	return r.For
}

// RecoverByHand is a person who follows the guide's steps with a VM that HDM has
// brought back: it is in one of the recovery pools (REC-06).
type RecoverByHand struct {
	VM string `yaml:"vm"`
	// Data: good if the VM boots and its data is as it should be; bad if it has to
	// be restored from the migrate-time snapshot.
	Data string `yaml:"data" jsonschema:"enum=good,enum=bad"`
	// Pool that it is moved to; left out: the root pool.
	Pool string `yaml:"pool,omitempty"`
}

// What a person finds of the data of a VM that was brought back.
const (
	DataGood = "good"
	DataBad  = "bad"
)

// DeleteLeftover is a user who deletes what the bulk transfer of a failed warm
// migration left in the cloud (WARM-06).
type DeleteLeftover struct {
	VM      string `yaml:"vm"`
	Refusal `yaml:",inline"`
}

// RecoveryKnobs are an operator's about what HDM does after failures.
type RecoveryKnobs struct {
	// Salvage flushes what can still be reached before a VM is brought back.
	Salvage bool `yaml:"salvage,omitempty"`
}

// recovery checks the steps that are about failures and what follows.
func (c *checker) recovery(s Step) {
	if r := s.RestartAppliance; r != nil && (r.For < 0 || r.For >= c.s.End()) {
		c.fail("restart-appliance.for", fmt.Sprintf("use a duration above 0 and below the limit of the run, %v", c.s.End()), "no appliance is down for %v", r.For)
	}
	if r := s.RecoverByHand; r != nil {
		c.vm("recover.vm", r.VM, c.vms[vsphere.OnPremises], "on premises")
		if r.Data != DataGood && r.Data != DataBad {
			c.fail("recover.data", "use good or bad", "data is not %q", r.Data)
		}
	}
	if d := s.DeleteLeftover; d != nil && !slices.Contains(c.context.Migrations[d.VM], migration.Warm) {
		c.fail("delete-leftover.vm", "name a VM that a step migrates warm", "no step migrates %q warm, so it leaves nothing in the cloud", d.VM)
	}
}

// components are the component VMs that steps deploy, and what runs in each.
func (s *Scenario) components() map[string][]component.Service {
	all := map[string][]component.Service{}
	for _, step := range s.Steps {
		if step.Deploy == nil {
			continue
		}
		mode, err := deployment.Parse(step.Deploy.Mode)
		if err != nil {
			continue // the step itself says so
		}
		plan, err := deployment.Plan(mode)
		for _, vm := range plan {
			if err == nil && vm.Kind != component.Appliance {
				all[vm.Name] = vm.Services
			}
		}
	}
	return all
}

// placesIn are the names of what the sites of a world have.
func placesIn(world site.Description) (hosts, datastores map[vsphere.Site][]string) {
	hosts, datastores = map[vsphere.Site][]string{}, map[vsphere.Site][]string{}
	for _, at := range []struct {
		site vsphere.Site
		is   site.Site
	}{{vsphere.OnPremises, world.OnPremises}, {vsphere.Cloud, world.Cloud}} {
		for _, h := range at.is.Hosts {
			hosts[at.site] = append(hosts[at.site], h.Name)
		}
		for _, d := range at.is.Datastores {
			datastores[at.site] = append(datastores[at.site], d.Name)
		}
	}
	return hosts, datastores
}

package scenario

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/site"
)

// Names that YAML could take for something else.
var oddNames = rapid.SampledFrom([]string{"db-01", "0x10", "true", "~", "1e3", "a: b", "# c", "- d", "'", "\"", "{e}", " f", "ü", "2026-01-01"})

func lasting(r *rapid.T, name string) Duration {
	return Duration(rapid.Int64Range(0, int64(11*time.Hour)).Draw(r, name))
}

// drawn is a scenario whose VMs, requests and networks have odd names.
func drawn(r *rapid.T) *Scenario {
	vms := rapid.SliceOfNDistinct(oddNames, 1, 4, rapid.ID).Draw(r, "vms")
	vm := rapid.SampledFrom(vms)
	s := &Scenario{Title: "odd: " + oddNames.Draw(r, "title"), Seed: rapid.Uint64().Draw(r, "seed")}
	for _, name := range vms {
		boot := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(r, "boot time"))
		s.World.Description.OnPremises.VMs = append(s.World.Description.OnPremises.VMs, site.VM{
			Name: name, Power: rapid.SampledFrom([]site.Power{"", site.On, site.Off}).Draw(r, "power"),
			BootTime: &boot,
		})
		s.Steps = append(s.Steps, Step{Trigger: faults.AtTime(lasting(r, "at")), Migrate: &Migrate{
			VM: name, Type: migration.Cold, Request: oddNames.Draw(r, "request"),
			Target: Target{Networks: map[string]string{oddNames.Draw(r, "from"): oddNames.Draw(r, "to")}},
		}})
	}
	s.Steps = append(s.Steps,
		Step{Trigger: faults.Trigger{When: &faults.When{VM: vm.Draw(r, "vm"), Enters: "pool", After: lasting(r, "after")}}, Cancel: &Cancel{VM: vm.Draw(r, "vm")}},
		Step{Trigger: faults.AtTime(lasting(r, "at")), Power: &Power{Site: vsphere.Cloud, VM: vm.Draw(r, "vm"), State: site.Off}},
	)
	s.Faults = []faults.Fault{{Trigger: faults.AtTime(lasting(r, "at")), WANDown: &faults.WANDown{For: 1 + faults.Span(lasting(r, "for"))}}}
	restarted, no := rapid.IntRange(0, 3).Draw(r, "restarted"), false
	s.Expect = []Expectation{
		{&Ends{VM: vm.Draw(r, "vm"), Migration: migration.Failed, Reason: oddNames.Draw(r, "reason"), Within: lasting(r, "within")}},
		{&Runs{VM: vm.Draw(r, "vm"), Runs: "cloud", Networks: []string{oddNames.Draw(r, "network")}, Restarted: &restarted}},
		{&Stands{VM: vm.Draw(r, "vm"), OnPremises: &Standing{Pool: oddNames.Draw(r, "pool")}, Cloud: &Standing{Present: &no}}},
		{&Migrations{VM: vm.Draw(r, "vm"), Migrations: rapid.IntRange(0, 9).Draw(r, "migrations")}},
	}
	return s
}

func TestAnyGoodScenarioPrintsAsYAMLThatReadsBackEqual(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawn(r)
		require.NoError(r, s.Check())
		text, err := Format(s)
		require.NoError(r, err)
		back, err := ParseText("", text)
		require.NoError(r, err, "%s", text)
		back.root = nil
		require.Equal(r, s, back, "%s", text)
	})
}

package explore

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/site"
)

// Bounds of what is drawn.
const (
	maxVMs    = 4
	maxFaults = 4
	// benignOutage is how long the WAN may be down in sum for every migration to
	// be promised its end (WAN-01).
	benignOutage = 4*time.Minute + 30*time.Second
	// benignFailures is how many calls may go wrong in sum: one less than a step
	// has tries, so that none can use them up.
	benignFailures = 2
)

// Generate draws the scenario of a seed: a small world, orders, and faults. The
// same seed draws the same scenario. It expects of each migration what the
// documents promise for its faults; what holds in every run, the oracles know.
func Generate(seed uint64) *scenario.Scenario {
	g := &generator{chance: rand.New(rand.NewPCG(seed, stream("explore")))}
	s := &scenario.Scenario{Title: fmt.Sprintf("Exploration, seed %d", seed), Seed: seed}
	s.World.Description = g.world()
	g.steps(s)
	g.faults(s)
	g.expect(s)
	return s
}

func stream(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

type generator struct {
	chance    *rand.Rand
	vms       []string
	cancelled map[string]bool
	outage    time.Duration // of the WAN, in sum
	failures  int           // calls that go wrong, in sum
	odd       bool          // something else than benign faults was drawn
}

func (g *generator) between(least, most int) int { return least + g.chance.IntN(most-least+1) }

func (g *generator) duration(least, most time.Duration) time.Duration {
	return least + time.Duration(g.chance.Int64N(int64((most-least)/time.Second)+1))*time.Second
}

func (g *generator) oneIn(n int) bool { return g.chance.IntN(n) == 0 }

func pick[T any](g *generator, all ...T) T { return all[g.chance.IntN(len(all))] }

func (g *generator) world() site.Description {
	var d site.Description
	d.Links.WAN.Bandwidth = pick(g, site.Rate(100e6/8), site.Rate(1e9/8))
	d.Links.WAN.Latency = pick(g, 5*time.Millisecond, 40*time.Millisecond)
	for i := range g.between(1, maxVMs) {
		name := fmt.Sprintf("vm-%d", i+1)
		g.vms = append(g.vms, name)
		vm := site.VM{Name: name, Power: pick(g, site.On, site.On, site.Off), Tools: pick(g, site.ToolsRunning, site.ToolsRunning, site.ToolsAbsent)}
		for range g.between(1, 2) {
			used := site.Size(g.between(50, 2000)) * site.MB
			vm.Disks = append(vm.Disks, site.Disk{Capacity: 4 * site.GB, Used: &used})
		}
		vm.NICs = []site.NIC{{Type: pick(g, "vmxnet3", "e1000", "e1000e")}}
		vm.Workload = &site.Workload{Kind: pick(g, "none", "sequential", "random", "zipf"), Rate: pick(g, 0.2, 1.0)}
		d.OnPremises.VMs = append(d.OnPremises.VMs, vm)
	}
	return d
}

func (g *generator) steps(s *scenario.Scenario) {
	g.cancelled = map[string]bool{}
	for i, vm := range g.vms {
		order := scenario.Migrate{
			VM: vm, Type: migration.Cold, Request: fmt.Sprintf("r-%d", i+1),
			Target: scenario.Target{Networks: map[string]string{"VM Network": "Cloud Net"}},
		}
		at := g.duration(0, 3*time.Minute)
		s.Steps = append(s.Steps, scenario.Step{Trigger: after(at), Migrate: &order})
		if g.oneIn(5) { // the same order once more
			again := order
			s.Steps = append(s.Steps, scenario.Step{Trigger: after(at + g.duration(0, 5*time.Minute)), Migrate: &again})
		}
		if g.oneIn(6) {
			g.cancelled[vm] = true
			s.Steps = append(s.Steps, scenario.Step{Trigger: g.trigger(vm), Cancel: &scenario.Cancel{VM: vm}})
		}
	}
}

func after(d time.Duration) faults.Trigger { return faults.AtTime(faults.Duration(d)) }

// trigger is a time, or a phase of the migration of vm: interesting moments are
// rare on the clock.
func (g *generator) trigger(vm string) faults.Trigger {
	if g.oneIn(3) {
		return after(g.duration(0, 12*time.Minute))
	}
	row := pick(g, migration.ColdTable...)
	most := 5 * time.Second
	if row.Step == migration.StepTransfer {
		most = time.Minute
	}
	return faults.Trigger{When: &faults.When{VM: vm, Enters: string(row.Step), After: faults.Duration(g.duration(0, most))}}
}

func (g *generator) faults(s *scenario.Scenario) {
	context := faults.Context{End: s.End(), Migrations: s.Migrations()}
	for range g.between(0, maxFaults) {
		before := *g
		f := g.fault()
		// One that contradicts those before it is left out.
		if len(faults.Validate(append(s.Faults[:len(s.Faults):len(s.Faults)], f), context)) > 0 {
			g.outage, g.failures, g.odd = before.outage, before.failures, before.odd
			continue
		}
		s.Faults = append(s.Faults, f)
	}
}

func (g *generator) fault() faults.Fault {
	f := faults.Fault{Trigger: g.trigger(pick(g, g.vms...))}
	switch g.chance.IntN(8) {
	case 0:
		f.ApplianceRestart = &faults.ApplianceRestart{For: faults.Duration(g.duration(10*time.Second, 3*time.Minute))}
	case 1, 2:
		f.ApplianceRestart = &faults.ApplianceRestart{CrashPoint: pick(g, faults.CrashPoints()...), Nth: g.between(1, 8)}
	case 3:
		down := pick(g, g.duration(time.Second, time.Minute), g.duration(time.Minute, 4*time.Minute), g.duration(5*time.Minute, 20*time.Minute))
		g.outage += down
		f.WANDown = &faults.WANDown{For: faults.Duration(down), Direction: pick(g, faults.Both, faults.Both, faults.ToCloud, faults.ToPremises)}
	case 4:
		f.CallError = &faults.CallError{Calls: g.calls(), Fault: pick(g, "TaskInProgress", "InvalidState", "NotAuthenticated", "SystemError", "HostCommunication")}
	case 5:
		f.CallHang = &faults.CallHang{Calls: g.calls()}
	case 6:
		f.CallLost = &faults.CallLost{Calls: g.calls()}
	case 7:
		f.CallLate = &faults.CallLate{Calls: g.calls(), By: faults.Duration(g.duration(time.Minute, 8*time.Minute))}
	}
	return f
}

// calls are calls of one method that HDM makes.
func (g *generator) calls() faults.Calls {
	name := pick(g, faults.MethodNames()...)
	method, _ := faults.FindMethod(name)
	c := faults.Calls{Site: pick[vsphere.Site](g, method.Sites...), Method: name, Nth: g.between(1, 4), Count: pick(g, 1, 1, 2, 4)}
	g.failures += c.Count
	return c
}

// expect says what the documents promise for the faults that were drawn: where
// none of them can use up a step's tries or outlast a transient outage, every
// migration that nobody cancels completes.
func (g *generator) expect(s *scenario.Scenario) {
	if g.failures > benignFailures || g.outage > benignOutage {
		return
	}
	for _, vm := range g.vms {
		if !g.cancelled[vm] {
			s.Expect = append(s.Expect, scenario.Expectation{Promise: &scenario.Ends{VM: vm, Migration: migration.Completed}})
		}
	}
}

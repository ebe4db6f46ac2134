package explore

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/site"
)

// Bounds of what is drawn.
const (
	maxVMs    = 4
	maxFaults = 4
	// One world in so many is crowded: it has more VMs than may migrate at once.
	crowded      = 20
	leastOfCrowd = 10
	mostOfCrowd  = 12
	together     = 30 * time.Second // orders of a crowd come within that
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
	g := &generator{cloud: cloud{eligible: map[string]bool{}}, chance: rand.New(rand.NewPCG(seed, stream("explore"))), cancelled: map[string]bool{}, messaged: map[string]bool{}}
	s := &scenario.Scenario{Title: fmt.Sprintf("Exploration from seed %d", seed), Seed: seed, IdleFaults: true, IdleSteps: true}
	s.World.Description = g.world()
	g.bus(s)
	g.deploy(s)
	g.steps(s)
	g.faults(s)
	g.fail(s)
	g.expect(s)
	return s
}

func stream(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

type generator struct {
	cloud
	chance    *rand.Rand
	crowd     bool
	vms       []string
	cancelled map[string]bool
	messaged  map[string]bool // VMs that are ordered by message
	outage    time.Duration   // of the WAN, in sum
	failures  int             // calls that go wrong, in sum
	final     bool            // some fault is one that no try gets over
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
	latency := pick(g, 5*time.Millisecond, 40*time.Millisecond)
	d.Links.WAN.Latency = &latency
	d.Links.WAN.Loss = pick(g, 0, 0, 0, 0.001, 0.02)
	vms := g.between(1, maxVMs)
	if g.crowd = g.oneIn(crowded); g.crowd {
		vms = g.between(leastOfCrowd, mostOfCrowd)
	}
	for i := range vms {
		vm := g.vm(fmt.Sprintf("vm-%d", i+1))
		g.vms = append(g.vms, vm.Name)
		d.OnPremises.VMs = append(d.OnPremises.VMs, vm)
	}
	return d
}

func (g *generator) vm(name string) site.VM {
	vm := site.VM{Name: name, Power: pick(g, site.On, site.On, site.Off), Tools: pick(g, site.ToolsRunning, site.ToolsRunning, site.ToolsAbsent)}
	disks, most := g.between(1, 2), 2000
	if g.crowd {
		disks, most = 1, 200
	}
	for range disks {
		used := site.Size(g.between(50, most)) * site.MB
		vm.Disks = append(vm.Disks, site.Disk{Capacity: 4 * site.GB, Used: &used})
	}
	if g.oneIn(6) {
		vm.Snapshots = []string{"before the update"}
	}
	vm.NICs = []site.NIC{{Type: pick(g, "vmxnet3", "e1000", "e1000e")}}
	kind, rate := pick(g, "none", "sequential", "random", "zipf"), pick(g, 0.2, 1.0)
	vm.Workload = &site.Workload{Kind: kind, Rate: &rate, Reads: pick(g, 0, 0, 0.5)}
	g.eligible[name] = vm.Power == site.On && vm.Tools == site.ToolsRunning
	return vm
}

// steps are the orders, and what people do about them afterwards.
func (g *generator) steps(s *scenario.Scenario) {
	within := 3 * time.Minute
	if g.crowd || g.oneIn(4) {
		within = together
	}
	for i, vm := range g.vms {
		by := ""
		if s.Bus != nil && g.types[vm] != migration.TBC && g.oneIn(2) {
			by, g.messaged[vm] = "message", true
		}
		order := scenario.Migrate{
			By: by,

			VM: vm, Type: g.types[vm], Request: fmt.Sprintf("r-%d", i+1),
			Target: scenario.Target{Networks: map[string]string{"VM Network": "Cloud Net"}},
		}
		at := g.duration(0, within)
		ordered := g.ordered(vm)
		g.follow(s, vm, &order)
		s.Steps = append(s.Steps, scenario.Step{Trigger: ordered(at), Migrate: &order})
		if g.oneIn(5) { // the same order once more
			again := order
			s.Steps = append(s.Steps, scenario.Step{Trigger: ordered(at + g.duration(0, 5*time.Minute)), Migrate: &again})
		}
		if g.oneIn(6) {
			g.cancel(s, vm)
		}
		if g.oneIn(4) { // a new order, should the first come to nothing
			anew := order
			anew.Request += "-anew"
			ended := pick(g, migration.Failed, migration.Failed, migration.Cancelled)
			s.Steps = append(s.Steps, scenario.Step{Trigger: g.soonAfter(vm, string(ended), time.Minute), Migrate: &anew})
		}
	}
}

// cancel lets a person cancel the migration of vm, and perhaps lose patience.
func (g *generator) cancel(s *scenario.Scenario, vm string) {
	g.cancelled[vm] = true
	first := scenario.Step{Trigger: g.trigger(vm), Cancel: &scenario.Cancel{VM: vm}}
	s.Steps = append(s.Steps, first)
	if g.oneIn(3) {
		s.Steps = append(s.Steps, scenario.Step{Trigger: g.near(first.Trigger), Cancel: &scenario.Cancel{VM: vm}})
	}
}

func after(d time.Duration) faults.Trigger { return faults.AtTime(faults.Duration(d)) }

func (g *generator) soonAfter(vm, enters string, most time.Duration) faults.Trigger {
	return faults.Trigger{When: &faults.When{VM: vm, Enters: enters, After: faults.Duration(g.duration(0, most))}}
}

// trigger is a time, or a phase of the migration of vm: interesting moments are
// rare on the clock.
func (g *generator) trigger(vm string) faults.Trigger {
	switch g.chance.IntN(12) {
	case 0, 1, 2:
		return after(g.duration(0, 12*time.Minute))
	case 3:
		return g.soonAfter(vm, string(migration.Queued), 30*time.Second)
	case 4:
		return g.soonAfter(vm, string(migration.Undoing), 30*time.Second)
	}
	row := g.row(vm)
	most := 5 * time.Second
	if row.Step == migration.StepTransfer {
		most = time.Minute
	}
	t := g.soonAfter(vm, string(row.Step), most)
	if g.oneIn(6) {
		t.When.Attempt = 2
	}
	return t
}

// near is a trigger shortly after another one.
func (g *generator) near(t faults.Trigger) faults.Trigger {
	later := faults.Duration(g.duration(0, 20*time.Second))
	if t.At != nil {
		return faults.AtTime(*t.At + later)
	}
	when := *t.When
	when.After += later
	return faults.Trigger{When: &when}
}

// expect says what the documents promise for the faults that were drawn: where
// none of them can use up a step's tries or outlast a transient outage, every
// migration that nobody cancels completes.
func (g *generator) expect(s *scenario.Scenario) {
	if g.failures > benignFailures || g.outage > benignOutage || g.final {
		return
	}
	for _, vm := range g.vms {
		// An order that comes while HDM is not ready is refused (SQS-08).
		typ, state := g.ends(vm)
		if state != "" && !g.cancelled[vm] && !(g.messaged[vm] && g.outage+time.Duration(g.failures) > 0) {
			s.Expect = append(s.Expect, scenario.Expectation{Promise: &scenario.Ends{VM: vm, Type: typ, Migration: state}})
		}
	}
}

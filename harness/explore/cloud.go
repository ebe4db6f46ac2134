package explore

import (
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/site"
)

// cloud is what is drawn of VMs that run on a cloud cache.
type cloud struct {
	on       bool // HDM is deployed
	types    map[string]migration.Type
	eligible map[string]bool // its guest runs, with tools
	back     map[string]bool // it is brought back
	grouped  map[string]bool
	restarts bool // the appliance restarts, which ends a warm migration at some steps
}

// deploy gives half of all scenarios a deployment, and settings.
func (g *generator) deploy(s *scenario.Scenario) {
	g.types, g.back, g.grouped = map[string]migration.Type{}, map[string]bool{}, map[string]bool{}
	for _, vm := range g.vms {
		g.types[vm] = migration.Cold
	}
	if g.on = !g.crowd && g.oneIn(2); !g.on {
		return
	}
	s.Steps = append(s.Steps, scenario.Step{Trigger: after(0), Deploy: &scenario.Deploy{Mode: pick(g, "lite", "standard", "standard", "performance", "lite cluster 2", "standard cluster 2")}})
	if g.oneIn(3) { // so small that it fills
		s.Knobs.Cache = &scenario.CacheRule{Percent: 1, Floor: pick(g, 1*site.MB, 2*site.MB, 16*site.MB)}
	}
	set := &scenario.Settings{}
	if g.oneIn(2) {
		set.FlushEvery = map[string]scenario.Duration{"Cluster": scenario.Duration(g.duration(time.Minute, 10*time.Minute))}
	}
	if len(g.vms) > 1 && g.oneIn(4) {
		set.Groups = [][]string{g.vms[:2]}
		g.grouped[g.vms[0]], g.grouped[g.vms[1]] = true, true
	}
	if set.FlushEvery != nil || set.Groups != nil {
		s.Steps = append(s.Steps, scenario.Step{Trigger: after(g.duration(0, 10*time.Minute)), Settings: set})
	}
	for _, vm := range g.vms {
		g.types[vm] = pick(g, migration.Cold, migration.TBC, migration.TBC, migration.Warm, migration.Warm)
	}
}

// ordered is when vm is ordered, so long after the beginning, or after HDM is up
// if its migration needs that.
func (g *generator) ordered(vm string) func(time.Duration) faults.Trigger {
	if g.types[vm] == migration.Cold {
		return after
	}
	return func(d time.Duration) faults.Trigger {
		return faults.Trigger{When: &faults.When{Deployment: faults.Deployed, After: faults.Duration(d)}}
	}
}

// follow are what people do with a migration to the cloud cache after they
// ordered it.
func (g *generator) follow(s *scenario.Scenario, vm string, order *scenario.Migrate) {
	switch order.Type {
	case migration.TBC:
		if g.back[vm] = !g.oneIn(6); g.back[vm] {
			t := g.soonAfter(vm, string(migration.Completed), 45*time.Minute)
			t.When.Type = migration.TBC
			s.Steps = append(s.Steps, scenario.Step{Trigger: t, MigrateBack: &scenario.MigrateBack{VM: vm, Request: order.Request + "-back"}})
		}
	case migration.Warm:
		g.lead(s, vm, order)
	}
}

// lead says the words that a warm migration waits for.
func (g *generator) lead(s *scenario.Scenario, vm string, order *scenario.Migrate) {
	waiting := func(n int, most time.Duration) faults.Trigger {
		t := g.soonAfter(vm, string(migration.Waiting), most)
		t.When.Attempt = n
		return t
	}
	offline := g.oneIn(4)
	if offline {
		order.Transfer = "offline"
		s.Steps = append(s.Steps, scenario.Step{Trigger: waiting(0, time.Minute), Ship: &scenario.Ship{VM: vm, Takes: scenario.Duration(g.duration(time.Minute, 20*time.Minute))}})
	}
	word := func() *scenario.Word { return &scenario.Word{VM: vm} }
	later := func() faults.Trigger { // when the data is there
		t := waiting(0, 10*time.Minute)
		t.When.After += faults.Duration(25 * time.Minute)
		return t
	}
	switch {
	case order.By == "message" && offline:
		s.Steps = append(s.Steps, scenario.Step{Trigger: later(), BulkDone: &scenario.BulkDone{Request: order.Request + "-done", Clone: order.Request, Complete: true}})
	case order.By == "message":
		order.Transfer = "online"
	case offline:
		s.Steps = append(s.Steps,
			scenario.Step{Trigger: later(), ConfigureSync: word()},
			scenario.Step{Trigger: waiting(2, 10*time.Minute), Commit: word()})
	default:
		s.Steps = append(s.Steps,
			scenario.Step{Trigger: waiting(0, 10*time.Minute), StartTransfer: word()},
			scenario.Step{Trigger: waiting(2, 10*time.Minute), ConfigureSync: word()},
			scenario.Step{Trigger: waiting(3, 10*time.Minute), Commit: word()})
	}
	if g.oneIn(5) { // out of order
		early := scenario.Step{Trigger: g.trigger(vm)}
		switch g.chance.IntN(3) {
		case 0:
			early.StartTransfer = word()
		case 1:
			early.ConfigureSync = word()
		default:
			early.Commit = word()
		}
		s.Steps = append(s.Steps, early)
	}
}

// makingInCloud make something that must be there once, or not at all.
var makingInCloud = []moment{
	{string(migration.StepSnapshot), vsphere.OnPremises, "CreateSnapshot_Task", true},
	{string(migration.StepCompute), vsphere.Cloud, "CreateVM_Task", false},
	{string(migration.StepPowerOn), vsphere.Cloud, "PowerOnVM_Task", false},
}

// tellingInCloud are calls whose failure a migration to the cloud cache, or a way
// back, has to get over.
var tellingInCloud = []moment{
	{string(migration.StepPrepare), vsphere.OnPremises, "ReconfigVM_Task", true},
	{string(migration.StepPolicy), vsphere.OnPremises, "ReconfigVM_Task", true},
	{string(migration.StepShutDown), vsphere.OnPremises, "ShutdownGuest", true},
	{string(migration.StepSnapshot), vsphere.OnPremises, "CreateSnapshot_Task", true},
	{string(migration.StepCompute), vsphere.Cloud, "CreateVM_Task", false},
	{string(migration.StepCompute), vsphere.Cloud, "RetrievePropertiesEx", false},
	{string(migration.StepPool), vsphere.OnPremises, "MoveIntoResourcePool", false},
	{string(migration.StepPowerOn), vsphere.Cloud, "PowerOnVM_Task", false},
	{string(migration.StepPowerOn), vsphere.OnPremises, "QueryEvents", false},
	{string(migration.StepBoot), vsphere.Cloud, "RetrievePropertiesEx", false},
	{string(migration.Undoing), vsphere.Cloud, "ShutdownGuest", false},
	{string(migration.Undoing), vsphere.Cloud, "Destroy_Task", false},
	{string(migration.Undoing), vsphere.OnPremises, "RemoveSnapshot_Task", false},
	{string(migration.Undoing), vsphere.OnPremises, "PowerOnVM_Task", true},
}

// tellingWarm are those of a warm migration besides.
var tellingWarm = []moment{
	{string(migration.StepClone), vsphere.OnPremises, "CloneVM_Task", true},
	{string(migration.StepTransfer), vsphere.OnPremises, "ExportVm", false},
	{string(migration.StepTransfer), vsphere.Cloud, "ImportVApp", false},
	{string(migration.StepTransfer), vsphere.Cloud, "HttpNfcLeaseComplete", false},
	{string(migration.StepStop), vsphere.Cloud, "ShutdownGuest", false},
	{string(migration.StepStop), vsphere.Cloud, "PowerOffVM_Task", false},
	{string(migration.StepNetwork), vsphere.Cloud, "ReconfigVM_Task", false},
	{string(migration.StepRename), vsphere.Cloud, "Rename_Task", false},
	{string(migration.StepReboot), vsphere.Cloud, "PowerOnVM_Task", false},
	{string(migration.StepCleanUp), vsphere.Cloud, "Destroy_Task", false},
	{string(migration.StepUnclone), vsphere.OnPremises, "Destroy_Task", false},
	{string(migration.StepUnsnap), vsphere.OnPremises, "RemoveSnapshot_Task", false},
}

// tellingBack are those of the way back.
var tellingBack = []moment{
	{string(migration.StepStop), vsphere.Cloud, "ShutdownGuest", false},
	{string(migration.StepStop), vsphere.Cloud, "PowerOffVM_Task", false},
	{string(migration.StepPool), vsphere.OnPremises, "MoveIntoResourcePool", false},
	{string(migration.StepUnsnap), vsphere.OnPremises, "RemoveSnapshot_Task", false},
	{string(migration.StepCleanUp), vsphere.Cloud, "Destroy_Task", false},
}

// moments are the calls that can be told of the migrations of vm; making are
// those that make something.
func (g *generator) moments(vm string) (telling, making []moment) {
	switch g.types[vm] {
	case migration.Warm:
		return append(tellingInCloud[:len(tellingInCloud):len(tellingInCloud)], tellingWarm...), makingInCloud
	case migration.TBC:
		if g.back[vm] {
			return append(tellingInCloud[:len(tellingInCloud):len(tellingInCloud)], tellingBack...), makingInCloud
		}
		return tellingInCloud, makingInCloud
	}
	return tellingCalls, makingCalls
}

// row is a step that vm comes through, there or back.
func (g *generator) row(vm string) migration.Row {
	if g.back[vm] && g.oneIn(2) {
		return pick(g, migration.BackTable...)
	}
	return pick(g, migration.Tables[g.types[vm]]...)
}

// ends says how the migrations of vm end if no fault can keep them from it; ""
// if that cannot be said.
func (g *generator) ends(vm string) (typ migration.Type, state migration.State) {
	switch typ := g.types[vm]; {
	case typ == migration.Cold:
		return "", migration.Completed
	case !g.eligible[vm]:
		return "", migration.Refused
	case g.grouped[vm], typ == migration.Warm && g.restarts:
		return "", ""
	case g.back[vm]:
		return migration.Back, migration.Completed
	default:
		return typ, migration.Completed
	}
}

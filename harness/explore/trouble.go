package explore

import (
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
)

// faults draws what goes wrong. Half of what follows on a fault comes close to
// it: recovery that is itself disturbed is where mistakes hide.
func (g *generator) faults(s *scenario.Scenario) {
	context := faults.Context{End: s.End(), Migrations: s.Migrations()}
	for range g.between(0, maxFaults) {
		before := *g
		f := g.fault()
		if n := len(s.Faults); n > 0 && g.oneIn(2) {
			f.Trigger = g.near(s.Faults[n-1].Trigger)
		}
		// One that contradicts those before it is left out.
		if len(faults.Validate(append(s.Faults[:len(s.Faults):len(s.Faults)], f), context)) > 0 {
			g.outage, g.failures, g.final = before.outage, before.failures, before.final
			continue
		}
		s.Faults = append(s.Faults, f)
	}
}

func (g *generator) fault() faults.Fault {
	vm := pick(g, g.vms...)
	f := faults.Fault{Trigger: g.trigger(vm)}
	switch g.chance.IntN(10) {
	case 0:
		f.ApplianceRestart = &faults.ApplianceRestart{For: faults.Duration(g.duration(time.Second, 3*time.Minute))}
	case 1, 2:
		f.ApplianceRestart = &faults.ApplianceRestart{CrashPoint: pick(g, faults.CrashPoints()...), Nth: g.between(1, 8)}
	case 3:
		down := pick(g, g.duration(time.Second, time.Minute), g.duration(time.Minute, 4*time.Minute), g.duration(5*time.Minute, 20*time.Minute))
		g.outage += down
		f.WANDown = &faults.WANDown{For: faults.Duration(down), Direction: pick(g, faults.Both, faults.Both, faults.ToCloud, faults.ToPremises)}
	default:
		var calls faults.Calls
		if g.oneIn(3) {
			calls = g.calls()
		} else {
			f.Trigger, calls = g.telling(vm)
		}
		g.failures += calls.Count
		g.fails(&f, calls)
	}
	return f
}

// fails lets calls go wrong in one of the ways that there are.
func (g *generator) fails(f *faults.Fault, calls faults.Calls) {
	switch g.chance.IntN(6) {
	case 0, 1:
		f.CallError = &faults.CallError{Calls: calls, Fault: pick(g, "TaskInProgress", "InvalidState", "NotAuthenticated", "SystemError", "HostCommunication")}
		if g.oneIn(5) { // one after which no other try is made
			f.CallError.Fault, g.final = pick(g, "NoPermission", "NotSupported"), true
		}
	case 2:
		f.CallHang = &faults.CallHang{Calls: calls}
	case 3, 4:
		f.CallLost = &faults.CallLost{Calls: calls}
	case 5:
		f.CallLate = &faults.CallLate{Calls: calls, By: faults.Duration(g.duration(10*time.Second, 8*time.Minute))}
	}
}

// calls are calls of one method that HDM makes.
func (g *generator) calls() faults.Calls {
	name := pick(g, faults.MethodNames()...)
	method, _ := faults.FindMethod(name)
	return faults.Calls{Site: pick(g, method.Sites...), Method: name, Nth: g.between(1, 4), Count: pick(g, 1, 1, 2, 4)}
}

// Calls that matter, by what a migration is about when it makes them.
var tellingCalls = []struct {
	enters string
	site   vsphere.Site
	method string
	onVM   bool // it is a call on the VM itself, which a fault can name
}{
	{string(migration.StepShutDown), vsphere.OnPremises, "ShutdownGuest", true},
	{string(migration.StepShutDown), vsphere.OnPremises, "PowerOffVM_Task", true},
	{string(migration.StepSnapshot), vsphere.OnPremises, "CreateSnapshot_Task", true},
	{string(migration.StepTransfer), vsphere.OnPremises, "ExportVm", true},
	{string(migration.StepTransfer), vsphere.OnPremises, "HttpNfcLeaseComplete", false},
	{string(migration.StepTransfer), vsphere.Cloud, "ImportVApp", false},
	{string(migration.StepTransfer), vsphere.Cloud, "HttpNfcLeaseProgress", false},
	{string(migration.StepTransfer), vsphere.Cloud, "HttpNfcLeaseComplete", false},
	{string(migration.StepTransfer), vsphere.Cloud, "ReconfigVM_Task", true},
	{string(migration.StepTransfer), vsphere.Cloud, "Login", false},
	{string(migration.StepNetwork), vsphere.Cloud, "ReconfigVM_Task", true},
	{string(migration.StepPool), vsphere.OnPremises, "CreateResourcePool", false},
	{string(migration.StepPool), vsphere.OnPremises, "MoveIntoResourcePool", false},
	{string(migration.StepPowerOn), vsphere.Cloud, "PowerOnVM_Task", true},
	{string(migration.StepPowerOn), vsphere.Cloud, "RetrievePropertiesEx", false},
	{string(migration.Undoing), vsphere.OnPremises, "PowerOnVM_Task", true},
	{string(migration.Undoing), vsphere.OnPremises, "RemoveSnapshot_Task", false},
	{string(migration.Undoing), vsphere.OnPremises, "MoveIntoResourcePool", false},
	{string(migration.Undoing), vsphere.Cloud, "Destroy_Task", true},
	{string(migration.Undoing), vsphere.Cloud, "RetrievePropertiesEx", false},
}

// telling are calls in the phase in which the migration of vm makes them.
func (g *generator) telling(vm string) (faults.Trigger, faults.Calls) {
	t := pick(g, tellingCalls...)
	c := faults.Calls{Site: t.site, Method: t.method, Nth: pick(g, 1, 1, 1, 2), Count: pick(g, 1, 1, 1, 2, 3)}
	if t.onVM && !g.oneIn(3) {
		c.Object = vm
	}
	return faults.Trigger{When: &faults.When{VM: vm, Enters: t.enters}}, c
}

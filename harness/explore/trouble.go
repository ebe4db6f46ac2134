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
	for range g.between(0, maxFaults) {
		before := *g
		vm := pick(g, g.vms...)
		f := g.fault(vm)
		if s.Bus != nil && g.oneIn(3) {
			g.outage, g.failures, g.final = before.outage, before.failures, before.final
			f = g.busFault(s.Bus.Queues)
		}
		if f.Trigger == (faults.Trigger{}) {
			f.Trigger = g.trigger(vm)
			if n := len(s.Faults); n > 0 && g.oneIn(2) {
				f.Trigger = g.near(s.Faults[n-1].Trigger)
			}
		}
		if !admit(s, f) {
			g.outage, g.failures, g.final = before.outage, before.failures, before.final
			continue
		}
		if f.CallLate != nil && g.oneIn(2) {
			g.stray(s, f)
		}
	}
}

// admit adds a fault, unless it contradicts those before it.
func admit(s *scenario.Scenario, f faults.Fault) bool {
	all := append(s.Faults[:len(s.Faults):len(s.Faults)], f)
	if len(faults.Validate(all, s.Context())) > 0 {
		return false
	}
	s.Faults = all
	return true
}

// stray lets the logouts fail that would end the session of a late call: as long
// as that lives, the call can still act.
func (g *generator) stray(s *scenario.Scenario, late faults.Fault) {
	logouts := faults.Calls{Site: late.CallLate.Site, Method: "Logout", Nth: 1, Count: g.between(1, 3)}
	if admit(s, faults.Fault{Trigger: late.Trigger, CallError: &faults.CallError{Calls: logouts, Fault: "SystemError"}}) {
		g.failures += logouts.Count
	}
}

// fault has a trigger only where it belongs to a moment of the migration of vm.
func (g *generator) fault(vm string) (f faults.Fault) {
	kind := g.chance.IntN(11)
	if kind <= 2 && g.oneIn(3) { // while something is put back
		f.Trigger = g.soonAfter(vm, string(migration.Undoing), 20*time.Second)
	}
	switch kind {
	case 0:
		g.restarts = true
		f.ApplianceRestart = &faults.ApplianceRestart{For: faults.Duration(g.duration(time.Second, 3*time.Minute))}
	case 1, 2:
		g.restarts = true
		f.ApplianceRestart = &faults.ApplianceRestart{CrashPoint: pick(g, faults.CrashPoints()...), Nth: g.between(1, 8)}
	case 3:
		down := pick(g, g.duration(time.Second, time.Minute), g.duration(time.Minute, 4*time.Minute), g.duration(5*time.Minute, 20*time.Minute))
		g.outage += down
		f.WANDown = &faults.WANDown{For: faults.Span(down), Direction: pick(g, faults.Both, faults.Both, faults.ToCloud, faults.ToPremises)}
	case 4: // later than its caller waits for
		var calls faults.Calls
		_, making := g.moments(vm)
		f.Trigger, calls = g.telling(vm, making)
		g.failures += calls.Count
		f.CallLate = &faults.CallLate{Calls: calls, By: faults.Duration(g.duration(2*time.Minute, 8*time.Minute))}
	default:
		var calls faults.Calls
		if g.oneIn(3) {
			calls = g.calls()
		} else {
			telling, _ := g.moments(vm)
			f.Trigger, calls = g.telling(vm, telling)
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

// moment is a call that a migration makes, and what it is about then.
type moment struct {
	enters string
	site   vsphere.Site
	method string
	onVM   bool // it is a call on the VM itself, which a fault can name
}

// makingCalls make something that must be there once, or not at all.
var makingCalls = []moment{
	{string(migration.StepSnapshot), vsphere.OnPremises, "CreateSnapshot_Task", true},
	{string(migration.StepTransfer), vsphere.OnPremises, "ExportVm", true},
	{string(migration.StepTransfer), vsphere.Cloud, "ImportVApp", false},
	{string(migration.StepPowerOn), vsphere.Cloud, "PowerOnVM_Task", true},
}

// tellingCalls are those whose failure a migration has to get over.
var tellingCalls = []moment{
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
func (g *generator) telling(vm string, of []moment) (faults.Trigger, faults.Calls) {
	t := pick(g, of...)
	c := faults.Calls{Site: t.site, Method: t.method, Nth: pick(g, 1, 1, 1, 2), Count: pick(g, 1, 1, 1, 2, 3)}
	if t.onVM && !g.oneIn(3) {
		c.Object = vm
	}
	return faults.Trigger{When: &faults.When{VM: vm, Enters: t.enters}}, c
}

package explore

import (
	"math/rand/v2"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
)

// One deployed world in so many has parts of HDM that fail, or what they stand on.
const failing = 2

// fail draws failures of HDM's own parts, of hosts, storage and links. Their
// chance is their own, so that whatever else a seed draws stays as it is. What
// becomes of a migration then the oracles know: nothing is expected besides.
func (g *generator) fail(s *scenario.Scenario) {
	own := *g
	own.chance = rand.New(rand.NewPCG(s.Seed, stream("failures")))
	if !g.on || !own.oneIn(failing) {
		return
	}
	services, vms := parts(s)
	for range own.between(1, 2) {
		vm := pick(&own, g.vms...)
		f := own.failure(vm, services, vms)
		f.Trigger = own.trigger(vm)
		if own.oneIn(2) { // while somebody is on the cloud cache, or nobody is
			f.Trigger = after(own.duration(0, 90*time.Minute))
		}
		if n := len(s.Faults); n > 0 && own.oneIn(3) {
			f.Trigger = own.near(s.Faults[n-1].Trigger)
		}
		if admit(s, f) {
			g.final = true
		}
	}
}

// parts are the services and the component VMs of a scenario's deployment,
// without the appliance.
func parts(s *scenario.Scenario) (services []faults.ComponentService, vms []string) {
	for _, step := range s.Steps {
		if step.Deploy == nil {
			continue
		}
		mode, err := deployment.Parse(step.Deploy.Mode)
		if err != nil {
			continue // no mode of ours
		}
		plan, err := deployment.Plan(mode)
		if err != nil {
			continue
		}
		for _, vm := range plan {
			if vm.Kind == component.Appliance {
				continue
			}
			vms = append(vms, vm.Name)
			for _, name := range vm.Services {
				services = append(services, faults.ComponentService{VM: vm.Name, Service: name})
			}
		}
	}
	return services, vms
}

// failure is one without its trigger.
func (g *generator) failure(vm string, services []faults.ComponentService, vms []string) (f faults.Fault) {
	short := faults.Span(g.duration(time.Second, 10*time.Minute))
	switch g.chance.IntN(14) {
	case 0, 1:
		f.ComponentCrash = &faults.ComponentCrash{ComponentService: pick(g, services...)}
	case 2:
		f.ComponentHang = &faults.ComponentHang{ComponentService: pick(g, services...), For: pick(g, short, faults.Ever)}
	case 3:
		f.ComponentRestart = &faults.ComponentRestart{ComponentService: pick(g, services...)}
	case 4:
		f.ComponentKill = &faults.ComponentKill{ComponentService: pick(g, services...)}
	case 5, 6:
		f.ComponentVMReboot = &faults.ComponentVMReboot{VM: pick(g, vms...), For: pick(g, 0, short, faults.Ever)}
	case 7:
		commands := faults.ComponentCommands{VM: pick(g, vms...), Nth: g.between(1, 4), Count: g.between(1, 3)}
		if f.CommandLost = (&faults.CommandLost{ComponentCommands: commands}); g.oneIn(2) {
			f.CommandLost, f.CommandHang = nil, &faults.CommandHang{ComponentCommands: commands}
		}
	case 8:
		if f.FlushFails = (&faults.FlushFails{VM: vm, Times: g.between(1, 3)}); g.oneIn(2) {
			f.FlushFails, f.FlushTorn = nil, &faults.FlushTorn{VM: vm}
		}
	case 9:
		g.host(&f)
	case 10:
		g.link(&f, short)
	case 11:
		store := pick(g, faults.Datastore{Site: vsphere.OnPremises, Datastore: "ds-01"}, faults.Datastore{Site: vsphere.Cloud, Datastore: "cloud-ds-01"})
		if f.DatastoreFull = (&faults.DatastoreFull{Datastore: store, For: short}); g.oneIn(2) {
			f.DatastoreFull, f.DatastoreError = nil, &faults.DatastoreError{Datastore: store, Op: pick(g, faults.Read, faults.Write), For: short}
		}
	case 12:
		site := pick(g, vsphere.OnPremises, vsphere.Cloud)
		if f.SessionExpiry = (&faults.SessionExpiry{Site: site}); g.oneIn(2) {
			f.SessionExpiry, f.VCenterRestart = nil, &faults.VCenterRestart{Site: site, For: short}
		}
	default:
		if f.ClockStep = (&faults.ClockStep{By: pick[faults.Duration](g, 1, -1) * faults.Duration(g.duration(time.Minute, 24*time.Hour))}); g.oneIn(2) {
			f.ClockStep, f.JournalFull = nil, &faults.JournalFull{For: short}
		}
	}
	return f
}

func (g *generator) host(f *faults.Fault) {
	host := pick(g, faults.Host{Site: vsphere.OnPremises, Host: "host-1"}, faults.Host{Site: vsphere.Cloud, Host: "cloud-host-1"}, faults.Host{Site: vsphere.Cloud, Host: "cloud-host-2"})
	switch g.chance.IntN(3) {
	case 0:
		f.HostRestart = &faults.HostRestart{Host: host}
	case 1:
		f.HostDisconnect = &faults.HostDisconnect{Host: host, For: faults.Span(g.duration(time.Second, 10*time.Minute))}
	default:
		f.IOFilterRestart = &faults.IOFilterRestart{Host: "host-1"}
	}
}

func (g *generator) link(f *faults.Fault, lasts faults.Span) {
	switch g.chance.IntN(3) {
	case 0:
		f.WANSlow = &faults.WANSlow{For: lasts, Percent: g.between(1, 50), Latency: faults.Duration(g.duration(0, 2*time.Second) + time.Millisecond)}
	case 1:
		f.WANLossy = &faults.WANLossy{For: lasts, Loss: pick(g, 0.01, 0.05, 0.2)}
	default:
		f.WANFlapping = &faults.WANFlapping{
			For: faults.Duration(g.duration(5*time.Minute, 20*time.Minute)), Down: faults.Duration(g.duration(time.Second, time.Minute)), Up: faults.Duration(g.duration(10*time.Second, time.Minute)),
		}
	}
}

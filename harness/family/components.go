package family

import (
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/outcome"
)

// every is each service of a deployment with its component VM, and each component
// VM, the appliance's own excepted, whose failure is another one.
func every(mode string) (services []faults.ComponentService, vms []string) {
	m, err := deployment.Parse(mode)
	if err != nil {
		panic("family: " + err.Error())
	}
	plan, err := deployment.Plan(m)
	if err != nil {
		panic("family: " + err.Error())
	}
	for _, vm := range plan {
		if vm.Kind == component.Appliance {
			continue
		}
		vms = append(vms, vm.Name)
		for _, s := range vm.Services {
			services = append(services, faults.ComponentService{VM: vm.Name, Service: s})
		}
	}
	return services, vms
}

// Components are each service that crashes, and each component VM that reboots,
// while nothing goes on and while a VM is on the cloud cache; standalone, and with
// redundancy (REC-01, REC-03, REC-04, CVM-01).
func Components() (all []Member) {
	for _, mode := range []string{"standard", "lite", "standard cluster 2"} {
		c := course{mode: mode}
		services, vms := every(mode)
		for _, p := range []outcome.Place{{Type: outcome.Idle}, {Type: outcome.Bound}} {
			for _, s := range services {
				all = append(all, member(slug("crash", mode, s.Target())+"/"+place(p), p, c, faults.Fault{Trigger: c.reached(p), ComponentCrash: &faults.ComponentCrash{ComponentService: s}}))
			}
			for _, vm := range vms {
				all = append(all, member(slug("reboot", mode, vm)+"/"+place(p), p, c, faults.Fault{Trigger: c.reached(p), ComponentVMReboot: &faults.ComponentVMReboot{VM: vm}}))
			}
		}
	}
	return all
}

// Twos are each two services that crash, and each two component VMs that reboot,
// the second a minute after the first, while a VM is on the cloud cache (REC-09).
func Twos() (all []Member) {
	p := outcome.Place{Type: outcome.Bound}
	services, vms := every(usual.mode)
	later := usual
	later.after = time.Minute
	for i, a := range services {
		for _, b := range services[i+1:] {
			all = append(all, member(slug("crash", a.Target(), b.Target()), p, usual,
				faults.Fault{Trigger: usual.reached(p), ComponentCrash: &faults.ComponentCrash{ComponentService: a}},
				faults.Fault{Trigger: later.reached(p), ComponentCrash: &faults.ComponentCrash{ComponentService: b}}))
		}
	}
	for i, a := range vms {
		for _, b := range vms[i+1:] {
			all = append(all, member(slug("reboot", a, b), p, usual,
				faults.Fault{Trigger: usual.reached(p), ComponentVMReboot: &faults.ComponentVMReboot{VM: a}},
				faults.Fault{Trigger: later.reached(p), ComponentVMReboot: &faults.ComponentVMReboot{VM: b}}))
		}
	}
	return all
}

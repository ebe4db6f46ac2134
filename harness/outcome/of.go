package outcome

import (
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
)

// Figures that are written down here once more, on purpose: see oracle.Rules.
const (
	missed  = 2 * time.Minute  // HLT-01
	beat    = 10 * time.Second // how often a component is heard
	outage  = 5 * time.Minute  // WAN-01
	probing = 30 * time.Second // how exactly an outage can be told, and how long it takes to find out what is silent (HLT-02)
	asking  = 3 * time.Minute  // the same where the cloud is heard all the time, so that only who asks it notices
	tries   = 3
)

// CaseOf is the case that a fault is.
func CaseOf(f faults.Fault) Case {
	kind := f.Kind()
	c := Case{Kind: kind.Name()}
	switch k := kind.(type) {
	case *faults.ApplianceRestart:
		c.Of = string(k.CrashPoint)
	case *faults.ClockStep:
		if c.Of = "forward"; k.By < 0 {
			c.Of = "back"
		}
	case *faults.WANDown:
		to := outage + probing
		if k.Directions() == faults.ToCloud {
			to = outage + asking
		}
		c.Of = lasting(k.Lasts(), outage, to)
	case *faults.VCenterRestart:
		if c.Of = at(k.Site); lasting(k.Lasts(), outage, outage) != Short {
			c.Of = Long
		}
	case *faults.SessionExpiry:
		c.Of = at(k.Site)
	case *faults.CallError:
		c.Of = within(k.Calls)
		if k.Fault == "NoPermission" || k.Fault == "NotSupported" {
			c.Of = Beyond
		}
	case *faults.CallHang:
		c.Of = within(k.Calls)
	case *faults.CallLost:
		c.Of = within(k.Calls)
	case *faults.CallLate:
		c.Of = within(k.Calls)
	case *faults.ComponentHang:
		// One that is heard again while HDM asks what is wrong with it has lost nothing.
		if c.Of = lasting(k.Lasts(), missed-beat, missed+probing); c.Of != Short && c.Of != Edge {
			c.Of = Role(string(k.Service))
		}
	case *faults.ComponentCrash:
		c.Of = Role(string(k.Service))
	case *faults.ComponentRestart:
		c.Of = Role(string(k.Service))
	case *faults.ComponentKill:
		c.Of = Role(string(k.Service))
	case *faults.ComponentVMReboot:
		c.Of = RoleOfVM(k.VM)
	case *faults.DeviceError:
		c.Of = RoleOfVM(k.VM)
	case *faults.HostRestart:
		c.Of = at(k.Site)
	case *faults.HostDisconnect:
		c.Of = at(k.Site)
	case *faults.DatastoreFull:
		c.Of = at(k.Site)
	case *faults.DatastoreError:
		c.Of = at(k.Site)
	}
	return c
}

func at(site vsphere.Site) string {
	if site == vsphere.Cloud {
		return InCloud
	}
	return OnPremises
}

// lasting says on which side of a limit a span is: of one between the two figures
// either may follow.
func lasting(span faults.Span, from, to time.Duration) string {
	switch d, ends := span.Time(); {
	case !ends:
		return ForEver
	case d < from:
		return Short
	case d < to:
		return Edge
	}
	return Long
}

// within says whether calls fail less often than a step is tried.
func within(calls faults.Calls) string {
	if max(calls.Count, 1) < tries {
		return ""
	}
	return Beyond
}

// ServicesOf are the services with a role, in the order of component.Service.
func ServicesOf(role string) (all []component.Service) {
	for _, s := range []component.Service{
		component.CloudCache, component.IOInterceptor, component.PremIOManager, component.PremESXiManager,
		component.CloudGateway, component.PremMessageGateway, component.CloudIOManager, component.CloudSyncD, component.PremSyncD,
	} {
		if Role(string(s)) == role {
			all = append(all, s)
		}
	}
	return all
}

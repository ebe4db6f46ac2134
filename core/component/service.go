package component

import (
	"fmt"
	"strings"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Service is a component by the name that people see in heartbeats and health
// (the guide's SQS Heartbeat; facts of the product for the rest).
type Service string

// The services, in the order in which they are named to people.
const (
	ApplianceService   Service = "Appliance"
	HAManager          Service = "HA Manager"
	Database           Service = "Database"
	PIOManager         Service = "PIO Manager"
	PremLoadBalancer   Service = "On Prem Load Balancer"
	VCPlugin           Service = "VC Plugin"
	PremMessageGateway Service = "On Prem Message Gateway"
	PremSyncD          Service = "On Prem SyncD"
	PremIOManager      Service = "On Prem IO Manager"
	PremESXiManager    Service = "On Prem ESXi Manager"
	CloudGateway       Service = "Cloud Message Gateway"
	CloudIOManager     Service = "Cloud IO Manager"
	CloudSyncD         Service = "Cloud SyncD"
	CloudCache         Service = "Cloud Cache"
	IOInterceptor      Service = "IO Interceptor"
	// IOFilter runs on every ESXi host of the cluster on premises, in no component
	// VM. Its heartbeats name the host (ESX-01).
	IOFilter Service = "IO Filter"
	// Supervisor starts the services of a component VM and says which run. It sends
	// no heartbeats of its own: it is the component VM, as far as others can tell.
	Supervisor Service = "Supervisor"
)

// Name is the name of the n-th component VM of a kind, from 0. There is one
// appliance, whatever n is.
func (k Kind) Name(n int) string {
	for _, known := range kinds {
		switch {
		case known.kind != k:
		case k == Appliance:
			return known.stem
		default:
			return fmt.Sprint(known.stem, n)
		}
	}
	return ""
}

// SiteOf is where the component VM of that name is; on premises if it is none.
func SiteOf(vm string) vsphere.Site {
	for _, known := range kinds {
		if strings.HasPrefix(vm, known.stem) {
			return known.site
		}
	}
	return vsphere.OnPremises
}

// Site is where component VMs of the kind are; "" for no kind.
func (k Kind) Site() vsphere.Site {
	for _, known := range kinds {
		if known.kind == k {
			return known.site
		}
	}
	return ""
}

// KindOf is the kind of the component VM of that name; "" if it is none.
func KindOf(vm string) Kind {
	for _, known := range kinds {
		if strings.HasPrefix(vm, known.stem) {
			return known.kind
		}
	}
	return ""
}

// Package component is what the appliance and its component services say to
// each other: commands, completions, heartbeats, and the words for services and
// the component VMs that they run in.
//
//	appliance --Port--> Client --Command--> Link ====> service in a component VM
//	                           <-Completion-     <====
//	          <--Watch--                         <==== Heartbeat, every 10 s
//
// It decides how a command is asked for again until its completion is known,
// which component VM a binding goes to, and when a heartbeat has been missed.
// It owns no timer of a migration and no data of a VM: the appliance owns the
// timers, the services own the data. It repairs nothing.
//
// Read this file, then port.go (what the appliance can ask for), message.go
// (what goes over the link), client.go (how), watch.go (heartbeats). The
// services are in core/datapath.
package component

import "github.com/hdm-project/hdm/core/vsphere"

// Kind of a component VM.
type Kind string

// The kinds of component VMs. The appliance is deployed by people, and deploys
// the others.
const (
	Appliance    Kind = "appliance"
	PremManager  Kind = "onprem-manager"
	PremESXi     Kind = "onprem-esxi-manager"
	CloudManager Kind = "cloud-manager"
	CloudCacheVM Kind = "cloud-cache"
)

// MarkComponent is the extraConfig key that says what kind of component VM a VM
// is. Its value is a Kind.
const MarkComponent = "hdm.component"

// kinds are the names' stems and the sites, in the order in which people see
// them.
var kinds = []struct {
	kind Kind
	stem string
	site vsphere.Site
}{
	{Appliance, "HDM Appliance", vsphere.OnPremises},
	{PremManager, "HDM_OnPrem_Manager-", vsphere.OnPremises},
	{PremESXi, "HDM_OnPrem_ESXi_Manager-", vsphere.OnPremises},
	{CloudManager, "HDM_Cloud_Manager-", vsphere.Cloud},
	{CloudCacheVM, "HDM_Cloud_Cache-", vsphere.Cloud},
}

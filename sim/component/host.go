// Package component hosts the component services of HDM in the component VMs
// of a world: the services are core/datapath's, unchanged.
//
//	vCenters --power--> node: a VM with the mark hdm.component, booted
//	                      |  services on the VM's own disks, heartbeats
//	                      |
//	guest -- Device ----> CloudCache --frames--> lane --WAN--> lane --> IOManager --> the source VM's disks
//	appliance -- Link --> commands        (a lane is a pair of message gateways)
//
// It decides when a component VM is up, what a power cut leaves on its disks,
// and which way frames, commands and heartbeats take through the world. It
// never decides what the services do. A service that is alone on the path does
// everything in callbacks of the kernel, so that what the cache holds costs a
// guest no event.
//
// Services fail one by one, and so do their devices: whoever tests calls Crash,
// Kill, Restart, Hang and FailDevice, and says with Intercept what becomes of
// commands. What a guest asks for while something on its way does not run waits
// until it does; what it has been told is done, and was not made durable, its host
// has and sends again.
//
// Read this file, then node.go (a component VM that is up), service.go (a
// service in it), supervisor.go, lanes.go (the way of frames), device.go (a
// disk of a compute VM), held.go (what its host sends again), link.go
// (commands), filters.go (daemons on hosts), fault.go, ports.go and image.go.
package component

import (
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/vcenter"
	"github.com/hdm-project/hdm/sim/wan"
)

// Defaults of a Config.
const (
	DefaultBoot       = 30 * time.Second
	DefaultLANLatency = 200 * time.Microsecond
)

// Config of a Host. Kernel, WAN and the two vCenters are needed.
type Config struct {
	Kernel     *kernel.Kernel
	WAN        *wan.Link
	OnPremises *vcenter.VCenter
	Cloud      *vcenter.VCenter
	Boot       time.Duration // of a component VM, from power-on until its services run; DefaultBoot if 0
	LANLatency time.Duration // one way, between VMs of a site; DefaultLANLatency if 0
}

// Host is the component VMs of a world that are on. It belongs to its kernel.
type Host struct {
	cfg    Config
	nodes  []*node // in the order in which they were powered on
	boots  map[string]uint64
	lanes  []*lane
	shells map[string]*shell // by file: "[datastore] path"

	epochs  map[string]uint64 // of services, by "VM/service"
	filters filters

	// Heartbeat hears what component VMs say to the appliance. Nil: nobody does.
	Heartbeat func(component.Heartbeat)
	// Intercept decides what happens to a command to a component VM. Nil: nothing.
	Intercept func(vm string, c component.Command) Act
	// Filters are the daemons of the IO filter that run on hosts on premises, in
	// an order that does not change: see FiltersChanged. Nil: none.
	Filters func() []Filter
}

// New returns a Host without component VMs.
func New(cfg Config) *Host {
	if cfg.Boot <= 0 {
		cfg.Boot = DefaultBoot
	}
	if cfg.LANLatency <= 0 {
		cfg.LANLatency = DefaultLANLatency
	}
	h := &Host{cfg: cfg, boots: map[string]uint64{}, shells: map[string]*shell{}, epochs: map[string]uint64{}, filters: filters{beats: map[string]*beats{}}}
	cfg.WAN.Watch(func(wan.Direction, bool) { h.refresh() })
	return h
}

// Power says that a VM of a site was powered on or off. What is no component
// VM is nobody's business here.
func (h *Host) Power(site vsphere.Site, name string, on bool) {
	if i := slices.IndexFunc(h.nodes, func(n *node) bool { return n.name == name && n.site == site }); i >= 0 {
		n := h.nodes[i]
		h.nodes = slices.Delete(h.nodes, i, i+1)
		n.powerOff()
		h.refresh()
	}
	vm, ok := h.at(site).VM(name)
	if !on || !ok || vm.Marks[component.MarkComponent] == "" {
		return
	}
	n, ok := h.described(site, vm)
	if !ok {
		return
	}
	h.boots[vm.Name]++
	n.boot = h.boots[vm.Name]
	h.nodes = append(h.nodes, n)
	n.powerOn()
}

// described is the node of a VM whose marks say what it is.
func (h *Host) described(site vsphere.Site, vm vcenter.VM) (*node, bool) {
	mode, err := deployment.Parse(vm.Marks[deployment.MarkMode])
	if err != nil {
		return nil, false
	}
	plan, err := deployment.Plan(mode)
	if err != nil {
		return nil, false
	}
	i := slices.IndexFunc(plan, func(p deployment.VM) bool { return p.Name == vm.Name && p.Site == site })
	if i < 0 || string(plan[i].Kind) != vm.Marks[component.MarkComponent] || plan[i].Kind == component.Appliance {
		return nil, false
	}
	n := &node{host: h, site: site, name: vm.Name, plan: plan[i], mode: plan}
	for _, d := range vm.Disks {
		n.disks = append(n.disks, d.Disk)
	}
	return n, true
}

func (h *Host) at(site vsphere.Site) *vcenter.VCenter {
	if site == vsphere.Cloud {
		return h.cfg.Cloud
	}
	return h.cfg.OnPremises
}

// node is the component VM of that name if its services run.
func (h *Host) node(name string) *node {
	for _, n := range h.nodes {
		if n.name == name && n.up {
			return n
		}
	}
	return nil
}

// Up are the names of the component VMs whose services run, in the order in
// which they were powered on.
func (h *Host) Up() (names []string) {
	for _, n := range h.nodes {
		if n.up {
			names = append(names, n.name)
		}
	}
	return names
}

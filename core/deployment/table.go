package deployment

import (
	"slices"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
)

// GB is 2^30 bytes, in which vSphere counts.
const GB = 1 << 30

// Use of a component VM's disk.
type Use string

// The uses. Every component VM boots from its first disk; the stage of an ESXi
// Manager, where flushes wait until they are whole, is on that, too.
const (
	System Use = "system"
	Cache  Use = "cache" // the cloud cache's device
)

// Disk of a component VM.
type Disk struct {
	Use      Use
	Capacity int64 // bytes
}

// VM is a component VM of a plan.
type VM struct {
	Name     string
	Kind     component.Kind
	Site     vsphere.Site
	Services []component.Service
	CPUs     int32
	MemoryMB int32
	Disks    []Disk
}

// Limits of what may go on at once in a mode.
type Limits struct {
	Cold     int // cold migrations at once
	Warm     int // warm and try-before-commit migrations at once; 0: none at all
	CloudVMs int // that run on a cloud cache; 0: none
}

// size of a component VM.
type size struct {
	cpus   int32
	memory int32 // GB
	disks  []Disk
}

// number of component VMs of a kind in a cluster; standalone has one of each.
type number func(hosts int) int

func one(int) int           { return 1 }
func two(int) int           { return 2 }
func perHost(hosts int) int { return hosts }

// part is a kind of component VM in a class.
type part struct {
	kind    component.Kind
	cluster number
	size    size
	// also are services that have a VM of their own in other classes.
	also []component.Service
}

// class is everything that a class means.
type class struct {
	parts []part
	// At once, standalone; a cluster has so many times that.
	warm, cloudVMs           int
	warmTimes, cloudVMsTimes number
	share                    int   // percent of a VM's disks that are its cache
	floor                    int64 // bytes of cache at least
}

// Cold migrations at once, in every mode.
const coldAtOnce = 8

func systemDisk(gb int64) []Disk { return []Disk{{System, gb * GB}} }
func cacheDisks(gb int64) []Disk { return []Disk{{System, 32 * GB}, {Cache, gb * GB}} }

var (
	appliance = part{kind: component.Appliance, cluster: one, size: size{4, 8, systemDisk(144)}}
	managers  = []part{
		{kind: component.PremManager, cluster: two, size: size{3, 4, systemDisk(32)}},
		{kind: component.CloudManager, cluster: two, size: size{3, 4, systemDisk(32)}},
	}
)

// classes is the table: the product's deployment planning guide, and the guide's
// Cache Size For Migrated VMs.
var classes = map[Class]class{
	UltraLite: {parts: []part{appliance}, warmTimes: one, cloudVMsTimes: one},
	Lite: {
		parts: []part{
			appliance,
			{kind: component.PremESXi, cluster: two, size: size{8, 8, systemDisk(96)}, also: services[component.PremManager]},
			{kind: component.CloudCacheVM, cluster: two, size: size{6, 12, cacheDisks(512)}, also: services[component.CloudManager]},
		},
		warm: 2, warmTimes: perHost, cloudVMs: 10, cloudVMsTimes: two,
		share: 25, floor: 5 * GB,
	},
	Standard: {
		parts: []part{
			appliance,
			managers[0],
			{kind: component.PremESXi, cluster: perHost, size: size{4, 4, systemDisk(160)}},
			managers[1],
			{kind: component.CloudCacheVM, cluster: perHost, size: size{6, 20, cacheDisks(512)}},
		},
		warm: 4, warmTimes: perHost, cloudVMs: 20, cloudVMsTimes: perHost,
		share: 15, floor: 3 * GB,
	},
	Performance: {
		parts: []part{
			appliance,
			managers[0],
			{kind: component.PremESXi, cluster: perHost, size: size{5, 9, systemDisk(288)}},
			managers[1],
			{kind: component.CloudCacheVM, cluster: perHost, size: size{8, 40, cacheDisks(2 << 10)}},
		},
		warm: 8, warmTimes: perHost, cloudVMs: 25, cloudVMsTimes: perHost,
		share: 15, floor: 5 * GB,
	},
}

// services are those that a kind of component VM is for.
var services = map[component.Kind][]component.Service{
	component.Appliance: {
		component.ApplianceService, component.HAManager, component.Database, component.PIOManager,
		component.PremLoadBalancer, component.VCPlugin,
	},
	component.PremManager:  {component.PremMessageGateway, component.PremSyncD},
	component.PremESXi:     {component.PremIOManager, component.PremESXiManager},
	component.CloudManager: {component.CloudGateway, component.CloudIOManager, component.CloudSyncD},
	component.CloudCacheVM: {component.CloudCache, component.IOInterceptor},
}

// Plan is the component VMs of a mode: the appliance, which people deploy, then
// those that it deploys, premises before cloud. It returns a *ModeError for a
// mode that cannot be.
func Plan(m Mode) ([]VM, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	var plan []VM
	for _, p := range classes[m.Class].parts {
		for i := range m.times(p.cluster) {
			plan = append(plan, VM{
				Name: p.kind.Name(i), Kind: p.kind, Site: p.kind.Site(),
				Services: slices.Concat(services[p.kind], p.also),
				CPUs:     p.size.cpus, MemoryMB: p.size.memory << 10, Disks: slices.Clone(p.size.disks),
			})
		}
	}
	return plan, nil
}

// times is how many times there is something in this mode.
func (m Mode) times(n number) int {
	if m.Topology == Cluster {
		return n(m.Hosts)
	}
	return 1
}

// Limits of the mode, which is valid.
func (m Mode) Limits() Limits {
	c := classes[m.Class]
	return Limits{Cold: coldAtOnce, Warm: c.warm * m.times(c.warmTimes), CloudVMs: c.cloudVMs * m.times(c.cloudVMsTimes)}
}

// Cache is the mode's rule for quotas of cache (CACHE-02, CACHE-03); false:
// there is no cache.
func (m Mode) Cache() (rule cache.Rule, has bool) {
	c := classes[m.Class]
	return cache.Rule{Percent: c.share, Floor: c.floor}, c.share > 0
}

// MarkMode is the extraConfig key that says in which mode a component VM was
// deployed, as Parse reads it.
const MarkMode = "hdm.deployment"

// Marks are the extraConfig keys of a VM of the mode's plan.
func (m Mode) Marks(vm VM) map[string]string {
	return map[string]string{component.MarkComponent: string(vm.Kind), MarkMode: m.String()}
}

// ApplianceServices are those of the appliance itself, in every mode.
func ApplianceServices() []component.Service { return slices.Clone(services[component.Appliance]) }

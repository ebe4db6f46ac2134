package vcenter

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// ref is short for a reference to a managed object.
type ref = types.ManagedObjectReference

// nameUUID is a UUID (version 5) that depends on nothing but the name.
func nameUUID(name string) string {
	h := sha1.Sum([]byte("hdm/" + name))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// AddCluster adds a cluster without hosts, and its root pool.
func (vc *VCenter) AddCluster(name string) (cluster ref, err error) {
	templates.Lock()
	defer templates.Unlock()
	vc.do(func() {
		if vc.clusters[name] != nil {
			err = &ExistsError{"cluster", name}
			return
		}
		ctx := vc.ctx()
		folder := vc.reg.Get(vc.dc.HostFolder).(*simulator.Folder)
		c, fault := simulator.CreateClusterComputeResource(ctx, folder, name, types.ClusterConfigSpecEx{})
		if fault != nil {
			err = fmt.Errorf("adding cluster %q: %T", name, fault)
			return
		}
		c.Network = slices.Clone(vc.networkRefs())
		root := vc.reg.Get(*c.ResourcePool).(*simulator.ResourcePool)
		vc.ownPool(root, "Resources")
		vc.clusters[name] = c
		cluster = c.Self
	})
	return cluster, err
}

// AddHost adds a connected host to a cluster. It sees every datastore and
// network that is added, before or after.
func (vc *VCenter) AddHost(cluster, name string) (host ref, err error) {
	vc.do(func() {
		c := vc.clusters[cluster]
		switch {
		case c == nil:
			err = &NotFoundError{"cluster", cluster}
			return
		case vc.hosts[name] != nil:
			err = &ExistsError{"host", name}
			return
		}
		ctx := vc.ctx()
		h := vc.addHost(ctx, c, name)
		for _, ds := range vc.storeList {
			if ds.served == nil { // a served one is mounted host by host
				vc.mount(ds, h)
			}
		}
		for _, n := range h.Network {
			net := vc.reg.Get(n).(*mo.Network)
			net.Host = append(net.Host, h.Self)
		}
		vc.newHost(h)
		vc.hosts[name] = h
		vc.hostOrder = append(vc.hostOrder, h)
		host = h.Self
	})
	return host, err
}

// addHost enters a host of vcsim's template. vcsim's own way copies its
// configuration through XML, which takes longer than all the rest, for methods
// of hosts that are not simulated here. What hosts share is only read.
func (vc *VCenter) addHost(ctx *simulator.Context, c *simulator.ClusterComputeResource, name string) *simulator.HostSystem {
	h := &simulator.HostSystem{HostSystem: esx.HostSystem}
	id := nameUUID("host/" + string(vc.config.Site) + "/" + name)
	now := vc.now()
	hardware, summary, config := *esx.HostHardwareInfo, *h.Summary.Hardware, *h.Config
	hardware.SystemInfo.Uuid, summary.Uuid = id, id
	h.Name, h.Vm, h.Datastore, h.RecentTask = name, nil, nil, nil
	h.Network = slices.Clone(vc.networkRefs())
	h.Hardware, h.Config, h.ConfigManager = &hardware, &config, types.HostConfigManager{}
	system := &simulator.HostDatastoreSystem{}
	system.Self = ref{Type: "HostDatastoreSystem", Value: "datastoreSystem-" + name}
	h.ConfigManager.DatastoreSystem = &system.Self
	h.Runtime.ConnectionState, h.Runtime.BootTime = types.HostSystemConnectionStateConnected, &now
	h.Summary.Config.Name, h.Summary.Hardware, h.Summary.Runtime = name, &summary, &h.Runtime
	vc.reg.PutEntity(c, vc.reg.NewEntity(h))
	system.Host = &h.HostSystem
	vc.reg.Put(system)
	h.Summary.Host, h.Config.Host = &h.Self, h.Self

	total := *c.Summary.GetComputeResourceSummary()
	total.NumHosts++
	total.NumEffectiveHosts++
	total.NumCpuCores += summary.NumCpuCores
	total.NumCpuThreads += summary.NumCpuThreads
	total.TotalCpu += int32(summary.NumCpuCores) * summary.CpuMhz
	total.TotalMemory += summary.MemorySize
	total.EffectiveCpu, total.EffectiveMemory = total.TotalCpu, total.TotalMemory>>20
	ctx.WithLock(c, func() {
		*c.Summary.GetComputeResourceSummary() = total
		c.Host = append(slices.Clone(c.Host), h.Self)
	})
	return h
}

func (vc *VCenter) networkRefs() []ref {
	refs := make([]ref, len(vc.netOrder))
	for i, n := range vc.netOrder {
		refs[i] = vc.networks[n]
	}
	return refs
}

// AddNetwork adds a network that every host reaches. "VM Network" is there
// from the start.
func (vc *VCenter) AddNetwork(name string) (network ref, err error) {
	vc.do(func() {
		if r, ok := vc.networks[name]; ok {
			network, err = r, &ExistsError{"network", name}
			return
		}
		n := &mo.Network{Name: name}
		n.ManagedEntity.Name = name
		vc.putChild(vc.dc.NetworkFolder, n)
		n.Summary = &types.NetworkSummary{Network: &n.Self, Name: name, Accessible: true}
		vc.dc.Network = append(vc.dc.Network, n.Self)
		vc.adoptNetwork(n.Self)
		network = n.Self
	})
	return network, err
}

func (vc *VCenter) adoptNetwork(r ref) {
	n := vc.reg.Get(r).(*mo.Network)
	vc.networks[n.Name] = r
	vc.netOrder = append(vc.netOrder, n.Name)
	for _, h := range vc.hostOrder {
		h.Network = append(h.Network, r)
		n.Host = append(n.Host, h.Self)
		c := vc.reg.Get(*h.Parent).(*simulator.ClusterComputeResource)
		if !slices.Contains(c.Network, r) {
			c.Network = append(c.Network, r)
		}
	}
}

// putChild puts an entity into a folder, both ways.
func (vc *VCenter) putChild(folder ref, e mo.Entity) {
	f := vc.reg.Get(folder).(*simulator.Folder)
	ctx := vc.ctx()
	ctx.WithLock(f, func() {
		vc.reg.PutEntity(&f.Folder, e)
		f.ChildEntity = append(f.ChildEntity, e.Reference())
	})
}

// AddPool adds a resource pool below another: path is "cluster/Resources/a/b",
// or "a/b" for the first cluster.
func (vc *VCenter) AddPool(path string) (pool ref, err error) {
	vc.do(func() {
		dir, name := "", path
		if i := strings.LastIndexByte(path, '/'); i >= 0 {
			dir, name = path[:i], path[i+1:]
		}
		var parent *simulator.ResourcePool
		if parent, err = vc.findPool(dir); err != nil {
			return
		}
		if vc.childPool(parent, name) != nil {
			err = &ExistsError{"resource pool", path}
			return
		}
		pool = vc.addPool(parent, name, types.DefaultResourceConfigSpec()).Self
	})
	return pool, err
}

// findPool finds a pool by its path; "" is the first cluster's root pool.
func (vc *VCenter) findPool(path string) (*simulator.ResourcePool, error) {
	if len(vc.clusters) == 0 {
		return nil, &NotFoundError{"resource pool", path}
	}
	parts := strings.Split(path, "/")
	cluster := vc.clusters[parts[0]]
	if cluster != nil {
		parts = parts[1:]
		if len(parts) > 0 && parts[0] == "Resources" {
			parts = parts[1:]
		}
	} else {
		cluster = vc.firstCluster()
	}
	pool := vc.reg.Get(*cluster.ResourcePool).(*simulator.ResourcePool)
	for _, p := range parts {
		if p == "" {
			continue
		}
		if pool = vc.childPool(pool, p); pool == nil {
			return nil, &NotFoundError{"resource pool", path}
		}
	}
	return pool, nil
}

func (vc *VCenter) firstCluster() *simulator.ClusterComputeResource {
	folder := vc.reg.Get(vc.dc.HostFolder).(*simulator.Folder)
	for _, r := range folder.ChildEntity {
		if c, ok := vc.reg.Get(r).(*simulator.ClusterComputeResource); ok {
			return c
		}
	}
	return nil
}

// Hosts are the hosts' names, in the order in which they were added.
func (vc *VCenter) Hosts() (names []string) {
	vc.do(func() {
		for _, h := range vc.hostOrder {
			names = append(names, h.Name)
		}
	})
	return names
}

// Networks are the networks' names, in the order in which they were added.
func (vc *VCenter) Networks() (names []string) {
	vc.do(func() { names = slices.Clone(vc.netOrder) })
	return names
}

package vsphere

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// uplinkTag marks the port group of a distributed switch's uplinks, which no
// VM can be connected to.
const uplinkTag = "SYSTEM/DVS.UPLINKPG"

// Resources lists what the site can give to a VM, each kind by name. Datastores
// that cannot be used now are left out.
func (s *Session) Resources(ctx context.Context) (Resources, error) {
	const op, object = "list", "resources"
	content, err := s.under(ctx, toResources(),
		types.PropertySpec{Type: "Network", PathSet: []string{"name", "tag"}},
		types.PropertySpec{Type: "Datastore", PathSet: []string{"summary", "host", "info"}},
		types.PropertySpec{Type: "ResourcePool", PathSet: []string{"name", "parent", "owner"}},
		types.PropertySpec{Type: "HostSystem", PathSet: hostPaths},
		types.PropertySpec{Type: "ComputeResource", PathSet: []string{"name", "environmentBrowser"}},
	)
	if err != nil {
		return Resources{}, s.fail(op, object, err, reads)
	}
	g := gathering{networks: map[Ref]string{}, attached: map[Ref][]types.ManagedObjectReference{}}
	for _, c := range content {
		if err := g.add(c); err != nil {
			return Resources{}, s.fail(op, object, err, reads)
		}
	}
	if g.found.Adapters, err = s.adapters(ctx, g.browsers); err != nil {
		return Resources{}, s.fail(op, object, err, reads)
	}
	return g.finish(), nil
}

// gathering is an answer that is being put together.
type gathering struct {
	found    Resources
	networks map[Ref]string                         // names, to tell what a host is on
	attached map[Ref][]types.ManagedObjectReference // networks of each host
	stores   []string                               // names of datastores, usable or not
	browsers []types.ManagedObjectReference
}

// add takes in one object.
func (g *gathering) add(c types.ObjectContent) error {
	object, err := mo.ObjectContentToType(c)
	if err != nil {
		return err
	}
	r := &g.found
	switch o := object.(type) {
	case mo.Network:
		g.addNetwork(o)
	case mo.DistributedVirtualPortgroup:
		g.addNetwork(o.Network)
	case mo.OpaqueNetwork:
		g.addNetwork(o.Network)
	case mo.Datastore:
		g.stores = append(g.stores, o.Summary.Name)
		if d := o.Summary; d.Accessible && (d.MaintenanceMode == "" || d.MaintenanceMode == "normal") {
			r.Datastores = append(r.Datastores, Datastore{
				Ref: refOf(o.Self), Name: d.Name, Capacity: d.Capacity, Free: d.FreeSpace, Hosts: writers(o.Host), Served: served(o.Info),
			})
		}
	case mo.ResourcePool:
		r.Pools = append(r.Pools, Pool{Ref: refOf(o.Self), Name: o.Name, Parent: refOfPtr(o.Parent), Cluster: refOf(o.Owner)})
	case mo.VirtualApp: // a pool to vSphere, but not a place for a migrated VM
	case mo.HostSystem:
		g.attached[refOf(o.Self)] = o.Network
		r.Hosts = append(r.Hosts, describeHost(o))
	case mo.ComputeResource:
		g.addCluster(o)
	case mo.ClusterComputeResource:
		g.addCluster(o.ComputeResource)
	}
	return nil
}

func (g *gathering) addNetwork(n mo.Network) {
	if slices.ContainsFunc(n.Tag, func(t types.Tag) bool { return t.Key == uplinkTag }) {
		return
	}
	g.networks[refOf(n.Self)] = n.Name
	g.found.Networks = append(g.found.Networks, n.Name)
}

func (g *gathering) addCluster(c mo.ComputeResource) {
	g.found.Clusters = append(g.found.Clusters, Cluster{Ref: refOf(c.Self), Name: c.Name})
	if b := c.EnvironmentBrowser; b != nil {
		g.browsers = append(g.browsers, *b)
	}
}

// writers are the hosts that can write to a datastore. What a mount does not
// tell counts as good.
func writers(mounts []types.DatastoreHostMount) []Ref {
	var hosts []Ref
	for _, m := range mounts {
		i := m.MountInfo
		gone := i.Accessible != nil && !*i.Accessible || i.Mounted != nil && !*i.Mounted
		if !gone && i.AccessMode != string(types.HostMountModeReadOnly) {
			hosts = append(hosts, refOf(m.Key))
		}
	}
	slices.Sort(hosts)
	return hosts
}

// finish puts everything in order, once all of it is known.
func (g *gathering) finish() Resources {
	r := g.found
	r.AmbiguousNetworks, r.AmbiguousDatastores = repeated(r.Networks), repeated(g.stores)
	slices.Sort(r.Networks)
	r.Networks = slices.Compact(r.Networks)
	for i, h := range r.Hosts {
		for _, n := range g.attached[h.Ref] {
			if name, ok := g.networks[refOf(n)]; ok {
				r.Hosts[i].Networks = append(r.Hosts[i].Networks, name)
			}
		}
		slices.Sort(r.Hosts[i].Networks)
	}
	slices.SortFunc(r.Datastores, func(a, b Datastore) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) })
	slices.SortFunc(r.Clusters, func(a, b Cluster) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) })
	slices.SortFunc(r.Pools, func(a, b Pool) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) })
	slices.SortFunc(r.Hosts, func(a, b Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) })
	return r
}

// repeated are the names that are there more than once, each once and in order.
func repeated(names []string) []string {
	sorted := slices.Sorted(slices.Values(names))
	var twice []string
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			twice = append(twice, sorted[i])
		}
	}
	return slices.Compact(twice)
}

// adapters are the NIC types that any cluster offers for new VMs, sorted; none
// if the vCenter does not say.
func (s *Session) adapters(ctx context.Context, browsers []types.ManagedObjectReference) ([]string, error) {
	var kinds []string
	for _, b := range browsers {
		res, err := methods.QueryConfigOption(ctx, s.vim, &types.QueryConfigOption{This: b})
		if err != nil {
			return nil, err
		}
		if res.Returnval == nil {
			continue
		}
		for _, o := range res.Returnval.HardwareOptions.VirtualDeviceOption {
			kind := adapters[o.GetVirtualDeviceOption().Type]
			if _, ok := newAdapter(kind); ok {
				kinds = append(kinds, kind)
			}
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds), nil
}

// datastore finds a datastore by its name, which must be the only one.
func (s *Session) datastore(ctx context.Context, name string) (types.ManagedObjectReference, error) {
	content, err := s.under(ctx, toResources(), types.PropertySpec{Type: "Datastore", PathSet: []string{"name"}})
	if err != nil {
		return types.ManagedObjectReference{}, err
	}
	var found []mo.Datastore
	if err := mo.LoadObjectContent(content, &found); err != nil {
		return types.ManagedObjectReference{}, err
	}
	byName := map[string][]types.ManagedObjectReference{}
	for _, d := range found {
		byName[d.Name] = append(byName[d.Name], d.Self)
	}
	return s.only("datastore", byName, name)
}

// only finds what has a name that must be the only one.
func (s *Session) only(kind string, byName map[string][]types.ManagedObjectReference, name string) (types.ManagedObjectReference, error) {
	switch refs := byName[name]; len(refs) {
	case 1:
		return refs[0], nil
	case 0:
		return types.ManagedObjectReference{}, s.refuse("find", kind+" "+strconv.Quote(name), "the site has none of that name", "choose one that exists")
	default:
		return types.ManagedObjectReference{}, s.refuse("find", kind+" "+strconv.Quote(name),
			fmt.Sprintf("the site has %d of that name", len(refs)), "give them names that differ")
	}
}

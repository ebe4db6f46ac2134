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
		types.PropertySpec{Type: "Datastore", PathSet: []string{"summary"}},
		types.PropertySpec{Type: "ResourcePool", PathSet: []string{"name", "parent"}},
		types.PropertySpec{Type: "HostSystem", PathSet: []string{"name", "parent", "runtime.connectionState", "runtime.inMaintenanceMode"}},
		types.PropertySpec{Type: "ComputeResource", PathSet: []string{"name", "environmentBrowser"}},
	)
	if err != nil {
		return Resources{}, s.fail(op, object, err, reads)
	}
	r := Resources{}
	clusters := map[Ref]string{}
	var browsers []types.ManagedObjectReference
	for _, c := range content {
		if err := r.add(c, clusters, &browsers); err != nil {
			return Resources{}, s.fail(op, object, err, reads)
		}
	}
	for i, h := range r.Hosts {
		r.Hosts[i].Cluster = clusters[Ref(h.Cluster)]
	}
	if r.Adapters, err = s.adapters(ctx, browsers); err != nil {
		return Resources{}, s.fail(op, object, err, reads)
	}
	r.sort()
	return r, nil
}

// add takes in one object. A host's Cluster is a reference until all clusters
// are known.
func (r *Resources) add(c types.ObjectContent, clusters map[Ref]string, browsers *[]types.ManagedObjectReference) error {
	object, err := mo.ObjectContentToType(c)
	if err != nil {
		return err
	}
	switch o := object.(type) {
	case mo.Network:
		r.addNetwork(o)
	case mo.DistributedVirtualPortgroup:
		r.addNetwork(o.Network)
	case mo.OpaqueNetwork:
		r.addNetwork(o.Network)
	case mo.Datastore:
		if d := o.Summary; d.Accessible && (d.MaintenanceMode == "" || d.MaintenanceMode == "normal") {
			r.Datastores = append(r.Datastores, Datastore{Ref: refOf(o.Self), Name: d.Name, Capacity: d.Capacity, Free: d.FreeSpace})
		}
	case mo.ResourcePool:
		r.Pools = append(r.Pools, Pool{Ref: refOf(o.Self), Name: o.Name, Parent: refOfPtr(o.Parent)})
	case mo.VirtualApp: // a pool to vSphere, but not a place for a migrated VM
	case mo.HostSystem:
		r.Hosts = append(r.Hosts, Host{
			Ref: refOf(o.Self), Name: o.Name, Cluster: string(refOfPtr(o.Parent)),
			Connected: o.Runtime.ConnectionState == types.HostSystemConnectionStateConnected && !o.Runtime.InMaintenanceMode,
		})
	case mo.ComputeResource:
		clusters[refOf(o.Self)] = o.Name
		*browsers = append(*browsers, presentRefs(o.EnvironmentBrowser)...)
	case mo.ClusterComputeResource:
		clusters[refOf(o.Self)] = o.Name
		*browsers = append(*browsers, presentRefs(o.EnvironmentBrowser)...)
	}
	return nil
}

func (r *Resources) addNetwork(n mo.Network) {
	if slices.ContainsFunc(n.Tag, func(t types.Tag) bool { return t.Key == uplinkTag }) {
		return
	}
	r.Networks = append(r.Networks, n.Name)
}

func (r *Resources) sort() {
	slices.Sort(r.Networks)
	r.Networks = slices.Compact(r.Networks)
	slices.SortFunc(r.Datastores, func(a, b Datastore) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) })
	slices.SortFunc(r.Pools, func(a, b Pool) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) })
	slices.SortFunc(r.Hosts, func(a, b Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) })
}

func presentRefs(r *types.ManagedObjectReference) []types.ManagedObjectReference {
	if r == nil {
		return nil
	}
	return []types.ManagedObjectReference{*r}
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

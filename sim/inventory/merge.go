package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/sim/site"
)

// merger makes one site of objects that may come from several datacenters and
// clusters, and keeps account of what that costs.
type merger struct {
	from     *objects
	made     site.Site
	losses   []Loss
	hosts    map[string]string // names by reference
	stores   map[string]string // by reference, and by "[" and the name as saved
	networks map[string]string // by reference, by "#" and the opaque id, by "[" and the name as saved
	pools    map[string]string // paths by reference; root pools are ""
	taken    struct{ hosts, stores, networks, vms, uuids, macs map[string]bool }
}

func newMerger(o *objects) *merger {
	m := &merger{from: o, hosts: map[string]string{}, stores: map[string]string{}, networks: map[string]string{}, pools: map[string]string{}}
	t := &m.taken
	t.hosts, t.stores, t.networks = map[string]bool{}, map[string]bool{}, map[string]bool{}
	t.vms, t.uuids, t.macs = map[string]bool{}, map[string]bool{}, map[string]bool{}
	return m
}

func (m *merger) lose(object, became, what string, args ...any) {
	m.losses = append(m.losses, Loss{Object: object, What: fmt.Sprintf(what, args...), Became: became})
}

// words are what people call the kinds of objects.
var words = map[string]string{
	"HostSystem": "host", "Datastore": "datastore", "Network": "network", "OpaqueNetwork": "network",
	"DistributedVirtualPortgroup": "network", "ResourcePool": "pool", "VirtualApp": "vApp", "VirtualMachine": "VM",
	"Folder": "folder", "Datacenter": "datacenter", "StoragePod": "datastore cluster", "ClusterComputeResource": "cluster",
	"ComputeResource": "standalone host", "DistributedVirtualSwitch": "distributed switch", "VmwareDistributedVirtualSwitch": "distributed switch",
}

func (e *entity) label() string {
	return fmt.Sprintf("%s %q", words[e.kind], shorten(e.name, site.MaxName))
}

// settle gives an object its name in the site and takes over its notes.
func (m *merger) settle(e *entity, taken map[string]bool) string {
	name := unique(taken, clean(e.name, e.kind))
	if name != e.name {
		why := "name: a site allows no such one"
		if clean(e.name, e.kind) == e.name {
			why = "name: another has it too"
		}
		m.lose(e.label(), fmt.Sprintf("%q", name), "%s", why)
	}
	m.noted(e)
	return name
}

func (m *merger) noted(e *entity) {
	for _, n := range e.notes {
		m.lose(e.label(), n.became, "%s", n.what)
	}
}

// byName sorts objects: the numbers of files depend on who saved them.
func byName[T any](list []T, of func(T) *entity) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int {
		x, y := of(a), of(b)
		return cmp.Or(strings.Compare(x.name, y.name), strings.Compare(x.ref, y.ref))
	})
	return list
}

func (m *merger) site() site.Site {
	m.furnishHosts()
	m.furnishStores()
	m.furnishNetworks()
	m.furnishPools()
	m.furnishVMs()
	m.room()
	m.others()
	return m.made
}

// hostWithout is the host of a site that has no other.
const hostWithout = "host-1"

func (m *merger) furnishHosts() {
	connected := false
	for _, h := range byName(m.from.hosts, func(h *host) *entity { return &h.entity }) {
		if len(m.made.Hosts) == site.MaxHosts {
			m.lose(h.label(), leftOut, "more than %d hosts", site.MaxHosts)
			continue
		}
		name := m.settle(&h.entity, m.taken.hosts)
		m.hosts[h.ref] = name
		connected = connected || h.connected
		m.made.Hosts = append(m.made.Hosts, site.Host{Name: name, Disconnected: !h.connected})
	}
	switch {
	case len(m.made.Hosts) == 0:
		m.made.Hosts = []site.Host{{Name: hostWithout}}
		m.lose("the site", fmt.Sprintf("host %q", hostWithout), "the folder has no host")
	case !connected:
		m.made.Hosts[0].Disconnected = false
		m.lose(fmt.Sprintf("host %q", m.made.Hosts[0].Name), "connected", "no host is connected, so nothing could run")
	}
}

func (m *merger) furnishStores() {
	for _, s := range byName(m.from.stores, func(s *store) *entity { return &s.entity }) {
		name := m.settle(&s.entity, m.taken.stores)
		m.stores[s.ref] = name
		if m.stores["["+s.name] == "" {
			m.stores["["+s.name] = name
		}
		free := site.Size(s.free)
		m.made.Datastores = append(m.made.Datastores, site.Datastore{Name: name, Capacity: site.Size(s.capacity), Free: &free})
	}
}

func (m *merger) furnishNetworks() {
	for _, n := range byName(m.from.networks, func(n *network) *entity { return &n.entity }) {
		if n.uplink {
			m.lose(n.label(), leftOut, "uplinks of a distributed switch")
			continue
		}
		name := m.settle(&n.entity, m.taken.networks)
		m.networks[n.ref] = name
		for _, as := range []string{"#" + n.opaque, "[" + n.name} {
			if m.networks[as] == "" {
				m.networks[as] = name
			}
		}
		m.made.Networks = append(m.made.Networks, name)
	}
	delete(m.networks, "#")
}

// clusterName is what a site's one cluster is called. A pool of that name below
// its root pool could not be told from it.
const clusterName = "Cluster"

func (m *merger) furnishPools() {
	byRef := map[string]*pool{}
	for _, p := range m.from.pools {
		byRef[p.ref] = p
	}
	taken := map[string]bool{clusterName: true}
	settled := map[string]bool{}
	var place func(p *pool, depth int) (path string)
	place = func(p *pool, depth int) string {
		if settled[p.ref] {
			return m.pools[p.ref]
		}
		settled[p.ref] = true // a pool that is below itself ends at the root
		if p.root {
			m.pools[p.ref] = ""
			m.noted(&p.entity)
			return ""
		}
		parent, above := byRef[p.parent], ""
		switch {
		case parent == nil:
			m.lose(p.label(), "below the root pool", "its parent is not in the folder")
		case depth < len(m.from.pools):
			above = place(parent, depth+1)
		}
		if strings.Count(above, "/")+1 >= site.MaxPoolDepth && above != "" {
			m.pools[p.ref] = above
			m.lose(p.label(), "the pool "+above, "pools nested more than %d deep", site.MaxPoolDepth)
			return above
		}
		path := clean(p.name, "pool")
		if above != "" {
			path = above + "/" + path
		}
		given := path
		for n := 2; taken[given]; n++ {
			end := fmt.Sprintf(" (%d)", n)
			given = path[:strings.LastIndexByte(path, '/')+1] + shorten(path[strings.LastIndexByte(path, '/')+1:], site.MaxName-len(end)) + end
		}
		taken[given] = true
		if name := given[strings.LastIndexByte(given, '/')+1:]; name != p.name {
			m.lose(p.label(), fmt.Sprintf("%q", name), "name: a site allows no such one there")
		}
		m.noted(&p.entity)
		m.pools[p.ref] = given
		m.made.Pools = append(m.made.Pools, given)
		return given
	}
	for _, p := range byName(m.from.pools, func(p *pool) *entity { return &p.entity }) {
		place(p, 0)
	}
	// Parents come before their children.
	slices.SortFunc(m.made.Pools, func(a, b string) int {
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
}

// datacenterName is what a simulated vCenter's one datacenter is called.
const datacenterName = "DC"

// others tells of what only holds things, and of what nobody reads.
func (m *merger) others() {
	for _, e := range byName(m.from.others, func(e *entity) *entity { return e }) {
		switch e.kind {
		case "Folder":
			// A datacenter's own four folders, and the vCenter's one, have no like.
			if e.parent != "" && !strings.HasPrefix(e.parent, "Datacenter:") {
				m.lose(e.label(), "no folder: all stand together", "folder")
			}
		case "Datacenter":
			if e.name != datacenterName {
				m.lose(e.label(), fmt.Sprintf("part of the one datacenter %q", datacenterName), "datacenter")
			}
		case "ClusterComputeResource", "ComputeResource":
			if e.name != clusterName {
				m.lose(e.label(), fmt.Sprintf("part of the one cluster %q", clusterName), "%s", words[e.kind])
			}
		default:
			m.lose(e.label(), leftOut, "%s", words[e.kind])
		}
		m.noted(e)
	}
	for _, kind := range m.from.kinds {
		m.lose(fmt.Sprintf("%d of %s", m.from.unread[kind], shorten(kind, site.MaxName)), leftOut, "objects of a kind that a site has none of")
	}
}

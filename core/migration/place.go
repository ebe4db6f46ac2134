package migration

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/vsphere"
)

// place is where in the cloud a VM goes: a pool, a host of the pool's cluster,
// and a datastore that this host can write to.
type place struct {
	pool, host vsphere.Ref
	datastore  string
}

// place chooses. vCenter's own placement is left out, so that a migration is the
// same every time. If the order names no pool, the first cluster by name in
// which the VM fits takes it into its root pool; if it fits in none, each says
// why.
func (a *assessment) place(bytes int64, networks []Mapping) (chosen place) {
	pools := a.pools()
	if !a.knowsDatastore() {
		return place{}
	}
	var against []Reason
	for _, p := range pools {
		in, reason := a.within(a.cluster(p.Cluster), bytes, networks)
		if reason == nil {
			in.pool = p.Ref
			return in
		}
		against = append(against, *reason)
	}
	a.against = append(a.against, against...)
	return place{}
}

// pools are those that are left to choose from: the one that the order names,
// or the root pools by the names of their clusters.
func (a *assessment) pools() []vsphere.Pool {
	want, all := a.order.Target.Pool, a.sites.Resources.Pools
	var found []vsphere.Pool
	var paths []string
	for _, p := range all {
		switch {
		case want == "" && p.Parent == p.Cluster:
			found = append(found, p)
		case want != "" && strings.HasSuffix("/"+want, "/"+p.Name):
			if path := a.path(p); strings.HasSuffix("/"+path, "/"+want) {
				found, paths = append(found, p), append(paths, path)
			}
		}
	}
	switch {
	case len(found) == 0 && want == "":
		a.refuse(CodeNoPool, "add a cluster to the cloud's vCenter", "the cloud has no resource pool")
	case len(found) == 0:
		a.refuse(CodeNoPool, "name a pool that exists", "the cloud has no resource pool %q", want)
	case len(paths) > 1:
		slices.Sort(paths)
		a.refuse(CodeAmbiguousPool, "name it by its path: "+strings.Join(paths, " or "), "the cloud has %d resource pools %q", len(found), want)
		return nil
	}
	slices.SortFunc(found, func(p, q vsphere.Pool) int {
		return cmp.Or(cmp.Compare(a.cluster(p.Cluster).Name, a.cluster(q.Cluster).Name), cmp.Compare(p.Ref, q.Ref))
	})
	return found
}

// path is where a pool is, such as "Cluster/Resources/gold". An order names a
// pool by as much of the path's end as there is only once. No name has a slash
// in it: vSphere writes that as %2f.
func (a *assessment) path(p vsphere.Pool) string {
	path := p.Name
	for range len(a.sites.Resources.Pools) { // more steps there cannot be
		i := slices.IndexFunc(a.sites.Resources.Pools, func(q vsphere.Pool) bool { return q.Ref == p.Parent })
		if i < 0 {
			break
		}
		p = a.sites.Resources.Pools[i]
		path = p.Name + "/" + path
	}
	return a.cluster(p.Cluster).Name + "/" + path
}

func (a *assessment) cluster(ref vsphere.Ref) vsphere.Cluster {
	i := slices.IndexFunc(a.sites.Resources.Clusters, func(c vsphere.Cluster) bool { return c.Ref == ref })
	if i < 0 {
		return vsphere.Cluster{Ref: ref}
	}
	return a.sites.Resources.Clusters[i]
}

// knowsDatastore refuses a datastore that no cluster could use.
func (a *assessment) knowsDatastore() bool {
	want, r := a.order.Target.Datastore, a.sites.Resources
	switch {
	case want == "":
	case slices.Contains(r.AmbiguousDatastores, want):
		a.refuse(CodeAmbiguousDatastore, "give them names that differ", "the cloud has several datastores %q", want)
		return false
	case !slices.ContainsFunc(r.Datastores, func(d vsphere.Datastore) bool { return d.Name == want }):
		a.refuse(CodeNoDatastore, "name a datastore that exists", "the cloud has no datastore %q that can be used", want)
		return false
	}
	return true
}

// within finds host and datastore in a cluster, or says what is missing.
func (a *assessment) within(c vsphere.Cluster, bytes int64, networks []Mapping) (place, *Reason) {
	hosts := a.hosts(c)
	if len(hosts) == 0 {
		return place{}, reason(CodeNoHost, "connect a host", "no host of the cloud's cluster %q is connected", c.Name)
	}
	hosts = slices.DeleteFunc(hosts, func(h vsphere.Host) bool {
		return slices.ContainsFunc(networks, func(m Mapping) bool { return !slices.Contains(h.Networks, m.To) })
	})
	if len(hosts) == 0 {
		return place{}, reason(CodeNoHost, "add the networks to one of its hosts, or name a pool of another cluster",
			"no connected host of the cloud's cluster %q is on every network that %s is mapped to", c.Name, a.vm.Name)
	}
	d, most, missing := a.datastore(c, hosts)
	if missing != nil {
		return place{}, missing
	}
	if bytes > most {
		return place{}, reason(CodeSpace, "free some space, or choose another datastore",
			"%s needs %s on datastore %s, which has %s left for it", a.vm.Name, gib(bytes), d.Name, gib(max(most, 0)))
	}
	return place{host: a.host(hosts, d), datastore: d.Name}, nil
}

// hosts are the connected ones of a cluster, by name.
func (a *assessment) hosts(c vsphere.Cluster) []vsphere.Host {
	var hosts []vsphere.Host
	for _, h := range a.sites.Resources.Hosts {
		if h.Connected && h.Cluster == c.Ref {
			hosts = append(hosts, h)
		}
	}
	slices.SortFunc(hosts, func(g, h vsphere.Host) int { return cmp.Or(cmp.Compare(g.Name, h.Name), cmp.Compare(g.Ref, h.Ref)) })
	return hosts
}

// datastore is the one of the order, or the one with most room left, of those
// that one of the hosts can write to and that HDM does not serve itself. What
// other migrations may still take counts as taken.
func (a *assessment) datastore(c vsphere.Cluster, hosts []vsphere.Host) (best vsphere.Datastore, most int64, missing *Reason) {
	want, r := a.order.Target.Datastore, a.sites.Resources
	found, ambiguous := false, ""
	for _, d := range r.Datastores {
		if want != "" && want != d.Name || want == "" && d.Served || !slices.ContainsFunc(hosts, func(h vsphere.Host) bool { return slices.Contains(d.Hosts, h.Ref) }) {
			continue
		}
		if slices.Contains(r.AmbiguousDatastores, d.Name) {
			ambiguous = d.Name
			continue
		}
		if free := a.free(d); !found || free > most {
			found, best, most = true, d, free
		}
	}
	switch {
	case found:
		return best, most, nil
	case ambiguous != "":
		return best, 0, reason(CodeAmbiguousDatastore, "give them names that differ", "the cloud has several datastores %q, and its cluster %q no other", ambiguous, c.Name)
	case want != "":
		return best, 0, reason(CodeNoDatastore, "mount it there, or choose another datastore or pool", "no connected host of the cloud's cluster %q can write to datastore %q", c.Name, want)
	}
	return best, 0, reason(CodeNoDatastore, "mount a datastore there", "no connected host of the cloud's cluster %q can write to any datastore", c.Name)
}

// free is what a datastore has left for this migration, in bytes.
func (a *assessment) free(d vsphere.Datastore) int64 {
	free := d.Free
	for _, r := range a.sites.Reserved {
		if r.Datastore == d.Name {
			free -= r.Bytes
		}
	}
	return free
}

// host is the one with fewest VMs, of those that can write to d.
func (a *assessment) host(hosts []vsphere.Host, d vsphere.Datastore) (best vsphere.Ref) {
	vms := map[vsphere.Ref]int{}
	for _, vm := range a.sites.Cloud {
		vms[vm.Host]++
	}
	for _, h := range hosts {
		if slices.Contains(d.Hosts, h.Ref) && (best == "" || vms[h.Ref] < vms[best]) {
			best = h.Ref
		}
	}
	return best
}

func reason(code, fix, format string, args ...any) *Reason {
	return &Reason{Code: code, What: fmt.Sprintf(format, args...), Fix: fix}
}

package migration

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
)

// twoClusters is world with a second cluster, West, that shares nothing with
// East. Each has a pool gold.
func twoClusters() (Order, Sites) {
	o, s := world()
	r := &s.Resources
	r.Clusters = append(r.Clusters, vsphere.Cluster{Ref: "C:c-0", Name: "West"}) // the older one
	r.Pools = append(r.Pools, root("p-5", "C:c-0"), vsphere.Pool{Ref: "ResourcePool:p-6", Name: "gold", Parent: "ResourcePool:p-5", Cluster: "C:c-0"})
	r.Hosts = append(r.Hosts, host(8, "C:c-0"), host(9, "C:c-0"))
	r.Datastores = append(r.Datastores, vsphere.Datastore{Name: "west", Free: 900 << 30, Hosts: hosts(8, 9)})
	return o, s
}

func TestHostAndDatastoreAreThoseOfThePoolsCluster(t *testing.T) { // MIG-06
	for name, c := range map[string]struct {
		change func(*Order, *Sites)
		want   place
	}{
		"the first cluster by name, though the other has more room": {
			func(*Order, *Sites) {}, place{"ResourcePool:p-2", "HostSystem:h-2", "large"}},
		"the other cluster if the first has no room": {
			func(_ *Order, s *Sites) {
				s.OnPremises[0].Disks[0].Capacity, s.OnPremises[0].Disks[0].Used = 100<<30, 95<<30
			},
			place{"ResourcePool:p-5", "HostSystem:h-8", "west"}},
		"the other cluster if the first's room is promised to others": {
			func(_ *Order, s *Sites) { s.Reserved = []Reservation{{"large", 60 << 30}, {"small", 20 << 30}} },
			place{"ResourcePool:p-5", "HostSystem:h-8", "west"}},
		"the other cluster if the first has no connected host": {
			func(_ *Order, s *Sites) {
				s.Resources.Hosts[0].Connected, s.Resources.Hosts[1].Connected = false, false
			},
			place{"ResourcePool:p-5", "HostSystem:h-8", "west"}},
		"the other cluster if the first is not on the network": {
			func(_ *Order, s *Sites) { s.Resources.Hosts[0].Networks, s.Resources.Hosts[1].Networks = nil, nil },
			place{"ResourcePool:p-5", "HostSystem:h-8", "west"}},
		"the cluster that has the datastore of the order": {
			func(o *Order, _ *Sites) { o.Target.Datastore = "west" },
			place{"ResourcePool:p-5", "HostSystem:h-8", "west"}},
		"the pool of the order, by its path": {
			func(o *Order, _ *Sites) { o.Target.Pool = "West/Resources/gold" },
			place{"ResourcePool:p-6", "HostSystem:h-8", "west"}},
		"a root pool, by its path": {
			func(o *Order, _ *Sites) { o.Target.Pool = "West/Resources" },
			place{"ResourcePool:p-5", "HostSystem:h-8", "west"}},
		"no datastore that HDM serves itself, though it has more room": {
			func(_ *Order, s *Sites) {
				s.Resources.Datastores = append(s.Resources.Datastores, vsphere.Datastore{Name: "cache", Free: 62 << 40, Hosts: hosts(1, 2), Served: true})
			},
			place{"ResourcePool:p-2", "HostSystem:h-2", "large"}},
		"the served one, if the order names it": {
			func(o *Order, s *Sites) {
				o.Target.Datastore = "cache"
				s.Resources.Datastores = append(s.Resources.Datastores, vsphere.Datastore{Name: "cache", Free: 62 << 40, Hosts: hosts(1, 2), Served: true})
			},
			place{"ResourcePool:p-2", "HostSystem:h-2", "cache"}},
		"a host that can write to the datastore, though it has more VMs": {
			func(_ *Order, s *Sites) { s.Resources.Datastores[1].Hosts = hosts(1) },
			place{"ResourcePool:p-2", "HostSystem:h-1", "large"}},
		"a host that is on the network, though it has more VMs": {
			func(_ *Order, s *Sites) { s.Resources.Hosts[1].Networks = []string{"Another"} },
			place{"ResourcePool:p-2", "HostSystem:h-1", "large"}},
		"no datastore that only a disconnected host can write to": {
			func(_ *Order, s *Sites) { s.Resources.Datastores[1].Hosts = hosts(3) },
			place{"ResourcePool:p-2", "HostSystem:h-2", "small"}},
		"no datastore whose name is there twice": {
			func(_ *Order, s *Sites) { s.Resources.AmbiguousDatastores = []string{"large"} },
			place{"ResourcePool:p-2", "HostSystem:h-2", "small"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, s := twoClusters()
			c.change(&o, &s)
			plan, against := Assess(o, s)
			require.Empty(t, against)
			assert.Equal(t, c.want, place{plan.Pool, plan.Host, plan.Datastore})
			// However the vCenter lists things, the choice is the same.
			slices.Reverse(s.Resources.Clusters)
			slices.Reverse(s.Resources.Pools)
			slices.Reverse(s.Resources.Hosts)
			again, against := Assess(o, s)
			require.Empty(t, against)
			assert.Equal(t, plan, again)
		})
	}
}

func TestWhatDoesNotFitTogetherIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Order, *Sites)
		codes  []string
		what   string
	}{
		"a datastore of another cluster than the pool's": {
			func(o *Order, _ *Sites) { o.Target.Pool, o.Target.Datastore = "East/Resources/gold", "west" },
			[]string{CodeNoDatastore}, `no connected host of the cloud's cluster "East" can write to datastore "west"`},
		"a pool whose name both clusters have": {
			func(o *Order, _ *Sites) { o.Target.Pool = "gold" },
			[]string{CodeAmbiguousPool}, `2 resource pools "gold"`},
		"part of a name": {
			func(o *Order, _ *Sites) { o.Target.Pool = "old" }, []string{CodeNoPool}, `"old"`},
		"a path that leads nowhere": {
			func(o *Order, _ *Sites) { o.Target.Pool = "North/Resources/gold" }, []string{CodeNoPool}, "North"},
		"a pool on whose cluster no host is on the network": {
			func(o *Order, s *Sites) {
				o.Target.Pool = "West/Resources/gold"
				s.Resources.Hosts[3].Networks, s.Resources.Hosts[4].Networks = nil, nil
			}, []string{CodeNoHost}, "every network"},
		"room in no cluster, and each says why": {
			func(_ *Order, s *Sites) {
				s.Resources.Hosts[0].Connected, s.Resources.Hosts[1].Connected = false, false
				s.Resources.Datastores[2].Free = 1 << 30
			}, []string{CodeNoHost, CodeSpace}, `"East"`},
		"only datastores whose name is there twice": {
			func(o *Order, s *Sites) {
				o.Target.Pool, s.Resources.AmbiguousDatastores = "West/Resources", []string{"west"}
			}, []string{CodeAmbiguousDatastore}, `several datastores "west"`},
		"a cloud without a cluster": {
			func(_ *Order, s *Sites) { s.Resources.Pools = nil }, []string{CodeNoPool}, "no resource pool"},
	} {
		t.Run(name, func(t *testing.T) {
			o, s := twoClusters()
			c.change(&o, &s)
			_, against := Assess(o, s)
			var codes []string
			for _, r := range against {
				codes = append(codes, r.Code)
				assert.NotEmpty(t, r.Fix)
			}
			require.Equal(t, c.codes, codes, "%v", against)
			assert.Contains(t, against[0].What, c.what)
		})
	}
}

func TestAPoolThatIsThereTwiceIsToldByItsPaths(t *testing.T) {
	o, s := twoClusters()
	o.Target.Pool = "gold"
	_, against := Assess(o, s)
	require.Len(t, against, 1)
	assert.Equal(t, "name it by its path: East/Resources/gold or West/Resources/gold", against[0].Fix)
}

func TestOnlyTheMappingsThatTheVMNeedsCount(t *testing.T) { // MIG-06
	o, s := world()
	o.Target.Networks = append(o.Target.Networks, Mapping{"Backend", "Nowhere"}, Mapping{"Lab", "Twice"})
	s.Resources.AmbiguousNetworks = []string{"Twice"}
	nic := s.OnPremises[0].NICs[0]
	nic.Key, nic.MAC = 4001, "00:50:56:00:00:02"
	s.OnPremises[0].NICs = append(s.OnPremises[0].NICs, nic)
	plan, against := Assess(o, s)
	require.Empty(t, against)
	assert.Equal(t, []Mapping{{"VM Network", "Cloud Net"}}, plan.Networks, "once, for both adapters")
	assert.Len(t, plan.NICs, 2)

	s.OnPremises[0].NICs[1].Network = "Backend"
	_, against = Assess(o, s)
	require.Len(t, against, 1)
	assert.Equal(t, CodeNoNetwork, against[0].Code, "found before anything is done to the VM")
}

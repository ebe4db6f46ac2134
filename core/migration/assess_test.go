package migration

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
)

// world is two sites in which db-01 can be migrated.
func world() (Order, Sites) {
	vm := vsphere.VM{
		Ref: "VirtualMachine:vm-1", Name: "db-01", BIOSUUID: "aa", Power: vsphere.On, Connection: "connected", Pool: "ResourcePool:p-1",
		Disks: []vsphere.Disk{{Label: "Hard disk 1", Capacity: 100 << 30, Used: 40 << 30}},
		NICs:  []vsphere.NIC{{Key: 4000, Label: "Network adapter 1", Type: "e1000", MAC: "00:50:56:00:00:01", Network: "VM Network"}},
	}
	return Order{VM: "db-01", Type: Cold, Target: Target{Networks: []Mapping{{"VM Network", "Cloud Net"}}}},
		Sites{
			OnPremises:    []vsphere.VM{vm},
			Cloud:         []vsphere.VM{{Name: "other", BIOSUUID: "bb", Host: "HostSystem:h-1", NICs: []vsphere.NIC{{MAC: "00:50:56:00:00:99"}}}},
			PremisesPools: []vsphere.Pool{{Ref: "ResourcePool:p-1", Name: "Resources"}, {Ref: "ResourcePool:p-9", Name: MigratePool}},
			Resources: vsphere.Resources{
				Clusters:   []vsphere.Cluster{{Ref: "C:c-1", Name: "East"}},
				Pools:      []vsphere.Pool{root("p-2", "C:c-1"), {Ref: "ResourcePool:p-3", Name: "gold", Parent: "ResourcePool:p-2", Cluster: "C:c-1"}},
				Datastores: []vsphere.Datastore{{Name: "small", Free: 50 << 30, Hosts: hosts(1, 2, 3)}, {Name: "large", Free: 90 << 30, Hosts: hosts(1, 2, 3)}},
				Networks:   []string{"Cloud Net"},
				Hosts:      []vsphere.Host{host(1, "C:c-1"), host(2, "C:c-1"), {Ref: "HostSystem:h-3", Name: "h-3", Cluster: "C:c-1"}},
				Adapters:   []string{"e1000e", "vmxnet3"},
			},
		}
}

func root(pool string, cluster vsphere.Ref) vsphere.Pool {
	return vsphere.Pool{Ref: vsphere.Ref("ResourcePool:" + pool), Name: "Resources", Parent: cluster, Cluster: cluster}
}

// host is a connected one that is on the network.
func host(n int, cluster vsphere.Ref) vsphere.Host {
	name := fmt.Sprintf("h-%d", n)
	return vsphere.Host{Ref: vsphere.Ref("HostSystem:" + name), Name: name, Connected: true, Cluster: cluster, Networks: []string{"Cloud Net"}}
}

func hosts(numbers ...int) (list []vsphere.Ref) {
	for _, n := range numbers {
		list = append(list, host(n, "").Ref)
	}
	return list
}

func TestAPlanNamesExactlyWhereTheVMGoes(t *testing.T) { // MIG-06
	o, s := world()
	plan, against := Assess(o, s)
	require.Empty(t, against)
	assert.Equal(t, Plan{
		Source: "VirtualMachine:vm-1", Name: "db-01", BIOSUUID: "aa", WasOn: true, HomePool: "ResourcePool:p-1",
		Pool: "ResourcePool:p-2", Datastore: "large", Host: "HostSystem:h-2", Bytes: 40 << 30,
		NICs:     []NIC{{Key: 4000, MAC: "00:50:56:00:00:01", Network: "Cloud Net", Adapter: "vmxnet3"}},
		Networks: []Mapping{{"VM Network", "Cloud Net"}},
	}, plan)
}

func TestTheOrderMayNamePoolDatastoreAndAdapter(t *testing.T) { // MIG-06
	o, s := world()
	o.Target.Pool, o.Target.Datastore, o.Target.Adapter = "gold", "small", "e1000e"
	plan, against := Assess(o, s)
	require.Empty(t, against)
	assert.Equal(t, vsphere.Ref("ResourcePool:p-3"), plan.Pool)
	assert.Equal(t, "small", plan.Datastore)
	assert.Equal(t, "e1000e", plan.NICs[0].Adapter)
}

func TestWhatStandsAgainstAMigrationIsRefusedForItsOwnReason(t *testing.T) {
	vm := func(f func(*vsphere.VM)) func(*Order, *Sites) {
		return func(_ *Order, s *Sites) { f(&s.OnPremises[0]) }
	}
	for code, spoil := range map[string]func(*Order, *Sites){
		CodeUnknownVM:        func(o *Order, _ *Sites) { o.VM = "nobody" },
		CodeAmbiguous:        func(_ *Order, s *Sites) { s.OnPremises = append(s.OnPremises, s.OnPremises[0]) },
		CodeOwnVM:            func(o *Order, s *Sites) { o.VM, s.OnPremises[0].Name = "x-Hdm-1", "x-Hdm-1" },
		CodeName:             func(o *Order, s *Sites) { o.VM, s.OnPremises[0].Name = "a..b", "a..b" },
		CodeMigrated:         vm(func(v *vsphere.VM) { v.Pool = "ResourcePool:p-9" }),
		CodeTemplate:         vm(func(v *vsphere.VM) { v.Template = true }),
		CodeDisconnected:     vm(func(v *vsphere.VM) { v.Connection = "disconnected" }),
		CodeSuspended:        vm(func(v *vsphere.VM) { v.Power = vsphere.Suspended }),
		CodeNoDisk:           vm(func(v *vsphere.VM) { v.Disks = nil }),
		CodeIndependent:      vm(func(v *vsphere.VM) { v.Disks[0].Independent = true }),
		CodeShared:           vm(func(v *vsphere.VM) { v.Disks[0].Shared = true }),
		CodeRaw:              vm(func(v *vsphere.VM) { v.Disks[0].Raw = true }),
		CodePassthrough:      vm(func(v *vsphere.VM) { v.Passthrough = true }),
		CodeEncrypted:        vm(func(v *vsphere.VM) { v.Encrypted = true }),
		CodeVTPM:             vm(func(v *vsphere.VM) { v.VTPM = true }),
		CodeFT:               vm(func(v *vsphere.VM) { v.FaultTolerant = true }),
		CodeCDROMs:           vm(func(v *vsphere.VM) { v.CDROMs = MaxCDROMs + 1 }),
		CodeNameClash:        func(_ *Order, s *Sites) { s.Cloud[0].Name = "db-01" },
		CodeUUIDClash:        func(_ *Order, s *Sites) { s.Cloud[0].BIOSUUID = "AA" },
		CodeMACClash:         func(_ *Order, s *Sites) { s.Cloud[0].NICs[0].MAC = "00:50:56:00:00:01" },
		CodeUnmapped:         func(o *Order, _ *Sites) { o.Target.Networks = nil },
		CodeNoNetwork:        func(_ *Order, s *Sites) { s.Resources.Networks = nil },
		CodeAdapter:          func(o *Order, _ *Sites) { o.Target.Adapter = "pcnet32" },
		CodeNoPool:           func(o *Order, _ *Sites) { o.Target.Pool = "silver" },
		CodeNoDatastore:      func(o *Order, _ *Sites) { o.Target.Datastore = "tape" },
		CodeNoHost:           func(_ *Order, s *Sites) { s.Resources.Hosts = s.Resources.Hosts[2:] },
		CodeAmbiguousNetwork: func(_ *Order, s *Sites) { s.Resources.AmbiguousNetworks = []string{"Cloud Net"} },
		CodeAmbiguousDatastore: func(o *Order, s *Sites) {
			o.Target.Datastore, s.Resources.AmbiguousDatastores = "small", []string{"small"}
		},
		CodeAmbiguousPool: func(o *Order, s *Sites) {
			o.Target.Pool = "gold"
			s.Resources.Pools = append(s.Resources.Pools, vsphere.Pool{Ref: "ResourcePool:p-4", Name: "gold", Parent: "ResourcePool:p-3", Cluster: "C:c-1"})
		},
		CodeSpace: func(o *Order, s *Sites) { s.OnPremises[0].Disks[0].Used = 95 << 30 },
	} {
		o, s := world()
		spoil(&o, &s)
		_, against := Assess(o, s)
		if assert.Len(t, against, 1, code) {
			assert.Equal(t, code, against[0].Code)
			assert.NotEmpty(t, against[0].Fix, code)
		}
	}
}

func TestEverythingThatStandsAgainstItIsSaidAtOnce(t *testing.T) {
	o, s := world()
	s.OnPremises[0].Template, s.OnPremises[0].VTPM, o.Target.Networks = true, true, nil
	_, against := Assess(o, s)
	assert.Len(t, against, 3)
}

func TestRoomReservedByOthersIsNotGivenTwice(t *testing.T) {
	o, s := world()
	s.Reserved = []Reservation{{"large", 60 << 30}}
	plan, against := Assess(o, s)
	require.Empty(t, against)
	assert.Equal(t, "small", plan.Datastore, "it has more left")
	s.Reserved = append(s.Reserved, Reservation{"small", 20 << 30})
	_, against = Assess(o, s)
	assert.Equal(t, CodeSpace, against[0].Code)
}

package vsphere

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/types"
)

// gathered is what Resources makes of these objects.
func gathered(t *testing.T, content ...types.ObjectContent) Resources {
	t.Helper()
	g := gathering{networks: map[Ref]string{}, attached: map[Ref][]types.ManagedObjectReference{}}
	for _, c := range content {
		require.NoError(t, g.add(c))
	}
	return g.finish()
}

func told(kind, value string, props map[string]any) types.ObjectContent {
	c := types.ObjectContent{Obj: ref(kind, value)}
	for name, v := range props {
		c.PropSet = append(c.PropSet, types.DynamicProperty{Name: name, Val: v})
	}
	return c
}

func network(kind, value, name string) types.ObjectContent {
	return told(kind, value, map[string]any{"name": name})
}

func store(value, name string, accessible bool, mounts ...types.DatastoreHostMount) types.ObjectContent {
	return told("Datastore", value, map[string]any{
		"summary": types.DatastoreSummary{Name: name, Accessible: accessible, MaintenanceMode: "normal"},
		"host":    mounts,
	})
}

func mount(host string, mode types.HostMountMode, accessible *bool) types.DatastoreHostMount {
	return types.DatastoreHostMount{Key: ref("HostSystem", host), MountInfo: types.HostMountInfo{AccessMode: string(mode), Accessible: accessible}}
}

func TestANameThatSeveralHaveIsReported(t *testing.T) {
	r := gathered(t,
		network("Network", "n-1", "prod"), network("DistributedVirtualPortgroup", "n-2", "prod"), network("Network", "n-3", "prod"), network("Network", "n-4", "lab"),
		store("d-1", "fast", true), store("d-2", "fast", false), store("d-3", "slow", true),
	)
	assert.Equal(t, []string{"lab", "prod"}, r.Networks)
	assert.Equal(t, []string{"prod"}, r.AmbiguousNetworks)
	require.Len(t, r.Datastores, 2, "one cannot be used")
	assert.Equal(t, []string{"fast"}, r.AmbiguousDatastores, "the one that cannot be used has its name all the same")
}

func TestADatastoreIsThereForTheHostsThatCanWriteToIt(t *testing.T) {
	yes, no := true, false
	r := gathered(t, store("d-1", "fast", true,
		mount("h-2", types.HostMountModeReadWrite, &yes), mount("h-1", types.HostMountModeReadWrite, nil),
		mount("h-3", types.HostMountModeReadOnly, &yes), mount("h-4", types.HostMountModeReadWrite, &no),
	))
	assert.Equal(t, []Ref{"HostSystem:h-1", "HostSystem:h-2"}, r.Datastores[0].Hosts)
}

func TestAHostTellsItsClusterAndNetworks(t *testing.T) {
	cluster := ref("ClusterComputeResource", "c-1")
	r := gathered(t,
		told("HostSystem", "h-1", map[string]any{
			"name": "esx-1", "parent": cluster, "network": []types.ManagedObjectReference{ref("Network", "n-2"), ref("Network", "n-1"), ref("DistributedVirtualPortgroup", "up")},
			"runtime.connectionState": types.HostSystemConnectionStateConnected, "runtime.inMaintenanceMode": true,
		}),
		network("Network", "n-1", "lab"), network("Network", "n-2", "prod"),
		told("DistributedVirtualPortgroup", "up", map[string]any{"name": "uplinks", "tag": []types.Tag{{Key: uplinkTag}}}),
		told("ClusterComputeResource", "c-1", map[string]any{"name": "East"}),
		told("ResourcePool", "p-1", map[string]any{"name": "Resources", "parent": cluster, "owner": cluster}),
	)
	assert.Equal(t, []Cluster{{Ref: refOf(cluster), Name: "East"}}, r.Clusters)
	assert.Equal(t, []Host{{Ref: "HostSystem:h-1", Name: "esx-1", Cluster: refOf(cluster), Networks: []string{"lab", "prod"}, Connection: "connected"}}, r.Hosts, "in maintenance, so not to be had")
	assert.Equal(t, []Pool{{Ref: "ResourcePool:p-1", Name: "Resources", Parent: refOf(cluster), Cluster: refOf(cluster)}}, r.Pools)
	assert.Equal(t, []string{"lab", "prod"}, r.Networks)
}

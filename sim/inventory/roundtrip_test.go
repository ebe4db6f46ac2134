package inventory_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"

	"github.com/hdm-project/hdm/sim/inventory"
	"github.com/hdm-project/hdm/sim/site"
)

func size(n site.Size) *site.Size { return &n }

// varied is a site with one of everything.
var varied = site.Site{
	Hosts:      []site.Host{{Name: "esx-1"}, {Name: "esx-2", Disconnected: true}},
	Datastores: []site.Datastore{{Name: "fast", Capacity: 2 * site.TB, Free: size(site.TB)}, {Name: "slow"}},
	Networks:   []string{"Front", "VM Network"},
	Pools:      []string{"gold", "gold/db", "tin"},
	VMs: []site.VM{
		{Name: "db-01", Firmware: "efi", CPUs: 8, Memory: 16 * site.GB, Pool: "gold/db", Guest: "rhel9_64Guest", CDROMs: 2, Snapshots: []string{"one", "two"},
			Disks: []site.Disk{
				{Capacity: 40 * site.GB, Used: size(7 * site.GB), Datastore: "slow", Controller: "lsilogic"},
				{Capacity: 6 * site.MB, Controller: "nvme", Independent: true}, {Capacity: 8 * site.MB, Controller: "sata", Shared: true},
				{Capacity: 8 * site.MB, Raw: true}, {Capacity: 8 * site.MB, Controller: "ide"},
			},
			NICs: []site.NIC{{Network: "Front", Type: "e1000"}, {Type: "vmxnet3", MAC: "00:50:56:01:02:03"}}},
		{Name: "odd", Passthrough: true, VTPM: true, Encrypted: true, FaultTolerant: true, Host: "esx-2", Pool: "tin"},
		{Name: "off", Power: site.Off, Tools: site.ToolsAbsent, Diskless: true, NoNICs: true},
		{Name: "golden", Template: true},
	},
}

// expanded is the site with every default, its lists sorted as Load sorts them.
func expanded(t *testing.T, s site.Site) site.Site {
	t.Helper()
	d, err := site.Description{OnPremises: s}.Expand()
	require.NoError(t, err)
	s = d.OnPremises
	slices.SortFunc(s.Hosts, func(a, b site.Host) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Datastores, func(a, b site.Datastore) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.VMs, func(a, b site.VM) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(s.Networks)
	slices.Sort(s.Pools)
	return s
}

func TestASavedSiteComesBackAsItWas(t *testing.T) {
	facts := site.Site{FromFacts: &site.FromFacts{Count: 200}}
	if testing.Short() {
		facts.FromFacts.Count = 50
	}
	for name, s := range map[string]site.Site{"one of everything": varied, "real shapes": facts} {
		t.Run(name, func(t *testing.T) {
			folder := save(t, build(t, s).OnPremises.VCenter)
			back, losses, err := inventory.Load(folder)
			require.NoError(t, err)
			for _, l := range losses {
				assert.Contains(t, []string{"objects of a kind that a site has none of"}, l.What, "%v", l)
			}
			want, got := expanded(t, s), expanded(t, back)
			require.Len(t, got.VMs, len(want.VMs))
			for i, v := range want.VMs {
				// A guest that is on writes its boot block: what is in use can only grow.
				for j := range v.Disks {
					if j < len(got.VMs[i].Disks) {
						v.Disks[j].Used = got.VMs[i].Disks[j].Used
					}
				}
				require.Equal(t, v, got.VMs[i])
			}
			got.VMs, want.VMs = nil, nil
			for i, ds := range want.Datastores {
				free := got.Datastores[i].Free
				assert.InDelta(t, int64(*ds.Free), int64(*free), float64(site.MB), "no more than boot blocks take")
				want.Datastores[i].Free = free
			}
			assert.Equal(t, want, got)

			again, _, err := inventory.Load(save(t, build(t, back).OnPremises.VCenter))
			require.NoError(t, err)
			assert.Equal(t, back, again, "saving what was loaded, and loading it, changes nothing more")
		})
	}
}

func TestAForeignInventoryIsTakenAndItsLossesAreListed(t *testing.T) {
	m := simulator.VPX()
	m.Datacenter, m.Cluster, m.Pool, m.App, m.Folder, m.Pod, m.OpaqueNetwork = 2, 2, 1, 1, 1, 1, 1
	t.Cleanup(m.Remove)
	require.NoError(t, m.Create())
	client, err := vim25.NewClient(context.Background(), m.Service)
	require.NoError(t, err)
	s, losses, err := inventory.Load(saved(t, client))
	require.NoError(t, err)
	assert.Len(t, s.VMs, m.Count().Machine)
	require.NoError(t, site.Description{OnPremises: s}.Validate())
	build(t, s)
	var all []string
	for _, l := range losses {
		all = append(all, l.Object+": "+l.What+" -> "+l.Became)
	}
	listed := strings.Join(all, "\n")
	for _, want := range []string{
		`datacenter "DC0": datacenter -> part of the one datacenter "DC"`, `cluster "DC0_C0": cluster -> part of the one cluster "Cluster"`,
		"distributed port group -> a standard network of that name", `distributed switch "DVS0": distributed switch -> left out`,
		"vApp: start order and properties -> a resource pool", "opaque network (NSX)",
		`folder "F0": folder -> no folder: all stand together`, "hardware version vmx-13 -> vmx-19", "standalone host",
	} {
		assert.Contains(t, listed, want)
	}
}

func TestAVMWhoseFileIsMissingIsListedAsLost(t *testing.T) {
	folder := save(t, build(t, varied).OnPremises.VCenter)
	var gone string
	for name := range folder {
		if strings.Contains(name, "VirtualMachine-") && (gone == "" || name < gone) {
			gone = name
		}
	}
	require.NotEmpty(t, gone)
	whole, _, err := inventory.Load(folder)
	require.NoError(t, err)
	delete(folder, gone)
	back, losses, err := inventory.Load(folder)
	require.NoError(t, err)
	assert.Len(t, back.VMs, len(whole.VMs)-1)
	var said []string
	for _, l := range losses {
		said = append(said, l.What)
	}
	assert.Contains(t, said, "its host lists it, and no file describes it")
}

package facts

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheTablesAreWhole(t *testing.T) {
	vms := Load()
	require.Len(t, vms, 661)
	require.Len(t, Hosts(), 14)

	count := func(is func(VM) bool) (n int) {
		for _, v := range vms {
			if is(v) {
				n++
			}
		}
		return n
	}
	// The figures of the recordings' own summary.
	assert.Equal(t, 452, count(func(v VM) bool { return v.On }), "powered on")
	assert.Equal(t, 259, count(func(v VM) bool { return v.Firmware == "efi" }))
	assert.Equal(t, 440, count(func(v VM) bool { return v.ToolsRunning }))
	assert.Equal(t, 44, count(func(v VM) bool { return v.Template }))
	assert.Equal(t, 25, count(func(v VM) bool { return v.Snapshots > 0 }))
	assert.Equal(t, 11, count(func(v VM) bool { return len(v.Disks) == 0 }))
	assert.Equal(t, 1, count(func(v VM) bool { return v.SharedDisk }))
	assert.Equal(t, 1, count(func(v VM) bool { return v.Disconnected }))

	var disks, nics int
	var capacity int64
	for _, v := range vms {
		disks, nics = disks+len(v.Disks), nics+len(v.NICs)
		for _, d := range v.Disks {
			capacity += d.Capacity
		}
	}
	assert.Equal(t, 970, disks)
	assert.Equal(t, 909, nics)
	assert.Equal(t, int64(63807), capacity>>30, "GiB")
}

func TestEveryVMCanBeDescribed(t *testing.T) {
	hosts := map[string]Host{}
	for _, h := range Hosts() {
		hosts[h.ID] = h
	}
	for _, v := range Load() {
		assert.Contains(t, hosts, v.Host, v.ID)
		assert.Equal(t, hosts[v.Host].Site, v.Site, v.ID)
		assert.Contains(t, []string{"bios", "efi"}, v.Firmware, v.ID)
		assert.NotEmpty(t, v.GuestID, v.ID)
		assert.Positive(t, v.CPUs, v.ID)
		assert.Positive(t, v.MemoryMB, v.ID)
		for _, d := range v.Disks {
			assert.Positive(t, d.Capacity, v.ID)
			assert.LessOrEqual(t, d.Used, d.Capacity, v.ID)
			assert.Contains(t, []string{"lsilogic", "lsilogic-sas", "pvscsi", "ide"}, d.Controller, v.ID)
			assert.Contains(t, []string{"vsan", "nfs", "vmfs"}, d.Datastore, v.ID)
		}
		for _, n := range v.NICs {
			assert.Contains(t, []string{"vmxnet3", "e1000", "e1000e", "pcnet32"}, n.Type, v.ID)
			assert.Contains(t, []string{"opaque", "distributed", "standard"}, n.Network, v.ID)
		}
	}
}

func TestASelectionDependsOnItsSeedOnly(t *testing.T) {
	ids := func(vms []VM) (s []string) {
		for _, v := range vms {
			s = append(s, v.ID)
		}
		return s
	}
	a := ids(Select(40, 7, Filter{}))
	assert.Len(t, a, 40)
	assert.Equal(t, a, ids(Select(40, 7, Filter{})))
	assert.NotEqual(t, a, ids(Select(40, 8, Filter{})))
	assert.True(t, slices.IsSorted(a))
}

func TestAFilterIsObeyed(t *testing.T) {
	for _, v := range Select(1000, 1, Filter{Site: "s4", MaxUsed: 20 << 30, Plain: true}) {
		assert.Equal(t, "s4", v.Site)
		assert.LessOrEqual(t, v.Used(), int64(20<<30))
		assert.False(t, v.Template || v.SharedDisk || v.Disconnected || len(v.Disks) == 0, v.ID)
	}
	assert.Empty(t, Select(5, 1, Filter{Site: "s9"}))
	assert.Len(t, Select(1000, 1, Filter{Site: "s2"}), 17)
}

func TestFindKnowsOnlyWhatIsThere(t *testing.T) {
	v, ok := Find("vm-0302")
	require.True(t, ok)
	assert.True(t, v.SharedDisk)
	_, ok = Find("vm-0662")
	assert.False(t, ok)
}

func TestADamagedTableIsRejectedWithItsLine(t *testing.T) {
	head := "vm,site,host,power,connection_state,template,guest_id,firmware,tools_running,tools_version_status,num_cpu,memory_mb," +
		"disk_gb,disk_used_gb,disk_controllers,datastore_kinds,shared_bus,nic_types,nic_backings,cdroms,snapshots\n"
	good := "vm-1,s1,h,poweredOn,connected,false,g,bios,r,s,1,64,2;4,1;9,ide;ide,nfs;nfs,false,e1000,standard,0,0\n"
	vms, err := read([]byte(head+good), vmOf)
	require.NoError(t, err)
	assert.Equal(t, int64(4<<30), vms[0].Disks[1].Used, "used is capped at the capacity")

	for name, bad := range map[string]string{
		"not a number":     "vm-1,s1,h,poweredOn,connected,false,g,bios,r,s,one,64,2,1,ide,nfs,false,e1000,standard,0,0\n",
		"size no number":   "vm-1,s1,h,poweredOn,connected,false,g,bios,r,s,1,64,big,1,ide,nfs,false,e1000,standard,0,0\n",
		"disks unaligned":  "vm-1,s1,h,poweredOn,connected,false,g,bios,r,s,1,64,2;4,1,ide;ide,nfs;nfs,false,e1000,standard,0,0\n",
		"NICs unaligned":   "vm-1,s1,h,poweredOn,connected,false,g,bios,r,s,1,64,2,1,ide,nfs,false,e1000;e1000,standard,0,0\n",
		"a cell is absent": "vm-1,s1\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read([]byte(head+good+bad), vmOf)
			assert.ErrorContains(t, err, "line 3")
		})
	}
	_, err = read([]byte("vm,site\nvm-1,s1\n"), vmOf)
	assert.ErrorContains(t, err, "missing")
	_, err = read(nil, vmOf)
	assert.Error(t, err)
}

package vsphere_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

const gb = int64(1) << 30

// cached are the disks that a cache in the cloud serves as "[cache] db-01/0.vmdk"
// and so on.
func cached(w *world, disks ...*disk.Disk) {
	w.Cloud.Backing = func(datastore, path string) (*disk.Disk, error) {
		for i, d := range disks {
			if datastore == "cache" && path == "db-01/"+string(rune('0'+i))+".vmdk" {
				return d, nil
			}
		}
		return nil, fs.ErrNotExist
	}
}

// mountAll mounts the cache's datastore on every host of the cloud.
func mountAll(ctx context.Context, t *testing.T, s *vsphere.Session) vsphere.Resources {
	t.Helper()
	r, err := s.Resources(ctx)
	require.NoError(t, err)
	for _, h := range r.Hosts {
		require.NoError(t, s.MountServed(ctx, h.Ref, "cache", "HDM_Cloud_Cache-1"))
	}
	return r
}

// rootPool is the cloud's first pool.
func rootPool(ctx context.Context, t *testing.T, s *vsphere.Session) vsphere.Ref {
	t.Helper()
	r, err := s.Resources(ctx)
	require.NoError(t, err)
	return r.Pools[0].Ref
}

func (w *world) inCloud(t *testing.T, name string) vcenter.VM {
	t.Helper()
	vm, ok := w.Cloud.VCenter.VM(name)
	require.True(t, ok, "no VM %s in the cloud", name)
	return vm
}

// component is a component VM as a deployment would make it.
func component(pool vsphere.Ref) vsphere.NewVM {
	return vsphere.NewVM{
		Name: "HDM_Cloud_Cache-1", Mark: "hdm/deploy/1", Pool: pool, Datastore: "cloud-ds-01", CPUs: 6, MemoryMB: 12 << 10,
		Disks: []vsphere.NewDisk{{Capacity: 32 * gb}, {Capacity: 512 * gb, Controller: "nvme"}},
		NICs:  []vsphere.NewNIC{{Network: "Cloud Net"}},
		Extra: map[string]string{"hdm.component": "cloud-cache"},
	}
}

func TestAComponentVMIsMadeAsItIsDescribed(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
				ref, err := s.EnsureVM(ctx, component(rootPool(ctx, t, s)))
				require.NoError(t, err)
				vm, err := s.VM(ctx, ref)
				require.NoError(t, err)
				assert.Equal(t, "HDM_Cloud_Cache-1", vm.Name)
				assert.Equal(t, vsphere.Off, vm.Power)
				assert.Equal(t, int32(6), vm.CPUs)
				assert.Equal(t, int32(12<<10), vm.MemoryMB)
				assert.Equal(t, "bios", vm.Firmware)
				assert.Equal(t, map[string]string{"hdm.component": "cloud-cache", vsphere.MarkMade: "hdm/deploy/1"}, vm.Marks)
				require.Len(t, vm.Disks, 2)
				assert.Equal(t, "pvscsi", vm.Disks[0].Controller)
				assert.Equal(t, 32*gb, vm.Disks[0].Capacity)
				assert.Equal(t, "nvme", vm.Disks[1].Controller)
				assert.Less(t, vm.Disks[1].Used, gb, "it is thin")
				require.Len(t, vm.NICs, 1)
				assert.Equal(t, "Cloud Net", vm.NICs[0].Network)
				assert.Equal(t, "vmxnet3", vm.NICs[0].Type)
				require.NoError(t, s.PowerOn(ctx, ref))
				again, err := s.EnsureVM(ctx, component(rootPool(ctx, t, s)))
				require.NoError(t, err)
				assert.Equal(t, ref, again)
			})
			assert.Equal(t, 1, w.heard(vsphere.Cloud, "CreateVM_Task"), "it is there")
		})
	}
}

func TestAComputeVMHasTheDisksThatTheCacheServes(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			boot, data := disk.New("db-01/0", gb), disk.New("db-01/1", 2*gb)
			cached(w, boot, data)
			w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
				r := mountAll(ctx, t, s)
				ref, err := s.EnsureVM(ctx, vsphere.NewVM{
					Name: "db-01 ARM", Mark: "hdm/m-1/arm", Pool: r.Pools[0].Ref, Host: r.Hosts[1].Ref, Datastore: "cloud-ds-01",
					GuestID: "centos7_64Guest", Firmware: "efi", CPUs: 2, MemoryMB: 2048, BIOSUUID: "4213b0f7-0000-4000-8000-000000000001",
					Disks: []vsphere.NewDisk{{Path: "[cache] db-01/0.vmdk", Controller: "lsilogic"}, {Path: "[cache] db-01/1.vmdk", Controller: "lsilogic"}},
					NICs:  []vsphere.NewNIC{{Network: "Cloud Net", Adapter: "e1000", MAC: "00:50:56:01:02:03"}},
				})
				require.NoError(t, err)
				vm, err := s.VM(ctx, ref)
				require.NoError(t, err)
				assert.Equal(t, "centos7_64Guest", vm.GuestID)
				assert.Equal(t, "efi", vm.Firmware)
				assert.Equal(t, "4213b0f7-0000-4000-8000-000000000001", vm.BIOSUUID)
				assert.Equal(t, r.Hosts[1].Ref, vm.Host)
				require.Len(t, vm.Disks, 2)
				assert.Equal(t, gb, vm.Disks[0].Capacity)
				assert.Equal(t, "cache", vm.Disks[0].Datastore)
				assert.Equal(t, 2*gb, vm.Disks[1].Capacity)
				assert.Equal(t, "00:50:56:01:02:03", vm.NICs[0].MAC)
				assert.Equal(t, "e1000", vm.NICs[0].Type)
				require.NoError(t, s.PowerOn(ctx, ref))

				_, err = s.EnsureSnapshot(ctx, ref, "hdm/m-1", "_hdm")
				assert.Equal(t, "NotSupported", vsphere.FaultName(err))
				assert.ErrorContains(t, err, "a cache serves")
			})
			truth := w.inCloud(t, "db-01 ARM")
			require.Len(t, truth.Disks, 2)
			assert.Same(t, boot, truth.Disks[0].Disk)
			assert.Equal(t, "db-01/1.vmdk", truth.Disks[1].Path)
			assert.True(t, truth.Disks[1].Served)
			free, err := w.Cloud.VCenter.DatastoreFree("cache")
			require.NoError(t, err)
			assert.Equal(t, int64(disk.MaxCapacity), free, "what is served takes no room of the site")
		})
	}
}

func TestAVMThatCannotBeMadeIsRefusedAndNothingIsLeft(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.Cloud.Backing = func(_, path string) (*disk.Disk, error) {
		if path == "sick.vmdk" {
			return nil, errors.New("the cache does not answer")
		}
		return nil, fs.ErrNotExist
	}
	for name, c := range map[string]struct {
		change func(*vsphere.NewVM)
		class  vsphere.Class
		says   string
	}{
		"no mark":                  {func(vm *vsphere.NewVM) { vm.Mark = "" }, vsphere.Refused, "no mark"},
		"no such datastore":        {func(vm *vsphere.NewVM) { vm.Datastore = "nowhere" }, vsphere.Refused, "nowhere"},
		"no such network":          {func(vm *vsphere.NewVM) { vm.NICs[0].Network = "Nowhere" }, vsphere.Refused, "Nowhere"},
		"no such controller":       {func(vm *vsphere.NewVM) { vm.Disks[0].Controller = "floppy" }, vsphere.Refused, "floppy"},
		"a disk of no size":        {func(vm *vsphere.NewVM) { vm.Disks[0].Capacity = 0 }, vsphere.Refused, "a file or a capacity"},
		"too many disks":           {func(vm *vsphere.NewVM) { vm.Disks = make([]vsphere.NewDisk, 61); fill(vm.Disks) }, vsphere.Refused, "no room"},
		"a file that is not there": {func(vm *vsphere.NewVM) { vm.Disks = []vsphere.NewDisk{{Path: "[cache] gone.vmdk"}} }, vsphere.Refused, "FileNotFound"},
		"a file that is not there, of a datastore of the site": {
			func(vm *vsphere.NewVM) { vm.Disks = []vsphere.NewDisk{{Path: "[cloud-ds-01] gone.vmdk"}} }, vsphere.Refused, "FileNotFound",
		},
		"a server that fails":        {func(vm *vsphere.NewVM) { vm.Disks = []vsphere.NewDisk{{Path: "[cache] sick.vmdk"}} }, vsphere.Retryable, "does not answer"},
		"a new disk in the cache":    {func(vm *vsphere.NewVM) { vm.Disks[0].Datastore = "cache" }, vsphere.Fatal, "its server makes them"},
		"a home in the cache":        {func(vm *vsphere.NewVM) { vm.Datastore = "cache" }, vsphere.Refused, "InvalidDatastorePath"},
		"a host that does not mount": {func(vm *vsphere.NewVM) { vm.Disks = []vsphere.NewDisk{{Path: "[other] x.vmdk"}} }, vsphere.Refused, "InvalidDatastore"},
	} {
		t.Run(name, func(t *testing.T) {
			w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
				r := mountAll(ctx, t, s)
				require.NoError(t, s.MountServed(ctx, r.Hosts[1].Ref, "other", "HDM_Cloud_Cache-2"))
				spec := component(r.Pools[0].Ref)
				spec.Host = r.Hosts[0].Ref
				c.change(&spec)
				_, err := s.EnsureVM(ctx, spec)
				assert.Equal(t, c.class, vsphere.ClassOf(err), "%v", err)
				assert.ErrorContains(t, err, c.says)
			})
			assert.Empty(t, w.Cloud.VCenter.VMs())
		})
	}
}

func fill(disks []vsphere.NewDisk) {
	for i := range disks {
		disks[i].Capacity = gb
	}
}

func TestANameThatIsTakenIsSaidToBe(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		spec := component(rootPool(ctx, t, s))
		_, err := s.EnsureVM(ctx, spec)
		require.NoError(t, err)
		spec.Mark = "hdm/deploy/2"
		_, err = s.EnsureVM(ctx, spec)
		assert.Equal(t, "DuplicateName", vsphere.FaultName(err))
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
	})
}

func TestAServedDiskIsUsedByOneVMThatRuns(t *testing.T) {
	w := newWorld(t, site.Direct)
	cached(w, disk.New("db-01/0", gb))
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		r := mountAll(ctx, t, s)
		var made []vsphere.Ref
		for _, name := range []string{"one", "two"} {
			ref, err := s.EnsureVM(ctx, vsphere.NewVM{
				Name: name, Mark: name, Pool: r.Pools[0].Ref, Datastore: "cloud-ds-01", CPUs: 1, MemoryMB: 512,
				Disks: []vsphere.NewDisk{{Path: "[cache] db-01/0.vmdk"}},
			})
			require.NoError(t, err)
			made = append(made, ref)
		}
		require.NoError(t, s.PowerOn(ctx, made[0]))
		err := s.PowerOn(ctx, made[1])
		assert.Equal(t, "FileLocked", vsphere.FaultName(err))
		require.NoError(t, s.PowerOff(ctx, made[0]))
		require.NoError(t, s.PowerOn(ctx, made[1]))
	})
}

func TestWhoMadeAVMFindsItByItsMark(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		ref, err := s.EnsureVM(ctx, component(rootPool(ctx, t, s)))
		require.NoError(t, err)
		found, err := s.FindMade(ctx, "hdm/deploy/1")
		require.NoError(t, err)
		require.Len(t, found, 1)
		assert.Equal(t, ref, found[0].Ref)
		none, err := s.FindMarked(ctx, "hdm/deploy/1")
		require.NoError(t, err)
		assert.Empty(t, none, "no import made it")
	})
}

func TestAVMThatIsStillBeingMadeIsWaitedFor(t *testing.T) {
	w := newWorld(t, site.Direct)
	var first, second vsphere.Ref
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		spec := component(rootPool(ctx, t, s))
		leaving, stop := w.machine.WithCancel(ctx)
		w.machine.Go(leaving, "gives up", func(ctx context.Context) { _, _ = s.EnsureVM(ctx, spec) })
		for w.heard(vsphere.Cloud, "CreateVM_Task") == 0 {
			require.NoError(t, w.machine.Sleep(ctx, 100*time.Millisecond))
		}
		stop() // who ordered it has gone; the vCenter goes on making it
		var err error
		first, err = s.EnsureVM(ctx, spec)
		require.NoError(t, err)
		second, err = s.EnsureVM(ctx, spec)
		require.NoError(t, err)
	})
	assert.Equal(t, first, second)
	assert.Equal(t, 1, w.heard(vsphere.Cloud, "CreateVM_Task"))
	assert.Len(t, w.Cloud.VCenter.VMs(), 1)
}

package vcenter_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// life is a bit of everything that a migration does, in process.
func life(e *env) {
	e.c = e.direct("hdm-appliance/1")
	e.login(e.c)
	vm := e.add(db("db-01"))
	e.add(db("db-02"))
	e.write(0, 4096, "hello")
	e.done(vm.PowerOn(ctx))
	e.done(vm.CreateSnapshot(ctx, "_hdm0", "k", false, false))
	e.done(vm.PowerOff(ctx))
	lease, info, descriptor := e.export(vm)
	target, err := e.pool().ImportVApp(ctx, e.importSpec(descriptor, "copy").ImportSpec, nil, nil)
	require.NoError(e, err)
	into := e.leaseInfo(target.Reference())
	for i, u := range info.Info.DeviceUrl {
		require.Equal(e, 201, e.do("PUT", into.Info.DeviceUrl[i].Url, e.do("GET", u.Url, nil).Body).Code)
	}
	require.NoError(e, target.Complete(ctx))
	require.NoError(e, lease.Complete(ctx))
	pool, err := e.pool().Create(ctx, "_HDM_MIGRATEPOOL", types.DefaultResourceConfigSpec())
	require.NoError(e, err)
	require.NoError(e, e.move(vm, pool.Reference()))
	e.done(object.NewVirtualMachine(e.c, e.truth("copy").Ref).PowerOn(ctx))
	e.done(vm.RemoveAllSnapshot(ctx, nil))
}

func TestTheSameCallsGiveTheSameChangesAndReferences(t *testing.T) {
	run := func() (changes []string, vms []vcenter.VM, tasks []vcenter.Task, leases []vcenter.Lease) {
		e := build(t, vsphere.OnPremises, vcenter.DefaultTiming())
		life(e)
		vms = e.vc.VMs()
		for i := range vms {
			for k := range vms[i].Disks {
				vms[i].Disks[k].Disk = nil // compared by what was written elsewhere
			}
		}
		return e.told(), vms, e.vc.Tasks(), e.vc.Leases()
	}
	changes, vms, tasks, leases := run()
	require.Greater(t, len(changes), 30)
	for range 3 {
		c, v, k, l := run()
		assert.Equal(t, changes, c)
		assert.Equal(t, vms, v)
		assert.Equal(t, tasks, k)
		assert.Equal(t, leases, l)
	}
}

func TestFourWorldsLiveSideBySide(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for _, site := range []vsphere.Site{vsphere.OnPremises, vsphere.Cloud} {
				e := build(t, site, vcenter.DefaultTiming())
				life(e)
				assert.Len(t, e.vc.VMs(), 3)
				e.serve()
				assert.Equal(t, vsphere.On, e.truth("copy").Power)
			}
		})
	}
}

func TestForeignClientsAndTheWorldGetAlong(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.DefaultTiming())
	e.serve()
	for _, n := range names(8) {
		e.add(db(n))
	}
	var wg sync.WaitGroup
	for i := range 3 {
		c := e.again()
		wg.Go(func() {
			for k := range 20 {
				var o mo.VirtualMachine
				vm := object.NewVirtualMachine(c, e.truth(fmt.Sprintf("vm-%03d", (i+k)%8)).Ref)
				assert.NoError(t, vm.Properties(ctx, vm.Reference(), []string{"config", "runtime", "guest", "recentTask"}, &o))
				_, _ = vm.PowerOn(ctx) // some are on, some busy
				e.vc.VMs()
			}
		})
	}
	for range 50 {
		e.clock.advance(time.Second)
		for _, n := range names(8) {
			_ = e.vc.SetGuest(n, vcenter.GuestState{ToolsRunning: true})
		}
	}
	wg.Wait()
	e.clock.advance(time.Minute)
	for _, v := range e.vc.VMs() {
		assert.Equal(t, vsphere.On, v.Power)
		assert.False(t, v.Busy)
	}
}

func TestWhoeverIsToldMayCallBack(t *testing.T) {
	c := &clock{now: epoch}
	var vc *vcenter.VCenter
	var told []string
	vc, err := vcenter.New(vcenter.Config{Site: vsphere.Cloud, Clock: c, Observe: func(ch vcenter.Change) {
		told = append(told, ch.Kind+" "+ch.Subject)
		if ch.Kind == "vm.power" && ch.Attrs[1] == "on" {
			vm, ok := vc.VM("db-01")
			assert.True(t, ok && vm.Power == vsphere.On)
			assert.NoError(t, vc.GuestHalted("db-01"))
			told = append(told, "halted")
		}
	}})
	require.NoError(t, err)
	defer vc.Close()
	_, err = vc.AddCluster("C")
	require.NoError(t, err)
	_, err = vc.AddHost("C", "h")
	require.NoError(t, err)
	_, err = vc.AddDatastore("ds", gib, gib)
	require.NoError(t, err)
	_, err = vc.AddVM(vcenter.VMSpec{Name: "db-01", On: true})
	require.NoError(t, err)
	assert.Equal(t, []string{"vm.created cloud/db-01", "vm.power cloud/db-01", "halted", "vm.power cloud/db-01"}, told)
}

func TestACloseEndsAllThatIsPending(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.DefaultTiming())
	e.c = e.direct("test")
	e.login(e.c)
	vm, other := e.add(db("db-01")), e.add(db("db-02"))
	_, _, _ = e.export(other)
	_, err := vm.PowerOn(ctx)
	require.NoError(t, err)
	assert.Positive(t, e.clock.pending())
	e.vc.Close()
	assert.Zero(t, e.clock.pending())
}

func TestADiskIsReadRawUnderFolder(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	s, err := e.vc.Serve()
	require.NoError(t, err)
	defer s.Close()
	client, err := s.HTTPClient()
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	_, err = e.vc.AddVM(vcenter.VMSpec{Name: "db-01", Disks: []vcenter.DiskSpec{{Capacity: 1 << 20}}})
	require.NoError(t, err)
	e.T = t
	e.write(0, 5000, "raw bytes")
	get := func(path, ranges string, login bool) (int, []byte) {
		u := "https://" + s.URL.Host + path
		r, err := http.NewRequest(http.MethodGet, u, nil)
		require.NoError(t, err)
		if login {
			r.SetBasicAuth(s.User, s.Password)
		}
		if ranges != "" {
			r.Header.Set("Range", ranges)
		}
		res, err := client.Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, b
	}
	flat := "/folder/db-01/db-01-flat.vmdk?dcPath=DC&dsName=ds"
	code, b := get(flat, "", true)
	assert.Equal(t, 200, code)
	assert.Len(t, b, 1<<20)
	assert.Equal(t, "raw bytes", string(b[5000:5009]))
	code, b = get(flat, "bytes=5004-5008", true)
	assert.Equal(t, 206, code)
	assert.Equal(t, "bytes", string(b))
	code, _ = get(flat, "", false)
	assert.Equal(t, 401, code)
	code, _ = get("/folder/db-01/other-flat.vmdk?dsName=ds", "", true)
	assert.Equal(t, 404, code)
	e.c = e.direct("test")
	e.login(e.c)
	vm := object.NewVirtualMachine(e.c, e.truth("db-01").Ref)
	e.done(vm.PowerOn(ctx))
	code, _ = get(flat, "", true)
	assert.Equal(t, 500, code, "a running VM's disk is locked")
	e.done(vm.PowerOff(ctx))
	res, err := http.Get("https://" + s.URL.Host + "/sdk")
	if err == nil {
		res.Body.Close()
	}
	assert.Error(t, err, "who does not trust the certificate does not get through")

	e.c = e.dial(s)
	e.login(e.c)
	ds := object.NewDatastore(e.c, e.datastore())
	ds.InventoryPath, ds.DatacenterPath = "/DC/datastore/ds", "/DC"
	u := ds.NewURL("db-01/db-01-flat.vmdk")
	body, _, err := e.c.Download(ctx, u, &soap.DefaultDownload)
	require.NoError(t, err)
	defer body.Close()
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.True(t, bytes.Contains(got, []byte("raw bytes")))
}

// newSite is a site of the small world: a cluster of two hosts and n VMs.
func newSite(b testing.TB, site vsphere.Site, n int) *vcenter.VCenter {
	vc, err := vcenter.New(vcenter.Config{Site: site, Clock: &clock{now: epoch}})
	require.NoError(b, err)
	_, err = vc.AddCluster("C0")
	require.NoError(b, err)
	for _, h := range []string{"esx-1", "esx-2"} {
		_, err = vc.AddHost("C0", h)
		require.NoError(b, err)
	}
	_, err = vc.AddDatastore("ds", 1<<50, 1<<50)
	require.NoError(b, err)
	for i := range n {
		_, err = vc.AddVM(vcenter.VMSpec{
			Name: fmt.Sprintf("vm-%05d", i), Disks: []vcenter.DiskSpec{{Capacity: 16 * gib, Used: 2 * gib}}, NICs: []vcenter.NICSpec{{}},
		})
		require.NoError(b, err)
	}
	return vc
}

func BenchmarkBuildTwoSitesOfSixVMs(b *testing.B) {
	for range b.N {
		for _, s := range []vsphere.Site{vsphere.OnPremises, vsphere.Cloud} {
			newSite(b, s, 3).Close()
		}
	}
}

// BenchmarkBuildByVcsim is what the above is measured against: two of vcsim's
// own models with as many hosts and VMs.
func BenchmarkBuildByVcsim(b *testing.B) {
	for range b.N {
		for range 2 {
			m := simulator.VPX()
			m.Host, m.ClusterHost, m.Machine = 0, 2, 3
			require.NoError(b, m.Create())
			m.Remove()
		}
	}
}

func BenchmarkBuild1000VMs(b *testing.B)  { benchmarkVMs(b, 1000) }
func BenchmarkBuild10000VMs(b *testing.B) { benchmarkVMs(b, 10_000) }

// benchmarkVMs builds and lists n VMs, as an inventory does.
func benchmarkVMs(b *testing.B, n int) {
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		vc := newSite(b, vsphere.OnPremises, n)
		built := time.Since(start)
		runtime.GC()
		runtime.ReadMemStats(&after)
		start = time.Now()
		list(b, vc, n)
		b.ReportMetric(float64(built.Microseconds())/float64(n), "µs-build/VM")
		b.ReportMetric(float64(time.Since(start).Microseconds())/float64(n), "µs-list/VM")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/VM")
		vc.Close()
	}
}

// list reads n VMs over the API.
func list(b testing.TB, vc *vcenter.VCenter, n int) {
	c, err := vim25.NewClient(ctx, vc.Direct("bench"))
	require.NoError(b, err)
	require.NoError(b, session.NewManager(c).Login(ctx, vc.Credentials()))
	v, err := view.NewManager(c).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	require.NoError(b, err)
	var vms []mo.VirtualMachine
	require.NoError(b, v.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name", "runtime.powerState", "config.uuid", "resourcePool"}, &vms))
	require.Len(b, vms, n)
}

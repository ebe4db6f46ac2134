package vcenter_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/nfc"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/ovf"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// pool is the root pool of the cluster.
func (e *env) pool() *object.ResourcePool {
	e.Helper()
	c, err := object.NewSearchIndex(e.c).FindByInventoryPath(ctx, "/DC/host/C0")
	require.NoError(e, err)
	var o mo.ClusterComputeResource
	e.props(c.Reference(), &o, "resourcePool", "datastore")
	return object.NewResourcePool(e.c, *o.ResourcePool)
}

func (e *env) datastore() types.ManagedObjectReference {
	e.Helper()
	c, err := object.NewSearchIndex(e.c).FindByInventoryPath(ctx, "/DC/datastore/ds")
	require.NoError(e, err)
	return c.Reference()
}

// leaseInfo lets time pass until the lease is ready or has failed.
func (e *env) leaseInfo(ref types.ManagedObjectReference) mo.HttpNfcLease {
	e.Helper()
	var o mo.HttpNfcLease
	for range 1000 {
		o = mo.HttpNfcLease{}
		e.props(ref, &o, "state", "info", "error", "transferProgress")
		if o.State != types.HttpNfcLeaseStateInitializing {
			return o
		}
		e.clock.advance(100 * time.Millisecond)
	}
	e.Fatal("the lease does not become ready")
	return o
}

// do sends a request for a lease's URL: by the handler, wherever it points to.
func (e *env) do(method, url string, body io.Reader) *httptest.ResponseRecorder {
	e.Helper()
	r := httptest.NewRequest(method, url[strings.Index(url, "/nfc/"):], body)
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v != nil && v != any(http.ErrAbortHandler) {
				panic(v)
			}
		}()
		e.vc.Handler().ServeHTTP(w, r)
	}()
	return w
}

// write puts text on a disk of db-01, durably.
func (e *env) write(disk int, off int64, text string) {
	e.Helper()
	d := e.truth("db-01").Disks[disk].Disk
	_, err := d.WriteAt([]byte(text), off)
	require.NoError(e, err)
	require.NoError(e, d.Flush())
}

func (e *env) read(vm string, disk int, off int64, n int) string {
	e.Helper()
	p := make([]byte, n)
	_, err := e.truth(vm).Disks[disk].Disk.ReadAt(p, off)
	require.NoError(e, err)
	return string(p)
}

// export opens a lease over a VM that is off, and describes it.
func (e *env) export(vm *object.VirtualMachine) (lease *nfc.Lease, info mo.HttpNfcLease, descriptor string) {
	e.Helper()
	lease, err := vm.Export(ctx)
	require.NoError(e, err)
	info = e.leaseInfo(lease.Reference())
	require.Equal(e, types.HttpNfcLeaseStateReady, info.State)
	var cdp types.OvfCreateDescriptorParams
	for _, u := range info.Info.DeviceUrl {
		cdp.OvfFiles = append(cdp.OvfFiles, types.OvfFile{DeviceId: u.Key, Path: u.TargetId, Size: u.FileSize})
	}
	d, err := ovf.NewManager(e.c).CreateDescriptor(ctx, vm, cdp)
	require.NoError(e, err)
	require.Empty(e, d.Error)
	return lease, info, d.OvfDescriptor
}

// importSpec asks for the spec of a VM of that name.
func (e *env) importSpec(descriptor, name string) *types.OvfCreateImportSpecResult {
	e.Helper()
	s, err := ovf.NewManager(e.c).CreateImportSpec(ctx, descriptor, e.pool(), object.NewDatastore(e.c, e.datastore()), &types.OvfCreateImportSpecParams{EntityName: name})
	require.NoError(e, err)
	require.Empty(e, s.Error)
	return s
}

func TestADiskTravelsWholeFromExportToImport(t *testing.T) {
	over(t, func(e *env) {
		spec := db("db-01")
		spec.Firmware, spec.CDROMs, spec.Annotation = "efi", 1, "a <b> & c"
		vm := e.add(spec)
		e.write(0, 12345, "the first disk")
		e.write(1, 8*gib-16, "the second one")
		before := e.truth("db-01")
		e.told()

		lease, info, descriptor := e.export(vm)
		assert.Contains(e, descriptor, `ovf:populatedSize="2147483648"`)
		require.Len(e, info.Info.DeviceUrl, 2)
		assert.EqualValues(e, 300, info.Info.LeaseTimeout)
		_, err := vm.PowerOn(ctx)
		refused[types.TaskInProgress](e, err)

		s := e.importSpec(descriptor, "copy")
		require.Len(e, s.FileItem, 2)
		target, err := e.pool().ImportVApp(ctx, s.ImportSpec, nil, nil)
		require.NoError(e, err)
		into := e.leaseInfo(target.Reference())
		require.Equal(e, types.HttpNfcLeaseStateReady, into.State, "%+v", into.Error)
		for i, u := range info.Info.DeviceUrl {
			assert.Equal(e, s.FileItem[i].DeviceId, into.Info.DeviceUrl[i].ImportKey, "so that clients can match them")
			got := e.do("GET", u.Url, nil)
			require.Equal(e, 200, got.Code)
			assert.Equal(e, "KDMV", got.Body.String()[:4], "a sparse VMDK")
			put := e.do("PUT", into.Info.DeviceUrl[i].Url, got.Body)
			require.Equal(e, 201, put.Code, put.Body.String())
		}
		require.NoError(e, lease.Progress(ctx, 100))
		m, err := target.GetManifest(ctx)
		require.NoError(e, err)
		require.Len(e, m, 2)
		require.NoError(e, target.Complete(ctx))
		require.NoError(e, lease.Complete(ctx))

		copied := e.truth("copy")
		assert.False(e, copied.Busy)
		assert.Equal(e, "efi", copied.Firmware)
		assert.Equal(e, before.GuestID, copied.GuestID)
		assert.EqualValues(e, 2, copied.CPUs)
		assert.EqualValues(e, 4096, copied.MemoryMB)
		assert.NotEqual(e, before.UUID, copied.UUID)
		require.Len(e, copied.NICs, 1)
		assert.Equal(e, "vmxnet3", copied.NICs[0].Type)
		for i, d := range copied.Disks {
			same, block := d.Disk.Equal(before.Disks[i].Disk)
			assert.True(e, same, "disk %d differs at block %d", i, block)
			assert.Equal(e, before.Disks[i].Disk.ID(), d.Disk.ID(), "the identity travels with the image")
			assert.Equal(e, before.Disks[i].Disk.Used(), d.Disk.Used())
			assert.Equal(e, before.Disks[i].Controller, d.Controller)
		}
		assert.Equal(e, "the second one", e.read("copy", 1, 8*gib-16, 14))
		for _, task := range e.vc.Tasks() {
			assert.Equal(e, vsphere.TaskSuccess, task.State, task.Method)
		}
		assert.Equal(e, []string{
			"lease.opened on-premises/db-01 lease lease-000001 mode export",
			"lease.opened on-premises/copy lease lease-000002 mode import",
			"lease.first-byte on-premises/db-01 lease lease-000001 mode export disk disk-0.vmdk",
		}, withoutBytes(e.told("lease."))[:3])
		e.done(object.NewVirtualMachine(e.c, copied.Ref).PowerOn(ctx))
	})
}

func withoutBytes(list []string) []string {
	for i, s := range list {
		list[i], _, _ = strings.Cut(s, " bytes")
	}
	return list
}

func TestAnExportNeedsAVMThatIsOff(t *testing.T) {
	over(t, func(e *env) {
		spec := db("db-01")
		spec.On = true
		_, err := e.add(spec).Export(ctx)
		refused[types.InvalidPowerState](e, err)
	})
}

func TestALeaseWithoutProgressExpires(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		lease, info, descriptor := e.export(vm)
		s := e.importSpec(descriptor, "copy")
		target, err := e.pool().ImportVApp(ctx, s.ImportSpec, nil, nil)
		require.NoError(e, err)
		into := e.leaseInfo(target.Reference())
		require.NoError(e, lease.Progress(ctx, 0))
		for range 10 {
			e.clock.advance(299 * time.Second)
			require.NoError(e, lease.Progress(ctx, 1))
			require.NoError(e, target.Progress(ctx, 1))
		}
		e.told()
		e.clock.advance(300 * time.Second)
		assert.Equal(e, types.HttpNfcLeaseStateError, e.leaseInfo(lease.Reference()).State)
		refused[types.Timedout](e, lease.Progress(ctx, 2))
		refused[types.Timedout](e, lease.Complete(ctx))
		assert.Equal(e, 404, e.do("GET", info.Info.DeviceUrl[0].Url, nil).Code)
		assert.Equal(e, 404, e.do("PUT", into.Info.DeviceUrl[0].Url, strings.NewReader("x")).Code)
		_, ok := e.vc.VM("copy")
		assert.False(e, ok, "an import that fails takes its VM with it")
		assert.Equal(e, []string{
			"lease.closed on-premises/db-01 lease lease-000001 mode export how expired",
			"lease.closed on-premises/copy lease lease-000002 mode import how expired",
		}, e.told("lease."))
		e.done(vm.PowerOn(ctx))
	})
}

func TestALeaseEndsWithItsTaskAndItsSession(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		lease, _, _ := e.export(vm)
		task := e.vc.Tasks()[0]
		assert.Equal(e, "ExportVm", task.Method)
		require.NoError(e, lease.Progress(ctx, 42))
		ref := types.ManagedObjectReference{Type: "Task", Value: task.ID}
		assert.EqualValues(e, 42, e.info(ref).Progress, "the lease's progress is its task's")
		require.NoError(e, object.NewTask(e.c, ref).Cancel(ctx))
		refused[types.InvalidState](e, lease.Complete(ctx))
		assert.Equal(e, "aborted", e.vc.Leases()[0].End)

		_, _, _ = e.export(vm)
		other := e.again()
		_, err := methods.Logout(ctx, e.c, &types.Logout{This: *e.c.ServiceContent.SessionManager})
		require.NoError(e, err)
		assert.Equal(e, "aborted", e.vc.Leases()[1].End)
		e.c = other
		e.done(object.NewVirtualMachine(e.c, vm.Reference()).PowerOn(ctx))
	})
}

func TestAnAbortedImportLeavesNothing(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		_, _, descriptor := e.export(vm)
		free, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		target, err := e.pool().ImportVApp(ctx, e.importSpec(descriptor, "copy").ImportSpec, nil, nil)
		require.NoError(e, err)
		e.leaseInfo(target.Reference())
		during, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		assert.Equal(e, 3*gib, free-during, "space is taken when the import begins")
		require.NoError(e, target.Abort(ctx, nil))
		after, err := e.vc.DatastoreFree("ds")
		require.NoError(e, err)
		assert.Equal(e, free, after)
		_, ok := e.vc.VM("copy")
		assert.False(e, ok)
	})
}

func TestAnImportThatDoesNotFitIsRefused(t *testing.T) {
	over(t, func(e *env) {
		_, _, descriptor := e.export(e.add(db("db-01")))
		require.NoError(e, e.vc.SetDatastoreFree("ds", 3*gib-1))
		spec := e.importSpec(descriptor, "copy").ImportSpec
		target, err := e.pool().ImportVApp(ctx, spec, nil, nil)
		require.NoError(e, err)
		o := e.leaseInfo(target.Reference())
		require.Equal(e, types.HttpNfcLeaseStateError, o.State)
		assert.IsType(e, &types.NoDiskSpace{}, pointer(o.Error.Fault))
		_, ok := e.vc.VM("copy")
		assert.False(e, ok)
		require.NoError(e, e.vc.SetDatastoreFree("ds", 3*gib))
		target, err = e.pool().ImportVApp(ctx, spec, nil, nil)
		require.NoError(e, err)
		require.Equal(e, types.HttpNfcLeaseStateReady, e.leaseInfo(target.Reference()).State)
	})
}

func TestAnImportToAHostOfAnotherClusterIsRefused(t *testing.T) {
	over(t, func(e *env) {
		_, _, descriptor := e.export(e.add(db("db-01")))
		_, err := e.vc.AddCluster("C1")
		require.NoError(e, err)
		other, err := e.vc.AddHost("C1", "esx-9")
		require.NoError(e, err)
		_, err = e.pool().ImportVApp(ctx, e.importSpec(descriptor, "copy").ImportSpec, nil, object.NewHostSystem(e.c, other))
		refused[types.InvalidArgument](e, err)
	})
}

func TestAnImportUnderATakenNameFails(t *testing.T) {
	over(t, func(e *env) {
		_, _, descriptor := e.export(e.add(db("db-01")))
		target, err := e.pool().ImportVApp(ctx, e.importSpec(descriptor, "db-01").ImportSpec, nil, nil)
		require.NoError(e, err)
		o := e.leaseInfo(target.Reference())
		require.Equal(e, types.HttpNfcLeaseStateError, o.State)
		assert.IsType(e, &types.DuplicateName{}, pointer(o.Error.Fault))
		assert.Len(e, e.vc.VMs(), 1)
	})
}

// pointer makes a fault that came over the wire by value like one in process.
func pointer(f any) any {
	switch f := f.(type) {
	case types.NoDiskSpace:
		return &f
	case types.DuplicateName:
		return &f
	}
	return f
}

func TestABrokenImageNeverBecomesADisk(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "data")
		_, info, descriptor := e.export(vm)
		image := e.do("GET", info.Info.DeviceUrl[0].Url, nil).Body.Bytes()
		target, err := e.pool().ImportVApp(ctx, e.importSpec(descriptor, "copy").ImportSpec, nil, nil)
		require.NoError(e, err)
		urls := e.leaseInfo(target.Reference()).Info.DeviceUrl
		for name, body := range map[string][]byte{
			"cut": image[:len(image)-512], "nothing": nil, "garbage": bytes.Repeat([]byte("x"), 4096),
		} {
			assert.Equal(e, 500, e.do("PUT", urls[0].Url, bytes.NewReader(body)).Code, name)
		}
		assert.Equal(e, 500, e.do("PUT", urls[1].Url, bytes.NewReader(image)).Code, "an image of another size")
		assert.Equal(e, "\x00\x00\x00\x00", e.read("copy", 0, 0, 4))
		assert.Equal(e, 405, e.do("PUT", info.Info.DeviceUrl[0].Url, bytes.NewReader(image)).Code, "an export takes nothing")
		assert.Equal(e, 201, e.do("PUT", urls[0].Url, bytes.NewReader(image)).Code)
		assert.Equal(e, "data", e.read("copy", 0, 0, 4))
	})
}

func TestASnapshotIsExportedAsItWas(t *testing.T) {
	over(t, func(e *env) {
		vm := e.add(db("db-01"))
		e.write(0, 0, "then")
		snap := e.done(vm.CreateSnapshot(ctx, "s", "", false, false)).(types.ManagedObjectReference)
		e.write(0, 0, "now!")
		e.done(vm.PowerOn(ctx))
		r, err := methods.ExportSnapshot(ctx, e.c, &types.ExportSnapshot{This: snap})
		require.NoError(e, err)
		info := e.leaseInfo(r.Returnval)
		image := e.do("GET", info.Info.DeviceUrl[0].Url, nil).Body
		e.done(vm.PowerOff(ctx)) // a snapshot's lease keeps nobody off the VM
		_, _, descriptor := e.export(vm)
		target, err := e.pool().ImportVApp(ctx, e.importSpec(descriptor, "copy").ImportSpec, nil, nil)
		require.NoError(e, err)
		into := e.leaseInfo(target.Reference())
		require.Equal(e, 201, e.do("PUT", into.Info.DeviceUrl[0].Url, image).Code)
		assert.Equal(e, "then", e.read("copy", 0, 0, 4))
	})
}

func TestDescriptorsThatLackAPartAreRefused(t *testing.T) {
	over(t, func(e *env) {
		_, _, good := e.export(e.add(db("db-01")))
		cut := func(from, to string) string {
			i := strings.Index(good, from)
			j := strings.Index(good[i:], to)
			require.Positive(e, j)
			return good[:i] + good[i+j+len(to):]
		}
		for name, d := range map[string]string{
			"nothing": "", "no XML": "<Envelope", "no system": cut("<System>", "</System>"),
			"no hardware": cut("<VirtualHardwareSection>", "</VirtualHardwareSection>"), "no disks": cut("<DiskSection>", "</DiskSection>"),
		} {
			_, err := ovf.NewManager(e.c).CreateImportSpec(ctx, d, e.pool(), object.NewDatastore(e.c, e.datastore()), &types.OvfCreateImportSpecParams{EntityName: "x"})
			require.Error(e, err, name)
			require.True(e, soap.IsSoapFault(err), name)
		}
		e.importSpec(good, "still works")
	})
}

func TestGovmomiUploadsAndDownloadsOverTLS(t *testing.T) {
	e := build(t, vsphere.Cloud, vcenter.Timing{})
	e.serve()
	vm := e.add(db("db-01"))
	e.write(0, 4096, "over the wire")
	lease, err := vm.Export(ctx)
	require.NoError(t, err)
	info := e.leaseInfo(lease.Reference())
	u, err := e.c.ParseURL(info.Info.DeviceUrl[0].Url)
	require.NoError(t, err)
	body, _, err := e.c.Download(ctx, u, &soap.DefaultDownload)
	require.NoError(t, err)
	image, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())

	d, err := ovf.NewManager(e.c).CreateDescriptor(ctx, vm, types.OvfCreateDescriptorParams{})
	require.NoError(t, err)
	descriptor := d.OvfDescriptor
	target, err := e.pool().ImportVApp(ctx, e.importSpec(descriptor, "copy").ImportSpec, nil, nil)
	require.NoError(t, err)
	into := e.leaseInfo(target.Reference())
	u, err = e.c.ParseURL(into.Info.DeviceUrl[0].Url)
	require.NoError(t, err)
	require.NoError(t, e.c.Upload(ctx, bytes.NewReader(image), u, &soap.Upload{Method: "PUT", Type: "application/x-vnd.vmware-streamVmdk", ContentLength: int64(len(image))}))
	require.NoError(t, target.Complete(ctx))
	assert.Equal(t, "over the wire", e.read("copy", 0, 4096, 13))
}

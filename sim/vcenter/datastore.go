package vcenter

import (
	"fmt"
	"path"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/disk"
)

// datastore holds disks, and only as many bytes as it has. What it takes for a
// disk is what the disk has in use (all disks are thin), or for a linked clone
// what that holds itself. It has no files. One that is served holds nothing: see
// served.go.
type datastore struct {
	served   *types.HostNasVolume // nil: it is a datastore of its own
	vc       *VCenter
	obj      *simulator.Datastore
	capacity int64
	other    int64 // bytes taken by what is not a disk of a VM here
	used     int64 // bytes taken by disks
	reserved int64 // bytes promised to imports that run
	dirs     map[string]bool
	trouble  *trouble
}

// AddDatastore adds a datastore that every host mounts. free is how much of its
// capacity is free before any disk is added; both are in bytes.
func (vc *VCenter) AddDatastore(name string, capacity, free int64) (store ref, err error) {
	if free < 0 || free > capacity {
		return ref{}, fmt.Errorf("datastore %q cannot have %d bytes free of %d", name, free, capacity)
	}
	vc.do(func() {
		if vc.stores[name] != nil {
			err = &ExistsError{"datastore", name}
			return
		}
		d := vc.newStore(name, capacity, func(i types.DatastoreInfo) (types.BaseDatastoreInfo, string) {
			return &types.VmfsDatastoreInfo{DatastoreInfo: i}, "VMFS"
		})
		d.other = capacity - free
		for _, h := range vc.hostOrder {
			vc.mount(d, h)
		}
		d.account()
		store = d.obj.Self
	})
	return store, err
}

// newStore enters a datastore that no host mounts yet. kind makes the
// information that its type has, and names the type.
func (vc *VCenter) newStore(name string, capacity int64, kind func(types.DatastoreInfo) (types.BaseDatastoreInfo, string)) *datastore {
	d := &datastore{vc: vc, obj: new(simulator.Datastore), capacity: capacity, dirs: map[string]bool{},
		trouble: &trouble{vc: vc, store: name, broken: map[disk.Op]bool{}, told: map[string]bool{}}}
	o := d.obj
	o.Name = name
	url := "ds:///vmfs/volumes/" + nameUUID("datastore/"+string(vc.config.Site)+"/"+name) + "/"
	now := vc.now()
	info, kindName := kind(types.DatastoreInfo{Name: name, Url: url, MaxFileSize: capacity, Timestamp: &now})
	o.Info = info
	vc.putChild(vc.dc.DatastoreFolder, o)
	yes := true
	o.Summary = types.DatastoreSummary{
		Datastore: &o.Self, Name: name, Url: url, Capacity: capacity, Accessible: true, MultipleHostAccess: &yes,
		Type: kindName, MaintenanceMode: string(types.DatastoreSummaryMaintenanceModeStateNormal),
	}
	o.Capability = types.DatastoreCapability{
		DirectoryHierarchySupported: true, RawDiskMappingsSupported: true, PerFileThinProvisioningSupported: true,
		TopLevelDirectoryCreateSupported: &yes,
	}
	browser := &simulator.HostDatastoreBrowser{}
	browser.Datastore = []ref{o.Self}
	o.Browser = vc.reg.Put(browser).Reference()
	vc.dc.Datastore = append(vc.dc.Datastore, o.Self)
	vc.stores[name] = d
	vc.storeList = append(vc.storeList, d)
	return d
}

// mount lets a host see a datastore.
func (vc *VCenter) mount(d *datastore, h *simulator.HostSystem) {
	yes := true
	d.obj.Host = append(d.obj.Host, types.DatastoreHostMount{Key: h.Self, MountInfo: types.HostMountInfo{
		AccessMode: string(types.HostMountModeReadWrite), Mounted: &yes, Accessible: &yes,
	}})
	h.Datastore = append(h.Datastore, d.obj.Self)
	c := vc.reg.Get(*h.Parent).(*simulator.ClusterComputeResource)
	for _, r := range c.Datastore {
		if r == d.obj.Self {
			return
		}
	}
	c.Datastore = append(c.Datastore, d.obj.Self)
}

// free is what is left, in bytes; less than 0 when guests have written more
// than there was.
func (d *datastore) free() int64 {
	if d.trouble.isFull() {
		return 0
	}
	return d.capacity - d.other - d.used - d.reserved
}

// account tells the API how much is free.
func (d *datastore) account() {
	free := max(d.free(), 0)
	ctx := d.vc.ctx()
	ctx.WithLock(d.obj, func() {
		d.obj.Info.GetDatastoreInfo().FreeSpace = free
		d.vc.reg.Update(ctx, d.obj, []types.PropertyChange{set("summary.freeSpace", free)})
	})
}

// charge makes the datastore hold a disk, or corrects what it takes for it.
func (d *datastore) charge(a *attached) {
	if d.served != nil {
		return
	}
	d.used -= a.charged
	a.charged = a.size()
	d.used += a.charged
	d.account()
}

func (d *datastore) release(a *attached) {
	d.used -= a.charged
	a.charged = 0
	d.account()
}

// SetDatastoreFree makes other things take so much of a datastore that this
// many bytes are free: what fills up a datastore from outside.
func (vc *VCenter) SetDatastoreFree(name string, free int64) (err error) {
	vc.do(func() {
		d := vc.stores[name]
		if d == nil {
			err = &NotFoundError{"datastore", name}
			return
		}
		d.other = d.capacity - d.used - d.reserved - free
		d.account()
	})
	return err
}

// DatastoreFree is how many bytes are free.
func (vc *VCenter) DatastoreFree(name string) (free int64, err error) {
	vc.do(func() {
		d := vc.stores[name]
		if d == nil {
			err = &NotFoundError{"datastore", name}
			return
		}
		free = d.free()
	})
	return free, err
}

// Served are the names of the datastores that are served, by creation.
func (vc *VCenter) Served() (names []string) {
	vc.do(func() {
		for _, d := range vc.storeList {
			if d.served != nil {
				names = append(names, d.obj.Name)
			}
		}
	})
	return names
}

// storeOf finds the datastore of that reference.
func (vc *VCenter) storeOf(r ref) *datastore {
	for _, d := range vc.storeList {
		if d.obj.Self == r {
			return d
		}
	}
	return nil
}

// layout tells the API which files a VM has and how large they are: a disk's
// extent is as large as what the disk has in use.
func (vc *VCenter) layout(m *machine) {
	vm := m.vm
	now := vc.now()
	layout := &types.VirtualMachineFileLayoutEx{Timestamp: now}
	yes := true
	file := func(name string, kind types.VirtualMachineFileLayoutExFileType, size int64) int32 {
		key := int32(len(layout.File))
		layout.File = append(layout.File, types.VirtualMachineFileLayoutExFileInfo{
			Key: key, Name: name, Type: string(kind), Size: size, UniqueSize: size, Accessible: &yes,
		})
		return key
	}
	file(vm.Config.Files.VmPathName, types.VirtualMachineFileLayoutExFileTypeConfig, 4096)
	storage := &types.VirtualMachineStorageInfo{Timestamp: now}
	total := types.VirtualMachineStorageSummary{Timestamp: now}
	for _, a := range m.disks {
		used := a.size()
		name := a.file()
		var chain []types.VirtualMachineFileLayoutExDiskUnit
		if a.base != "" { // the files of the source, which the clone reads and does not pay for
			below := types.VirtualMachineFileLayoutExDiskUnit{FileKey: []int32{file(flatName(a.base), types.VirtualMachineFileLayoutExFileTypeDiskExtent, a.disk.Used())}}
			layout.File[below.FileKey[0]].UniqueSize = 0
			chain = append(chain, below)
		}
		chain = append(chain, types.VirtualMachineFileLayoutExDiskUnit{FileKey: []int32{
			file(name, types.VirtualMachineFileLayoutExFileTypeDiskDescriptor, 512),
			file(flatName(name), types.VirtualMachineFileLayoutExFileTypeDiskExtent, used),
		}})
		layout.Disk = append(layout.Disk, types.VirtualMachineFileLayoutExDiskLayout{Key: a.key, Chain: chain})
		storage.PerDatastoreUsage = append(storage.PerDatastoreUsage, types.VirtualMachineUsageOnDatastore{
			Datastore: a.store.obj.Self, Committed: used, Uncommitted: a.disk.Capacity() - used, Unshared: used,
		})
		total.Committed += used
		total.Uncommitted += a.disk.Capacity() - used
		total.Unshared += used
	}
	for _, s := range m.snaps {
		key := file(fmt.Sprintf("%s/%s-Snapshot%d.vmsn", vm.Config.Files.SnapshotDirectory, path.Base(vm.Config.Files.SnapshotDirectory), s.id),
			types.VirtualMachineFileLayoutExFileTypeSnapshotData, 4096)
		layout.Snapshot = append(layout.Snapshot, types.VirtualMachineFileLayoutExSnapshotLayout{Key: s.ref, DataKey: key, MemoryKey: -1, Disk: layout.Disk})
	}
	ctx := vc.ctx()
	ctx.WithLock(vm, func() {
		vm.LayoutEx, vm.Storage = layout, storage
		vc.reg.Update(ctx, vm, []types.PropertyChange{set("layoutEx", layout), set("summary.storage", &total)})
	})
}

// flatName is the name of the file with a disk's bytes.
func flatName(vmdk string) string { return strings.TrimSuffix(vmdk, ".vmdk") + "-flat.vmdk" }

// datastoreCalls: vcsim's would look for files.
type datastoreCalls struct{ call }

// RefreshDatastore brings free space up to what the disks have in use now.
func (c *datastoreCalls) RefreshDatastore(*simulator.Context, *types.RefreshDatastore) soap.HasFault {
	d := c.vc.storeOf(c.Self)
	for _, m := range c.vc.order {
		for _, a := range m.disks {
			if a.store == d {
				d.charge(a)
			}
		}
	}
	return &methods.RefreshDatastoreBody{Res: new(types.RefreshDatastoreResponse)}
}

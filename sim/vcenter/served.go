package vcenter

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/disk"
)

// A served datastore is one that a component VM exports over NFS. Hosts mount it
// one by one; it is in the inventory as long as one does. What is on it is its
// server's: Config.Backing opens a disk when a VM is made that names its file, and
// a VM whose file is gone does not power on; nothing else can be made there, and such a disk is neither snapshotted, cloned
// nor exported, for its server has the only view of it that is right.

// hostStoreCalls: vcsim's make directories on the machine that it runs on.
type hostStoreCalls struct {
	call
	system *simulator.HostDatastoreSystem
}

func (c *hostStoreCalls) host() *simulator.HostSystem {
	h, _ := c.vc.reg.Get(c.system.Host.Self).(*simulator.HostSystem)
	return h
}

// CreateNasDatastore mounts an NFS export on this host. The same export under
// the same name is the same datastore on every host.
func (c *hostStoreCalls) CreateNasDatastore(ctx *simulator.Context, r *types.CreateNasDatastore) soap.HasFault {
	b, vc, h := new(methods.CreateNasDatastoreBody), c.vc, c.host()
	d := vc.stores[r.Spec.LocalPath]
	switch {
	case h.Runtime.ConnectionState != types.HostSystemConnectionStateConnected:
		b.Fault_ = fault(new(types.HostNotConnected), "the host %s does not answer the vCenter", h.Name)
	case r.Spec.LocalPath == "":
		b.Fault_ = fault(&types.InvalidName{Name: r.Spec.LocalPath}, "a datastore needs a name")
	case r.Spec.RemoteHost == "" || r.Spec.RemotePath == "":
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "spec.remoteHost"}, "an NFS datastore needs a remote host and a remote path")
	case d != nil && !d.serves(r.Spec):
		b.Fault_ = fault(&types.DuplicateName{Name: r.Spec.LocalPath, Object: d.obj.Self}, "another datastore is named %q", r.Spec.LocalPath)
	case vc.mounts(h, r.Spec):
		b.Fault_ = fault(&types.AlreadyExists{Name: r.Spec.LocalPath}, "the host %s has mounted %s:%s already", h.Name, r.Spec.RemoteHost, r.Spec.RemotePath)
	}
	if b.Fault_ != nil {
		return b
	}
	if d == nil {
		d = vc.newServed(r.Spec)
	}
	vc.mount(d, h)
	vc.update(ctx, d.obj, set("host", d.obj.Host))
	vc.update(ctx, h, set("datastore", h.Datastore))
	b.Res = &types.CreateNasDatastoreResponse{Returnval: d.obj.Self}
	return b
}

// newServed enters a served datastore. Its server tells no size: it is as large
// as the largest disk.
func (vc *VCenter) newServed(spec types.HostNasVolumeSpec) *datastore {
	d := vc.newStore(spec.LocalPath, disk.MaxCapacity, func(i types.DatastoreInfo) (types.BaseDatastoreInfo, string) {
		return &types.NasDatastoreInfo{DatastoreInfo: i, Nas: &types.HostNasVolume{
			HostFileSystemVolume: types.HostFileSystemVolume{Type: string(types.HostFileSystemVolumeFileSystemTypeNFS), Name: spec.LocalPath, Capacity: disk.MaxCapacity},
			RemoteHost:           spec.RemoteHost, RemotePath: spec.RemotePath,
		}}, string(types.HostFileSystemVolumeFileSystemTypeNFS)
	})
	d.served = d.obj.Info.(*types.NasDatastoreInfo).Nas
	d.account()
	return d
}

// serves says whether the datastore is that export.
func (d *datastore) serves(spec types.HostNasVolumeSpec) bool {
	return d.served != nil && d.served.RemoteHost == spec.RemoteHost && d.served.RemotePath == spec.RemotePath
}

// mounts says whether a host has mounted an export, whatever it is called there.
func (vc *VCenter) mounts(h *simulator.HostSystem, spec types.HostNasVolumeSpec) bool {
	return slices.ContainsFunc(vc.storeList, func(d *datastore) bool { return d.serves(spec) && d.mountedOn(h.Self) })
}

func (d *datastore) mountedOn(host ref) bool {
	return slices.ContainsFunc(d.obj.Host, func(m types.DatastoreHostMount) bool { return m.Key == host })
}

// RemoveDatastore takes a served datastore off this host, unless a VM of the
// host has a disk on it. The last host takes it out of the inventory.
func (c *hostStoreCalls) RemoveDatastore(ctx *simulator.Context, r *types.RemoveDatastore) soap.HasFault {
	b, vc, h := new(methods.RemoveDatastoreBody), c.vc, c.host()
	d := vc.storeOf(r.Datastore)
	switch {
	case d == nil || !d.mountedOn(h.Self):
		b.Fault_ = fault(new(types.NotFound), "the host %s has not mounted %s", h.Name, r.Datastore.Value)
	case d.served == nil:
		b.Fault_ = fault(new(types.NotSupported), "only NFS datastores are unmounted here, and %s is none", d.obj.Name)
	case h.Runtime.ConnectionState != types.HostSystemConnectionStateConnected:
		b.Fault_ = fault(new(types.HostNotConnected), "the host %s does not answer the vCenter", h.Name)
	}
	for _, m := range vc.order {
		if b.Fault_ == nil && *m.vm.Runtime.Host == h.Self && m.on(d) {
			b.Fault_ = fault(&types.ResourceInUse{Type: "Datastore", Name: d.obj.Name}, "the VM %q has a disk on datastore %s", m.vm.Name, d.obj.Name)
		}
	}
	if b.Fault_ != nil {
		return b
	}
	vc.unmount(ctx, d, h)
	b.Res = new(types.RemoveDatastoreResponse)
	return b
}

// on says whether a disk of the VM is on a datastore.
func (m *machine) on(d *datastore) bool {
	return slices.ContainsFunc(m.disks, func(a *attached) bool { return a.store == d })
}

func (vc *VCenter) unmount(ctx *simulator.Context, d *datastore, h *simulator.HostSystem) {
	left := slices.DeleteFunc(slices.Clone(d.obj.Host), func(m types.DatastoreHostMount) bool { return m.Key == h.Self })
	vc.update(ctx, d.obj, set("host", left))
	vc.update(ctx, h, set("datastore", without(h.Datastore, d.obj.Self)))
	c := vc.reg.Get(*h.Parent).(*simulator.ClusterComputeResource)
	if !slices.ContainsFunc(left, func(m types.DatastoreHostMount) bool { return slices.Contains(c.Host, m.Key) }) {
		vc.update(ctx, c, set("datastore", without(c.Datastore, d.obj.Self)))
	}
	if len(left) > 0 {
		return
	}
	folder := vc.reg.Get(vc.dc.DatastoreFolder).(*simulator.Folder)
	vc.update(ctx, folder, set("childEntity", without(folder.ChildEntity, d.obj.Self)))
	vc.update(ctx, vc.dc, set("datastore", without(vc.dc.Datastore, d.obj.Self)))
	vc.reg.Remove(ctx, d.obj.Browser)
	vc.reg.Remove(ctx, d.obj.Self)
	delete(vc.stores, d.obj.Name)
	vc.storeList = slices.DeleteFunc(slices.Clone(vc.storeList), func(o *datastore) bool { return o == d })
}

// openDisks finds the disks of a spec that are to be there already. Only served
// datastores have files that belong to no VM.
func (vc *VCenter) openDisks(s *VMSpec, host *simulator.HostSystem) types.BaseMethodFault {
	for i := range s.Disks {
		d := &s.Disks[i]
		store := vc.stores[d.Datastore]
		if d.Disk != nil || store == nil {
			continue // a wrong name is found later
		}
		file := fmt.Sprintf("[%s] %s", d.Datastore, d.Path)
		switch {
		case !store.mountedOn(host.Self):
			return &types.InvalidDatastore{Datastore: &store.obj.Self, Name: d.Datastore}
		case store.served != nil && d.Path == "":
			return notSupported("no file can be made on datastore " + d.Datastore + ": its server makes them")
		case d.Path == "":
			continue
		case store.served == nil && vc.fileOf(store, d.Path) != nil:
			return notSupported("the file " + file + " is a disk of another VM: disks that two VMs share are not simulated")
		case store.served == nil || vc.config.Backing == nil:
			return &types.FileNotFound{FileFault: types.FileFault{File: file}}
		}
		var err error
		if d.Disk, err = vc.config.Backing(d.Datastore, d.Path); errors.Is(err, fs.ErrNotExist) {
			return &types.FileNotFound{FileFault: types.FileFault{File: file}}
		} else if err != nil {
			return explained(&types.CannotAccessFile{FileFault: types.FileFault{File: file}}, file+": "+err.Error())
		}
	}
	return nil
}

// fileOf is the VM's disk that a file is, or nil.
func (vc *VCenter) fileOf(store *datastore, path string) *attached {
	for _, m := range vc.order {
		for _, a := range m.disks {
			if a.store == store && a.path == path {
				return a
			}
		}
	}
	return nil
}

// servedFault refuses what would need another view of a served disk than its
// server's.
func (m *machine) servedFault(what string) types.BaseMethodFault {
	for _, a := range m.disks {
		if a.store.served != nil {
			return notSupported(fmt.Sprintf("the VM %q cannot be %s: its disk %s is on a datastore that a cache serves", m.vm.Name, what, a.file()))
		}
	}
	return nil
}

// lockFault says that a served disk of this VM is in use by another that runs.
func (vc *VCenter) lockFault(m *machine) types.BaseMethodFault {
	for _, a := range m.disks {
		if a.store.served == nil {
			continue
		}
		for _, o := range vc.order {
			if o != m && o.vm.Runtime.PowerState == poweredOn && slices.ContainsFunc(o.disks, func(b *attached) bool { return b.store == a.store && b.path == a.path }) {
				return &types.FileLocked{FileFault: types.FileFault{File: a.file()}}
			}
		}
	}
	return nil
}

// goneFault says that a disk of the VM is served no more.
func (vc *VCenter) goneFault(m *machine) types.BaseMethodFault {
	for _, a := range m.disks {
		if a.store.served == nil || vc.config.Backing == nil {
			continue
		}
		if _, err := vc.config.Backing(a.store.obj.Name, a.path); errors.Is(err, fs.ErrNotExist) {
			return &types.FileNotFound{FileFault: types.FileFault{File: a.file()}}
		}
	}
	return nil
}

// reachFault says that a host does not mount a datastore that the VM needs.
func (m *machine) reachFault(host mo.Reference) types.BaseMethodFault {
	for _, a := range m.disks {
		if !a.store.mountedOn(host.Reference()) {
			return &types.InvalidDatastore{Datastore: &a.store.obj.Self, Name: a.store.obj.Name}
		}
	}
	return nil
}

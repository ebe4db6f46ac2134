package vsphere

import (
	"context"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// servedPath begins the remote path of every datastore that a component VM of
// HDM serves. It is how they are told from those that people mount.
const servedPath = "/hdm/served/"

// MountServed mounts on a host, under this name, the datastore of the name that
// a component VM serves; remoteHost is its address. It does nothing if the host
// has it. A name that another datastore has is refused.
func (s *Session) MountServed(ctx context.Context, host Ref, name, remoteHost string) error {
	op, object := "mount datastore "+strconv.Quote(name)+" on", string(host)
	now, err := s.storesOf(ctx, host)
	if err != nil {
		return s.fail(op, object, err, reads)
	}
	want := types.HostNasVolumeSpec{
		RemoteHost: remoteHost, RemotePath: servedPath + name, LocalPath: name,
		AccessMode: string(types.HostMountModeReadWrite), Type: string(types.HostFileSystemVolumeFileSystemTypeNFS),
	}
	if mounted(now.stores, want) != nil {
		return nil
	}
	_, err = methods.CreateNasDatastore(ctx, s.vim, &types.CreateNasDatastore{This: now.system, Spec: want})
	return s.fail(op, object, err, changes)
}

// UnmountServed takes the datastore of that name, which a component VM serves,
// off a host. It does nothing if the host does not have it. One that a VM of the
// host uses is left.
func (s *Session) UnmountServed(ctx context.Context, host Ref, name string) error {
	op, object := "unmount datastore "+strconv.Quote(name)+" from", string(host)
	now, err := s.storesOf(ctx, host)
	if err != nil {
		return s.fail(op, object, err, reads)
	}
	for _, d := range now.stores {
		if d.Summary.Name == name && served(d.Info) {
			_, err = methods.RemoveDatastore(ctx, s.vim, &types.RemoveDatastore{This: now.system, Datastore: d.Self})
			if isFault[types.NotFound](err) || isFault[types.ManagedObjectNotFound](err) {
				return nil
			}
			return s.fail(op, object, err, changes)
		}
	}
	return nil
}

// hostStores are the datastores that a host mounts, and who mounts them.
type hostStores struct {
	system types.ManagedObjectReference
	stores []mo.Datastore
}

func (s *Session) storesOf(ctx context.Context, host Ref) (now hostStores, err error) {
	var h mo.HostSystem
	if err := s.one(ctx, host.managed(), &h, "datastore", "configManager.datastoreSystem"); err != nil {
		return now, err
	}
	if h.ConfigManager.DatastoreSystem == nil {
		return now, s.refuse("read the datastores of", string(host), "the host does not say who mounts them", "reconnect the host")
	}
	now.system = *h.ConfigManager.DatastoreSystem
	return now, s.several(ctx, h.Datastore, &now.stores, "summary", "info")
}

// mounted finds a mount among the datastores of a host.
func mounted(stores []mo.Datastore, want types.HostNasVolumeSpec) *mo.Datastore {
	for i, d := range stores {
		nas, ok := d.Info.(*types.NasDatastoreInfo)
		if ok && nas.Nas != nil && d.Summary.Name == want.LocalPath && nas.Nas.RemoteHost == want.RemoteHost && nas.Nas.RemotePath == want.RemotePath {
			return &stores[i]
		}
	}
	return nil
}

// served says whether a component VM serves a datastore.
func served(info types.BaseDatastoreInfo) bool {
	nas, ok := info.(*types.NasDatastoreInfo)
	return ok && nas.Nas != nil && strings.HasPrefix(nas.Nas.RemotePath, servedPath)
}

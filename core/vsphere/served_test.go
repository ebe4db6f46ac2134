package vsphere_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/site"
)

// datastore is that of the name, as the site tells; false: there is none.
func datastore(ctx context.Context, t *testing.T, s *vsphere.Session, name string) (vsphere.Datastore, bool) {
	t.Helper()
	r, err := s.Resources(ctx)
	require.NoError(t, err)
	for _, d := range r.Datastores {
		if d.Name == name {
			return d, true
		}
	}
	return vsphere.Datastore{}, false
}

func TestAServedDatastoreIsThereWhereItIsMounted(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
				r, err := s.Resources(ctx)
				require.NoError(t, err)
				one, two := r.Hosts[0].Ref, r.Hosts[1].Ref
				mount := func(host vsphere.Ref) { require.NoError(t, s.MountServed(ctx, host, "cache", "HDM_Cloud_Cache-1")) }
				mount(one)
				mount(one)
				assert.Equal(t, 1, w.heard(vsphere.Cloud, "CreateNasDatastore"), "it is there")
				d, ok := datastore(ctx, t, s, "cache")
				require.True(t, ok)
				assert.True(t, d.Served)
				assert.Equal(t, []vsphere.Ref{one}, d.Hosts)
				mount(two)
				same, _ := datastore(ctx, t, s, "cache")
				assert.Equal(t, d.Ref, same.Ref, "the same one on both hosts")
				assert.ElementsMatch(t, []vsphere.Ref{one, two}, same.Hosts)
				own, ok := datastore(ctx, t, s, "cloud-ds-01")
				require.True(t, ok)
				assert.False(t, own.Served)

				err = s.MountServed(ctx, one, "cache", "HDM_Cloud_Cache-2")
				assert.Equal(t, "DuplicateName", vsphere.FaultName(err), "another server's")
				err = s.MountServed(ctx, one, "cloud-ds-01", "HDM_Cloud_Cache-2")
				assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err), "a name of the site's")

				require.NoError(t, s.UnmountServed(ctx, one, "cache"))
				require.NoError(t, s.UnmountServed(ctx, one, "cache"))
				left, _ := datastore(ctx, t, s, "cache")
				assert.Equal(t, []vsphere.Ref{two}, left.Hosts)
				require.NoError(t, s.UnmountServed(ctx, two, "cache"))
				_, ok = datastore(ctx, t, s, "cache")
				assert.False(t, ok)
				require.NoError(t, s.UnmountServed(ctx, two, "cloud-ds-01"), "the site's own are nobody's to unmount")
				assert.Equal(t, 2, w.heard(vsphere.Cloud, "RemoveDatastore"))
				mount(one)
			})
		})
	}
}

func TestADatastoreThatAVMUsesStaysMounted(t *testing.T) {
	w := newWorld(t, site.Direct)
	cached(w, disk.New("db-01/0", gb))
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		r := mountAll(ctx, t, s)
		ref, err := s.EnsureVM(ctx, vsphere.NewVM{
			Name: "db-01 ARM", Mark: "k", Pool: r.Pools[0].Ref, Host: r.Hosts[0].Ref, Datastore: "cloud-ds-01", CPUs: 1, MemoryMB: 512,
			Disks: []vsphere.NewDisk{{Path: "[cache] db-01/0.vmdk"}},
		})
		require.NoError(t, err)
		err = s.UnmountServed(ctx, r.Hosts[0].Ref, "cache")
		assert.Equal(t, "ResourceInUse", vsphere.FaultName(err))
		require.NoError(t, s.Destroy(ctx, ref))
		require.NoError(t, s.UnmountServed(ctx, r.Hosts[0].Ref, "cache"))
	})
}

func TestAHostThatDoesNotAnswerMountsNothing(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		r, err := s.Resources(ctx)
		require.NoError(t, err)
		require.NoError(t, w.Cloud.VCenter.SetHostConnected(r.Hosts[0].Name, false))
		err = s.MountServed(ctx, r.Hosts[0].Ref, "cache", "HDM_Cloud_Cache-1")
		assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err))
		_, ok := datastore(ctx, t, s, "cache")
		assert.False(t, ok)
	})
}

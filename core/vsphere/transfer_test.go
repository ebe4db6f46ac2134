package vsphere_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
)

// exported is the descriptor of off-01, from a lease that was given up.
func exported(ctx context.Context, w *world) (string, error) {
	s, err := w.client(vsphere.OnPremises).Open(ctx)
	if err != nil {
		return "", err
	}
	defer s.Close(ctx)
	e, err := s.ExportVM(ctx, w.vm("off-01"))
	if err != nil {
		return "", err
	}
	defer e.Abort(ctx)
	return e.OVF, nil
}

func spec(ctx context.Context, s *vsphere.Session, ovf string) (vsphere.ImportSpec, error) {
	r, err := s.Resources(ctx)
	if err != nil {
		return vsphere.ImportSpec{}, err
	}
	return vsphere.ImportSpec{
		Name: "off-01", OVF: ovf, Mark: "hdm/m-1", Pool: r.Pools[0].Ref, Datastore: r.Datastores[0].Name, Host: r.Hosts[0].Ref,
		Networks: map[string]string{"VM Network": "Cloud Net"}, BIOSUUID: "11111111-2222-3333-4444-555555555555",
	}, nil
}

// importEmpty opens an import of off-01, of which no disk has been written.
func importEmpty(ctx context.Context, w *world, s *vsphere.Session) (*vsphere.Import, error) {
	ovf, err := exported(ctx, w)
	if err != nil {
		return nil, err
	}
	spec, err := spec(ctx, s, ovf)
	if err != nil {
		return nil, err
	}
	return s.ImportVM(ctx, spec)
}

func TestAnExportGoesIntoAnImport(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				e, err := s.ExportVM(ctx, w.vm("off-01"))
				require.NoError(t, err)
				require.Len(t, e.Disks, 1)
				assert.Equal(t, int64(1<<30), e.Disks[0].Capacity)
				assert.InDelta(t, 300<<20, e.Disks[0].Used, 4096)
				assert.Contains(t, e.OVF, "populatedSize")
				body, _, err := e.Open(ctx, e.Disks[0])
				require.NoError(t, err)
				stream, err := io.ReadAll(body)
				require.NoError(t, err)
				require.NoError(t, body.Close())
				require.NoError(t, e.Progress(ctx, 100))
				require.NoError(t, e.Check(ctx))
				sum := sha256.Sum256(stream)
				want := vsphere.Checksums{Size: int64(len(stream)), SHA256: hex.EncodeToString(sum[:])}
				sent, err := e.Manifest(ctx)
				require.NoError(t, err)
				assert.Equal(t, map[string]vsphere.Checksums{e.Disks[0].Name: want}, sent)
				require.NoError(t, e.Complete(ctx))

				there, err := w.client(vsphere.Cloud).Open(ctx)
				require.NoError(t, err)
				defer there.Close(ctx)
				spec, err := spec(ctx, there, e.OVF)
				require.NoError(t, err)
				i, err := there.ImportVM(ctx, spec)
				require.NoError(t, err)
				require.NoError(t, i.Put(ctx, e.Disks[0].Name, bytes.NewReader(stream), int64(len(stream))))
				got, err := i.Manifest(ctx)
				require.NoError(t, err)
				assert.Equal(t, sent, got)
				copied, err := i.Complete(ctx)
				require.NoError(t, err)

				found, err := there.FindMarked(ctx, "hdm/m-1")
				require.NoError(t, err)
				require.Len(t, found, 1)
				vm := found[0]
				assert.Equal(t, copied, vm.Ref)
				assert.Equal(t, "off-01", vm.Name)
				assert.Equal(t, "Cloud Net", vm.NICs[0].Network)
				assert.Equal(t, spec.BIOSUUID, vm.BIOSUUID)
				_, err = there.ImportVM(ctx, spec)
				assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err), "what is whole is not thrown away")
				assert.ErrorContains(t, err, "was completed")
			})
			from, _ := w.OnPremises.VCenter.VM("off-01")
			to, _ := w.Cloud.VCenter.VM("off-01")
			same, at := from.Disks[0].Disk.Equal(to.Disks[0].Disk)
			assert.True(t, same, "the disks differ at block %d", at)
		})
	}
}

func TestAnExportThatWasLeftOpenDoesNotHoldTheVM(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("off-01")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		_, err := s.ExportVM(ctx, vm)
		require.NoError(t, err)
		began := w.Kernel.Now()
		require.NoError(t, s.PowerOn(ctx, vm), "the lease is cancelled, not waited for")
		assert.Less(t, w.Kernel.Now()-began, time.Minute)
	})
}

func TestALeaseThatExpiredSaysSoAndTheVMIsGone(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		i, err := importEmpty(ctx, w, s)
		require.NoError(t, err)
		require.NoError(t, w.machine.Sleep(ctx, time.Duration(i.Timeout)*time.Second+time.Minute))
		for _, err := range []error{i.Progress(ctx, 1), i.Check(ctx), func() error { _, err := i.Complete(ctx); return err }()} {
			assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err))
			assert.ErrorContains(t, err, "lease")
		}
	})
	assert.Empty(t, w.Cloud.VCenter.VMs())
}

func TestWhatAnImportLeftIsDiscarded(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		i, err := importEmpty(ctx, w, s)
		require.NoError(t, err)
		require.Len(t, w.Cloud.VCenter.VMs(), 1)
		i.Abort(ctx)
		require.NoError(t, s.DiscardImport(ctx, "hdm/m-1"))
	})
	assert.Empty(t, w.Cloud.VCenter.VMs())
}

func TestAVMThatIsNotMarkedAsWholeIsDiscarded(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.once(vsphere.Cloud, "ReconfigVM_Task", 1, transport.Hang())
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		i, err := importEmpty(ctx, w, s)
		require.NoError(t, err)
		_, err = i.Complete(ctx)
		require.Error(t, err, "the mark could not be written")
		require.Len(t, w.Cloud.VCenter.VMs(), 1)
		require.NoError(t, s.DiscardImport(ctx, "hdm/m-1"))
	})
	assert.Empty(t, w.Cloud.VCenter.VMs())
}

func TestCompletingIsAskedForAgainOnlyIfItDidNotHappen(t *testing.T) {
	for how, c := range map[string]struct {
		act   transport.Act
		calls int
	}{
		"the answer is lost": {transport.LoseAnswer(), 1},
		"the call hangs":     {transport.Hang(), 2},
	} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.once(vsphere.Cloud, "HttpNfcLeaseComplete", 1, c.act)
			w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
				i, err := importEmpty(ctx, w, s)
				require.NoError(t, err)
				_, err = i.Complete(ctx)
				require.NoError(t, err)
			})
			assert.Equal(t, c.calls, w.heard(vsphere.Cloud, "HttpNfcLeaseComplete"))
			vm, there := w.Cloud.VCenter.VM("off-01")
			require.True(t, there)
			assert.Equal(t, "hdm/m-1", vm.Marks[vsphere.MarkWhole])
		})
	}
}

func TestANameThatIsTakenIsRefused(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		i, err := importEmpty(ctx, w, s)
		require.NoError(t, err)
		_, err = i.Complete(ctx)
		require.NoError(t, err)
		ovf, err := exported(ctx, w)
		require.NoError(t, err)
		other, err := spec(ctx, s, ovf)
		require.NoError(t, err)
		other.Mark = "hdm/m-2"
		_, err = s.ImportVM(ctx, other)
		assert.Equal(t, "DuplicateName", vsphere.FaultName(err))
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		for _, change := range []func(*vsphere.ImportSpec){
			func(s *vsphere.ImportSpec) { s.Datastore = "nowhere" },
			func(s *vsphere.ImportSpec) { s.Networks = map[string]string{"VM Network": "nowhere"} },
		} {
			wrong := other
			change(&wrong)
			_, err = s.ImportVM(ctx, wrong)
			assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
			assert.ErrorContains(t, err, `"nowhere"`)
		}
	})
}

func TestAVMThatRunsIsNotExported(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		_, err := s.ExportVM(ctx, w.vm("db-01"))
		assert.Equal(t, "InvalidPowerState", vsphere.FaultName(err))
	})
}

package vsphere_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
)

func TestAStoragePolicyIsMadeOnceAndGivenToAllDisks(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				there, err := s.HasPolicy(ctx, vsphere.AnalyzerProfile)
				require.NoError(t, err)
				assert.False(t, there)
				require.NoError(t, s.EnsurePolicy(ctx, vsphere.AnalyzerProfile))
				require.NoError(t, s.EnsurePolicy(ctx, vsphere.AnalyzerProfile))
				assert.Equal(t, 1, w.heard(vsphere.OnPremises, "PbmCreate"))
				there, err = s.HasPolicy(ctx, vsphere.AnalyzerProfile)
				require.NoError(t, err)
				assert.True(t, there)

				vm := w.vm("db-01")
				now, err := s.Policies(ctx, vm)
				require.NoError(t, err)
				assert.Equal(t, []string{"", ""}, now)
				before, err := s.VM(ctx, vm)
				require.NoError(t, err)
				require.NoError(t, s.ApplyPolicy(ctx, vm, vsphere.AnalyzerProfile))
				require.NoError(t, s.ApplyPolicy(ctx, vm, vsphere.AnalyzerProfile))
				assert.Equal(t, 1, w.heard(vsphere.OnPremises, "ReconfigVM_Task"), "the disks have it")
				now, err = s.Policies(ctx, vm)
				require.NoError(t, err)
				assert.Equal(t, []string{vsphere.AnalyzerProfile, vsphere.AnalyzerProfile}, now)
				other, err := s.Policies(ctx, w.vm("off-01"))
				require.NoError(t, err)
				assert.Equal(t, []string{""}, other, "another VM's disks")
				after, err := s.VM(ctx, vm)
				require.NoError(t, err)
				assert.Equal(t, before, after, "it ran on, and is what it was")
			})
		})
	}
}

func TestAPolicyThatIsNotThereIsNotGiven(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		err := s.ApplyPolicy(ctx, w.vm("db-01"), vsphere.AnalyzerProfile)
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		assert.ErrorContains(t, err, vsphere.AnalyzerProfile)
		_, err = s.Policies(ctx, "VirtualMachine:vm-none")
		assert.Equal(t, "ManagedObjectNotFound", vsphere.FaultName(err))
	})
	assert.Zero(t, w.heard(vsphere.OnPremises, "ReconfigVM_Task"))
}

func TestPoliciesAreReachedLikeEverythingElse(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.once(vsphere.OnPremises, "PbmQueryProfile", 1, transport.Fail(&types.SystemError{}))
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				err := s.EnsurePolicy(ctx, vsphere.AnalyzerProfile)
				assert.Equal(t, "SystemError", vsphere.FaultName(err))
				assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err))
				began := w.Kernel.Now()
				require.NoError(t, s.EnsurePolicy(ctx, vsphere.AnalyzerProfile))
				assert.Positive(t, w.Kernel.Now()-began, "the way takes time")
			})
		})
	}
}

func TestAPolicyOrderedInASessionThatHasEndedIsNotMade(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.once(vsphere.OnPremises, "PbmCreate", 1, transport.Late(10*time.Minute))
			w.run(func(ctx context.Context) {
				s, err := w.client(vsphere.OnPremises).Open(ctx)
				require.NoError(t, err)
				var e *vsphere.Error
				require.ErrorAs(t, s.EnsurePolicy(ctx, vsphere.AnalyzerProfile), &e)
				assert.True(t, e.Unknown)
				s.Close(ctx)
				require.NoError(t, w.machine.Sleep(ctx, settled))
			})
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				there, err := s.HasPolicy(ctx, vsphere.AnalyzerProfile)
				require.NoError(t, err)
				assert.False(t, there)
			})
		})
	}
}

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

func TestToolsAreWaitedForAsLongAsTheCallerLikes(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		await := func(vm string, patience time.Duration) bool {
			began := w.Kernel.Now()
			there, err := s.AwaitTools(ctx, w.vm(vm), patience)
			require.NoError(t, err)
			assert.LessOrEqual(t, w.Kernel.Now()-began, patience+10*time.Second)
			return there
		}
		assert.True(t, await("db-01", time.Minute))
		assert.False(t, await("mute-01", time.Minute), "it has none")
		began := w.Kernel.Now()
		assert.False(t, await("off-01", time.Hour))
		assert.Less(t, w.Kernel.Now()-began, time.Minute, "nobody waits for a VM that is off")
		require.NoError(t, s.PowerOn(ctx, w.vm("off-01")))
		assert.True(t, await("off-01", 5*time.Minute), "they come with the guest")
		_, err := s.AwaitTools(ctx, "VirtualMachine:vm-none", time.Minute)
		assert.Equal(t, "ManagedObjectNotFound", vsphere.FaultName(err))
	})
}

func TestAGuestIsRebootedOrElseReset(t *testing.T) {
	for vm, c := range map[string]struct{ asked, reset int }{
		"db-01":   {1, 0}, // does what it is asked
		"deaf-01": {1, 1}, // does not hear
		"mute-01": {0, 1}, // cannot be asked: no tools
	} {
		t.Run(vm, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				require.NoError(t, s.RebootGuest(ctx, w.vm(vm), 5*time.Minute))
				there, err := s.AwaitTools(ctx, w.vm(vm), 5*time.Minute)
				require.NoError(t, err)
				assert.Equal(t, vm != "mute-01", there)
			})
			assert.Equal(t, vsphere.On, onPremises(t, w, vm).Power)
			assert.Equal(t, c.asked, w.heard(vsphere.OnPremises, "RebootGuest"))
			assert.Equal(t, c.reset, w.heard(vsphere.OnPremises, "ResetVM_Task"))
		})
	}
}

func TestAVMThatIsOffIsNotRebooted(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		err := s.RebootGuest(ctx, w.vm("off-01"), time.Minute)
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
	})
	assert.Equal(t, vsphere.Off, onPremises(t, w, "off-01").Power)
}

func TestAFaultOfTheVCenterDoesNotResetAGuest(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.once(vsphere.OnPremises, "RebootGuest", 1, transport.Fail(&types.SystemError{}))
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(s.RebootGuest(ctx, w.vm("db-01"), time.Minute)))
	})
	assert.Zero(t, w.heard(vsphere.OnPremises, "ResetVM_Task"))
}

func TestARevertTakesTheDisksBackToTheMarkedSnapshot(t *testing.T) {
	for how, act := range strikes {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			d := onPremises(t, w, "off-01").Disks[0].Disk
			write(t, d, "first")
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				_, err := s.EnsureSnapshot(ctx, w.vm("off-01"), "hdm/m-1", "_hdm")
				require.NoError(t, err)
			})
			write(t, d, "later")
			w.once(vsphere.OnPremises, "RevertToSnapshot_Task", 1, act)
			w.run(func(ctx context.Context) {
				require.NoError(t, w.again(ctx, vsphere.OnPremises, func(s *vsphere.Session) error {
					return s.RevertToSnapshot(ctx, w.vm("off-01"), "hdm/m-1")
				}))
			})
			assert.Equal(t, "first", read(t, d))
			vm := onPremises(t, w, "off-01")
			assert.Len(t, vm.Snapshots, 1)
			assert.Equal(t, vsphere.Off, vm.Power)
		})
	}
}

func TestARevertNeedsItsSnapshot(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		_, err := s.EnsureSnapshot(ctx, w.vm("off-01"), "hdm/m-2", "_hdm")
		require.NoError(t, err)
		err = s.RevertToSnapshot(ctx, w.vm("off-01"), "hdm/m-1")
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
	})
	assert.Zero(t, w.heard(vsphere.OnPremises, "RevertToSnapshot_Task"), "another's is not taken for it")
}

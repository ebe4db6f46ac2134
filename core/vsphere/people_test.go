package vsphere_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
)

func TestATaskIsTakenForEndedOnlyIfItSaysSoItself(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.once(vsphere.OnPremises, "SetTaskState", 2, transport.Fail(&types.InvalidState{}))
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		require.NoError(t, s.RegisterExtension(ctx, "1"))
		task, err := s.EnsureTask(ctx, w.vm("db-01"), "hdm/m-1", vsphere.TaskMigrate, "cold migration m-1")
		require.NoError(t, err)
		require.NoError(t, task.Running(ctx))
		assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(task.Succeed(ctx)), "the vCenter refuses, and the task still runs")
		require.NoError(t, task.Succeed(ctx))
		require.NoError(t, task.Succeed(ctx), "now it has ended, and it is asked to end again")
	})
	shown := w.OnPremises.VCenter.Tasks()
	assert.Equal(t, vsphere.TaskSuccess, shown[len(shown)-1].State)
}

package loopback

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

func TestAPersonRebootsAHostOfAServedWorldAndItReplays(t *testing.T) {
	v := serve(t, idle, 1000)
	ctx := t.Context()
	c := v.client(v.world.Info().OnPremises)
	hosts, err := find.NewFinder(c.Client).HostSystemList(ctx, "*")
	require.NoError(t, err)
	vms, err := find.NewFinder(c.Client).VirtualMachineList(ctx, "*")
	require.NoError(t, err)
	require.NotEmpty(t, vms)
	for _, h := range hosts {
		res, err := methods.RebootHost_Task(ctx, c.Client, &types.RebootHost_Task{This: h.Reference(), Force: true})
		require.NoError(t, err)
		require.NoError(t, object.NewTask(c.Client, res.Returnval).Wait(ctx))
	}
	for _, vm := range vms {
		state, err := vm.PowerState(ctx)
		require.NoError(t, err)
		assert.Equal(t, types.VirtualMachinePowerStatePoweredOff, state)
	}
	r, rec := v.end()
	assert.Empty(t, r.Violations)
	assert.Empty(t, r.Error)
	assert.Contains(t, methodsOf(rec), "RebootHost_Task")
	replays(t, rec, 0)
}

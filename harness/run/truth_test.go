package run

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/scenario"
)

func TestATaskWhoseProgressEverWentBackIsNoticed(t *testing.T) {
	s, err := scenario.ParseText("test.yaml", []byte("title: tasks\nworld: pair\nsteps:\n"+
		"  - {at: 1h, migrate: {vm: vm-1, type: cold}}\n  - {at: 1h, migrate: {vm: vm-2, type: cold}}\n"))
	require.NoError(t, err)
	st, err := newStage(s, 1, Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, st.close()) }()
	told := false
	m := st.world.Appliance()
	m.Go(context.Background(), "test", func(ctx context.Context) {
		session, err := vsphere.NewClient(m, st.world.OnPremises.Path.Endpoint("test")).Open(ctx)
		require.NoError(t, err)
		defer session.Close(ctx)
		require.NoError(t, session.RegisterExtension(ctx, "1.0.0"))
		for vm, course := range map[string][]int32{"vm-1": {10, 50, 40, 90}, "vm-2": {10, 50, 50, 90}} {
			v, _ := st.world.OnPremises.VCenter.VM(vm)
			task, err := session.EnsureTask(ctx, vsphere.Ref(v.Ref.String()), vm, vsphere.TaskMigrate, "a migration")
			require.NoError(t, err)
			require.NoError(t, task.Running(ctx))
			for _, percent := range course {
				require.NoError(t, task.Progress(ctx, percent))
				st.sample()
			}
		}
		told = true
	})
	require.NoError(t, st.driver.Run(time.Minute, nil))
	require.True(t, told)
	for vm, fell := range map[string]bool{"vm-1": true, "vm-2": false} {
		task, ok := st.migrationTask(vsphere.OnPremises, vm)
		require.True(t, ok)
		assert.Equal(t, fell, task.fell, vm)
	}
	p := &scenario.Tasks{VM: "vm-1", Tasks: map[vsphere.Site]vsphere.TaskState{vsphere.OnPremises: vsphere.TaskRunning}}
	st.expect(p)
	require.Len(t, st.violations, 1)
	assert.Contains(t, st.violations[0].What, "the progress of the task of its migration at on-premises went back")
}

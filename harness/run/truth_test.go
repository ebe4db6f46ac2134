package run

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// held is a device that holds something else than the vCenter's disk.
type held struct {
	guest.Device
	image disk.Reader
}

func (h held) Image() disk.Reader { return h.image }

func TestOraclesSeeWhatADeviceHolds(t *testing.T) {
	s, err := scenario.ParseText("test.yaml", []byte("title: devices\nworld: pair\nsteps:\n  - {at: 1h, migrate: {vm: vm-1, type: cold}}\n"))
	require.NoError(t, err)
	st, err := newStage(s, 1, Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, st.close()) }()
	image := disk.New("vm-1/0", 1<<30)
	st.world.Device = func(_ *site.Place, vm vcenter.VM, i int) guest.Device {
		if vm.Name != "vm-1" {
			return nil
		}
		return held{guest.Local(vm.Disks[i].Disk), image}
	}
	assert.Same(t, image, eyes{st}.Disks("on-premises/vm-1")[0].Image)
	assert.Equal(t, "vm-1/0", eyes{st}.Disks("on-premises/vm-1")[0].ID)
	assert.NotEqual(t, disk.Reader(image), eyes{st}.Disks("on-premises/vm-2")[0].Image)
	seen := map[string]bool{}
	for _, v := range st.truth(0).VMs {
		for _, d := range v.Disks {
			seen[v.Name] = seen[v.Name] || d.Image == disk.Reader(image)
		}
	}
	assert.Equal(t, map[string]bool{"vm-1": true, "vm-2": false}, seen)
}

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
		task, ok := st.taskOf(scenario.TaskMigration, vm)
		require.True(t, ok)
		assert.Equal(t, fell, task.seen.fell, vm)
	}
	p := &scenario.Tasks{VM: "vm-1", Tasks: map[scenario.TaskName]vsphere.TaskState{scenario.TaskMigration: vsphere.TaskRunning}}
	st.expect(p)
	require.Len(t, st.violations, 1)
	assert.Contains(t, st.violations[0].What, "the progress of the task of its migration went back")
}

func TestProgressRisesIfItIsSeenOnItsWayAndForwardOnly(t *testing.T) {
	for _, c := range []struct {
		name string
		seen []int32
		rose bool
	}{
		{"nobody looked", nil, false},
		{"it stood at 0", []int32{0, 0, 0}, false},
		{"from 0 to 100 at once", []int32{0, 100}, false},
		{"it stood still on its way", []int32{0, 40, 40, 40, 100}, false},
		{"two values", []int32{0, 40, 41, 41, 100}, true},
		{"it was on its way when first seen", []int32{30, 60}, true},
		{"it went back", []int32{0, 40, 60, 50, 70}, false},
		{"it went back to the beginning", []int32{20, 40, 0}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g gauge
			for _, percent := range c.seen {
				g.look(percent)
			}
			assert.Equal(t, c.rose, g.rose(2))
		})
	}
}

package site

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/sim/event"
)

// person is somebody at the vCenter on premises.
func person(t *testing.T, w *World) *vim25.Client {
	t.Helper()
	rt := w.OnPremises.VCenter.Direct("person")
	user := w.OnPremises.VCenter.Credentials()
	password, _ := user.Password()
	c, err := vim25.NewClient(t.Context(), rt)
	require.NoError(t, err)
	_, err = methods.Login(t.Context(), rt, &types.Login{This: sessionManager, UserName: user.Username(), Password: password})
	require.NoError(t, err)
	return c
}

func TestAVMThatBootsForTrialIsNoCopyOfItsGuest(t *testing.T) {
	for outcome, damage := range map[string]string{"up": "", "damaged": "rot"} {
		w, trace := start(t, decode(t, "on-premises: {vms: [{name: a, power: off}]}"), Options{})
		vm, _ := w.OnPremises.VCenter.VM("a")
		_, err := vm.Disks[0].Disk.WriteAt([]byte(damage), 10)
		require.NoError(t, err)
		c := person(t, w)
		source := object.NewVirtualMachine(c, vm.Ref)
		_, err = source.CreateSnapshot(t.Context(), "s", "", false, false)
		require.NoError(t, err)
		run(t, w, w.Kernel.Now()+time.Minute)
		snapshot, err := source.FindSnapshot(t.Context(), "s")
		require.NoError(t, err)
		folder, err := object.NewSearchIndex(c).FindByInventoryPath(t.Context(), "/DC/vm")
		require.NoError(t, err)
		_, err = source.Clone(t.Context(), folder.(*object.Folder), "a_trial", types.VirtualMachineCloneSpec{
			Location: types.VirtualMachineRelocateSpec{DiskMoveType: string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)},
			Snapshot: snapshot,
			Config:   &types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: markTrial, Value: "m-1"}}},
		})
		require.NoError(t, err)
		run(t, w, w.Kernel.Now()+time.Minute)
		_, err = w.OnPremises.Power("a_trial", true)
		require.NoError(t, err)
		run(t, w, w.Kernel.Now()+10*time.Minute)
		made, ok := w.OnPremises.VCenter.VM("a_trial")
		require.True(t, ok)
		assert.Equal(t, outcome == "up", made.ToolsRunning)
		assert.Equal(t, []string{"a site=on-premises vm=a_trial outcome=" + outcome}, said(*trace, event.GuestTrial))
		assert.Empty(t, said(*trace, event.GuestStarted))
	}
}

func TestTheFilterDaemonsOfTheHostsAreHeardOnceTheFilterIsInstalled(t *testing.T) {
	w, _ := start(t, decode(t, "on-premises: {hosts: [{name: esx-1}, {name: esx-2}]}"), Options{})
	var heard []component.Heartbeat
	w.Components.Heartbeat = func(b component.Heartbeat) { heard = append(heard, b) }
	last := func(vm string) (h component.Heartbeat) {
		heard = nil
		run(t, w, w.Kernel.Now()+20*time.Second)
		for _, b := range heard {
			if b.VM == vm {
				h = b
			}
		}
		return h
	}
	beat := func(boot, epoch uint64) component.Heartbeat {
		return component.Heartbeat{VM: "esx-1", Boot: boot, Services: []component.Beat{{Name: component.IOFilter, Epoch: epoch}}}
	}
	assert.Empty(t, last("esx-1"))
	c := person(t, w)
	cluster, err := object.NewSearchIndex(c).FindByInventoryPath(t.Context(), "/DC/host/"+clusterName)
	require.NoError(t, err)
	_, err = methods.InstallIoFilter_Task(t.Context(), c, &types.InstallIoFilter_Task{
		This: *c.ServiceContent.IoFilterManager, VibUrl: "https://hdm.invalid/vibs/praapa-2.1.0.vib", CompRes: cluster.Reference(),
	})
	require.NoError(t, err)
	run(t, w, w.Kernel.Now()+5*time.Minute)
	assert.Equal(t, beat(1, 1), last("esx-1"))
	assert.NotEmpty(t, last("esx-2").VM)
	require.NoError(t, w.OnPremises.VCenter.RestartFilter("esx-1"))
	assert.Equal(t, beat(1, 2), last("esx-1"))
	require.NoError(t, w.OnPremises.VCenter.RestartHost("esx-1", time.Minute))
	run(t, w, w.Kernel.Now()+time.Second) // what was on its way arrives
	assert.Empty(t, last("esx-1"), "the host is down")
	assert.NotEmpty(t, last("esx-2").VM)
	run(t, w, w.Kernel.Now()+2*time.Minute)
	assert.Equal(t, beat(2, 3), last("esx-1"))
}

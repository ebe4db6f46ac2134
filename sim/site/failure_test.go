package site

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/vcenter"
)

func TestAHostThatRestartsStopsItsGuestsInTheMiddleOfWhatTheyDid(t *testing.T) {
	w, trace := start(t, worlds(t)["tiny"], Options{})
	vc := w.OnPremises.VCenter
	vm, _ := vc.VM("vm-1")
	run(t, w, time.Minute)
	require.NoError(t, vc.RestartHost(vm.Host, 4*time.Minute))
	stopped := said(*trace, event.GuestStopped)
	assert.Contains(t, strings.Join(stopped, "\n"), "vm-1 site=on-premises vm=vm-1 how=power-off")
	assert.Zero(t, vm.Disks[0].Disk.Unflushed())
	run(t, w, 10*time.Minute)
	assert.Len(t, said(*trace, event.HostUp), 1)
	vm, _ = vc.VM("vm-1")
	assert.Equal(t, vsphere.Off, vm.Power, "nobody powered it on")
	_, err := w.OnPremises.Power("vm-1", true)
	require.NoError(t, err)
	run(t, w, 12*time.Minute)
	vm, _ = vc.VM("vm-1")
	assert.True(t, vm.ToolsRunning)
}

// addComponent makes a component VM of a mode by hand, and powers it on.
func addComponent(t *testing.T, w *World, kind component.Kind) vcenter.VM {
	t.Helper()
	mode, err := deployment.Parse("lite standalone")
	require.NoError(t, err)
	plan, err := deployment.Plan(mode)
	require.NoError(t, err)
	for _, p := range plan {
		if p.Kind != kind {
			continue
		}
		s := vcenter.VMSpec{Name: p.Name, ExtraConfig: mode.Marks(p), On: true}
		for _, d := range p.Disks {
			s.Disks = append(s.Disks, vcenter.DiskSpec{Capacity: d.Capacity})
		}
		_, err := w.At(p.Site).VCenter.AddVM(s)
		require.NoError(t, err)
		vm, _ := w.At(p.Site).VCenter.VM(p.Name)
		return vm
	}
	t.Fatalf("the mode has no %s", kind)
	return vcenter.VM{}
}

func TestAComponentVMRebootsAsItsVCenterIsAsked(t *testing.T) {
	w, _ := start(t, worlds(t)["tiny"], Options{})
	var boots []uint64
	w.Components.Heartbeat = func(b component.Heartbeat) {
		if len(boots) == 0 || boots[len(boots)-1] != b.Boot {
			boots = append(boots, b.Boot)
		}
	}
	vm := addComponent(t, w, component.CloudCacheVM)
	run(t, w, 2*time.Minute)
	assert.True(t, vm.ToolsRunning)
	assert.Equal(t, []uint64{1}, boots)

	person := w.Cloud.VCenter.Direct("person")
	password, _ := w.Cloud.VCenter.Credentials().Password()
	ctx := context.Background()
	_, err := methods.Login(ctx, person, &types.Login{This: sessionManager, UserName: w.Cloud.VCenter.Credentials().Username(), Password: password})
	require.NoError(t, err)
	_, err = methods.ResetVM_Task(ctx, person, &types.ResetVM_Task{This: vm.Ref})
	require.NoError(t, err)
	run(t, w, 4*time.Minute)
	assert.Equal(t, []uint64{1, 2}, boots, "reset")
	_, err = methods.RebootGuest(ctx, person, &types.RebootGuest{This: vm.Ref})
	require.NoError(t, err)
	assert.Empty(t, w.Components.Up())
	run(t, w, 6*time.Minute)
	assert.Equal(t, []uint64{1, 2, 3}, boots, "rebooted by its guest")
	require.NoError(t, w.Cloud.VCenter.RestartHost(vm.Host, time.Minute))
	assert.Empty(t, w.Components.Up())
	run(t, w, 8*time.Minute)
	assert.Empty(t, w.Components.Up(), "its host is up, and nobody powered it on")
	_, err = w.Cloud.Power(vm.Name, true)
	require.NoError(t, err)
	run(t, w, 10*time.Minute)
	assert.Equal(t, []uint64{1, 2, 3, 4}, boots)
	_, err = methods.ShutdownGuest(ctx, person, &types.ShutdownGuest{This: vm.Ref})
	require.NoError(t, err)
	vm, _ = w.Cloud.VCenter.VM(vm.Name)
	assert.Equal(t, vsphere.Off, vm.Power)
}

func TestAVCenterThatIsDownRefusesConnectionsAndIsWaitedFor(t *testing.T) {
	for _, mode := range []Mode{Direct, SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w, trace := start(t, worlds(t)["tiny"], Options{Mode: mode})
			appliance := w.Appliance()
			_, cloud := w.Endpoints("hdm")
			client := vsphere.NewClient(appliance, cloud)
			var lost, found error
			var down *transport.Error
			ended := false
			appliance.Go(context.Background(), "test", func(ctx context.Context) {
				s, err := client.Open(ctx)
				assert.NoError(t, err)
				w.Cloud.VCenter.Restart(3 * time.Minute)
				_, lost = s.Resources(ctx)
				assert.NoError(t, appliance.Sleep(ctx, 4*time.Minute))
				_, found = s.Resources(ctx)
				_, err = client.Open(ctx)
				assert.NoError(t, err)
				ended = true
			})
			run(t, w, time.Hour)
			require.True(t, ended)
			require.ErrorAs(t, lost, &down)
			assert.Equal(t, transport.Refused, down.Reason)
			assert.True(t, down.Unreachable())
			assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(lost), "%v", lost)
			assert.True(t, soap.IsSoapFault(found) || vsphere.FaultName(found) == "NotAuthenticated", "%v", found)
			assert.Contains(t, strings.Join(said(*trace, event.CallAnswered), "\n"), "outcome=refused")
		})
	}
}

func TestEqualFailuresMakeEqualWorlds(t *testing.T) {
	once := func() (uint64, string) {
		w, trace := start(t, worlds(t)["tiny"], Options{})
		vc := w.OnPremises.VCenter
		vm, _ := vc.VM("vm-1")
		w.Kernel.After(time.Minute, func() { assert.NoError(t, vc.FillDatastore(vm.Disks[0].Datastore, true)) })
		w.Kernel.After(2*time.Minute, func() { assert.NoError(t, vc.FailDatastore(vm.Disks[0].Datastore, "write", true)) })
		w.Kernel.After(3*time.Minute, func() { assert.NoError(t, vc.RestartHost(vm.Host, time.Minute)) })
		w.Kernel.After(3*time.Minute, func() { vc.Restart(time.Minute) })
		run(t, w, 10*time.Minute)
		return w.Kernel.Hash(), fmt.Sprint(said(*trace, event.DiskError))
	}
	hash, errors := once()
	again, _ := once()
	assert.Equal(t, hash, again)
	assert.Contains(t, errors, "op=write error=EIO", "guests met it")
}

func TestTheDaemonsOfTheFilterAreHeardWithTheBootOfTheirHost(t *testing.T) {
	w, _ := start(t, worlds(t)["tiny"], Options{})
	heard := map[string][]string{}
	w.Components.Heartbeat = func(b component.Heartbeat) {
		said := fmt.Sprintf("boot %d %s %d", b.Boot, b.Services[0].Name, b.Services[0].Epoch)
		if n := len(heard[b.VM]); n == 0 || heard[b.VM][n-1] != said {
			heard[b.VM] = append(heard[b.VM], said)
		}
	}
	vc := w.OnPremises.VCenter
	person := vc.Direct("person")
	password, _ := vc.Credentials().Password()
	ctx := context.Background()
	_, err := methods.Login(ctx, person, &types.Login{This: sessionManager, UserName: vc.Credentials().Username(), Password: password})
	require.NoError(t, err)
	content, err := methods.GetServiceContent(ctx, person)
	require.NoError(t, err)
	cluster, err := methods.FindByInventoryPath(ctx, person, &types.FindByInventoryPath{This: *content.SearchIndex, InventoryPath: "/DC/host/" + clusterName})
	require.NoError(t, err)
	_, err = methods.InstallIoFilter_Task(ctx, person, &types.InstallIoFilter_Task{
		This: *content.IoFilterManager, VibUrl: "https://hdm.invalid/praapa-2.1.0.vib", CompRes: *cluster.Returnval,
	})
	require.NoError(t, err)
	run(t, w, 2*time.Minute)
	host := vc.Hosts()[0]
	require.NoError(t, vc.RestartFilter(host))
	run(t, w, 3*time.Minute)
	require.NoError(t, vc.RestartHost(host, 10*time.Minute))
	run(t, w, 20*time.Minute)
	assert.Equal(t, []string{"boot 1 IO Filter 1", "boot 1 IO Filter 2", "boot 2 IO Filter 3"}, heard[host])
}

package vcenter_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/pbm"
	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

const vib = "https://hdm.invalid/vibs/praapa-2.1.0.vib"

func (e *env) cluster() types.ManagedObjectReference {
	e.Helper()
	c, err := object.NewSearchIndex(e.c).FindByInventoryPath(ctx, "/DC/host/C0")
	require.NoError(e, err)
	return c.Reference()
}

func (e *env) installFilter() {
	e.Helper()
	res, err := methods.InstallIoFilter_Task(ctx, e.c, &types.InstallIoFilter_Task{This: *e.c.ServiceContent.IoFilterManager, VibUrl: vib, CompRes: e.cluster()})
	require.NoError(e, err)
	e.done(object.NewTask(e.c, res.Returnval), nil)
}

func (e *env) filterInfo() []types.ClusterIoFilterInfo {
	e.Helper()
	res, err := methods.QueryIoFilterInfo(ctx, e.c, &types.QueryIoFilterInfo{This: *e.c.ServiceContent.IoFilterManager, CompRes: e.cluster()})
	require.NoError(e, err)
	return res.Returnval
}

// daemon is the daemon's service on a host, if it is there.
func (e *env) daemon(host string) (found []types.HostService) {
	e.Helper()
	s, err := e.host(host).ConfigManager().ServiceSystem(ctx)
	require.NoError(e, err)
	all, err := s.Service(ctx)
	require.NoError(e, err)
	for _, o := range all {
		if o.Key == vcenter.FilterDaemon {
			found = append(found, o)
		}
	}
	return found
}

func TestAFilterIsInstalledOnEveryHostOfItsCluster(t *testing.T) {
	over(t, func(e *env) {
		assert.Empty(e, e.filterInfo())
		assert.Empty(e, e.daemon("esx-1"))
		assert.Equal(e, []vcenter.Filter{{Host: "esx-1", Boot: 1}, {Host: "esx-2", Boot: 1}}, e.vc.Filters())
		require.ErrorAs(e, e.vc.RestartFilter("esx-1"), new(*vcenter.NotFoundError))
		require.NoError(e, e.vc.DisconnectHost("esx-2", true))
		e.told()
		e.installFilter()
		info := e.filterInfo()
		require.Len(e, info, 1)
		assert.Equal(e, "praapa", info[0].Name)
		assert.Equal(e, "2.1.0", info[0].Version)
		assert.Equal(e, vib, info[0].VibUrl)
		assert.True(e, e.daemon("esx-1")[0].Running)
		assert.Empty(e, e.daemon("esx-2"), "it is not there")
		require.NoError(e, e.vc.DisconnectHost("esx-2", false))
		assert.True(e, e.daemon("esx-2")[0].Running)
		_, err := e.vc.AddHost("C0", "esx-3")
		require.NoError(e, err)
		assert.True(e, e.daemon("esx-3")[0].Running)
		assert.Equal(e, []string{
			"host.filter on-premises/esx-1 state up epoch 1", "host.up on-premises/esx-2 boot 1",
			"host.filter on-premises/esx-2 state up epoch 1", "host.filter on-premises/esx-3 state up epoch 1",
		}, e.told("host."))
		_, err = methods.InstallIoFilter_Task(ctx, e.c, &types.InstallIoFilter_Task{This: *e.c.ServiceContent.IoFilterManager, VibUrl: vib, CompRes: e.cluster()})
		refused[types.AlreadyExists](e, err)
	})
}

func TestWhatIsNoFilterIsNotInstalled(t *testing.T) {
	over(t, func(e *env) {
		for _, r := range []types.InstallIoFilter_Task{{VibUrl: "praapa.vib", CompRes: e.cluster()}, {VibUrl: vib, CompRes: e.host("esx-1").Reference()}} {
			r.This = *e.c.ServiceContent.IoFilterManager
			_, err := methods.InstallIoFilter_Task(ctx, e.c, &r)
			refused[types.InvalidArgument](e, err)
		}
		_, err := methods.UninstallIoFilter_Task(ctx, e.c, &types.UninstallIoFilter_Task{This: *e.c.ServiceContent.IoFilterManager, FilterId: "x", CompRes: e.cluster()})
		refused[types.NotFound](e, err)
	})
}

func TestTheDaemonIsAServiceOfItsHost(t *testing.T) {
	over(t, func(e *env) {
		e.installFilter()
		s, err := e.host("esx-1").ConfigManager().ServiceSystem(ctx)
		require.NoError(e, err)
		type heard struct {
			host  string
			up    bool
			epoch uint64
		}
		var daemons []heard
		e.vc.OnFilter(func(host string, up bool, epoch uint64) { daemons = append(daemons, heard{host, up, epoch}) })
		require.NoError(e, s.Restart(ctx, vcenter.FilterDaemon))
		require.NoError(e, e.vc.RestartFilter("esx-1"))
		assert.Equal(e, []heard{{"esx-1", false, 1}, {"esx-1", true, 2}, {"esx-1", false, 2}, {"esx-1", true, 3}}, daemons)
		require.NoError(e, s.Stop(ctx, vcenter.FilterDaemon))
		assert.False(e, e.daemon("esx-1")[0].Running)
		refused[types.InvalidState](e, s.Stop(ctx, vcenter.FilterDaemon))
		require.ErrorAs(e, e.vc.StopFilter("esx-1", true), new(*vcenter.HostStateError))
		require.NoError(e, e.vc.StopFilter("esx-1", false))
		refused[types.InvalidState](e, s.Start(ctx, vcenter.FilterDaemon))
		assert.Equal(e, vcenter.Filter{Host: "esx-1", Installed: true, Up: true, Boot: 1, Epoch: 4}, e.vc.Filters()[0])
		assert.Equal(e, uint64(1), e.vc.Filters()[1].Epoch)
		refused[types.NotFound](e, s.Start(ctx, "nothing"))
		require.NoError(e, s.Start(ctx, "TSM-SSH"), "the others are there, too")
	})
}

func TestTheDaemonStartsWithItsHostUnlessItsPolicyIsOff(t *testing.T) {
	over(t, func(e *env) {
		e.installFilter()
		e.told()
		require.NoError(e, e.vc.RestartHost("esx-1", time.Minute))
		assert.False(e, e.vc.Filters()[0].Up)
		require.ErrorAs(e, e.vc.RestartFilter("esx-1"), new(*vcenter.HostStateError))
		e.clock.advance(time.Minute)
		assert.Equal(e, vcenter.Filter{Host: "esx-1", Installed: true, Up: true, Boot: 2, Epoch: 2}, e.vc.Filters()[0])
		assert.Equal(e, []string{
			"host.down on-premises/esx-1 how restart", "host.filter on-premises/esx-1 state down epoch 1",
			"host.up on-premises/esx-1 boot 2", "host.filter on-premises/esx-1 state up epoch 2",
		}, e.told("host."))
		s, err := e.host("esx-1").ConfigManager().ServiceSystem(ctx)
		require.NoError(e, err)
		require.NoError(e, s.UpdatePolicy(ctx, vcenter.FilterDaemon, "off"))
		require.NoError(e, e.vc.RestartHost("esx-1", time.Minute))
		e.clock.advance(time.Minute)
		assert.Equal(e, vcenter.Filter{Host: "esx-1", Installed: true, Boot: 3, Epoch: 2}, e.vc.Filters()[0])
	})
}

func TestAFilterThatADiskUsesStays(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.Timing{})
	e.serve()
	vm := e.add(db("db-01"))
	e.installFilter()
	id := e.profile("hdm.iofilter")
	manager, filter := *e.c.ServiceContent.IoFilterManager, e.filterInfo()[0].Id
	uninstall := func() *object.Task {
		res, err := methods.UninstallIoFilter_Task(ctx, e.c, &types.UninstallIoFilter_Task{This: manager, FilterId: filter, CompRes: e.cluster()})
		require.NoError(t, err)
		return object.NewTask(e.c, res.Returnval)
	}
	e.policy(vm, &types.VirtualMachineDefinedProfileSpec{ProfileId: id})
	f := failed[types.FilterInUse](e, uninstall(), nil)
	assert.Len(t, f.Disk, 2)
	res, err := methods.QueryDisksUsingFilter(ctx, e.c, &types.QueryDisksUsingFilter{This: manager, FilterId: filter, CompRes: e.cluster()})
	require.NoError(t, err)
	assert.Equal(t, f.Disk, res.Returnval)
	e.policy(vm, new(types.VirtualMachineDefaultProfileSpec))
	e.done(uninstall(), nil)
	assert.Empty(t, e.filterInfo())
	assert.Empty(t, e.daemon("esx-1"))
	assert.False(t, e.vc.Filters()[0].Up)
	e.installFilter()
	assert.Equal(t, uint64(2), e.vc.Filters()[0].Epoch, "an epoch never comes again")
}

// profile makes a storage policy that asks for something of a namespace.
func (e *env) profile(namespace string) string {
	e.Helper()
	c, err := pbm.NewClient(ctx, e.c)
	require.NoError(e, err)
	s := policy(namespace)
	s.Constraints = &pbmtypes.PbmCapabilitySubProfileConstraints{SubProfiles: []pbmtypes.PbmCapabilitySubProfile{{
		Name: "all", Capability: []pbmtypes.PbmCapabilityInstance{{Id: pbmtypes.PbmCapabilityMetadataUniqueId{Namespace: namespace, Id: "x"}}},
	}}}
	id, err := c.CreateProfile(ctx, s)
	require.NoError(e, err)
	return id.UniqueId
}

// policy gives a profile to a VM and all its disks.
func (e *env) policy(vm *object.VirtualMachine, p types.BaseVirtualMachineProfileSpec) {
	e.Helper()
	profile := []types.BaseVirtualMachineProfileSpec{p}
	s := types.VirtualMachineConfigSpec{VmProfile: profile}
	for _, d := range disks(e, vm) {
		s.DeviceChange = append(s.DeviceChange, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: d, Profile: profile})
	}
	e.done(vm.Reconfigure(ctx, s))
}

func TestTheDatastoresDefaultPolicyTakesAPolicyAway(t *testing.T) {
	e := build(t, vsphere.OnPremises, vcenter.DefaultTiming())
	e.serve()
	vm := e.add(db("db-01"))
	c, err := pbm.NewClient(ctx, e.c)
	require.NoError(t, err)
	has := func() (n int) {
		of := []pbmtypes.PbmServerObjectRef{{ObjectType: "virtualMachine", Key: vm.Reference().Value}}
		for _, d := range disks(e, vm) {
			of = append(of, pbmtypes.PbmServerObjectRef{ObjectType: "virtualDiskId", Key: fmt.Sprintf("%s:%d", vm.Reference().Value, d.Key)})
		}
		res, err := c.QueryAssociatedProfiles(ctx, of)
		require.NoError(t, err)
		for _, r := range res {
			n += len(r.ProfileId)
		}
		return n
	}
	e.policy(vm, &types.VirtualMachineDefinedProfileSpec{ProfileId: e.profile("hdm.iofilter")})
	assert.Equal(t, 3, has())
	e.vc.Restart(0)
	e.clock.advance(0)
	e.login(e.c)
	assert.Equal(t, 3, has(), "a restart forgets none")
	e.policy(vm, new(types.VirtualMachineDefaultProfileSpec))
	assert.Zero(t, has())
}

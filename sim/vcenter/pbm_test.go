package vcenter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/pbm"
	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

var storage = pbmtypes.PbmProfileResourceType{ResourceType: "STORAGE"}

// policies is a client of the storage policies over TLS.
func policies(t *testing.T) (*env, *pbm.Client) {
	t.Helper()
	e := build(t, vsphere.OnPremises, vcenter.DefaultTiming())
	e.serve()
	c, err := pbm.NewClient(ctx, e.c)
	require.NoError(t, err)
	return e, c
}

func policy(name string) pbmtypes.PbmCapabilityProfileCreateSpec {
	return pbmtypes.PbmCapabilityProfileCreateSpec{
		Name: name, Category: "REQUIREMENT", ResourceType: storage, Constraints: &pbmtypes.PbmCapabilitySubProfileConstraints{},
	}
}

// give is the change that gives a policy ("": none) to a disk of db-01.
func give(d *types.VirtualDisk, id string) *types.VirtualDeviceConfigSpec {
	s := &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: d}
	s.Profile = []types.BaseVirtualMachineProfileSpec{&types.VirtualMachineDefinedProfileSpec{ProfileId: id}}
	if id == "" {
		s.Profile = []types.BaseVirtualMachineProfileSpec{&types.VirtualMachineEmptyProfileSpec{}}
	}
	return s
}

func disks(e *env, vm *object.VirtualMachine) (list []*types.VirtualDisk) {
	e.Helper()
	devices, err := vm.Device(ctx)
	require.NoError(e, err)
	for _, d := range devices.SelectByType((*types.VirtualDisk)(nil)) {
		list = append(list, d.(*types.VirtualDisk))
	}
	return list
}

func TestAPolicyHasANameOfItsOwnAndAnIdentityThatIsTheSameInEveryRun(t *testing.T) {
	e, c := policies(t)
	id, err := c.CreateProfile(ctx, policy("gold"))
	require.NoError(t, err)
	_, err = c.CreateProfile(ctx, policy("gold"))
	refused[pbmtypes.PbmDuplicateName](e, err)
	_, err = c.CreateProfile(ctx, policy(strings.Repeat("x", 81)))
	refused[types.InvalidArgument](e, err)
	_, err = c.CreateProfile(ctx, policy(""))
	refused[types.InvalidArgument](e, err)
	_, again := policies(t)
	same, err := again.CreateProfile(ctx, policy("gold"))
	require.NoError(t, err)
	assert.Equal(t, id, same)
	content, err := c.RetrieveContent(ctx, []pbmtypes.PbmProfileId{*id})
	require.NoError(t, err)
	assert.Equal(t, epoch, content[0].GetPbmProfile().CreationTime.UTC(), "it is stamped by the vCenter's clock")
	_, err = c.RetrieveContent(ctx, []pbmtypes.PbmProfileId{{UniqueId: "none"}})
	refused[types.InvalidArgument](e, err)
}

func TestPoliciesAreNotWithoutLimit(t *testing.T) {
	e, c := policies(t)
	for i := range 256 {
		_, err := c.CreateProfile(ctx, policy(fmt.Sprint(i)))
		require.NoError(t, err)
	}
	_, err := c.CreateProfile(ctx, policy("one more"))
	refused[pbmtypes.PbmFaultProfileStorageFault](e, err)
}

func TestAReconfigurationGivesADiskItsPolicyOrNothing(t *testing.T) {
	e, c := policies(t)
	vm := e.add(db("db-01"))
	id, err := c.CreateProfile(ctx, policy("gold"))
	require.NoError(t, err)
	both := disks(e, vm)
	of := func() (names []string) {
		for _, d := range both {
			res, err := c.QueryAssociatedProfiles(ctx, []pbmtypes.PbmServerObjectRef{{ObjectType: "virtualDiskId", Key: fmt.Sprintf("%s:%d", vm.Reference().Value, d.Key)}})
			require.NoError(t, err)
			require.Len(t, res, 1)
			require.Nil(t, res[0].Fault)
			names = append(names, fmt.Sprint(len(res[0].ProfileId)))
		}
		return names
	}
	change := func(changes ...types.BaseVirtualDeviceConfigSpec) (*object.Task, error) {
		return vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: changes})
	}
	e.done(change(give(both[1], id.UniqueId)))
	assert.Equal(t, []string{"0", "1"}, of())
	task, err := change(give(both[0], id.UniqueId), give(both[1], "no such policy"))
	failed[types.InvalidArgument](e, task, err)
	assert.Equal(t, []string{"0", "1"}, of(), "all or nothing")

	larger := *both[0]
	larger.CapacityInBytes *= 2
	task, err = change(give(&larger, id.UniqueId))
	failed[types.NotSupported](e, task, err)
	unknown := *both[0]
	unknown.Key = 2999
	task, err = change(give(&unknown, id.UniqueId))
	failed[types.InvalidDeviceSpec](e, task, err)
	assert.Equal(t, []string{"0", "1"}, of())

	out, err := c.DeleteProfile(ctx, []pbmtypes.PbmProfileId{*id})
	require.NoError(t, err)
	require.NotNil(t, out[0].Fault, "a disk has it")
	e.done(change(give(both[1], "")))
	assert.Equal(t, []string{"0", "0"}, of())
	out, err = c.DeleteProfile(ctx, []pbmtypes.PbmProfileId{*id, {UniqueId: "none"}})
	require.NoError(t, err)
	assert.Nil(t, out[0].Fault)
	assert.NotNil(t, out[1].Fault)
	left, err := c.QueryProfile(ctx, storage, "REQUIREMENT")
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestWhoHasAPolicyIsTold(t *testing.T) {
	e, c := policies(t)
	vm := e.add(db("db-01"))
	e.add(db("db-02"))
	id, err := c.CreateProfile(ctx, policy("gold"))
	require.NoError(t, err)
	e.done(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{
		VmProfile:    []types.BaseVirtualMachineProfileSpec{&types.VirtualMachineDefinedProfileSpec{ProfileId: id.UniqueId}},
		DeviceChange: []types.BaseVirtualDeviceConfigSpec{give(disks(e, vm)[0], id.UniqueId)},
	}))
	all, err := c.QueryAssociatedEntity(ctx, *id, "")
	require.NoError(t, err)
	require.Len(t, all, 2)
	only, err := c.QueryAssociatedEntity(ctx, *id, "virtualMachine")
	require.NoError(t, err)
	require.Len(t, only, 1)
	assert.Equal(t, vm.Reference().Value, only[0].Key)
	assert.Equal(t, e.vc.InstanceUUID(), only[0].ServerUuid)
	for _, wrong := range []pbmtypes.PbmServerObjectRef{
		{ObjectType: "virtualMachine", Key: "vm-none"},
		{ObjectType: "virtualDiskId", Key: vm.Reference().Value + ":1"},
		{ObjectType: "datastore", Key: vm.Reference().Value},
	} {
		res, err := c.QueryAssociatedProfiles(ctx, []pbmtypes.PbmServerObjectRef{wrong})
		require.NoError(t, err)
		require.Len(t, res, 1)
		assert.NotNil(t, res[0].Fault, "%v", wrong)
		_, err = c.QueryAssociatedProfile(ctx, wrong)
		refused[types.InvalidArgument](e, err)
	}
}

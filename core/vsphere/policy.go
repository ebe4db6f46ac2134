package vsphere

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/vmware/govmomi/pbm"
	pbmmethods "github.com/vmware/govmomi/pbm/methods"
	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// AnalyzerProfile is the name of HDM's storage policy, without which no VM is
// migrated warm.
const AnalyzerProfile = "HDM Analyzer Profile"

// policies is the way to a vCenter's storage policies. They are at an endpoint
// of their own, which is HTTP even where the rest is in process.
type policies struct {
	soap    *soap.Client
	manager types.ManagedObjectReference
}

// policies opens the way. Calls are in this session: once it is closed, what was
// sent can no longer be applied.
func (s *Session) policies(ctx context.Context) (*policies, error) {
	base := s.vim.Client
	cookie := func() *soap.HeaderElement { return &soap.HeaderElement{Value: s.key} }
	if base == nil {
		base = soap.NewClient(s.client.endpoint.URL, false)
	} else {
		cookie = base.SessionCookie
	}
	sc := base.NewServiceClient(pbm.Path, pbm.Namespace)
	sc.Transport, sc.Cookie, sc.UserAgent = s.client.endpoint.HTTP, cookie, s.client.agent
	res, err := pbmmethods.PbmRetrieveServiceContent(ctx, sc, &pbmtypes.PbmRetrieveServiceContent{This: pbm.ServiceInstance})
	if err != nil {
		return nil, err
	}
	return &policies{soap: sc, manager: res.Returnval.ProfileManager}, nil
}

// storage is the kind of resource that storage policies are for.
var storage = pbmtypes.PbmProfileResourceType{ResourceType: string(pbmtypes.PbmProfileResourceTypeEnumSTORAGE)}

// names are the names of the storage policies, by id.
func (p *policies) names(ctx context.Context) (map[string]string, error) {
	ids, err := pbmmethods.PbmQueryProfile(ctx, p.soap, &pbmtypes.PbmQueryProfile{
		This: p.manager, ResourceType: storage, ProfileCategory: string(pbmtypes.PbmProfileCategoryEnumREQUIREMENT),
	})
	if err != nil || len(ids.Returnval) == 0 {
		return nil, err
	}
	res, err := pbmmethods.PbmRetrieveContent(ctx, p.soap, &pbmtypes.PbmRetrieveContent{This: p.manager, ProfileIds: ids.Returnval})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, o := range res.Returnval {
		names[o.GetPbmProfile().ProfileId.UniqueId] = o.GetPbmProfile().Name
	}
	return names, nil
}

// named is the id of the policy of that name; "" if there is none. Names are
// unique.
func (p *policies) named(ctx context.Context, name string) (string, error) {
	names, err := p.names(ctx)
	for id, n := range names { //hdm:order-safe one at most
		if n == name {
			return id, err
		}
	}
	return "", err
}

// HasPolicy says whether the vCenter has a storage policy of that name.
func (s *Session) HasPolicy(ctx context.Context, name string) (bool, error) {
	id := ""
	p, err := s.policies(ctx)
	if err == nil {
		id, err = p.named(ctx, name)
	}
	return id != "", s.fail("look for", "storage policy "+strconv.Quote(name), err, reads)
}

// EnsurePolicy makes a storage policy of that name, which asks for HDM's I/O
// filter, unless there is one.
func (s *Session) EnsurePolicy(ctx context.Context, name string) error {
	op, object := "create", "storage policy "+strconv.Quote(name)
	p, err := s.policies(ctx)
	if err != nil {
		return s.fail(op, object, err, reads)
	}
	if id, err := p.named(ctx, name); id != "" || err != nil {
		return s.fail(op, object, err, reads)
	}
	_, err = pbmmethods.PbmCreate(ctx, p.soap, &pbmtypes.PbmCreate{This: p.manager, CreateSpec: pbmtypes.PbmCapabilityProfileCreateSpec{
		Name: name, Description: "Lets HDM's I/O filter see what the VM reads and writes.",
		Category: string(pbmtypes.PbmProfileCategoryEnumREQUIREMENT), ResourceType: storage,
		Constraints: &pbmtypes.PbmCapabilitySubProfileConstraints{SubProfiles: []pbmtypes.PbmCapabilitySubProfile{{
			Name: "HDM I/O filter", Capability: []pbmtypes.PbmCapabilityInstance{filter},
		}}},
	}})
	if FaultName(err) == "PbmDuplicateName" {
		return nil // somebody else was first
	}
	return s.fail(op, object, err, changes)
}

// filter is what the policy asks of storage. No public document of the product
// gives its filter's namespace: this one is ours.
var filter = pbmtypes.PbmCapabilityInstance{
	Id: pbmtypes.PbmCapabilityMetadataUniqueId{Namespace: "hdm.iofilter", Id: "analyzer"},
	Constraint: []pbmtypes.PbmCapabilityConstraintInstance{{PropertyInstance: []pbmtypes.PbmCapabilityPropertyInstance{
		{Id: "enabled", Value: "true"},
	}}},
}

// Policies are the names of the storage policies of the VM's disks, in the order
// of VM.Disks; "" for a disk that has none.
func (s *Session) Policies(ctx context.Context, vm Ref) ([]string, error) {
	const op = "read the storage policies of"
	disks, err := s.virtualDisks(ctx, vm)
	if err != nil {
		return nil, s.fail(op, string(vm), err, reads)
	}
	p, err := s.policies(ctx)
	if err != nil {
		return nil, s.fail(op, string(vm), err, reads)
	}
	ids, err := p.of(ctx, vm, disks)
	if err != nil {
		return nil, s.fail(op, string(vm), err, reads)
	}
	names, err := p.names(ctx)
	if err != nil {
		return nil, s.fail(op, string(vm), err, reads)
	}
	list := make([]string, len(disks))
	for i, id := range ids {
		if id != "" {
			list[i] = cmp.Or(names[id], id) // one that was deleted since
		}
	}
	return list, nil
}

// of are the ids of the policies of disks; "" for one that has none.
func (p *policies) of(ctx context.Context, vm Ref, disks []*types.VirtualDisk) ([]string, error) {
	ids := make([]string, len(disks))
	if len(disks) == 0 {
		return ids, nil
	}
	req := pbmtypes.PbmQueryAssociatedProfiles{This: p.manager}
	for _, d := range disks {
		req.Entities = append(req.Entities, pbmtypes.PbmServerObjectRef{
			ObjectType: string(pbmtypes.PbmObjectTypeVirtualDiskId), Key: fmt.Sprintf("%s:%d", vm.managed().Value, d.Key),
		})
	}
	res, err := pbmmethods.PbmQueryAssociatedProfiles(ctx, p.soap, &req)
	if err != nil {
		return nil, err
	}
	for _, r := range res.Returnval { // in an order that no vCenter promises
		i := slices.IndexFunc(req.Entities, func(e pbmtypes.PbmServerObjectRef) bool { return e.Key == r.Object.Key })
		switch {
		case i < 0:
		case r.Fault != nil:
			return nil, faultError{r.Fault}
		case len(r.ProfileId) > 0:
			ids[i] = r.ProfileId[0].UniqueId
		}
	}
	return ids, nil
}

func (s *Session) virtualDisks(ctx context.Context, vm Ref) (disks []*types.VirtualDisk, err error) {
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "config.hardware.device"); err != nil || v.Config == nil {
		return nil, err
	}
	for _, d := range v.Config.Hardware.Device {
		if disk, ok := d.(*types.VirtualDisk); ok {
			disks = append(disks, disk)
		}
	}
	return disks, nil
}

// ApplyPolicy gives the storage policy of that name to the VM and all its disks.
// It does nothing if all disks have it. A policy that is not there is refused.
func (s *Session) ApplyPolicy(ctx context.Context, vm Ref, name string) error {
	op := "give the storage policy " + strconv.Quote(name) + " to"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	disks, err := s.virtualDisks(ctx, vm)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	p, err := s.policies(ctx)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	id, err := p.named(ctx, name)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	if id == "" {
		return s.refuse(op, string(vm), "the vCenter has no such policy", "create it, or prepare HDM anew")
	}
	now, err := p.of(ctx, vm, disks)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	if len(now) > 0 && !slices.ContainsFunc(now, func(has string) bool { return has != id }) {
		return nil
	}
	return s.setPolicy(ctx, op, vm, disks, &types.VirtualMachineDefinedProfileSpec{ProfileId: id})
}

// RemovePolicy takes the storage policy of that name off the VM and all its disks.
// Disks with another one are left alone, and so is the VM if no disk has it.
//
// API: VirtualMachine.ReconfigVM_Task with a VirtualMachineEmptyProfileSpec.
func (s *Session) RemovePolicy(ctx context.Context, vm Ref, name string) error {
	op := "take the storage policy " + strconv.Quote(name) + " off"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	disks, err := s.virtualDisks(ctx, vm)
	if err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	now, err := s.Policies(ctx, vm)
	if err != nil {
		return err
	}
	var with []*types.VirtualDisk
	for i, d := range disks {
		if i < len(now) && now[i] == name {
			with = append(with, d)
		}
	}
	if len(with) == 0 {
		return nil
	}
	return s.setPolicy(ctx, op, vm, with, &types.VirtualMachineEmptyProfileSpec{})
}

// setPolicy gives the VM and these disks of it a profile.
func (s *Session) setPolicy(ctx context.Context, op string, vm Ref, disks []*types.VirtualDisk, to types.BaseVirtualMachineProfileSpec) error {
	profile := []types.BaseVirtualMachineProfileSpec{to}
	spec := types.VirtualMachineConfigSpec{VmProfile: profile}
	for _, d := range disks {
		spec.DeviceChange = append(spec.DeviceChange, &types.VirtualDeviceConfigSpec{
			Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: d, Profile: profile,
		})
	}
	return s.reconfigure(ctx, op, vm, spec)
}

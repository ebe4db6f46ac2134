package vsphere

import (
	"context"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// Marks live in a VM's extraConfig, where they survive the appliance, a rename
// and a move, and go with the VM when it is destroyed.
const (
	markPrefix = "hdm."
	// MarkImport holds the key of the import that made the VM, from the moment
	// the VM exists.
	MarkImport = "hdm.import"
	// MarkWhole holds the same key once all of the VM's disks have arrived.
	MarkWhole = "hdm.whole"
	// MarkMade holds the key of what made the VM, if that was no import: a
	// creation or a clone. The VM has it from the moment it exists.
	MarkMade = "hdm.made"
)

// FindMarked lists the VMs that the import with this mark made, whole or not:
// those with MarkImport = mark, by name.
func (s *Session) FindMarked(ctx context.Context, mark string) ([]VM, error) {
	return s.find(ctx, MarkImport, mark)
}

// FindMade lists the VMs that were created or cloned with this mark: those with
// MarkMade = mark, by name.
func (s *Session) FindMade(ctx context.Context, mark string) ([]VM, error) {
	return s.find(ctx, MarkMade, mark)
}

func (s *Session) find(ctx context.Context, key, mark string) ([]VM, error) {
	refs, err := s.withMark(ctx, key, mark)
	if err != nil {
		return nil, err
	}
	var found []VM
	for _, r := range refs {
		vm, err := s.VM(ctx, refOf(r))
		if isFault[types.ManagedObjectNotFound](err) {
			continue
		} else if err != nil {
			return nil, err
		}
		found = append(found, vm)
	}
	slices.SortFunc(found, byName)
	return found, nil
}

// withMark lists the VMs that have a mark.
func (s *Session) withMark(ctx context.Context, key, mark string) ([]types.ManagedObjectReference, error) {
	op, object := "look for", "VMs marked "+mark
	content, err := s.under(ctx, toVMs(), types.PropertySpec{Type: "VirtualMachine", PathSet: []string{"config.extraConfig"}})
	if err != nil {
		return nil, s.fail(op, object, err, reads)
	}
	var all []mo.VirtualMachine
	if err := mo.LoadObjectContent(content, &all); err != nil {
		return nil, s.fail(op, object, err, reads)
	}
	var found []types.ManagedObjectReference
	for _, m := range all {
		if m.Config != nil && marks(m.Config.ExtraConfig)[key] == mark {
			found = append(found, m.Self)
		}
	}
	return found, nil
}

// SetMark writes a mark; key begins with "hdm.".
func (s *Session) SetMark(ctx context.Context, vm Ref, key, value string) error {
	if !strings.HasPrefix(key, markPrefix) {
		return s.refuse("mark", string(vm), "the key "+key+" does not begin with "+markPrefix, "")
	}
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "config.extraConfig"); err != nil {
		return s.fail("mark", string(vm), err, reads)
	}
	if v.Config != nil && marks(v.Config.ExtraConfig)[key] == value {
		return nil
	}
	return s.reconfigure(ctx, "mark", vm, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{option(key, value)}})
}

func option(key, value string) *types.OptionValue { return &types.OptionValue{Key: key, Value: value} }

func marks(extra []types.BaseOptionValue) map[string]string {
	found := map[string]string{}
	for _, o := range extra {
		v := o.GetOptionValue()
		if text, ok := v.Value.(string); ok && text != "" && strings.HasPrefix(v.Key, markPrefix) {
			found[v.Key] = text
		}
	}
	return found
}

// reconfigure changes a VM's configuration and waits for it.
func (s *Session) reconfigure(ctx context.Context, op string, vm Ref, spec types.VirtualMachineConfigSpec) error {
	res, err := methods.ReconfigVM_Task(ctx, s.vim, &types.ReconfigVM_Task{This: vm.managed(), Spec: spec})
	if err != nil {
		return s.fail(op, string(vm), err, changes)
	}
	err = s.await(ctx, op, string(vm), res.Returnval)
	return err
}

// Destroy deletes a VM that is off, with its disks. It does nothing if the VM
// is gone.
func (s *Session) Destroy(ctx context.Context, vm Ref) error {
	const op = "destroy"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	now, err := s.powerState(ctx, vm)
	if err == nil && now.power != types.VirtualMachinePowerStatePoweredOff {
		return s.refuse(op, string(vm), "it is "+string(now.power), "power it off first, if it is not needed")
	}
	if err == nil {
		var res *types.Destroy_TaskResponse
		if res, err = methods.Destroy_Task(ctx, s.vim, &types.Destroy_Task{This: vm.managed()}); err == nil {
			err = s.await(ctx, op, string(vm), res.Returnval)
		}
	}
	if isFault[types.ManagedObjectNotFound](err) {
		return nil
	}
	return s.fail(op, string(vm), err, changes)
}

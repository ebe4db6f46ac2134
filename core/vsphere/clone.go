package vsphere

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// LinkedClone makes a linked clone of the VM's snapshot with this mark, beside
// the VM and powered off, unless there is one with mark. Its disks stand on
// those of the snapshot, with the same content; it has none of the VM's marks,
// and identifiers of its own. It refuses a VM without the snapshot.
func (s *Session) LinkedClone(ctx context.Context, vm Ref, snapshotMark, name, mark string) (Ref, error) {
	return s.linkedClone(ctx, vm, snapshotMark, name, mark, func(Ref) (spec types.VirtualMachineConfigSpec, err error) { return spec, nil })
}

// linkedClone makes a linked clone whose configuration differs from that of the
// snapshot by its marks, and by what config says.
func (s *Session) linkedClone(ctx context.Context, vm Ref, snapshotMark, name, mark string, config func(snapshot Ref) (types.VirtualMachineConfigSpec, error)) (Ref, error) {
	op, object := "clone", string(vm)
	if mark == "" {
		return "", s.refuse(op, object, "the clone is to have no mark to be found by", "")
	}
	// One that was ordered before and is still being made has no mark to be found
	// by yet. Its task is on the VM.
	if err := s.Settle(ctx, vm); err != nil {
		return "", err
	}
	if made, err := s.made(ctx, mark); made != "" || err != nil {
		return made, err
	}
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "snapshot", "parent", "resourcePool"); err != nil {
		return "", s.fail(op, object, err, reads)
	}
	found, ok := marked(snapshotTree(v.Snapshot), snapshotMark)
	if !ok {
		return "", s.refuse(op, object, "it has no snapshot with the mark "+strconv.Quote(snapshotMark), "take the snapshot first")
	}
	folder, err := s.vmFolder(ctx, refOfPtr(v.Parent), refOfPtr(v.ResourcePool))
	if err != nil {
		return "", s.fail(op, object, err, reads)
	}
	extra, err := s.cloneMarks(ctx, found.Ref, mark)
	if err != nil {
		return "", s.fail(op, object, err, reads)
	}
	spec, err := config(found.Ref)
	if err != nil {
		return "", s.fail(op, object, err, reads)
	}
	spec.ExtraConfig = append(extra, spec.ExtraConfig...)
	snapshot := found.Ref.managed()
	res, err := methods.CloneVM_Task(ctx, s.vim, &types.CloneVM_Task{
		This: vm.managed(), Folder: folder, Name: name, Spec: types.VirtualMachineCloneSpec{
			Location: types.VirtualMachineRelocateSpec{DiskMoveType: string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)},
			Snapshot: &snapshot, Config: &spec,
		},
	})
	if err != nil {
		return "", s.fail(op, object, err, changes)
	}
	return s.awaitVM(ctx, op, object, res.Returnval)
}

// cloneMarks takes the marks of the snapshot's configuration off a clone, and
// puts its own there.
func (s *Session) cloneMarks(ctx context.Context, snapshot Ref, mark string) ([]types.BaseOptionValue, error) {
	var o mo.VirtualMachineSnapshot
	if err := s.one(ctx, snapshot.managed(), &o, "config.extraConfig"); err != nil {
		return nil, err
	}
	var extra []types.BaseOptionValue
	for _, key := range slices.Sorted(maps.Keys(marks(o.Config.ExtraConfig))) {
		if key != MarkMade {
			extra = append(extra, option(key, ""))
		}
	}
	return append(extra, option(MarkMade, mark)), nil
}

// Rename gives a VM another name. It does nothing if it has it. A name that
// another VM has is refused.
func (s *Session) Rename(ctx context.Context, vm Ref, name string) error {
	const op = "rename"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "name"); err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	if v.Name == name {
		return nil
	}
	res, err := methods.Rename_Task(ctx, s.vim, &types.Rename_Task{This: vm.managed(), NewName: name})
	if err != nil {
		return s.fail(op, string(vm), err, changes)
	}
	return s.await(ctx, op, string(vm), res.Returnval)
}

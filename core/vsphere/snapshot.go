package vsphere

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// snapshotMark stands before the mark in a snapshot's description.
const snapshotMark = "HDM mark: "

// EnsureSnapshot takes a snapshot of the VM's disks, without its memory, unless
// the VM has one with this mark. Its name is prefix and the next free number,
// from 1.
func (s *Session) EnsureSnapshot(ctx context.Context, vm Ref, mark, prefix string) (Snapshot, error) {
	return s.ensureSnapshot(ctx, vm, mark, "Taken by HDM before the VM was moved.", func(tree []Snapshot) string { return nextName(tree, prefix) })
}

// EnsureTrialSnapshot is EnsureSnapshot for a snapshot that is to be removed soon,
// of that very name.
func (s *Session) EnsureTrialSnapshot(ctx context.Context, vm Ref, mark, name string) (Snapshot, error) {
	return s.ensureSnapshot(ctx, vm, mark, "Taken by HDM to try whether the VM boots.", func([]Snapshot) string { return name })
}

func (s *Session) ensureSnapshot(ctx context.Context, vm Ref, mark, why string, naming func([]Snapshot) string) (Snapshot, error) {
	const op = "snapshot"
	// One that was ordered before and is still being taken has no mark to be
	// found by yet.
	if err := s.Settle(ctx, vm); err != nil {
		return Snapshot{}, err
	}
	tree, err := s.snapshots(ctx, vm)
	if err != nil {
		return Snapshot{}, s.fail(op, string(vm), err, reads)
	}
	if found, ok := marked(tree, mark); ok {
		return found, nil
	}
	name := naming(tree)
	res, err := methods.CreateSnapshot_Task(ctx, s.vim, &types.CreateSnapshot_Task{
		This: vm.managed(), Name: name, Description: why + "\n" + snapshotMark + mark,
	})
	if err != nil {
		return Snapshot{}, s.fail(op, string(vm), err, changes)
	}
	if err := s.await(ctx, op, string(vm), res.Returnval); err != nil {
		return Snapshot{}, err
	}
	if tree, err = s.snapshots(ctx, vm); err != nil {
		return Snapshot{}, s.fail(op, string(vm), err, reads)
	}
	found, ok := marked(tree, mark)
	if !ok {
		return Snapshot{}, s.retry(op, string(vm), fmt.Sprintf("the task that took %q ended well, but the VM has no such snapshot", name), "")
	}
	return found, nil
}

// RemoveSnapshot removes the snapshot with this mark and keeps its children.
// It does nothing if there is none.
func (s *Session) RemoveSnapshot(ctx context.Context, vm Ref, mark string) error {
	return s.removeSnapshot(ctx, vm, func(n Snapshot) bool { return n.has(mark) })
}

// RemoveSnapshotNamed is RemoveSnapshot of the only one of that name, as a person
// finds it.
func (s *Session) RemoveSnapshotNamed(ctx context.Context, vm Ref, name string) error {
	return s.removeSnapshot(ctx, vm, func(n Snapshot) bool { return n.Name == name })
}

func (s *Session) removeSnapshot(ctx context.Context, vm Ref, is func(Snapshot) bool) error {
	const op = "remove the snapshot of"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	found, err := s.snapshotThat(ctx, op, vm, is)
	if err != nil || found.Ref == "" {
		return err
	}
	res, err := methods.RemoveSnapshot_Task(ctx, s.vim, &types.RemoveSnapshot_Task{
		This: found.Ref.managed(), RemoveChildren: false, Consolidate: types.NewBool(true),
	})
	if err == nil {
		err = s.await(ctx, op, string(vm), res.Returnval)
	}
	if isFault[types.ManagedObjectNotFound](err) {
		return nil
	}
	return s.fail(op, string(vm), err, changes)
}

// RevertToSnapshot takes the VM's disks and configuration, its marks too, back
// to the snapshot with this mark, and leaves it off. What was written since is
// lost; the snapshot stays. It refuses a VM without the snapshot.
func (s *Session) RevertToSnapshot(ctx context.Context, vm Ref, mark string) error {
	return s.revert(ctx, vm, "with the mark "+strconv.Quote(mark), func(n Snapshot) bool { return n.has(mark) })
}

// RevertToSnapshotNamed is RevertToSnapshot to the only one of that name, as a
// person finds it.
func (s *Session) RevertToSnapshotNamed(ctx context.Context, vm Ref, name string) error {
	return s.revert(ctx, vm, strconv.Quote(name), func(n Snapshot) bool { return n.Name == name })
}

func (s *Session) revert(ctx context.Context, vm Ref, which string, is func(Snapshot) bool) error {
	const op = "revert"
	if err := s.Settle(ctx, vm); err != nil {
		return err
	}
	found, err := s.snapshotThat(ctx, op, vm, is)
	if err != nil {
		return err
	}
	if found.Ref == "" {
		return s.refuse(op, string(vm), "it has no snapshot "+which, "its disks stay as they are")
	}
	res, err := methods.RevertToSnapshot_Task(ctx, s.vim, &types.RevertToSnapshot_Task{
		This: found.Ref.managed(), SuppressPowerOn: types.NewBool(true),
	})
	if err != nil {
		return s.fail(op, string(vm), err, changes)
	}
	return s.await(ctx, op, string(vm), res.Returnval)
}

// snapshotThat is the one snapshot that is meant; none: an empty one.
func (s *Session) snapshotThat(ctx context.Context, op string, vm Ref, is func(Snapshot) bool) (found Snapshot, err error) {
	tree, err := s.snapshots(ctx, vm)
	if err != nil {
		return found, s.fail(op, string(vm), err, reads)
	}
	for _, n := range tree {
		switch {
		case !is(n):
		case found.Ref != "":
			return found, s.refuse(op, string(vm), "it has several snapshots "+strconv.Quote(n.Name), "give them names that differ")
		default:
			found = n
		}
	}
	return found, nil
}

func (s *Session) snapshots(ctx context.Context, vm Ref) ([]Snapshot, error) {
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "snapshot"); err != nil {
		return nil, err
	}
	return snapshotTree(v.Snapshot), nil
}

// snapshotTree lists a tree, parents before children.
func snapshotTree(info *types.VirtualMachineSnapshotInfo) []Snapshot {
	if info == nil {
		return nil
	}
	var list []Snapshot
	var walk func(nodes []types.VirtualMachineSnapshotTree, parent Ref)
	walk = func(nodes []types.VirtualMachineSnapshotTree, parent Ref) {
		for _, n := range nodes {
			ref := refOf(n.Snapshot)
			list = append(list, Snapshot{
				Ref: ref, Name: n.Name, Description: n.Description, Parent: parent,
				Current: info.CurrentSnapshot != nil && *info.CurrentSnapshot == n.Snapshot,
			})
			walk(n.ChildSnapshotList, ref)
		}
	}
	walk(info.RootSnapshotList, "")
	return list
}

func marked(tree []Snapshot, mark string) (Snapshot, bool) {
	for _, n := range tree {
		if n.has(mark) {
			return n, true
		}
	}
	return Snapshot{}, false
}

// has says whether the snapshot bears this mark.
func (n Snapshot) has(mark string) bool {
	for line := range strings.Lines(n.Description) {
		if strings.TrimSuffix(line, "\n") == snapshotMark+mark {
			return true
		}
	}
	return false
}

func nextName(tree []Snapshot, prefix string) string {
	highest := 0
	for _, n := range tree {
		if number, ok := strings.CutPrefix(n.Name, prefix); ok {
			if i, err := strconv.Atoi(number); err == nil {
				highest = max(highest, i)
			}
		}
	}
	return prefix + strconv.Itoa(highest+1)
}

package vsphere

import (
	"context"
	"fmt"
	"strconv"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// poolDepth bounds the way from a VM's pool up to the root pool: vSphere
// allows eight levels below it.
const poolDepth = 16

// EnsurePool finds or makes the resource pool of that name directly under the
// root pool of the cluster or host that vm is on. Its shares are normal and
// its limits open. The name is the mark: vSphere has each name once.
func (s *Session) EnsurePool(ctx context.Context, vm Ref, name string) (Ref, error) {
	op, object := "make pool", strconv.Quote(name)
	root, err := s.rootPool(ctx, vm)
	if err != nil {
		return "", s.fail(op, object, err, reads)
	}
	if found, err := s.childPool(ctx, root, name); err != nil || found != "" {
		return found, s.fail(op, object, err, reads)
	}
	res, err := methods.CreateResourcePool(ctx, s.vim, &types.CreateResourcePool{
		This: root, Name: name, Spec: types.DefaultResourceConfigSpec(),
	})
	if isFault[types.DuplicateName](err) { // another migration was faster
		if found, err := s.childPool(ctx, root, name); err != nil || found != "" {
			return found, s.fail(op, object, err, reads)
		}
	}
	if err != nil {
		return "", s.fail(op, object, err, changes)
	}
	return refOf(res.Returnval), nil
}

func (s *Session) rootPool(ctx context.Context, vm Ref) (types.ManagedObjectReference, error) {
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "resourcePool"); err != nil {
		return types.ManagedObjectReference{}, err
	}
	if v.ResourcePool == nil {
		return types.ManagedObjectReference{}, fmt.Errorf("%s has no pool: it is a template", vm)
	}
	at := *v.ResourcePool
	for range poolDepth {
		var p mo.ResourcePool
		if err := s.one(ctx, at, &p, "parent"); err != nil {
			return at, err
		}
		if p.Parent == nil || p.Parent.Type != "ResourcePool" && p.Parent.Type != "VirtualApp" {
			return at, nil
		}
		at = *p.Parent
	}
	return at, fmt.Errorf("no root pool within %d levels above %s", poolDepth, vm)
}

func (s *Session) childPool(ctx context.Context, parent types.ManagedObjectReference, name string) (Ref, error) {
	var p mo.ResourcePool
	if err := s.one(ctx, parent, &p, "resourcePool"); err != nil {
		return "", err
	}
	var children []mo.ResourcePool
	if err := s.several(ctx, p.ResourcePool, &children, "name"); err != nil {
		return "", err
	}
	for _, c := range children {
		if c.Name == name {
			return refOf(c.Self), nil
		}
	}
	return "", nil
}

// MoveIntoPool moves a VM into a pool of its own cluster. It does nothing if
// the VM is in it.
func (s *Session) MoveIntoPool(ctx context.Context, vm, pool Ref) error {
	const op = "move into a pool"
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "resourcePool"); err != nil {
		return s.fail(op, string(vm), err, reads)
	}
	if refOfPtr(v.ResourcePool) == pool {
		return nil
	}
	_, err := methods.MoveIntoResourcePool(ctx, s.vim, &types.MoveIntoResourcePool{
		This: pool.managed(), List: []types.ManagedObjectReference{vm.managed()},
	})
	return s.fail(op, string(vm), err, changes)
}

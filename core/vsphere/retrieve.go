package vsphere

import (
	"context"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// Properties are read with RetrievePropertiesEx alone: no filter, view or
// collector of ours lives in the vCenter between two calls.

// managed is the vSphere form of a Ref.
func (r Ref) managed() types.ManagedObjectReference {
	kind, value, _ := strings.Cut(string(r), ":")
	return types.ManagedObjectReference{Type: kind, Value: value}
}

func refOf(r types.ManagedObjectReference) Ref { return Ref(r.Type + ":" + r.Value) }

func refOfPtr(r *types.ManagedObjectReference) Ref {
	if r == nil {
		return ""
	}
	return refOf(*r)
}

// read fetches what specs ask for, page by page as the vCenter likes.
func (s *Session) read(ctx context.Context, spec types.PropertyFilterSpec) ([]types.ObjectContent, error) {
	return mo.RetrievePropertiesEx(ctx, s.vim, types.RetrievePropertiesEx{
		This: s.vim.ServiceContent.PropertyCollector, SpecSet: []types.PropertyFilterSpec{spec},
	})
}

// one reads properties of one object into dst, a *mo.T.
func (s *Session) one(ctx context.Context, obj types.ManagedObjectReference, dst any, paths ...string) error {
	content, err := s.read(ctx, types.PropertyFilterSpec{
		PropSet:   []types.PropertySpec{{Type: obj.Type, PathSet: paths}},
		ObjectSet: []types.ObjectSpec{{Obj: obj}},
	})
	if err != nil {
		return err
	}
	if len(content) == 0 {
		return faultError{&types.LocalizedMethodFault{
			Fault:            &types.ManagedObjectNotFound{Obj: obj},
			LocalizedMessage: fmt.Sprintf("%s:%s does not exist", obj.Type, obj.Value),
		}}
	}
	return mo.LoadObjectContent(content, dst)
}

// several reads properties of objects of one type into dst, a *[]mo.T.
func (s *Session) several(ctx context.Context, objs []types.ManagedObjectReference, dst any, paths ...string) error {
	if len(objs) == 0 {
		return nil
	}
	spec := types.PropertyFilterSpec{PropSet: []types.PropertySpec{{Type: objs[0].Type, PathSet: paths}}}
	for _, o := range objs {
		spec.ObjectSet = append(spec.ObjectSet, types.ObjectSpec{Obj: o})
	}
	content, err := s.read(ctx, spec)
	if err != nil {
		return err
	}
	return mo.LoadObjectContent(content, dst)
}

// under reads properties of everything below the root folder that props name.
func (s *Session) under(ctx context.Context, ways []types.BaseSelectionSpec, props ...types.PropertySpec) ([]types.ObjectContent, error) {
	return s.read(ctx, types.PropertyFilterSpec{
		PropSet: props,
		ObjectSet: []types.ObjectSpec{{
			Obj: s.vim.ServiceContent.RootFolder, Skip: types.NewBool(true), SelectSet: ways,
		}},
	})
}

// way is one step of a traversal: from objects of type kind along path, and
// from there on along next, by name.
func way(name, kind, path string, next ...string) *types.TraversalSpec {
	t := &types.TraversalSpec{SelectionSpec: types.SelectionSpec{Name: name}, Type: kind, Path: path, Skip: types.NewBool(false)}
	for _, n := range next {
		t.SelectSet = append(t.SelectSet, &types.SelectionSpec{Name: n})
	}
	return t
}

// toVMs leads from the root folder to every VM and template, by way of the
// hosts that they are registered on: a vApp hides its VMs from the folders.
func toVMs() []types.BaseSelectionSpec {
	return []types.BaseSelectionSpec{
		way("folders", "Folder", "childEntity", "folders", "datacenters", "hosts"),
		way("datacenters", "Datacenter", "hostFolder", "folders"),
		way("hosts", "ComputeResource", "host", "vms"),
		way("vms", "HostSystem", "vm"),
	}
}

// toResources leads from the root folder to hosts, pools, datastores and
// networks.
func toResources() []types.BaseSelectionSpec {
	return []types.BaseSelectionSpec{
		way("folders", "Folder", "childEntity", "folders", "clusters", "datastores", "networks", "hosts", "pools"),
		way("clusters", "Datacenter", "hostFolder", "folders"),
		way("datastores", "Datacenter", "datastore"),
		way("networks", "Datacenter", "network"),
		way("hosts", "ComputeResource", "host"),
		way("pools", "ComputeResource", "resourcePool", "subpools"),
		way("subpools", "ResourcePool", "resourcePool", "subpools"),
	}
}

package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// IOFilterName is the name of HDM's I/O filter in vSphere, and the key of its
// daemon among the services of a host.
const IOFilterName = "praapa"

// Filter is an I/O filter that is installed on a cluster.
type Filter struct {
	ID      string
	Name    string
	Version string
}

// Filters are the I/O filters of a cluster, in the vCenter's order.
//
// API: IoFilterManager.QueryIoFilterInfo.
func (s *Session) Filters(ctx context.Context, cluster Ref) ([]Filter, error) {
	op, object := "list the I/O filters of", string(cluster)
	manager := s.vim.ServiceContent.IoFilterManager
	if manager == nil {
		return nil, s.refuse(op, object, "the vCenter has no I/O filters", "HDM needs vSphere 6.0 or newer")
	}
	res, err := methods.QueryIoFilterInfo(ctx, s.vim, &types.QueryIoFilterInfo{This: *manager, CompRes: cluster.managed()})
	if err != nil {
		return nil, s.fail(op, object, err, reads)
	}
	var list []Filter
	for _, f := range res.Returnval {
		list = append(list, Filter{ID: f.Id, Name: f.Name, Version: f.Version})
	}
	return list, nil
}

// InstallFilter installs HDM's I/O filter from the package at that URL on all
// hosts of a cluster, unless the cluster has it, in whatever version.
//
// API: IoFilterManager.InstallIoFilter_Task.
func (s *Session) InstallFilter(ctx context.Context, cluster Ref, url string) error {
	op, object := "install the I/O filter on", string(cluster)
	// One that was ordered before and is still being installed is not in the list
	// yet; ordered again it is there already.
	if has, err := s.hasFilter(ctx, cluster); has || err != nil {
		return err
	}
	res, err := methods.InstallIoFilter_Task(ctx, s.vim, &types.InstallIoFilter_Task{
		This: *s.vim.ServiceContent.IoFilterManager, VibUrl: url, CompRes: cluster.managed(),
	})
	if err == nil {
		err = s.await(ctx, op, object, res.Returnval)
	}
	if isFault[types.AlreadyExists](err) {
		if has, e := s.hasFilter(ctx, cluster); has || e != nil {
			return e
		}
	}
	return s.fail(op, object, err, changes)
}

func (s *Session) hasFilter(ctx context.Context, cluster Ref) (bool, error) {
	list, err := s.Filters(ctx, cluster)
	for _, f := range list {
		if f.Name == IOFilterName {
			return true, nil
		}
	}
	return false, err
}

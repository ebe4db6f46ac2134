package vcenter

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

// An I/O filter is installed on all hosts of a cluster, and on those that come
// to it later. On each it has a daemon, which is a service of the host: it starts
// with the host, unless its policy says otherwise. What the filter sees of the
// VMs' I/O is not here.

// FilterDaemon is the key of the filter's daemon among a host's services.
const FilterDaemon = "praapa"

const filterLabel = "PrimaryIO I/O filter daemon"

// daemon is that of the I/O filter on one host.
type daemon struct {
	installed bool
	up        bool
	epoch     uint64 // grows with each start; 0: it never did
}

// Filter is the daemon of the I/O filter on a host.
type Filter struct {
	Host      string
	Installed bool
	Up        bool   // it runs
	Boot      uint64 // of the host, from 1
	Epoch     uint64 // of the daemon, from 1; 0: it has never run
}

// Filters are the daemons of all hosts, in the order of the hosts.
func (vc *VCenter) Filters() (list []Filter) {
	vc.do(func() {
		for _, o := range vc.hostOrder {
			h := vc.hostOf(o.Self)
			list = append(list, Filter{o.Name, h.daemon.installed, h.daemon.up, h.boot, h.daemon.epoch})
		}
	})
	return list
}

// OnFilter has f called, in the order of changes, when a daemon has started or
// ended. One that restarts is told of twice.
func (vc *VCenter) OnFilter(f func(host string, up bool, epoch uint64)) {
	vc.do(func() { vc.filterWatch = append(vc.filterWatch, f) })
}

// onDaemon runs f on a host that is up and has the filter.
func (vc *VCenter) onDaemon(name string, f func(*host) error) error {
	return vc.onHost(name, func(h *host) error {
		switch {
		case h.dark:
			return &HostStateError{name, string(h.connection()), "up"}
		case !h.daemon.installed:
			return &NotFoundError{"I/O filter on host", name}
		}
		return f(h)
	})
}

// RestartFilter restarts the daemon of the I/O filter on a host, or starts it.
// Errors: *NotFoundError, *HostStateError for a host that is down.
func (vc *VCenter) RestartFilter(name string) error {
	return vc.onDaemon(name, func(h *host) error {
		vc.daemonDown(h)
		vc.daemonUp(h)
		return nil
	})
}

// StopFilter ends the daemon of the I/O filter on a host, or starts it again.
// Errors: as of RestartFilter; *HostStateError also for one that is so already.
func (vc *VCenter) StopFilter(name string, stopped bool) error {
	return vc.onDaemon(name, func(h *host) error {
		switch {
		case stopped && !h.daemon.up:
			return &HostStateError{name, "without an I/O filter that runs", "with one"}
		case !stopped && h.daemon.up:
			return &HostStateError{name, "with an I/O filter that runs", "without one"}
		case stopped:
			vc.daemonDown(h)
		default:
			vc.daemonUp(h)
		}
		return nil
	})
}

func (vc *VCenter) daemonUp(h *host) {
	if h.daemon.up {
		return
	}
	h.daemon.up = true
	h.daemon.epoch++
	vc.showService(h, FilterDaemon, true)
	vc.tellDaemon(h)
}

func (vc *VCenter) daemonDown(h *host) {
	if !h.daemon.up {
		return
	}
	h.daemon.up = false
	vc.showService(h, FilterDaemon, false)
	vc.tellDaemon(h)
}

func (vc *VCenter) tellDaemon(h *host) {
	name, up, epoch := h.obj.Name, h.daemon.up, h.daemon.epoch
	state := "down"
	if up {
		state = "up"
	}
	vc.changed(event.HostFilter, vc.subject(name), "state", state, "epoch", strconv.FormatUint(epoch, 10))
	for _, f := range vc.filterWatch {
		vc.queue = append(vc.queue, func() { f(name, up, epoch) })
	}
}

// remedy gives a host that is seen what its cluster has, and takes from it what
// its cluster has no more.
func (vc *VCenter) remedy(h *host) {
	want := vc.filters[*h.obj.Parent] != nil
	if want == h.daemon.installed || h.connection() != hostConnected {
		return
	}
	services := h.services.ServiceInfo.Service
	if h.daemon.installed = want; want {
		vc.setServices(h, append(slices.Clone(services), types.HostService{
			Key: FilterDaemon, Label: filterLabel, Uninstallable: true, Policy: string(types.HostServicePolicyOn),
			SourcePackage: &types.HostServiceSourcePackage{SourcePackageName: vc.filters[*h.obj.Parent].Name, Description: filterLabel},
		}))
		vc.daemonUp(h)
		return
	}
	vc.daemonDown(h)
	vc.setServices(h, slices.DeleteFunc(slices.Clone(services), func(s types.HostService) bool { return s.Key == FilterDaemon }))
}

// ioFilters is the IoFilterManager.
type ioFilters struct{ mo.IoFilterManager }

// registerFilters puts it where the service content says.
func (vc *VCenter) registerFilters() {
	m := new(ioFilters)
	m.Self = *vc.content().IoFilterManager
	vc.reg.Put(m)
}

// filterCalls: vcsim has none.
type filterCalls struct{ call }

// cluster is the one that a call is about.
func (c *filterCalls) cluster(r ref) (*simulator.ClusterComputeResource, *soap.Fault) {
	o, ok := c.vc.reg.Get(r).(*simulator.ClusterComputeResource)
	if !ok {
		return nil, fault(&types.InvalidArgument{InvalidProperty: "compRes"}, "%s is no cluster", r)
	}
	return o, nil
}

// filterInfo reads what a filter is off the URL of its package: the file
// "praapa-2.1.0.vib" is version 2.1.0 of praapa.
func filterInfo(vib string) (*types.ClusterIoFilterInfo, bool) {
	u, err := url.Parse(vib)
	if err != nil || u.Host == "" {
		return nil, false
	}
	file := path.Base(u.Path)
	file = strings.TrimSuffix(file, path.Ext(file))
	if file == "" || file == "." {
		return nil, false
	}
	name, version, found := strings.Cut(file, "-")
	if !found {
		version = "1.0.0"
	}
	const vendor = "PRIMARYIO"
	return &types.ClusterIoFilterInfo{
		IoFilterInfo: types.IoFilterInfo{
			Id: vendor + "_bootbank_" + name + "_" + version, Name: name, Vendor: vendor, Version: version,
			Type: string(types.IoFilterTypeReplication), Summary: filterLabel,
		},
		OpType: string(types.IoFilterOperationInstall), VibUrl: vib,
	}, true
}

// InstallIoFilterTask installs a filter on all hosts of a cluster. Hosts that are
// not connected get it when they are. A cluster has one filter at most here.
func (c *filterCalls) InstallIoFilterTask(ctx *simulator.Context, r *types.InstallIoFilter_Task) soap.HasFault {
	b, vc := new(methods.InstallIoFilter_TaskBody), c.vc
	cluster, f := c.cluster(r.CompRes)
	info, ok := filterInfo(r.VibUrl)
	switch {
	case f != nil:
		b.Fault_ = f
	case !ok:
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "vibUrl"}, "%q is no URL of a package", r.VibUrl)
	case vc.filters[cluster.Self] != nil:
		b.Fault_ = fault(&types.AlreadyExists{Name: vc.filters[cluster.Self].Id}, "the cluster %s has the filter %s already", cluster.Name, vc.filters[cluster.Self].Id)
	default:
		b.Res = &types.InstallIoFilter_TaskResponse{Returnval: c.task(ctx, "InstallIoFilter_Task", cluster, func() types.BaseMethodFault {
			if vc.filters[cluster.Self] != nil {
				return &types.AlreadyExists{Name: info.Id}
			}
			vc.filters[cluster.Self] = info
			vc.remedyAll(cluster)
			return nil
		})}
	}
	return b
}

// UninstallIoFilterTask takes the filter off all hosts of a cluster, unless a disk
// uses it.
func (c *filterCalls) UninstallIoFilterTask(ctx *simulator.Context, r *types.UninstallIoFilter_Task) soap.HasFault {
	b, vc := new(methods.UninstallIoFilter_TaskBody), c.vc
	cluster, f := c.cluster(r.CompRes)
	switch {
	case f != nil:
		b.Fault_ = f
	case vc.filters[cluster.Self] == nil || vc.filters[cluster.Self].Id != r.FilterId:
		b.Fault_ = fault(new(types.NotFound), "the cluster %s has no filter %q", cluster.Name, r.FilterId)
	default:
		b.Res = &types.UninstallIoFilter_TaskResponse{Returnval: c.task(ctx, "UninstallIoFilter_Task", cluster, func() types.BaseMethodFault {
			if disks := vc.filtered(cluster); len(disks) > 0 {
				return &types.FilterInUse{Disk: disks}
			}
			delete(vc.filters, cluster.Self)
			vc.remedyAll(cluster)
			return nil
		})}
	}
	return b
}

func (c *filterCalls) task(ctx *simulator.Context, method string, cluster *simulator.ClusterComputeResource, run func() types.BaseMethodFault) ref {
	return c.vc.start(work{
		method: method, entity: cluster.Self, name: cluster.Name, duration: c.vc.config.Timing.InstallFilter, user: ctx.Session.UserName,
		run: func(*simulator.Context) (types.AnyType, types.BaseMethodFault) { return nil, run() },
	})
}

func (vc *VCenter) remedyAll(cluster *simulator.ClusterComputeResource) {
	for _, r := range cluster.Host {
		vc.remedy(vc.hostOf(r))
	}
}

// filtered are the disks in a cluster whose storage policy asks for an I/O filter:
// for a capability in a namespace that says so.
func (vc *VCenter) filtered(cluster *simulator.ClusterComputeResource) (disks []types.VirtualDiskId) {
	for _, m := range vc.order {
		if !slices.Contains(cluster.Host, *m.vm.Runtime.Host) {
			continue
		}
		for _, a := range m.disks {
			if vc.policies.filters(a.profile) {
				disks = append(disks, types.VirtualDiskId{Vm: m.vm.Self, DiskId: a.key})
			}
		}
	}
	return disks
}

// QueryIoFilterInfo tells which filter a cluster has.
func (c *filterCalls) QueryIoFilterInfo(_ *simulator.Context, r *types.QueryIoFilterInfo) soap.HasFault {
	b := new(methods.QueryIoFilterInfoBody)
	cluster, f := c.cluster(r.CompRes)
	if b.Fault_ = f; f != nil {
		return b
	}
	b.Res = new(types.QueryIoFilterInfoResponse)
	if info := c.vc.filters[cluster.Self]; info != nil {
		b.Res.Returnval = append(b.Res.Returnval, *info)
	}
	return b
}

// QueryDisksUsingFilter tells which disks use the filter of a cluster.
func (c *filterCalls) QueryDisksUsingFilter(_ *simulator.Context, r *types.QueryDisksUsingFilter) soap.HasFault {
	b := new(methods.QueryDisksUsingFilterBody)
	cluster, f := c.cluster(r.CompRes)
	if f == nil && (c.vc.filters[cluster.Self] == nil || c.vc.filters[cluster.Self].Id != r.FilterId) {
		f = fault(new(types.NotFound), "the cluster %s has no filter %q", cluster.Name, r.FilterId)
	}
	if b.Fault_ = f; f == nil {
		b.Res = &types.QueryDisksUsingFilterResponse{Returnval: c.vc.filtered(cluster)}
	}
	return b
}

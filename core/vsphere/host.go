package vsphere

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// hostPaths is what describeHost reads.
var hostPaths = []string{"name", "parent", "network", "runtime.connectionState", "runtime.inMaintenanceMode", "runtime.bootTime"}

// Hosts lists the site's hosts by name, without their networks. A host that is
// lost is in the list: the vCenter remembers it.
//
// API: HostSystem.runtime (HostRuntimeInfo: connectionState, bootTime).
func (s *Session) Hosts(ctx context.Context) ([]Host, error) {
	const op, object = "list", "hosts"
	content, err := s.under(ctx, toResources(), types.PropertySpec{Type: "HostSystem", PathSet: hostPaths})
	if err != nil {
		return nil, s.fail(op, object, err, reads)
	}
	var found []mo.HostSystem
	if err := mo.LoadObjectContent(content, &found); err != nil {
		return nil, s.fail(op, object, err, reads)
	}
	var hosts []Host
	for _, o := range found {
		hosts = append(hosts, describeHost(o))
	}
	slices.SortFunc(hosts, func(a, b Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref)) })
	return hosts, nil
}

func describeHost(o mo.HostSystem) Host {
	h := Host{
		Ref: refOf(o.Self), Name: o.Name, Cluster: refOfPtr(o.Parent), Connection: string(o.Runtime.ConnectionState),
		Connected: o.Runtime.ConnectionState == types.HostSystemConnectionStateConnected && !o.Runtime.InMaintenanceMode,
	}
	if o.Runtime.BootTime != nil {
		h.Booted = *o.Runtime.BootTime
	}
	return h
}

// RestartService stops a service of a host, if it runs, and starts it. A host that
// has no such service refuses. Called again after a lost answer, it restarts the
// service again.
//
// API: HostServiceSystem.RestartService.
func (s *Session) RestartService(ctx context.Context, host Ref, key string) error {
	op, object := "restart the service "+strconv.Quote(key)+" of", string(host)
	var h mo.HostSystem
	if err := s.one(ctx, host.managed(), &h, "configManager.serviceSystem"); err != nil {
		return s.fail(op, object, err, reads)
	}
	if h.ConfigManager.ServiceSystem == nil {
		return s.refuse(op, object, "the host does not say what its services are", "reconnect the host")
	}
	_, err := methods.RestartService(ctx, s.vim, &types.RestartService{This: *h.ConfigManager.ServiceSystem, Id: key})
	return s.fail(op, object, err, changes)
}

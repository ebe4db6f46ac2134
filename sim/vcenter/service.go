package vcenter

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// hostServices is a HostServiceSystem of ours in vcsim's registry.
type hostServices struct {
	mo.HostServiceSystem // first: the property collector looks here
	host                 *host
}

// newHost enters what we know of a host beside vcsim's object: it has the
// services of vcsim's template.
func (vc *VCenter) newHost(o *simulator.HostSystem) *host {
	h := &host{obj: o, boot: 1}
	s := &hostServices{host: h}
	s.Self = ref{Type: "HostServiceSystem", Value: "serviceSystem-" + o.Name}
	if o.Config.Service != nil {
		s.ServiceInfo.Service = slices.Clone(o.Config.Service.Service)
	}
	h.services = s
	o.ConfigManager.ServiceSystem = &s.Self
	vc.reg.Put(s)
	vc.runs[o.Self] = h
	vc.remedy(h)
	return h
}

// setServices makes these the services of a host.
func (vc *VCenter) setServices(h *host, list []types.HostService) {
	info := types.HostServiceInfo{Service: list}
	vc.update(vc.ctx(), h.services, set("serviceInfo", info))
	vc.update(vc.ctx(), h.obj, set("config.service", &info))
}

// changeService changes one service of a host.
func (vc *VCenter) changeService(h *host, key string, change func(*types.HostService)) {
	list := slices.Clone(h.services.ServiceInfo.Service)
	for i := range list {
		if list[i].Key == key {
			change(&list[i])
		}
	}
	vc.setServices(h, list)
}

func (vc *VCenter) showService(h *host, key string, running bool) {
	vc.changeService(h, key, func(s *types.HostService) { s.Running = running })
}

// bootServices starts what starts with the host, and nothing else.
func (vc *VCenter) bootServices(h *host) {
	vc.remedy(h)
	for _, s := range slices.Clone(h.services.ServiceInfo.Service) {
		on := s.Policy != string(types.HostServicePolicyOff)
		switch {
		case s.Key != FilterDaemon:
			vc.showService(h, s.Key, on)
		case on:
			vc.daemonUp(h)
		}
	}
}

// hostServiceCalls: vcsim has none.
type hostServiceCalls struct {
	call
	services *hostServices
}

// service finds a service of a host that can be reached.
func (c *hostServiceCalls) service(key string) (types.HostService, *soap.Fault) {
	h := c.services.host
	if f := hostFault(h.obj); f != nil {
		return types.HostService{}, fault(f, "the host %s is %s", h.obj.Name, h.connection())
	}
	for _, s := range c.services.ServiceInfo.Service {
		if s.Key == key {
			return s, nil
		}
	}
	return types.HostService{}, fault(new(types.NotFound), "the host %s has no service %q", h.obj.Name, key)
}

// run starts or stops a service.
func (c *hostServiceCalls) run(key string, on bool) {
	h := c.services.host
	switch {
	case key != FilterDaemon:
		c.vc.showService(h, key, on)
	case on:
		c.vc.daemonUp(h)
	default:
		c.vc.daemonDown(h)
	}
}

// change starts a service that does not run, or stops one that does.
func (c *hostServiceCalls) change(key string, on bool) *soap.Fault {
	s, f := c.service(key)
	switch {
	case f != nil:
		return f
	case on && s.Running:
		return invalidState("the service %s runs already", key)
	case !on && !s.Running:
		return invalidState("the service %s does not run", key)
	}
	c.run(key, on)
	return nil
}

// StartService starts a service that does not run.
func (c *hostServiceCalls) StartService(_ *simulator.Context, r *types.StartService) soap.HasFault {
	if f := c.change(r.Id, true); f != nil {
		return &methods.StartServiceBody{Fault_: f}
	}
	return &methods.StartServiceBody{Res: new(types.StartServiceResponse)}
}

// StopService stops a service that runs.
func (c *hostServiceCalls) StopService(_ *simulator.Context, r *types.StopService) soap.HasFault {
	if f := c.change(r.Id, false); f != nil {
		return &methods.StopServiceBody{Fault_: f}
	}
	return &methods.StopServiceBody{Res: new(types.StopServiceResponse)}
}

// RestartService stops a service, if it runs, and starts it.
func (c *hostServiceCalls) RestartService(_ *simulator.Context, r *types.RestartService) soap.HasFault {
	b := new(methods.RestartServiceBody)
	_, f := c.service(r.Id)
	if b.Fault_ = f; f == nil {
		c.run(r.Id, false)
		c.run(r.Id, true)
		b.Res = new(types.RestartServiceResponse)
	}
	return b
}

// UpdateServicePolicy says whether a service starts with its host.
func (c *hostServiceCalls) UpdateServicePolicy(_ *simulator.Context, r *types.UpdateServicePolicy) soap.HasFault {
	b := new(methods.UpdateServicePolicyBody)
	_, f := c.service(r.Id)
	known := []string{string(types.HostServicePolicyOn), string(types.HostServicePolicyOff), string(types.HostServicePolicyAutomatic)}
	if f == nil && !slices.Contains(known, r.Policy) {
		f = fault(&types.InvalidArgument{InvalidProperty: "policy"}, "%q is no policy of a service", r.Policy)
	}
	if b.Fault_ = f; f == nil {
		c.vc.changeService(c.services.host, r.Id, func(s *types.HostService) { s.Policy = r.Policy })
		b.Res = new(types.UpdateServicePolicyResponse)
	}
	return b
}

// RefreshServices finds nothing new.
func (c *hostServiceCalls) RefreshServices(*simulator.Context, *types.RefreshServices) soap.HasFault {
	return &methods.RefreshServicesBody{Res: new(types.RefreshServicesResponse)}
}

package component

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/datapath"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/wan"
)

// lane is a pair of message gateways, one at each site, and the connection
// between them. What is on it is lost when one of them dies or the WAN goes
// down: the ends of core/gateway, in the VMs with the data, send it again.
type lane struct {
	cloud, premises     string // the VMs
	up                  bool
	breaks              int // so far
	toCloud, toPremises *wan.Stream
}

// lanesOf are the pairs of VMs with message gateways in a plan: the first of
// each site, the second of each, and so on.
func (h *Host) lanesOf(plan []deployment.VM) (lanes []*lane) {
	with := func(s component.Service) (names []string) {
		for _, vm := range plan {
			if slices.Contains(vm.Services, s) {
				names = append(names, vm.Name)
			}
		}
		return names
	}
	cloud, premises := with(component.CloudGateway), with(component.PremMessageGateway)
	for i := range min(len(cloud), len(premises)) {
		lanes = append(lanes, h.lane(cloud[i], premises[i]))
	}
	return lanes
}

// lane is the one between these VMs.
func (h *Host) lane(cloud, premises string) *lane {
	for _, l := range h.lanes {
		if l.cloud == cloud && l.premises == premises {
			return l
		}
	}
	l := &lane{cloud: cloud, premises: premises, toCloud: h.cfg.WAN.Stream(wan.ToCloud), toPremises: h.cfg.WAN.Stream(wan.ToPremises)}
	h.lanes = append(h.lanes, l)
	return l
}

// refresh finds out which lanes are up, and which caches guests reach, and tells
// the services and the guests of changes.
func (h *Host) refresh() {
	changed := false
	for _, l := range h.lanes {
		up := h.runs(l.cloud, component.CloudGateway) && h.runs(l.premises, component.PremMessageGateway) && !h.cfg.WAN.Down(wan.Both)
		if up == l.up {
			continue
		}
		l.up, changed = up, true
		state := "up"
		if !up {
			state = "down"
			l.breaks++
		}
		h.cfg.Kernel.Emit(event.ComponentLane, l.cloud, "premises", l.premises, "state", state)
		for _, n := range h.nodes {
			n.tell(l)
		}
	}
	if changed {
		for _, n := range slices.Clone(h.nodes) {
			n.pump()
		}
	}
	for _, n := range slices.Clone(h.nodes) {
		was := n.serves
		if n.serves = n.cache != nil && n.reached(); n.serves && !was {
			h.resubmit(n)
		}
	}
}

// runs says whether that service of a component VM does its work.
func (h *Host) runs(vm string, s component.Service) bool {
	n := h.node(vm)
	return n != nil && n.runs(s)
}

// reached says whether the services run that stand between a guest and the cache
// here: the IO Interceptor beside it, and a Cloud IO Manager anywhere.
func (n *node) reached() bool {
	return n.runs(component.IOInterceptor) && slices.ContainsFunc(n.mode, func(vm deployment.VM) bool {
		return slices.Contains(vm.Services, component.CloudIOManager) && n.host.runs(vm.Name, component.CloudIOManager)
	})
}

// carry takes a frame over its lane: to the gateway of its site, over the WAN,
// from the gateway there to the VM that it is for.
func (h *Host) carry(from *node, f datapath.Frame) {
	l := from.lanes[f.Lane]
	if !l.up {
		return
	}
	stream, near, far := l.toPremises, l.cloud, l.premises
	if from.site == vsphere.OnPremises {
		stream, near, far = l.toCloud, l.premises, l.cloud
	}
	hops := time.Duration(0)
	for _, pair := range [][2]string{{from.name, near}, {far, f.To}} {
		if pair[0] != pair[1] {
			hops += h.cfg.LANLatency
		}
	}
	breaks := l.breaks
	arrive := func() {
		if to := h.node(f.To); to != nil && l.breaks == breaks {
			to.arrived(from.name, l, f.Bytes)
		}
	}
	// What the stream does not take is lost, as what is on a full link.
	stream.Send(f.Weight, func() {
		if hops == 0 {
			arrive()
			return
		}
		h.cfg.Kernel.After(hops, arrive)
	})
}

// deliver takes a message between the appliance and a component VM at a site:
// within the premises over the LAN, else over the WAN.
func (h *Host) deliver(site vsphere.Site, dir wan.Direction, bytes int64, arrived func(error)) {
	if site == vsphere.OnPremises {
		h.cfg.Kernel.After(h.cfg.LANLatency, func() { arrived(nil) })
		return
	}
	h.cfg.WAN.Deliver(dir, bytes, arrived)
}

// observe tells the trace what happens to bindings.
func (h *Host) observe(e datapath.Event) {
	blocks := []string{"blocks", strconv.Itoa(e.Blocks)}
	flush := append([]string{"number", strconv.FormatUint(e.Number, 10)}, blocks...)
	bytes := []string{"bytes", fmt.Sprint(int64(e.Blocks) * blockSize)}
	emit := h.cfg.Kernel.Emit
	switch e.Kind {
	case datapath.EventBound:
		source, quota := h.bound(e)
		emit(event.Bound, e.Binding, "vm", e.VM, "source", source, "quota", quota)
	case datapath.EventReleased:
		h.forget(e.VM, e.Binding)
		emit(event.Released, e.Binding)
	case datapath.FlushCut:
		emit(event.FlushCut, e.Binding, append(flush, bytes...)...)
	case datapath.FlushApplied:
		emit(event.FlushApplied, e.Binding, append(flush, bytes...)...)
	case datapath.FlushAbandoned:
		emit(event.FlushAbandoned, e.Binding, flush...)
	case datapath.EventReconciled:
		emit(event.Reconciled, e.Binding, append(blocks, "left", strconv.Itoa(e.Left))...)
	}
}

// bound is of which VM a binding is, and how much cloud cache it has.
func (h *Host) bound(e datapath.Event) (source, quota string) {
	n := h.node(e.VM)
	if n == nil || n.cache == nil {
		return "", "0"
	}
	b, _ := n.cache.Binding(e.Binding)
	if vm, ok := lookUp(h.cfg.OnPremises, b.Source); ok {
		source = string(vsphere.OnPremises) + "/" + vm.Name
	}
	return source, strconv.FormatInt(b.Quota, 10)
}

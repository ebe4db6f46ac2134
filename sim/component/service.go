package component

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/datapath"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// How a service stopped.
const (
	byCrash    = "crash"
	byHang     = "hang"
	byNoMemory = "no-memory"
	byDevice   = "device"
)

// By whom a service was started.
const (
	bySupervisor = "supervisor" // by itself, as after Restart and Hang
	byRepair     = "repair"     // HDM ordered it
)

// service is one of a component VM's, over all its incarnations in one boot.
//
//	down <--crash, no-memory, device-- running <--hang, thaw--> hung
//	  +------------start-------------> running, in a new epoch
type service struct {
	name  component.Service
	epoch uint64
	state serviceState
	why   string        // it does not run: for people
	thaw  *kernel.Timer // hung, and not for ever
	// What a hung Cloud Cache or IO manager holds: it is in nobody's way.
	cache *datapath.CloudCache
	homes *datapath.IOManager
}

type serviceState uint8

const (
	down serviceState = iota
	running
	hung
)

// Crash ends a service: its memory is lost, and nobody but its supervisor, if
// it is told to, starts it again.
func (h *Host) Crash(vm string, s component.Service) error { return h.stop(vm, s, byCrash) }

// Kill is Crash by the component VM's system, which has run out of memory.
func (h *Host) Kill(vm string, s component.Service) error { return h.stop(vm, s, byNoMemory) }

// Restart ends a service and starts it at once, as one does that fails and is
// looked after: it is another incarnation, with nothing in its memory.
func (h *Host) Restart(vm string, s component.Service) error {
	n, svc, err := h.running(vm, s)
	if err != nil {
		return err
	}
	n.end(svc, byCrash, "it crashed")
	n.begin(svc, bySupervisor)
	h.refresh()
	return nil
}

// Hang makes a service do nothing for a while, or for ever if d is 0: no
// heartbeats, no commands, no frames. It goes on afterwards where it was.
func (h *Host) Hang(vm string, s component.Service, d time.Duration) error {
	n, svc, err := h.running(vm, s)
	if err != nil {
		return err
	}
	svc.state, svc.why = hung, "it hangs"
	switch s {
	case component.CloudCache:
		svc.cache, n.cache = n.cache, nil
	case component.PremIOManager:
		svc.homes, n.homes = n.homes, nil
	}
	n.emitDown(svc, byHang)
	if d > 0 {
		svc.thaw = h.cfg.Kernel.After(d, func() { n.thaw(svc) })
	}
	h.refresh()
	return nil
}

func (h *Host) stop(vm string, s component.Service, how string) error {
	n, svc, err := h.running(vm, s)
	if err != nil {
		return err
	}
	n.end(svc, how, map[string]string{byCrash: "it crashed", byNoMemory: "it was killed: the VM has no memory left"}[how])
	h.refresh()
	return nil
}

// running is a service that does not stand still already: a fault must act.
func (h *Host) running(vm string, s component.Service) (*node, *service, error) {
	n := h.node(vm)
	if n == nil {
		return nil, nil, fmt.Errorf("%s is not up: nothing runs there that could fail", vm)
	}
	svc := n.service(s)
	if svc == nil {
		return nil, nil, fmt.Errorf("%s has no service %q: it has %v", vm, s, n.plan.Services)
	}
	if svc.state != running {
		return nil, nil, fmt.Errorf("%s of %s does not run: %s", s, vm, svc.why)
	}
	return n, svc, nil
}

func (n *node) service(s component.Service) *service {
	i := slices.IndexFunc(n.services, func(svc *service) bool { return svc.name == s })
	if i < 0 {
		return nil
	}
	return n.services[i]
}

// runs says whether a service of that name does its work.
func (n *node) runs(s component.Service) bool {
	svc := n.service(s)
	return n.up && svc != nil && svc.state == running
}

// memory is the cloud cache of this VM, hung or not; nil: there is none.
func (n *node) memory() *datapath.CloudCache {
	if svc := n.service(component.CloudCache); n.cache == nil && svc != nil {
		return svc.cache
	}
	return n.cache
}

// named are the services that do their work.
func (n *node) named() (names []string) {
	for _, s := range n.services {
		if s.state == running {
			names = append(names, string(s.name))
		}
	}
	return names
}

// end takes a service out of memory.
func (n *node) end(svc *service, how, why string) {
	if svc.thaw != nil {
		svc.thaw.Stop()
	}
	if svc.name == component.CloudCache {
		n.host.hold(n)
		n.cache = nil
	}
	if svc.name == component.PremIOManager {
		n.homes = nil
	}
	*svc = service{name: svc.name, epoch: svc.epoch, state: down, why: why}
	n.emitDown(svc, how)
}

func (n *node) emitDown(svc *service, how string) {
	n.host.cfg.Kernel.Emit(event.ServiceDown, n.name, "service", string(svc.name), "how", how)
}

// launch starts a service in a new incarnation. Its device may be such that it
// cannot start.
func (n *node) launch(svc *service) error {
	id := n.name + "/" + string(svc.name)
	n.host.epochs[id]++
	*svc = service{name: svc.name, epoch: n.host.epochs[id], state: running}
	var err error
	switch svc.name {
	case component.CloudCache:
		n.cache, err = datapath.NewCloudCache(datapath.CacheConfig{
			VM: n.name, Epoch: svc.epoch, Device: n.device(deployment.Cache), Images: images{n.host},
			Gateway: n.gateway(svc.epoch), Observe: n.host.observe,
		})
	case component.PremIOManager:
		n.homes, err = datapath.NewIOManager(datapath.HomeConfig{
			Epoch: svc.epoch, Stage: n.device(deployment.System), Sources: sources{n.host},
			Gateway: n.gateway(svc.epoch),
		})
	}
	if err != nil {
		svc.state, svc.why = down, component.Explain(err)
	}
	return err
}

// begin is launch for a service of a VM that has been up.
func (n *node) begin(svc *service, by string) {
	if n.launch(svc) != nil {
		return // it stays down, and says why
	}
	n.works(svc, by)
}

// thaw lets a hung service go on where it was. What came meanwhile is lost.
func (n *node) thaw(svc *service) {
	if !n.up {
		return
	}
	svc.state, svc.why, svc.thaw = running, "", nil
	if svc.cache != nil {
		n.cache, svc.cache = svc.cache, nil
	}
	if svc.homes != nil {
		n.homes, svc.homes = svc.homes, nil
	}
	n.works(svc, bySupervisor)
}

// works says that a service does its work from now on: the trace hears of it, and
// it of the lanes, and then the appliance of it.
func (n *node) works(svc *service, by string) {
	n.host.cfg.Kernel.Emit(event.ServiceUp, n.name, "service", string(svc.name), "epoch", strconv.FormatUint(svc.epoch, 10), "by", by)
	for _, l := range n.lanes {
		n.tell(l)
	}
	n.host.refresh()
	n.pump()
	n.beat()
}

// broke takes a service down whose device failed it: what it would say now
// could be wrong. It is called often.
func (n *node) broke() {
	if n.cache != nil {
		if err := n.cache.Failure(); err != nil {
			n.end(n.service(component.CloudCache), byDevice, component.Explain(err))
			n.host.refresh()
		}
	}
	if n.homes != nil {
		if err := n.homes.Failure(); err != nil {
			n.end(n.service(component.PremIOManager), byDevice, component.Explain(err))
			n.host.refresh()
		}
	}
}

// heartbeats of a component VM that is up.
func (n *node) heartbeats() {
	n.machine.Go(context.Background(), "heartbeat", func(ctx context.Context) {
		for {
			n.beat()
			if n.machine.Sleep(ctx, component.HeartbeatEvery) != nil {
				return
			}
		}
	})
}

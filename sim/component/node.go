package component

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/datapath"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/gateway"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/wan"
)

// node is one boot of a component VM: service.go has what happens within it.
//
//	powered on --boot time--> up: services, heartbeats --power off--> gone: its disks lose what was not flushed
type node struct {
	host  *Host
	site  vsphere.Site
	name  string
	plan  deployment.VM
	mode  []deployment.VM // the whole plan that it is part of
	boot  uint64          // number of this one
	disks []*disk.Disk
	lanes []*lane // by the number that its services know them by
	up    bool

	start   *kernel.Timer
	machine *machine.Machine
	super   supervisor
	// services are those of the plan, in its order.
	services []*service
	cache    *datapath.CloudCache // nil: this VM has none, or it does not run
	homes    *datapath.IOManager  // the same
	// serves says whether guests reach the cache: everything on the way runs.
	serves bool

	pumping bool // the services are being polled
	again   bool // something came meanwhile
	wake    time.Duration
	timer   *kernel.Timer
	beats   beats
}

func (n *node) powerOn() { n.start = n.host.cfg.Kernel.After(n.host.cfg.Boot, n.comeUp) }

func (n *node) comeUp() {
	k := n.host.cfg.Kernel
	n.up, n.wake = true, datapath.Never
	n.machine = machine.New(k, "component/"+n.name)
	n.lanes = n.host.lanesOf(n.mode)
	for _, name := range n.plan.Services {
		svc := &service{name: name}
		n.services = append(n.services, svc)
		if err := n.launch(svc); err != nil {
			n.emitDown(svc, byDevice)
		}
	}
	k.Emit(event.ComponentUp, n.name, "site", string(n.site), "kind", string(n.plan.Kind),
		"boot", strconv.FormatUint(n.boot, 10), "services", strings.Join(n.named(), ", "))
	for _, l := range n.lanes {
		n.tell(l)
	}
	n.host.refresh()
	n.pump()
	n.heartbeats()
}

// gateway is how the services use the message gateways. Nothing is compressed:
// links charge frames as if nothing were, so that it would only take time.
func (n *node) gateway(epoch uint64) gateway.Config {
	cfg := datapath.GatewayConfig(len(n.lanes), epoch)
	cfg.Compress = false
	return cfg
}

// disk is the VM's disk of that use.
func (n *node) disk(use deployment.Use) (*disk.Disk, bool) {
	i := slices.IndexFunc(n.plan.Disks, func(d deployment.Disk) bool { return d.Use == use })
	if i < 0 || i >= len(n.disks) {
		return nil, false
	}
	return n.disks[i], true
}

// device is what a service finds as the VM's disk of that use: a disk without
// room if somebody took it away.
func (n *node) device(use deployment.Use) *disk.Disk {
	if d, ok := n.disk(use); ok {
		return d
	}
	return disk.New(n.name+"/missing", 0)
}

func (n *node) powerOff() {
	n.start.Stop()
	k := n.host.cfg.Kernel
	if n.up {
		n.host.hold(n)
		n.up, n.serves = false, false
		n.timerStop()
		n.cache, n.homes = nil, nil
		k.Emit(event.ComponentDown, n.name, "site", string(n.site), "boot", strconv.FormatUint(n.boot, 10))
		n.machine.PowerOff()
	}
	cut := k.Rand("component/" + n.name + "/power-cut")
	for _, d := range n.disks {
		d.Crash(cut)
	}
}

func (n *node) timerStop() {
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
}

// pump lets the services do what is due, sends what they send, and comes back
// when they want to.
func (n *node) pump() {
	if n.pumping || !n.up {
		n.again = true
		return
	}
	n.pumping = true
	wake := datapath.Never
	for n.again = true; n.again && n.up; {
		n.again = false
		now := n.host.cfg.Kernel.Now()
		wake = datapath.Never
		if n.cache != nil {
			wake = min(wake, n.sent(n.cache.Poll(now)))
		}
		if n.homes != nil {
			wake = min(wake, n.sent(n.homes.Poll(now)))
		}
	}
	n.pumping = false
	n.broke()
	n.arm(wake)
	if n.cache != nil {
		if _, fresh := n.cache.FlushWanted(); fresh {
			n.beat()
		}
	}
}

func (n *node) sent(out datapath.Out) (wake time.Duration) {
	for _, f := range out.Frames {
		n.host.carry(n, f)
	}
	return out.Wake
}

func (n *node) arm(wake time.Duration) {
	if !n.up || wake == n.wake && n.timer != nil {
		return
	}
	n.timerStop()
	n.wake = wake
	if wake != datapath.Never {
		n.timer = n.host.cfg.Kernel.At(wake, func() {
			n.timer = nil
			n.pump()
		})
	}
}

// arrived takes a frame.
func (n *node) arrived(from string, l *lane, frame []byte) {
	now, number := n.host.cfg.Kernel.Now(), slices.Index(n.lanes, l)
	if number < 0 {
		return // of another deployment
	}
	if n.cache != nil {
		n.cache.Arrived(now, from, number, frame)
	}
	if n.homes != nil {
		n.homes.Arrived(now, from, number, frame)
	}
	n.pump()
}

// tell the services whether a lane is up.
func (n *node) tell(l *lane) {
	now, number := n.host.cfg.Kernel.Now(), slices.Index(n.lanes, l)
	if number < 0 {
		return
	}
	if n.cache != nil {
		n.cache.Lane(now, number, l.up)
	}
	if n.homes != nil {
		n.homes.Lane(now, number, l.up)
	}
}

// beat sends a heartbeat of the services that run to the appliance.
func (n *node) beat() {
	b := component.Heartbeat{VM: n.name, Boot: n.boot}
	for _, s := range n.services {
		if s.state == running {
			b.Services = append(b.Services, component.Beat{Name: s.name, Epoch: s.epoch})
		}
	}
	if len(b.Services) == 0 {
		return // the VM lives, and nobody in it says so
	}
	if n.cache != nil {
		b.FlushWanted, _ = n.cache.FlushWanted()
	}
	size, err := n.beats.sizeOf(b)
	if err != nil {
		n.host.cfg.Kernel.Fail(err)
		return
	}
	n.host.deliver(n.site, wan.ToPremises, size, func(err error) {
		if err == nil && n.host.Heartbeat != nil {
			n.host.Heartbeat(b)
		}
	})
}

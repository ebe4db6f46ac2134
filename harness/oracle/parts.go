package oracle

import (
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// parts follows what of HDM does not run, as the world itself tells it: services,
// component VMs, the daemons of the IO filter on the hosts on premises, and the
// WAN. What the appliance thinks of them is not asked for.
type parts struct {
	vms   []*componentVM // in the order in which they first came up
	byVM  map[string]*componentVM
	hosts []*part // the daemon on each host on premises that ever failed
	wan   part    // down while a direction of it is
	dirs  map[string]bool
	slow  map[string]bool // faults under way that may keep heartbeats from coming over the WAN
	eased time.Duration   // when the last of those ended

	up       bool // the appliance
	upAt     time.Duration
	deployed bool
	since    time.Duration // when it was
	phase    string        // of the recovery, as last told
	moved    time.Duration // when that was
	recovery uint64        // the event that told it
}

// part is one thing that can fail.
type part struct {
	vm, service string // service is "" of a component VM as a whole
	site        string
	down        bool
	at          time.Duration // when it last went down, or came up
	seq         uint64
	failed      bool          // it went down, or began anew, since HDM was last healthy
	anew        time.Duration // when it last came up after it had been up before
}

type componentVM struct {
	part
	services []*part
	booted   bool // it was up once
}

// idle is the phase of a recovery in which there is none.
const idle = "healthy"

func newParts() parts {
	return parts{byVM: map[string]*componentVM{}, dirs: map[string]bool{}, slow: map[string]bool{}, phase: idle}
}

// named is how people see the part named.
func (p *part) named() string {
	switch {
	case p.service == "":
		return p.vm
	case p.vm == "":
		return p.service
	}
	return p.vm + "/" + p.service
}

func (p *part) fall(e *kernel.Event) {
	if !p.down {
		p.down, p.at, p.seq, p.failed = true, e.At, e.Seq, true
	}
}

func (p *part) rise(e *kernel.Event, anew bool) {
	if anew {
		p.anew, p.failed = e.At, true
	}
	if p.down || p.seq == 0 {
		p.down, p.at, p.seq = false, e.At, e.Seq
	}
}

// hear takes note of an event, and says whether it changed anything.
func (o *parts) hear(e *kernel.Event) bool {
	switch e.Kind {
	case event.ServiceDown, event.ServiceUp:
		o.service(e)
	case event.ComponentUp, event.ComponentDown:
		o.componentVM(e)
	case event.HostDown, event.HostUp, event.HostFilter:
		o.host(e)
	case event.LinkDown, event.LinkUp:
		return o.link(e)
	case event.FaultBegan, event.FaultEnded:
		return o.fault(e)
	case event.ApplianceUp:
		o.up, o.upAt = true, e.At
	case event.ApplianceDown:
		o.up = false
	case event.Deployment:
		o.deployment(e)
	case event.Recovery:
		o.recovers(e)
	default:
		return false
	}
	return true
}

func (o *parts) vm(name, site string) *componentVM {
	v := o.byVM[name]
	if v == nil {
		v = &componentVM{part: part{vm: name, site: site}}
		o.byVM[name] = v
		o.vms = append(o.vms, v)
	}
	return v
}

func (v *componentVM) serving(name string) *part {
	for _, s := range v.services {
		if s.service == name {
			return s
		}
	}
	s := &part{vm: v.vm, service: name, site: v.site}
	v.services = append(v.services, s)
	return s
}

func (o *parts) service(e *kernel.Event) {
	s := o.vm(e.Subject, "").serving(e.Attr("service"))
	if e.Kind == event.ServiceDown {
		s.fall(e)
		return
	}
	s.rise(e, true)
}

func (o *parts) componentVM(e *kernel.Event) {
	v := o.vm(e.Subject, e.Attr("site"))
	v.site = e.Attr("site")
	if e.Kind == event.ComponentDown {
		v.fall(e)
		return
	}
	v.rise(e, v.booted)
	running := strings.Split(e.Attr("services"), ", ")
	for _, name := range running {
		if name != "" {
			v.serving(name).rise(e, v.booted)
		}
	}
	for _, s := range v.services {
		if s.site = v.site; !slices.Contains(running, s.service) {
			s.fall(e)
		}
	}
	v.booted = true
}

// filterService is what runs on each host on premises, in no component VM.
const filterService = "IO Filter"

func (o *parts) host(e *kernel.Event) {
	name, premises := strings.CutPrefix(e.Subject, onPremises)
	if !premises {
		return // what it takes down with it is told by itself
	}
	i := slices.IndexFunc(o.hosts, func(p *part) bool { return p.vm == name })
	if i < 0 {
		i = len(o.hosts)
		o.hosts = append(o.hosts, &part{vm: name, service: filterService, site: strings.TrimSuffix(onPremises, "/")})
	}
	p := o.hosts[i]
	switch {
	case e.Kind == event.HostDown && e.Attr("how") == "restart", e.Kind == event.HostFilter && e.Attr("state") == "down":
		p.fall(e)
	case e.Kind == event.HostFilter:
		p.rise(e, p.seq != 0)
	}
}

func (o *parts) link(e *kernel.Event) bool {
	if e.Subject != "wan" {
		return false
	}
	for _, direction := range []string{"to-cloud", "to-premises"} {
		switch said := e.Attr("direction"); {
		case said != direction && said != "both":
		case e.Kind == event.LinkDown:
			o.dirs[direction] = true
		default:
			delete(o.dirs, direction)
		}
	}
	if len(o.dirs) > 0 {
		o.wan.fall(e)
	} else {
		o.wan.rise(e, true)
	}
	return true
}

// fault notes faults that slow the WAN, or cut it now and then.
func (o *parts) fault(e *kernel.Event) bool {
	if e.Kind == event.FaultEnded {
		if !o.slow[e.Subject] {
			return false
		}
		delete(o.slow, e.Subject)
		o.eased = e.At
		return true
	}
	if kind := e.Attr("kind"); !strings.HasPrefix(kind, "wan-") || kind == "wan-down" {
		return false
	}
	o.slow[e.Subject] = true
	return true
}

func (o *parts) deployment(e *kernel.Event) {
	deployed := e.Attr("phase") == "deployed"
	if deployed && !o.deployed {
		o.since = e.At
	}
	if o.deployed = deployed; e.Attr("phase") == phaseUndeployed {
		o.vms, o.byVM = nil, map[string]*componentVM{}
	}
}

func (o *parts) recovers(e *kernel.Event) {
	if e.Attr("phase") != o.phase {
		o.moved = e.At
	}
	if o.phase, o.recovery = e.Attr("phase"), e.Seq; o.phase == idle {
		o.each(func(p *part) { p.failed = p.down })
	}
}

// each calls f for every part but the WAN, VMs before the services in them.
func (o *parts) each(f func(*part)) {
	for _, v := range o.vms {
		f(&v.part)
		if !v.down {
			for _, s := range v.services {
				f(s)
			}
		}
	}
	for _, h := range o.hosts {
		f(h)
	}
}

// find is the part of that name, as HDM names it; nil if there is none. For a
// service of a component VM that is down it is the VM, unless the service went
// down before.
func (o *parts) find(name string) *part {
	vm, service, _ := strings.Cut(name, "/")
	for _, h := range o.hosts {
		if h.vm == vm {
			return h
		}
	}
	v := o.byVM[vm]
	switch {
	case v == nil:
		return nil
	case service == "" || v.down && !v.serving(service).down:
		return &v.part
	}
	return v.serving(service)
}

// heard is since when HDM had to know how a part is: it must be deployed, and the
// part's heartbeats must come.
func (o *parts) heard(p *part) time.Duration { return max(o.since, o.reached(p)) }

// reached is since when heartbeats of a part can come, and its silence counts,
// while HDM is being deployed, too: the appliance must be up, and a part in the
// cloud in reach.
func (o *parts) reached(p *part) time.Duration {
	at := o.upAt
	if p.site == strings.TrimSuffix(inCloud, "/") {
		at = max(at, o.wan.at, o.eased)
	}
	return at
}

// whole is since when nothing has been down; false if something is.
func (o *parts) whole() (since time.Duration, ok bool) {
	since, ok = max(o.upAt, o.since, o.moved, o.wan.at, o.eased), !o.wan.down && len(o.slow) == 0 && o.up && o.phase == idle
	o.each(func(p *part) { since, ok = max(since, p.at), ok && !p.down })
	return since, ok
}

package site

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/vmware/govmomi/vim25/soap"

	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/component"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/sqs"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/vcenter"
	"github.com/hdm-project/hdm/sim/wan"
)

// Mode is how the appliance reaches the vCenters.
type Mode string

// Direct calls the vCenters in this process. SOAP goes through XML, HTTP and
// TLS on a loopback port: slower, and with the same verdicts.
const (
	Direct Mode = "direct"
	SOAP   Mode = "soap"
)

// Options of a world beside its description.
type Options struct {
	Mode   Mode            // Direct if ""
	Timing *vcenter.Timing // of both vCenters; vcenter.DefaultTiming if nil
}

// World is two sites and all between them. It belongs to its kernel.
type World struct {
	Kernel      *kernel.Kernel
	Description Description // expanded: what the world was when it began
	OnPremises  *Place
	Cloud       *Place
	WAN         *wan.Link // premises to cloud: data and the cloud's vCenter
	Internet    *wan.Link // premises to the message queues
	SQS         *sqs.Service
	// Components are HDM's component VMs that are on, with the services in them.
	Components *component.Host

	// Device is what a guest drives as disk i of a VM, at each boot and whenever
	// somebody looks at what the disk holds: the same one each time, while the VM
	// has it. Nil, or a nil Device: the vCenter's own disk, which is never late.
	Device func(p *Place, vm vcenter.VM, i int) guest.Device
	// InterceptQueues decides what happens to a call to SQS. Nil: nothing.
	InterceptQueues func(sqs.Call) sqs.Act
	// Token of the message bus: the trace tells which requests are without it, and
	// never what any has. Empty: it tells nothing of tokens.
	Token protocol.Secret

	guests *guests
	boots  int // of the appliance
}

// Place is a site of a world.
type Place struct {
	Site    vsphere.Site
	VCenter *vcenter.VCenter
	Path    *transport.Path // from the appliance to the vCenter
	// Backing opens what a served datastore holds: see vcenter.Config. Nil: nothing.
	Backing func(datastore, path string) (*disk.Disk, error)

	server *vcenter.Server // in mode SOAP
}

// clusterName is the name of each site's one cluster.
const clusterName = "Cluster"

// Build makes the world that d describes, at the kernel's present time. Equal
// descriptions and seeds make equal worlds. Errors: *PathErrors, joined, for a
// description that cannot be built; else a defect of the machine it runs on.
func Build(k *kernel.Kernel, d Description, o Options) (_ *World, err error) {
	if d, err = d.Expand(); err != nil {
		return nil, err
	}
	w := &World{Kernel: k, Description: d}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("building the world: %w", err), w.Close())
		}
	}()
	if w.WAN, err = wan.New(k, "wan", wan.Symmetric(quality(d.Links.WAN))); err != nil {
		return nil, err
	}
	if w.Internet, err = wan.New(k, "internet", wan.Symmetric(quality(d.Links.Internet))); err != nil {
		return nil, err
	}
	w.SQS = sqs.New(sqs.Config{Clock: clock{k}, Chance: k.Rand("sqs"), Observe: w.queued, Intercept: func(c sqs.Call) sqs.Act {
		if w.InterceptQueues == nil {
			return sqs.Pass()
		}
		return w.InterceptQueues(c)
	}})
	w.guests = newGuests(w)
	if w.OnPremises, err = w.place(vsphere.OnPremises, d.OnPremises, o); err != nil {
		return nil, err
	}
	if w.Cloud, err = w.place(vsphere.Cloud, d.Cloud, o); err != nil {
		return nil, err
	}
	w.guests.before = false
	w.Components = component.New(component.Config{
		Kernel: k, WAN: w.WAN, OnPremises: w.OnPremises.VCenter, Cloud: w.Cloud.VCenter, LANLatency: *d.Links.LAN.Latency,
	})
	w.Components.Filters = w.filters
	changed := func(string, bool, uint64) { w.Components.FiltersChanged() }
	w.OnPremises.VCenter.OnFilter(changed)
	w.OnPremises.VCenter.OnHost(changed)
	w.Cloud.Backing = w.Components.Backing
	w.Device = func(p *Place, vm vcenter.VM, i int) guest.Device { return w.Components.Device(p.Site, vm, i) }
	return w, nil
}

// filters are the daemons of the IO filter that run on premises.
func (w *World) filters() (running []component.Filter) {
	for _, f := range w.OnPremises.VCenter.Filters() {
		if f.Up {
			running = append(running, component.Filter{Host: f.Host, Boot: f.Boot, Epoch: f.Epoch})
		}
	}
	return running
}

func quality(l Link) wan.Quality {
	return wan.Quality{Latency: *l.Latency, Bandwidth: int64(l.Bandwidth), Loss: l.Loss}
}

// Close ends what the world has outside of its kernel: servers, connections,
// pending tasks. The kernel is the caller's to close.
func (w *World) Close() error {
	var errs []error
	for _, p := range w.Places() {
		p.VCenter.Close()
		if p.server != nil {
			errs = append(errs, p.server.Close())
		}
	}
	return errors.Join(errs...)
}

// Places are the sites of the world: on premises, then cloud.
func (w *World) Places() []*Place {
	return slices.DeleteFunc([]*Place{w.OnPremises, w.Cloud}, func(p *Place) bool { return p == nil })
}

// Guests are all the guests of the world.
func (w *World) Guests() *guest.Guests { return w.guests.all }

// Booting are the guests that are coming up on VMs that are on, sorted.
func (w *World) Booting() []string {
	var all []string
	for _, r := range w.guests.runs { //hdm:order-safe sorted below
		if r.Booting() {
			all = append(all, r.Guest())
		}
	}
	slices.Sort(all)
	return all
}

// At is the place of that site.
func (w *World) At(site vsphere.Site) *Place {
	if site == vsphere.Cloud {
		return w.Cloud
	}
	return w.OnPremises
}

// Appliance boots the machine that the appliance runs on, on premises. Each
// boot is another machine; power off the one before.
func (w *World) Appliance() *machine.Machine {
	w.boots++
	return machine.New(w.Kernel, "appliance")
}

// Boots counts the calls of Appliance.
func (w *World) Boots() int { return w.boots }

// Endpoints are the two vCenters as core sees them from the appliance. agent
// names the appliance among their sessions.
func (w *World) Endpoints(agent string) (onPremises, cloud vsphere.Endpoint) {
	return w.OnPremises.Path.Endpoint(agent), w.Cloud.Path.Endpoint(agent)
}

// Queues is the way from the appliance to the message queues, over the Internet.
func (w *World) Queues() *transport.QueuePath {
	return &transport.QueuePath{Kernel: w.Kernel, Service: w.SQS, Link: w.Internet}
}

// ClientQueues is the way to the message queues from a client that is beside
// them.
func (w *World) ClientQueues() *transport.QueuePath {
	return &transport.QueuePath{Kernel: w.Kernel, Service: w.SQS}
}

// Client is a machine that a client of HDM runs on.
func (w *World) Client() *machine.Machine { return machine.New(w.Kernel, "client") }

// clock is the kernel's time for a vCenter or a message queue.
type clock struct{ kernel *kernel.Kernel }

func (c clock) Now() time.Time { return machine.Epoch.Add(c.kernel.Now()) }

func (c clock) After(d time.Duration, f func()) (stop func() bool) {
	return c.kernel.After(d, f).Stop
}

// place builds a site: its vCenter, what is in it, and the way there.
func (w *World) place(site vsphere.Site, s Site, o Options) (*Place, error) {
	timing := vcenter.DefaultTiming()
	if o.Timing != nil {
		timing = *o.Timing
	}
	p := &Place{Site: site}
	var err error
	p.VCenter, err = vcenter.New(vcenter.Config{
		Site: site, Clock: clock{w.Kernel}, Timing: timing,
		Observe:       func(c vcenter.Change) { w.changed(p, c) },
		Backing:       p.backing,
		ShutdownGuest: func(vm string) { w.guests.shutDown(p, vm) },
		RebootGuest:   func(vm string) { w.guests.reboot(p, vm) },
	})
	if err != nil {
		return nil, err
	}
	w.guests.vcenters[site] = p.VCenter
	if err := w.furnish(p, s); err != nil {
		p.VCenter.Close()
		return nil, err
	}
	if err := p.connect(w, o.Mode); err != nil {
		p.VCenter.Close()
		return nil, err
	}
	return p, nil
}

func (p *Place) backing(datastore, path string) (*disk.Disk, error) {
	if p.Backing == nil {
		return nil, fs.ErrNotExist
	}
	return p.Backing(datastore, path)
}

// furnish adds what is in a site, in the order of its description.
func (w *World) furnish(p *Place, s Site) error {
	vc := p.VCenter
	if _, err := vc.AddCluster(clusterName); err != nil {
		return err
	}
	if err := addNetworks(vc, s.Networks); err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, h := range s.Hosts {
		if _, err := vc.AddHost(clusterName, h.Name); err != nil {
			return err
		}
		gone[h.Name] = h.Disconnected
	}
	used := s.used()
	for _, ds := range s.Datastores {
		// What is free now and what the VMs will take is what is free before them.
		if _, err := vc.AddDatastore(ds.Name, int64(ds.Capacity), int64(*ds.Free+used[ds.Name])); err != nil {
			return err
		}
	}
	for _, name := range s.Pools {
		if _, err := vc.AddPool(name); err != nil {
			return err
		}
	}
	for _, v := range s.VMs {
		disks, err := w.guests.install(p.Site, v)
		if err != nil {
			return err
		}
		if _, err := vc.AddVM(specOf(v, disks, gone[v.Host])); err != nil {
			return err
		}
	}
	for _, h := range s.Hosts {
		if h.Disconnected {
			if err := vc.SetHostConnected(h.Name, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// addNetworks makes these the vCenter's networks: a new one has one already.
func addNetworks(vc *vcenter.VCenter, names []string) error {
	const first = "VM Network"
	if !slices.Contains(names, first) {
		if err := vc.RenameNetwork(first, names[0]); err != nil {
			return err
		}
	}
	for _, name := range names {
		if slices.Contains(vc.Networks(), name) {
			continue
		}
		if _, err := vc.AddNetwork(name); err != nil {
			return err
		}
	}
	return nil
}

// specOf is the VM as the vCenter wants it described.
func specOf(v VM, disks []*disk.Disk, disconnected bool) vcenter.VMSpec {
	s := vcenter.VMSpec{
		Name: v.Name, UUID: v.UUID, GuestID: v.Guest, Firmware: v.Firmware,
		CPUs: int32(v.CPUs), MemoryMB: int32(v.Memory / MB), CDROMs: v.CDROMs, ISO: v.ISO, USB: v.USB,
		Passthrough: v.Passthrough, VTPM: v.VTPM, Encrypted: v.Encrypted, FaultTolerant: v.FaultTolerant,
		Pool: v.Pool, Host: v.Host, On: v.Power == On, Template: v.Template,
		ToolsStatus: v.ToolsStatus, Snapshots: v.Snapshots,
	}
	if disconnected {
		s.Connection = "disconnected"
	}
	for i, d := range v.Disks {
		mode := "persistent"
		if d.Independent {
			mode = "independent_persistent"
		}
		s.Disks = append(s.Disks, vcenter.DiskSpec{
			Disk: disks[i], Controller: d.Controller, Datastore: d.Datastore, Mode: mode, Shared: d.Shared, Raw: d.Raw,
		})
	}
	for _, n := range v.NICs {
		s.NICs = append(s.NICs, vcenter.NICSpec{Type: n.Type, Network: n.Network, MAC: n.MAC})
	}
	return s
}

// connect makes the way from the appliance, which is on premises, to the
// vCenter.
func (p *Place) connect(w *World, mode Mode) (err error) {
	vc := p.VCenter
	target := transport.Target{
		Site: p.Site, User: vc.Credentials(),
		URL:      &url.URL{Scheme: "https", Host: string(p.Site) + ".invalid", Path: "/sdk"},
		Direct:   func(agent string) soap.RoundTripper { return vc.Direct(agent) },
		HTTP:     transport.InMemory(vc.Handler()),
		Transfer: p.transfer,
		Down:     vc.Down,
	}
	if mode == SOAP {
		if p.server, err = vc.Serve(); err != nil {
			return err
		}
		var loopback *http.Transport
		if loopback, err = transport.Loopback(p.server.CA); err != nil {
			return errors.Join(err, p.server.Close())
		}
		target.URL, target.Direct, target.HTTP = p.server.URL, nil, loopback
	}
	cfg := transport.Config{Kernel: w.Kernel, Target: target, LANLatency: *w.Description.Links.LAN.Latency}
	if p.Site == vsphere.Cloud {
		cfg.Link = w.WAN
	}
	p.Path, err = transport.New(cfg)
	return err
}

// transfer tells the path what the disk behind an NFC URL weighs.
func (p *Place) transfer(path string) (transport.Transfer, bool) {
	t, ok := p.VCenter.Transfer(path)
	if !ok {
		return transport.Transfer{}, false
	}
	return transport.Transfer{Object: t.VM + "/" + t.File, Used: t.Used, Broken: t.Ended}, true
}

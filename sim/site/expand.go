package site

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/hdm-project/hdm/sim/site/facts"
)

// Defaults of a description.
const (
	DefaultCapacity  = 20 * TB // of a datastore
	DefaultDisk      = 20 * GB
	DefaultMemory    = 4 * GB
	DefaultCPUs      = 2
	DefaultGuest     = "ubuntu64Guest"
	DefaultLatency   = 20 * time.Millisecond
	DefaultLAN       = 200 * time.Microsecond
	DefaultBandwidth = 1000 * Mbit
	DefaultBootTime  = 40 * time.Second
	DefaultStopTime  = 15 * time.Second
	DefaultRate      = 1.0 // writes and reads a second
	DefaultSpan      = 1 * MB
	DefaultFlush     = 5 * time.Second
)

// Expand returns the description with every default filled in and every VM
// from facts drawn, so that nothing is left to decide when the world is built.
// Expanding twice changes nothing. An error joins *PathErrors, in the order of
// the description.
func (d Description) Expand() (Description, error) {
	d.Guests.Workload = d.Guests.Workload.or(&Workload{Kind: "none"})
	d.Guests.BootTime = or(d.Guests.BootTime, ptr(DefaultBootTime))
	d.Guests.StopTime = or(d.Guests.StopTime, ptr(DefaultStopTime))
	d.Links.LAN.Latency = or(d.Links.LAN.Latency, ptr(DefaultLAN))
	d.Links.WAN = d.Links.WAN.expand()
	d.Links.Internet = d.Links.Internet.expand()

	var c checker
	d.OnPremises = d.OnPremises.expand(&c, onPremises, d.Guests)
	d.Cloud = d.Cloud.expand(&c, cloud, d.Guests)
	c.description(d)
	return d, errors.Join(c.errs...)
}

// or is v, or the default if v is the zero value.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (l Link) expand() Link {
	l.Latency = or(l.Latency, ptr(DefaultLatency))
	l.Bandwidth = or(l.Bandwidth, DefaultBandwidth)
	return l
}

func (w *Workload) or(otherwise *Workload) *Workload {
	if w == nil {
		w = otherwise
	}
	full := *w
	full.Rate = or(full.Rate, ptr(DefaultRate))
	full.Span = or(full.Span, DefaultSpan)
	full.FlushEvery = or(full.FlushEvery, DefaultFlush)
	return &full
}

// kind is what the two sites differ in by default.
type kind struct {
	path, hosts, datastore, network string
	mac                             byte // fourth byte of the MAC addresses that it gives, low bits zero
}

var (
	onPremises = kind{path: "on-premises", hosts: "host", datastore: "ds-01", network: "VM Network", mac: 0x80}
	cloud      = kind{path: "cloud", hosts: "cloud-host", datastore: "cloud-ds-01", network: "Cloud Net", mac: 0x90}
)

func (s Site) expand(c *checker, k kind, g Guests) Site {
	if s.FromFacts != nil {
		s = s.draw(c, k, g)
	}
	if len(s.Hosts) == 0 {
		s.Hosts = []Host{{Name: k.hosts + "-1"}, {Name: k.hosts + "-2"}}
	}
	s.Datastores = slices.Clone(s.Datastores)
	if len(s.Datastores) == 0 {
		s.Datastores = []Datastore{{Name: k.datastore}}
	}
	for i := range s.Datastores {
		s.Datastores[i].Capacity = or(s.Datastores[i].Capacity, DefaultCapacity)
	}
	if len(s.Networks) == 0 {
		s.Networks = []string{k.network}
	}
	e := expander{kind: k, site: s, guests: g}
	for _, h := range s.Hosts {
		if !h.Disconnected {
			e.hosts = append(e.hosts, h.Name)
		}
	}
	s.VMs = slices.Clone(s.VMs)
	for i := range s.VMs {
		s.VMs[i] = e.vm(i, s.VMs[i])
	}
	used := s.used()
	for i, ds := range s.Datastores {
		if ds.Free == nil {
			s.Datastores[i].Free = ptr(max(0, ds.Capacity-used[ds.Name]))
		}
	}
	return s
}

func ptr[T any](v T) *T { return &v }

// used is what the VMs take of each datastore.
func (s Site) used() map[string]Size {
	used := map[string]Size{}
	for _, v := range s.VMs {
		for _, d := range v.Disks {
			used[d.Datastore] += *d.Used
		}
	}
	return used
}

type expander struct {
	kind
	site   Site
	guests Guests
	hosts  []string // the connected ones
	nics   int      // MAC addresses given so far
}

func (e *expander) vm(i int, v VM) VM {
	v.UUID = or(v.UUID, uuidOf(e.path, v.Name))
	v.Guest = or(v.Guest, DefaultGuest)
	v.Firmware = or(v.Firmware, "bios")
	v.CPUs = or(v.CPUs, DefaultCPUs)
	v.Memory = or(v.Memory, DefaultMemory)
	if v.Power == "" {
		v.Power = On
		if v.Template {
			v.Power = Off
		}
	}
	if v.Host == "" && len(e.hosts) > 0 {
		v.Host = e.hosts[i%len(e.hosts)]
	}
	v.Tools = or(v.Tools, ToolsRunning)
	if v.ToolsStatus == "" {
		v.ToolsStatus = "guestToolsCurrent"
		if v.Tools == ToolsAbsent {
			v.ToolsStatus = "guestToolsNotInstalled"
		}
	}
	v.Workload = v.Workload.or(e.guests.Workload)
	v.BootTime = or(v.BootTime, e.guests.BootTime)
	v.StopTime = or(v.StopTime, e.guests.StopTime)
	v.Disks, v.NICs = e.disks(v), e.cards(v)
	return v
}

func (e *expander) disks(v VM) []Disk {
	disks := slices.Clone(v.Disks)
	if len(disks) == 0 && !v.Diskless {
		disks = []Disk{{}}
	}
	for i := range disks {
		d := &disks[i]
		d.Capacity = or(d.Capacity, DefaultDisk)
		if d.Used == nil {
			d.Used = ptr(d.Capacity / 2)
		}
		d.Controller = or(d.Controller, "pvscsi")
		d.Datastore = or(d.Datastore, e.site.Datastores[0].Name)
	}
	return disks
}

func (e *expander) cards(v VM) []NIC {
	nics := slices.Clone(v.NICs)
	if len(nics) == 0 && !v.NoNICs {
		nics = []NIC{{}}
	}
	for i := range nics {
		n := &nics[i]
		n.Network = or(n.Network, e.site.Networks[0])
		n.Type = or(n.Type, "vmxnet3")
		if n.MAC == "" {
			// The addresses that a vCenter itself gives begin with 00:50:56:80 to :bf.
			n.MAC = net.HardwareAddr{0, 0x50, 0x56, e.mac | byte(e.nics>>16)&0xf, byte(e.nics >> 8), byte(e.nics)}.String()
			e.nics++
		}
	}
	return nics
}

// uuidOf makes a UUID that is the VM's own in every run.
func uuidOf(site, name string) string {
	h := sha256.Sum256([]byte(site + "/" + name))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // version 8 (custom), variant 1
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// Networks of a site with VMs from facts, by the kind of their backing.
var factNetworks = map[string]string{
	"standard":    "VM Network",
	"distributed": "Distributed Network",
	"opaque":      "NSX Segment",
}

// draw adds the VMs that FromFacts asks for, with the hosts, datastores and
// networks that they need.
func (s Site) draw(c *checker, k kind, g Guests) Site {
	f := *s.FromFacts
	f.Workload = f.Workload.or(g.Workload)
	s.FromFacts = nil
	c.facts(k.path+".from-facts", &f)
	if len(c.errs) > 0 {
		return s
	}
	var drawn []facts.VM
	for _, id := range f.VMs {
		v, _ := facts.Find(id)
		drawn = append(drawn, v)
	}
	// One more than asked for each that is listed: it may be drawn too.
	more := 0
	for _, v := range facts.Select(f.Count+len(f.VMs), f.Seed, facts.Filter{Site: f.Site, MaxUsed: int64(f.MaxUsed), Plain: f.Plain}) {
		if more < f.Count && !slices.Contains(f.VMs, v.ID) {
			drawn = append(drawn, v)
			more++
		}
	}
	if more < f.Count {
		c.fail(k.path+".from-facts.count", "ask for fewer, or widen the filter", "only %d VMs match", more)
		return s
	}
	s.VMs = slices.Clone(s.VMs)
	for _, v := range drawn {
		s.VMs = append(s.VMs, vmOf(v, f.Workload))
	}
	return s.provide(drawn)
}

// provide adds what the drawn VMs stand on and is not described.
func (s Site) provide(drawn []facts.VM) Site {
	hosts, stores, networks := map[string]bool{}, map[string]Size{}, map[string]bool{}
	for _, v := range drawn {
		hosts[v.Host] = true
		for _, d := range v.Disks {
			stores[d.Datastore] += Size(d.Capacity)
		}
		for _, n := range v.NICs {
			networks[n.Network] = true
		}
	}
	s.Hosts, s.Datastores, s.Networks = slices.Clone(s.Hosts), slices.Clone(s.Datastores), slices.Clone(s.Networks)
	for _, h := range facts.Hosts() {
		if hosts[h.ID] && !slices.ContainsFunc(s.Hosts, func(o Host) bool { return o.Name == h.ID }) {
			s.Hosts = append(s.Hosts, Host{Name: h.ID, Disconnected: !h.Connected})
		}
	}
	for _, name := range []string{"vsan", "nfs", "vmfs"} {
		if need, ok := stores[name]; ok && !slices.ContainsFunc(s.Datastores, func(o Datastore) bool { return o.Name == name }) {
			s.Datastores = append(s.Datastores, Datastore{Name: name, Capacity: (need/TB + 2) * TB})
		}
	}
	for _, kind := range []string{"standard", "distributed", "opaque"} {
		if name := factNetworks[kind]; networks[kind] && !slices.Contains(s.Networks, name) {
			s.Networks = append(s.Networks, name)
		}
	}
	return s
}

// vmOf shapes a VM like the real one.
func vmOf(f facts.VM, w *Workload) VM {
	v := VM{
		Name: f.ID, Guest: f.GuestID, Firmware: f.Firmware, CPUs: f.CPUs, Memory: Size(f.MemoryMB) * MB,
		CDROMs: f.CDROMs, Power: Off, Template: f.Template, Host: f.Host, Tools: ToolsAbsent, ToolsStatus: f.ToolsStatus, Workload: w,
		Diskless: len(f.Disks) == 0, NoNICs: len(f.NICs) == 0,
	}
	if f.On {
		v.Power = On
	}
	// Of a VM that is off only the status tells whether tools are installed.
	if f.ToolsRunning || !f.On && f.ToolsStatus != "" && f.ToolsStatus != "guestToolsNotInstalled" {
		v.Tools = ToolsRunning
	}
	for i, d := range f.Disks {
		v.Disks = append(v.Disks, Disk{
			Capacity: Size(d.Capacity), Used: ptr(Size(d.Used)), Controller: d.Controller, Datastore: d.Datastore,
			Shared: f.SharedDisk && i == len(f.Disks)-1,
		})
	}
	for _, n := range f.NICs {
		v.NICs = append(v.NICs, NIC{Network: factNetworks[n.Network], Type: n.Type})
	}
	for i := range f.Snapshots {
		v.Snapshots = append(v.Snapshots, fmt.Sprintf("snapshot-%d", i+1))
	}
	return v
}

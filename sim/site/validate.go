package site

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/hdm-project/hdm/sim/site/facts"
	"github.com/hdm-project/hdm/sim/wan"
)

// PathError is something in a description that cannot be built.
type PathError struct {
	Path string // where, such as "on-premises.vms[2].disks[0].capacity"
	What string // is wrong
	Fix  string // what to do about it
}

func (e *PathError) Error() string { return e.Path + ": " + e.What + "; " + e.Fix }

// Limits of a description.
const (
	MaxVMs       = 20_000 // on a site
	MaxDisks     = 60     // of a VM
	MaxNICs      = 10     // of a VM
	MaxCDROMs    = 12     // of a VM: three IDE or SATA controllers' worth
	MaxCapacity  = 62 * TB
	MaxName      = 80 // bytes, as in vSphere
	MaxCPUs      = 768
	MaxMemory    = 24 * TB
	MaxHosts     = 96
	MaxSnapshots = 32           // of a VM: vSphere's limit on a chain
	MaxStore     = 1 << 20 * GB // of a datastore
	MaxPoolDepth = 8            // of pools in pools, as in vSphere
	MaxLateBoots = 100          // that are without tools
	MinRate      = 0.001        // writes and reads a second of one guest; 0 is none
	MaxRate      = 10_000
)

var (
	controllers = []string{"pvscsi", "lsilogic", "lsilogic-sas", "buslogic", "ide", "sata", "nvme"}
	adapters    = []string{"vmxnet3", "e1000", "e1000e", "pcnet32", "vmxnet2"}
	firmwares   = []string{"bios", "efi"}
	powers      = []Power{On, Off}
	tools       = []Tools{ToolsRunning, ToolsAbsent}
	sites       = []string{onPremises.path, cloud.path}
	workloads   = []string{"none", "sequential", "random", "zipf", "trace"}
	statuses    = []string{
		"guestToolsCurrent", "guestToolsUnmanaged", "guestToolsNotInstalled", "guestToolsTooOld",
		"guestToolsSupportedOld", "guestToolsSupportedNew", "guestToolsNeedUpgrade", "guestToolsTooNew", "guestToolsBlacklisted",
	}
	uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// Validate says whether the description can be built. Every error it finds is
// a *PathError; they come joined, in the order of the description.
func (d Description) Validate() error {
	_, err := d.Expand()
	return err
}

// checker collects errors. It looks at an expanded description.
type checker struct{ errs []error }

func (c *checker) fail(path, fix, what string, args ...any) {
	c.errs = append(c.errs, &PathError{Path: path, What: fmt.Sprintf(what, args...), Fix: fix})
}

func oneOf[T ~string](c *checker, path string, v T, allowed []T) {
	if !slices.Contains(allowed, v) {
		words := make([]string, len(allowed))
		for i, a := range allowed {
			words[i] = string(a)
		}
		c.fail(path, "use one of "+strings.Join(words, ", "), "%q is not known", v)
	}
}

func inRange[T int | Size | Rate | float64 | time.Duration](c *checker, path string, v, lowest, highest T) {
	if !(v >= lowest && v <= highest) { // so that NaN is out of range
		c.fail(path, fmt.Sprintf("use %v to %v", lowest, highest), "%v is out of range", v)
	}
}

func (c *checker) description(d Description) {
	c.site("on-premises", d.OnPremises, d.Guests)
	c.site("cloud", d.Cloud, d.Guests)
	c.link("links.wan", d.Links.WAN)
	c.link("links.internet", d.Links.Internet)
	inRange(c, "links.lan.latency", *d.Links.LAN.Latency, 0, time.Minute)
	inRange(c, "guests.boot-time", *d.Guests.BootTime, 0, 24*time.Hour)
	inRange(c, "guests.stop-time", *d.Guests.StopTime, 0, 24*time.Hour)
	c.workload("guests.workload", d.Guests.Workload)
}

func (c *checker) link(path string, l Link) {
	inRange(c, path+".latency", *l.Latency, 0, wan.MaxLatency)
	inRange(c, path+".bandwidth", l.Bandwidth, 1, Rate(TB))
	inRange(c, path+".loss", l.Loss, 0, wan.MaxLoss)
}

func (c *checker) site(path string, s Site, g Guests) {
	before := len(c.errs)
	known := func(list []string, what string) map[string]bool {
		seen := map[string]bool{}
		for i, name := range list {
			at := fmt.Sprintf("%s.%s[%d]", path, what, i)
			c.name(at, name)
			if seen[name] {
				c.fail(at, "give it another name", "%q is there twice", name)
			}
			seen[name] = true
		}
		return seen
	}
	var hosts, stores []string
	connected := 0
	for _, h := range s.Hosts {
		hosts = append(hosts, h.Name)
		if !h.Disconnected {
			connected++
		}
	}
	for i, ds := range s.Datastores {
		stores = append(stores, ds.Name)
		at := fmt.Sprintf("%s.datastores[%d]", path, i)
		inRange(c, at+".capacity", ds.Capacity, MB, MaxStore)
	}
	inRange(c, path+".hosts", len(s.Hosts), 1, MaxHosts)
	if connected == 0 {
		c.fail(path+".hosts", "connect one", "no host is connected, so nothing can run")
	}
	inRange(c, path+".vms", len(s.VMs), 0, MaxVMs)
	v := vmChecker{checker: c, guests: g,
		hosts: known(hosts, "hosts"), stores: known(stores, "datastores"),
		networks: known(s.Networks, "networks"), pools: c.pools(path, s.Pools),
		names: map[string]bool{}, uuids: map[string]string{}, macs: map[string]string{},
	}
	for i, vm := range s.VMs {
		v.vm(fmt.Sprintf("%s.vms[%d]", path, i), vm)
	}
	if len(c.errs) == before { // else too little room is an echo
		c.room(path, s)
	}
}

func (c *checker) name(path, name string) {
	switch {
	case name == "":
		c.fail(path, "give it a name", "the name is empty")
	case len(name) > MaxName:
		c.fail(path, fmt.Sprintf("use at most %d bytes", MaxName), "the name is %d bytes long", len(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		c.fail(path, "leave them out", "%q has control characters", name)
	case strings.ContainsAny(name, `/\%[]`):
		c.fail(path, `leave out / \ % [ ]`, "%q has a character that vSphere escapes", name)
	}
}

// room says whether the VMs fit into the datastores.
func (c *checker) room(path string, s Site) {
	used := s.used()
	for i, ds := range s.Datastores {
		at := fmt.Sprintf("%s.datastores[%d]", path, i)
		left := ds.Capacity - used[ds.Name]
		switch {
		case ds.Free != nil && *ds.Free < 0:
			c.fail(at+".free", "use 0 B or more", "%v is no space", *ds.Free)
		case left < 0:
			c.fail(at+".capacity", "make it larger, or the VMs smaller", "the VMs use %v of its %v", used[ds.Name], ds.Capacity)
		case ds.Free != nil && *ds.Free > left:
			c.fail(at+".free", "say at most that", "the VMs leave only %v", left)
		}
	}
}

type vmChecker struct {
	*checker
	guests                         Guests // what VMs have unless they say otherwise
	hosts, stores, networks, pools map[string]bool
	names                          map[string]bool
	uuids, macs                    map[string]string // and who has it
}

func (c *vmChecker) among(path, name string, known map[string]bool, what string) {
	if name != "" && !known[name] {
		c.fail(path, "describe it in the site's "+what+", or use one of those", "there is no %q", name)
	}
}

func (c *vmChecker) vm(path string, v VM) {
	c.name(path+".name", v.Name)
	if c.names[v.Name] {
		c.fail(path+".name", "give it another name", "%q is there twice on this site", v.Name)
	}
	twice := c.names[v.Name]
	c.names[v.Name] = true
	if !uuidForm.MatchString(v.UUID) {
		c.fail(path+".uuid", "write it as 8-4-4-4-12 lower-case hexadecimal digits", "%q is not a UUID", v.UUID)
	} else if by := c.uuids[v.UUID]; by != "" && !twice { // a default UUID is made of the name
		c.fail(path+".uuid", "give it another", "%s has it too; one vCenter does not allow that", by)
	}
	c.uuids[v.UUID] = v.Name

	oneOf(c.checker, path+".firmware", v.Firmware, firmwares)
	oneOf(c.checker, path+".power", v.Power, powers)
	oneOf(c.checker, path+".tools", v.Tools, tools)
	oneOf(c.checker, path+".tools-status", v.ToolsStatus, statuses)
	inRange(c.checker, path+".cpus", v.CPUs, 1, MaxCPUs)
	inRange(c.checker, path+".memory", v.Memory, 4*MB, MaxMemory)
	inRange(c.checker, path+".cdroms", v.CDROMs, 0, MaxCDROMs)
	if v.SystemFree != nil && len(v.Disks) > 0 {
		inRange(c.checker, path+".system-free", *v.SystemFree, 0, v.Disks[0].Capacity)
	}
	// What a VM has from the world's guests was judged there.
	if *v.BootTime != *c.guests.BootTime {
		inRange(c.checker, path+".boot-time", *v.BootTime, 0, 24*time.Hour)
	}
	if *v.StopTime != *c.guests.StopTime {
		inRange(c.checker, path+".stop-time", *v.StopTime, 0, 24*time.Hour)
	}
	c.toolsLate(path+".tools-late", v)
	c.among(path+".pool", v.Pool, c.pools, "pools")
	c.among(path+".host", v.Host, c.hosts, "hosts")
	if !v.Workload.same(c.guests.Workload) {
		c.workload(path+".workload", v.Workload)
	}
	if v.Template && v.Power == On {
		c.fail(path+".power", "turn it off", "a template cannot run")
	}
	if v.Diskless && len(v.Disks) > 0 {
		c.fail(path+".diskless", "leave out one of the two", "it has disks")
	}
	if v.NoNICs && len(v.NICs) > 0 {
		c.fail(path+".no-nics", "leave out one of the two", "it has nics")
	}
	c.devices(path, v)
}

func (c *vmChecker) toolsLate(path string, v VM) {
	l := v.ToolsLate
	if l == nil {
		return
	}
	inRange(c.checker, path+".boots", l.Boots, 0, MaxLateBoots)
	inRange(c.checker, path+".by", l.By, 0, 24*time.Hour)
	if l.Site != "" {
		oneOf(c.checker, path+".site", l.Site, sites)
	}
	switch {
	case v.Tools == ToolsAbsent:
		c.fail(path, "leave out one of the two", "its tools are absent: they cannot be late")
	case l.Never && l.Boots != 0:
		c.fail(path+".never", "leave out one of the two", "it says after how many boots they come up")
	case !l.Never && l.Boots == 0 && l.By == 0:
		c.fail(path, "say boots, by or never", "it says nothing of how late")
	}
}

func (c *vmChecker) devices(path string, v VM) {
	inRange(c.checker, path+".disks", len(v.Disks), 0, MaxDisks)
	for i, d := range v.Disks {
		at := fmt.Sprintf("%s.disks[%d]", path, i)
		inRange(c.checker, at+".capacity", d.Capacity, KB, MaxCapacity)
		if d.Capacity > KB && d.Capacity%KB != 0 {
			c.fail(at+".capacity", "use whole KB", "vSphere cannot make a disk of %v", d.Capacity)
		}
		if d.Capacity >= KB {
			inRange(c.checker, at+".used", *d.Used, 0, d.Capacity)
		}
		oneOf(c.checker, at+".controller", d.Controller, controllers)
		c.among(at+".datastore", d.Datastore, c.stores, "datastores")
	}
	if len(v.Disks) <= MaxDisks {
		c.controllers(path, v.Disks)
	}
	inRange(c.checker, path+".nics", len(v.NICs), 0, MaxNICs)
	for i, n := range v.NICs {
		at := fmt.Sprintf("%s.nics[%d]", path, i)
		oneOf(c.checker, at+".type", n.Type, adapters)
		c.among(at+".network", n.Network, c.networks, "networks")
		if mac, err := net.ParseMAC(n.MAC); err != nil || len(mac) != 6 || mac.String() != n.MAC {
			c.fail(at+".mac", "write it as 00:50:56:01:02:03", "%q is not a MAC address", n.MAC)
		} else if by := c.macs[n.MAC]; by != "" {
			c.fail(at+".mac", "give it another", "%s has it too, on the same site", by)
		}
		c.macs[n.MAC] = v.Name
	}
	inRange(c.checker, path+".snapshots", len(v.Snapshots), 0, MaxSnapshots)
	seen := map[string]bool{}
	for i, s := range v.Snapshots {
		at := fmt.Sprintf("%s.snapshots[%d]", path, i)
		c.name(at, s)
		if seen[s] {
			c.fail(at, "give it another name", "%q is there twice", s)
		}
		seen[s] = true
	}
}

// controllers says whether the disks find a place.
func (c *vmChecker) controllers(path string, disks []Disk) {
	var buses Buses
	for i, d := range disks {
		if !buses.Take(d.Controller) {
			family, most, units := busOf(d.Controller)
			c.fail(fmt.Sprintf("%s.disks[%d].controller", path, i), "put it on a controller of another kind, such as sata or nvme",
				"there is no room for it: a VM has at most %d %s controllers, with %d disks each", most, family, units)
			return
		}
	}
}

// same says whether two expanded workloads are equal.
func (w *Workload) same(o *Workload) bool {
	return w.Kind == o.Kind && *w.Rate == *o.Rate && w.Reads == o.Reads && w.Span == o.Span && w.FlushEvery == o.FlushEvery
}

func (c *checker) workload(path string, w *Workload) {
	oneOf(c, path+".kind", w.Kind, workloads)
	if *w.Rate != 0 {
		inRange(c, path+".rate", *w.Rate, MinRate, MaxRate)
	}
	inRange(c, path+".reads", w.Reads, 0, 1)
	inRange(c, path+".span", w.Span, 4*KB, MaxCapacity)
	inRange(c, path+".flush-every", w.FlushEvery, time.Millisecond, 24*time.Hour)
}

func (c *checker) facts(path string, f *FromFacts) {
	for i, id := range f.VMs {
		if _, ok := facts.Find(id); !ok {
			c.fail(fmt.Sprintf("%s.vms[%d]", path, i), "use vm-0001 to vm-0661", "there is no %q among the facts", id)
		}
	}
	inRange(c, path+".count", f.Count, 0, len(facts.Load()))
	if f.Count == 0 && len(f.VMs) == 0 {
		c.fail(path, "give a count, or list vms", "it asks for no VM")
	}
	c.workload(path+".workload", f.Workload)
}

// Locate finds what a path of a PathError names in the YAML node that the
// description was decoded from, or the nearest node above it: a thing that was
// left out has no place of its own.
func Locate(root *yaml.Node, path string) *yaml.Node {
	node := root
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		for node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		next := child(node, step)
		if next == nil {
			return node
		}
		node = next
	}
	return node
}

func child(node *yaml.Node, step string) *yaml.Node {
	switch node.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

package inventory

import (
	"fmt"
	"io/fs"
	"strings"
)

// entity is what all objects have that stand in a vCenter's tree.
type entity struct {
	ref, kind, name, parent string
	notes                   []note // what is known to be lost as soon as it is read
}

// note is a Loss of an object whose name is not settled yet.
type note struct{ what, became string }

func (e *entity) lose(became, what string, args ...any) {
	e.notes = append(e.notes, note{fmt.Sprintf(what, args...), became})
}

func (e *entity) loseIf(is bool, became, what string) {
	if is {
		e.lose(became, "%s", what)
	}
}

const leftOut = "left out"

type host struct {
	entity
	connected bool
	vms       []string // references
}

type store struct {
	entity
	capacity, free int64
}

type network struct {
	entity
	opaque string // the id that adapters name it by
	uplink bool   // of a distributed switch: no VM is on it
}

type pool struct {
	entity
	root bool // of a cluster or host
}

// objects is what a folder holds, as far as a site may need it.
type objects struct {
	hosts    []*host
	stores   []*store
	networks []*network
	pools    []*pool
	vms      []*machine
	others   []*entity      // folders, clusters and the like, which only hold things
	unread   map[string]int // objects of kinds that are left out
	kinds    []string       // of unread, in the order in which they came
	known    map[string]string
}

func newObjects() *objects {
	return &objects{unread: map[string]int{}, known: map[string]string{}}
}

// holders are the kinds that hold things and are nothing in a site themselves.
var holders = map[string]bool{
	"Folder": true, "Datacenter": true, "StoragePod": true, "ClusterComputeResource": true, "ComputeResource": true,
	"DistributedVirtualSwitch": true, "VmwareDistributedVirtualSwitch": true,
}

var wanted = map[string]func(*objects, *object) error{
	"HostSystem": (*objects).host, "Datastore": (*objects).store, "VirtualMachine": (*objects).vm,
	"Network": (*objects).network, "OpaqueNetwork": (*objects).network, "DistributedVirtualPortgroup": (*objects).network,
	"ResourcePool": (*objects).pool, "VirtualApp": (*objects).pool,
}

// read takes in one file.
func (o *objects) read(folder fs.FS, file string) error {
	x, err := readObject(folder, file, func(kind string) bool { return holders[kind] || wanted[kind] != nil })
	if err != nil {
		return err
	}
	if holders[x.kind] || wanted[x.kind] != nil {
		if before := o.known[x.ref]; before != "" {
			return &Error{File: file, Line: x.lines, What: fmt.Sprintf("it is %.80s, and so is %s", x.ref, before), Fix: "take one of the two out of the folder; each object is saved once"}
		}
		o.known[x.ref] = file
	}
	switch {
	case holders[x.kind]:
		e := x.entity()
		o.others = append(o.others, &e)
	case wanted[x.kind] != nil:
		return wanted[x.kind](o, x)
	default:
		if o.unread[x.kind]++; o.unread[x.kind] == 1 {
			o.kinds = append(o.kinds, x.kind)
		}
	}
	return nil
}

func (o *object) entity() entity {
	e := entity{ref: o.ref, kind: o.kind, name: o.prop("name").str(), parent: o.prop("parent").ref()}
	e.loseIf(len(o.prop("tag").all("Tag")) > 0, leftOut, "tags")
	e.loseIf(len(o.prop("customValue").all("CustomFieldValue")) > 0, leftOut, "custom values")
	return e
}

func (o *objects) host(x *object) error {
	state := x.prop("summary", "runtime", "connectionState").str()
	if runtime := x.prop("runtime"); runtime != nil {
		state = runtime.str("connectionState")
	}
	h := &host{entity: x.entity(), connected: state == "connected", vms: x.prop("vm").refs()}
	h.loseIf(!h.connected && state != "disconnected" && state != "notResponding", "disconnected", fmt.Sprintf("connection state %.40q", state))
	h.loseIf(x.prop("runtime").is("inMaintenanceMode"), "in use", "maintenance mode")
	h.loseIf(x.prop("runtime").str("powerState") == "standBy", "powered on", "standby")
	o.hosts = append(o.hosts, h)
	return nil
}

func (o *objects) store(x *object) (err error) {
	s := &store{entity: x.entity()}
	if s.capacity, err = x.number(x.prop("summary", "capacity")); err != nil {
		return err
	}
	if s.free, err = x.number(x.prop("summary", "freeSpace")); err != nil {
		return err
	}
	s.loseIf(x.prop("summary", "accessible").str() == "false", "accessible", "it cannot be reached")
	mode := x.prop("summary", "maintenanceMode").str()
	s.loseIf(mode != "" && mode != "normal", "in use", "maintenance mode")
	o.stores = append(o.stores, s)
	return nil
}

func (o *objects) network(x *object) error {
	n := &network{entity: x.entity(), opaque: x.prop("summary", "opaqueNetworkId").str()}
	n.uplink = x.prop("config").is("uplink")
	for _, tag := range x.prop("tag").all("Tag") {
		n.uplink = n.uplink || tag.str("key") == "SYSTEM/DVS.UPLINKPG"
	}
	const standard = "a standard network of that name"
	n.loseIf(n.kind == "DistributedVirtualPortgroup" && !n.uplink, standard, "distributed port group")
	n.loseIf(n.kind == "OpaqueNetwork", standard, "opaque network (NSX)")
	o.networks = append(o.networks, n)
	return nil
}

func (o *objects) pool(x *object) error {
	p := &pool{entity: x.entity()}
	p.root = strings.HasSuffix(strings.SplitN(p.parent, ":", 2)[0], "ComputeResource")
	p.loseIf(p.kind == "VirtualApp", "a resource pool", "vApp: start order and properties")
	p.loseIf(!p.root && shares(x.prop("config")), "no reservation, no limit, normal shares", "resource shares")
	o.pools = append(o.pools, p)
	return nil
}

// shares says whether a pool or VM is given anything but the normal share.
func shares(config *node) bool {
	for _, kind := range []string{"cpuAllocation", "memoryAllocation"} {
		a := config.at(kind)
		reserved, limit, level := a.str("reservation"), a.str("limit"), a.str("shares", "level")
		if reserved != "" && reserved != "0" || limit != "" && limit != "-1" || level != "" && level != "normal" {
			return true
		}
	}
	return false
}

// Package facts holds what is known of 661 real VMs: their sizes, devices,
// guests and states, without their names or contents.
//
// It decides nothing: it reads two embedded tables and selects from them.
// Turning a fact into a VM of a world is sim/site's work. What each column
// means and where the figures come from is in README.md.
package facts

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed vms.csv
var vmsCSV []byte

//go:embed hosts.csv
var hostsCSV []byte

// VM is one real virtual machine.
type VM struct {
	ID           string // "vm-0001"
	Site         string // "s1": one vCenter
	Host         string // "host-03", see Hosts
	On           bool
	Disconnected bool // its host does not respond
	Template     bool
	GuestID      string // vSphere guest identifier
	Firmware     string // "bios" or "efi"
	ToolsRunning bool
	ToolsStatus  string // vSphere toolsVersionStatus2; "" when not recorded
	CPUs         int
	MemoryMB     int64 // MiB
	Disks        []Disk
	SharedDisk   bool // a disk is in multi-writer mode
	NICs         []NIC
	CDROMs       int
	Snapshots    int // in its snapshot tree, which is one chain in all but one VM
}

// Used is the space that the VM's disks take, in bytes.
func (v VM) Used() (n int64) {
	for _, d := range v.Disks {
		n += d.Used
	}
	return n
}

// Disk of a VM.
type Disk struct {
	Capacity   int64  // bytes
	Used       int64  // bytes, never above Capacity: see usedOf
	Controller string // "lsilogic", "lsilogic-sas", "pvscsi" or "ide"
	Datastore  string // "vsan", "nfs" or "vmfs": the kind
}

// NIC of a VM.
type NIC struct {
	Type    string // "vmxnet3", "e1000", "e1000e" or "pcnet32"
	Network string // "opaque", "distributed" or "standard": the kind
}

// Host is one real ESXi host.
type Host struct {
	ID        string
	Site      string
	Cores     int
	MemoryGB  int64 // GiB
	Connected bool
}

var load = sync.OnceValues(func() (tables, error) {
	vms, err := read(vmsCSV, vmOf)
	if err != nil {
		return tables{}, fmt.Errorf("vms.csv: %w", err)
	}
	hosts, err := read(hostsCSV, hostOf)
	if err != nil {
		return tables{}, fmt.Errorf("hosts.csv: %w", err)
	}
	return tables{vms, hosts}, nil
})

type tables struct {
	vms   []VM
	hosts []Host
}

// mustLoad panics on a damaged table: the tables are part of the program.
func mustLoad() tables {
	t, err := load()
	if err != nil {
		panic(fmt.Sprintf("facts: an embedded table is damaged: %v", err))
	}
	return t
}

// Load returns all VMs, by ID. What it returns is the caller's own, down to
// but not into the lists of disks and NICs.
func Load() []VM { return slices.Clone(mustLoad().vms) }

// Hosts returns all hosts, by ID.
func Hosts() []Host { return slices.Clone(mustLoad().hosts) }

// Find returns the VM of that ID.
func Find(id string) (VM, bool) {
	vms := mustLoad().vms
	i, ok := slices.BinarySearchFunc(vms, id, func(v VM, id string) int { return strings.Compare(v.ID, id) })
	if !ok {
		return VM{}, false
	}
	return vms[i], true
}

// Filter says which VMs to draw from. A zero field does not restrict.
type Filter struct {
	Site    string // of this vCenter
	MaxUsed int64  // at most so many bytes in use on all disks together
	Plain   bool   // with disks; no template, no shared disk, not disconnected
}

func (f Filter) match(v VM) bool {
	odd := v.Template || v.SharedDisk || v.Disconnected || len(v.Disks) == 0
	return (f.Site == "" || v.Site == f.Site) &&
		(f.MaxUsed == 0 || v.Used() <= f.MaxUsed) &&
		(!f.Plain || !odd)
}

// Select draws n VMs that match the filter, the same ones for the same seed,
// and returns them by ID: all of them, if no more than n match.
func Select(n int, seed uint64, f Filter) []VM {
	vms := slices.DeleteFunc(Load(), func(v VM) bool { return !f.match(v) })
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(vms), func(i, j int) { vms[i], vms[j] = vms[j], vms[i] })
	vms = vms[:max(0, min(n, len(vms)))]
	slices.SortFunc(vms, func(a, b VM) int { return strings.Compare(a.ID, b.ID) })
	return vms
}

func vmOf(c *row) VM {
	v := VM{
		ID: c.text("vm"), Site: c.text("site"), Host: c.text("host"),
		On:           c.text("power") == "poweredOn",
		Disconnected: c.text("connection_state") == "disconnected",
		Template:     c.text("template") == "true",
		GuestID:      c.text("guest_id"),
		Firmware:     c.text("firmware"),
		ToolsRunning: c.text("tools_running") == "guestToolsRunning",
		ToolsStatus:  c.text("tools_version_status"),
		CPUs:         int(c.number("num_cpu")),
		MemoryMB:     c.number("memory_mb"),
		SharedDisk:   c.text("shared_bus") == "true",
		CDROMs:       int(c.number("cdroms")),
		Snapshots:    int(c.number("snapshots")),
	}
	used, kinds := c.list("disk_used_gb"), c.list("datastore_kinds")
	controllers := c.list("disk_controllers")
	for i, gb := range c.list("disk_gb") {
		if i >= len(used) || i >= len(kinds) || i >= len(controllers) {
			c.fail("disk_gb", "the lists of disks differ in length")
			break
		}
		capacity := c.gib(gb)
		v.Disks = append(v.Disks, Disk{
			Capacity: capacity, Used: usedOf(c.gib(used[i]), capacity),
			Controller: controllers[i], Datastore: kinds[i],
		})
	}
	backings := c.list("nic_backings")
	for i, kind := range c.list("nic_types") {
		if i >= len(backings) {
			c.fail("nic_types", "the lists of NICs differ in length")
			break
		}
		v.NICs = append(v.NICs, NIC{Type: kind, Network: backings[i]})
	}
	return v
}

// usedOf is what a disk's content can need at most: vSAN counts replicas as
// used, but an export carries each block once.
func usedOf(used, capacity int64) int64 { return min(used, capacity) }

func hostOf(c *row) Host {
	return Host{
		ID: c.text("host"), Site: c.text("site"),
		Cores: int(c.number("cores")), MemoryGB: c.number("memory_gb"),
		Connected: c.text("connection_state") == "connected",
	}
}

// row is one record of a table; it keeps the first thing that is wrong with it.
type row struct {
	columns map[string]int
	cells   []string
	err     error
}

func read[T any](data []byte, of func(*row) T) ([]T, error) {
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("no header row")
	}
	columns := map[string]int{}
	for i, name := range records[0] {
		columns[name] = i
	}
	var all []T
	for i, cells := range records[1:] {
		c := &row{columns: columns, cells: cells}
		t := of(c)
		if c.err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, c.err)
		}
		all = append(all, t)
	}
	return all, nil
}

func (c *row) fail(column, what string) {
	if c.err == nil {
		c.err = fmt.Errorf("column %s: %s", column, what)
	}
}

func (c *row) text(column string) string {
	i, ok := c.columns[column]
	if !ok {
		c.fail(column, "missing")
		return ""
	}
	return c.cells[i]
}

func (c *row) list(column string) []string {
	s := c.text(column)
	if s == "" {
		return nil
	}
	return strings.Split(s, ";")
}

func (c *row) number(column string) int64 {
	n, err := strconv.ParseInt(c.text(column), 10, 64)
	if err != nil {
		c.fail(column, err.Error())
	}
	return n
}

// gib turns GiB into bytes, in whole KiB as vSphere counts capacities.
func (c *row) gib(s string) int64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		c.fail("disk_gb", err.Error())
	}
	return int64(f*(1<<20)) << 10
}

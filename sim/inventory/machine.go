package inventory

import (
	"fmt"
	"strings"

	"github.com/hdm-project/hdm/sim/site"
)

// machine is a VM whose references are not followed yet.
type machine struct {
	entity
	vm         site.VM
	host, pool string
	disks      []attached // as vm.Disks
	cards      []card     // as vm.NICs
}

// attached is what a disk says of its place: a reference, or the "[name]" that
// its file name begins with.
type attached struct{ store, storeName string }

// card is what an adapter says of its network.
type card struct{ network, opaque, name string }

// hardware is the one version that a simulated vCenter makes.
const hardware = "vmx-19"

func (o *objects) vm(x *object) error {
	m := &machine{entity: x.entity(), host: x.prop("runtime", "host").ref(), pool: x.prop("resourcePool").ref()}
	config := x.prop("config")
	if m.name == "" {
		m.name = config.str("name")
	}
	m.loseIf(config == nil, "a VM with the defaults and no devices", "its configuration: the vCenter did not know it")
	v := &m.vm
	v.UUID, v.Guest, v.Firmware = config.str("uuid"), config.str("guestId"), config.str("firmware")
	if err := m.sizes(x, config); err != nil {
		return err
	}
	v.Template = config.is("template")
	v.Encrypted = config.at("keyId") != nil
	state := x.prop("runtime", "faultToleranceState").str()
	v.FaultTolerant = config.at("ftInfo") != nil || state != "" && state != "notConfigured"
	m.power(x)
	m.losses(x, config)
	m.snapshots(x)
	if err := m.devices(x, config); err != nil {
		return err
	}
	v.Diskless, v.NoNICs = len(v.Disks) == 0, len(v.NICs) == 0
	o.vms = append(o.vms, m)
	return nil
}

func (m *machine) sizes(x *object, config *node) error {
	cpus, err := x.number(config.at("hardware", "numCPU"))
	if err != nil {
		return err
	}
	memory, err := x.number(config.at("hardware", "memoryMB"))
	if err != nil {
		return err
	}
	m.vm.CPUs = int(clip(m, "CPUs", cpus, 1, site.MaxCPUs))
	m.vm.Memory = site.MB * site.Size(clip(m, "memory in MB", memory, 4, int64(site.MaxMemory/site.MB)))
	return nil
}

// clip brings a number into the range that a site allows.
func clip(m *machine, what string, n, lowest, highest int64) int64 {
	to := min(max(n, lowest), highest)
	m.loseIf(to != n, fmt.Sprint(to), what+" out of range")
	return to
}

// power takes the states of the VM and of its guest.
func (m *machine) power(x *object) {
	v := &m.vm
	switch state := x.prop("runtime", "powerState").str(); state {
	case "poweredOn":
		v.Power = site.On
	default:
		v.Power = site.Off
		m.loseIf(state != "poweredOff", "off", fmt.Sprintf("power state %.40q", state))
	}
	if v.Template && v.Power == site.On {
		v.Power = site.Off
		m.lose("off", "power of a template")
	}
	switch state := x.prop("runtime", "connectionState").str(); state {
	case "", "connected", "disconnected": // as the VM's host is
	default:
		m.lose("as its host is", "connection state %.40q", state)
	}
	guest := x.prop("guest")
	v.ToolsStatus = guest.str("toolsVersionStatus2")
	// Of a VM that is off only the status tells whether tools are installed.
	v.Tools = site.ToolsAbsent
	installed := v.ToolsStatus != "" && v.ToolsStatus != "guestToolsNotInstalled"
	if guest.str("toolsRunningStatus") == "guestToolsRunning" || v.Power == site.Off && installed {
		v.Tools = site.ToolsRunning
	}
}

// losses notes what a VM of a site does not have.
func (m *machine) losses(x *object, config *node) {
	m.loseIf(config.str("annotation") != "", leftOut, "annotation")
	version := config.str("version")
	m.loseIf(version != "" && version != hardware, hardware, fmt.Sprintf("hardware version %.20s", version))
	cores := config.str("hardware", "numCoresPerSocket")
	m.loseIf(cores != "" && cores != "0" && cores != "1", "one core in each socket", "cores per socket")
	m.loseIf(shares(config), "no reservation, no limit, normal shares", "resource shares")
	m.loseIf(x.prop("parentVApp").ref() != "", "in the vApp's resource pool", "member of a vApp")
	m.loseIf(config.at("ftInfo").str("role") == "2", "a VM like others", "it is the secondary of a fault tolerant VM")
	m.loseIf(config.at("managedBy") != nil, "a VM like others", "it is managed by an extension")
	m.loseIf(len(config.all("extraConfig")) > 0 && len(config.at("extraConfig").children) > 0, leftOut, "advanced settings")
}

// snapshots makes one chain of the VM's snapshots, the oldest first.
func (m *machine) snapshots(x *object) {
	branches, memory := false, false
	var walk func(list []*node)
	walk = func(list []*node) {
		branches = branches || len(list) > 1
		for _, n := range list {
			m.vm.Snapshots = append(m.vm.Snapshots, n.str("name"))
			memory = memory || n.str("state") == "poweredOn"
			walk(n.all("childSnapshotList"))
		}
	}
	walk(x.prop("snapshot").all("rootSnapshotList"))
	m.loseIf(branches, "one chain of all of them, the last current", "snapshot branches")
	m.loseIf(memory, "snapshots without memory", "memory of snapshots")
	if n := len(m.vm.Snapshots); n > site.MaxSnapshots {
		m.vm.Snapshots = m.vm.Snapshots[:site.MaxSnapshots]
		m.lose(leftOut, "%d snapshots after the first %d", n-site.MaxSnapshots, site.MaxSnapshots)
	}
	taken := map[string]bool{}
	for i, name := range m.vm.Snapshots {
		m.vm.Snapshots[i] = unique(taken, clean(name, "snapshot"))
		m.loseIf(m.vm.Snapshots[i] != name, m.vm.Snapshots[i], fmt.Sprintf("name of the snapshot %.40q", name))
	}
}

// clean makes a name that a site allows.
func clean(name, otherwise string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`/\%[]`, r) || r == '\uFFFD' || r < ' ' || r >= 0x7f && r <= 0x9f:
			return '_'
		}
		return r
	}, name)
	if name == "" {
		return otherwise
	}
	return shorten(name, site.MaxName)
}

// shorten cuts a text to so many bytes, between letters.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most]
}

// unique makes a name that is not taken, and takes it.
func unique(taken map[string]bool, name string) string {
	given := name
	for n := 2; taken[given]; n++ {
		end := fmt.Sprintf(" (%d)", n)
		given = shorten(name, site.MaxName-len(end)) + end
	}
	taken[given] = true
	return given
}

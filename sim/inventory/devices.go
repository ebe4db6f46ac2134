package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/sim/site"
)

// What devices are to a site, by the names of their types in the vSphere API.
var (
	controllers = map[string]string{
		"ParaVirtualSCSIController": "pvscsi", "VirtualLsiLogicController": "lsilogic", "VirtualLsiLogicSASController": "lsilogic-sas",
		"VirtualBusLogicController": "buslogic", "VirtualIDEController": "ide", "VirtualAHCIController": "sata",
		"VirtualSATAController": "sata", "VirtualNVMEController": "nvme",
	}
	adapters = map[string]string{
		"VirtualVmxnet3": "vmxnet3", "VirtualVmxnet3Vrdma": "vmxnet3", "VirtualE1000": "e1000", "VirtualE1000e": "e1000e",
		"VirtualPCNet32": "pcnet32", "VirtualVmxnet2": "vmxnet2", "VirtualVmxnet": "vmxnet2", "VirtualSriovEthernetCard": "vmxnet3",
	}
	// Those that are another thing than the site's.
	changed = map[string]string{"VirtualVmxnet3Vrdma": "RDMA adapter", "VirtualVmxnet": "vmxnet adapter", "VirtualSriovEthernetCard": "SR-IOV adapter"}
	// Every VM has these: a simulated one has them, or nobody would miss them.
	ordinary = []string{
		"VirtualPCIController", "VirtualPS2Controller", "VirtualSIOController", "VirtualKeyboard", "VirtualPointingDevice",
		"VirtualMachineVideoCard", "VirtualMachineVMCIDevice",
	}
)

func (m *machine) devices(x *object, config *node) error {
	var list []*node
	buses := map[string]string{}
	for _, d := range config.at("hardware").all("device") {
		list = append(list, d)
		if kind := controllers[d.kind]; kind != "" {
			buses[d.str("key")] = kind
			sharing := d.str("sharedBus")
			m.loseIf(sharing != "" && sharing != "noSharing", "a bus of its own", "shared SCSI bus")
		}
	}
	unknown := map[string]int{}
	for _, d := range list {
		switch {
		case d.kind == "VirtualDisk":
			if err := m.disk(x, d, buses); err != nil {
				return err
			}
		case adapters[d.kind] != "":
			m.adapter(d)
		case d.kind == "VirtualCdrom":
			m.vm.CDROMs++
		case d.kind == "VirtualTPM":
			m.vm.VTPM = true
		case d.kind == "VirtualPCIPassthrough":
			m.loseIf(m.vm.Passthrough, "one of them", "several passthrough devices")
			m.vm.Passthrough = true
		case controllers[d.kind] != "" || slices.Contains(ordinary, d.kind):
		default:
			if unknown[d.kind]++; unknown[d.kind] == 1 {
				m.lose(leftOut, "device %.60s", d.kind)
			}
		}
	}
	m.limit()
	return nil
}

// limit leaves out devices of which a VM of a site has no more.
func (m *machine) limit() {
	v := &m.vm
	if n := len(v.NICs); n > site.MaxNICs {
		v.NICs, m.cards = v.NICs[:site.MaxNICs], m.cards[:site.MaxNICs]
		m.lose(leftOut, "%d adapters after the first %d", n-site.MaxNICs, site.MaxNICs)
	}
	if n := len(v.Disks); n > site.MaxDisks {
		v.Disks, m.disks = v.Disks[:site.MaxDisks], m.disks[:site.MaxDisks]
		m.lose(leftOut, "%d disks after the first %d", n-site.MaxDisks, site.MaxDisks)
	}
	if n := v.CDROMs; n > site.MaxCDROMs {
		v.CDROMs = site.MaxCDROMs
		m.lose(leftOut, "%d CD-ROM drives after the first %d", n-site.MaxCDROMs, site.MaxCDROMs)
	}
}

func (m *machine) disk(x *object, d *node, buses map[string]string) error {
	capacity, err := x.number(d.at("capacityInBytes"))
	if err != nil {
		return err
	}
	if capacity == 0 {
		kb, err := x.number(d.at("capacityInKB"))
		if err != nil {
			return err
		}
		capacity = min(max(kb, 0), int64(site.MaxCapacity/site.KB)+1) * int64(site.KB)
	}
	backing := d.at("backing")
	whole := min(max(capacity, int64(site.KB)), int64(site.MaxCapacity))
	whole -= whole % int64(site.KB)
	m.loseIf(whole != capacity, site.Size(whole).String(), "capacity of a disk out of range")
	made := site.Disk{
		Capacity: site.Size(whole), Controller: buses[d.str("controllerKey")],
		Raw: strings.Contains(backing.kindOf(), "RawDisk"), Shared: backing.str("sharing") == "sharingMultiWriter",
	}
	if made.Controller == "" {
		made.Controller = "pvscsi"
		m.lose("pvscsi", "controller of a disk")
	}
	mode := backing.str("diskMode")
	made.Independent = strings.HasPrefix(mode, "independent")
	m.loseIf(strings.Contains(mode, "nonpersistent") || mode == "undoable" || mode == "append", "a disk that keeps what is written", "mode of a disk: "+shorten(mode, 40))
	m.vm.Encrypted = m.vm.Encrypted || backing.at("keyId") != nil
	used, known, err := usedOf(x, d.str("key"))
	if err != nil {
		return err
	}
	if !known {
		used = whole / 2
		if backing.str("thinProvisioned") == "false" || backing.is("eagerlyScrub") {
			used = whole
		}
		m.lose(site.Size(used).String(), "used space of a disk: the folder does not tell")
	}
	m.loseIf(known && used > whole, "no more than its capacity", "used space of a disk beyond its capacity")
	used = min(max(used, 0), whole)
	size := site.Size(used)
	made.Used = &size
	at := attached{store: backing.ref("datastore")}
	if name, _, found := strings.Cut(strings.TrimPrefix(backing.str("fileName"), "["), "]"); found {
		at.storeName = name
	}
	m.vm.Disks, m.disks = append(m.vm.Disks, made), append(m.disks, at)
	return nil
}

// kindOf is the type of a node that may not be there.
func (n *node) kindOf() string {
	if n == nil {
		return ""
	}
	return n.kind
}

// usedOf is what the files of a disk's extents take, snapshots and all, by the
// layout of the VM's files.
func usedOf(x *object, key string) (used int64, known bool, err error) {
	layout := x.prop("layoutEx")
	files := map[string]bool{}
	for _, disk := range layout.all("disk") {
		if disk.str("key") != key {
			continue
		}
		for _, unit := range disk.all("chain") {
			for _, file := range unit.all("fileKey") {
				files[file.text] = true
			}
		}
	}
	for _, file := range layout.all("file") {
		if !files[file.str("key")] || file.str("type") == "diskDescriptor" {
			continue
		}
		size, err := x.number(file.at("size"))
		if err != nil {
			return 0, false, err
		}
		used, known = min(used+max(size, 0), int64(site.MaxCapacity)+1), true
	}
	return used, known, nil
}

func (m *machine) adapter(d *node) {
	m.loseIf(changed[d.kind] != "", "a "+adapters[d.kind], changed[d.kind])
	m.vm.Passthrough = m.vm.Passthrough || d.kind == "VirtualSriovEthernetCard"
	backing := d.at("backing")
	c := card{network: backing.ref("network"), name: backing.str("deviceName"), opaque: backing.str("opaqueNetworkId")}
	if group := backing.str("port", "portgroupKey"); group != "" {
		c.network = "DistributedVirtualPortgroup:" + group
	}
	m.loseIf(d.at("connectable") != nil && d.str("connectable", "startConnected") == "false", "connected", "an adapter is not connected at power on")
	m.vm.NICs = append(m.vm.NICs, site.NIC{Type: adapters[d.kind], MAC: strings.ToLower(d.str("macAddress"))})
	m.cards = append(m.cards, c)
}

// where tells of a network that is not in the folder.
func (c card) where() string {
	for _, s := range []string{c.name, c.opaque, c.network} {
		if s != "" {
			return fmt.Sprintf("network %.60q", s)
		}
	}
	return "network of an adapter"
}

package inventory

import (
	"crypto/sha256"
	"fmt"
	"net"
	"regexp"
	"slices"

	"github.com/hdm-project/hdm/sim/site"
)

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	guestForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
)

func (m *merger) furnishVMs() {
	vms := byName(m.from.vms, func(v *machine) *entity { return &v.entity })
	m.identities(vms)
	for _, v := range vms {
		label := v.label()
		v.vm.Name = m.settle(&v.entity, m.taken.vms)
		m.identify(v)
		m.place(v, label)
		m.connect(v, label)
		m.words(v, label)
		m.made.VMs = append(m.made.VMs, v.vm)
	}
	m.missing()
}

// missing names the VMs that hosts say they have, and that no file describes.
func (m *merger) missing() {
	described := map[string]bool{}
	for _, v := range m.from.vms {
		described[v.ref] = true
	}
	for _, h := range m.from.hosts {
		for _, ref := range h.vms {
			if !described[ref] {
				m.lose(ref, leftOut, "its host lists it, and no file describes it")
			}
		}
	}
}

// identities takes the UUIDs and MAC addresses that are given, so that none that
// is made is one of them. The first VM that has one keeps it.
func (m *merger) identities(vms []*machine) {
	take := func(taken map[string]bool, id *string, form bool) {
		if !form || taken[*id] {
			*id = ""
			return
		}
		taken[*id] = true
	}
	for _, v := range vms {
		was := v.vm.UUID
		take(m.taken.uuids, &v.vm.UUID, uuidForm.MatchString(v.vm.UUID))
		v.loseIf(v.vm.UUID == "" && was != "", "a UUID of its own", "UUID: another VM has it too, or it is none")
		for i := range v.vm.NICs {
			mac := &v.vm.NICs[i].MAC
			was := *mac
			parsed, err := net.ParseMAC(*mac)
			take(m.taken.macs, mac, err == nil && len(parsed) == 6 && parsed.String() == *mac)
			v.loseIf(*mac == "" && was != "", "an address of its own", "MAC address: another adapter has it too, or it is none")
		}
	}
}

// identify makes the identities that are missing.
func (m *merger) identify(v *machine) {
	if v.vm.UUID == "" {
		v.vm.UUID = m.free(m.taken.uuids, "uuid/"+v.vm.Name, func(h [32]byte) string {
			h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // version 8 (custom), variant 1
			return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
		})
	}
	for i := range v.vm.NICs {
		if v.vm.NICs[i].MAC != "" {
			continue
		}
		v.vm.NICs[i].MAC = m.free(m.taken.macs, fmt.Sprintf("mac/%s/%d", v.vm.Name, i), func(h [32]byte) string {
			// VMware leaves 00:50:56:00 to :3f to administrators.
			return net.HardwareAddr{0, 0x50, 0x56, h[0] & 0x3f, h[1], h[2]}.String()
		})
	}
}

// free makes an identity from a name that nobody has.
func (m *merger) free(taken map[string]bool, name string, form func([32]byte) string) string {
	for n := 0; ; n++ {
		id := form(sha256.Sum256(fmt.Appendf(nil, "%s/%d", name, n)))
		if !taken[id] {
			taken[id] = true
			return id
		}
	}
}

// place finds the VM's host, pool and datastores.
func (m *merger) place(v *machine, label string) {
	var known bool
	if v.vm.Host, known = m.hosts[v.host]; !known {
		m.lose(label, "a connected host in turn", "its host is not among those of the site")
	}
	if v.vm.Pool, known = m.pools[v.pool]; !known && v.pool != "" {
		m.lose(label, "in the root pool", "its pool is not in the folder")
	}
	var buses site.Buses
	for i := range v.vm.Disks {
		d := &v.vm.Disks[i]
		d.Datastore = m.storeOf(v.disks[i], label)
		for _, kind := range []string{d.Controller, "pvscsi", "sata", "nvme"} {
			if buses.Take(kind) {
				if kind != d.Controller {
					m.lose(label, kind, "controller of disk %d: no room on those of kind %s", i+1, d.Controller)
					d.Controller = kind
				}
				break
			}
		}
	}
}

// storeWithout is the datastore of a disk that does not tell where it lies.
const storeWithout = "ds-01"

func (m *merger) storeOf(a attached, label string) string {
	if name := m.stores[a.store]; name != "" {
		return name
	}
	saved := a.storeName
	if saved == "" {
		saved = storeWithout
		m.lose(label, saved, "place of a disk: it names no datastore")
	}
	if name := m.stores["["+saved]; name != "" {
		return name
	}
	name := unique(m.taken.stores, clean(saved, storeWithout))
	m.stores["["+saved] = name
	m.made.Datastores = append(m.made.Datastores, site.Datastore{Name: name, Capacity: site.DefaultCapacity})
	m.lose(fmt.Sprintf("datastore %q", shorten(saved, site.MaxName)), site.DefaultCapacity.String(), "capacity: it is not in the folder")
	return name
}

// connect finds the networks of the VM's adapters.
func (m *merger) connect(v *machine, label string) {
	for i, c := range v.cards {
		name := ""
		for _, as := range []string{c.network, "#" + c.opaque, "[" + c.name} {
			if name = m.networks[as]; name != "" {
				break
			}
		}
		if name == "" {
			saved := c.name
			if saved == "" {
				saved = c.network + c.opaque
			}
			name = m.networks["?"+saved]
			if name == "" {
				name = unique(m.taken.networks, clean(saved, "network"))
				m.made.Networks = append(m.made.Networks, name)
				m.networks["?"+saved] = name
			}
			m.lose(label, fmt.Sprintf("network %q", name), "%s is not in the folder", c.where())
		}
		v.vm.NICs[i].Network = name
	}
}

var firmwares = []string{"bios", "efi"}

// words checks what a VM says of itself in words.
func (m *merger) words(v *machine, label string) {
	given := &v.vm
	if !guestForm.MatchString(given.Guest) {
		given.Guest = site.DefaultGuest
		m.lose(label, site.DefaultGuest, "guest identifier: none that is one")
	}
	if !slices.Contains(firmwares, given.Firmware) {
		given.Firmware = firmwares[0]
		m.lose(label, given.Firmware, "firmware: none that is known")
	}
	if given.ToolsStatus != "" && !site.KnownToolsStatus(given.ToolsStatus) {
		m.lose(label, "the usual one", "status of VMware Tools %.40q", given.ToolsStatus)
		given.ToolsStatus = ""
	}
}

// room sees to it that the VMs fit into the datastores.
func (m *merger) room() {
	used := map[string]site.Size{}
	for i := range m.made.VMs {
		v := &m.made.VMs[i]
		for j := range v.Disks {
			d := &v.Disks[j]
			if used[d.Datastore]+*d.Used > site.MaxStore {
				none := site.Size(0)
				d.Used = &none
				m.lose(fmt.Sprintf("VM %q", v.Name), none.String(), "used space of disk %d: no datastore holds so much", j+1)
			}
			used[d.Datastore] += *d.Used
		}
	}
	for i := range m.made.Datastores {
		ds := &m.made.Datastores[i]
		label := fmt.Sprintf("datastore %q", ds.Name)
		capacity := min(max(ds.Capacity, site.MB, used[ds.Name]), site.MaxStore)
		if capacity != ds.Capacity {
			m.lose(label, capacity.String(), "capacity of %v: its VMs use %v", ds.Capacity, used[ds.Name])
			ds.Capacity = capacity
		}
		if ds.Free == nil {
			continue
		}
		free := min(max(*ds.Free, 0), capacity-used[ds.Name])
		if free != *ds.Free {
			m.lose(label, free.String(), "free space of %v: its VMs leave less", *ds.Free)
			ds.Free = &free
		}
	}
}

// Package site builds a world from a description: two sites with a vCenter
// each, the links between them, and the guests on their VMs.
//
// It decides what stands where and keeps the guests in step with the power of
// their VMs; it turns what a vCenter says of itself into events of the trace.
// It never moves a VM and never judges: that is the appliance's and the
// oracles' work.
//
// Read this file first (what can be described), then expand.go (defaults, and
// VMs from the facts of real ones), validate.go (what is refused), world.go
// (Build), wiring.go (guests and trace).
package site

import "time"

// Description is a world as people write it down. Its zero value is a world
// of two empty sites; everything left out gets a default (see Expand).
type Description struct {
	Title      string `yaml:"title,omitempty"`
	OnPremises Site   `yaml:"on-premises,omitempty"`
	Cloud      Site   `yaml:"cloud,omitempty"`
	Links      Links  `yaml:"links,omitempty"`
	Guests     Guests `yaml:"guests,omitempty"`
}

// Site is one vCenter with one cluster, and what is in it.
type Site struct {
	Hosts      []Host      `yaml:"hosts,omitempty" nonzero:"default"`      // default: host-1 and host-2, or cloud-host-1 and -2
	Datastores []Datastore `yaml:"datastores,omitempty" nonzero:"default"` // default: one of 20 TB
	Networks   []string    `yaml:"networks,omitempty" nonzero:"default"`   // default: "VM Network", or "Cloud Net"
	Pools      []string    `yaml:"pools,omitempty"`                        // resource pools below the cluster's root pool; one in another as a path, "gold/db", after it
	VMs        []VM        `yaml:"vms,omitempty"`
	FromFacts  *FromFacts  `yaml:"from-facts,omitempty"` // more VMs, shaped like real ones
}

// Host is an ESXi host of the site's cluster.
type Host struct {
	Name         string `yaml:"name"`
	Disconnected bool   `yaml:"disconnected,omitempty"` // the vCenter cannot reach it, nor the VMs on it
}

// Datastore is shared by all hosts of its site.
type Datastore struct {
	Name     string `yaml:"name"`
	Capacity Size   `yaml:"capacity,omitempty" nonzero:"default"` // default 20 TB
	// Free is what is left once the described VMs are there; the rest is taken by
	// things outside the world. Left out: all that the VMs leave.
	Free *Size `yaml:"free,omitempty"`
}

// VM is a virtual machine with the guest on it.
type VM struct {
	Name     string `yaml:"name"`
	UUID     string `yaml:"uuid,omitempty"`                                                                 // BIOS UUID; default made from site and name
	Guest    string `yaml:"guest,omitempty"`                                                                // vSphere guest identifier; default ubuntu64Guest
	Firmware string `yaml:"firmware,omitempty" jsonschema:"enum=bios,enum=efi"`                             // bios (default) or efi
	CPUs     int    `yaml:"cpus,omitempty" nonzero:"default"`                                               // default 2
	Memory   Size   `yaml:"memory,omitempty" nonzero:"default"`                                             // default 4 GB
	Disks    []Disk `yaml:"disks,omitempty" nonzero:"for a VM without disks write diskless: true instead"`  // the first is the boot disk; default one of 20 GB
	Diskless bool   `yaml:"diskless,omitempty"`                                                             // no disk at all, so no guest either
	NICs     []NIC  `yaml:"nics,omitempty" nonzero:"for a VM without adapters write no-nics: true instead"` // default one on the site's first network
	NoNICs   bool   `yaml:"no-nics,omitempty"`
	CDROMs   int    `yaml:"cdroms,omitempty"`

	ISO           bool `yaml:"iso,omitempty"`         // an image is in its first CD/DVD device
	USB           bool `yaml:"usb,omitempty"`         // a USB device is attached
	Passthrough   bool `yaml:"passthrough,omitempty"` // has a PCI pass-through device
	VTPM          bool `yaml:"vtpm,omitempty"`        // has a virtual TPM
	Encrypted     bool `yaml:"encrypted,omitempty"`
	FaultTolerant bool `yaml:"fault-tolerant,omitempty"`

	Power     Power    `yaml:"power,omitempty" jsonschema:"enum=on,enum=off"` // on (default) or off
	Template  bool     `yaml:"template,omitempty"`
	Snapshots []string `yaml:"snapshots,omitempty"` // taken in this order, each the child of the one before
	Pool      string   `yaml:"pool,omitempty"`      // default the root pool
	Host      string   `yaml:"host,omitempty"`      // default: connected hosts in turn

	Tools       Tools      `yaml:"tools,omitempty" jsonschema:"enum=running,enum=absent"` // running (default), absent
	ToolsStatus string     `yaml:"tools-status,omitempty"`                                // toolsVersionStatus2; default by Tools
	ToolsLate   *ToolsLate `yaml:"tools-late,omitempty"`                                  // default: they come up with the guest
	SystemFree  *Size      `yaml:"system-free,omitempty"`                                 // free in the guest's system partition, as its tools tell; default they do not
	Deaf        bool       `yaml:"deaf,omitempty"`                                        // the guest does not shut down when it is asked to

	Workload *Workload      `yaml:"workload,omitempty"`  // default the world's guests.workload
	BootTime *time.Duration `yaml:"boot-time,omitempty"` // power on until the tools run; default the world's
	StopTime *time.Duration `yaml:"stop-time,omitempty"` // asked to shut down until halted; default the world's
}

// Power is the power state that a VM has when the world begins.
type Power string

// The power states.
const (
	On  Power = "on"
	Off Power = "off"
)

// Tools says whether VMware Tools are in a guest.
type Tools string

// Tools run whenever the guest does, or are not installed.
const (
	ToolsRunning Tools = "running"
	ToolsAbsent  Tools = "absent"
)

// ToolsLate says that VMware Tools come up late in a guest, or never. Each
// power-on, reboot and reset since the world began is a boot. A VM that is on
// when the world begins has its tools running.
type ToolsLate struct {
	Boots int           `yaml:"boots,omitempty"`                                         // so many boots are without tools: 2 is that they first come up at the third
	Never bool          `yaml:"never,omitempty"`                                         // no boot has them
	By    time.Duration `yaml:"by,omitempty"`                                            // each boot takes so much longer
	Site  string        `yaml:"site,omitempty" jsonschema:"enum=on-premises,enum=cloud"` // count and delay only boots there; default everywhere
}

// Disk is a virtual disk.
type Disk struct {
	Capacity    Size   `yaml:"capacity,omitempty" nonzero:"default"`                                                                                     // default 20 GB
	Used        *Size  `yaml:"used,omitempty"`                                                                                                           // what a transfer carries; default half the capacity
	Controller  string `yaml:"controller,omitempty" jsonschema:"enum=pvscsi,enum=lsilogic,enum=lsilogic-sas,enum=buslogic,enum=ide,enum=sata,enum=nvme"` // pvscsi (default), lsilogic, lsilogic-sas, buslogic, ide, sata, nvme
	Datastore   string `yaml:"datastore,omitempty"`                                                                                                      // default the site's first
	Shared      bool   `yaml:"shared,omitempty"`                                                                                                         // multi-writer
	Independent bool   `yaml:"independent,omitempty"`                                                                                                    // independent of snapshots
	Raw         bool   `yaml:"raw,omitempty"`                                                                                                            // a raw device mapping
}

// NIC is a virtual network adapter.
type NIC struct {
	Network string `yaml:"network,omitempty"`                                                                         // default the site's first
	Type    string `yaml:"type,omitempty" jsonschema:"enum=vmxnet3,enum=e1000,enum=e1000e,enum=pcnet32,enum=vmxnet2"` // vmxnet3 (default), e1000, e1000e, pcnet32, vmxnet2
	MAC     string `yaml:"mac,omitempty"`                                                                             // default one of its own
}

// FromFacts adds VMs that are shaped like real ones: sizes, devices, guests
// and states are those of the 661 VMs of package facts. They are named as
// there ("vm-0302"); hosts, datastores and networks that they need are added.
type FromFacts struct {
	VMs      []string  `yaml:"vms,omitempty"`                        // these, and
	Count    int       `yaml:"count,omitempty"`                      // so many more, drawn at random
	Seed     uint64    `yaml:"seed,omitempty"`                       // of the draw
	Site     string    `yaml:"site,omitempty"`                       // draw from this vCenter only ("s4")
	MaxUsed  Size      `yaml:"max-used,omitempty" nonzero:"default"` // draw only VMs with at most so much in use
	Plain    bool      `yaml:"plain,omitempty"`                      // draw none that is a template, disconnected, diskless or shares a disk
	Workload *Workload `yaml:"workload,omitempty"`                   // of each; default the world's guests.workload
}

// Links are the ways between the parts of the world.
type Links struct {
	LAN      LAN  `yaml:"lan,omitempty"`      // appliance to on-premises vCenter
	WAN      Link `yaml:"wan,omitempty"`      // premises to cloud
	Internet Link `yaml:"internet,omitempty"` // premises to the message queues
}

// LAN is so fast, compared with the WAN, that only its latency counts.
type LAN struct {
	Latency *time.Duration `yaml:"latency,omitempty"` // one way; default 200µs
}

// Link has the same properties in both directions.
type Link struct {
	Latency   *time.Duration `yaml:"latency,omitempty"`                                                                    // one way; default 20ms
	Bandwidth Rate           `yaml:"bandwidth,omitempty" nonzero:"for a link that carries nothing use the fault wan-down"` // default 1 Gbit/s
	Loss      float64        `yaml:"loss,omitempty"`                                                                       // fraction of packets, at most 0.9
}

// Guests are the defaults for all guests of the world.
type Guests struct {
	Workload *Workload      `yaml:"workload,omitempty"`  // default none
	BootTime *time.Duration `yaml:"boot-time,omitempty"` // default 40s
	StopTime *time.Duration `yaml:"stop-time,omitempty"` // default 15s
}

// Workload is what a guest writes to its disks, and reads from them, while it
// runs.
type Workload struct {
	Kind       string        `yaml:"kind" jsonschema:"enum=none,enum=sequential,enum=random,enum=zipf,enum=trace"` // none, sequential, random, zipf or trace
	Rate       *float64      `yaml:"rate,omitempty"`                                                               // writes and reads a second; default 1; 0 is a guest that does neither
	Reads      float64       `yaml:"reads,omitempty"`                                                              // fraction of those that read, 0 to 1; default 0
	Span       Size          `yaml:"span,omitempty" nonzero:"default"`                                             // of each disk, from its start; default 1 MB, and never more than the disk
	FlushEvery time.Duration `yaml:"flush-every,omitempty" nonzero:"default"`                                      // default 5s
}

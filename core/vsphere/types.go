package vsphere

import "time"

// Site is one of the two ends of a migration.
type Site string

// The two sites.
const (
	OnPremises Site = "on-premises"
	Cloud      Site = "cloud"
)

// Ref names a managed object in one vCenter, as "Type:value", for example
// "VirtualMachine:vm-53". It is unique within a vCenter only.
type Ref string

// Power is a VM's power state.
type Power string

// The power states of vSphere.
const (
	On        Power = "poweredOn"
	Off       Power = "poweredOff"
	Suspended Power = "suspended"
)

// VM is what HDM reads of a virtual machine.
type VM struct {
	Ref          Ref
	Name         string
	BIOSUUID     string // config.uuid
	InstanceUUID string
	Power        Power
	Connection   string // runtime.connectionState: "connected", "disconnected", "orphaned", ...
	Template     bool
	GuestID      string // as configured: "ubuntu64Guest"
	GuestName    string // the same for people: "Ubuntu Linux (64-bit)"
	Firmware     string // "bios" or "efi"
	ToolsRunning bool
	ToolsStatus  string      // guest.toolsVersionStatus2
	HostName     string      // as the tools tell; "" if they do not
	IPs          []string    // the same
	GuestDisks   []GuestDisk // the same
	CPUs         int32
	MemoryMB     int32

	Disks         []Disk
	NICs          []NIC
	CDROMs        int
	ISO           bool // an image or a drive of the host is in one of the CD/DVD devices
	USB           bool // a USB device is attached
	Passthrough   bool // a PCI passthrough device or vGPU
	VTPM          bool
	Encrypted     bool
	FaultTolerant bool

	Snapshots []Snapshot // the whole tree, parents before children
	Pool      Ref
	Host      Ref
	Folder    Ref
	Marks     map[string]string // extraConfig keys that begin with "hdm."
}

// GuestDisk is a file system of a guest, as its tools tell.
type GuestDisk struct {
	Path     string // "/", "C:\\"
	Capacity int64  // bytes
	Free     int64  // bytes
}

// Disk is a virtual disk of a VM.
type Disk struct {
	Key         int32
	Label       string
	Capacity    int64  // bytes, as provisioned
	Used        int64  // bytes in use, as layoutEx tells; 0 if it does not
	Controller  string // "pvscsi", "lsilogic", "lsilogic-sas", "buslogic", "ide", "sata", "nvme"
	Mode        string // backing.diskMode
	Independent bool
	Shared      bool // multi-writer, or on a SCSI bus that is shared
	Raw         bool // RDM
	Datastore   string
}

// NIC is a virtual network adapter.
type NIC struct {
	Key       int32
	Label     string
	Type      string // "vmxnet3", "e1000", "e1000e", "pcnet32", "vmxnet2"
	MAC       string
	Network   string // the name of the network or port group
	Connected bool
}

// Snapshot is one node of a VM's snapshot tree.
type Snapshot struct {
	Ref         Ref
	Name        string
	Description string
	Parent      Ref // "" for a root
	Current     bool
}

// Resources are what a site can give to a VM, each kind by name.
type Resources struct {
	Networks   []string // names, each once
	Datastores []Datastore
	Clusters   []Cluster
	Pools      []Pool
	Hosts      []Host
	// Adapters are the NIC types that the site's environment browser offers.
	Adapters []string

	// AmbiguousNetworks and AmbiguousDatastores are the names that several have,
	// usable or not. Verbs that are given such a name refuse it.
	AmbiguousNetworks   []string
	AmbiguousDatastores []string
}

// Datastore of a site that can be used now.
type Datastore struct {
	Ref      Ref
	Name     string
	Capacity int64 // bytes
	Free     int64 // bytes
	Hosts    []Ref // that can write to it
	Served   bool  // a component VM of HDM serves it: no place for disks of its own
}

// Cluster is a compute resource: a cluster, or a host that is in none.
type Cluster struct {
	Ref  Ref
	Name string
}

// Pool is a resource pool. Root pools have the name "Resources", and their
// cluster as parent.
type Pool struct {
	Ref     Ref
	Name    string
	Parent  Ref
	Cluster Ref
}

// Host of a site.
type Host struct {
	Ref       Ref
	Name      string
	Connected bool // and not in maintenance
	Cluster   Ref
	Networks  []string // names of those that it is on, sorted
	// Connection is "connected", "disconnected" by somebody, or "notResponding".
	Connection string
	Booted     time.Time // zero if it does not say
}

// TaskState of a vCenter task.
type TaskState string

// The task states of vSphere.
const (
	TaskQueued  TaskState = "queued"
	TaskRunning TaskState = "running"
	TaskSuccess TaskState = "success"
	TaskError   TaskState = "error"
)

// Progress tells how far a transfer is.
type Progress struct {
	Bytes   int64 // carried so far
	Total   int64 // expected; 0 if not known
	Percent int32
	At      time.Time
}

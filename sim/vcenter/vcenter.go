// Package vcenter is a vCenter in this process: govmomi's simulator, and what
// that lacks or only pretends.
//
// From the simulator (vcsim) come the inventory, the property collector, views,
// searches, sessions over HTTP and the wire format. Everything that changes a
// VM is done here instead: tasks that take time on a clock of the caller's,
// power, pools, snapshots that are layers of real disks and linked clones that
// stand on them, datastores that somebody else serves, storage policies that are
// remembered (over HTTP, under /pbm), export and import of real disk images under
// leases that expire, sessions that end what they left, hosts that restart or are
// lost, the I/O filter of a cluster and its daemons. What fails can be made to:
// RestartHost, DisconnectHost, RestartFilter, Restart (of the vCenter itself),
// FillDatastore, FailDatastore, Corrupt.
//
//	govmomi client --- Direct (in process) --+
//	govc, PowerCLI --- Serve (SOAP, TLS) ----+--> overlay: one call at a time
//	                                         |      ours (the types named ...Calls), or vcsim's, or refused
//	tests, guests ---- VMs, SetGuest, ... ---+--> truth, and Observe(Change)
//
// It decides what an API call does and when. It never reads the wall clock
// (except for the certificate that Serve makes), starts no goroutine (except
// those of the server), makes no file, and knows nothing of migrations. What
// vcsim itself stamps (session times) is wall time. A task that it does not
// implement is refused with NotSupported rather than left to vcsim, whose tasks
// run beside the caller and can end the process with a panic.
//
// Read this file, then overlay.go (how a call finds its method), task.go (how
// things take time), foreign.go (how clients of other hands get into a world that
// somebody drives), then the file of the gap in question; for what fails host.go,
// filter.go, restart.go and store.go.
package vcenter

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
)

// Clock is the time that a vCenter lives in. After calls f once d has passed,
// never before After has returned, and stop keeps it from being called; in a
// simulation both are the kernel's.
type Clock interface {
	Now() time.Time
	After(d time.Duration, f func()) (stop func() bool)
}

// Timing says how long things take. A zero duration means at once, within the
// call. DefaultTiming has figures of the order that people see.
type Timing struct {
	PowerOn, PowerOff time.Duration
	Reset, Suspend    time.Duration
	Reconfigure       time.Duration
	Relocate          time.Duration
	CreateSnapshot    time.Duration
	RemoveSnapshot    time.Duration
	RevertSnapshot    time.Duration
	Create, Destroy   time.Duration
	Clone             time.Duration // linked: it copies nothing, so size does not matter
	Rename            time.Duration
	HostTask          time.Duration // from a host's RebootHost, DisconnectHost or ReconnectHost to its effect
	HostBoot          time.Duration // how long a host is down that was rebooted over the API
	InstallFilter     time.Duration // of an I/O filter, on all hosts of a cluster
	LeaseReady        time.Duration // from ExportVm or ImportVApp to a lease that is ready
	LeaseTimeout      time.Duration // a lease without progress for so long expires; 300 s if 0
}

// DefaultTiming is a vCenter that is neither idle nor busy.
func DefaultTiming() Timing {
	return Timing{
		PowerOn: 3 * time.Second, PowerOff: 2 * time.Second, Reset: 3 * time.Second, Suspend: 5 * time.Second,
		Reconfigure: time.Second, Relocate: 10 * time.Second,
		CreateSnapshot: 4 * time.Second, RemoveSnapshot: 6 * time.Second, RevertSnapshot: 4 * time.Second,
		Create: 2 * time.Second, Destroy: 2 * time.Second, Clone: 5 * time.Second, Rename: time.Second,
		HostTask: 2 * time.Second, HostBoot: 4 * time.Minute, InstallFilter: 30 * time.Second,
		LeaseReady: 3 * time.Second, LeaseTimeout: defaultLeaseTimeout,
	}
}

// Change is something that has become true in the vCenter, whoever caused it.
// Kind, Subject and Attrs (keys and values in turn) follow package sim/event.
type Change struct {
	Kind    string
	Subject string
	Attrs   []string
}

// Config describes a vCenter. Only Site and Clock are needed.
type Config struct {
	Site         vsphere.Site
	Name         string // of the vCenter, as About tells it; the site's name if ""
	InstanceUUID string // made from the site's name if ""
	Clock        Clock
	Timing       Timing
	User         string   // who may log in; "administrator@vsphere.local" if ""
	Password     string   // "password" if ""
	Adapters     []string // kinds of network adapter that new VMs may have; DefaultAdapters if nil

	// Observe hears of every change, in order, after the call or the timer that
	// made it has let go of the vCenter: it may read the truth and call back.
	Observe func(Change)
	// ShutdownGuest is told, in the same order as changes, that the guest of a VM
	// has been asked to shut down. When the guest has, it calls GuestHalted. Nil:
	// no guest ever does.
	ShutdownGuest func(vm string)
	// Backing opens the disk that a served datastore holds at a path, when a VM is
	// made that has it, and again when that is powered on. An error that is fs.ErrNotExist says that there is none. It
	// is called while the vCenter is busy: it must not call back. Nil: served
	// datastores hold nothing.
	Backing func(datastore, path string) (*disk.Disk, error)
	// RebootGuest is told in the same way that a guest has been asked to reboot.
	// Nil: that is refused.
	RebootGuest func(vm string)
}

// VCenter is one vCenter. Its methods may be called from any goroutine; in a
// simulation all calls come from the kernel's.
type VCenter struct {
	config  Config
	service *simulator.Service
	reg     *simulator.Registry
	base    *simulator.Context // copied for each use of ours: object locks belong to a context

	mu         sync.Mutex
	queue      []func() // what is told once mu is free
	down       bool     // it restarts
	stopDown   func() bool
	delivering bool
	closed     bool

	dc        *simulator.Datacenter
	clusters  map[string]*simulator.ClusterComputeResource
	hosts     map[string]*simulator.HostSystem
	hostOrder []*simulator.HostSystem
	runs      map[ref]*host                      // by host
	filters   map[ref]*types.ClusterIoFilterInfo // by cluster
	stores    map[string]*datastore
	storeList []*datastore
	networks  map[string]types.ManagedObjectReference
	netOrder  []string

	machines map[types.ManagedObjectReference]*machine
	byName   map[string]*machine
	order    []*machine // by creation
	created  int        // VMs ever

	tasks    map[types.ManagedObjectReference]*task
	taskList []*task // the last maxTasks, oldest first
	taskSeq  int
	leases   map[string]*lease
	leaseLog []*lease // the last maxLeases, oldest first
	leaseSeq int
	sessions map[string]*session
	sessSeq  int
	events   []Event // the last maxEvents
	snapSeq  int

	policies *profiles

	restartWatch []func()
	hostWatch    []func(host string, up bool, boot uint64)
	filterWatch  []func(host string, up bool, epoch uint64)

	baseURL string // where leases point to
}

// Limits: what is kept for reading goes no further back than this.
const (
	maxTasks  = 4096
	maxLeases = 1024
	maxEvents = 4096
)

// vcsim's instances share templates that a build writes to: one at a time.
var templates sync.Mutex

// New returns a vCenter with an empty datacenter "DC".
func New(config Config) (*VCenter, error) {
	if config.Clock == nil {
		return nil, errors.New("a vCenter needs a clock: set Config.Clock")
	}
	if config.Site == "" {
		return nil, errors.New("a vCenter needs a site: set Config.Site")
	}
	defaults(&config)
	templates.Lock()
	defer templates.Unlock()

	ctx, instance := simulator.NewServiceInstance(simulator.NewContext(), vpx.ServiceContent, vpx.RootFolder)
	vc := &VCenter{
		config: config, base: ctx, reg: ctx.Map, service: simulator.New(ctx, instance),
		clusters: map[string]*simulator.ClusterComputeResource{}, hosts: map[string]*simulator.HostSystem{},
		runs: map[ref]*host{}, filters: map[ref]*types.ClusterIoFilterInfo{},
		stores: map[string]*datastore{}, networks: map[string]types.ManagedObjectReference{},
		machines: map[types.ManagedObjectReference]*machine{}, byName: map[string]*machine{},
		tasks: map[types.ManagedObjectReference]*task{}, leases: map[string]*lease{}, sessions: map[string]*session{},
	}
	instance.Content.About.InstanceUuid = config.InstanceUUID
	instance.Content.About.Name = config.Name
	vc.service.Listen = &url.URL{Scheme: "https", Host: hostName, Path: sdkPath, User: url.UserPassword(config.User, config.Password)}
	vc.baseURL = "https://" + hostName
	vc.service.RegisterSDK(vc.reg, sdkPath+"/vimService")
	vc.registerPBM()
	vc.registerFilters()
	vc.unshare()
	vc.reg.Handler = vc.dispatch

	root := vc.reg.Get(vpx.RootFolder.Self).(*simulator.Folder)
	vc.dc = simulator.NewDatacenter(vc.ctx(), &root.Folder)
	vc.dc.Name = "DC"
	for _, ref := range vc.dc.Network { // the network that vcsim makes by itself
		vc.adoptNetwork(ref)
	}
	return vc, nil
}

func defaults(c *Config) {
	if c.Name == "" {
		c.Name = "vcenter-" + string(c.Site)
	}
	if c.InstanceUUID == "" {
		c.InstanceUUID = nameUUID("vcenter/" + string(c.Site) + "/" + c.Name)
	}
	if c.User == "" {
		c.User = "administrator@vsphere.local"
	}
	if c.Password == "" {
		c.Password = "password"
	}
	if c.Adapters == nil {
		c.Adapters = DefaultAdapters
	}
	if c.Timing.LeaseTimeout == 0 {
		c.Timing.LeaseTimeout = defaultLeaseTimeout
	}
}

// unshare gives this instance its own copy of what vcsim's instances share and
// write to.
func (vc *VCenter) unshare() {
	options := vc.reg.OptionManager()
	shared := options.Setting
	options.Setting = nil
	for _, o := range shared {
		v := *o.GetOptionValue()
		if v.Key == "config.vmacore.soap.sessionTimeout" {
			continue // vcsim would start a goroutine on the wall clock for every login
		}
		options.Setting = append(options.Setting, &v)
	}
	x := vc.reg.ExtensionManager()
	x.ExtensionList = slices.Clone(x.ExtensionList)
	vc.reg.SessionManager().ServiceHostName = hostName
	for _, o := range vc.reg.AllReference("LicenseAssignmentManager") {
		if h, ok := o.(simulator.RegisterObject); ok { // reads a licence that others' builds write to, for each host
			vc.reg.RemoveHandler(h)
		}
	}
}

// Close ends what is pending: no task finishes and no lease expires any more.
func (vc *VCenter) Close() {
	vc.do(func() {
		vc.closed = true
		for _, t := range vc.taskList {
			t.stopTimer()
		}
		for _, l := range vc.leaseLog {
			l.stopTimers()
		}
	})
}

// Site is the site that the vCenter stands at.
func (vc *VCenter) Site() vsphere.Site { return vc.config.Site }

// Name is the vCenter's name.
func (vc *VCenter) Name() string { return vc.config.Name }

// InstanceUUID is the About.InstanceUuid that tells one vCenter from another.
func (vc *VCenter) InstanceUUID() string { return vc.config.InstanceUUID }

// Credentials are the user and password that may log in.
func (vc *VCenter) Credentials() *url.Userinfo {
	return url.UserPassword(vc.config.User, vc.config.Password)
}

// do runs fn as the only one who touches the vCenter, and then tells what has
// changed. Whoever is being told may call back: that call's changes are told
// after those that came before it.
func (vc *VCenter) do(fn func()) {
	func() {
		vc.mu.Lock()
		defer vc.mu.Unlock()
		fn()
	}()
	vc.deliver()
}

func (vc *VCenter) deliver() {
	vc.mu.Lock()
	defer vc.mu.Unlock()
	if vc.delivering {
		return // whoever delivers will come to ours
	}
	vc.delivering = true
	defer func() { vc.delivering = false }()
	for len(vc.queue) > 0 {
		tell := vc.queue[0]
		vc.queue = vc.queue[1:]
		func() {
			vc.mu.Unlock()
			defer vc.mu.Lock()
			tell()
		}()
	}
	vc.queue = nil
}

// changed queues a change. mu is held.
func (vc *VCenter) changed(kind, subject string, attrs ...string) {
	if vc.config.Observe == nil {
		return
	}
	c := Change{Kind: kind, Subject: subject, Attrs: attrs}
	vc.queue = append(vc.queue, func() { vc.config.Observe(c) })
}

// subject is how the trace names a VM.
func (vc *VCenter) subject(name string) string { return string(vc.config.Site) + "/" + name }

func (vc *VCenter) now() time.Time { return vc.config.Clock.Now() }

// after is the clock's, with f run as the only one who touches the vCenter.
func (vc *VCenter) after(d time.Duration, f func()) (stop func() bool) {
	return vc.config.Clock.After(d, func() {
		vc.do(func() {
			if !vc.closed {
				f()
			}
		})
	})
}

// ctx is a fresh context for calling the simulator. Object locks belong to a
// context: two goroutines that share one would share their locks.
func (vc *VCenter) ctx() *simulator.Context {
	c := *vc.base
	return &c
}

// update sets properties of an object and tells whoever watches it.
func (vc *VCenter) update(ctx *simulator.Context, obj managed, changes ...types.PropertyChange) {
	ctx.WithLock(obj, func() { ctx.Update(obj, changes) })
}

func set(name string, val any) types.PropertyChange {
	return types.PropertyChange{Name: name, Val: val}
}

// Disk is the disk with that identity, and the VM to which it belongs.
func (vc *VCenter) Disk(id string) (d *disk.Disk, vm string, ok bool) {
	vc.do(func() {
		for _, m := range vc.order {
			for _, a := range m.disks {
				if a.disk.ID() == id {
					d, vm, ok = a.disk, m.vm.Name, true
					return
				}
			}
		}
	})
	return d, vm, ok
}

// NotFoundError says that the vCenter has no such thing.
type NotFoundError struct{ Kind, Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("this vCenter has no %s %q: add it first, or check the name", e.Kind, e.Name)
}

// ExistsError says that the name is taken.
type ExistsError struct{ Kind, Name string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("this vCenter already has a %s %q: choose another name", e.Kind, e.Name)
}

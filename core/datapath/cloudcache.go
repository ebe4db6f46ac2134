package datapath

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/gateway"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Images opens the disks of a VM in the cloud that is off, in the VM's order.
// An error's class is that of vsphere.ClassOf.
type Images interface {
	OpenImage(vm vsphere.Ref) ([]Device, error)
}

// CacheConfig of a CloudCache. All but Observe is needed.
type CacheConfig struct {
	VM     string // the component VM, and the name of the datastore that it serves
	Epoch  uint64 // of this start of the service
	Device Device
	Images Images
	// Gateway is how frames go to every IO manager.
	Gateway gateway.Config
	// Observe hears what happens to bindings. It may be nil, and must not call back.
	Observe func(Event)
}

// Event is what happened to a binding.
type Event struct {
	Kind    EventKind
	Binding string
	VM      string // the component VM with its cache
	Number  uint64 // FlushCut, FlushApplied
	Blocks  int    // FlushCut, FlushApplied; Reconciled: copied
	Left    int    // Reconciled
}

// EventKind of an Event.
type EventKind string

// What happens to bindings.
const (
	EventBound      EventKind = "bound"
	FlushCut        EventKind = "flush cut"
	FlushApplied    EventKind = "flush applied"
	FlushAbandoned  EventKind = "flush abandoned"
	EventReconciled EventKind = "reconciled"
	EventReleased   EventKind = "released"
)

// CloudCache is the service of that name: the caches of the VMs that are bound
// to it.
type CloudCache struct {
	cfg      CacheConfig
	volume   *volume
	bindings []*binding // in the order in which they were made
	byID     map[string]*binding
	channels []*channel
	lanes    []bool
	jobs     jobs
	flushes  []*flush // that have not ended, in order
	copying  []*reconcile
	now      time.Duration // of the present call
	failure  error         // of the device: see Failure
}

// binding is one VM's cache.
type binding struct {
	owner    *CloudCache
	entry    *entry
	cache    *cache.Cache
	room     window
	home     *channel
	requests requests
	reads    []read // that are on their way to the home, in order
	read     uint64
	known    bool   // what the home's last flush is
	base     uint64 // what the home's numbers are ahead of the cache's
	last     uint64 // the last flush that is applied
	wants    bool   // a flush
	told     bool   // that it does
	flush    *flush
	pending  []cache.BlockRef // taken for a reconcile, and not copied yet
	damage   error            // it has no cache, and this is why
}

// read is a message that asks the home for something.
type read struct {
	id   uint64
	op   cache.Op
	then func(error) // of a barrier, instead of an operation
}

// NewCloudCache starts the service on its device: with what it holds, or
// nothing. A binding whose cache is damaged stays, says so in reports, and can
// be discarded; the others are served. Errors wrap ErrDevice, or are the
// device's.
func NewCloudCache(cfg CacheConfig) (*CloudCache, error) {
	v, err := openVolume(cfg.Device, true)
	if err != nil {
		return nil, err
	}
	c := &CloudCache{cfg: cfg, volume: v, byID: map[string]*binding{}, jobs: newJobs(cfg.Epoch)}
	for _, e := range v.entries {
		b := c.attach(e)
		switch b.cache, err = cache.Recover(e.config(), b.room); {
		case errors.Is(err, cache.ErrDevice):
			return nil, fmt.Errorf("recovering the cache of %s: %w", e.Binding.ID, err)
		case err != nil:
			b.damage = fmt.Errorf("%w (%w)", ErrDamaged, err)
			continue
		}
		b.probe()
	}
	return c, nil
}

func (c *CloudCache) attach(e *entry) *binding {
	b := &binding{owner: c, entry: e, room: window{c.volume, e}, home: c.channel(e.Home)}
	c.bindings = append(c.bindings, b)
	c.byID[e.Binding.ID] = b
	return b
}

// config of the cache of an entry.
func (e *entry) config() cache.Config {
	cfg := cache.Config{Quota: e.Binding.Quota, Tag: e.Tag}
	for _, d := range e.Binding.Disks {
		cfg.Disks = append(cfg.Disks, d.Capacity)
	}
	return cfg
}

// Command takes a command, or tells what became of one that it knows.
func (c *CloudCache) Command(now time.Duration, cmd component.Command) component.Completion {
	c.now = now
	j, fresh := c.jobs.take(cmd)
	if fresh {
		c.begin(j)
	}
	return j.done
}

func (c *CloudCache) begin(j *job) {
	switch j.command.Verb {
	case component.Bind:
		c.bind(j)
	case component.Flush:
		c.startFlush(j)
	case component.Reconcile:
		c.startReconcile(j)
	case component.Release, component.Discard:
		c.release(j)
	case component.Report:
		j.done.Status = c.report()
		j.succeed()
	default:
		j.refuse(fmt.Sprintf("the cloud cache does not know how to %s", j.command.Verb), "")
	}
}

func (c *CloudCache) bind(j *job) {
	cmd := j.command
	if cmd.Bind == nil || cmd.Home == "" || cmd.Stream == 0 {
		j.refuse("a binding needs the VM's disks, and the home and its stream", "")
		return
	}
	if known := c.byID[cmd.Bind.ID]; known != nil {
		if !same(known.entry.Binding, *cmd.Bind) || known.entry.Home != cmd.Home || known.entry.Stream != cmd.Stream {
			j.refuse("another VM is bound by that name", "release it first")
			return
		}
		if known.damage != nil {
			j.refuse(known.damage.Error(), "discard it")
			return
		}
		c.tellBound(j, known)
		return
	}
	if len(c.bindings) >= component.MaxBindings {
		j.refuse("this cloud cache has no room for another VM", "migrate VMs back, or deploy a larger mode")
		return
	}
	e := &entry{Binding: *cmd.Bind, Home: cmd.Home, Stream: cmd.Stream, Tag: c.volume.unique()}
	cfg := e.config()
	if err := cfg.Check(); err != nil {
		j.refuse(err.Error(), "")
		return
	}
	var made *cache.Cache
	format := func(w window) (err error) {
		made, err = newCache(cfg, w)
		return err
	}
	if err := c.volume.add(e, cfg.Size(), format); errors.Is(err, ErrFull) {
		j.refuse(fmt.Sprintf("the cache device has no room for a quota of %d bytes: %v", e.Binding.Quota, err), "migrate VMs back, or deploy a larger mode")
		return
	} else if err != nil {
		c.fail(err)
		j.fail(vsphere.Retryable, err.Error(), "")
		return
	}
	b := c.attach(e)
	b.cache, b.known = made, true
	c.tell(Event{Kind: EventBound, Binding: e.Binding.ID})
	c.tellBound(j, b)
}

// newCache makes an empty cache in a window, durably.
func newCache(cfg cache.Config, w window) (*cache.Cache, error) {
	made, out := cache.New(cfg)
	var failure error
	for todo := out.Ops; len(todo) > 0; {
		err := w.do(todo[0])
		if failure == nil {
			failure = err
		}
		todo = append(todo[1:], made.Complete(todo[0].ID, err).Ops...)
	}
	return made, failure
}

func same(a, b component.Binding) bool {
	return a.ID == b.ID && a.Group == b.Group && a.Source == b.Source && a.Quota == b.Quota && slices.Equal(a.Disks, b.Disks)
}

func (c *CloudCache) tellBound(j *job, b *binding) {
	j.done.Bound = &component.Bound{VM: c.cfg.VM, Datastore: c.cfg.VM, Paths: make([]string, len(b.entry.Binding.Disks))}
	for i := range j.done.Bound.Paths {
		j.done.Bound.Paths[i] = fmt.Sprintf("[%s] %s", c.cfg.VM, DiskPath(b.entry.Binding.ID, i))
	}
	j.succeed()
}

// release ends a binding, with what is dirty only if it is to be discarded.
func (c *CloudCache) release(j *job) {
	b, ok := c.named(j)
	if !ok {
		if len(j.command.IDs) == 1 { // it is released already
			j.done.Error = nil
			j.succeed()
		}
		return
	}
	if j.command.Verb == component.Release {
		if b.damage != nil {
			j.refuse(b.damage.Error(), "discard it")
			return
		}
		switch s := b.cache.Stats(); {
		case s.Dirty > 0:
			j.refuse(fmt.Sprintf("%d blocks are not on the premises yet", s.Dirty), "flush once the compute VM is off, or discard")
			return
		case s.Outstanding > 0: // a VM that lost its power has left them: they end by themselves
			j.fail(vsphere.Retryable, fmt.Sprintf("%d requests of the guest are under way", s.Outstanding), "see that the compute VM is off")
			return
		}
	}
	for _, f := range slices.Clone(c.flushes) {
		if slices.ContainsFunc(f.members, func(m *member) bool { return m.binding == b }) {
			c.give(f, vsphere.Refused, "a binding of it is released")
		}
	}
	c.stopCopying(b)
	if err := c.volume.remove(b.entry); err != nil {
		c.fail(err)
		j.fail(vsphere.Retryable, err.Error(), "")
		return
	}
	delete(c.byID, b.entry.Binding.ID)
	c.bindings = slices.DeleteFunc(c.bindings, func(o *binding) bool { return o == b })
	c.tell(Event{Kind: EventReleased, Binding: b.entry.Binding.ID})
	j.succeed()
}

// named is the one binding that a command is about; else the job has failed.
func (c *CloudCache) named(j *job) (*binding, bool) {
	if len(j.command.IDs) != 1 {
		j.refuse("the command is about one binding", "")
		return nil, false
	}
	b := c.byID[j.command.IDs[0]]
	if b == nil {
		j.refuse(fmt.Sprintf("%s is not bound here", j.command.IDs[0]), "bind the VM first")
		return nil, false
	}
	return b, true
}

func (c *CloudCache) report() []component.Status {
	var all []component.Status
	for _, b := range c.bindings {
		if b.damage != nil {
			all = append(all, component.Status{
				ID: b.entry.Binding.ID, VM: c.cfg.VM, Home: b.entry.Home, Group: b.entry.Binding.Group,
				Quota: b.entry.Binding.Quota, Damaged: component.Explain(b.damage),
			})
			continue
		}
		s := b.cache.Stats()
		all = append(all, component.Status{
			ID: b.entry.Binding.ID, VM: c.cfg.VM, Home: b.entry.Home, Group: b.entry.Binding.Group, Last: b.last,
			Dirty: int64(s.Dirty) * cache.BlockSize, Quota: b.entry.Binding.Quota, Cached: int64(s.Clean+s.Dirty) * cache.BlockSize,
			Changed: b.cache.Changed() + len(b.pending), FlushWanted: b.wants,
		})
	}
	return all
}

// FlushWanted are the bindings that want a flush and have none, and whether one
// of them has not been named before.
func (c *CloudCache) FlushWanted() (ids []string, fresh bool) {
	for _, b := range c.bindings {
		if b.wants && b.flush == nil {
			ids = append(ids, b.entry.Binding.ID)
			fresh = fresh || !b.told
			b.told = true
		}
	}
	return ids, fresh
}

// DiskPath is where the datastore of a cloud cache has the n-th disk of a
// binding.
func DiskPath(id string, n int) string { return fmt.Sprintf("%s/disk-%d.vmdk", id, n) }

func (c *CloudCache) tell(e Event) {
	if e.VM = c.cfg.VM; c.cfg.Observe != nil {
		c.cfg.Observe(e)
	}
}

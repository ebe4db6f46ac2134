package component

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

// How a Client waits.
const (
	// Patience is for how long a command that a service has taken up may go
	// without a word from it before the Client gives up: a WAN outage that is
	// shorter is ridden out.
	Patience = 5 * time.Minute
	// tries of a command that no service has taken up yet.
	tries     = 3
	firstPoll = 100 * time.Millisecond
	lastPoll  = 5 * time.Second
)

// Link takes a command to a service in a component VM and brings back what
// became of it so far. It may be used by several tasks at once. An error's class
// is that of vsphere.ClassOf: Unreachable if nothing was sent.
type Link interface {
	Call(ctx context.Context, vm string, c Command) (Completion, error)
}

// ClientConfig of a Client. Everything is needed.
type ClientConfig struct {
	Runtime runtime.Runtime
	Link    Link
	// Name begins the keys of commands: no two boots of an appliance have the same.
	Name string
	// Caches and Homes are the component VMs with a cloud cache and with an IO
	// manager, by name, in the deployment's order.
	Caches, Homes []string
}

// Client is the Port of a deployment.
type Client struct {
	cfg ClientConfig

	mu     sync.Mutex
	keys   uint64
	chosen map[string]place // by binding, of those being made
}

var _ Port = (*Client)(nil)

// place of a binding.
type place struct {
	group, cache, home string
}

// NewClient returns a client of these component VMs. It calls nobody yet.
func NewClient(cfg ClientConfig) *Client {
	return &Client{cfg: cfg, chosen: map[string]place{}}
}

// Bind implements Port.
func (c *Client) Bind(ctx context.Context, b Binding) (Bound, error) {
	all, err := c.Bindings(ctx)
	if err != nil {
		return Bound{}, err
	}
	at, err := c.choose(b, all)
	if err != nil {
		return Bound{}, err
	}
	opened, err := c.do(ctx, request{op: "open", object: b.ID, vm: at.home}, Command{Service: PremIOManager, Verb: Open, Bind: &b})
	if err != nil {
		return Bound{}, err
	}
	done, err := c.do(ctx, request{op: "bind", object: b.ID, vm: at.cache},
		Command{Service: CloudCache, Verb: Bind, Bind: &b, Home: at.home, Stream: opened.Stream})
	if err != nil {
		return Bound{}, err
	}
	if done.Bound == nil || len(done.Bound.Paths) != len(b.Disks) {
		return Bound{}, fail(request{op: "bind", object: b.ID, vm: at.cache}, vsphere.Retryable, errors.New("the answer does not name a path for each disk"), "")
	}
	c.forget(b.ID)
	done.Bound.Home = at.home
	return *done.Bound, nil
}

// choose says where a binding is, or shall be: with its group, else where
// there are fewest.
func (c *Client) choose(b Binding, all []Status) (place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(all, func(s Status) bool { return s.ID == b.ID }); i >= 0 {
		return place{all[i].Group, all[i].VM, all[i].Home}, nil
	}
	if at, known := c.chosen[b.ID]; known {
		return at, nil
	}
	caches, homes := map[string]int{}, map[string]int{}
	at := place{group: b.Group}
	count := func(p place) {
		caches[p.cache]++
		homes[p.home]++
		if b.Group != "" && p.group == b.Group {
			at.cache = p.cache
		}
	}
	for _, s := range all {
		count(place{s.Group, s.VM, s.Home})
	}
	for id, p := range c.chosen { //hdm:order-safe counts; a group has one cache
		if !slices.ContainsFunc(all, func(s Status) bool { return s.ID == id }) {
			count(p)
		}
	}
	if at.cache == "" {
		at.cache = least(c.cfg.Caches, caches)
	}
	at.home = least(c.cfg.Homes, homes)
	if at.cache == "" || at.home == "" || caches[at.cache] >= MaxBindings || homes[at.home] >= MaxBindings {
		return place{}, fail(request{op: "bind", object: b.ID, vm: at.cache}, vsphere.Refused,
			errors.New("no component VM has room for another VM"), "migrate VMs back, or deploy a larger mode")
	}
	c.chosen[b.ID] = at
	return at, nil
}

// least is the first of the names with the lowest count.
func least(names []string, count map[string]int) (best string) {
	for _, n := range names {
		if best == "" || count[n] < count[best] {
			best = n
		}
	}
	return best
}

func (c *Client) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.chosen, id)
}

// Flush implements Port.
func (c *Client) Flush(ctx context.Context, ids []string) ([]Flushed, error) {
	object := strings.Join(ids, ", ")
	all, err := c.Bindings(ctx, ids...)
	if err != nil {
		return nil, err
	}
	cache := ""
	for _, id := range ids {
		s, err := bound(all, "flush", id)
		if err != nil {
			return nil, err
		}
		if cache != "" && s.VM != cache {
			return nil, fail(request{op: "flush", object: object, vm: cache}, vsphere.Refused,
				fmt.Errorf("%s is on %s: what lies on two caches cannot be cut at one instant", id, s.VM), "bind them as one group")
		}
		cache = s.VM
	}
	if cache == "" {
		return nil, nil
	}
	r := request{op: "flush", object: object, vm: cache}
	done, err := c.do(ctx, r, Command{Service: CloudCache, Verb: Flush, IDs: ids})
	if err != nil {
		return nil, err
	}
	if len(done.Flushed) != len(ids) {
		return nil, fail(r, vsphere.Retryable, fmt.Errorf("the answer tells of %d flushes", len(done.Flushed)), "")
	}
	return done.Flushed, nil
}

func bound(all []Status, op, id string) (Status, error) {
	i := slices.IndexFunc(all, func(s Status) bool { return s.ID == id })
	if i < 0 {
		return Status{}, fail(request{op: op, object: id}, vsphere.Refused, errors.New("nothing is bound by that name"), "bind the VM first")
	}
	return all[i], nil
}

// Reconcile implements Port.
func (c *Client) Reconcile(ctx context.Context, id string, image vsphere.Ref, progress func(vsphere.Progress)) (int, error) {
	all, err := c.Bindings(ctx, id)
	if err != nil {
		return 0, err
	}
	s, err := bound(all, "reconcile", id)
	if err != nil {
		return 0, err
	}
	done, err := c.do(ctx, request{op: "reconcile", object: id, vm: s.VM, progress: progress},
		Command{Service: CloudCache, Verb: Reconcile, IDs: []string{id}, Image: image})
	return done.Left, err
}

// Release implements Port. The cache goes first: it refuses while something is
// dirty.
func (c *Client) Release(ctx context.Context, id string) error {
	return c.release(ctx, id, Release, func(uint64) error { return nil })
}

// Discard implements Port.
func (c *Client) Discard(ctx context.Context, id string, heard func(last uint64) error) error {
	return c.release(ctx, id, Discard, heard)
}

func (c *Client) release(ctx context.Context, id string, how Verb, heard func(last uint64) error) error {
	all, err := c.Bindings(ctx, id)
	if err != nil {
		return err
	}
	homes := c.cfg.Homes // a home may be open of which no cache knows
	if s, err := bound(all, "release", id); err == nil {
		if _, err := c.do(ctx, request{op: string(how), object: id, vm: s.VM}, Command{Service: CloudCache, Verb: how, IDs: []string{id}}); err != nil {
			return err
		}
		homes = []string{s.Home}
	}
	for _, home := range homes {
		if how == Discard { // once it is closed nobody can tell it any more
			if err := c.last(ctx, id, home, heard); err != nil {
				return err
			}
		}
		done, err := c.do(ctx, request{op: "close", object: id, vm: home}, Command{Service: PremIOManager, Verb: Close, IDs: []string{id}})
		if err != nil {
			return err
		}
		for _, f := range done.Flushed { // by now it may be a later one, which was on its way
			if err := heard(f.Number); err != nil {
				return err
			}
		}
	}
	c.forget(id)
	return nil
}

// last asks an IO manager for the last flush that a home holds, if it is there.
func (c *Client) last(ctx context.Context, id, home string, heard func(last uint64) error) error {
	done, err := c.do(ctx, request{op: "ask", object: id, vm: home}, Command{Service: PremIOManager, Verb: Report})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(done.Status, func(s Status) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return heard(done.Status[i].Last)
}

// Bindings implements Port.
func (c *Client) Bindings(ctx context.Context, ids ...string) ([]Status, error) {
	var all []Status
	var failed error
	for _, vm := range c.cfg.Caches {
		done, err := c.do(ctx, request{op: "ask", object: vm, vm: vm}, Command{Service: CloudCache, Verb: Report})
		switch {
		case err == nil:
			all = append(all, done.Status...)
		case len(ids) == 0:
			return nil, err
		case failed == nil:
			failed = err
		}
	}
	missing := func(id string) bool {
		return !slices.ContainsFunc(all, func(s Status) bool { return s.ID == id })
	}
	if failed != nil && slices.ContainsFunc(ids, missing) {
		return nil, failed // what is missing may be there
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// Ping implements Port.
func (c *Client) Ping(ctx context.Context, vm string) (Alive, error) {
	r := request{op: "probe", object: vm, vm: vm}
	done, err := c.do(ctx, r, Command{Service: Supervisor, Verb: Ping})
	if err != nil {
		return Alive{}, err
	}
	if done.Alive == nil {
		return Alive{}, fail(r, vsphere.Retryable, errors.New("the answer does not say what runs"), "")
	}
	return *done.Alive, nil
}

// Start implements Port.
func (c *Client) Start(ctx context.Context, vm string, s Service) error {
	_, err := c.do(ctx, request{op: "start", object: string(s) + " of " + vm, vm: vm}, Command{Service: Supervisor, Verb: Start, Target: s})
	return err
}

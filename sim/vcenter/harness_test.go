package vcenter_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/vcenter"
)

var ctx = context.Background()

// epoch is when the tests' time begins: far from the wall clock's.
var epoch = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)

// clock is time that moves only when it is told to.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	seq    int
	timers []*timer
}

type timer struct {
	at  time.Time
	seq int
	f   func()
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	t := &timer{c.now.Add(d), c.seq, f}
	c.timers = append(c.timers, t)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		n := len(c.timers)
		c.timers = slices.DeleteFunc(c.timers, func(o *timer) bool { return o == t })
		return len(c.timers) < n
	}
}

// pending is the number of timers.
func (c *clock) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// advance runs what is due within d, in order.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	until := c.now.Add(d)
	for {
		var next *timer
		for _, t := range c.timers {
			if !t.at.After(until) && (next == nil || t.at.Before(next.at) || t.at.Equal(next.at) && t.seq < next.seq) {
				next = t
			}
		}
		if next == nil {
			break
		}
		c.timers = slices.DeleteFunc(c.timers, func(o *timer) bool { return o == next })
		c.now = next.at
		c.mu.Unlock()
		next.f()
		c.mu.Lock()
	}
	c.now = until
	c.mu.Unlock()
}

// env is a vCenter with a cluster of two hosts, and a client of it.
type env struct {
	*testing.T
	vc    *vcenter.VCenter
	clock *clock
	c     *vim25.Client // logged in

	another func() *vim25.Client // a client of the same kind, without a session

	mu      sync.Mutex
	changes []string
	asked   []string                                         // guests that were asked to shut down
	reboots []string                                         // guests that were asked to reboot
	backing func(datastore, path string) (*disk.Disk, error) // nil: served datastores hold nothing
}

const gib = int64(1) << 30

// build makes the vCenter, without VMs and without a client.
func build(t testing.TB, site vsphere.Site, timing vcenter.Timing) *env {
	t.Helper()
	e := &env{clock: &clock{now: epoch}}
	e.T, _ = t.(*testing.T)
	vc, err := vcenter.New(vcenter.Config{
		Site: site, Clock: e.clock, Timing: timing,
		Observe: func(c vcenter.Change) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.changes = append(e.changes, strings.TrimSpace(c.Kind+" "+c.Subject+" "+strings.Join(c.Attrs, " ")))
		},
		Backing: func(datastore, path string) (*disk.Disk, error) {
			if e.backing == nil {
				return nil, fs.ErrNotExist
			}
			return e.backing(datastore, path)
		},
		ShutdownGuest: func(vm string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.asked = append(e.asked, vm)
		},
		RebootGuest: func(vm string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.reboots = append(e.reboots, vm)
		},
	})
	require.NoError(t, err)
	t.Cleanup(vc.Close)
	e.vc = vc
	_, err = vc.AddCluster("C0")
	require.NoError(t, err)
	for _, h := range []string{"esx-1", "esx-2"} {
		_, err = vc.AddHost("C0", h)
		require.NoError(t, err)
	}
	_, err = vc.AddDatastore("ds", 1000*gib, 900*gib)
	require.NoError(t, err)
	_, err = vc.AddNetwork("prod")
	require.NoError(t, err)
	return e
}

// over runs a test of a gap as a client in process and as one over TLS.
func over(t *testing.T, f func(*env)) {
	overTiming(t, vcenter.DefaultTiming(), f)
}

func overTiming(t *testing.T, timing vcenter.Timing, f func(*env)) {
	t.Run("direct", func(t *testing.T) {
		e := build(t, vsphere.OnPremises, timing)
		e.another = func() *vim25.Client { return e.direct("test") }
		e.c = e.again()
		f(e)
	})
	t.Run("soap", func(t *testing.T) {
		e := build(t, vsphere.OnPremises, timing)
		e.serve()
		f(e)
	})
}

func (e *env) serve() {
	e.Helper()
	s, err := e.vc.Serve()
	require.NoError(e, err)
	e.Cleanup(func() { require.NoError(e, s.Close()) })
	e.another = func() *vim25.Client { return e.dial(s) }
	e.c = e.again()
}

// dial returns a client over TLS that checks the certificate.
func (e *env) dial(s *vcenter.Server) *vim25.Client {
	e.Helper()
	pool := x509.NewCertPool()
	require.True(e, pool.AppendCertsFromPEM(s.CA))
	u := *s.URL
	u.User = nil
	sc := soap.NewClient(&u, false)
	sc.DefaultTransport().TLSClientConfig = &tls.Config{RootCAs: pool}
	c, err := vim25.NewClient(ctx, sc)
	require.NoError(e, err)
	return c
}

func (e *env) direct(agent string) *vim25.Client {
	e.Helper()
	c, err := vim25.NewClient(ctx, e.vc.Direct(agent))
	require.NoError(e, err)
	return c
}

func (e *env) login(c *vim25.Client) {
	e.Helper()
	require.NoError(e, session.NewManager(c).Login(ctx, e.vc.Credentials()))
}

// again is another client of the same kind, logged in.
func (e *env) again() *vim25.Client {
	e.Helper()
	c := e.another()
	e.login(c)
	return c
}

func (e *env) add(s vcenter.VMSpec) *object.VirtualMachine {
	e.Helper()
	ref, err := e.vc.AddVM(s)
	require.NoError(e, err)
	return object.NewVirtualMachine(e.c, ref)
}

// db is a VM with two disks and an adapter.
func db(name string) vcenter.VMSpec {
	return vcenter.VMSpec{
		Name: name, GuestID: "ubuntu64Guest", CPUs: 2, MemoryMB: 4096,
		Disks: []vcenter.DiskSpec{{Capacity: 16 * gib, Used: 2 * gib}, {Capacity: 8 * gib, Used: gib, Controller: "lsilogic"}},
		NICs:  []vcenter.NICSpec{{Network: "prod"}},
	}
}

func (e *env) info(task types.ManagedObjectReference) types.TaskInfo {
	e.Helper()
	var o mo.Task
	require.NoError(e, property.DefaultCollector(e.c).RetrieveOne(ctx, task, []string{"info"}, &o))
	return o.Info
}

// done lets time pass until the task has ended well, and returns its result.
func (e *env) done(t *object.Task, err error) any {
	e.Helper()
	require.NoError(e, err)
	i := e.ended(t.Reference())
	require.Equal(e, types.TaskInfoStateSuccess, i.State, "%v", i.Error)
	return i.Result
}

// ended lets time pass until the task has ended.
func (e *env) ended(ref types.ManagedObjectReference) types.TaskInfo {
	e.Helper()
	for range 10_000 {
		i := e.info(ref)
		if i.State == types.TaskInfoStateSuccess || i.State == types.TaskInfoStateError {
			return i
		}
		e.clock.advance(100 * time.Millisecond)
	}
	e.Fatalf("the task %s does not end", ref.Value)
	return types.TaskInfo{}
}

// failed lets time pass until the task has ended with that fault.
func failed[F any](e *env, t *object.Task, err error) *F {
	e.Helper()
	require.NoError(e, err)
	i := e.ended(t.Reference())
	require.Equal(e, types.TaskInfoStateError, i.State)
	f, ok := any(i.Error.Fault).(*F)
	if !ok {
		v, byValue := i.Error.Fault.(F)
		require.True(e, byValue, "the fault is a %T", i.Error.Fault)
		f = &v
	}
	return f
}

// refused says that a call was answered with that fault.
func refused[F any](e *env, err error) {
	e.Helper()
	require.Error(e, err)
	require.True(e, soap.IsSoapFault(err), "no fault: %v", err)
	v := soap.ToSoapFault(err).VimFault()
	_, byValue := v.(F)
	_, byPointer := v.(*F)
	require.True(e, byValue || byPointer, "the fault is a %T: %v", v, err)
}

func (e *env) props(ref types.ManagedObjectReference, dst any, props ...string) {
	e.Helper()
	require.NoError(e, property.DefaultCollector(e.c).RetrieveOne(ctx, ref, props, dst))
}

// told returns what has been told since the last call, of kinds that begin so.
func (e *env) told(kinds ...string) (list []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.changes {
		if len(kinds) == 0 || slices.ContainsFunc(kinds, func(k string) bool { return strings.HasPrefix(c, k) }) {
			list = append(list, c)
		}
	}
	e.changes = nil
	return list
}

func (e *env) truth(vm string) vcenter.VM {
	e.Helper()
	v, ok := e.vc.VM(vm)
	require.True(e, ok, "no VM %q", vm)
	return v
}

func names(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("vm-%03d", i))
	}
	return list
}

package vsphere_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
)

// world is two sites in virtual time, with a machine for the code under test.
type world struct {
	*site.World
	t       *testing.T
	machine *machine.Machine
}

// described is a world small enough to be built for each test.
func described() site.Description {
	gb := site.Size(1 << 30)
	used := site.Size(300 << 20)
	return site.Description{
		OnPremises: site.Site{
			Pools: []string{"gold"},
			VMs: []site.VM{
				{Name: "db-01", Disks: []site.Disk{{Capacity: gb, Used: &used}, {Capacity: 2 * gb, Used: &used}}, NICs: []site.NIC{{Type: "e1000"}}, Pool: "gold"},
				{Name: "off-01", Power: site.Off, Disks: []site.Disk{{Capacity: gb, Used: &used}}},
				{Name: "mute-01", Tools: site.ToolsAbsent, Disks: []site.Disk{{Capacity: gb, Used: &used}}},
				{Name: "deaf-01", Deaf: true, Disks: []site.Disk{{Capacity: gb, Used: &used}}},
			},
		},
		Cloud: site.Site{Networks: []string{"Cloud Net", "Cloud DMZ"}},
	}
}

func newWorld(t *testing.T, mode site.Mode) *world {
	t.Helper()
	k := kernel.New(1)
	w, err := site.Build(k, described(), site.Options{Mode: mode})
	require.NoError(t, err)
	t.Cleanup(func() {
		k.Close()
		require.NoError(t, w.Close())
	})
	return &world{World: w, t: t, machine: w.Appliance()}
}

// run lets fn run to its end as a process of the appliance's machine.
func (w *world) run(fn func(ctx context.Context)) {
	w.t.Helper()
	ended := false
	w.machine.Go(context.Background(), "test", func(ctx context.Context) {
		fn(ctx)
		ended = true
	})
	for step := time.Duration(0); !ended; step += time.Minute {
		require.Less(w.t, step, 48*time.Hour, "the process is still waiting")
		require.NoError(w.t, kernel.NewDriver(w.Kernel, 0, kernel.Limits{Events: 1e6, Wall: time.Minute}).Run(w.Kernel.Now()+time.Minute, nil))
	}
}

// client makes a client of that site, as the appliance would at a boot.
func (w *world) client(s vsphere.Site) *vsphere.Client {
	return vsphere.NewClient(w.machine, w.At(s).Path.Endpoint("hdm-appliance/test"))
}

// in runs fn in a session at that site.
func (w *world) in(at vsphere.Site, fn func(ctx context.Context, s *vsphere.Session)) {
	w.t.Helper()
	w.run(func(ctx context.Context) {
		s, err := w.client(at).Open(ctx)
		require.NoError(w.t, err)
		defer s.Close(ctx)
		fn(ctx, s)
	})
}

// vm is the reference of a VM on premises.
func (w *world) vm(name string) vsphere.Ref {
	w.t.Helper()
	vm, ok := w.OnPremises.VCenter.VM(name)
	require.True(w.t, ok, "no VM %s", name)
	return vsphere.Ref(vm.Ref.String())
}

// once lets act strike the nth call of method at that site, and no other.
func (w *world) once(at vsphere.Site, method string, nth int, act transport.Act) {
	w.always(at, func(c transport.Call) transport.Act {
		if c.Method == method && c.Nth == nth {
			return act
		}
		return transport.Pass()
	})
}

func (w *world) always(at vsphere.Site, f func(transport.Call) transport.Act) {
	w.At(at).Path.Intercept = f
}

// heard counts the calls of method at that site.
func (w *world) heard(at vsphere.Site, method string) int { return w.At(at).Path.Count(method) }

// strikes are the ways in which a call can fail without its caller knowing
// whether it was applied.
var strikes = map[string]transport.Act{
	"the answer is lost":            transport.LoseAnswer(),
	"the call hangs":                transport.Hang(),
	"it is applied late":            transport.Late(10 * time.Minute),
	"it is applied a little late":   transport.Late(2*time.Minute + time.Second),
	"the vCenter answers an error":  transport.Fail(&types.SystemError{}),
	"the session has ended already": transport.Fail(&types.NotAuthenticated{}),
}

// again is what a caller does with a verb that failed: it closes the session
// and tries in another one.
func (w *world) again(ctx context.Context, at vsphere.Site, verb func(s *vsphere.Session) error) error {
	client := w.client(at)
	var err error
	for range 5 {
		var s *vsphere.Session
		if s, err = client.Open(ctx); err != nil {
			continue
		}
		err = verb(s)
		s.Close(ctx)
		if err == nil {
			return nil
		}
		if c := vsphere.ClassOf(err); c != vsphere.Retryable && c != vsphere.Unreachable {
			return fmt.Errorf("must not be tried again: %w", err)
		}
	}
	return err
}

// suspend does what a person does in the vCenter on premises.
func suspend(ctx context.Context, w *world, vm string) {
	w.t.Helper()
	vc := w.OnPremises.VCenter
	client := vc.Direct("a person")
	content, err := methods.GetServiceContent(ctx, client)
	require.NoError(w.t, err)
	password, _ := vc.Credentials().Password()
	_, err = methods.Login(ctx, client, &types.Login{This: *content.SessionManager, UserName: vc.Credentials().Username(), Password: password})
	require.NoError(w.t, err)
	there, ok := vc.VM(vm)
	require.True(w.t, ok, "no VM %s", vm)
	_, err = methods.SuspendVM_Task(ctx, client, &types.SuspendVM_Task{This: there.Ref})
	require.NoError(w.t, err)
	require.NoError(w.t, w.machine.Sleep(ctx, time.Minute))
	_, err = methods.Logout(ctx, client, &types.Logout{This: *content.SessionManager})
	require.NoError(w.t, err)
}

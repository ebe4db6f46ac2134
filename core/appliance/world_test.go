package appliance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
)

// world is two sites in virtual time, and an appliance that can lose its power.
type world struct {
	*site.World
	t       *testing.T
	machine *machine.Machine
	app     *appliance.Appliance
	booted  error // why it did not
	journal journal.Journal
	saw     *witness
	without bool                                  // component services
	probes  time.Duration                         // how often the vCenters are asked whether they are there; 0: never
	runtime func(runtime.Runtime) runtime.Runtime // what stands between the appliance and its machine
}

func newWorld(t *testing.T, change ...func(*site.Description)) *world {
	t.Helper()
	k := kernel.New(1)
	used := site.Size(1 << 20)
	d := site.Description{
		OnPremises: site.Site{VMs: []site.VM{
			{Name: "db-01", Disks: []site.Disk{{Capacity: 4 << 20, Used: &used}}},
			{Name: "web-01", Disks: []site.Disk{{Capacity: 4 << 20, Used: &used}}},
		}},
		Cloud: site.Site{Networks: []string{"Cloud Net"}},
	}
	for _, c := range change {
		c(&d)
	}
	w, err := site.Build(k, d, site.Options{})
	require.NoError(t, err)
	t.Cleanup(func() {
		k.Close()
		require.NoError(t, w.Close())
	})
	return &world{World: w, t: t, journal: journal.NewMemory(), saw: &witness{},
		runtime: func(r runtime.Runtime) runtime.Runtime { return r }}
}

// boot gives the appliance power. It returns when it is up, or has failed to be.
func (w *world) boot() error {
	w.t.Helper()
	m := w.Appliance()
	r := w.runtime(m)
	w.machine, w.app, w.booted = m, nil, nil
	m.Go(context.Background(), "boot", func(ctx context.Context) {
		here, there := w.Endpoints("hdm-appliance")
		config := appliance.Config{
			ID: "hdm-1", Runtime: r, Journal: w.journal, Knobs: migration.DefaultKnobs, Patience: appliance.DefaultPatience,
			OnPremises: vsphere.NewClient(r, here), Cloud: vsphere.NewClient(r, there), Observer: w.saw,
			FilterURL: "https://hdm-appliance/iofilter/praapa.vib", ProbeEvery: w.probes,
			Components: func(c component.ClientConfig) component.Port {
				c.Link = w.Components.Link()
				return component.NewClient(c)
			},
		}
		if w.without {
			config.Components = nil
		}
		w.app, w.booted = appliance.Boot(context.Background(), config)
		w.World.Components.Heartbeat = w.app.Hear
	})
	w.pass(0)
	return w.booted
}

func (w *world) powerOff() {
	w.machine.PowerOff()
	w.app = nil
}

// restart takes the appliance's power for so long.
func (w *world) restart(down time.Duration) {
	w.t.Helper()
	w.powerOff()
	w.pass(down)
	require.NoError(w.t, w.boot())
}

// pass lets so much virtual time pass.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	limits := kernel.Limits{Events: 10_000_000, Wall: time.Minute}
	require.NoError(w.t, kernel.NewDriver(w.Kernel, 0, limits).Run(w.Kernel.Now()+d, nil))
}

// until lets time pass until something holds, at most for so long.
func (w *world) until(most time.Duration, holds func() bool) {
	w.t.Helper()
	for end := w.Kernel.Now() + most; !holds(); w.pass(time.Second) {
		require.Less(w.t, w.Kernel.Now(), end, "it never came to hold")
	}
}

// order gives an order as a request handler of the appliance does.
func (w *world) order(request, vm string) (a appliance.Answer, err error) {
	w.t.Helper()
	w.machine.Go(context.Background(), "request", func(context.Context) {
		a, err = w.app.Order(migration.Order{
			Request: request, VM: vm, Type: migration.Cold,
			Target: migration.Target{Networks: []migration.Mapping{{From: "VM Network", To: "Cloud Net"}}},
		})
	})
	w.pass(0)
	return a, err
}

func (w *world) migration(id migration.ID) migration.Migration {
	w.t.Helper()
	for _, m := range w.app.Migrations() {
		if m.ID == id {
			return m.Migration
		}
	}
	require.FailNow(w.t, "there is no migration", "%s", id)
	return migration.Migration{}
}

func (w *world) state(id migration.ID) func(migration.State) func() bool {
	return func(s migration.State) func() bool {
		return func() bool { return w.migration(id).State == s }
	}
}

// calls counts all calls to both vCenters.
func (w *world) calls() uint64 {
	return uint64(w.OnPremises.Path.Calls() + w.Cloud.Path.Calls())
}

// runsAt says whether the VM of that name is on.
func (w *world) runsAt(s vsphere.Site, vm string) bool {
	v, ok := w.At(s).VCenter.VM(vm)
	return ok && v.Power == vsphere.On
}

// cancelTask does what a person does in the vCenter's list of tasks.
func (w *world) cancelTask(id string) {
	w.t.Helper()
	ctx := context.Background()
	person := w.OnPremises.VCenter.Direct("a person")
	content, err := methods.GetServiceContent(ctx, person)
	require.NoError(w.t, err)
	user := w.OnPremises.VCenter.Credentials()
	password, _ := user.Password()
	_, err = methods.Login(ctx, person, &types.Login{This: *content.SessionManager, UserName: user.Username(), Password: password})
	require.NoError(w.t, err)
	_, err = methods.CancelTask(ctx, person, &types.CancelTask{This: types.ManagedObjectReference{Type: "Task", Value: id}})
	require.NoError(w.t, err)
}

// witness is an Observer that remembers.
type witness struct {
	started []string // keys of the effects that began
	answers []appliance.Outcome
	epochs  []int
	loaded  []migration.ID
	panels  []health.Panel
}

func (w *witness) Booted(epoch int)             { w.epochs = append(w.epochs, epoch) }
func (w *witness) Loaded(m migration.Migration) { w.loaded = append(w.loaded, m.ID) }
func (w *witness) EffectStarted(e migration.Effect, _ int) {
	w.started = append(w.started, e.Key)
}

func (w *witness) Answered(_ migration.Order, a appliance.Answer) {
	w.answers = append(w.answers, a.Outcome)
}

func (w *witness) Changed(migration.Migration)                      {}
func (w *witness) EffectEnded(migration.Effect, int, string, error) {}
func (w *witness) EffectStale(migration.ID, string, string)         {}
func (w *witness) JournalWrote(int, string)                         {}
func (w *witness) Deployed(deployment.Deployment)                   {}
func (w *witness) Set(appliance.Settings)                           {}
func (w *witness) Recovering(recovery.Recovery)                     {}
func (w *witness) Noted(appliance.Note)                             {}
func (w *witness) HealthChanged(p health.Panel)                     { w.panels = append(w.panels, p) }

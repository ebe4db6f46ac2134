package loopback

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
)

const migrates = `
title: A migration that people meddle with
world:
  on-premises:
    vms:
      - name: db-01
        disks: [{capacity: 8 MB, used: 6 MB}]
      - name: web-01
        disks: [{capacity: 8 MB, used: 2 MB}]
  guests:
    workload: {kind: random, rate: 4, span: 512 KB}
steps:
  - {at: 2m, migrate: {vm: db-01, type: cold, target: {networks: {VM Network: Cloud Net}}}}
`

// served is a world that is served to a test.
type served struct {
	t      *testing.T
	world  *World
	paused chan string // an event at which it stands still
	ended  chan error
	cancel func()
}

// watch pauses the world the first time that each of these steps begins.
type watch struct {
	driver *kernel.Driver
	steps  map[string]bool
	paused chan string
}

func (w *watch) Event(e record.Event) {
	if e.Kind != "effect.started" {
		return
	}
	for _, a := range e.Attrs {
		if a.Key == "step" && w.steps[a.Value] {
			delete(w.steps, a.Value)
			w.driver.Pause()
			w.paused <- a.Value
		}
	}
}

func (w *watch) Driving(d *kernel.Driver) { w.driver = d }
func (w *watch) Close() error             { return nil }

// serve serves the world of a scenario until the test ends.
func serve(t *testing.T, text string, speed float64, pauseAt ...string) *served {
	s, err := scenario.ParseServed("served.yaml", []byte(text))
	require.NoError(t, err)
	v := &served{t: t, paused: make(chan string, len(pauseAt)), ended: make(chan error, 1)}
	steps := map[string]bool{}
	for _, step := range pauseAt {
		steps[step] = true
	}
	v.world, err = Open(Config{
		Scenario: s, Speed: speed, Program: "test", Folder: t.TempDir(),
		Watch: func(*scenario.Scenario, uint64) run.Watcher { return &watch{steps: steps, paused: v.paused} },
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	v.cancel = sync.OnceFunc(cancel)
	go func() { v.ended <- v.world.Run(ctx) }()
	t.Cleanup(v.cancel)
	return v
}

// quiet waits until nothing goes on in the world by itself.
func (v *served) quiet() {
	for busy := "?"; busy != ""; {
		require.NoError(v.t, v.world.Driver().Look(v.t.Context().Done(), func() { busy = v.world.live.Busy() }))
	}
}

// end ends the world and reads its recording.
func (v *served) end() (record.Run, *recording.Recording) {
	v.cancel()
	require.NoError(v.t, <-v.ended)
	r, byPeople, err := v.world.Close()
	require.NoError(v.t, err)
	for _, why := range byPeople {
		v.t.Log("by people: " + why)
	}
	rec, err := recording.Read(v.world.Info().Recording)
	require.NoError(v.t, err)
	return r, rec
}

// replays asserts that the recording runs again to the same hash.
func replays(t *testing.T, rec *recording.Recording, speed float64) {
	again, err := Replay(context.Background(), "served", rec, speed, nil)
	require.NoError(t, err)
	assert.Nil(t, again.Differs)
	assert.True(t, again.Whole)
	assert.Equal(t, record.Hash(uint64(rec.End.Hash)), again.Run.Hash)
}

// client logs in to a vCenter as a foreign client does: over TLS, with the CA.
func (v *served) client(at VCenter) *govmomi.Client {
	u, err := url.Parse(at.URL)
	require.NoError(v.t, err)
	user := url.UserPassword(at.User, at.Password)
	s := soap.NewClient(u, false)
	require.NoError(v.t, s.SetRootCAs(v.world.Info().CA.File))
	vim, err := vim25.NewClient(v.t.Context(), s)
	require.NoError(v.t, err)
	c := &govmomi.Client{Client: vim, SessionManager: session.NewManager(vim)}
	require.NoError(v.t, c.Login(v.t.Context(), user))
	return c
}

// meddle does what a person may do to VMs in the middle of a migration: to the one
// that is migrated, and to another.
func (v *served) meddle(c *govmomi.Client, migrating, other string) {
	ctx := v.t.Context()
	finder := find.NewFinder(c.Client)
	find := func(name string) *object.VirtualMachine {
		vm, err := finder.VirtualMachine(ctx, name)
		require.NoError(v.t, err)
		return vm
	}
	done := func(task *object.Task, err error) {
		require.NoError(v.t, err)
		require.NoError(v.t, task.Wait(ctx))
	}
	vm, busy := find(other), find(migrating)
	done(vm.Reset(ctx))
	done(vm.Rename(ctx, other+"-renamed"))
	done(vm.CreateSnapshot(ctx, "mine", "", false, false))
	root, err := finder.DefaultResourcePool(ctx)
	require.NoError(v.t, err)
	pool, err := root.Create(ctx, "elsewhere", types.DefaultResourceConfigSpec())
	require.NoError(v.t, err)
	_, err = methods.MoveIntoResourcePool(ctx, c.Client, &types.MoveIntoResourcePool{This: pool.Reference(), List: []types.ManagedObjectReference{vm.Reference()}})
	require.NoError(v.t, err)

	folders, err := finder.DefaultFolder(ctx)
	require.NoError(v.t, err)
	archive, err := folders.CreateFolder(ctx, "archive")
	require.NoError(v.t, err)
	done(archive.MoveInto(ctx, []types.ManagedObjectReference{vm.Reference()}))

	reset, err := busy.Reset(ctx)
	if err == nil {
		err = reset.Wait(ctx)
	}
	require.Error(v.t, err, "the VM is off while its disks are carried")
	_, err = methods.MoveIntoResourcePool(ctx, c.Client, &types.MoveIntoResourcePool{This: pool.Reference(), List: []types.ManagedObjectReference{busy.Reference()}})
	require.NoError(v.t, err, "a move needs no task")

	var seen mo.VirtualMachine
	require.NoError(v.t, vm.Properties(ctx, vm.Reference(), []string{"name", "snapshot", "resourcePool"}, &seen))
	assert.Equal(v.t, other+"-renamed", seen.Name)
	assert.Equal(v.t, pool.Reference(), *seen.ResourcePool)
}

func TestPeopleMeddleWithAServedMigrationAndItReplays(t *testing.T) {
	v := serve(t, migrates, 0, "bulk-transfer")
	require.Equal(t, "bulk-transfer", <-v.paused)
	here, there := v.client(v.world.Info().OnPremises), v.client(v.world.Info().Cloud)
	v.world.Driver().SetSpeed(20)
	v.world.Driver().Resume()
	v.meddle(here, "db-01", "web-01")
	v.world.Driver().SetSpeed(0)
	v.quiet()

	copied, err := find.NewFinder(there.Client).VirtualMachine(t.Context(), "db-01")
	require.NoError(t, err, "HDM coped")
	state, err := copied.PowerState(t.Context())
	require.NoError(t, err)
	assert.Equal(t, types.VirtualMachinePowerStatePoweredOn, state)
	require.NoError(t, here.Logout(t.Context()))
	require.NoError(t, there.Logout(t.Context()))

	r, rec := v.end()
	assert.Empty(t, r.Violations)
	assert.Empty(t, r.Error)
	assert.Equal(t, []string{"ResetVM_Task", "Rename_Task", "CreateSnapshot_Task", "CreateResourcePool", "MoveIntoResourcePool", "CreateFolder", "MoveIntoFolder_Task", "ResetVM_Task", "MoveIntoResourcePool", "Logout"}, methodsOf(rec),
		"what changes something is on record, and nothing else")
	v.tellsNoSecret()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, speed := range []float64{0, 1000} {
		replays(t, rec, speed)
	}
}

func methodsOf(rec *recording.Recording) (all []string) {
	for _, s := range rec.Steps {
		all = append(all, s.Call.Method)
	}
	return all
}

// tellsNoSecret asserts that the recording has none of the world's.
func (v *served) tellsNoSecret() {
	info := v.world.Info()
	text, err := os.ReadFile(info.Recording)
	require.NoError(v.t, err)
	assert.NotContains(v.t, string(text), info.OnPremises.Password)
	assert.NotContains(v.t, string(text), info.SQS.Token)
	assert.NotContains(v.t, string(text), "vmware_soap_session")
}

func TestARecordingThatWasChangedIsFoundOut(t *testing.T) {
	v := serve(t, migrates, 0, "bulk-transfer")
	<-v.paused
	v.world.Driver().SetSpeed(20)
	v.world.Driver().Resume()
	v.meddle(v.client(v.world.Info().OnPremises), "db-01", "web-01")
	v.world.Driver().SetSpeed(0)
	v.quiet()
	_, rec := v.end()
	cases := map[string]struct {
		change func(r *recording.Recording)
		step   int
	}{
		"another name": {func(r *recording.Recording) {
			r.Steps[1].Call.Body = strings.Replace(r.Steps[1].Call.Body, "-renamed", "-other", 1)
		}, 2},
		"another method": {func(r *recording.Recording) {
			r.Steps[0].Call.Body = strings.ReplaceAll(r.Steps[0].Call.Body, "ResetVM_Task", "PowerOffVM_Task")
		}, 1},
		"a step less":      {func(r *recording.Recording) { r.Steps = slices.Delete(r.Steps, 2, 3) }, 2},
		"a step twice":     {func(r *recording.Recording) { r.Steps = slices.Insert(r.Steps, 2, r.Steps[1]) }, 2},
		"another time":     {func(r *recording.Recording) { r.Steps[2].At = 0 }, 2},
		"another seed":     {func(r *recording.Recording) { r.Seed++ }, 0},
		"another scenario": {func(r *recording.Recording) { r.Scenario = strings.Replace(r.Scenario, "rate: 4", "rate: 5", 1) }, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			changed := *rec
			changed.Steps = slices.Clone(rec.Steps)
			for i, s := range rec.Steps {
				call := *s.Call
				changed.Steps[i].Call = &call
			}
			c.change(&changed)
			again, err := Replay(t.Context(), "served", &changed, 0, nil)
			require.NoError(t, err)
			require.NotNil(t, again.Differs)
			assert.Equal(t, c.step, again.Differs.Step, "the first one that the change shows at")
		})
	}
}

func TestARecordingWithoutAnEndRunsAgainAsFarAsItGoes(t *testing.T) {
	v := serve(t, migrates, 0, "bulk-transfer")
	<-v.paused
	v.world.Driver().SetSpeed(20)
	v.world.Driver().Resume()
	v.meddle(v.client(v.world.Info().OnPremises), "db-01", "web-01")
	path := v.world.Info().Recording // as a killed program leaves it: the world is still served
	rec, err := recording.Read(path)
	require.NoError(t, err)
	require.Nil(t, rec.End)
	again, err := Replay(t.Context(), path, rec, 0, nil)
	require.NoError(t, err)
	assert.Nil(t, again.Differs)
	assert.False(t, again.Whole)
	_, _ = v.end()
}

func TestAPortThatIsTakenIsToldAndNothingIsLeft(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	s, err := scenario.ParseServed("served.yaml", []byte(migrates))
	require.NoError(t, err)
	for _, ports := range []Ports{{OnPremises: port}, {Cloud: port}, {SQS: port}} {
		folder := t.TempDir()
		_, err = Open(Config{Scenario: s, Folder: folder, Ports: ports})
		var taken *PortError
		require.ErrorAs(t, err, &taken)
		assert.Equal(t, port, taken.Port)
		_, err = os.Stat(filepath.Join(folder, recordingName))
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestAtFullSpeedAnIdleServedWorldStandsStill(t *testing.T) {
	v := serve(t, migrates, 0)
	v.quiet()
	at := func() (at time.Duration) {
		require.NoError(t, v.world.Driver().Look(nil, func() { at = v.world.live.Mark().At }))
		return at
	}
	before := at()
	c := v.client(v.world.Info().OnPremises)
	for range 100 {
		_, err := methods.GetCurrentTime(t.Context(), c.Client)
		require.NoError(t, err)
	}
	assert.Equal(t, before, at(), "reads move nothing")
	_, rec := v.end()
	assert.Empty(t, rec.Steps)
}

func TestAGuestThatAPersonRebootsComesUpAgainAndIsStillMigrated(t *testing.T) {
	v := serve(t, migrates, 0, "check")
	require.Equal(t, "check", <-v.paused)
	c := v.client(v.world.Info().OnPremises)
	vm, err := find.NewFinder(c.Client).VirtualMachine(t.Context(), "db-01")
	require.NoError(t, err)
	require.NoError(t, vm.RebootGuest(t.Context()))
	v.world.Driver().Resume()
	v.quiet()
	r, rec := v.end()
	assert.Empty(t, r.Violations)
	assert.Empty(t, r.Error)
	replays(t, rec, 0)
}

func TestSecretsOfForeignCallsAreNotOnRecord(t *testing.T) {
	v := serve(t, idle, 1)
	c := v.client(v.world.Info().OnPremises)
	vm, err := find.NewFinder(c.Client).VirtualMachine(t.Context(), "db-01")
	require.NoError(t, err)
	other := v.client(v.world.Info().OnPremises)
	mine, err := other.SessionManager.UserSession(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.SessionManager.TerminateSession(t.Context(), []string{mine.Key}))
	_, err = methods.AcquireCredentialsInGuest(t.Context(), c.Client, &types.AcquireCredentialsInGuest{
		This: types.ManagedObjectReference{Type: "GuestAuthManager", Value: "guestOperationsAuthManager"}, Vm: vm.Reference(),
		RequestedAuth: &types.NamePasswordAuthentication{Username: "root", Password: "hunter2"},
	})
	require.Error(t, err, "it is not simulated")
	_, rec := v.end()
	require.Len(t, rec.Steps, 2)
	assert.Contains(t, rec.Steps[0].Call.Body, "{session ")
	assert.NotContains(t, rec.Steps[0].Call.Body, mine.Key)
	assert.NotContains(t, rec.Steps[1].Call.Body, "hunter2")
	v.tellsNoSecretButTheirNames()
	replays(t, rec, 0)
}

// tellsNoSecretButTheirNames is tellsNoSecret where a call has an element named
// after what it hides.
func (v *served) tellsNoSecretButTheirNames() {
	text, err := os.ReadFile(v.world.Info().Recording)
	require.NoError(v.t, err)
	assert.NotContains(v.t, string(text), v.world.Info().SQS.Token)
	assert.NotContains(v.t, string(text), "vmware_soap_session")
}

func TestANameThatIsTheMarkOfASessionIsOneInTheReplayToo(t *testing.T) {
	v := serve(t, idle, 1)
	c := v.client(v.world.Info().OnPremises)
	vm, err := find.NewFinder(c.Client).VirtualMachine(t.Context(), "db-01")
	require.NoError(t, err)
	task, err := vm.Rename(t.Context(), "{session 1}")
	require.NoError(t, err)
	require.NoError(t, task.Wait(t.Context()))
	off, err := vm.PowerOff(t.Context())
	require.NoError(t, err)
	require.NoError(t, off.Wait(t.Context()))
	_, rec := v.end()
	replays(t, rec, 0)
}

func TestTheKeysOfHDMsOwnSessionsAreNotOnRecord(t *testing.T) {
	v := serve(t, migrates, 0, "bulk-transfer")
	require.Equal(t, "bulk-transfer", <-v.paused)
	v.world.Driver().SetSpeed(20)
	v.world.Driver().Resume()
	c := v.client(v.world.Info().OnPremises)
	var manager mo.SessionManager
	require.NoError(t, c.RetrieveOne(t.Context(), *c.ServiceContent.SessionManager, []string{"sessionList"}, &manager))
	var keys []string
	for _, s := range manager.SessionList {
		if !strings.HasPrefix(s.UserAgent, "foreign ") {
			keys = append(keys, s.Key)
		}
	}
	require.NotEmpty(t, keys)
	require.NoError(t, c.SessionManager.TerminateSession(t.Context(), keys))
	v.world.Driver().SetSpeed(0)
	v.quiet()
	_, rec := v.end()
	require.Len(t, rec.Steps, 1)
	for _, key := range keys {
		assert.NotContains(t, rec.Steps[0].Call.Body, key)
	}
	assert.Contains(t, rec.Steps[0].Call.Body, "{session hdm ")
	replays(t, rec, 0)
}

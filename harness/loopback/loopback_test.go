package loopback

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25"
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

func TestPeopleMeddleWithAServedMigrationAndItReplays(t *testing.T) {
	v := serve(t, migrates, 0, "bulk-transfer")
	require.Equal(t, "bulk-transfer", <-v.paused)
	here := v.client(v.world.Info().OnPremises)
	ctx := t.Context()
	finder := find.NewFinder(here.Client)
	vm, err := finder.VirtualMachine(ctx, "web-01")
	require.NoError(t, err)
	migrating, err := finder.VirtualMachine(ctx, "db-01")
	require.NoError(t, err)
	v.world.Driver().SetSpeed(50)
	v.world.Driver().Resume()

	wait := func(task *object.Task, err error) {
		require.NoError(t, err)
		require.NoError(t, task.Wait(ctx))
	}
	wait(vm.Reset(ctx))
	wait(vm.Rename(ctx, "web-02"))
	wait(vm.CreateSnapshot(ctx, "mine", "", false, false))
	pool, err := finder.DefaultResourcePool(ctx)
	require.NoError(t, err)
	_, err = pool.Create(ctx, "elsewhere", types.DefaultResourceConfigSpec())
	require.NoError(t, err)
	_ = migrating

	var seen mo.VirtualMachine
	require.NoError(t, vm.Properties(ctx, vm.Reference(), []string{"name", "snapshot"}, &seen))
	assert.Equal(t, "web-02", seen.Name)
	require.NoError(t, here.Logout(ctx))
	v.world.Driver().SetSpeed(0)
	v.quiet()
	r, rec := v.end()
	assert.Empty(t, r.Violations)
	assert.NotEmpty(t, rec.Steps)
	text, err := os.ReadFile(filepath.Join(v.world.Info().Recording))
	require.NoError(t, err)
	assert.NotContains(t, string(text), `password`)
	for _, speed := range []float64{0, 1000} {
		replays(t, rec, speed)
	}
}

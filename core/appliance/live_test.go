package appliance_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// wallClock lets a vCenter live in real time.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }
func (wallClock) After(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// served is a vCenter as a real one is met: over TLS, in real time.
func served(t *testing.T, s vsphere.Site) (*vcenter.VCenter, *vsphere.Client) {
	t.Helper()
	vc, err := vcenter.New(vcenter.Config{Site: s, Clock: wallClock{}})
	require.NoError(t, err)
	t.Cleanup(vc.Close)
	_, err = vc.AddCluster("Cluster")
	require.NoError(t, err)
	_, err = vc.AddHost("Cluster", "host-1")
	require.NoError(t, err)
	_, err = vc.AddDatastore("store", 1<<40, 1<<40)
	require.NoError(t, err)
	server, err := vc.Serve()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	trust, err := vsphere.TrustPEM(server.CA)
	require.NoError(t, err)
	return vc, vsphere.NewClient(runtime.NewLive(), vsphere.Endpoint{
		Site: s, URL: server.URL, User: vc.Credentials(), Agent: "hdm-appliance", HTTP: vsphere.NewTransport(trust, 30*time.Second),
	})
}

// ends is an Observer that passes on each migration that has ended.
type ends struct{ of chan migration.Migration }

func (e ends) Changed(m migration.Migration) {
	if m.State.Final() && !m.Reported {
		e.of <- m
	}
}

func (ends) Booted(int)                                       {}
func (ends) Loaded(migration.Migration)                       {}
func (ends) EffectStarted(migration.Effect, int)              {}
func (ends) EffectEnded(migration.Effect, int, string, error) {}
func (ends) EffectStale(migration.ID, string, string)         {}
func (ends) Answered(migration.Order, appliance.Answer)       {}
func (ends) JournalWrote(int, string)                         {}
func (ends) Deployed(deployment.Deployment)                   {}
func (ends) Set(appliance.Settings)                           {}
func (ends) Recovering(recovery.Recovery)                     {}
func (ends) Noted(appliance.Note)                             {}
func (ends) HealthChanged(health.Panel)                       {}

func TestTheSameApplianceMovesVMsSideBySideInRealTimeWithAJournalOnDisk(t *testing.T) {
	t.Parallel()
	premises, here := served(t, vsphere.OnPremises)
	cloud, there := served(t, vsphere.Cloud)
	names := []string{"db-01", "web-01"}
	for _, name := range names {
		_, err := premises.AddVM(vcenter.VMSpec{
			Name: name, Disks: []vcenter.DiskSpec{{Capacity: 16 << 20, Used: 1 << 20}}, NICs: []vcenter.NICSpec{{}},
		})
		require.NoError(t, err)
		vm, _ := premises.VM(name)
		_, err = vm.Disks[0].Disk.WriteAt([]byte("written by "+name), 4321)
		require.NoError(t, err)
	}
	file := filepath.Join(t.TempDir(), "journal.db")
	store, err := journal.OpenSQLite(file)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := ends{make(chan migration.Migration, 2*len(names))}
	app, err := appliance.Boot(ctx, appliance.Config{
		ID: "hdm-1", Runtime: runtime.NewLive(), Journal: store, OnPremises: here, Cloud: there,
		Knobs: migration.DefaultKnobs, Patience: appliance.DefaultPatience, Observer: ended,
	})
	require.NoError(t, err)
	for _, name := range names {
		a, err := app.Order(migration.Order{
			Request: "r-" + name, VM: name, Type: migration.Cold,
			Target: migration.Target{Networks: []migration.Mapping{{From: "VM Network", To: "VM Network"}}},
		})
		require.NoError(t, err)
		require.Equal(t, appliance.Accepted, a.Outcome)
	}
	for range names {
		m := <-ended.of // the test's own time limit bounds it
		require.Equal(t, migration.Completed, m.State, "%+v", m.Reasons)
		require.Len(t, app.Migrations(), len(names))
	}
	for _, name := range names {
		vm, _ := premises.VM(name)
		copied, ok := cloud.VM(name)
		require.True(t, ok, name)
		assert.Equal(t, vsphere.On, copied.Power, name)
		same, block := vm.Disks[0].Disk.Equal(copied.Disks[0].Disk)
		assert.True(t, same, "the disk of %s differs at block %d", name, block)
	}
	require.NoError(t, store.Close())

	_, err = app.Order(migration.Order{VM: "db-01", Type: migration.Cold})
	assert.ErrorIs(t, err, appliance.ErrJournal, "without its journal it takes no order")
}

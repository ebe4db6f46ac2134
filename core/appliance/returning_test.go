package appliance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// tried is a world in which db-01 runs in the cloud, and the migration that is to
// bring it back.
func tried(t *testing.T) (*world, migration.Migration) {
	t.Helper()
	rate := 5.0
	w := ready(t, "standard", func(d *site.Description) { d.Guests.Workload = &site.Workload{Kind: "random", Rate: &rate} })
	w.give(migration.Order{VM: "db-01", Type: migration.TBC})
	w.reaches("db-01", migration.Completed)
	of := w.last("db-01")
	require.NotEmpty(t, of.Path.Cache)
	require.NotEmpty(t, of.Path.Home)
	return w, migration.NewRecover(7, w.machine.Now(), of)
}

// does lets the executor of an effect run to its end.
func (w *world) does(kind migration.Kind, m migration.Migration) (r migration.Result, err error) {
	w.t.Helper()
	ended := false
	w.machine.Go(context.Background(), string(kind), func(ctx context.Context) {
		r, err = w.app.Do(ctx, kind, m)
		ended = true
	})
	w.until(2*time.Hour, func() bool { return ended })
	return r, err
}

// comesBack does every step of bringing a VM back, twice: what is done is found.
func (w *world) comesBack(m migration.Migration) migration.Migration {
	w.t.Helper()
	for _, row := range migration.RecoverTable {
		for range 2 {
			if row.Redo == migration.FromBeginning {
				_, err := w.does(row.Undo, m)
				require.NoError(w.t, err, "%s", row.Step)
			}
			r, err := w.does(row.Does, m)
			require.NoError(w.t, err, "%s", row.Step)
			if row.Does == migration.Judge {
				m.Boots, m.Doubt = r.Boots, r.Doubt
			}
		}
	}
	return m
}

// nothingTried: no trial is left, and the migrate-time snapshot stays.
func (w *world) nothingTried() {
	w.t.Helper()
	_, there := w.OnPremises.VCenter.VM("db-01_hdm_trial")
	assert.False(w.t, there)
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	require.Len(w.t, vm.Snapshots, 1)
	assert.Equal(w.t, "_hdm1", vm.Snapshots[0].Name)
}

func TestAVMComesBackIntoThePoolThatSaysWhetherItBoots(t *testing.T) { // REC-04, REC-05, A-08
	for name, c := range map[string]struct {
		damage func(w *world)
		pool   string
	}{
		"it boots":                   {func(*world) {}, migration.RecoverySuccessPool},
		"its boot disk is damaged":   {func(w *world) { w.scribble("db-01") }, migration.RecoveryFailedPool},
		"somebody had powered it on": {func(w *world) { w.startedAndStopped("db-01") }, migration.RecoveryFailedPool},
	} {
		t.Run(name, func(t *testing.T) {
			w, m := tried(t)
			c.damage(w)
			m = w.comesBack(m)
			assert.Equal(t, m.Boots, m.Doubt == "")
			w.stands(vsphere.OnPremises, "db-01", vsphere.Off, c.pool)
			_, there := w.Cloud.VCenter.VM("db-01 ARM")
			assert.False(t, there)
			w.nothingTried()
		})
	}
}

// scribble destroys the boot block of a VM that is off.
func (w *world) scribble(vm string) {
	w.t.Helper()
	v, ok := w.OnPremises.VCenter.VM(vm)
	require.True(w.t, ok)
	_, err := v.Disks[0].Disk.WriteAt(make([]byte, 4096), 0)
	require.NoError(w.t, err)
}

func (w *world) startedAndStopped(vm string) {
	w.t.Helper()
	for _, on := range []bool{true, false} {
		_, err := w.OnPremises.Power(vm, on)
		require.NoError(w.t, err)
		w.pass(time.Minute)
	}
}

func TestNothingIsDoneOnPremisesUntilTheComputeVMIsKnownToBeOff(t *testing.T) { // MIG-13, A-05
	w, m := tried(t)
	host, _ := w.Cloud.VCenter.VM("db-01 ARM")
	require.NoError(t, w.Cloud.VCenter.SetVMConnection(host.Name, "disconnected"))
	_, err := w.does(migration.PowerOffCompute, m)
	assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(err), "it is waited for, and no try is used up")
	require.NoError(t, w.Cloud.VCenter.SetVMConnection(host.Name, "connected"))
	_, err = w.does(migration.PowerOffCompute, m)
	require.NoError(t, err)
	w.stands(vsphere.Cloud, "db-01 ARM", vsphere.Off, "")
}

func TestAVMWhoseHostIsLostIsNotJudgedByThat(t *testing.T) { // REC-05
	w, m := tried(t)
	require.NoError(t, w.OnPremises.VCenter.SetVMConnection("db-01", "disconnected"))
	for _, kind := range []migration.Kind{migration.Judge, migration.EndTrial, migration.MoveToRecovery} {
		_, err := w.does(kind, m)
		assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(err), "%s", kind)
	}
	require.NoError(t, w.OnPremises.VCenter.SetVMConnection("db-01", "connected"))
	w.comesBack(m)
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, migration.RecoverySuccessPool)
}

func TestATrialBootIsOnNoNetworkAndLeavesNothing(t *testing.T) {
	w, m := tried(t)
	_, err := w.does(migration.PowerOffCompute, m)
	require.NoError(t, err)
	_, err = w.does(migration.Discard, m)
	require.NoError(t, err)
	source, _ := w.OnPremises.VCenter.VM("db-01")
	before := content(t, source)
	w.machine.Go(context.Background(), "judge", func(ctx context.Context) { _, _ = w.app.Do(ctx, migration.Judge, m) })
	var trial vcenter.VM
	w.until(10*time.Minute, func() bool {
		trial, _ = w.OnPremises.VCenter.VM("db-01_hdm_trial")
		return trial.Power == vsphere.On
	})
	assert.Equal(t, trial.Marks["hdm.made"], trial.Marks["hdm.trial"])
	for _, nic := range trial.NICs {
		assert.False(t, nic.Connected)
	}
	w.powerOff() // in the middle: the next boot ends the trial by its marks
	require.NoError(t, w.boot())
	_, err = w.does(migration.EndTrial, m)
	require.NoError(t, err)
	w.nothingTried()
	assert.Equal(t, before, content(t, source), "the VM's own disk was not written to")
}

// content is what the first disk of a VM holds.
func content(t *testing.T, vm vcenter.VM) []byte {
	t.Helper()
	d := vm.Disks[0].Disk
	all := make([]byte, d.Capacity())
	_, err := d.ReadAt(all, 0)
	require.NoError(t, err)
	return all
}

// dirty is how much of a VM's cloud cache is not on premises, in bytes.
func (w *world) dirty(m migration.Migration) (bytes int64) {
	w.t.Helper()
	c := component.NewClient(component.ClientConfig{
		Runtime: w.machine, Link: w.Components.Link(), Name: w.machine.Now().String(), Caches: []string{m.Path.Cache}, Homes: []string{m.Path.Home},
	})
	w.machine.Go(context.Background(), "ask", func(ctx context.Context) {
		all, err := c.Bindings(ctx)
		require.NoError(w.t, err)
		for _, b := range all {
			bytes += b.Dirty
		}
	})
	w.pass(time.Minute)
	return bytes
}

func TestSalvageBringsHomeWhatTheCacheStillHolds(t *testing.T) {
	for _, salvage := range []bool{false, true} {
		w, m := tried(t)
		w.app.Knobs.Salvage = salvage
		w.pass(5 * time.Minute)
		_, err := w.does(migration.PowerOffCompute, m)
		require.NoError(t, err)
		before := w.dirty(m)
		require.Positive(t, before)
		_, err = w.does(migration.Salvage, m)
		require.NoError(t, err)
		if after := w.dirty(m); salvage {
			assert.Zero(t, after)
		} else {
			assert.Equal(t, before, after, "faithful: the last flush is what there is")
		}
	}
}

func TestAVMWhoseCacheHasForgottenItDoesNotComeBackAsIfNothingWereLost(t *testing.T) { // BACK-03
	w, m := tried(t)
	_, err := w.does(migration.PowerOffCompute, m)
	require.NoError(t, err)
	_, err = w.does(migration.FinalFlush, m)
	require.NoError(t, err)
	_, err = w.does(migration.Discard, m)
	require.NoError(t, err)
	_, err = w.does(migration.FinalFlush, m)
	assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
	assert.ErrorContains(t, err, "does not know it any more")
}

func TestAVMInARecoveryPoolMigratesFromThereAndComesBackToIt(t *testing.T) { // REC-07, A-28
	w := migrated(t, "standard")
	require.NoError(t, w.Components.Crash(cacheVM, component.CloudCache))
	w.recovers()
	w.isBack("db-01")
	_, err := w.OnPremises.Power("db-01", true)
	require.NoError(t, err)
	w.pass(5 * time.Minute)
	w.give(migration.Order{VM: "db-01", Type: migration.TBC})
	w.reaches("db-01", migration.Completed)
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, migration.MigratePool)
	w.give(migration.Order{VM: "db-01", Type: migration.Back})
	w.reaches("db-01", migration.Completed)
	w.stands(vsphere.OnPremises, "db-01", vsphere.Off, migration.RecoverySuccessPool)
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	require.Len(t, vm.Snapshots, 1)
	assert.Equal(t, "_hdm1", vm.Snapshots[0].Name, "that of the first migration is the user's to delete")
}

func TestWhatAFailedWarmMigrationLeftIsDeletedWhenAUserSaysSo(t *testing.T) { // WARM-06
	w := ready(t, "standard")
	w.give(migration.Order{VM: "db-01", Type: migration.Warm})
	w.awaitsCommit("db-01")
	require.NoError(t, w.Components.Crash(cacheVM, component.CloudCache))
	w.recovers()
	w.isBack("db-01")
	_, there := w.Cloud.VCenter.VM("db-01 ARM image")
	require.True(t, there, "no recovery removes it")
	a := w.ask(func(ctx context.Context) (appliance.Answer, error) { return w.app.DeleteLeftover(ctx, "db-01") })
	w.pass(time.Minute)
	require.NotEqual(t, appliance.Rejected, a.Outcome)
	_, there = w.Cloud.VCenter.VM("db-01 ARM image")
	assert.False(t, there)
}

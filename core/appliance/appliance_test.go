package appliance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/vcenter"
)

func TestAnOrderBecomesAVMThatRunsInTheCloudAndATaskThatSaysSo(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.boot())
	a, err := w.order("", "db-01")
	require.NoError(t, err)
	require.Equal(t, appliance.Accepted, a.Outcome)
	w.until(time.Hour, func() bool { return w.migration(a.Migration).Reported })
	assert.Equal(t, migration.Completed, w.migration(a.Migration).State)
	assert.True(t, w.runsAt(vsphere.Cloud, "db-01"))
	assert.False(t, w.runsAt(vsphere.OnPremises, "db-01"))
	tasks := w.shown()
	require.Len(t, tasks, 1)
	assert.Equal(t, vsphere.TaskSuccess, tasks[0].State)
	assert.Equal(t, "db-01", tasks[0].Entity)

	w.pass(time.Minute)
	calls := w.calls()
	w.pass(time.Hour)
	assert.Equal(t, calls, w.calls(), "with nothing to do it is still")
}

// shown are the tasks by which people see migrations.
func (w *world) shown() []vcenter.Task {
	var all []vcenter.Task
	for _, task := range w.OnPremises.VCenter.Tasks() {
		if task.Method == vsphere.TaskMigrate {
			all = append(all, task)
		}
	}
	return all
}

// written says whether a journal knows that the effect of that key was asked for.
func written(j journal.Journal, key string) bool {
	all, _ := j.Load()
	for _, r := range all {
		var m migration.Migration
		if r.Kind == "migration" && json.Unmarshal(r.Value, &m) == nil && m.Effect == key {
			return true
		}
	}
	return false
}

// starting is a Runtime that tells of each task before it starts it.
type starting struct {
	runtime.Runtime
	task func(name string)
}

func (s *starting) Go(ctx context.Context, name string, fn func(context.Context)) runtime.Task {
	s.task(name)
	return s.Runtime.Go(ctx, name, fn)
}

func TestNoEffectIsGivenToATaskBeforeTheJournalSaysThatItWillBeDone(t *testing.T) {
	w := newWorld(t)
	var effects, early []string
	w.runtime = func(r runtime.Runtime) runtime.Runtime {
		return &starting{r, func(name string) {
			if !strings.HasPrefix(name, "m-") {
				return // no effect
			}
			if effects = append(effects, name); !written(w.journal, name) {
				early = append(early, name)
			}
		}}
	}
	require.NoError(t, w.boot())
	a, err := w.order("", "db-01")
	require.NoError(t, err)
	w.until(time.Hour, w.state(a.Migration)(migration.Completed))
	assert.Empty(t, early)
	assert.Len(t, effects, 8, "two checks and the six steps after them")
	assert.False(t, written(w.journal, effects[0]), "the test would notice: that one is over")
}

// full is a journal whose disk is full after so many writes.
type full struct {
	*journal.Memory
	left int
}

var errFull = errors.New("no space left on device")

func (f *full) Write(batch []journal.Record) error {
	if f.left == 0 {
		return errFull
	}
	f.left--
	return f.Memory.Write(batch)
}

func TestAJournalThatCannotBeWrittenKeepsTheApplianceFromBooting(t *testing.T) {
	w := newWorld(t)
	w.journal = &full{journal.NewMemory(), 0}
	err := w.boot()
	require.ErrorIs(t, err, appliance.ErrJournal)
	assert.ErrorIs(t, err, errFull)
	assert.ErrorContains(t, err, "repair the appliance's disk and restart it")
}

func TestAJournalThatCannotBeWrittenStopsTheApplianceAndARestartTakesItUp(t *testing.T) {
	const all = 11 // writes from the boot to the report of the end
	for n := 1; n <= all; n++ {
		t.Run(fmt.Sprintf("after %d writes", n), func(t *testing.T) {
			w := newWorld(t)
			disk := &full{journal.NewMemory(), n}
			w.journal = disk
			require.NoError(t, w.boot())
			_, _ = w.order("r-1", "db-01") // refused by the journal if n is 1
			w.until(time.Hour, func() bool { return disk.left == 0 })
			w.pass(10 * time.Minute)
			_, err := w.order("r-2", "web-01")
			require.ErrorIs(t, err, appliance.ErrJournal)
			assert.ErrorIs(t, err, errFull)

			calls, started := w.calls(), len(w.saw.started)
			w.pass(2 * time.Hour)
			assert.Equal(t, calls, w.calls(), "it asks the vCenters for nothing more")
			assert.Len(t, w.saw.started, started, "and begins no effect")
			for _, place := range w.Places() {
				assert.Empty(t, place.VCenter.Sessions(), "and has left no session at %s", place.Site)
			}

			w.powerOff()
			disk.left = 1000
			require.NoError(t, w.boot())
			a, err := w.order("r-1", "db-01")
			require.NoError(t, err)
			w.until(2*time.Hour, func() bool { return w.migration(a.Migration).Reported })
			assert.Equal(t, migration.Completed, w.migration(a.Migration).State)
			assert.True(t, w.runsAt(vsphere.Cloud, "db-01"))
			assert.Len(t, w.shown(), 1, "people see one task, however often it was told")
		})
	}
}

func TestARestartTakesUpEveryMigrationAndAnswersRequestsAsBefore(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.boot())
	first, err := w.order("r-1", "db-01")
	require.NoError(t, err)
	w.until(time.Hour, func() bool { return w.migration(first.Migration).Step == migration.StepTransfer })
	w.restart(2 * time.Minute)
	assert.Equal(t, []int{1, 2}, w.saw.epochs)
	assert.Equal(t, []migration.ID{first.Migration}, w.saw.loaded)
	assert.Equal(t, 2, w.app.Epoch())

	again, err := w.order("r-1", "db-01")
	require.NoError(t, err)
	assert.Equal(t, appliance.Answer{Outcome: appliance.Duplicate, Migration: first.Migration}, again)
	w.until(time.Hour, w.state(first.Migration)(migration.Completed))
	late, err := w.order("r-1", "db-01")
	require.NoError(t, err)
	assert.Equal(t, appliance.Duplicate, late.Outcome)
	assert.Len(t, w.app.Migrations(), 1)
}

func TestARefusedOrderIsAnsweredAtOnceAndTouchesNoVCenter(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.boot())
	_, err := w.order("", "db-01")
	require.NoError(t, err)
	calls := w.calls()
	a, err := w.order("", "db-01")
	require.NoError(t, err)
	assert.Equal(t, appliance.Rejected, a.Outcome)
	require.Len(t, a.Reasons, 1)
	assert.Equal(t, migration.CodeBusy, a.Reasons[0].Code)
	assert.Equal(t, []appliance.Outcome{appliance.Accepted, appliance.Rejected}, w.saw.answers)
	assert.Equal(t, calls, w.calls())
	assert.Equal(t, migration.Refused, w.migration(a.Migration).State)
}

func TestAMigrationWhoseTaskSomebodyCancelsInVCenterIsUndone(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.boot())
	a, err := w.order("", "db-01")
	require.NoError(t, err)
	other, err := w.order("", "web-01")
	require.NoError(t, err)
	w.until(time.Hour, func() bool { return len(w.shown()) == 2 })
	for _, task := range w.shown() {
		if task.Entity == "db-01" {
			w.cancelTask(task.ID)
		}
	}
	w.until(time.Hour, func() bool { return w.migration(a.Migration).Reported && w.migration(other.Migration).Reported })
	assert.Equal(t, migration.Cancelled, w.migration(a.Migration).State)
	assert.True(t, w.runsAt(vsphere.OnPremises, "db-01"))
	assert.False(t, w.runsAt(vsphere.Cloud, "db-01"))
	assert.Equal(t, migration.Completed, w.migration(other.Migration).State, "the other one goes on")
	assert.True(t, w.runsAt(vsphere.Cloud, "web-01"))
}

func TestShowingAnEndIsGivenUpAfterSoManyTriesAndTheMigrationIsTheSame(t *testing.T) {
	w := newWorld(t)
	w.OnPremises.Path.Intercept = func(c transport.Call) transport.Act {
		if c.Method == "CreateTask" {
			return transport.Fail(&types.SystemError{})
		}
		return transport.Pass()
	}
	require.NoError(t, w.boot())
	a, err := w.order("", "db-01")
	require.NoError(t, err)
	w.until(time.Hour, w.state(a.Migration)(migration.Completed))
	assert.False(t, w.migration(a.Migration).Reported, "it is tried for some time")
	tries := w.OnPremises.Path.Count("CreateTask")
	w.until(time.Hour, func() bool { return w.migration(a.Migration).Reported })
	assert.Equal(t, 100, w.OnPremises.Path.Count("CreateTask")-tries)
	calls := w.calls()
	w.pass(time.Hour)
	assert.Equal(t, calls, w.calls(), "and then no more")
	assert.True(t, w.runsAt(vsphere.Cloud, "db-01"))
}

func TestAJournalThatCannotBeReadKeepsTheApplianceFromBooting(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.journal.Write([]journal.Record{{Kind: "migration", Key: "m-0001", Value: []byte("torn")}}))
	err := w.boot()
	require.ErrorContains(t, err, "the appliance cannot start: journal record migration/m-0001 cannot be read")
	assert.Zero(t, w.calls())

	require.NoError(t, w.journal.Close())
	assert.ErrorIs(t, w.boot(), journal.ErrClosed)
}

func TestAnApplianceWhoseJournalCannotBeWrittenIsNotReady(t *testing.T) {
	w := newWorld(t)
	w.journal = &full{journal.NewMemory(), 1}
	require.NoError(t, w.boot())
	w.pass(time.Minute)
	assert.True(t, w.app.Health().Ready())
	_, err := w.order("r-1", "db-01")
	require.ErrorIs(t, err, appliance.ErrJournal)
	assert.Equal(t, "Not Ready: Services not ready or down Appliance", w.app.Health().String())
}

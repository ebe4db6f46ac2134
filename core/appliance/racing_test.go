package appliance_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/wan"
)

func (w *world) cancel(vm string) {
	w.t.Helper()
	a := w.ask(func(context.Context) (appliance.Answer, error) { return w.app.Cancel(vm) })
	require.Equal(w.t, appliance.Accepted, a.Outcome)
}

// neverRuns lets time pass in which a VM in the cloud must not run.
func (w *world) neverRuns(vm string, most time.Duration, until func() bool) {
	w.t.Helper()
	w.until(most, func() bool {
		require.False(w.t, w.runsAt(vsphere.Cloud, vm), "%s runs in the cloud", vm)
		return until()
	})
}

func TestAMigrateBackThatIsUndoneAndABroughtBackVMAreNeverTwoCopies(t *testing.T) { // MIG-13, A-05
	w := migrated(t, "standard")
	w.give(migration.Order{VM: "db-01", Type: migration.Back})
	for w.last("db-01").Step != migration.StepFlush {
		w.pass(10 * time.Millisecond)
	}
	w.WAN.SetDown(wan.Both, true)
	w.cancel("db-01")
	w.until(enough, func() bool { return w.last("db-01").State == migration.Undoing })
	w.until(enough, func() bool { return w.app.Recovery().Lost })
	w.WAN.SetDown(wan.Both, false)
	w.neverRuns("db-01 ARM", 2*time.Hour, func() bool { return w.last("db-01").Order.Type == migration.Recover })
	w.neverRuns("db-01 ARM", 2*time.Hour, w.phase(recovery.Healthy))
	w.isBack("db-01")
	w.pass(10 * time.Minute)
	assert.False(t, w.runsAt(vsphere.Cloud, "db-01 ARM"))
}

func TestAPowerOnThatComesLateIsOverBeforeTheVMIsBroughtBack(t *testing.T) { // MIG-13, REC-12
	w := ready(t, "standard")
	held, silent := false, false
	w.Cloud.Path.Intercept = func(c transport.Call) transport.Act {
		switch {
		case c.Method == "PowerOnVM_Task" && !held:
			held = true
			return transport.Late(time.Minute)
		case c.Method == "Logout" && silent:
			return transport.Hang()
		}
		return transport.Pass()
	}
	w.give(migration.Order{VM: "db-01", Type: migration.TBC})
	w.until(enough, func() bool { return held })
	silent = true // its session does not end when it is told to
	require.NoError(t, w.Components.Restart(cacheVM, component.CloudCache))
	w.until(enough, func() bool { return slices.Contains(w.last("db-01").Started, migration.StepRelease) })
	silent = false
	w.neverRuns("db-01 ARM", 2*time.Hour, w.phase(recovery.Healthy))
	w.isBack("db-01")
}

func TestAVMWhoseCacheIsLostWhileItIsPutBackIsBroughtBack(t *testing.T) { // REC-10
	w := ready(t, "standard")
	w.give(migration.Order{VM: "db-01", Type: migration.TBC})
	w.comesTo("db-01", migration.StepBoot)
	w.cancel("db-01")
	w.until(enough, func() bool { return w.last("db-01").State == migration.Undoing })
	_, err := w.Cloud.Power(cacheVM, false)
	require.NoError(t, err)
	d, err := w.Components.Disk(cacheVM, deployment.Cache)
	require.NoError(t, err)
	_, err = d.WriteAt(make([]byte, 8<<10), 2<<20) // the superblocks of the first binding
	require.NoError(t, err)
	require.NoError(t, d.Flush())
	w.pass(5 * time.Second)
	_, err = w.Cloud.Power(cacheVM, true)
	require.NoError(t, err)
	w.notices()
	w.until(2*time.Hour, func() bool { return w.last("db-01").State.Final() && w.app.Recovery().Phase == recovery.Healthy })
	w.isBack("db-01")
	assert.Contains(t, w.noted(appliance.EventComponentFailed)[0], "Cloud Cache from HDM_Cloud_Cache-0 damaged: ")
}

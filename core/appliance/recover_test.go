package appliance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
)

// notice has HDM notice that a service has restarted by itself; its repair is
// outstanding then.
func (c *control) notice(vm string, s component.Service) recovery.Effect {
	d := c.hear(BeatHeard{Failed: []recovery.Failure{{VM: vm, Service: s, Cause: recovery.Restarted}}})
	require.NotNil(c.t, d.Recovering)
	return *d.Recovering
}

func TestWhileHDMRecoversNothingNewIsServedAndWhatIsQueuedWaits(t *testing.T) { // REC-03, REC-12
	c := deployed(t)
	for i := range 5 { // four at once
		c.give(migration.Order{VM: fmt.Sprintf("vm-%d", i), Type: migration.TBC})
	}
	for len(c.open) > 4 || c.state.live[4].State != migration.Queued { // the checks
		for _, key := range slices.Sorted(maps.Keys(c.open)) {
			if c.open[key].Kind == migration.Check {
				c.answer(key, doneWell)
				break
			}
		}
	}
	repair := c.notice("HDM_OnPrem_Manager-0", component.PremSyncD)
	for name, a := range map[string]Answer{
		"an order":       c.give(migration.Order{VM: "another", Type: migration.Cold}),
		"one by message": c.give(migration.Order{VM: "third", Type: migration.Cold, Origin: migration.FromMessage, Request: "r-1"}),
		"a word":         c.hear(WordGiven{VM: "vm-0", Word: migration.Commit}).Answer,
		"a deployment":   c.hear(DeploymentHeard{Event: deployment.Asked{}}).Answer,
		"a removal":      c.hear(DeploymentHeard{Event: deployment.RemovalAsked{}}).Answer,
	} {
		require.Equal(t, Rejected, a.Outcome, name)
		assert.Equal(t, migration.CodeNotReady, a.Reasons[0].Code, name)
		assert.Equal(t, "Services not ready or down On Prem SyncD", a.Reasons[0].What, name)
	}
	waiting := c.state.live[4]
	require.Equal(t, migration.Queued, waiting.State)
	c.finish()
	require.Equal(t, migration.Completed, c.of("vm-0")[0].State, "what is not affected goes on")
	require.Equal(t, migration.Queued, c.of("vm-4")[0].State, "a slot is free, and it waits")
	c.hear(RecoveryHeard{recovery.Repaired{Key: repair.Key}})
	require.Equal(t, recovery.Healthy, c.state.recovery.Phase)
	c.finish()
	assert.Equal(t, migration.Completed, c.of("vm-4")[0].State)
}

func TestAffectedMigrationsFailBeforeTheirVMsComeBack(t *testing.T) { // REC-12
	c := deployed(t)
	c.give(migration.Order{VM: "bound", Type: migration.TBC})
	c.finish()
	repair := c.notice("HDM_Cloud_Manager-0", component.CloudGateway)
	require.Len(t, c.of("bound"), 1, "nothing comes back before the repair")
	require.Equal(t, []migration.ID{"m-0001"}, c.state.recovery.Affected)
	c.restart()
	d := c.hear(RecoveryHeard{recovery.Repaired{Key: repair.Key}})
	require.NotEmpty(t, d.Ignored, "a boot before waited for it")
	c.hear(RecoveryHeard{recovery.Repaired{Key: c.state.recovery.Effect}})
	require.Equal(t, recovery.Returning, c.state.recovery.Phase)
	require.Len(t, c.of("bound"), 2)
	c.finish()
	assert.Equal(t, recovery.Healthy, c.state.recovery.Phase)
	assert.Equal(t, migration.Recover, c.of("bound")[1].Order.Type)
	assert.False(t, c.of("bound")[0].Bound)
}

func TestAFlushWhoseEndNobodyHeardIsToldOfAVMThatComesBackWithIt(t *testing.T) { // REC-04
	c := deployed(t)
	c.give(migration.Order{VM: "bound", Type: migration.TBC})
	c.finish()
	c.hear(FlushHeard{map[migration.ID]migration.Flushed{"m-0001": {Number: 1, At: c.now.Wall}}})
	repair := c.notice("HDM_Cloud_Cache-0", component.CloudCache)
	c.hear(RecoveryHeard{recovery.Repaired{Key: repair.Key}})
	c.hear(FlushHeard{map[migration.ID]migration.Flushed{"m-0002": {Number: 2}}}) // its home holds it
	c.finish()
	assert.True(t, slices.ContainsFunc(c.state.notes, func(n Note) bool {
		return n.Type == EventRecovered && strings.Contains(n.Text, "with the data of its flush 2, which was under way when it failed and is whole")
	}), "%v", c.state.notes)
}

func TestAVMThatCannotComeBackIsTriedOnceInARecovery(t *testing.T) {
	c := deployed(t)
	c.give(migration.Order{VM: "bound", Type: migration.TBC})
	c.finish()
	repair := c.notice("HDM_Cloud_Manager-0", component.CloudGateway)
	c.now.Wall = c.now.Wall.Add(-24 * time.Hour) // somebody sets the clock
	c.hear(RecoveryHeard{recovery.Repaired{Key: repair.Key}})
	require.Len(t, c.of("bound"), 2)
	c.hear(BeatHeard{Failed: []recovery.Failure{{VM: "HDM_OnPrem_Manager-0", Service: component.PremSyncD, Cause: recovery.Restarted}}})
	for key := range c.open {
		c.answer(key, func(e migration.Effect) migration.Event {
			return migration.EffectFailed{Key: e.Key, Failure: migration.Failure{Class: vsphere.Refused, What: "its image runs"}}
		})
	}
	back, of := c.of("bound")[0], c.of("bound")[1] // by when they ended
	require.Equal(t, []any{migration.Recover, migration.Failed}, []any{back.Order.Type, back.State})
	c.hear(RecoveryHeard{recovery.Repaired{Key: c.state.recovery.Effect}})
	require.Equal(t, recovery.Healthy, c.state.recovery.Phase)
	assert.Len(t, c.of("bound"), 2, "what did not come about is left to a person")
	assert.True(t, of.Bound)
}

func TestAnAnswerIsThatOfTheEventWhateverFollows(t *testing.T) {
	c := deployed(t)
	c.give(migration.Order{VM: "bound", Type: migration.TBC})
	c.finish()
	repair := c.notice("HDM_Cloud_Manager-0", component.CloudGateway)
	c.hear(RecoveryHeard{recovery.Repaired{Key: repair.Key}})
	require.Equal(t, recovery.Returning, c.state.recovery.Phase)
	assert.Equal(t, Rejected, c.give(migration.Order{VM: "another", Type: migration.Cold}).Outcome)
	stale := c.hear(Heard{"m-0001", migration.EffectDone{Key: "m-0001/1/check"}})
	assert.NotEmpty(t, stale.Ignored, "who watches is told of what came too late")
}

func TestHDMsLogIsBounded(t *testing.T) {
	c := deployed(t)
	for i := range 10 {
		var texts []string
		for j := range (mostNotes + 10) / 10 {
			texts = append(texts, fmt.Sprint("late ", i*(mostNotes+10)/10+j))
		}
		c.hear(FlushIsLate{Texts: texts})
	}
	require.Len(t, c.state.notes, mostNotes)
	assert.Equal(t, "late 10", c.state.notes[0].Text)
	assert.Equal(t, mostNotes+10, c.state.notes[mostNotes-1].Number)
	c.hear(NotePosted{mostNotes + 9})
	assert.Len(t, c.state.unposted(), 1)
	c.restart()
	assert.Len(t, c.state.unposted(), 1, "a restart posts what is not posted yet")
}

func TestWhomAFailureAffectsIsFoundByTheDataPath(t *testing.T) { // REC-04, A-32
	path := migration.Path{Cache: "HDM_Cloud_Cache-0", Home: "HDM_OnPrem_ESXi_Manager-0"}
	one := func(vm string, s component.Service) []recovery.Failure {
		return []recovery.Failure{{VM: vm, Service: s, Cause: recovery.Crashed}}
	}
	gateways := append(one("HDM_Cloud_Manager-0", component.CloudGateway), one("HDM_OnPrem_Manager-1", component.PremMessageGateway)...)
	for name, c := range map[string]struct {
		mode          string
		failures      []recovery.Failure
		breaks, bulks bool
	}{
		"its cache":                    {"standard cluster 2", one("HDM_Cloud_Cache-0", component.CloudCache), true, true},
		"another cache":                {"standard cluster 2", one("HDM_Cloud_Cache-1", component.CloudCache), false, true},
		"its cache's interceptor":      {"standard cluster 2", one("HDM_Cloud_Cache-0", component.IOInterceptor), true, true},
		"its home":                     {"standard cluster 2", one("HDM_OnPrem_ESXi_Manager-0", ""), true, true},
		"another home":                 {"standard cluster 2", one("HDM_OnPrem_ESXi_Manager-1", ""), false, true},
		"one gateway of two":           {"standard cluster 2", one("HDM_Cloud_Manager-1", component.CloudGateway), false, true},
		"one gateway of each pair":     {"standard cluster 2", gateways, true, true},
		"the only gateway":             {"standard standalone", one("HDM_OnPrem_Manager-0", component.PremMessageGateway), true, true},
		"the only cloud IO manager":    {"standard standalone", one("HDM_Cloud_Manager-0", component.CloudIOManager), true, true},
		"one cloud IO manager of two":  {"standard cluster 2", one("HDM_Cloud_Manager-0", component.CloudIOManager), false, true},
		"a SyncD":                      {"standard standalone", one("HDM_Cloud_Manager-0", component.CloudSyncD), false, false},
		"one VM that holds everything": {"lite standalone", one("HDM_Cloud_Cache-0", ""), true, false},
	} {
		mode, err := deployment.Parse(c.mode)
		require.NoError(t, err)
		d := damageOf(deployment.Deployment{Mode: mode}, recovery.Recovery{Failures: c.failures})
		assert.Equal(t, c.breaks, d.breaks(path), name)
		assert.Equal(t, c.bulks, d.carries(), name)
	}
}

func TestARepairedPartBreaksNothingAnyMore(t *testing.T) {
	f := recovery.Failure{VM: "HDM_Cloud_Cache-0", Cause: recovery.Rebooted, Repaired: true, Judged: true}
	mode, err := deployment.Parse("standard")
	require.NoError(t, err)
	d := damageOf(deployment.Deployment{Mode: mode}, recovery.Recovery{Failures: []recovery.Failure{f}})
	assert.False(t, d.breaks(migration.Path{Cache: f.VM}))
}

func TestAStepThatFailsWhileItsDataPathIsRepairedEndsNothingYet(t *testing.T) { // REC-12
	c := deployed(t)
	c.give(migration.Order{VM: "moving", Type: migration.Warm, Origin: migration.FromMessage, Request: "r-1"})
	reconcile := ""
	for reconcile == "" {
		require.Len(t, c.open, 1)
		for key, e := range c.open {
			if e.Kind == migration.Reconcile {
				reconcile = key
			} else {
				c.answer(key, doneWell)
			}
		}
	}
	repair := c.notice("HDM_Cloud_Cache-0", component.CloudCache)
	require.Equal(t, []migration.ID{"m-0001"}, c.state.recovery.Affected)
	c.answer(reconcile, func(e migration.Effect) migration.Event {
		return migration.EffectFailed{Key: e.Key, Failure: migration.Failure{Class: vsphere.Refused, What: "the cloud cache has restarted"}}
	})
	moving := c.of("moving")[0]
	require.Equal(t, migration.Running, moving.State, "nothing of it is taken back")
	require.True(t, moving.Held)
	c.hear(RecoveryHeard{recovery.Repaired{Key: repair.Key}})
	moving, _ = c.state.Migration("m-0001")
	require.Equal(t, migration.Failed, moving.State)
	require.True(t, moving.LeftImage(), "what the bulk transfer brought is listed (WARM-06)")
	require.Len(t, c.of("moving"), 2, "its VM comes back")
}

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

	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
)

// deployed is a control whose deployment is up.
func deployed(t *testing.T) *control {
	c := newControl(t)
	c.knobs.Queue, c.knobs.History = 20, 20
	d := c.hear(DeploymentHeard{Event: deployment.Asked{Mode: deployment.Mode{Class: deployment.Standard, Topology: deployment.Standalone}}})
	require.Equal(t, Accepted, d.Answer.Outcome)
	require.NotNil(t, d.Deploying)
	c.hear(DeploymentHeard{Event: deployment.Done{Key: d.Deploying.Key}})
	require.Equal(t, deployment.Deployed, c.state.deployment.Phase)
	return c
}

func (c *control) give(o migration.Order) Answer { return c.hear(OrderGiven{Order: o}).Answer }

func (c *control) of(vm string) (all []migration.Migration) {
	for _, list := range [][]migration.Migration{c.state.live, c.state.ended} {
		for _, m := range list {
			if m.Order.VM == vm {
				all = append(all, m)
			}
		}
	}
	return all
}

func TestVMsThatDependOnEachOtherMoveAndComeBackTogether(t *testing.T) { // BACK-02, MIG-04
	c := deployed(t)
	c.hear(SettingsGiven{Settings{Groups: []Group{{VMs: []string{"web", "db"}}}}})
	require.Equal(t, Accepted, c.give(migration.Order{VM: "web", Type: migration.TBC}).Outcome)
	require.Len(t, c.of("db"), 1, "it comes along")
	assert.Equal(t, c.of("web")[0].Group, c.of("db")[0].Group)
	c.finish()
	require.True(t, c.of("web")[0].Bound && c.of("db")[0].Bound)

	require.Equal(t, Rejected, c.give(migration.Order{VM: "web", Type: migration.TBC}).Outcome, "it is in the cloud already")
	require.Equal(t, Accepted, c.give(migration.Order{VM: "db", Type: migration.Back}).Outcome)
	c.finish()
	for _, vm := range []string{"web", "db"} {
		for _, m := range c.of(vm) {
			assert.False(t, m.Bound, "%s: %s", vm, m.ID)
		}
	}
	c.restart()
	assert.Zero(t, len(c.state.live))
}

func TestAVMThatIsOrderedAloneMovesAlone(t *testing.T) { // MIG-04
	c := deployed(t)
	c.hear(SettingsGiven{Settings{Groups: []Group{{VMs: []string{"web", "db"}}}}})
	c.give(migration.Order{VM: "web", Type: migration.TBC, Alone: true})
	c.give(migration.Order{VM: "db", Type: migration.Cold})
	c.finish()
	assert.Len(t, c.of("web"), 1)
	assert.Len(t, c.of("db"), 1, "each cold migration is one of its own")
}

func TestOnlyAVMOnTheCloudCacheCanBeBroughtBack(t *testing.T) { // BACK-01, A-27
	c := deployed(t)
	c.order("", "cold-vm")
	c.finish()
	for _, vm := range []string{"cold-vm", "nobody"} {
		a := c.give(migration.Order{VM: vm, Type: migration.Back})
		assert.Equal(t, Rejected, a.Outcome)
		assert.Equal(t, migration.CodeNotMigrated, a.Reasons[0].Code)
	}
}

func TestUndeployIsRefusedWhileAVMIsOnTheCloudCache(t *testing.T) { // DEP-04
	c := deployed(t)
	undeploy := func() Decision { return c.hear(DeploymentHeard{Event: deployment.RemovalAsked{}}) }
	c.give(migration.Order{VM: "web", Type: migration.TBC})
	assert.Equal(t, "migrating-vms", undeploy().Answer.Reasons[0].Code)
	c.finish()
	assert.Equal(t, "migrated-vms", undeploy().Answer.Reasons[0].Code)
	c.give(migration.Order{VM: "web", Type: migration.Back})
	c.finish()
	d := undeploy()
	require.Equal(t, Accepted, d.Answer.Outcome)
	c.hear(DeploymentHeard{Event: deployment.Done{Key: d.Deploying.Key}})
	assert.Equal(t, deployment.None, c.state.deployment.Phase)
	assert.Equal(t, migration.CodeDeployed, c.give(migration.Order{VM: "web", Type: migration.TBC}).Reasons[0].Code)
}

func TestABoundVMIsNeverForgotten(t *testing.T) {
	c := deployed(t)
	c.knobs.History = 1
	c.give(migration.Order{VM: "web", Type: migration.TBC})
	c.finish()
	for range 5 {
		c.order("", "other")
		c.finish()
		for _, m := range c.state.ended {
			c.hear(Heard{m.ID, migration.EndReported{}})
		}
	}
	assert.Len(t, c.of("web"), 1)
}

func TestWordsAreHeardInOrderAndRefusedOtherwise(t *testing.T) { // MIG-10
	c := deployed(t)
	c.give(migration.Order{VM: "web", Type: migration.Warm})
	c.finish()
	say := func(w migration.Word) Answer { return c.hear(WordGiven{VM: "web", Word: w}).Answer }
	early := say(migration.Commit)
	assert.Equal(t, Rejected, early.Outcome)
	assert.Equal(t, migration.CodeOrder, early.Reasons[0].Code)
	assert.Equal(t, migration.CodeNoData, say(migration.ConfigureSync).Reasons[0].Code, "refused until the data is in the cloud")
	for _, w := range []migration.Word{migration.StartTransfer, migration.ConfigureSync, migration.Commit} {
		assert.Equal(t, Accepted, say(w).Outcome, "%s", w)
		c.finish()
	}
	assert.Equal(t, migration.Completed, c.of("web")[0].State)
	assert.Equal(t, "not-migrating", say(migration.Commit).Reasons[0].Code)
}

// names are so many, each of so many bytes.
func names(n, size int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%0*d", size, i))
	}
	return all
}

func TestTheLargestSettingsAndTheLargestOrderFitIntoTheJournal(t *testing.T) { // else they would stop the appliance
	c := deployed(t)
	c.knobs.Queue, c.knobs.History = 1000, 1000
	var s Settings
	for i := range MaxNames / MaxGroup / 64 {
		vms := names(MaxGroup, 60)
		for j := range vms {
			vms[j] = fmt.Sprintf("%02d%s%s", i, strings.Repeat("\x01", 50), vms[j][50:])
		}
		s.Groups = append(s.Groups, Group{VMs: vms})
	}
	a := c.hear(SettingsGiven{s}).Answer
	require.Equal(t, Accepted, a.Outcome, "%v", a.Reasons)
	vast := strings.Repeat("\x01", migration.MaxName) // six bytes each in JSON
	o := migration.Order{VM: s.Groups[0].VMs[0], Type: migration.TBC}
	o.Target.Pool, o.Target.Datastore, o.Target.Adapter = vast, vast, vast
	for len(migration.TooLarge(o)) == 0 {
		o.Target.Networks = append(o.Target.Networks, migration.Mapping{From: vast, To: vast})
	}
	o.Target.Networks = o.Target.Networks[1:]
	assert.Equal(t, Accepted, c.give(o).Outcome)
}

func TestSettingsAreTakenAsAWholeOrNotAtAll(t *testing.T) { // POL-04
	c := newControl(t)
	set := func(s Settings) Outcome { return c.hear(SettingsGiven{s}).Answer.Outcome }
	assert.Equal(t, DefaultFlushEvery, c.state.settings.interval("Cluster"))
	require.Equal(t, Accepted, set(Settings{FlushEvery: map[string]time.Duration{"Cluster": 5 * time.Minute}}))
	assert.Equal(t, 5*time.Minute, c.state.settings.interval("Cluster"))
	assert.Equal(t, DefaultFlushEvery, c.state.settings.interval("Other"), "of that cluster and no other")
	for _, wrong := range []Settings{
		{FlushEvery: map[string]time.Duration{"Cluster": time.Second}}, {FlushEvery: map[string]time.Duration{"Cluster": 48 * time.Hour}},
		{Groups: slices.Repeat([]Group{{VMs: names(MaxGroup, 8)}}, 3)}, {Groups: []Group{{VMs: names(MaxGroup, 1000)}}},
		{Groups: []Group{{VMs: []string{"twice", "twice"}}}}, {Groups: []Group{{VMs: []string{"alone"}}}}, {Groups: []Group{{VMs: []string{"a", ""}}}},
	} {
		assert.Equal(t, Rejected, set(wrong))
	}
	c.restart()
	assert.Equal(t, 5*time.Minute, c.state.settings.interval("Cluster"))
}

func TestACancelThatComesTooLateIsRefused(t *testing.T) {
	c := deployed(t)
	c.give(migration.Order{VM: "web", Type: migration.TBC})
	c.finish()
	c.give(migration.Order{VM: "web", Type: migration.Back})
	for c.of("web")[0].Step != migration.StepPool {
		for _, key := range slices.Sorted(maps.Keys(c.open)) {
			c.answer(key, doneWell)
			break
		}
	}
	a := c.hear(CancelGiven{"web"}).Answer
	assert.Equal(t, Rejected, a.Outcome)
	assert.Equal(t, migration.CodeTooLate, a.Reasons[0].Code)
}

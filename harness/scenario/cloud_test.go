package scenario

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/migration"
)

// warm is a scenario about VMs on the cloud cache; tests of bad input change a
// line of it.
const warm = `title: good
world: small
limit: 12h
steps:
  - {at: 1s, deploy: {mode: standard}}
  - {at: 2s, settings: {groups: [[db-01, web-01]]}}
  - {when: {deployment: deployed}, migrate: {vm: db-01, type: warm}}
  - {when: {vm: db-01, enters: waiting}, commit: {vm: db-01, refused: true, reason: out-of-order}}
  - {when: {deployment: deployed}, migrate: {vm: web-02, type: tbc}}
  - {when: {vm: web-02, enters: completed}, migrate-back: {vm: web-02}}
expect:
  - {vm: web-01, migration: waiting, type: warm}
  - {vm: db-01, flushes: {at-least: 1}}
`

func TestBadWordsOfTheCloudCacheAreRefusedWithTheirPlaceAndWhatToDo(t *testing.T) {
	_, err := ParseText("x.yaml", []byte(warm))
	require.NoError(t, err)
	for _, c := range []struct {
		name, old, new string
		where          string // line and column
		says           []string
	}{
		{"an unknown mode", "mode: standard", "mode: huge", ":5:29: ", []string{"it begins with no class", "lite cluster 3"}},
		{"a reason of no refusal", "refused: true, reason: out-of-order", "reason: out-of-order", ":8:5: ", []string{"only a refusal gives a reason"}},
		{"a group of an unknown VM", "[db-01, web-01]", "[db-01, x]", ":6:42: ", []string{`no VM "x" on premises`}},
		{"a word to what is not migrated warm", "commit: {vm: db-01", "commit: {vm: web-02", ":8:55: ", []string{`no step migrates "web-02" warm`}},
		{"a clone of what is not migrated warm", "commit: {vm: db-01, refused: true, reason: out-of-order}", "ship: {vm: web-02}", ":8:53: ", []string{"there is no clone"}},
		{"a ship that comes too late", "commit: {vm: db-01, refused: true, reason: out-of-order}", "ship: {vm: db-01, takes: 1000h}", ":8:67: ", []string{"nobody brings data in 1000h"}},
		{"a ship of an unknown VM", "commit: {vm: db-01, refused: true, reason: out-of-order}", "ship: {vm: db-01, of: x}", ":8:64: ", []string{`no VM "x" on premises`}},
		{"a snapshot of an unknown VM", "commit: {vm: db-01, refused: true, reason: out-of-order}", "revert: {site: on-premises, vm: x, snapshot: _hdm1}", ":8:74: ", []string{`no VM "x"`}},
		{"data that travels by pigeon", "type: tbc", "type: warm, transfer: pigeon", ":9:", []string{"online, offline"}},
		{"data of a try that travels", "type: tbc", "type: tbc, transfer: offline", ":9:79: ", []string{"only the data of a warm migration"}},
		{"a migration back to the cloud", "type: tbc", "type: back", ":9:", []string{`"back"`, "cold, tbc, warm"}},
		{"nobody to bring back", "migrate-back: {vm: web-02}", "migrate-back: {alone: true}", ":10:59: ", []string{"either vm: or vms:"}},
		{"a deployment that nobody asks for", "  - {at: 1s, deploy: {mode: standard}}\n", "", ":6:25: ", []string{"no step deploys HDM"}},
		{"a deployment after itself", "{at: 1s, deploy", "{when: {deployment: deployed}, deploy", ":5:", []string{"only comes after it"}},
		{"an unknown phase", "{deployment: deployed}, migrate: {vm: db-01", "{deployment: there}, migrate: {vm: db-01", ":7:", []string{"deploying, deployed, undeploying, undeployed"}},
		{"a phase and a migration", "{deployment: deployed}, migrate: {vm: db-01", "{deployment: deployed, vm: db-01}, migrate: {vm: db-01", ":7:", []string{"keep one of the two"}},
		{"nothing to wait for", "{deployment: deployed}, migrate: {vm: db-01", "{after: 1m}, migrate: {vm: db-01", ":7:", []string{"it does not say what it waits for"}},
		{"a type that nobody migrates as", "{vm: web-02, enters: completed}", "{vm: web-02, type: cold, enters: completed}", ":10:", []string{`no step migrates "web-02" as "cold"`}},
		{"a state and no VM", "{vm: web-02, enters: completed}", "{vm: web-02}", ":10:12: ", []string{"name a step or a state"}},
		{"a run that goes on after its limit", "limit: 12h", "limit: 12h\nuntil: 13h", ":4:8: ", []string{"cannot go on for 13h"}},
		{"an end as another type", "type: warm}\n  - {vm: db-01", "type: cold}\n  - {vm: db-01", ":12:44: ", []string{`no step migrates "web-01" as "cold"`}},
		{"flushes of any number", "{at-least: 1}", "{}", ":13:26: ", []string{"it expects nothing"}},
		{"more flushes than the most", "{at-least: 1}", "{at-least: 3, at-most: 2}", ":13:37: ", []string{"3 is more than at-most"}},
		{"flushes with itself", "{at-least: 1}", "{with: db-01}", ":13:33: ", []string{"name another VM"}},
		{"flushes with nobody", "{at-least: 1}", "{with: x}", ":13:33: ", []string{`no VM "x" on premises`}},
		{"a mode of nothing", "vm: db-01, flushes: {at-least: 1}", "deployment: {phase: undeployed, mode: lite}", ":13:44: ", []string{"what is not deployed has no mode"}},
		{"an unknown image", "flushes: {at-least: 1}", "snapshot-image: mine", ":13:33: ", []string{"pre-migration"}},
		{"steps of another type", "flushes: {at-least: 1}", "steps: [prepare, moon]", ":13:34: ", []string{`no step "moon"`}},
		{"no steps", "flushes: {at-least: 1}", "steps: []", ":13:24: ", []string{"it expects nothing"}},
		{"a time like nobody's", "flushes: {at-least: 1}", "time-to-cloud: {same-as: x, percent: 10}", ":13:42: ", []string{`no step migrates "x"`}},
		{"a time that is not told", "flushes: {at-least: 1}", "time-to-cloud: {percent: 10}", ":13:32: ", []string{"it expects nothing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(warm, c.old, c.new, 1)
			require.NotEqual(t, warm, text)
			_, err := ParseText("x.yaml", []byte(text))
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Contains(t, err.Error(), "x.yaml"+c.where)
			for _, says := range c.says {
				assert.ErrorContains(t, err, says)
			}
			assert.NotEmpty(t, e.Fix)
		})
	}
}

func TestVMsThatDependOnOneAnotherAreMigratedByTheSameStep(t *testing.T) {
	s, err := ParseText("x.yaml", []byte(warm))
	require.NoError(t, err)
	assert.Equal(t, map[string][]migration.Type{
		"db-01": {migration.Warm}, "web-01": {migration.Warm}, "web-02": {migration.TBC, migration.Back},
	}, s.Migrations())
	s, err = ParseText("x.yaml", []byte(strings.NewReplacer("vm: db-01, type: warm", "vm: db-01, type: warm, alone: true", "web-01, migration", "db-01, migration").Replace(warm)))
	require.NoError(t, err)
	assert.NotContains(t, s.Migrations(), "web-01", "alone, it leaves them where they are")
}

func TestStepsOfTheCloudCacheSayWhatTheApplianceIsGiven(t *testing.T) {
	s := everything(t)
	var offline, back migration.Order
	for i := range s.Steps {
		switch step := &s.Steps[i]; {
		case step.Settings != nil:
			set := step.Settings.Set()
			assert.Equal(t, 5*time.Minute, set.FlushEvery["Cluster"])
			assert.Equal(t, []string{"db-01", "123"}, set.Groups[0].VMs)
		case step.Undeploy != nil:
			assert.True(t, step.MayBeRefused())
			assert.Equal(t, "migrated-vms", step.Reason())
		case step.Migrate != nil && step.Migrate.Type == migration.Warm:
			offline = step.Migrate.Orders()[0]
		case step.MigrateBack != nil && step.MigrateBack.Alone:
			back = step.Order().Orders()[0]
		case step.Commit != nil:
			word, said := step.Word()
			assert.Equal(t, migration.Commit, word)
			assert.Equal(t, "db-01", said.VM)
		}
	}
	assert.True(t, offline.Offline && offline.Alone)
	assert.Equal(t, migration.Order{VM: "123", Type: migration.Back, Alone: true}, back)
}

func TestAStepOfAServedWorldMayWaitForWhatAClientOrders(t *testing.T) {
	text := []byte("title: A test\nworld: tiny\nsteps:\n  - {at: 0s, deploy: {mode: lite}}\n  - {when: {vm: vm-1, enters: waiting}, ship: {vm: vm-1, takes: 1h}}\n")
	_, err := ParseServed("test.yaml", text)
	require.NoError(t, err)
	_, err = ParseText("test.yaml", text)
	assert.ErrorContains(t, err, `no step migrates "vm-1" warm`, "nobody else is there to order it")
	_, err = ParseServed("test.yaml", bytes.ReplaceAll(text, []byte("vm: vm-1"), []byte("vm: vm-9")))
	assert.ErrorContains(t, err, "vm-9", "there is none to be ordered")
}

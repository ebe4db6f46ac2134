package scenario

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/scenarios"
)

func TestEveryEmbeddedScenarioIsGood(t *testing.T) {
	all, err := Embedded()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	titles := map[string]string{}
	for _, s := range all {
		assert.Empty(t, titles[s.Title], "%s has the title of another", s.File())
		titles[s.Title] = s.File()
		assert.NotEmpty(t, s.Expect, "%s expects something", s.File())
	}
}

func TestAScenarioPrintsAsYAMLThatReadsBackEqual(t *testing.T) {
	all, err := Embedded()
	require.NoError(t, err)
	for _, s := range append(all, everything(t)) {
		text, err := Format(s)
		require.NoError(t, err)
		back, err := ParseText(s.File(), text)
		require.NoError(t, err, "%s", text)
		again, err := Format(back)
		require.NoError(t, err)
		assert.Equal(t, string(text), string(again))
		s.root, back.root = nil, nil
		assert.Equal(t, s, back)
	}
}

// allKinds is a scenario with one of everything that a scenario can say.
const allKinds = `
title: One of everything
covers: [COLD-01, MIG-08/cold]
seed: 18446744073709551615
world:
  on-premises: {vms: [{name: db-01, disks: [{capacity: 40 GB, used: 1.5 GB}]}, {name: "123"}]}
  links: {wan: {latency: 20ms, bandwidth: 1 Gbit/s}}
limit: 12h
until: 5h
steps:
  - {at: 0s, migrate: {vm: db-01, type: cold, request: r-1, target: {pool: p, datastore: d, networks: {VM Network: Cloud Net}, adapter: vmxnet3}}}
  - {at: 1s, migrate: {vms: [123, db-01], type: cold}}
  - {when: {vm: db-01, enters: bulk-transfer, attempt: 2, after: 10s}, cancel: {vm: db-01}}
  - {at: 1m, power: {site: on-premises, vm: 123, state: off}}
  - {at: 1s, deploy: {mode: standard cluster 3}}
  - {at: 2s, undeploy: {refused: true, reason: migrated-vms}}
  - {at: 1s, settings: {flush-every: {Cluster: 5m}, groups: [[db-01, 123]]}}
  - {when: {deployment: deployed, after: 1m}, migrate: {vm: db-01, type: warm, transfer: offline, alone: true}}
  - {at: 3h, migrate: {vm: 123, type: tbc}}
  - {when: {vm: db-01, type: warm, enters: waiting}, ship: {vm: db-01, of: 123, takes: 2h}}
  - {when: {vm: db-01, enters: waiting}, start-transfer: {vm: db-01, refused: true}}
  - {when: {vm: db-01, enters: waiting}, configure-sync: {vm: db-01}}
  - {when: {vm: db-01, enters: waiting, attempt: 2}, commit: {vm: db-01}}
  - {when: {vm: 123, enters: completed}, migrate-back: {vm: 123, request: r-2}}
  - {when: {vm: 123, enters: completed}, migrate-back: {vms: [123], alone: true}}
  - {at: 4h, revert: {site: on-premises, vm: 123, snapshot: _hdm1}}
  - {at: 4h, power: {site: cloud, vm: db-01 ARM, state: off, refused: true}}
  - {when: {recovery: unrecoverable, after: 1m}, reset: {force: true, cloud-dead: true, refused: true, reason: busy}}
  - {when: {reset: filters-restarted}, restart-filters: {}}
  - {when: {reset: appliance-restarted}, restart-appliance: {for: 3m}}
  - {at: 5h, chance: 0.5, recover: {vm: db-01, data: bad, pool: gold}}
  - {at: 6h, delete-leftover: {vm: db-01, refused: true, reason: unknown-vm}}
faults:
  - {at: 7h, wan-down: {}}
  - {at: 1m, component-crash: {vm: HDM_Cloud_Cache-2, service: Cloud Cache}}
  - {when: {vm: 123, flush: applied, nth: 2}, chance: 0.25, component-hang: {vm: HDM_Cloud_Manager-0, service: Cloud SyncD, for: ever}}
  - {when: {recovery: repairing}, component-vm-reboot: {vm: HDM_OnPrem_Manager-1}}
  - {at: 1m, host-restart: {site: cloud, host: cloud-host-1}}
  - {at: 1m, storage-corrupt: {site: on-premises, vm: "123", disk: 1, block: 7}}
  - {at: 1m, command-lost: {vm: HDM_Cloud_Cache-0, verb: flush}}
  - {at: 1h, appliance-restart: {}}
  - {when: {vm: db-01, enters: pool}, appliance-restart: {for: 5m, crash-point: applied-before-completion, nth: 2}}
  - {at: 1h30m, wan-down: {for: 4m59s, direction: to-cloud}}
  - {at: 2h, call-error: {site: cloud, method: ImportVApp, nth: 2, count: 3, fault: TaskInProgress}}
  - {at: 2h, call-hang: {site: cloud, method: PowerOnVM_Task}}
  - {at: 2h, call-lost: {site: on-premises, method: CreateSnapshot_Task, object: db-01}}
  - {at: 2h, call-late: {site: cloud, method: Destroy_Task, by: 1m30s}}
expect:
  - {vm: db-01, migration: failed, reason: failed, left: [snapshot], within: 3h}
  - {vm: db-01, runs: cloud, network: Cloud Net, adapter: vmxnet3, pool: p, datastore: d, restarted: 0}
  - {vm: "123", runs: nowhere}
  - {vm: db-01, on-premises: {present: true, power: off, pool: _HDM_MIGRATEPOOL, snapshot: _hdm1, snapshots: 1}, cloud: {present: false}}
  - {vm: db-01, attempts: {bulk-transfer: 2, pool: 0}}
  - {vm: db-01, tasks: {migration: success, export: success, import: error}, progress: rising}
  - {request: r-1, migrations: 1}
  - {request: r-1, answer: accepted}
  - {at-once: 2}
  - {ended: {completed: 1, failed: 1}}
  - {undone: 1}
  - {carried: to-cloud, at-least: 1 GB, at-most: 100 GB}
  - {vm: db-01, type: warm, migration: waiting}
  - {vm: db-01 ARM, cloud: {present: true}}
  - {deployment: {phase: deployed, mode: standard, vms: 4}}
  - {vm: db-01, flushes: {at-least: 3, at-most: 9, every: 20m, with: 123}}
  - {vm: db-01, bound: true}
  - {vm: db-01, quota: 3 GB}
  - {vm: db-01, snapshot-image: pre-migration}
  - {vm: db-01, type: warm, steps: [prepare, linked-clone, reconcile]}
  - {vm: db-01, time-to-cloud: {same-as: "123", percent: 10, at-most: 1h}}
  - {health: {status: Not Ready, details: Services not ready or down Cloud Cache, components: {HDM_Cloud_Cache-0/Cloud Cache: Poor}, reset-offered: true}}
  - {number: 2, recovery: {phases: [probing, repairing, healthy], failed: {HDM_Cloud_Cache-0/Cloud Cache: crashed, host-1: host-restarted, link: link-down}, affected: [db-01], held: ["123"], multiple: true, offered: none, fatal: reset}}
  - {recovery: {none: true}}
  - {notes: {type: com.hdm.component.failed, contains: Cloud Cache, count: 1}}
  - {posted: {type: com.hdm.component.reboot}}
  - {vm: db-01, lost: {at-most: 20m, writes: true}}
  - {reset-steps: [vms-off, filters-restarted, done]}
`

func everything(t *testing.T) *Scenario {
	s, err := ParseText("all.yaml", []byte(allKinds))
	require.NoError(t, err)
	return s
}

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	s := everything(t)
	assert.Equal(t, uint64(1<<64-1), s.Seed)
	assert.Equal(t, "12h", s.End().String())
	orders := s.Steps[1].Migrate.Orders()
	require.Len(t, orders, 2)
	assert.Equal(t, "123", orders[0].VM)
	assert.Equal(t, "db-01", orders[1].VM)
	assert.Equal(t, "VM Network", s.Steps[0].Migrate.Orders()[0].Target.Networks[0].From)
	assert.Equal(t, "cloud", s.Expect[1].Promise.(*Runs).Runs)
	assert.Equal(t, Cover("MIG-08/cold"), s.Covers[1])
	assert.Equal(t, "cold", s.Covers[1].Part())
	assert.Equal(t, "MIG-08", s.Covers[1].Clause())
	assert.Equal(t, "{at: 1h30m, wan-down: {for: 4m59s, direction: to-cloud}}", s.Faults[9].String())
	assert.Equal(t, "{vm: db-01, attempts: {bulk-transfer: 2, pool: 0}}", s.Expect[4].String())
}

// good is a small scenario; tests of bad input change a line of it.
const good = `title: good
world: small
limit: 12h
steps:
  - {at: 0s, migrate: {vm: db-01, type: cold, request: r-1}}
faults:
  - {at: 1h, wan-down: {for: 1m}}
expect:
  - {vm: db-01, migration: completed}
`

func TestBadInputIsRefusedWithItsPlaceAndWhatToDo(t *testing.T) {
	_, err := ParseText("x.yaml", []byte(good))
	require.NoError(t, err)
	for _, c := range []struct {
		name, old, new string
		where          string // line and column
		says           []string
	}{
		{"unknown key at the top", "limit:", "limt:", ":3:1: ", []string{`unknown key "limt"`, `did you mean "limit"?`}},
		{"unknown key below", "for: 1m", "fro: 1m", ":7:25: ", []string{`unknown key "fro" in faults[0].wan-down`, "for, direction"}},
		{"a key twice", "title: good", "title: good\ntitle: better", ":2:1: ", []string{"twice"}},
		{"a missing value", "wan-down: {for: 1m}", "call-error: {site: cloud, method: Login}", ":7:26: ", []string{`"fault" is missing`}},
		{"a list for a mapping", "world: small", "world: [small]", ":2:8: ", []string{"list"}},
		{"a mapping for a list", "limit: 12h", "covers: {}", ":3:9: ", []string{"write a list"}},
		{"no value", "limit: 12h", "limit:", ":3:7: ", []string{"limit has no value"}},
		{"no duration", "limit: 12h", "limit: 12 hours", ":3:8: ", []string{`"12 hours" is not a duration`}},
		{"no number", "limit: 12h", "seed: -1", ":3:7: ", []string{`"-1" is not a whole number of 0 or more`}},
		{"an unknown word", "migration: completed", "migration: completd", ":9:28: ", []string{`did you mean "completed"?`}},
		{"an alias", "limit: 12h", "limit: &a 12h", ":3:8: ", []string{"aliases are not supported"}},
		{"broken YAML", "limit: 12h", "limit: [", ":5:1: ", []string{"mend the YAML"}},
		{"a second document", "limit: 12h", "---\nlimit: 12h", ":", []string{"one document"}},
		{"an unknown world", "world: small", "world: smal", ":2:8: ", []string{"small, ", "tiny"}},
		{"a world that cannot be built", "world: small", "world: {on-premises: {vms: [{name: db-01, memory: 1 KB}]}}", ":2:51: ", []string{"out of range"}},
		{"an unknown VM", "vm: db-01, type", "vm: db-02, type", ":5:28: ", []string{`no VM "db-02"`, "db-01, web-01"}},
		{"a VM that only the cloud has", "vm: db-01, type", "vm: cloud-dns-01, type", ":5:28: ", []string{"no VM \"cloud-dns-01\" on premises"}},
		{"an unknown type of migration", "type: cold", "type: hot", ":5:41: ", []string{`"hot"`, "cold"}},
		{"no VM", "vm: db-01, type", "type", ":5:23: ", []string{"either vm: or vms:"}},
		{"a request for several", "{vm: db-01, type", "{vms: [db-01, web-01], type", ":5:", []string{"one request"}},
		{"two actions", "migrate: {vm", "cancel: {vm: db-01}, migrate: {vm", ":5:5: ", []string{"exactly one"}},
		{"no trigger", "at: 0s, migrate", "migrate", ":5:5: ", []string{"there is no trigger"}},
		{"a step after the end", "at: 0s", "at: 12h", ":5:10: ", []string{"would never act"}},
		{"a cancel of what nobody migrates", "faults:", "  - {at: 1m, cancel: {vm: web-01}}\nfaults:", ":6:27: ", []string{"nothing to cancel"}},
		{"power of an unknown VM", "faults:", "  - {at: 1m, power: {site: on-premises, vm: x, state: on}}\nfaults:", ":6:45: ", []string{`no VM "x"`}},
		{"an unknown state of power", "faults:", "  - {at: 1m, power: {site: cloud, vm: db-01, state: up}}\nfaults:", ":6:53: ", []string{"on, off"}},
		{"a fault after the end", "at: 1h", "at: 13h", ":7:10: ", []string{"would never act"}},
		{"a fault for a VM that nobody migrates", "at: 1h", "when: {vm: web-01, enters: pool}", ":7:17: ", []string{"no step migrates"}},
		{"a fault at an unknown step", "at: 1h", "when: {vm: db-01, enters: reconcile}", ":7:32: ", []string{"bulk-transfer"}},
		{"contradicting faults", "expect:", "  - {at: 1h30s, wan-down: {for: 1m}}\nexpect:", ":8:5: ", []string{"contradicts fault 1"}},
		{"a fault of no kind", "at: 1h, wan-down: {for: 1m}", "at: 1h", ":7:5: ", []string{"appliance-restart"}},
		{"an unknown method", "wan-down: {for: 1m}", "call-hang: {site: cloud, method: PowerOn}", ":7:47: ", []string{"PowerOnVM_Task"}},
		{"an unknown clause", "limit: 12h", "covers: [COLD-99]", ":3:10: ", []string{"COLD-99"}},
		{"a clause that has parts", "limit: 12h", "covers: [MIG-08]", ":3:10: ", []string{"MIG-08/cold"}},
		{"an unknown part", "limit: 12h", "covers: [MIG-08/hot]", ":3:10: ", []string{"MIG-08/cold"}},
		{"a part of a clause without", "limit: 12h", "covers: [COLD-01/a]", ":3:10: ", []string{"no parts"}},
		{"no time at all", "limit: 12h", "limit: 0s", ":3:8: ", []string{"limit is 0s", "leave the key out for the default"}},
		{"no attempt", "at: 1h", "when: {vm: db-01, enters: pool, attempt: 0}", ":7:47: ", []string{"attempt is 0", "from 1"}},
		{"no call", "wan-down: {for: 1m}", "call-hang: {site: cloud, method: Login, count: 0}", ":7:61: ", []string{"count is 0"}},
		{"a world without CPUs", "world: small", "world: {on-premises: {vms: [{name: db-01, cpus: 0}]}}", ":2:49: ", []string{"cpus is 0"}},
		{"a link without bandwidth", "world: small", "world: {links: {wan: {bandwidth: 0 Mbit/s}}}", ":2:34: ", []string{"wan-down"}},
		{"no disks", "world: small", "world: {on-premises: {vms: [{name: db-01, disks: []}]}}", ":2:50: ", []string{"disks is empty", "diskless: true"}},
		{"an empty request", "request: r-1", "request: ''", ":5:56: ", []string{"request is empty"}},
		{"an empty world", "world: small", "world: ''", ":2:8: ", []string{"world is empty"}},
		{"an outage that outlasts the run", "for: 1m", "for: 11h", ":7:30: ", []string{"not over before the end of the run at 12h"}},
		{"a step that waits for itself", "at: 0s, migrate", "when: {vm: db-01, enters: completed}, migrate", ":5:12: ", []string{"only comes after it", "never act"}},
		{"steps that wait for one another", "  - {at: 0s, migrate: {vm: db-01,", "  - {when: {vm: web-01, enters: queued}, migrate: {vm: db-01, type: cold}}\n  - {when: {vm: db-01, enters: queued}, migrate: {vm: web-01, type: cold}}\n  - {at: 0s, migrate: {vm: web-02,", ":5:12: ", []string{":6:12: ", "only comes after it"}},
		{"a VM that is not in the cloud and never comes there", "faults:", "  - {at: 1m, power: {site: cloud, vm: web-01, state: on}}\nfaults:", ":6:39: ", []string{"no step brings it there"}},
		{"a clause of a later version", "limit: 12h", "covers: [PRE-04]", ":3:10: ", []string{"this version cannot show PRE-04 yet"}},
		{"an empty title", "title: good", "title: ' '", ":1:8: ", []string{"the title is empty"}},
		{"no limit", "limit: 12h", "limit: -1h", ":3:8: ", []string{"-1h"}},
		{"an end before the order", "migration: completed", "migration: completed, within: -1h", ":9:47: ", []string{"cannot be seen"}},
		{"nothing to do", "  - {at: 0s, migrate: {vm: db-01, type: cold, request: r-1}}\n", "  []\n", ":5:3: ", []string{"0 steps"}},
		{"an expectation of nothing", "migration: completed", "within: 1h", ":9:5: ", []string{"use one of the keys"}},
		{"an end that is none", "migration: completed", "migration: queued", ":9:28: ", []string{"completed, refused"}},
		{"a migration of what nobody migrates", "vm: db-01, migration", "vm: web-01, migration", ":9:10: ", []string{"no step migrates"}},
		{"an end after the end", "migration: completed", "migration: completed, within: 13h", ":9:47: ", []string{"cannot be seen"}},
		{"a reason of success", "migration: completed", "migration: completed, reason: x", ":9:47: ", []string{"no reason"}},
		{"a leftover of an unknown step", "migration: completed", "migration: failed, left: [reconcile]", ":9:43: ", []string{"reconcile", "bulk-transfer"}},
		{"a VM nowhere on a network", "migration: completed", "runs: nowhere, network: n", ":9:23: ", []string{"on no VM"}},
		{"a standing that says nothing", "migration: completed", "cloud: {}", ":9:24: ", []string{"expects nothing"}},
		{"an absent VM that is on", "migration: completed", "cloud: {present: false, power: on}", ":9:24: ", []string{"alone"}},
		{"attempts at an unknown step", "migration: completed", "attempts: {reconcile: 1}", ":9:39: ", []string{"reconcile"}},
		{"a task that there is not", "migration: completed", "tasks: {moon: success}", ":9:24: ", []string{"moon", "migration, export, import"}},
		{"no task", "migration: completed", "tasks: {}", ":9:24: ", []string{"names no task"}},
		{"a task that ends as queued", "migration: completed", "tasks: {import: queued}", ":9:33: ", []string{"success or error"}},
		{"an unknown progress", "migration: completed", "tasks: {import: success}, progress: falling", ":9:53: ", []string{"rising"}},
		{"migrations of nobody", "vm: db-01, migration: completed", "migrations: 1", ":9:5: ", []string{"either vm: or request:"}},
		{"a request that nobody makes", "vm: db-01, migration: completed", "request: r-2, migrations: 1", ":9:15: ", []string{"r-2"}},
		{"a state that is no end", "vm: db-01, migration: completed", "ended: {undoing: 1}", ":9:23: ", []string{"undoing"}},
		{"a number below 0", "vm: db-01, migration: completed", "at-once: -1", ":9:15: ", []string{"0 or more"}},
		{"bytes that are not said", "vm: db-01, migration: completed", "carried: to-cloud", ":9:5: ", []string{"expects nothing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			require.NotEqual(t, good, text)
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

func TestAllErrorsOfAFileAreToldAtOnce(t *testing.T) {
	_, err := ParseText("x.yaml", []byte(strings.NewReplacer("type: cold", "type: hot", "for: 1m", "for: -1s", "completed", "queued").Replace(good)))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "x.yaml:9:28", "what cannot be read is told first")
	_, err = ParseText("x.yaml", []byte(strings.NewReplacer("type: cold", "type: hot", "for: 1m", "for: -1s").Replace(good)))
	for _, at := range []string{"x.yaml:5:41", "x.yaml:7:30"} {
		assert.ErrorContains(t, err, at)
	}
}

func compiled(t *testing.T, text []byte, err error) *jsonschema.Schema {
	t.Helper()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("schema.json", doc))
	schema, err := c.Compile("schema.json")
	require.NoError(t, err)
	assert.Equal(t, draft07, doc.(map[string]any)["$schema"])
	return schema
}

// asJSON is YAML as a JSON validator sees it.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	require.NoError(t, yaml.Unmarshal(text, &v))
	encoded, err := json.Marshal(v)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	require.NoError(t, err)
	return doc
}

func TestTheSchemaAcceptsEveryScenarioAndRefusesWhatParseRefuses(t *testing.T) {
	text, err := Schema()
	schema := compiled(t, text, err)
	for _, file := range scenarios.Conformance() {
		text, err := scenarios.FS.ReadFile(file)
		require.NoError(t, err)
		assert.NoError(t, schema.Validate(asJSON(t, text)), file)
	}
	assert.NoError(t, schema.Validate(asJSON(t, []byte(strings.NewReplacer("[123", `["123"`, " 123", ` "123"`).Replace(allKinds)))))
	require.NoError(t, schema.Validate(asJSON(t, []byte(good))))
	for _, c := range []struct{ name, old, new string }{
		{"an unknown key", "limit:", "limt:"},
		{"an unknown key of a fault", "for: 1m", "fro: 1m"},
		{"a value that is missing", "wan-down: {for: 1m}", "call-error: {site: cloud, method: Login}"},
		{"no duration", "limit: 12h", "limit: 12 hours"},
		{"an unknown type of migration", "type: cold", "type: hot"},
		{"two triggers", "at: 1h", "at: 1h, when: {vm: db-01, enters: pool}"},
		{"no kind of fault", "at: 1h, wan-down: {for: 1m}", "at: 1h"},
		{"two kinds of fault", "wan-down: {for: 1m}", "wan-down: {for: 1m}, appliance-restart: {}"},
		{"an unknown step", "at: 1h", "when: {vm: db-01, enters: moon}"},
		{"an unknown method", "wan-down: {for: 1m}", "call-hang: {site: cloud, method: PowerOn}"},
		{"an expectation of nothing", "migration: completed", "within: 1h"},
		{"an unknown clause", "limit: 12h", "covers: [COLD-99]"},
		{"a clause of a later version", "limit: 12h", "covers: [PRE-04]"},
		{"an unknown world", "world: small", "world: smal"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		require.NotEqual(t, good, text, c.name)
		assert.Error(t, schema.Validate(asJSON(t, []byte(text))), c.name)
	}
}

func TestTheSchemaOfWorldsAcceptsEveryWorld(t *testing.T) {
	text, err := WorldSchema()
	schema := compiled(t, text, err)
	for _, name := range scenarios.Worlds() {
		_, text, err := scenarios.World(name)
		require.NoError(t, err)
		assert.NoError(t, schema.Validate(asJSON(t, text)), name)
	}
	assert.Error(t, schema.Validate(asJSON(t, []byte("on-premise: {}"))))
	vm := func(text string) any {
		return asJSON(t, []byte("on-premises: {vms: [{name: a, "+text+"}]}"))
	}
	assert.NoError(t, schema.Validate(vm(`tools-late: {boots: 2, by: "5m", site: cloud}, workload: {kind: trace, rate: 200, reads: 0.3, span: 8 GB, flush-every: "1s"}`)))
	assert.Error(t, schema.Validate(vm("tools-late: {site: moon}")))
	assert.Error(t, schema.Validate(vm("tools-late: {by: 5}")))
	assert.Error(t, schema.Validate(vm("tools-late: 2")))
	assert.Error(t, schema.Validate(vm("workload: {kind: random, reads: many}")))
}

// What this release shows; the conformance suite may show more, never less.
func TestEveryPromiseOfThisReleaseIsCovered(t *testing.T) {
	all, err := Embedded()
	require.NoError(t, err)
	covered := map[Cover]bool{}
	for _, s := range all {
		for _, c := range s.Covers {
			covered[c] = true
		}
	}
	for _, c := range []Cover{
		"COLD-01", "COLD-02", "COLD-03", "COLD-04", "COLD-05", "COLD-07", "MIG-06", "MIG-11", "MIG-13", "MIG-14", "APP-01", "APP-02",
		"MIG-01/cold", "MIG-07/cold", "MIG-08/cold", "APP-03/cold", "WAN-01/cold", "SYS-02/cold",
	} {
		assert.True(t, covered[c], "no scenario covers %s", c)
	}
}

func TestAMadeScenarioIsCheckedAndPrintsLikeAReadOne(t *testing.T) {
	at := faults.AtTime(0)
	s := &Scenario{
		Title: "made", Seed: 7, World: World{Name: "tiny"},
		Steps: []Step{{Trigger: at, Migrate: &Migrate{VM: "vm-1", Type: migration.Cold}}},
	}
	require.ErrorContains(t, s.Check(), `no VM "vm-1"`, "its world has not been loaded")
	require.NoError(t, s.Load())
	require.NoError(t, s.Check())
	s.Faults = []faults.Fault{{Trigger: at, WANDown: &faults.WANDown{For: -1}}}
	assert.ErrorContains(t, s.Check(), "faults[0].wan-down.for: -1ns is no time at all")
	s.Faults[0].WANDown.For = faults.Span(time.Minute)
	require.NoError(t, s.Check())
	text, err := Format(s)
	require.NoError(t, err)
	assert.Equal(t, "title: made\nseed: 7\nworld: tiny\nsteps:\n  - {at: 0s, migrate: {vm: vm-1, type: cold}}\nfaults:\n  - {at: 0s, wan-down: {for: 1m}}\n", string(text))
}

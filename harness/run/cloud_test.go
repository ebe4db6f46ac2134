package run_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/site"
)

const (
	deployment = "title: A test\nworld: pair\nlimit: 24h\nsteps:\n  - {at: 10s, deploy: {mode: standard}}\n"
	target     = "target: {networks: {VM Network: Cloud Net}}"
	tryStep    = "  - {when: {deployment: deployed}, migrate: {vm: vm-1, type: tbc, " + target + "}}\n"
	warmStep   = "  - {when: {deployment: deployed}, migrate: {vm: vm-1, type: warm, " + target + "}}\n"
)

// cloudFlows are runs of VMs on the cloud cache, each with what it must come to.
var cloudFlows = map[string]string{
	"a warm migration is led by hand": deployment + warmStep + `
  - {when: {vm: vm-1, enters: waiting, after: 1m}, commit: {vm: vm-1, refused: true, reason: out-of-order}}
  - {when: {vm: vm-1, enters: waiting, after: 2m}, start-transfer: {vm: vm-1}}
  - {when: {vm: vm-1, enters: waiting, attempt: 2, after: 30m}, configure-sync: {vm: vm-1}}
  - {when: {vm: vm-1, enters: waiting, attempt: 3, after: 2m}, commit: {vm: vm-1}}
  - {when: {vm: vm-1, enters: completed, after: 10m}, undeploy: {}}
expect:
  - {vm: vm-1, migration: completed, type: warm}
  - {vm: vm-1, runs: cloud}
  - {vm: vm-1 ARM, cloud: {present: false}}
  - {vm: vm-1_hdm_clone, on-premises: {present: false}}
  - {vm: vm-1, on-premises: {power: off, pool: _HDM_MIGRATEPOOL, snapshots: 0}, cloud: {power: on}}
  - {vm: vm-1, steps: [prepare, policy, snapshot, linked-clone, cloud-cache, compute-vm, bulk-transfer, reconcile, stop, last-reconcile, reboot]}
  - {vm: vm-1, bound: false}
  - {deployment: {phase: undeployed, vms: 0}}
`,
	"data comes by other means": deployment + strings.Replace(warmStep, "type: warm", "type: warm, transfer: offline", 1) + `
  - {when: {vm: vm-1, enters: waiting, after: 1m}, configure-sync: {vm: vm-1, refused: true, reason: no-data}}
  - {when: {vm: vm-1, enters: waiting, after: 2m}, ship: {vm: vm-1, takes: 2h}}
  - {when: {vm: vm-1, enters: waiting, after: 3h}, configure-sync: {vm: vm-1}}
  - {when: {vm: vm-1, enters: waiting, attempt: 2, after: 2m}, commit: {vm: vm-1}}
expect:
  - {vm: vm-1, migration: completed}
  - {vm: vm-1, runs: cloud}
  - {carried: to-cloud, at-most: 500 MB}
`,
	"a VM is tried and brought back": deployment + tryStep + `
  - {when: {vm: vm-1, enters: completed, after: 30m}, undeploy: {refused: true, reason: migrated-vms}}
  - {when: {vm: vm-1, enters: completed, after: 70m}, migrate-back: {vm: vm-1}}
expect:
  - {vm: vm-1, migration: completed, type: tbc}
  - {vm: vm-1, migration: completed, type: back}
  - {vm: vm-1, runs: nowhere}
  - {vm: vm-1, on-premises: {power: off, snapshots: 0}}
  - {vm: vm-1, bound: false}
  - {vm: vm-1, quota: 3 GB}
  - {vm: vm-1, flushes: {at-least: 3, every: 20m}}
  - {vm: vm-1, time-to-cloud: {at-most: 10m}}
  - {deployment: {phase: deployed, mode: standard, vms: 4}}
`,
	"two that depend on one another are flushed as often as they are told": strings.Replace(deployment, "limit: 24h", "limit: 24h\nuntil: 3h", 1) +
		"  - {at: 1s, settings: {groups: [[vm-1, vm-2]], flush-every: {Cluster: 10m}}}\n" + tryStep + `
expect:
  - {vm: vm-2, migration: completed, type: tbc}
  - {vm: vm-1, flushes: {at-least: 14, at-most: 20, every: 10m}}
  - {vm: vm-2, flushes: {at-least: 14, at-most: 20, every: 10m, with: vm-1}}
  - {vm: vm-2, time-to-cloud: {same-as: vm-1, percent: 50}}
`,
	"a person restores the migrate-time snapshot": deployment + tryStep + `
  - {when: {vm: vm-1, enters: completed, after: 60m}, power: {site: cloud, vm: vm-1 ARM, state: off}}
  - {when: {vm: vm-1, enters: completed, after: 62m}, revert: {site: on-premises, vm: vm-1, snapshot: _hdm1}}
  - {when: {vm: vm-1, enters: completed, after: 63m}, revert: {site: on-premises, vm: vm-1, snapshot: none, refused: true}}
expect:
  - {vm: vm-1, snapshot-image: pre-migration}
`,
	"one that waits for a word keeps no run from ending": deployment + warmStep + `
expect:
  - {vm: vm-1, migration: waiting}
  - {vm: vm-1, runs: cloud}
  - {vm: vm-1 ARM, cloud: {power: on}}
  - {vm: vm-1, bound: true}
`,
	"warm by message goes on by itself": strings.Replace(deployment, "world: pair", "world: pair\nbus: {queues: fifo}", 1) +
		strings.Replace(warmStep, "type: warm", "type: warm, by: message, request: r-1", 1) + `
expect:
  - {vm: vm-1, migration: completed}
  - {responses: r-1, state: completed}
`,
}

func TestVMsOnTheCloudCacheComeToWhatTheirScenariosExpect(t *testing.T) {
	for name, text := range cloudFlows {
		t.Run(name, func(t *testing.T) {
			r := play(t, parse(t, text), run.Options{})
			assert.Equal(t, record.Passed, r.Verdict, "%s %v", r.Error, r.Violations)
		})
	}
}

func TestWhatIsNotSoOnTheCloudCacheIsTold(t *testing.T) {
	text, _, _ := strings.Cut(cloudFlows["a VM is tried and brought back"], "expect:")
	text += `expect:
  - {vm: vm-1, migration: failed, type: tbc}
  - {vm: vm-1, bound: true}
  - {vm: vm-1, quota: 5 GB}
  - {vm: vm-1, flushes: {at-least: 30}}
  - {vm: vm-1, flushes: {at-most: 1}}
  - {vm: vm-1, flushes: {every: 5m}}
  - {vm: vm-1, flushes: {with: vm-2}}
  - {vm: vm-1, steps: [release, stop]}
  - {vm: vm-1, time-to-cloud: {at-most: 1s}}
  - {vm: vm-1, snapshot-image: pre-migration}
  - {deployment: {phase: undeployed, vms: 0}}
  - {deployment: {phase: deployed, mode: lite}}
`
	r := play(t, parse(t, text), run.Options{})
	var told []string
	for _, v := range r.Violations {
		assert.Equal(t, "expect", v.Oracle)
		told = append(told, v.What)
	}
	require.Len(t, told, 14, "%v", told)
	for i, says := range []string{
		"is completed, not failed", "on the cloud cache: false, not true", "its cloud cache has 3 GB, not 5 GB", "less than 30", "more than 1",
		"apart and not 5m", "and those of vm-2 at []", "stop did not come after", "more than 1s", "Hard disk 1 is not what it was when its guest was last off", "Hard disk 2 is not",
		"HDM is deployed, not undeployed", "it has 4 component VMs, not 0", `its mode is "standard standalone"`,
	} {
		assert.Contains(t, told[i], says)
	}
}

func TestFlushesThatAreTooFewToTellWhetherTheyWereCutTogetherAreTold(t *testing.T) {
	text, _, _ := strings.Cut(cloudFlows["warm by message goes on by itself"], "expect:")
	r := play(t, parse(t, text+"expect:\n  - {vm: vm-1, flushes: {with: vm-2}}\n"), run.Options{})
	require.Len(t, r.Violations, 1)
	assert.Contains(t, r.Violations[0].What, "none tells whether it was cut with vm-2")
}

func TestAStepThatIsRefusedForAnotherReasonIsTold(t *testing.T) {
	r := play(t, parse(t, deployment+"  - {at: 1s, undeploy: {refused: true, reason: migrated-vms}}\n  - {at: 2s, undeploy: {}}\n"), run.Options{})
	require.Len(t, r.Violations, 2)
	assert.Contains(t, r.Violations[0].What, "it was refused for another reason")
	assert.Contains(t, r.Violations[0].What, "[not-deployed]")
	assert.Contains(t, r.Violations[1].What, "it did not act")
}

func TestTheTraceTellsOfDeploymentsSettingsWaitsAndFlushes(t *testing.T) {
	text := deployment + "  - {at: 1s, settings: {flush-every: {Cluster: 5m}, groups: [[vm-1, vm-2]]}}\n" +
		strings.Replace(warmStep, "type: warm", "type: warm, alone: true", 1) +
		"faults:\n  - {when: {vm: vm-1, enters: waiting, after: 6m}, appliance-restart: {}}\n"
	r, tr := followed(t, parse(t, text), run.Options{})
	require.Equal(t, record.Passed, r.Verdict, "%s %v", r.Error, r.Violations)
	var phases []string
	for _, e := range tr.find("deployment") {
		phases = append(phases, attr(e, "phase"))
	}
	assert.Equal(t, []string{"deploying", "deployed"}, phases, "a restart says nothing new")
	assert.Len(t, tr.find("settings", "flush-every=Cluster=5m0s", "groups=vm-1,vm-2"), 1)
	assert.Len(t, tr.find("migration", "to=waiting", "next=bulk-transfer"), 1)
	assert.NotEmpty(t, tr.find("flush.heard", "=m-0001", "flush=1"))
	assert.NotEmpty(t, tr.find("binding.bound", "source=on-premises/vm-1"))
	assert.Empty(t, tr.find("migration", "vm=vm-2"), "alone")
}

func TestRunsOfTheCloudCacheAreTheSameEachTimeAndJudgedTheSameOverEitherTransport(t *testing.T) {
	for name, text := range cloudFlows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := parse(t, text)
			first, second := play(t, s, run.Options{}), play(t, s, run.Options{})
			assert.Equal(t, first.Hash, second.Hash)
			assert.Equal(t, outcome(first), outcome(play(t, s, run.Options{Transport: site.SOAP})))
		})
	}
}

func TestACancelInTheMiddleOfATaskLeavesNothingThatComesLater(t *testing.T) {
	for _, step := range []string{"linked-clone", "compute-vm", "power-on"} {
		for _, after := range []string{"30ms", "300ms"} {
			t.Run(step+" "+after, func(t *testing.T) {
				r := play(t, parse(t, deployment+warmStep+"  - {when: {vm: vm-1, enters: "+step+", after: "+after+"}, cancel: {vm: vm-1}}\n"+
					"expect:\n  - {vm: vm-1, migration: cancelled}\n  - {vm: vm-1, runs: on-premises}\n"), run.Options{})
				assert.Equal(t, record.Passed, r.Verdict, "%s %v", r.Error, r.Violations)
			})
		}
	}
}

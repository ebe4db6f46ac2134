package run_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// dozen are conformance scenarios that are quick and have little in common.
var dozen = []string{
	"cancel-queued", "cold-powered-off-vm", "cold-running-vm", "cold-with-snapshots", "order-same-request-after-restart",
	"refused-misfits", "restart-at-every-step", "restart-while-putting-back", "session-expires",
	"target-networks-and-adapter", "tries-exhausted-bulk-transfer", "wan-down-to-cloud",
}

// embedded are the conformance scenarios of those names, or all.
func embedded(t *testing.T, names ...string) []*scenario.Scenario {
	t.Helper()
	all, err := scenario.Embedded()
	require.NoError(t, err)
	if len(names) == 0 {
		return all
	}
	var some []*scenario.Scenario
	for _, name := range names {
		n := len(some)
		for _, s := range all {
			if run.Name(s) == name {
				some = append(some, s)
			}
		}
		require.Len(t, some, n+1, "no scenario is called %s", name)
	}
	return some
}

// hashes runs scenarios on so many processors, so many at once.
func hashes(t *testing.T, all []*scenario.Scenario, processors, workers int) map[string]string {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	suite, err := run.Suite(context.Background(), all, nil, run.Options{Workers: workers})
	require.NoError(t, err)
	require.Len(t, suite.Runs, len(all))
	found := map[string]string{}
	for _, r := range suite.Runs {
		assert.Equal(t, record.Passed, r.Verdict, "%s: %v %s", r.Scenario, r.Violations, r.Error)
		found[r.Scenario] = r.Hash
	}
	return found
}

func TestTheHashesDependOnNeitherProcessorsNorWorkers(t *testing.T) {
	all := embedded(t, dozen...)
	want := hashes(t, all, 1, 1)
	for _, at := range []struct{ processors, workers int }{{1, 2}, {2, 1}, {2, 2}, {4, len(all)}} {
		t.Run(fmt.Sprintf("%d processors, %d workers", at.processors, at.workers), func(t *testing.T) {
			assert.Equal(t, want, hashes(t, all, at.processors, at.workers))
		})
	}
}

func TestTheHashTellsHistoriesApart(t *testing.T) {
	plain := play(t, pair(t), run.Options{}).Hash
	for name, text := range map[string]string{
		"a fault":       "faults:\n  - {at: 3h, wan-down: {for: 1s}}\n",
		"one more step": "  - {at: 10m, cancel: {vm: vm-1}}\n",
	} {
		assert.NotEqual(t, plain, play(t, pair(t, text), run.Options{}).Hash, name)
	}
}

// eventful are two histories of few virtual minutes with a good deal in them.
func eventful(t *testing.T) []*scenario.Scenario {
	t.Helper()
	return []*scenario.Scenario{
		pair(t, "faults:\n  - {when: {vm: vm-1, enters: bulk-transfer, after: 5s}, appliance-restart: {for: 30s}}\n"),
		parse(t, `title: Three at once
world: tiny
steps:
  - {at: 10s, migrate: {vms: [vm-1, vm-2, vm-3], type: cold, target: {networks: {VM Network: Cloud Net}}}}
faults:
  - {when: {vm: vm-3, enters: snapshot}, wan-down: {for: 20s}}
`),
	}
}

func TestThePaceChangesNothing(t *testing.T) {
	t.Parallel()
	paces := []struct {
		name  string
		speed float64
		trace func() *trace
	}{
		{"paced", 700, func() *trace { return &trace{} }},
		{"stepped", 0, stepped},
		{"at changing speeds", 2000, hurried},
	}
	for i, s := range eventful(t) {
		want, calm := followed(t, s, run.Options{})
		require.Equal(t, record.Passed, want.Verdict, "%v", want.Violations)
		for _, pace := range paces {
			t.Run(fmt.Sprintf("%d %s", i+1, pace.name), func(t *testing.T) {
				t.Parallel()
				tr := pace.trace()
				r := play(t, s, run.Options{Speed: pace.speed, Watch: func(*scenario.Scenario, uint64) run.Watcher { return tr }})
				assert.Equal(t, want.Hash, r.Hash)
				assert.Equal(t, want.Verdict, r.Verdict)
				assert.Equal(t, calm.events, tr.events)
			})
		}
	}
}

// stepped lets a person press Enter for every few events. The run is paused all
// the time.
func stepped() *trace {
	tr := &trace{}
	tr.driving = func(d *kernel.Driver) {
		d.Pause()
		d.Step(1000)
		tr.hear = func(record.Event) { d.Step(25) }
	}
	return tr
}

// hurried lets a person change the speed over and over.
func hurried() *trace {
	tr := &trace{}
	tr.driving = func(d *kernel.Driver) {
		tr.hear = func(e record.Event) {
			switch e.Seq % 50 {
			case 1:
				d.SetSpeed(0)
			case 20:
				d.SetSpeed(4000)
			case 40:
				d.Pause()
				d.Step(3)
				d.Resume()
			}
		}
	}
	return tr
}

// outcome is what must be the same over every transport: the verdicts. The
// traces differ, for calls take their time in other pieces.
func outcome(r record.Run) []string {
	told := []string{string(r.Verdict), r.Error}
	for _, v := range r.Violations {
		told = append(told, v.Oracle+" "+v.Subject+": "+v.What)
	}
	return told
}

func TestBothTransportsGiveTheSameVerdicts(t *testing.T) {
	t.Parallel()
	all := append(embedded(t, "cold-running-vm", "session-expires", "refused-unmapped-network", "retry-export-breaks-at-its-end"),
		eventful(t)...)
	all = append(all, pair(t, "  - {at: 30m, migrate: {vm: vm-2, type: cold, request: r-2}}\n"+
		"expect:\n  - {vm: vm-1, migration: failed}\n  - {vm: vm-2, runs: cloud}\n  - {request: r-2, answer: refused}\n"))
	for i, s := range all {
		t.Run(fmt.Sprintf("%d %s", i+1, run.Name(s)), func(t *testing.T) {
			t.Parallel()
			direct := play(t, s, run.Options{Transport: site.Direct})
			soap := play(t, s, run.Options{Transport: site.SOAP})
			assert.Equal(t, outcome(direct), outcome(soap))
			assert.Equal(t, i == len(all)-1, strings.HasPrefix(outcome(soap)[0], string(record.Failed)), "only the last breaks its word: %v", outcome(soap))
		})
	}
}

func TestWorldsSideBySideDoNotDisturbOneAnother(t *testing.T) {
	t.Parallel()
	for range 3 {
		for i, s := range eventful(t) {
			t.Run(fmt.Sprint("world ", i+1), func(t *testing.T) {
				t.Parallel()
				first, second := play(t, s, run.Options{}), play(t, s, run.Options{})
				assert.Equal(t, first.Hash, second.Hash)
			})
		}
	}
}

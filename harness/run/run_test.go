package run_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

const failing = "expect:\n  - {vm: vm-1, migration: failed}\n"

func TestARunThatIsNotOverAtItsLimitSaysWhatWasUnderWay(t *testing.T) {
	tests := []struct{ name, sections, says string }{
		{"a migration", "limit: 2m\n", "it was not over at its limit of 2m: migrations were under way: m-0001 of vm-1 (running bulk-transfer)"},
		{"the appliance is down", "limit: 3m\nfaults:\n  - {when: {vm: vm-1, enters: bulk-transfer, after: 5s}, appliance-restart: {for: 2m50s}}\n", "the appliance was down: m-0001 of vm-1 (running bulk-transfer)"},
		{"a fault", "limit: 20m\nfaults:\n  - {when: {vm: vm-1, enters: completed, after: 10m}, wan-down: {for: 9m}}\n", "a fault had not ended"},
		{"a step to come", "limit: 20m\nfaults:\n  - {when: {vm: vm-1, enters: completed, after: 19m}, wan-down: {for: 1s}}\nidle-faults: true\n", "a step or a fault was still to come"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := play(t, pair(t, test.sections), run.Options{})
			assert.Equal(t, record.Failed, r.Verdict)
			assert.Empty(t, r.Error, "it is judged, like any other")
			require.Len(t, r.Violations, 1, "it is judged no further")
			v := r.Violations[0]
			assert.Equal(t, "liveness", v.Oracle)
			assert.Empty(t, v.Clauses, "what is under way has broken no promise yet")
			assert.Contains(t, v.What, test.says)
		})
	}
}

func TestARunThatIsOverBeforeItsLimitNeedsNoQuietTimeAfterIt(t *testing.T) {
	r := play(t, pair(t, "limit: 10m\nexpect:\n  - {vm: vm-1, migration: completed}\n"), run.Options{})
	assert.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
	assert.InDelta(t, 600, r.VirtualSeconds, 0)
}

func TestUntilEndsARunAtThatTimeAndNothingIsJudged(t *testing.T) {
	r := play(t, pair(t, failing), run.Options{Until: 95 * time.Second})
	assert.InDelta(t, 95, r.VirtualSeconds, 0)
	assert.Empty(t, r.Violations)
	assert.Equal(t, record.Stopped, r.Verdict)
	assert.Equal(t, record.Failed, play(t, pair(t, failing), run.Options{}).Verdict, "to the end, it is")
}

func TestARunTellsWhatItWas(t *testing.T) {
	seed := uint64(77)
	s := pair(t, "seed: 5\ncovers: [COLD-01, MIG-08/cold]\n")
	r := play(t, s, run.Options{})
	assert.Equal(t, "test", r.Scenario)
	assert.Equal(t, "A test", r.Title)
	assert.Equal(t, uint64(5), r.Seed)
	assert.Equal(t, []string{"COLD-01", "MIG-08/cold"}, r.Covers)
	assert.NotEmpty(t, r.Tested)
	assert.Positive(t, r.VSphereCalls)
	other := play(t, s, run.Options{Seed: &seed})
	assert.Equal(t, seed, other.Seed)
	assert.NotEqual(t, r.Hash, other.Hash, "another seed, another history")
}

func TestAWatcherHearsEveryEventInOrderAndIsClosedOnce(t *testing.T) {
	r, tr := followed(t, pair(t), run.Options{})
	require.Len(t, tr.events, int(r.Events))
	for i, e := range tr.events {
		require.Equal(t, uint64(i+1), e.Seq)
		require.Equal(t, "test", e.Run)
		require.True(t, i == 0 || e.At >= tr.events[i-1].At, "time does not go back")
	}
	assert.True(t, tr.driven)
	assert.Equal(t, 1, tr.closed)
}

func TestTheWorldIsShownWhenTheRunIsOverAndBeforeItIsTornDown(t *testing.T) {
	shown := 0
	play(t, pair(t), run.Options{Finished: func(w *site.World) {
		shown++
		vm, ok := w.Cloud.VCenter.VM("vm-1")
		require.True(t, ok)
		assert.Equal(t, "Cloud Net", vm.NICs[0].Network)
	}})
	assert.Equal(t, 1, shown)
}

func TestASuiteRunsEveryScenarioInItsPlaceAndTellsOneAtATime(t *testing.T) {
	all := []*scenario.Scenario{
		parse(t, "title: one\nworld: pair\nsteps:\n"+order1),
		pair(t, failing),
		parse(t, "title: three\nworld: tiny\nsteps:\n"+order1),
	}
	var telling atomic.Int32
	var told []string
	suite, err := run.Suite(context.Background(), all, nil, run.Options{Workers: 2, Ended: func(r record.Run) {
		assert.Equal(t, int32(1), telling.Add(1), "one at a time")
		told = append(told, r.Title)
		telling.Add(-1)
	}})
	require.NoError(t, err)
	require.Len(t, suite.Runs, 3)
	for i, title := range []string{"one", "A test", "three"} {
		assert.Equal(t, title, suite.Runs[i].Title)
	}
	assert.ElementsMatch(t, []string{"one", "A test", "three"}, told)
	assert.Equal(t, 2, suite.Count(record.Passed))
	assert.Equal(t, 1, suite.Count(record.Failed))
	assert.False(t, suite.Interrupted)
}

func TestAnInterruptedRunIsNotJudgedAndTheRestIsNotBegun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var watched []*trace
	suite, err := run.Suite(ctx, []*scenario.Scenario{pair(t), pair(t, failing), pair(t)}, nil, run.Options{
		Watch: func(*scenario.Scenario, uint64) run.Watcher {
			tr := &trace{}
			if watched = append(watched, tr); len(watched) == 2 {
				tr.hear = func(e record.Event) {
					if e.Kind == "lease.opened" {
						cancel()
					}
				}
			}
			return tr
		},
	})
	require.NoError(t, err)
	require.Len(t, suite.Runs, 2)
	assert.Equal(t, record.Passed, suite.Runs[0].Verdict)
	assert.Equal(t, record.Interrupted, suite.Runs[1].Verdict)
	assert.Empty(t, suite.Runs[1].Violations)
	assert.True(t, suite.Interrupted)
	for _, tr := range watched {
		assert.Equal(t, 1, tr.closed)
	}
}

func TestARunThatIsPausedCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tr := &trace{driving: func(d *kernel.Driver) {
		d.Pause()
		cancel()
	}}
	r, err := run.One(ctx, pair(t), run.Options{Watch: func(*scenario.Scenario, uint64) run.Watcher { return tr }})
	require.NoError(t, err)
	assert.Equal(t, record.Interrupted, r.Verdict)
}

func TestAPanicInTheWorldIsToldWithItsProcessItsTimeAndItsStack(t *testing.T) {
	tr := &trace{hear: func(e record.Event) {
		if e.Kind == "effect.started" && attr(e, "step") == "snapshot" {
			panic("a bug, for example")
		}
	}}
	r := play(t, pair(t, failing), run.Options{Watch: func(*scenario.Scenario, uint64) run.Watcher { return tr }})
	assert.Equal(t, record.Failed, r.Verdict)
	assert.Regexp(t, `panic in appliance/m-0001/\d+/take snapshot at 1m\S+s: a bug, for example\n`, r.Error)
	assert.Contains(t, r.Error, "core/appliance", "with the stack of the process")
	assert.Empty(t, r.Violations, "what did not come to its end is not judged")
	assert.Equal(t, 1, tr.closed)
}

func TestAWatchdogEndsARunAndSaysWhichItWasAndWhere(t *testing.T) {
	tests := []struct {
		name   string
		limits kernel.Limits
		speed  float64
		says   string
	}{
		{"events", kernel.Limits{Events: 500}, 0, "limit of 500 events at virtual time "},
		{"virtual time", kernel.Limits{Virtual: 2 * time.Minute}, 0, "limit of 2m0s virtual time at virtual time "},
		{"wall time", kernel.Limits{Wall: time.Nanosecond}, 0, "limit of 1ns wall time at virtual time "},
		{"wall time of a paced run, if it is asked for", kernel.Limits{Wall: time.Nanosecond}, 1, "limit of 1ns wall time at virtual time "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := play(t, pair(t, failing), run.Options{Limits: test.limits, Speed: test.speed})
			assert.Equal(t, record.Failed, r.Verdict)
			assert.Contains(t, r.Error, test.says)
			assert.Contains(t, r.Error, "seed 0")
			assert.Empty(t, r.Violations)
		})
	}
	assert.Empty(t, play(t, pair(t), run.Options{Limits: kernel.Limits{Wall: -1}}).Error, "none is none")
}

func TestAWorldThatCannotBeBuiltIsAnErrorAndAFailedRun(t *testing.T) {
	s := pair(t)
	s.World = scenario.World{Description: site.Description{OnPremises: site.Site{VMs: []site.VM{{Name: "a"}, {Name: "a"}}}}}
	tr := &trace{}
	watch := func(*scenario.Scenario, uint64) run.Watcher { return tr }
	r, err := run.One(context.Background(), s, run.Options{Watch: watch})
	require.ErrorContains(t, err, "test: ")
	assert.Equal(t, record.Failed, r.Verdict)
	assert.NotEmpty(t, r.Error)
	assert.Equal(t, 1, tr.closed)
	_, err = run.Suite(context.Background(), []*scenario.Scenario{s, pair(t)}, nil, run.Options{Watch: watch})
	assert.ErrorContains(t, err, "test: ")
}

func TestAPanicOfTheHarnessFailsItsRunAndNoOther(t *testing.T) {
	first := true
	var ended []record.Run
	suite, err := run.Suite(context.Background(), []*scenario.Scenario{pair(t), pair(t)}, nil, run.Options{
		Finished: func(*site.World) {
			if first {
				first = false
				panic("a bug, for example")
			}
		},
		Ended: func(r record.Run) { ended = append(ended, r) },
	})
	panicked := new(run.PanicError)
	require.ErrorAs(t, err, &panicked)
	assert.NotContains(t, err.Error(), "goroutine", "the stack is in the record")
	require.Len(t, suite.Runs, 2)
	assert.Equal(t, record.Failed, suite.Runs[0].Verdict)
	assert.Contains(t, suite.Runs[0].Error, "a bug, for example")
	assert.Contains(t, suite.Runs[0].Error, "run_test.go", "with its stack")
	assert.Equal(t, record.Passed, suite.Runs[1].Verdict)
	assert.Equal(t, suite.Runs, ended)
}

func TestScenariosOfOneNameAreToldApartByTheirPaths(t *testing.T) {
	tests := []struct{ files, names []string }{
		{[]string{"a/x.yaml", "a/y.yaml"}, []string{"x", "y"}},
		{[]string{"a/x.yaml", "b/x.yaml", "b/y.yaml"}, []string{"a/x", "b/x", "y"}},
		{[]string{"x.yaml", "a/x.yaml"}, []string{"x", "a/x"}},
		{[]string{"a/c/x.yaml", "b/c/x.yaml"}, []string{"a/c/x", "b/c/x"}},
		{[]string{"x.yaml", "x.yml"}, []string{"x#1", "x#2"}},
	}
	for _, test := range tests {
		var all []*scenario.Scenario
		for _, file := range test.files {
			s, err := scenario.ParseText(file, []byte("title: t\nworld: pair\nsteps: [{at: 0s, migrate: {vm: vm-1, type: cold}}]\n"))
			require.NoError(t, err)
			all = append(all, s)
		}
		assert.Equal(t, test.names, run.Names(all))
	}
}

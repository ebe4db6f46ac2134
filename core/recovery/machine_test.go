package recovery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
)

// life drives one recovery by hand.
type life struct {
	t        require.TestingT
	r        recovery.Recovery
	now      migration.Now
	pending  *recovery.Effect
	keys     map[string]bool
	affected []migration.ID // by whatever fails next
	held     []migration.ID
	returns  int
	resets   int
}

func newLife(t require.TestingT) *life {
	return &life{t: t, keys: map[string]bool{}, now: migration.Now{Wall: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}}
}

func (l *life) hear(ev recovery.Event) recovery.Verdict {
	before := l.r
	v := l.r.Decide(recovery.DefaultKnobs, l.now, ev)
	if v.Ignored != "" {
		require.Equal(l.t, before, v.Recovery, "what is ignored changes nothing")
		require.Nil(l.t, v.Effect)
		return v
	}
	if from, to := before.Phase, v.Recovery.Phase; from != to {
		require.Contains(l.t, recovery.Edges[from], to)
	}
	l.r = v.Recovery
	if v.Cancel != "" {
		l.pending = nil
	}
	if v.Effect != nil {
		require.False(l.t, l.keys[v.Effect.Key], "every effect has a key of its own")
		require.Equal(l.t, l.r.Effect, v.Effect.Key)
		l.keys[v.Effect.Key], l.pending = true, v.Effect
	}
	if v.Return {
		l.returns++
	}
	if v.Reset {
		l.resets++
	}
	if v.Identify {
		require.Nil(l.t, v.Effect, "nothing is repaired before it is known whom it affects")
		l.hear(recovery.Identified{Affected: l.affected, Held: l.held})
	}
	return v
}

func (l *life) notice(failures ...recovery.Failure) { l.hear(recovery.Noticed{Failures: failures}) }

// found answers a probe.
func (l *life) found(failures ...recovery.Failure) {
	require.Equal(l.t, recovery.Probe, l.pending.Kind)
	l.hear(recovery.Probed{Key: l.pending.Key, Found: failures})
}

func (l *life) repaired() {
	require.Equal(l.t, recovery.Repair, l.pending.Kind)
	l.hear(recovery.Repaired{Key: l.pending.Key})
}

func (l *life) fails(c vsphere.Class) {
	l.hear(recovery.Failed{Key: l.pending.Key, Failure: migration.Failure{Class: c, What: "its device fails"}})
}

const cacheVM, cloudVM, esxi = "HDM_Cloud_Cache-0", "HDM_Cloud_Manager-0", "esx-1"

func silent(vm string, s component.Service) recovery.Failure {
	return recovery.Failure{VM: vm, Service: s}
}

func with(f recovery.Failure, c recovery.Cause) recovery.Failure {
	f.Cause = c
	return f
}

func TestAServiceThatCrashesIsProbedRepairedAndThenItsVMsComeBack(t *testing.T) { // HLT-02, REC-12
	l := newLife(t)
	l.affected = []migration.ID{"m-0001"}
	l.notice(silent(cacheVM, component.CloudCache))
	require.Equal(t, recovery.Probing, l.r.Phase)
	require.Equal(t, recovery.DefaultKnobs.Settle, l.pending.Delay)
	l.found(with(silent(cacheVM, component.CloudCache), recovery.Crashed))
	require.Equal(t, recovery.Repairing, l.r.Phase)
	require.Equal(t, l.affected, l.r.Affected)
	require.Zero(t, l.returns, "nothing fails before the repair has succeeded")
	l.repaired()
	require.Equal(t, recovery.Returning, l.r.Phase)
	require.Equal(t, 1, l.returns)
	require.Nil(t, l.hear(recovery.Returned{}).Effect)
	assert.Equal(t, recovery.Recovery{Number: 1, Issued: 2}, l.r)
}

func TestWhatAffectsNobodyEndsWithItsRepair(t *testing.T) { // REC-01
	for _, cause := range []recovery.Cause{recovery.Restarted, recovery.Rebooted} {
		l := newLife(t)
		l.notice(with(silent(cacheVM, ""), cause))
		require.Equal(t, recovery.Repairing, l.r.Phase, "its cause is plain: no probe")
		l.repaired()
		assert.Equal(t, recovery.Healthy, l.r.Phase)
		assert.Zero(t, l.returns)
	}
}

func TestSilenceThatEndsByItselfIsNoFailure(t *testing.T) {
	l := newLife(t)
	l.affected = []migration.ID{"m-0001"}
	l.notice(silent(cacheVM, component.CloudCache))
	f := with(silent(cacheVM, component.CloudCache), recovery.Hung)
	f.Repaired = true
	l.found(f)
	assert.Equal(t, recovery.Healthy, l.r.Phase)
}

func TestAVMThatIsHeardToHaveRebootedWhileItIsProbedIsRepaired(t *testing.T) { // HLT-02, CVM-03
	l := newLife(t)
	l.notice(silent(cacheVM, component.CloudCache), silent(cacheVM, component.IOInterceptor))
	probe := l.pending
	l.notice(with(silent(cacheVM, ""), recovery.Rebooted))
	require.Equal(t, probe, l.pending, "the probe goes on")
	l.found()
	require.Equal(t, recovery.Repairing, l.r.Phase, "nothing is left to find out")
	l.repaired()
	assert.Equal(t, recovery.Healthy, l.r.Phase)
}

func TestAVMThatIsDownTakesItsServicesWithIt(t *testing.T) {
	l := newLife(t)
	l.notice(silent(cacheVM, component.CloudCache), silent(cacheVM, component.IOInterceptor))
	l.found(with(silent(cacheVM, ""), recovery.VMDown))
	require.Len(t, l.r.Failures, 1)
	assert.Equal(t, recovery.VMDown, l.r.Failures[0].Cause)
	assert.False(t, l.r.Multiple, "one VM failed")
	l.notice(with(silent(cacheVM, ""), recovery.Rebooted))
	assert.Equal(t, recovery.Repair, l.pending.Kind, "it is the repair that boots it")
	require.Len(t, l.r.Failures, 1)
}

func TestTwoPartsThatFailTogetherAreToldAndAResetIsOffered(t *testing.T) { // REC-09, RST-01
	l := newLife(t)
	l.notice(silent(cacheVM, component.CloudCache), silent(cloudVM, component.CloudGateway))
	l.found(with(silent(cacheVM, component.CloudCache), recovery.Crashed), with(silent(cloudVM, component.CloudGateway), recovery.Hung))
	assert.True(t, l.r.Multiple)
	assert.Equal(t, recovery.OfferMultiple, l.r.Offered)
	l.repaired()
	l.repaired()
	assert.Equal(t, recovery.Healthy, l.r.Phase, "and it is repaired all the same")
}

func TestAFailureDuringARecoveryJoinsIt(t *testing.T) { // REC-09
	at := map[string]func(*life){
		"repairing": func(*life) {},
		"returning": func(l *life) { l.repaired() },
	}
	for name, until := range at {
		l := newLife(t)
		l.affected = []migration.ID{"m-0001"}
		l.notice(with(silent(cacheVM, component.CloudCache), recovery.Restarted))
		until(l)
		l.affected = []migration.ID{"m-0001", "m-0002"}
		l.notice(silent(cloudVM, component.CloudGateway))
		require.Equal(t, recovery.Probing, l.r.Phase, name)
		l.found(with(silent(cloudVM, component.CloudGateway), recovery.Crashed))
		require.True(t, l.r.Multiple, name)
		for l.r.Phase == recovery.Repairing {
			l.repaired()
		}
		require.Equal(t, recovery.Returning, l.r.Phase, name)
		assert.Equal(t, l.affected, l.r.Affected, name)
		assert.Equal(t, 1, l.r.Number, "it is the same recovery")
	}
}

func TestAnOutageThatIsTransientEndsWithNothingBroughtBack(t *testing.T) { // WAN-01, A-02
	l := newLife(t)
	l.affected = []migration.ID{"m-0001"}
	l.notice(silent(cacheVM, component.CloudCache), silent(cloudVM, component.CloudGateway))
	l.hear(recovery.Probed{Key: l.pending.Key, Link: true})
	require.Equal(t, recovery.AwaitLink, l.pending.Kind)
	require.Len(t, l.r.Failures, 1, "only the link has failed")
	l.hear(recovery.LinkBack{Key: l.pending.Key})
	assert.Equal(t, recovery.Healthy, l.r.Phase)
	assert.Zero(t, l.returns)
}

func TestAnOutageThatIsPermanentBringsEverythingBackOnItsReturn(t *testing.T) { // WAN-02, A-05
	l := newLife(t)
	l.affected = []migration.ID{"m-0001"}
	l.notice(silent(cacheVM, component.CloudCache))
	l.hear(recovery.Probed{Key: l.pending.Key, Link: true})
	l.hear(recovery.LinkLost{Key: l.pending.Key})
	require.Equal(t, recovery.OfferOutage, l.r.Offered)
	require.Zero(t, l.returns, "never while the cloud cannot be asked")
	require.Empty(t, l.r.Affected)
	l.hear(recovery.LinkBack{Key: l.pending.Key})
	assert.Equal(t, recovery.Returning, l.r.Phase)
	assert.Equal(t, l.affected, l.r.Affected)
}

func TestWhatIsStillSilentWhenTheLinkIsBackIsProbed(t *testing.T) {
	l := newLife(t)
	l.notice(silent(cacheVM, component.CloudCache))
	l.hear(recovery.Probed{Key: l.pending.Key, Link: true})
	l.hear(recovery.LinkBack{Key: l.pending.Key, Still: []recovery.Failure{silent(cacheVM, component.CloudCache)}})
	require.Equal(t, recovery.Probe, l.pending.Kind)
	l.found(with(silent(cacheVM, ""), recovery.VMDown))
	l.repaired()
	assert.Equal(t, recovery.Healthy, l.r.Phase)
}

func TestARepairThatFailsForGoodLeavesOnlyTheReset(t *testing.T) { // REC-08, RST-04
	l := newLife(t)
	l.notice(with(silent(cacheVM, component.CloudCache), recovery.Crashed))
	for range 50 {
		l.fails(vsphere.Unreachable) // uses up no try
	}
	for range recovery.DefaultKnobs.Tries {
		require.Equal(t, recovery.Repairing, l.r.Phase)
		l.fails(vsphere.Retryable)
	}
	assert.Equal(t, recovery.Unrecoverable, l.r.Phase)
	assert.Equal(t, "Cloud Cache from HDM_Cloud_Cache-0", l.r.Fatal)
	assert.Equal(t, recovery.OfferFatal, l.r.Offered)
	assert.NotEmpty(t, l.hear(recovery.Noticed{Failures: []recovery.Failure{silent(cloudVM, component.CloudGateway)}}).Ignored)
}

func TestAPartThatFailsAsOftenAsItIsRepairedLeavesOnlyTheReset(t *testing.T) { // REC-08
	l := newLife(t)
	l.affected = []migration.ID{"m-0001"}
	for range recovery.DefaultKnobs.Tries {
		l.notice(with(silent(cacheVM, component.CloudCache), recovery.Crashed))
		require.Equal(t, recovery.Repairing, l.r.Phase)
		l.repaired()
		require.Equal(t, recovery.Returning, l.r.Phase)
	}
	l.notice(with(silent(cacheVM, component.CloudCache), recovery.Crashed))
	assert.Equal(t, recovery.Unrecoverable, l.r.Phase)
}

func TestAHostThatRestartsBringsTheVMsBackAndThenOnlyAResetHelps(t *testing.T) { // ESX-01, ESX-02
	for _, cause := range []recovery.Cause{recovery.HostRestarted, recovery.FilterRestarted} {
		l := newLife(t)
		l.affected = []migration.ID{"m-0001"}
		l.notice(with(silent(esxi, component.IOFilter), cause))
		require.Equal(t, recovery.Returning, l.r.Phase, "there is nothing to repair")
		l.hear(recovery.Returned{})
		assert.Equal(t, recovery.Unrecoverable, l.r.Phase)
	}
}

func TestAResetIsOfferedAfterFifteenMinutes(t *testing.T) { // RST-01
	l := newLife(t)
	l.notice(silent(cacheVM, component.CloudCache))
	l.now.Wall = l.now.Wall.Add(15*time.Minute - time.Second)
	require.NotEmpty(t, l.hear(recovery.Looked{}).Ignored)
	l.now.Wall = l.now.Wall.Add(time.Second)
	l.hear(recovery.Looked{})
	assert.Equal(t, recovery.OfferDegraded, l.r.Offered)
}

func TestARestartOfTheApplianceTakesUpWhatWasUnderWay(t *testing.T) {
	l := newLife(t)
	l.notice(silent(cacheVM, component.CloudCache))
	again := func() {
		before := *l.pending
		l.hear(recovery.Booted{Epoch: 2})
		require.Equal(t, before.Kind, l.pending.Kind)
		require.NotEqual(t, before.Key, l.pending.Key)
		require.NotEmpty(t, l.hear(recovery.Repaired{Key: before.Key}).Ignored, "a late answer says nothing")
	}
	again()
	l.hear(recovery.Probed{Key: l.pending.Key, Link: true})
	again()
	l.hear(recovery.LinkBack{Key: l.pending.Key, Still: []recovery.Failure{with(silent(cacheVM, component.CloudCache), recovery.Crashed)}})
	again()
	l.repaired()
	assert.Equal(t, recovery.Healthy, l.r.Phase)
	assert.NotEmpty(t, l.hear(recovery.Booted{Epoch: 3}).Ignored)
}

func TestAResetIsRefusedUnlessItIsOfferedOrForced(t *testing.T) { // RST-01
	l := newLife(t)
	require.NotEmpty(t, l.hear(recovery.ResetAsked{Epoch: 1}).Refused)
	l.hear(recovery.ResetAsked{Epoch: 1, Order: recovery.ResetOrder{Force: true}})
	require.Equal(t, recovery.Resetting, l.r.Phase)
	assert.NotEmpty(t, l.hear(recovery.ResetAsked{Epoch: 1, Order: recovery.ResetOrder{Force: true}}).Refused, "one is under way")
}

func TestAResetGoesThroughItsStepsInOrder(t *testing.T) { // RST-02
	l := newLife(t)
	l.hear(recovery.ResetAsked{Epoch: 7, Order: recovery.ResetOrder{Force: true}, Filters: map[string]uint64{esxi: 3}})
	var steps []recovery.ResetStep
	for l.r.Phase == recovery.Resetting {
		steps = append(steps, l.r.Reset.Step)
		require.Equal(t, recovery.ResetOne, l.pending.Kind)
		require.Equal(t, l.r.Reset, l.pending.Reset)
		if l.r.Reset.Step == recovery.ResetAppliance {
			require.NotEmpty(t, l.hear(recovery.StepDone{Key: l.pending.Key, Epoch: 7}).Ignored)
			l.hear(recovery.Booted{Epoch: 8})
			continue
		}
		l.fails(vsphere.Refused) // it waits, and goes on
		l.hear(recovery.StepDone{Key: l.pending.Key, Epoch: 7})
	}
	assert.Equal(t, recovery.Steps[:len(recovery.Steps)-1], steps)
	assert.Equal(t, 1, l.resets)
	assert.Equal(t, recovery.Healthy, l.r.Phase)
}

func TestAnApplianceThatWasRestartedBeforeItsTurnIsNotWaitedFor(t *testing.T) {
	l := newLife(t)
	l.hear(recovery.ResetAsked{Epoch: 7, Order: recovery.ResetOrder{Force: true}})
	l.hear(recovery.Booted{Epoch: 8})
	require.Equal(t, recovery.ResetVMsOff, l.r.Reset.Step)
	l.hear(recovery.StepDone{Key: l.pending.Key, Epoch: 8})
	l.hear(recovery.StepDone{Key: l.pending.Key, Epoch: 8})
	assert.Equal(t, recovery.ResetCleanCloud, l.r.Reset.Step)
}

// draw is any event at all, and most often one that answers what is pending.
func (l *life) draw(t *rapid.T) recovery.Event {
	vms := []string{cacheVM, cloudVM, esxi}
	services := []component.Service{"", component.CloudCache, component.CloudGateway, component.IOFilter}
	causes := []recovery.Cause{
		recovery.Unknown, recovery.Crashed, recovery.Hung, recovery.Restarted, recovery.Rebooted, recovery.VMDown,
		recovery.HostDown, recovery.HostRestarted, recovery.FilterRestarted,
	}
	failure := rapid.Custom(func(t *rapid.T) recovery.Failure {
		return recovery.Failure{
			VM: rapid.SampledFrom(vms).Draw(t, "vm"), Service: rapid.SampledFrom(services).Draw(t, "service"),
			Cause: rapid.SampledFrom(causes).Draw(t, "cause"),
		}
	})
	key := "recovery-0/0/none"
	if l.pending != nil {
		key = l.pending.Key
	}
	class := rapid.SampledFrom([]vsphere.Class{vsphere.Retryable, vsphere.Unreachable, vsphere.Refused}).Draw(t, "class")
	some := rapid.SliceOfN(failure, 0, 3).Draw(t, "failures")
	return rapid.SampledFrom([]recovery.Event{
		recovery.Noticed{Failures: some},
		recovery.Probed{Key: key, Found: some, Link: rapid.Bool().Draw(t, "link")},
		recovery.LinkLost{Key: key}, recovery.LinkBack{Key: key, Still: some},
		recovery.Repaired{Key: key}, recovery.Failed{Key: key, Failure: migration.Failure{Class: class}},
		recovery.Returned{}, recovery.Looked{}, recovery.Booted{Epoch: rapid.IntRange(1, 5).Draw(t, "epoch")},
		recovery.Identified{}, recovery.StepDone{Key: key, Epoch: 1},
		recovery.ResetAsked{Epoch: 1, Order: recovery.ResetOrder{Force: rapid.Bool().Draw(t, "force")}},
	}).Draw(t, "event")
}

// calm answers everything well until nothing is left to do.
func (l *life) calm() {
	for range 100 {
		switch l.r.Phase {
		case recovery.Healthy, recovery.Unrecoverable:
			return
		case recovery.Returning:
			l.hear(recovery.Returned{})
			continue
		}
		require.NotEmpty(l.t, l.r.Effect, "in phase %q something is always being done", l.r.Phase)
		switch l.pending.Kind {
		case recovery.Probe:
			var found []recovery.Failure
			for _, f := range l.r.Failures {
				if f.Cause == recovery.Unknown {
					found = append(found, with(f, recovery.Crashed))
				}
			}
			l.found(found...)
		case recovery.AwaitLink:
			l.hear(recovery.LinkBack{Key: l.pending.Key})
		case recovery.Repair:
			l.repaired()
		case recovery.ResetOne:
			if l.r.Reset.Step == recovery.ResetAppliance {
				l.hear(recovery.Booted{Epoch: 100})
			} else {
				l.hear(recovery.StepDone{Key: l.pending.Key, Epoch: 1})
			}
		}
	}
}

func TestWhateverHappensARecoveryComesToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		l.affected = []migration.ID{"m-0001"}
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			l.hear(l.draw(t))
			if l.pending != nil && l.r.Effect != l.pending.Key {
				l.pending = nil
			}
		}
		l.calm()
		require.Contains(t, []recovery.Phase{recovery.Healthy, recovery.Unrecoverable}, l.r.Phase)
		require.Empty(t, l.r.Effect)
		if l.r.Phase == recovery.Unrecoverable {
			require.NotEmpty(t, l.r.Offered, "HDM says what helps")
			require.NotEmpty(t, l.r.Fatal)
			l.hear(recovery.ResetAsked{Epoch: 5})
			l.calm()
			require.Equal(t, recovery.Healthy, l.r.Phase)
		}
	})
}

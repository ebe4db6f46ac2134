package migration

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
)

var path = Reason{Code: CodeFailed, What: "its data path failed: Cloud Cache on HDM_Cloud_Cache-0", Fix: "order the migration again"}

// at is a migration of that type whose step is under way.
func at(t *testing.T, typ Type, step StepName) *script {
	t.Helper()
	s := beginOf(t, Order{VM: "db-01", Type: typ, Origin: FromMessage})
	for range 100 {
		if s.m.Step == step && s.m.State == Running {
			return s
		}
		s.proceed()
	}
	require.FailNow(t, "never came", "%s of %s", step, typ)
	return s
}

// everyStep runs f at each step of each table.
func everyStep(t *testing.T, f func(t *testing.T, typ Type, row Row, s *script)) {
	t.Helper()
	for _, typ := range []Type{Cold, Warm, TBC, Back, Recover} {
		for _, row := range Tables[typ] {
			t.Run(string(typ)+"/"+string(row.Step), func(t *testing.T) { f(t, typ, row, at(t, typ, row.Step)) })
		}
	}
}

// late is what an effect made that was to end.
const late vsphere.Ref = "VirtualMachine:late"

// ends has the effect that was told to stop end, in one of two ways.
func (s *script) ends(done bool) {
	if done {
		s.done(Result{Copy: late})
	} else {
		s.hear(EffectFailed{Key: s.pending.Key, Failure: Failure{Class: vsphere.Cancelled, Cancelled: true, What: "cancelled"}})
	}
}

func TestABrokenDataPathDoesWhatTheStepAllows(t *testing.T) { // REC-02, REC-12, A-24
	everyStep(t, func(t *testing.T, typ Type, row Row, s *script) {
		ran, image := s.m.begun(StartCompute), s.m.begun(StartImage)
		before, outstanding := len(s.effects), s.pending.Key
		v := s.hear(Broken{Why: path})
		switch {
		case typ == Recover, typ == Back && !s.m.Bound, typ == Warm && image:
			require.NotEmpty(t, v.Ignored, "it needs the data path no more")
			require.Equal(t, Completed, s.toTheEnd().m.State)
		case typ == Back || (typ == Warm || typ == TBC) && ran:
			require.Equal(t, Failed, s.m.State, "at once")
			require.Equal(t, outstanding, v.Cancel, "what is under way ends")
			require.Len(t, s.effects, before, "and nothing is undone")
			require.True(t, s.m.Bound && s.m.Remembered() || typ == Back, "for the migration that brings the VM back")
			require.NotEmpty(t, s.hear(EffectDone{Key: outstanding}).Ignored, "a late completion")
			require.Equal(t, path, s.m.Reasons[0])
			require.Equal(t, s.m.begun(TransferImage), s.m.LeftImage(), "what was transferred stays, and is listed")
		default:
			require.Equal(t, outstanding, v.Cancel)
			require.Equal(t, Running, s.m.State, "until what is under way has ended")
			s.ends(row.Step == StepPowerOn)
			s.toTheEnd()
			require.Equal(t, Failed, s.m.State)
			require.Equal(t, path, s.m.Reasons[0])
			require.False(t, s.m.Bound)
			if s.begun(ShutDown) {
				require.Contains(t, s.kinds(), RestartSource)
			}
			s.theSourceWaits()
		}
	})
}

func (s *script) begun(k Kind) bool { return s.m.begun(k) }

func TestWhatHasNotBegunIsNotBroken(t *testing.T) {
	for _, typ := range []Type{Cold, Warm, TBC} {
		s := beginOf(t, Order{VM: "db-01", Type: typ})
		require.NotEmpty(t, s.hear(Broken{Why: path}).Ignored, "it is being checked")
		s.proceed()
		require.Equal(t, Queued, s.m.State)
		require.NotEmpty(t, s.hear(Broken{Why: path}).Ignored, "queued migrations stay queued")
		require.Equal(t, Completed, s.toTheEnd().m.State)
	}
	for _, steps := range []int{0, 1} {
		s := beginOf(t, Order{VM: "db-01", Type: Back})
		for range steps {
			s.proceed()
		}
		s.hear(Broken{Why: path})
		require.Equal(t, Failed, s.m.State, "one that comes back comes back in another way")
		require.NotEmpty(t, s.hear(TurnCame{}).Ignored)
	}
}

func TestAMigrationThatWaitsForAWordFailsWithItsDataPath(t *testing.T) {
	for _, next := range []StepName{StepTransfer, StepReconcile, StepStop} {
		s := beginOf(t, warm(Order{}))
		for s.m.Next != next {
			s.proceed()
		}
		s.hear(Broken{Why: path})
		require.Equal(t, Failed, s.m.State, "%s", next)
		require.True(t, s.m.Bound)
		require.Equal(t, next != StepTransfer, s.m.LeftImage())
	}
}

func TestWhatIsBeingPutBackGoesOnWhenTheDataPathBreaks(t *testing.T) {
	s := at(t, TBC, StepBoot)
	s.fail(vsphere.Refused)
	require.Equal(t, Undoing, s.m.State)
	require.NotEmpty(t, s.hear(Broken{Why: path}).Ignored)
	require.Equal(t, Failed, s.toTheEnd().m.State)
	require.NotEmpty(t, s.hear(Broken{Why: path}).Ignored, "it is over")
}

func TestAMigrateBackThatIsBeingUndoneDoesNotPowerTheVMOnAgain(t *testing.T) { // MIG-13, REC-12
	for _, asked := range []bool{false, true} {
		s := at(t, Back, StepFlush)
		if asked {
			s.hear(CancelAsked{})
			s.ends(false)
		} else {
			s.fail(vsphere.Refused)
		}
		require.Equal(t, Undoing, s.m.State)
		require.Equal(t, StartCompute, s.pending.Kind)
		v := s.hear(Broken{Why: path})
		require.Equal(t, Failed, s.m.State)
		require.Equal(t, s.pending.Key, v.Cancel, "what powers it on ends")
		require.Empty(t, v.Effects)
	}
}

func TestWhatIsBeingPutBackComesBackInAnotherWayIfItsCacheHasLostIt(t *testing.T) {
	s := at(t, TBC, StepBoot)
	s.fail(vsphere.Refused)
	s.until(BringHome)
	v := s.hear(Broken{Why: path, Lost: true})
	require.Equal(t, Failed, s.m.State)
	require.Equal(t, s.pending.Key, v.Cancel)
	require.True(t, s.m.Bound, "for the migration that brings it back")

	s = at(t, TBC, StepPool) // nothing has written in the cloud
	s.fail(vsphere.Refused)
	require.Equal(t, Undoing, s.m.State)
	require.NotEmpty(t, s.hear(Broken{Why: path, Lost: true}).Ignored)
	require.Equal(t, Failed, s.toTheEnd().m.State)
}

func TestAResetOffersNobodyToDeleteTheImageThatTheVMMayRunFrom(t *testing.T) { // RST-03, REC-10
	for _, step := range []StepName{StepReboot, StepReboots, StepCleanUp} {
		s := at(t, Warm, step)
		s.hear(Abandoned{Why: path})
		require.Equal(t, Failed, s.m.State)
		require.False(t, s.m.LeftImage(), "%s", step)
		require.Len(t, s.m.Leftovers, 1)
	}
}

func TestAResetEndsWhatWaitsToBringAVMBack(t *testing.T) {
	for _, steps := range []int{0, 1} { // it is being checked, it is queued
		s := beginOf(t, Order{VM: "db-01", Type: Back})
		for range steps {
			s.proceed()
		}
		s.hear(Abandoned{Why: path})
		require.Equal(t, Failed, s.m.State)
	}
}

func TestAMigrationThatIsHeldDoesItsStepAgainAndUsesUpNoTry(t *testing.T) { // COLD-06, A-24
	everyStep(t, func(t *testing.T, typ Type, row Row, s *script) {
		for _, done := range []bool{false, true} {
			tries, retries, asked, key := s.m.Tries, s.m.Retries, len(s.effects), s.pending.Key
			v := s.hear(Held{})
			require.Equal(t, key, v.Cancel)
			require.True(t, s.m.Held)
			require.NotEmpty(t, s.hear(Held{}).Ignored)
			s.ends(done)
			require.Empty(t, s.m.Effect, "nothing is asked meanwhile")
			require.Equal(t, row.Step, s.m.Step)
			require.NotContains(t, []vsphere.Ref{s.m.Image, s.m.Copy, s.m.Clone}, late, "how it ended does not count")
			require.NotEmpty(t, s.hear(EffectDone{Key: key}).Ignored)
			require.Len(t, s.effects, asked)
			s.hear(Resumed{})
			if row.Redo == FromBeginning {
				require.Equal(t, row.Undo, s.pending.Kind, "from nothing")
				s.proceed()
			}
			require.Equal(t, row.Does, s.pending.Kind)
			require.NotEqual(t, key, s.pending.Key)
			require.Equal(t, []int{tries, retries}, []int{s.m.Tries, s.m.Retries})
			require.NotEmpty(t, s.hear(Resumed{}).Ignored)
		}
		require.Equal(t, Completed, s.toTheEnd().m.State)
	})
}

func TestOneThatResumesSoonerThanItsStepHasEndedWaitsForThat(t *testing.T) {
	s := at(t, Cold, StepTransfer)
	s.hear(Held{})
	s.hear(Resumed{})
	require.False(t, s.m.Held)
	require.True(t, s.m.Stopping)
	s.ends(true)
	require.Equal(t, DestroyCopy, s.pending.Kind, "two transfers are never under way")
	require.Equal(t, Completed, s.toTheEnd().m.State)
	require.NotEqual(t, late, s.m.Copy)
}

func TestAMigrationStaysHeldWhenTheApplianceRestarts(t *testing.T) {
	for _, ended := range []bool{false, true} {
		s := at(t, Cold, StepTransfer)
		s.hear(Held{})
		if ended {
			s.ends(false)
		}
		s.hear(Restarted{})
		require.True(t, s.m.Held)
		require.Empty(t, s.m.Effect)
		s.hear(Resumed{})
		require.Equal(t, DestroyCopy, s.pending.Kind)
		require.Zero(t, s.m.Tries)
		require.Equal(t, Completed, s.toTheEnd().m.State)
	}
}

func TestAMigrationThatIsHeldCanBeCancelled(t *testing.T) {
	for _, first := range []bool{false, true} {
		s := at(t, Cold, StepTransfer)
		s.hear(Held{})
		if first {
			s.ends(false)
		}
		require.Empty(t, s.hear(CancelAsked{}).Ignored)
		if !first {
			require.Equal(t, Running, s.m.State)
			s.ends(false)
		}
		require.Equal(t, Undoing, s.m.State)
		require.False(t, s.m.Held)
		require.Equal(t, Cancelled, s.toTheEnd().m.State)
		require.Contains(t, s.kinds(), RestartSource)
	}
}

func TestAMigrationThatIsHeldFailsWithItsHost(t *testing.T) { // ESX-01, A-24
	for _, restart := range []bool{false, true} {
		s := at(t, Cold, StepTransfer)
		s.hear(Held{})
		s.hear(Broken{Why: path})
		require.NotEmpty(t, s.hear(Held{}).Ignored)
		if restart {
			s.hear(Restarted{})
		} else {
			s.ends(false)
		}
		require.Equal(t, Undoing, s.m.State)
		require.Equal(t, Failed, s.toTheEnd().m.State)
		require.Equal(t, path, s.m.Reasons[0])
	}
}

func TestOnlyWhatRunsIsHeld(t *testing.T) {
	s := beginOf(t, Order{VM: "db-01", Type: Cold})
	require.NotEmpty(t, s.hear(Held{}).Ignored, "it is being checked")
	s.proceed()
	require.NotEmpty(t, s.hear(Held{}).Ignored, "it is queued")
	s.until(Transfer)
	s.hear(CancelAsked{})
	require.NotEmpty(t, s.hear(Held{}).Ignored, "it is about to be put back")
	s.ends(false)
	require.NotEmpty(t, s.hear(Held{}).Ignored, "it is being put back")
	s.toTheEnd()
	require.NotEmpty(t, s.hear(Held{}).Ignored)
}

func TestWhatAFailedSyncLeavesInTheCloudGoesWhenAUserSaysSo(t *testing.T) { // WARM-06
	s := at(t, Warm, StepReconcile)
	require.NotEmpty(t, s.hear(LeftoverDeleted{}).Ignored)
	s.fail(vsphere.Refused)
	s.toTheEnd()
	require.Equal(t, Failed, s.m.State)
	require.NotContains(t, s.kinds(), DestroyImage)
	require.Contains(t, s.kinds(), ConfirmOff, "but nobody runs it beside the source")
	require.True(t, s.m.LeftImage())
	assert.Contains(t, s.m.Leftovers[0].What, "have HDM delete it")
	require.Empty(t, s.hear(LeftoverDeleted{}).Ignored)
	require.False(t, s.m.LeftImage())
	require.Empty(t, s.m.Image)
	require.NotEmpty(t, s.hear(LeftoverDeleted{}).Ignored)

	s = at(t, Warm, StepReconcile)
	s.hear(CancelAsked{})
	s.ends(false)
	require.Equal(t, Cancelled, s.toTheEnd().m.State)
	require.Contains(t, s.kinds(), DestroyImage, "a cancel cleans up (A-19)")
	require.Empty(t, s.m.Leftovers)
}

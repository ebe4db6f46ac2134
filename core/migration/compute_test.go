package migration

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
)

// theSourceWaits: the source is never powered on while its VM may run in the
// cloud, or what it wrote there is not on premises (MIG-13). The effects tell:
// a compute VM that was started must have been stopped, and its data brought
// home, and an image must have been found off.
func (s *script) theSourceWaits() {
	done := map[Kind]bool{}
	for _, e := range s.effects {
		switch e.Kind {
		case StartCompute, StartImage, PowerOnCopy:
			done[e.Kind] = true
			delete(done, StopCompute)
			delete(done, BringHome)
			delete(done, ConfirmOff)
		case StopCompute, BringHome, ConfirmOff:
			done[e.Kind] = true
		case RestartSource:
			if done[StartCompute] {
				require.True(s.t, done[StopCompute] && done[BringHome], "the source starts before the compute VM's writes are home")
			}
			if done[StartImage] || done[PowerOnCopy] {
				require.True(s.t, done[ConfirmOff], "the source starts beside a copy")
			}
		}
	}
}

func warm(o Order) Order {
	o.VM, o.Type = "db-01", Warm
	return o
}

func TestAWarmMigrationFromVCenterWaitsForEachOfItsThreeWords(t *testing.T) { // MIG-10
	s := beginOf(t, warm(Order{}))
	for _, expected := range []struct {
		word  Word
		early []Word
		next  StepName
	}{
		{StartTransfer, []Word{Commit, BulkDone}, StepTransfer},
		{ConfigureSync, []Word{Commit, StartTransfer, BulkDone}, StepReconcile},
		{Commit, []Word{ConfigureSync, StartTransfer, BulkDone}, StepStop},
	} {
		for s.m.State != Waiting {
			for _, w := range []Word{StartTransfer, ConfigureSync, Commit} {
				require.NotEmpty(t, s.hear(Said{Word: w}).Ignored, "%s in %s", w, s.m.Step)
			}
			s.proceed()
		}
		require.Equal(t, expected.next, s.m.Next)
		for _, w := range expected.early {
			require.NotEmpty(t, s.hear(Said{Word: w}).Ignored, "%s before %s", w, expected.word)
		}
		require.Empty(t, s.hear(Said{Word: expected.word}).Ignored)
		require.Equal(t, expected.next, s.m.Step)
	}
	s.toTheEnd()
	assert.Equal(t, Completed, s.m.State)
	assert.False(t, s.m.Bound, "commit leaves no HDM configuration behind")
	assert.Empty(t, s.m.Leftovers)
}

func TestAWarmMigrationRunsTheGuidesStepsInOrder(t *testing.T) { // WARM-03
	s := beginOf(t, warm(Order{Origin: FromMessage})).toTheEnd()
	assert.Equal(t, Completed, s.m.State)
	assert.Equal(t, []Kind{
		Check, Check, Prepare, ApplyPolicy, ShutDown, TakeSnapshot, MakeClone, Bind, CreateCompute, MoveToPool, StartCompute, AwaitBoot,
		TransferImage, Reconcile, StopCompute, LastReconcile, ConnectNetwork, RenameImage, StartImage, AwaitBoot,
		Discard, DestroyCompute, RemoveClone, RemoveSnapshot,
	}, s.kinds(), "and by message it waits for nobody")
	assert.NotContains(t, s.states(), Waiting)
}

func (s *script) states() (all []State) {
	for _, m := range s.moves {
		all = append(all, m.To)
	}
	return slices.Compact(all)
}

func TestDataThatComesByOtherMeansIsWaitedFor(t *testing.T) { // WARM-07, SQS-05
	for name, c := range map[string]struct {
		order Order
		word  Word
	}{
		"by message":                     {Order{Origin: FromMessage, Offline: true}, BulkDone},
		"from vCenter":                   {Order{Offline: true}, ConfigureSync},
		"from vCenter, though not asked": {Order{}, ConfigureSync},
	} {
		t.Run(name, func(t *testing.T) {
			s := beginOf(t, warm(c.order))
			for s.m.State != Waiting {
				s.proceed()
			}
			require.NotEmpty(t, s.hear(Said{Word: c.word}).Ignored, "it is not there")
			require.Equal(t, Waiting, s.m.State)
			require.Empty(t, s.hear(Said{Word: c.word, Image: "VirtualMachine:vm-8"}).Ignored)
			require.Equal(t, StepReconcile, s.m.Step)
			s.toTheEnd()
			assert.Equal(t, Completed, s.m.State)
			assert.NotContains(t, s.kinds(), TransferImage)
			assert.EqualValues(t, "VirtualMachine:vm-8", s.m.Image)
		})
	}
}

func TestARestartEndsAWarmMigrationDuringItsComputeVMOnly(t *testing.T) { // APP-03, APP-04, APP-05
	for _, typ := range []Type{Warm, TBC} {
		for _, row := range Tables[typ][1:] {
			s := beginOf(t, Order{VM: "db-01", Type: typ, Origin: FromMessage})
			for s.m.Step != row.Step || s.m.State != Running {
				s.proceed()
			}
			s.hear(Restarted{})
			if row.Restart == Fails {
				require.Equal(t, Undoing, s.m.State, "%s", row.Step)
				s.toTheEnd()
				assert.Equal(t, Failed, s.m.State)
				continue
			}
			s.toTheEnd()
			assert.Equal(t, Completed, s.m.State, "%s %s", typ, row.Step)
		}
	}
	fails := []StepName{}
	for _, row := range WarmTable {
		if row.Restart == Fails {
			fails = append(fails, row.Step)
		}
	}
	assert.Equal(t, []StepName{StepBind, StepCompute, StepPool, StepPowerOn, StepBoot}, fails)
}

func TestWhateverStepFailsForGoodTheSourceComesBackWithEveryWrite(t *testing.T) {
	for _, typ := range []Type{Warm, TBC} {
		for _, row := range Tables[typ][1:] {
			if row.Failure != Undoes {
				continue
			}
			s := beginOf(t, Order{VM: "db-01", Type: typ, Origin: FromMessage})
			for s.m.Step != row.Step || s.m.State != Running {
				s.proceed()
			}
			s.fail(vsphere.Refused)
			s.toTheEnd()
			require.Equal(t, Failed, s.m.State, "%s", row.Step)
			require.False(t, s.m.Bound, "%s", row.Step)
			s.theSourceWaits()
			for _, begun := range Tables[typ][:Tables[typ].index(row.Step)+1] {
				switch {
				case begun.Undo == DestroyImage && begun.Step != row.Step: // WARM-06
					require.NotContains(t, s.kinds(), DestroyImage, "%s", row.Step)
					require.True(t, s.m.LeftImage(), "%s", row.Step)
				case begun.Undo != Nothing:
					require.Contains(t, s.kinds(), begun.Undo, "%s", row.Step)
				}
			}
		}
	}
}

func TestAnImageThatRunsIsTheVMAndTheRestIsCleanedUp(t *testing.T) {
	s := beginOf(t, warm(Order{Origin: FromMessage})).until(StartImage)
	s.fail(vsphere.Refused)
	require.Equal(t, ConfirmOff, s.pending.Kind)
	s.done(Result{Running: true})
	require.Equal(t, Running, s.m.State)
	require.Equal(t, StepReboots, s.m.Step)
	s.toTheEnd()
	assert.Equal(t, Completed, s.m.State)
	assert.Contains(t, s.kinds(), DestroyCompute)
	assert.NotContains(t, s.kinds(), RestartSource)
}

func TestWhatCannotBeCleanedUpAfterTheRebootIsListed(t *testing.T) {
	s := beginOf(t, warm(Order{Origin: FromMessage})).until(RemoveClone)
	require.NotEmpty(t, s.hear(CancelAsked{}).Ignored, "nothing can be taken back any more")
	s.fail(vsphere.Refused)
	s.toTheEnd()
	assert.Equal(t, Completed, s.m.State)
	require.Len(t, s.m.Leftovers, 1)
	assert.Equal(t, RemoveClone, s.m.Leftovers[0].Does)
	assert.Contains(t, s.kinds(), RemoveSnapshot)
}

func TestAnImageWhoseGuestDoesNotComeUpIsLeftAsItIs(t *testing.T) { // BOOT-01
	s := beginOf(t, warm(Order{Origin: FromMessage}))
	for s.m.Step != StepReboots {
		s.proceed()
	}
	s.fail(vsphere.Refused)
	assert.Equal(t, Failed, s.m.State)
	assert.NotContains(t, s.kinds(), DestroyCompute, "a person may still need it")
	assert.NotContains(t, s.kinds(), RestartSource)
}

func TestATriedVMStaysBoundUntilItIsBroughtBack(t *testing.T) { // TBC-01, BACK-03
	s := beginOf(t, Order{VM: "db-01", Type: TBC}).toTheEnd()
	require.Equal(t, Completed, s.m.State)
	require.True(t, s.m.Bound && s.m.Remembered())
	assert.NotContains(t, s.kinds(), TransferImage)
	require.NotEmpty(t, s.hear(FlushDone{Number: 0}).Ignored)
	require.Empty(t, s.hear(FlushDone{Number: 1, At: start}).Ignored)
	require.NotEmpty(t, s.hear(FlushDone{Number: 1, At: start}).Ignored, "numbers rise")

	back := beginOf(t, Order{VM: "db-01", Type: Back}).toTheEnd()
	assert.Equal(t, Completed, back.m.State)
	assert.False(t, back.m.Bound)
	assert.Equal(t, []Kind{Check, Check, StopCompute, FinalFlush, Release, ReturnToPool, RemoveSnapshot, DestroyCompute}, back.kinds(),
		"the source stays off until somebody powers it on")
	assert.Empty(t, s.hear(CameBack{By: back.m.ID}).Ignored)
	assert.False(t, s.m.Bound)
	assert.NotEmpty(t, s.hear(CameBack{By: back.m.ID}).Ignored)
}

func TestAVMThatCannotBeBroughtBackGoesOnInTheCloud(t *testing.T) { // BACK-03
	for _, kind := range []Kind{StopCompute, FinalFlush} {
		s := beginOf(t, Order{VM: "db-01", Type: Back}).until(kind)
		s.fail(vsphere.Refused)
		s.toTheEnd()
		assert.Equal(t, Failed, s.m.State)
		assert.Equal(t, StartCompute, s.kinds()[len(s.kinds())-1])
		assert.True(t, s.m.Bound)
	}
	s := beginOf(t, Order{VM: "db-01", Type: Back}).until(Release)
	s.fail(vsphere.Refused)
	assert.Equal(t, Failed, s.m.State)
	assert.NotContains(t, s.kinds(), StartCompute, "its disks may be gone: a person has to look")
	assert.Len(t, s.m.Leftovers, 1)
	s = beginOf(t, Order{VM: "db-01", Type: Back}).until(ReturnToPool)
	s.fail(vsphere.Refused)
	s.toTheEnd()
	assert.Equal(t, Completed, s.m.State, "it is home: what is left is listed")
	assert.NotContains(t, s.kinds(), StartCompute)
	assert.Len(t, s.m.Leftovers, 1)
}

func TestWhatRunsOnTheCloudCacheHasSlotsOfItsOwn(t *testing.T) { // DEP-03, A-29
	k := DefaultKnobs
	k.Cloud = Cloud{Mode: "standard standalone", Warm: 2, VMs: 3}
	f := fleet(Running, Waiting, Queued, Queued, Running, Queued)
	for i, typ := range []Type{Warm, Warm, TBC, Cold, Cold, Back} {
		f[i].Order.Type = typ
	}
	next := func(bound int) ID {
		id, _ := k.Next(f, bound)
		return id
	}
	assert.Equal(t, ID("m-0004"), next(0), "the cold one does not wait for the others")
	f[3].State = Running
	assert.Equal(t, ID("m-0003"), next(0), "one that waits for a word takes no slot")
	assert.Equal(t, ID("m-0006"), next(1), "but its VM counts in the cloud: the third is there")
	f[0].Order.Type, f[1].State = Warm, Running
	assert.Equal(t, ID("m-0006"), next(0), "two run; what comes back has slots of its own")
}

func TestWithoutACloudCacheOnlyColdIsTaken(t *testing.T) { // WARM-01
	code := func(c Cloud, typ Type) string {
		k := DefaultKnobs
		k.Cloud = c
		if why := k.Admit(Order{VM: "db-01", Type: typ}, nil); len(why) > 0 {
			return why[0].Code
		}
		return ""
	}
	for _, typ := range []Type{Warm, TBC} {
		assert.Equal(t, CodeDeployed, code(Cloud{}, typ))
		assert.Equal(t, CodeMode, code(Cloud{Mode: "appliance only"}, typ))
		assert.Empty(t, code(Cloud{Mode: "lite standalone", Warm: 2, VMs: 10}, typ))
	}
	assert.Empty(t, code(Cloud{}, Cold))
}

func TestWhatSomebodyStartedByHandIsLookedForBeforeTheSourceStarts(t *testing.T) { // MIG-13
	for _, typ := range []Type{Warm, TBC} {
		s := beginOf(t, Order{VM: "db-01", Type: typ, Origin: FromMessage}).until(MoveToPool)
		s.fail(vsphere.Refused)
		s.toTheEnd()
		kinds := s.kinds()
		stop, home := slices.Index(kinds, StopCompute), slices.Index(kinds, BringHome)
		require.True(t, stop >= 0 && stop < home, "%s: a compute VM that this migration did not start: %v", typ, kinds)
		require.Less(t, home, slices.Index(kinds, RestartSource))
	}
	s := beginOf(t, warm(Order{Origin: FromMessage})).until(Reconcile)
	s.fail(vsphere.Refused)
	require.Equal(t, ConfirmOff, s.pending.Kind, "an image that this migration did not start")
	s.done(Result{Running: true})
	assert.Equal(t, Failed, s.m.State)
	assert.True(t, s.m.Bound, "a person decides which of the two is the VM")
	assert.NotContains(t, s.kinds(), RestartSource)
}

func TestACloudCacheThatCouldNotBeDroppedBindsNothingOnceTheImageRuns(t *testing.T) {
	s := beginOf(t, warm(Order{Origin: FromMessage})).until(Discard)
	s.fail(vsphere.Refused)
	s.toTheEnd()
	assert.Equal(t, Completed, s.m.State)
	assert.Len(t, s.m.Leftovers, 1)
	assert.False(t, s.m.Bound, "else nobody could ever undeploy HDM")
}

func TestAMigrateBackIsForgottenWhateverBecameOfIt(t *testing.T) {
	of := beginOf(t, Order{VM: "db-01", Type: TBC}).toTheEnd().m
	back := NewBack(2, Order{VM: "db-01", Type: Back}, start, of)
	back.State, back.Reported = Refused, true
	assert.False(t, back.Remembered(), "the one that it was to bring back is remembered")
	assert.True(t, of.Remembered())
}

func TestAVMWhoseImageRunsIsNotBroughtBackOlder(t *testing.T) {
	m := beginOf(t, Order{VM: "db-01", Type: Back}).m
	m.Plan.Name = "db-01"
	pools := []vsphere.Pool{{Ref: "ResourcePool:1", Name: MigratePool}}
	source := vsphere.VM{Ref: "VirtualMachine:1", Pool: "ResourcePool:1", Power: vsphere.Off}
	compute, image := vsphere.VM{Ref: "VirtualMachine:2"}, vsphere.VM{Ref: "VirtualMachine:3", Name: "db-01", Power: vsphere.Off}
	require.Empty(t, AssessBack(m, source, compute, image, pools))
	require.Empty(t, AssessBack(m, source, compute, vsphere.VM{}, pools))
	image.Power = vsphere.On
	against := AssessBack(m, source, compute, image, pools)
	require.Len(t, against, 1)
	assert.Equal(t, CodePower, against[0].Code)
}

func TestWhatAPersonBroughtToTheCloudIsListedAndNotRemoved(t *testing.T) { // WARM-07
	s := beginOf(t, warm(Order{Origin: FromMessage, Offline: true})).until(StopCompute)
	s.fail(vsphere.Refused)
	s.toTheEnd()
	assert.Equal(t, Failed, s.m.State)
	assert.NotContains(t, s.kinds(), DestroyImage)
	require.Len(t, s.m.Leftovers, 1)
	assert.Equal(t, DestroyImage, s.m.Leftovers[0].Does)
}

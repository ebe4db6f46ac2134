package migration

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
)

// left is a migration whose VM runs in the cloud and whose data path broke.
func left(t require.TestingT) Migration {
	s := beginOf(t, Order{VM: "db-01", Type: Warm, Origin: FromMessage}).until(Reconcile)
	s.hear(Broken{Why: path})
	require.Equal(t, Failed, s.m.State)
	return s.m
}

func TestAVMIsBroughtBackStepByStep(t *testing.T) { // REC-04, REC-05
	of := left(t)
	m := NewRecover(2, start, of)
	assert.Equal(t, Queued, m.State, "nobody has to check it")
	assert.Equal(t, []any{of.ID, of.Copy, of.Clone, of.Image, of.Snapshot, of.Plan, of.Path, m.ID}, []any{m.Of, m.Copy, m.Clone, m.Image, m.Snapshot, m.Plan, m.Path, m.Group})
	s := recovering(t, of).toTheEnd()
	assert.Equal(t, Completed, s.m.State)
	assert.Equal(t, []Kind{PowerOffCompute, Salvage, Discard, Judge, EndTrial, MoveToRecovery, RemoveClone, DestroyCompute}, s.kinds(),
		"the snapshot and the image stay, and nothing is powered on")
	assert.False(t, s.m.Bound)
	assert.Equal(t, RecoverySuccessPool, s.m.RecoveryPool())
}

func recovering(t require.TestingT, of Migration) *script {
	return &script{t: t, m: NewRecover(2, start, of), now: Now{Wall: start}}
}

// upTo is at the step of that effect.
func (s *script) upTo(k Kind) *script {
	s.hear(TurnCame{})
	return s.until(k)
}

func TestOneThatDidNotComeBackByItselfIsBroughtBackForTheSameMigration(t *testing.T) {
	of := beginOf(t, Order{VM: "db-01", Type: TBC}).toTheEnd().m
	back := NewBack(2, Order{VM: "db-01", Type: Back}, start, of)
	back.State = Failed
	assert.Equal(t, of.ID, NewRecover(3, start, back).Of)
}

func TestNothingHappensUntilTheComputeVMIsOff(t *testing.T) { // MIG-13, A-05
	s := recovering(t, left(t)).upTo(PowerOffCompute)
	for range 1000 {
		s.fail(vsphere.Unreachable)
		require.Equal(t, PowerOffCompute, s.pending.Kind, "for as long as the cloud is out of reach")
	}
	require.Zero(t, s.m.Tries)
	for range 10 {
		require.Equal(t, PowerOffCompute, s.pending.Kind)
		s.fail(vsphere.Retryable)
	}
	require.Equal(t, Failed, s.m.State)
	require.True(t, s.m.Bound, "it can be tried again")
	require.Len(t, s.m.Leftovers, 1)
	require.NotContains(t, s.kinds(), MoveToRecovery)
}

func TestWhateverElseFailsTheVMEndsInAPool(t *testing.T) { // REC-05, REC-10
	for _, row := range RecoverTable[1:] {
		s := recovering(t, left(t)).upTo(row.Does)
		s.fail(vsphere.Refused)
		s.toTheEnd()
		require.Equal(t, Completed, s.m.State, "%s", row.Step)
		require.False(t, s.m.Bound)
		for _, later := range RecoverTable {
			require.Contains(t, s.kinds(), later.Does, "%s", row.Step)
		}
		switch row.Does {
		case Judge:
			require.Empty(t, s.m.Leftovers, "nothing is left: nobody knows")
			require.Equal(t, RecoveryFailedPool, s.m.RecoveryPool())
			require.Contains(t, s.m.Doubt, "no luck")
		case Discard:
			require.Equal(t, RecoveryFailedPool, s.m.RecoveryPool(), "what still holds its disks may write to them")
			require.Contains(t, s.m.Doubt, "no luck")
			fallthrough
		default:
			require.Len(t, s.m.Leftovers, 1)
		}
	}
}

func TestAVMThatMayNotBootIsInTheOtherPool(t *testing.T) { // REC-05, A-08
	s := recovering(t, left(t)).upTo(Judge)
	s.done(Result{Doubt: "its guest did not come up"})
	s.toTheEnd()
	assert.Equal(t, Completed, s.m.State)
	assert.Equal(t, RecoveryFailedPool, s.m.RecoveryPool())
	assert.Equal(t, "its guest did not come up", s.m.Doubt)
}

func TestARestartOfTheApplianceDuringARecoveryLosesNothing(t *testing.T) {
	for _, row := range RecoverTable {
		s := recovering(t, left(t)).upTo(row.Does)
		s.hear(Restarted{})
		if row.Redo == FromBeginning {
			require.Equal(t, row.Undo, s.pending.Kind, "what the dead appliance left is removed first")
			s.hear(Restarted{})
			require.Equal(t, row.Undo, s.pending.Kind)
			s.proceed()
		}
		require.Equal(t, row.Does, s.pending.Kind)
		require.Zero(t, s.m.Tries)
		s.toTheEnd()
		require.Equal(t, Completed, s.m.State)
		require.Equal(t, RecoverySuccessPool, s.m.RecoveryPool())
		require.Empty(t, s.m.Leftovers)
	}
}

func TestNobodyButHDMBringsAVMBackSo(t *testing.T) {
	k := DefaultKnobs
	k.Cloud = Cloud{Mode: "standard standalone", Warm: 8, VMs: 100}
	against := k.Admit(Order{VM: "db-01", Type: Recover}, nil)
	require.Len(t, against, 1)
	assert.Equal(t, CodeType, against[0].Code)
	assert.NotContains(t, Types, Recover)
	s := recovering(t, left(t))
	require.NotEmpty(t, s.hear(CancelAsked{}).Ignored)
	s.hear(TurnCame{})
	require.NotEmpty(t, s.hear(CancelAsked{}).Ignored)
}

func TestWhatHDMBringsBackHasSlotsOfItsOwn(t *testing.T) {
	k := DefaultKnobs // not even deployed
	f := fleet(Running, Queued, Queued)
	f[0].Order.Type, f[1].Order.Type, f[2].Order.Type = Cold, Recover, Recover
	id, _ := k.Next(f, 100)
	assert.Equal(t, ID("m-0002"), id)
	f[1].State = Running
	_, more := k.Next(f, 100)
	assert.False(t, more, "one at a time, without a deployment")
	k.Cloud.Warm = 2
	id, _ = k.Next(f, 100)
	assert.Equal(t, ID("m-0003"), id)
}

func TestAVMInARecoveryPoolCanBeMigratedAgain(t *testing.T) { // REC-07, A-28
	for _, pool := range []string{RecoverySuccessPool, RecoveryFailedPool} {
		o, s := world()
		s.OnPremises[0].Pool = "ResourcePool:recovery"
		s.OnPremises[0].Snapshots = []vsphere.Snapshot{{Name: "_hdm1", Description: "of the migration before"}}
		s.PremisesPools = append(s.PremisesPools, vsphere.Pool{Ref: "ResourcePool:recovery", Name: pool})
		plan, against := Assess(o, s)
		require.Empty(t, against, pool)
		assert.EqualValues(t, "ResourcePool:recovery", plan.HomePool, "and comes back to it")
	}
}

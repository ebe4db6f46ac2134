package oracle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/oracle"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
)

// returned is a VM on the cloud cache whose first flush is applied, and that a
// minute later a recovery brings back.
type returned struct {
	*tried
	back *oracle.BroughtBack
	pool string
	with string // which data HDM says that it is back with
}

func cameBack(t *testing.T) *returned {
	m := &returned{tried: trying(t), pool: "HDM_RECOVERY_SUCCESS", with: "with the data of its flush 1, cut at 2026-01-01 00:20:00"}
	flushed := m.oracles[0].(*oracle.Flushed)
	m.back = oracle.NewBroughtBack(oracle.Documented(), flushed)
	m.oracles = append(m.oracles, m.back)
	m.kernel.Emit(event.ApplianceUp, "appliance", "epoch", "1")
	m.kernel.Emit(event.Bound, "b-1", "vm", "c", "source", "on-premises/db-01", "quota", "1")
	m.kernel.Emit(event.VMSnapshot, "on-premises/db-01", "op", "created", "name", "_hdm1")
	m.cuts("1")
	onto(t, m.here, m.cut)
	m.applies("1")
	m.pass(time.Minute)
	return m
}

// recovers brings the VM back.
func (m *returned) recovers() {
	m.kernel.Emit(event.Recovery, "appliance", "number", "1", "phase", "returning")
	m.kernel.Emit(event.Migration, "m-0009", "vm", "db-01", "type", "recover", "from", "", "to", "queued")
	m.run.PowerOff()
	m.releases()
	m.kernel.Emit(event.VMPool, "on-premises/db-01", "pool", m.pool)
	m.kernel.Emit(event.Note, "appliance", "number", "1", "type", "com.hdm.vm.recovered", "text", "db-01 is back, off, in "+m.pool+": "+m.with)
	m.kernel.Emit(event.Migration, "m-0009", "vm", "db-01", "type", "recover", "from", "running", "to", "completed")
}

func TestAVMThatARecoveryBringsBackWithItsLastFlushIsAccepted(t *testing.T) {
	m := cameBack(t)
	m.recovers()
	assert.Empty(t, m.violations)
	assert.Equal(t, []string{"POL-06", "POL-08"}, m.back.Tested())
	require.Len(t, m.back.Losses(), 1)
	loss := m.back.Losses()[0]
	assert.Equal(t, "db-01", loss.VM)
	assert.Positive(t, loss.Blocks)
	assert.InDelta(t, 60, loss.Seconds, 1)
	assert.Equal(t, uint64(1), loss.Flush)
}

func TestAVMThatComesBackWithHalfOfANewerFlushIsRejected(t *testing.T) {
	m := cameBack(t)
	m.cuts("2")
	m.move(m.here, m.cut, m.last())
	m.recovers()
	require.Equal(t, []string{"brought-back POL-06"}, m.clauses())
	assert.Contains(t, m.violations[0].What, "is not what it was after flush 1, the last that was applied")
}

func TestAVMThatComesBackWithOneBlockOfItsLastFlushGoneIsRejected(t *testing.T) {
	m := cameBack(t)
	before := m.last()
	m.cuts("2")
	onto(t, m.here, m.cut)
	m.applies("2")
	m.spoil(m.here, before)
	m.recovers()
	assert.Equal(t, []string{"brought-back POL-06"}, m.clauses())
}

func TestAFlushThatWasAppliedAndNotHeardOfIsTheLastOne(t *testing.T) {
	const whole = "with the data of its flush 2, which was under way when it failed and is whole"
	for _, h := range []struct {
		name, with string
		abandoned  bool
		broken     []string
	}{
		{"and told", whole, false, nil},
		{"and told, of a cache that gave it up", whole, true, nil},
		{"and the one before told", "with the data of its flush 1, cut at 2026-01-01 00:20:00", false, []string{"brought-back REC-04"}},
		{"and none told", "no flush of it had been applied", false, []string{"brought-back REC-04"}},
	} {
		t.Run(h.name, func(t *testing.T) {
			m := cameBack(t)
			m.cuts("2")
			onto(t, m.here, m.cut)
			if h.abandoned {
				m.kernel.Emit(event.FlushAbandoned, "b-1", "number", "2", "blocks", "1")
			}
			m.pass(time.Minute)
			m.with = h.with
			m.recovers()
			assert.Equal(t, h.broken, m.clauses())
			require.Len(t, m.back.Losses(), 1)
			loss := m.back.Losses()[0]
			assert.Equal(t, uint64(2), loss.Flush)
			assert.InDelta(t, 60, loss.Seconds, 1, "what it lost was written after that")
			alone := cameBack(t)
			alone.pass(time.Minute)
			alone.recovers()
			assert.Less(t, loss.Blocks, alone.back.Losses()[0].Blocks)
		})
	}
}

func TestAFlushThatHDMSaysItIsBackWithIsOnItsDisks(t *testing.T) { // REC-04
	m := cameBack(t)
	m.cuts("2")
	m.with = "with the data of its flush 2, which was under way when it failed and is whole"
	m.recovers()
	assert.Equal(t, []string{"brought-back REC-04"}, m.clauses())
}

func TestWhereAVMIsThatARecoveryBroughtBack(t *testing.T) {
	for _, h := range []struct {
		name, says string
		change     func(*returned)
	}{
		{"in its own pool", `it is in pool "Resources", not in HDM_RECOVERY_SUCCESS or HDM_RECOVERY_FAILED`, func(m *returned) { m.pool = "Resources" }},
		{"in the pool of those that do not boot, though nothing damaged it", "its image is that of a flush that was applied whole", func(m *returned) { m.pool = "HDM_RECOVERY_FAILED" }},
		{"on", "and it is on", func(m *returned) { m.kernel.Emit(event.VMPower, "on-premises/db-01", "state", "on") }},
		{"without its snapshot", "its migrate-time snapshot is gone", func(m *returned) {
			m.kernel.Emit(event.VMSnapshot, "on-premises/db-01", "op", "removed", "name", "_hdm1")
		}},
	} {
		t.Run(h.name, func(t *testing.T) {
			m := cameBack(t)
			h.change(m)
			m.recovers()
			require.Equal(t, []string{"brought-back REC-05"}, m.clauses())
			assert.Contains(t, m.violations[0].What, h.says)
		})
	}
}

func TestTheFailedPoolIsRightWhereStorageWasDamaged(t *testing.T) {
	m := cameBack(t)
	m.pool = "HDM_RECOVERY_FAILED"
	m.kernel.Emit(event.FaultBegan, "1", "kind", "storage-corrupt", "target", "db-01")
	m.spoil(m.here, m.last())
	m.recovers()
	assert.Empty(t, m.violations)
}

func TestALastFlushThatIsOlderThanItMayBeHasToBeTold(t *testing.T) {
	late := func(tells bool, wan, goesOn time.Duration) *returned {
		m := cameBack(t)
		if wan > 0 {
			m.kernel.Emit(event.LinkDown, "wan", "direction", "both")
			m.pass(wan)
			m.kernel.Emit(event.LinkUp, "wan", "direction", "both")
			m.kernel.Emit(event.Recovery, "appliance", "number", "1", "phase", "healthy")
		}
		m.pass(goesOn)
		if tells {
			m.kernel.Emit(event.Note, "appliance", "number", "1", "type", "com.hdm.flush.late", "text", "the last flush of db-01 is old")
		}
		m.kernel.Emit(event.ComponentDown, "HDM_Cloud_Cache-0", "site", "cloud", "boot", "1")
		m.recovers()
		return m
	}
	assert.Equal(t, []string{"brought-back POL-08"}, late(false, 0, 25*time.Minute).clauses())
	assert.Empty(t, late(true, 0, 25*time.Minute).clauses(), "HDM has said so")
	assert.Empty(t, late(false, 10*time.Minute, 15*time.Minute).clauses(), "an outage delayed it")
}

// move writes one block of a disk to another one.
func (m *returned) move(to, from *disk.Disk, block int64) {
	var data [disk.BlockSize]byte
	_, err := from.ReadAt(data[:], block*disk.BlockSize)
	require.NoError(m.t, err)
	_, err = to.WriteAt(data[:], block*disk.BlockSize)
	require.NoError(m.t, err)
	require.NoError(m.t, to.Flush())
}

func TestAVMThatAPersonPowersOnWhileItComesBackIsTheirs(t *testing.T) {
	m := cameBack(t)
	m.kernel.Emit(event.Migration, "m-0009", "vm", "db-01", "type", "recover", "from", "", "to", "queued")
	m.kernel.Emit(event.Step, "3", "what", "power", "vm", "on-premises/db-01", "state", "on")
	m.run.PowerOff()
	m.releases()
	m.kernel.Emit(event.VMPower, "on-premises/db-01", "state", "on")
	m.kernel.Emit(event.Migration, "m-0009", "vm", "db-01", "type", "recover", "from", "running", "to", "completed")
	assert.Empty(t, m.violations)
}

func TestAVMThatCouldNotBeTriedIsAcceptedInThePoolOfThoseThatMayNotBoot(t *testing.T) {
	m := cameBack(t)
	m.pool = "HDM_RECOVERY_FAILED"
	m.kernel.Emit(event.EffectEnded, "m-0009", "kind", "judge", "outcome", "refused")
	m.recovers()
	assert.Empty(t, m.violations)
}

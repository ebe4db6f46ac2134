package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
)

// lived is a live world whose migrations a test makes up.
func lived(t *testing.T) *Live {
	s, err := scenario.ParseServed("test.yaml", []byte("title: A test\nworld: pair\nsteps: []\n"))
	require.NoError(t, err)
	l, err := NewLive(s, Options{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// until lets the world come to a time.
func (l *Live) until(t *testing.T, at time.Duration) {
	require.NoError(t, l.st.driver.Run(at, nil))
}

func (l *Live) moved(id, vm, to string) {
	l.st.kernel.Emit(event.Migration, id, "vm", vm, "to", to)
}

// excused says whether a breach of a clause about vm-1 is laid on a person now.
func (l *Live) excused(oracle, clause string) bool {
	_, is := l.excuse(record.Violation{Oracle: oracle, Clauses: []string{clause}, At: l.st.kernel.Now(), Subject: "on-premises/vm-1"})
	return is
}

func TestARebootAccountsForTheNextMigrationAndNoOther(t *testing.T) {
	l := lived(t)
	assert.False(t, l.excused("no-lost-vm", "MIG-08"), "nobody did anything")
	l.By("RebootGuest", "vm-1")
	l.By("RebootGuest", "vm-2")
	l.moved("m-2", "vm-2", "running")
	l.moved("m-2", "vm-2", "completed")
	l.until(t, time.Minute)
	l.moved("m-1", "vm-1", "running")
	assert.True(t, l.excused("no-lost-vm", "MIG-08"), "while it runs")
	assert.False(t, l.excused("one-copy", "MIG-13"), "of another promise")
	l.moved("m-1", "vm-1", "cancelled")
	assert.True(t, l.excused("no-lost-vm", "MIG-08"), "once it is over")
	l.until(t, time.Hour)
	l.moved("m-3", "vm-1", "running")
	assert.False(t, l.excused("no-lost-vm", "MIG-08"), "the next but one")
	l.until(t, 2*time.Hour)
	l.By("ResetVM_Task", "vm-1")
	assert.True(t, l.excused("no-lost-vm", "MIG-08"), "done while it runs")
}

func TestADestroyedVMIsGoneHoweverManyMigrationsFollow(t *testing.T) {
	l := lived(t)
	l.By("Destroy_Task", "vm-1")
	for _, id := range []string{"m-1", "m-2"} {
		l.until(t, l.st.kernel.Now()+time.Minute)
		l.moved(id, "vm-1", "running")
		l.moved(id, "vm-1", "failed")
	}
	assert.True(t, l.excused("no-lost-vm", "REC-10"))
	assert.False(t, l.excused("no-lost-vm", "MIG-08"), "that is about a migration, which began long after")
}

func TestWhoTakesCommandsAwayAccountsForThoseOnly(t *testing.T) {
	l := lived(t)
	assert.False(t, l.excused("message-bus", "SQS-10"))
	l.ByQueue("ReceiveMessage", l.st.bus.queues[faults.Commands])
	assert.True(t, l.excused("message-bus", "SQS-10"))
	assert.False(t, l.excused("message-bus", "SQS-06"), "what is told of a migration is HDM's")
	assert.False(t, l.excused("no-lost-vm", "MIG-08"))
}

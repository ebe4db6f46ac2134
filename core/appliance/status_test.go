package appliance

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

func TestAMigrationThatIsAtNoStepIsNotNearlyDone(t *testing.T) {
	at := func(state migration.State, step migration.StepName, transferred int32) int32 {
		m := Status{Transfer: vsphere.Progress{Percent: transferred}}
		m.Order.Type, m.State, m.Step = migration.Cold, state, step
		return m.Percent()
	}
	for _, state := range []migration.State{migration.Checking, migration.Queued, migration.Undoing, migration.Failed, migration.Cancelled} {
		assert.EqualValues(t, 0, at(state, "", 0), state)
	}
	last := int32(-1)
	for _, row := range migration.ColdTable {
		now := at(migration.Running, row.Step, 0)
		assert.Greater(t, now, last, row.Step)
		last = now
	}
	assert.Less(t, last, int32(100))
	assert.Greater(t, at(migration.Running, migration.StepTransfer, 50), at(migration.Running, migration.StepTransfer, 0))
	assert.EqualValues(t, 100, at(migration.Completed, "", 0))
}

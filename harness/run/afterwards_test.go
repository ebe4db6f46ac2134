package run_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/reports/record"
)

func TestAMigrationWorksAfterARecovery(t *testing.T) {
	r, err := run.One(t.Context(), tried(t, "faults:\n  - {at: 30m, component-crash: {vm: HDM_Cloud_Cache-0, service: Cloud Cache}}\n"), run.Options{})
	require.NoError(t, err)
	require.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
	assert.Contains(t, r.Tested, "REC-11")
	require.Len(t, r.Losses, 1)
	assert.Equal(t, "vm-1", r.Losses[0].VM)
	assert.Less(t, r.Losses[0].Age, r.Losses[0].Bound)
}

func TestAMigrationWorksAfterAReset(t *testing.T) {
	r, err := run.One(t.Context(), tried(t, "faults:\n  - {at: 30m, iofilter-restart: {host: host-1}}\n"), run.Options{})
	require.NoError(t, err)
	require.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
	assert.Contains(t, r.Tested, "REC-08")
}

func TestARunWithoutARecoveryShowsNothingOfMigrationsAfterOne(t *testing.T) {
	r, err := run.One(t.Context(), tried(t, "faults:\n  - {at: 30m, clock-step: {by: 1h}}\n"), run.Options{})
	require.NoError(t, err)
	require.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
	assert.NotContains(t, r.Tested, "REC-11")
	assert.Empty(t, r.Losses)
}

func TestAMigrationThatFailsAfterARecoveryIsABreach(t *testing.T) {
	r, err := run.One(t.Context(), tried(t, "idle-faults: true\nfaults:\n  - {at: 30m, component-crash: {vm: HDM_Cloud_Cache-0, service: Cloud Cache}}\n"+
		"  - {at: 110m, call-error: {site: cloud, method: PowerOnVM_Task, count: 10000, fault: SystemError}}\n"), run.Options{})
	require.NoError(t, err)
	require.Equal(t, record.Failed, r.Verdict)
	require.NotEmpty(t, r.Violations)
	v := r.Violations[len(r.Violations)-1]
	assert.Equal(t, "liveness", v.Oracle)
	assert.Equal(t, []string{"REC-11"}, v.Clauses)
	assert.Contains(t, v.What, "of vm-2 is failed")
	assert.NotContains(t, r.Tested, "REC-11")
}

//go:build check && !race

package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestADatabaseSurvivesAThousandPowerCuts takes half a minute: `make crashes`
// runs it, as `make check` does, without the race detector, which has nothing
// to find in one goroutine.
func TestADatabaseSurvivesAThousandPowerCuts(t *testing.T) {
	const runs, each = 10, 100
	judged := 0
	for seed := range uint64(runs) {
		c := start(t, 1000+seed, variant{apart: seed%2 == 1, undo: seed%4 >= 2})
		require.NoError(t, c.run(each), "seed %d, at point %d", c.seed, c.points+c.restarts+1)
		judged += c.points + c.restarts
		t.Log(c)
	}
	require.GreaterOrEqual(t, judged, runs*each)
	t.Logf("%d power cuts judged: none lost a transaction, none left a damaged database", judged)
}

package scenarios

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheLedgerIsReadWhole(t *testing.T) {
	all := Ambiguities()
	require.GreaterOrEqual(t, len(all), 35)
	assert.Len(t, all, strings.Count(ledger, "\n| A-"), "no row is passed over")
	for i, a := range all {
		assert.Equal(t, fmt.Sprintf("A-%02d", i+1), a.ID)
		assert.NotEmpty(t, a.Question, a.ID)
		assert.NotEmpty(t, a.Settled, a.ID)
		assert.NotEmpty(t, a.Why, a.ID)
		assert.NotContains(t, a.Question+a.Settled+a.Why, " | ", a.ID)
	}
}

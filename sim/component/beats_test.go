package component

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
)

func TestAHeartbeatTakesWhatItIsLongWhateverTheOneBeforeTook(t *testing.T) {
	var known beats
	one := component.Heartbeat{VM: "vm", Boot: 1, Services: []component.Beat{{Name: component.CloudCache, Epoch: 9}}}
	later, wanting := one, one
	later.Services = []component.Beat{{Name: component.CloudCache, Epoch: 10}}
	wanting.FlushWanted = []string{"binding"}
	for _, b := range []component.Heartbeat{one, one, later, wanting, one} {
		encoded, err := component.Encode(b)
		require.NoError(t, err)
		size, err := known.sizeOf(b)
		require.NoError(t, err)
		assert.EqualValues(t, len(encoded), size)
	}
}

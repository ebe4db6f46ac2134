package component_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
)

func TestARestartThatNobodyHeardIsNoticedAtTheNextHeartbeat(t *testing.T) {
	beat := func(boot, epoch uint64) component.Heartbeat {
		return component.Heartbeat{VM: "vm", Boot: boot, Services: []component.Beat{{Name: component.CloudCache, Epoch: epoch}}}
	}
	for name, c := range map[string]struct {
		now  component.Heartbeat
		kind component.ChangeKind
	}{
		"another epoch": {beat(1, 4), component.Restarted}, "another boot": {beat(2, 4), component.Rebooted},
	} {
		var w component.Watch
		w.Recall(0, beat(1, 3), []component.Service{component.CloudCache})
		require.Empty(t, w.Heard(time.Second, beat(1, 3)), name)
		changes := w.Heard(2*time.Second, c.now)
		require.Len(t, changes, 1, name)
		assert.Equal(t, c.kind, changes[0].Kind, name)
		assert.Equal(t, c.now, w.Known("vm"), name)
	}
}

func TestSilenceIsProvenFromTheFirstHeartbeatThatDidNotCome(t *testing.T) { // WAN-01
	var w component.Watch
	for _, vm := range []string{"a", "b", "c"} {
		w.Expect(0, vm, []component.Service{component.CloudCache})
	}
	hear := func(at time.Duration, vm string) {
		w.Heard(at, component.Heartbeat{VM: vm, Boot: 1, Services: []component.Beat{{Name: component.CloudCache, Epoch: 1}}})
	}
	hear(91*time.Second, "a")
	hear(95*time.Second, "b")
	hear(20*time.Second, "c") // has been silent for longer: that says nothing of the others
	all := func(string) bool { return true }
	assert.Equal(t, 101*time.Second, w.Quiet(all))
	assert.Equal(t, 105*time.Second, w.Quiet(func(vm string) bool { return vm == "b" }))
	last, missed := w.Last("c", component.CloudCache)
	assert.Equal(t, 20*time.Second, last)
	assert.False(t, missed)
}

package wan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// stream sends pieces of these bytes at once and returns when each arrived; 0:
// never.
func stream(t *testing.T, q Quality, bytes ...int64) []time.Duration {
	k, l := world(t, q)
	s := l.Stream(ToCloud)
	at := make([]time.Duration, len(bytes))
	for i, n := range bytes {
		s.Send(n, func() { at[i] = k.Now() })
	}
	finish(t, k)
	return at
}

func TestAStreamIsCrossedOnePieceAfterAnother(t *testing.T) {
	at := stream(t, quality, 1000, 500)
	assert.Equal(t, []time.Duration{1010 * time.Millisecond, 1510 * time.Millisecond}, at)
}

func TestAStreamSharesTheBandwidthWithTransfers(t *testing.T) {
	var end *time.Duration
	k, l := world(t, quality)
	end = carry(k, l, 0, ToCloud, 1000)
	var at time.Duration
	l.Stream(ToCloud).Send(1000, func() { at = k.Now() })
	finish(t, k)
	assert.Equal(t, 2*time.Second+quality.Latency, at)
	assert.Equal(t, at, *end)
	assert.EqualValues(t, 2000, l.Carried(ToCloud))
}

func TestAnOutageLosesWhatIsOnAStreamAndNoMore(t *testing.T) {
	k, l := world(t, quality)
	s := l.Stream(ToCloud)
	var arrived []string
	var told []bool
	l.Watch(func(_ Direction, down bool) { told = append(told, down) })
	send := func(name string) bool { return s.Send(1000, func() { arrived = append(arrived, name) }) }
	assert.True(t, send("before"))
	k.After(1005*time.Millisecond, func() { // in the latency of the first, while the second crosses
		l.SetDown(ToCloud, true)
		l.SetDown(ToPremises, true)
	})
	assert.True(t, send("crossing"))
	k.After(2*time.Second, func() { assert.False(t, send("meanwhile")) })
	k.After(3*time.Second, func() {
		l.SetDown(Both, false)
		assert.True(t, send("after"))
	})
	finish(t, k)
	assert.Equal(t, []string{"after"}, arrived)
	assert.Equal(t, []bool{true, true, false}, told)
}

func TestPiecesOfAStreamStayInOrderWhereLossDelaysThem(t *testing.T) {
	at := stream(t, Quality{Latency: 10 * time.Millisecond, Bandwidth: 1 << 20, Loss: 0.5}, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	assert.IsNonDecreasing(t, at)
	assert.Greater(t, at[len(at)-1], 200*time.Millisecond, "one of them was sent again")
}

func TestAStreamHoldsSoMuchAndNoMore(t *testing.T) {
	k, l := world(t, Quality{Bandwidth: 1 << 40})
	s := l.Stream(ToCloud)
	assert.True(t, s.Send(MaxQueue, func() {}))
	assert.False(t, s.Send(1, func() {}))
	finish(t, k)
	assert.True(t, s.Send(1, func() {}))
}

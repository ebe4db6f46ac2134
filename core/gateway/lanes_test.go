package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// feed sends n messages of that size on a stream, as soon as there is room, and
// lets time pass until all have come.
func (l *testLink) feed(stream uint32, n, size int, most time.Duration) {
	end := l.now + most
	came := len(l.delivered[1])
	for i := range n {
		for l.ends[0].Send(numbered(stream, i, size)) != nil {
			require.Less(l.t, l.now, end, "no room for message %d", i)
			l.room[0] = false
			l.run(min(end, l.now+10*time.Millisecond))
		}
	}
	for len(l.delivered[1])-came < n {
		require.Less(l.t, l.now, end, "%d of %d came", len(l.delivered[1])-came, n)
		l.run(min(end, l.now+10*time.Millisecond))
	}
}

func TestLanesThatAreUpShareTheFrames(t *testing.T) {
	l := newTestLink(t, config(3), quality{latency: 10 * time.Millisecond}, 1)
	on := map[int]int{}
	l.onSent = func(side int, f Frame) { on[f.Lane] += side ^ 1 }
	l.lane(2, false)
	l.feed(1, 100, 1000, time.Minute)
	assert.InDelta(t, 50, on[0], 10)
	assert.InDelta(t, 50, on[1], 10)
	assert.Zero(t, on[2], "it is down")
}

func TestFramesOfALaneThatGoesDownAreSentOnAnotherAtOnce(t *testing.T) {
	l := newTestLink(t, config(2), quality{latency: 50 * time.Millisecond}, 1)
	l.run(time.Second)
	for n := range 4 {
		require.NoError(t, l.ends[0].Send(numbered(1, n, 100)))
	}
	l.run(l.now + 10*time.Millisecond)
	l.lane(0, false)
	l.run(l.now + 60*time.Millisecond)
	assert.Len(t, l.delivered[1], 4, "without waiting for a retry, which takes 200 ms")
}

func TestALaneThatIsSilentIsLeftAndComesBack(t *testing.T) {
	l := newTestLink(t, config(2), quality{latency: 10 * time.Millisecond}, 1)
	l.feed(1, 10, 1000, time.Minute)
	l.lanes[0].silent = true
	l.feed(1, 10, 1000, time.Second)
	began := l.now
	l.feed(1, 100, 1000, 3*time.Second)
	assert.Less(t, l.now-began, 2*time.Second, "messages go by the other lane, none waits for a retry")
	l.lanes[0].silent = false
	l.run(l.now + 2*time.Minute)
	on := map[int]int{}
	l.onSent = func(side int, f Frame) { on[f.Lane] += side ^ 1 }
	l.feed(1, 100, 1000, time.Minute)
	assert.InDelta(t, 50, on[0], 15, "it was asked, and answered")
}

func TestAnOutageUsesNothingUp(t *testing.T) {
	for name, outage := range map[string]func(l *testLink, down bool){
		"that is told": func(l *testLink, down bool) { l.lane(0, !down); l.lane(1, !down) },
		"that is not":  func(l *testLink, down bool) { l.lanes[0].silent, l.lanes[1].silent = down, down },
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLink(t, config(2), quality{latency: 10 * time.Millisecond}, 1)
			l.feed(1, 10, 1000, time.Minute)
			for n := range 20 {
				require.NoError(t, l.ends[0].Send(numbered(2, n, 1000)))
			}
			l.run(l.now + 5*time.Millisecond)
			outage(l, true)
			sent := l.sent
			l.run(l.now + 12*time.Hour)
			assert.Less(t, l.sent-sent, 2*12*60+100, "at most a frame a minute and lane, to see whether it is over")
			require.Len(t, l.delivered[1], 10)
			outage(l, false)
			l.run(l.now + 2*time.Minute)
			assert.Len(t, l.delivered[1], 30)
			assert.Empty(t, l.restarted[1])
		})
	}
}

func TestNothingIsSentWhileAllLanesAreDown(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: time.Millisecond}, 1)
	l.lane(0, false)
	require.NoError(t, l.ends[0].Send(numbered(1, 1, 10)))
	l.run(time.Hour)
	assert.Zero(t, l.sent)
	assert.Equal(t, Never, l.wake[0])
	l.lane(0, true)
	l.run(l.now + time.Second)
	assert.Len(t, l.delivered[1], 1)
}

func TestALossIsMendedBeforeARetryIfOthersOvertakeIt(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: 10 * time.Millisecond}, 1)
	l.feed(1, 10, 100, time.Minute)
	require.NoError(t, l.ends[0].Send(numbered(1, 1, 100)))
	l.lanes[0].silent = true
	l.run(l.now + 11*time.Millisecond)
	l.lanes[0].silent = false
	for n := range 5 {
		require.NoError(t, l.ends[0].Send(numbered(1, n+2, 100)))
	}
	l.run(l.now + 100*time.Millisecond)
	assert.Len(t, l.delivered[1], 16)
	assert.EqualValues(t, 1, l.ends[0].Stats().Resent)
}

func TestALongWayIsNotTakenForALoss(t *testing.T) {
	l := newTestLink(t, config(1), quality{latency: 900 * time.Millisecond}, 1)
	l.feed(1, 200, 1000, time.Hour)
	assert.Less(t, l.ends[0].Stats().Resent, int64(12), "of 200, while the time of a round trip was not known")
}

func TestTheWaitForAnAnswerFollowsTheWay(t *testing.T) {
	w := newTiming(time.Second)
	for range 4 {
		w.backOff()
	}
	assert.Equal(t, 16*time.Second, w.wait)
	for range 10 {
		w.backOff()
	}
	assert.Equal(t, maxRetry, w.wait, "never longer")
	for range 50 {
		w.sample(3 * time.Second)
	}
	assert.InDelta(t, float64(3*time.Second), float64(w.wait), float64(100*time.Millisecond))
	for range 100 {
		w.sample(time.Millisecond)
	}
	assert.Equal(t, time.Second, w.wait, "never shorter than Retry")
	w = newTiming(5 * time.Minute)
	w.backOff()
	assert.Equal(t, 5*time.Minute, w.wait)
}

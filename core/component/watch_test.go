package component

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func beat(boot, epoch uint64, names ...Service) Heartbeat {
	h := Heartbeat{VM: "HDM_Cloud_Cache-0", Boot: boot}
	for _, n := range names {
		h.Services = append(h.Services, Beat{Name: n, Epoch: epoch})
	}
	return h
}

func watchOf(now time.Duration) *Watch {
	w := &Watch{}
	w.Expect(now, "HDM_Cloud_Cache-0", []Service{CloudCache, IOInterceptor})
	return w
}

func TestAComponentIsMissedAfterTwoMinutesOfSilenceAndNotBefore(t *testing.T) {
	for _, c := range []struct {
		silence time.Duration
		missed  int
	}{
		{119 * time.Second, 0},
		{120*time.Second - 1, 0},
		{120 * time.Second, 2},
		{121 * time.Second, 2},
	} {
		w := watchOf(0)
		assert.Empty(t, w.Heard(time.Hour, beat(1, 1, CloudCache, IOInterceptor)))
		assert.Len(t, w.Look(time.Hour+c.silence), c.missed, "after %v", c.silence)
		assert.Len(t, w.Down(), c.missed, "after %v", c.silence)
	}
}

func TestEachComponentHasItsOwnSilence(t *testing.T) {
	w := watchOf(0)
	w.Heard(0, beat(1, 1, CloudCache, IOInterceptor))
	w.Heard(time.Minute, beat(1, 1, IOInterceptor))
	next, ok := w.Next()
	assert.True(t, ok)
	assert.Equal(t, 2*time.Minute, next)
	assert.Equal(t, []Change{{Missed, "HDM_Cloud_Cache-0", CloudCache}}, w.Look(2*time.Minute))
	assert.Empty(t, w.Look(2*time.Minute+time.Second), "told once")
	assert.Equal(t, []Change{{Back, "HDM_Cloud_Cache-0", CloudCache}}, w.Heard(150*time.Second, beat(1, 1, CloudCache, IOInterceptor)))
	assert.Empty(t, w.Down())
}

func TestARestartAndARebootAreNoticedHoweverShortTheSilence(t *testing.T) {
	w := watchOf(0)
	w.Heard(0, beat(1, 1, CloudCache, IOInterceptor))
	assert.Equal(t, []Change{{Restarted, "HDM_Cloud_Cache-0", CloudCache}},
		w.Heard(time.Second, Heartbeat{VM: "HDM_Cloud_Cache-0", Boot: 1, Services: []Beat{{CloudCache, 2}, {IOInterceptor, 1}}}))
	assert.Equal(t, []Change{{Rebooted, "HDM_Cloud_Cache-0", ""}}, w.Heard(2*time.Second, beat(2, 1, CloudCache, IOInterceptor)))
	assert.Empty(t, w.Heard(3*time.Second, beat(1, 1, CloudCache)), "a heartbeat of the boot before comes late")
	assert.Empty(t, w.Heard(4*time.Second, beat(2, 1, CloudCache)))
}

func TestAComponentThatWasNeverHeardHasItsFullTimeFromWhenItIsExpected(t *testing.T) {
	w := watchOf(time.Hour)
	assert.Len(t, w.Unheard(), 2)
	assert.Empty(t, w.Look(time.Hour+119*time.Second))
	assert.Len(t, w.Look(time.Hour+120*time.Second), 2)
	w.Expect(2*time.Hour, "HDM_Cloud_Cache-0", []Service{CloudCache})
	assert.Empty(t, w.Down(), "expected anew")
	w.Heard(2*time.Hour, Heartbeat{VM: "somebody", Boot: 1, Services: []Beat{{CloudCache, 1}}})
	assert.Len(t, w.Unheard(), 1)
	w.Forget("HDM_Cloud_Cache-0")
	_, ok := w.Next()
	assert.False(t, ok)
}

package migration

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheWaitForAGuestIsMeasuredOnTheClockOfTheBoot(t *testing.T) { // BOOT-01
	const all = 30 * time.Minute
	booting := func() *script {
		s := beginOf(t, Order{VM: "db-01", Type: TBC})
		s.now.Boot, s.now.Up = 1, time.Hour
		s.until(AwaitBoot)
		require.Equal(t, AwaitBoot, s.pending.Kind)
		return s
	}
	for name, step := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour, "not at all": 0} {
		t.Run("a wall clock that is stepped "+name+" changes nothing", func(t *testing.T) {
			s := booting()
			s.now.Wall = s.now.Wall.Add(10*time.Minute + step)
			s.now.Up += 10 * time.Minute
			assert.Equal(t, 20*time.Minute, s.m.BootLeft(all, s.now.Up))
		})
	}
	for _, c := range []struct {
		passed, left time.Duration // on the wall clock, until the appliance is up again
	}{
		{12 * time.Minute, 18 * time.Minute}, {time.Hour, 0},
		{-24 * time.Hour, all}, // it was stepped back: the wait is not prolonged
	} {
		t.Run("before a restart the wall clock tells: "+c.passed.String(), func(t *testing.T) {
			s := booting()
			s.now = Now{Wall: s.m.FirstOn.Add(c.passed), Up: time.Second, Boot: 2}
			s.hear(Restarted{})
			require.Equal(t, AwaitBoot, s.pending.Kind)
			assert.Equal(t, c.left, s.m.BootLeft(all, s.now.Up))
			s.now.Wall = s.now.Wall.Add(time.Hour) // and from then on it does not
			assert.Equal(t, max(c.left-time.Minute, 0), s.m.BootLeft(all, s.now.Up+time.Minute))
		})
	}
}

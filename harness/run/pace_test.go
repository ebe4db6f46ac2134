package run_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
)

// idle is a world in which a step is taken after five minutes of nothing.
const idle = "title: Later\nworld: pair\nsteps:\n  - {at: 5m, migrate: {vm: vm-1, type: cold, target: {networks: {VM Network: Cloud Net}}}}\n"

func TestAPacedRunTakesItsTimeEvenWhereNothingHappens(t *testing.T) {
	tests := []struct {
		name  string
		speed float64
		until time.Duration
		takes time.Duration
	}{
		{"idle, real time", 1, time.Minute, time.Minute},
		{"idle, tenfold", 10, time.Minute, 6 * time.Second},
		{"busy, tenfold", 10, 7 * time.Minute, 42 * time.Second},
		{"full speed", 0, 7 * time.Minute, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := play(t, parse(t, idle), run.Options{Speed: test.speed, Until: test.until})
				assert.InDelta(t, test.until.Seconds(), r.VirtualSeconds, 0)
				assert.InDelta(t, test.takes.Seconds(), time.Since(began).Seconds(), 0.001)
			})
		})
	}
}

func TestAPacedRunToItsEndTakesItsQuietTimeToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := play(t, parse(t, idle), run.Options{Speed: 60})
		assert.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
		assert.InDelta(t, r.VirtualSeconds/60, time.Since(began).Seconds(), 0.001)
	})
}

func TestTheLimitOfWallTimeIsThatOfTheWholeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := play(t, parse(t, idle), run.Options{Speed: 10, Limits: kernel.Limits{Wall: 20 * time.Second}})
		assert.Equal(t, record.Failed, r.Verdict)
		assert.Contains(t, r.Error, "limit of 20s wall time at virtual time ")
		assert.Equal(t, 20*time.Second, time.Since(began), "longer than it takes from one look at the end to the next")
	})
}

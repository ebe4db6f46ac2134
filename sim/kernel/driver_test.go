package kernel

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheHashIsTheSameAtEverySpeed(t *testing.T) {
	want := func() uint64 {
		k := newKernel(t, 3)
		busyWorld(k)
		finish(t, k)
		return k.Hash()
	}()
	drives := map[string]func(k *Kernel) error{
		"real time":    func(k *Kernel) error { return NewDriver(k, 1, Limits{}).Run(Forever, nil) },
		"sixtyfold":    func(k *Kernel) error { return NewDriver(k, 60, Limits{}).Run(Forever, nil) },
		"slow motion":  func(k *Kernel) error { return NewDriver(k, 0.01, Limits{}).Run(Forever, nil) },
		"step by step": stepThrough,
		"in legs": func(k *Kernel) error {
			d := NewDriver(k, 0, Limits{})
			for at := time.Duration(0); at < time.Minute; at += 7 * time.Millisecond {
				if err := d.Run(at, nil); err != nil {
					return err
				}
			}
			return d.Run(Forever, nil)
		},
		"changing": func(k *Kernel) error {
			d := NewDriver(k, 1, Limits{})
			done := make(chan bool)
			defer func() { <-done }()
			go func() {
				defer close(done)
				for i := range 50 {
					time.Sleep(13 * time.Millisecond)
					d.SetSpeed([]float64{0, 1, 7}[i%3])
					d.Pause()
					d.Step(2)
					time.Sleep(time.Millisecond)
					d.Resume()
				}
			}()
			return d.Run(Forever, nil)
		},
	}
	for name, drive := range drives {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := New(3)
				defer k.Close()
				busyWorld(k)
				require.NoError(t, drive(k))
				assert.Equal(t, want, k.Hash())
			})
		})
	}
}

// stepThrough runs a world in steps of 1, 2, 3 events, to its end.
func stepThrough(k *Kernel) error {
	d := NewDriver(k, 0, Limits{})
	d.Pause()
	done := make(chan error)
	go func() { done <- d.Run(Forever, nil) }()
	for n := 1; ; n++ {
		synctest.Wait()
		select {
		case err := <-done:
			return err
		default:
			d.Step(n)
		}
	}
}

// tick makes a world with an event each second, for ever.
func tick(k *Kernel) {
	k.Go("clock", func() {
		for {
			k.Sleep(time.Second)
		}
	})
}

// slow makes a world like tick's whose every event takes a second to compute.
func slow(k *Kernel) {
	k.Go("slow", func() {
		for {
			time.Sleep(time.Second) // the bubble's clock, not a wait
			k.Sleep(time.Second)
		}
	})
}

func TestPacedTimePassesAtTheSpeed(t *testing.T) {
	for _, speed := range []float64{0.5, 1, 60} {
		synctest.Test(t, func(t *testing.T) {
			k := New(1)
			defer k.Close()
			tick(k)
			began := time.Now()
			require.NoError(t, NewDriver(k, speed, Limits{}).Run(time.Minute, nil))
			assert.InDelta(t, 60/speed, time.Since(began).Seconds(), 0.001)
		})
	}
}

func TestFullSpeedDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		tick(k)
		began := time.Now()
		require.NoError(t, NewDriver(k, 0, Limits{}).Run(1000*time.Hour, nil))
		assert.Zero(t, time.Since(began))
		assert.Equal(t, 1000*time.Hour, k.Now())
	})
}

func TestAChangeOfSpeedStartsFromThePresent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		tick(k)
		d := NewDriver(k, 0, Limits{})
		k.After(time.Hour+time.Millisecond, func() { d.SetSpeed(1) }) // an hour at full speed owes nothing
		began := time.Now()
		require.NoError(t, d.Run(time.Hour+10*time.Second, nil))
		assert.InDelta(t, 10, time.Since(began).Seconds(), 0.01)

		k.After(time.Second, func() { d.SetSpeed(10) })
		began = time.Now()
		require.NoError(t, d.Run(k.Now()+11*time.Second, nil))
		assert.InDelta(t, 1+1, time.Since(began).Seconds(), 0.01)
	})
}

func TestAChangeOfSpeedBetweenEventsKeepsWhatHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		k.After(100*time.Second, func() {})
		d := NewDriver(k, 1, Limits{})
		go func() { time.Sleep(50 * time.Second); d.SetSpeed(10) }()
		began := time.Now()
		require.NoError(t, d.Run(100*time.Second, nil))
		assert.InDelta(t, 50+5, time.Since(began).Seconds(), 0.01)
	})
}

func TestAPauseStopsTheWorldUntilResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		tick(k)
		d := NewDriver(k, 1, Limits{})
		done := make(chan error)
		go func() { done <- d.Run(20*time.Second, nil) }()
		time.Sleep(10*time.Second + time.Millisecond)
		d.Pause()
		synctest.Wait()
		events := k.Events()
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, events, k.Events(), "paused")
		d.Step(3)
		synctest.Wait()
		assert.Equal(t, events+3, k.Events(), "three steps, at once, and no more")
		d.Resume()
		began := time.Now()
		require.NoError(t, <-done)
		assert.InDelta(t, 7, time.Since(began).Seconds(), 0.01, "goes on where the steps ended")
	})
}

// tenSeconds drives to until in legs of ten seconds, as those do who look at the
// world now and then.
func tenSeconds(d *Driver, k *Kernel, until time.Duration) error {
	for k.Now() < until {
		if err := d.Run(min(k.Now()+10*time.Second, until), nil); err != nil {
			return err
		}
	}
	return nil
}

func TestAnIdleStretchIsPacedToo(t *testing.T) {
	worlds := map[string]func(k *Kernel){
		"nothing at all":          func(*Kernel) {},
		"nothing for long":        func(k *Kernel) { k.After(time.Hour, func() {}) },
		"now and then":            func(k *Kernel) { k.After(13*time.Second, func() { k.After(28*time.Second, func() {}) }) },
		"an event at each end":    func(k *Kernel) { k.After(10*time.Second, func() {}); k.After(time.Minute, func() {}) },
		"something all the while": tick,
	}
	drives := map[string]func(d *Driver, k *Kernel) error{
		"in one leg": func(d *Driver, _ *Kernel) error { return d.Run(time.Minute, nil) },
		"in legs":    func(d *Driver, k *Kernel) error { return tenSeconds(d, k, time.Minute) },
	}
	for name, world := range worlds {
		for how, drive := range drives {
			for speed, want := range map[float64]time.Duration{0: 0, 1: time.Minute, 10: 6 * time.Second} {
				t.Run(fmt.Sprintf("%s/%s/speed %v", name, how, speed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						k := New(1)
						defer k.Close()
						world(k)
						began := time.Now()
						require.NoError(t, drive(NewDriver(k, speed, Limits{}), k))
						assert.InDelta(t, want.Seconds(), time.Since(began).Seconds(), 0.001)
						assert.Equal(t, time.Minute, k.Now())
					})
				})
			}
		}
	}
}

func TestThePaceIsKeptFromRunToRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		tick(k)
		d := NewDriver(k, 1, Limits{})
		began := time.Now()
		for k.Now() < time.Minute {
			require.NoError(t, d.Run(k.Now()+10*time.Second, nil))
			time.Sleep(3 * time.Second) // the caller's own work, in the bubble's time
		}
		assert.InDelta(t, 60+3, time.Since(began).Seconds(), 0.001, "work between two runs is made up for")
	})
}

func TestAForeverThatHasNothingLeftEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		began := time.Now()
		d := NewDriver(k, 1, Limits{})
		d.Pause()
		require.NoError(t, d.Run(Forever, nil))
		assert.Zero(t, time.Since(began))
		assert.Zero(t, k.Now())
	})
}

func TestAnIdleStretchObeysLikeAnEvent(t *testing.T) {
	const length = 100 * time.Second
	cases := map[string]struct {
		meanwhile func(d *Driver)
		takes     time.Duration
	}{
		"a change of speed": {func(d *Driver) { d.SetSpeed(10) }, 50*time.Second + 5*time.Second},
		"full speed":        {func(d *Driver) { d.SetSpeed(0) }, 50 * time.Second},
		"a pause":           {func(d *Driver) { d.Pause(); time.Sleep(time.Hour); d.Resume() }, time.Hour + length},
		"a change of speed within a pause": {
			func(d *Driver) { d.Pause(); d.SetSpeed(10); time.Sleep(time.Hour); d.Resume() }, time.Hour + 50*time.Second + 5*time.Second},
		"a step": {func(d *Driver) { d.Step(1) }, 50 * time.Second},
	}
	for name, c := range cases {
		for _, leg := range []string{"one leg", "legs"} {
			t.Run(name+"/"+leg, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					k := New(1)
					defer k.Close()
					d := NewDriver(k, 1, Limits{})
					began := time.Now()
					go func() { time.Sleep(length / 2); c.meanwhile(d) }()
					if leg == "one leg" {
						require.NoError(t, d.Run(length, nil))
					} else {
						require.NoError(t, tenSeconds(d, k, length))
					}
					assert.InDelta(t, c.takes.Seconds(), time.Since(began).Seconds(), 0.01)
				})
			})
		}
	}
}

func TestAPauseBetweenEventsKeepsWhatHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		k.After(100*time.Second, func() {})
		d := NewDriver(k, 1, Limits{})
		go func() {
			time.Sleep(60 * time.Second)
			d.Pause()
			time.Sleep(time.Hour)
			d.Resume()
		}()
		began := time.Now()
		require.NoError(t, d.Run(100*time.Second, nil))
		assert.InDelta(t, 3600+100, time.Since(began).Seconds(), 0.01)
	})
}

func TestAStepIsNotSpentOnAStretchWithoutEvents(t *testing.T) {
	for _, speed := range []float64{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			k := New(1)
			defer k.Close()
			for i := range 3 {
				k.At(time.Duration(i+1)*time.Minute, func() {})
			}
			d := NewDriver(k, speed, Limits{})
			d.Pause()
			done := make(chan error)
			go func() { done <- tenSeconds(d, k, time.Hour) }()
			for i := range 3 {
				synctest.Wait()
				assert.EqualValues(t, i, k.Events(), "paused")
				assert.Equal(t, time.Duration(i)*time.Minute, k.Now(), "nor does time go on")
				d.Step(1) // crosses five ends of legs, and runs the event behind them
			}
			synctest.Wait()
			assert.EqualValues(t, 3, k.Events())
			assert.Equal(t, 3*time.Minute, k.Now())
			d.SetSpeed(0)
			d.Resume()
			require.NoError(t, <-done)
			assert.Equal(t, time.Hour, k.Now())
		})
	}
}

func TestTheLimitOfWallTimeHoldsForAllRunsOfADriver(t *testing.T) {
	cases := map[string]struct {
		speed float64
		world func(k *Kernel)
	}{
		"at full speed":     {0, slow},
		"paced":             {1, tick},
		"paced, idle":       {1, func(*Kernel) {}},
		"paced, and behind": {10, slow},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := New(5)
				defer k.Close()
				c.world(k)
				d := NewDriver(k, c.speed, Limits{Wall: time.Minute})
				time.Sleep(time.Hour) // before the first run: does not count
				began := time.Now()
				var limit *LimitError
				require.ErrorAs(t, tenSeconds(d, k, time.Hour), &limit)
				assert.Equal(t, "wall time", limit.Limit)
				assert.InDelta(t, 60, time.Since(began).Seconds(), 10, "at the latest in the next leg")
				assert.GreaterOrEqual(t, time.Since(began), time.Minute, "not before")
			})
		})
	}
}

func TestEachWatchdogFires(t *testing.T) {
	cases := map[string]struct {
		limits Limits
		speed  float64
		world  func(k *Kernel)
		says   string
	}{
		"events":       {Limits{Events: 10}, 0, tick, "limit of 10 events at virtual time 9s after 10 events (seed 5)"},
		"virtual time": {Limits{Virtual: time.Minute}, 0, tick, "limit of 1m0s virtual time at virtual time 1m0s"},
		"wall time":    {Limits{Wall: time.Minute}, 1, tick, "limit of 1m0s wall time at virtual time"},
		"wall time, between two events": {Limits{Wall: time.Minute}, 1,
			func(k *Kernel) { k.After(time.Hour, func() {}) }, "limit of 1m0s wall time at virtual time 0s after 0 events"},
		"wall time, at full speed": {Limits{Wall: time.Minute}, 0, slow, "limit of 1m0s wall time"},
		"events, spinning at one time": {Limits{Events: 1000}, 0, func(k *Kernel) {
			k.Go("spin", func() {
				for {
					k.Sleep(0)
				}
			})
		}, "limit of 1000 events at virtual time 0s"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := New(5)
				defer k.Close()
				c.world(k)
				err := NewDriver(k, c.speed, c.limits).Run(1000*time.Hour, nil)
				var limit *LimitError
				require.ErrorAs(t, err, &limit)
				assert.EqualValues(t, 5, limit.Seed)
				assert.ErrorContains(t, err, c.says)
				assert.Equal(t, err, k.Err(), "a run that hits a limit is a failure")
			})
		})
	}
}

func TestLimitsThatAreKeptDoNotFire(t *testing.T) {
	k := newKernel(t, 1)
	tick(k)
	require.NoError(t, NewDriver(k, 0, Limits{Events: 61, Virtual: time.Minute, Wall: time.Hour}).Run(time.Minute, nil))
}

func TestStopInterruptsAtEverySpeed(t *testing.T) {
	for name, set := range map[string]func(d *Driver){
		"full speed": func(d *Driver) { d.SetSpeed(0) },
		"paced":      func(d *Driver) { d.SetSpeed(0.001) },
		"paused":     func(d *Driver) { d.Pause() },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, 1)
			tick(k)
			d := NewDriver(k, 1, Limits{})
			set(d)
			stop := make(chan struct{})
			done := make(chan error)
			go func() { done <- d.Run(Forever, stop) }()
			close(stop)
			require.ErrorIs(t, <-done, ErrStopped)
			assert.NoError(t, k.Err(), "an interrupted world has not failed")
		})
	}
}

func TestTheClockStandsWhereTheRunWasToEnd(t *testing.T) {
	k := newKernel(t, 1)
	k.After(time.Second, func() {})
	d := NewDriver(k, 0, Limits{})
	require.NoError(t, d.Run(time.Minute, nil))
	assert.Equal(t, time.Minute, k.Now())
	require.NoError(t, d.Run(time.Second, nil))
	assert.Equal(t, time.Minute, k.Now(), "never back")
	require.NoError(t, d.Run(Forever, nil))
	assert.Equal(t, time.Minute, k.Now())
}

func TestAFailureEndsTheRunAtOnce(t *testing.T) {
	k := newKernel(t, 1)
	boom := errors.New("the world broke")
	k.After(time.Second, func() { k.Fail(boom) })
	k.After(time.Second, func() { t.Error("the world went on") })
	d := NewDriver(k, 0, Limits{})
	require.ErrorIs(t, d.Run(Forever, nil), boom)
	require.ErrorIs(t, d.Run(Forever, nil), boom, "and stays")
}

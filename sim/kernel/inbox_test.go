package kernel

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// guestbook is who came to a world, to come again.
type guestbook struct {
	marks    []Mark
	visitors []int
}

// call lets a visitor come.
func (g *guestbook) call(k *Kernel, d *Driver, visitor int) error {
	return d.Do(nil, func(m Mark) { // on the Driver's goroutine
		g.marks, g.visitors = append(g.marks, m), append(g.visitors, visitor)
		disturb(k, visitor)
	})
}

// visitors is a busy world, and people who do something to it.
type visitors struct {
	name  string
	speed float64
	come  func(d *Driver, call func(n int))
	until time.Duration
}

func manyVisitors() []visitors {
	each := func(gap time.Duration, then func(d *Driver)) func(*Driver, func(int)) {
		return func(d *Driver, call func(int)) {
			for n := range 20 {
				time.Sleep(gap)
				if then != nil {
					then(d)
				}
				call(n)
			}
		}
	}
	return []visitors{
		{"while it waits for the wall clock", 1, each(333*time.Millisecond, nil), 20 * time.Second},
		{"at the time of other events", 1, each(time.Second, nil), 30 * time.Second},
		{"while paused", 1, each(100*time.Millisecond, (*Driver).Pause), 2 * time.Second},
		{"while people change the pace", 3, each(150*time.Millisecond, func(d *Driver) { d.SetSpeed(7); d.Pause(); d.Step(2); d.Resume() }), 20 * time.Second},
		{"at full speed", 0, each(0, nil), time.Minute},
		{"two at once", 10, func(d *Driver, call func(int)) {
			var both sync.WaitGroup
			for n := range 20 {
				both.Go(func() { call(n) })
				if n%2 == 1 {
					time.Sleep(50 * time.Millisecond)
				}
			}
			both.Wait()
		}, 20 * time.Second},
	}
}

// disturb is what a visitor does: it is heard, and has consequences.
func disturb(k *Kernel, n int) {
	k.Emit("visitor", fmt.Sprint(n))
	k.After(time.Duration(n)*7*time.Millisecond, func() { k.Emit("visited", fmt.Sprint(n)) })
	k.Go("guest", func() { k.Sleep(time.Duration(k.Rand("guest").IntN(1000)) * time.Millisecond) })
}

func TestWhatIsDoneFromOutsideIsDoneAgainExactly(t *testing.T) {
	for _, v := range manyVisitors() {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := New(3)
				defer k.Close()
				busyWorld(k)
				tick(k)
				d := NewDriver(k, v.speed, Limits{})
				var book guestbook
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					v.come(d, func(n int) { assert.NoError(t, book.call(k, d, n)) })
					d.SetSpeed(0)
					d.Resume()
				}()
				require.NoError(t, d.Run(v.until, nil))
				for more := true; more; {
					select {
					case <-gone:
						more = false
					default:
						require.NoError(t, d.Run(k.Now()+v.until, nil))
					}
				}
				require.Len(t, book.marks, 20)
				want, end := k.Hash(), Mark{Events: k.Events(), At: k.Now(), Hash: k.Hash()}
				for _, speed := range []float64{0, 1, 60} {
					assert.Equal(t, want, comeAgain(t, speed, &book, end), "speed %v", speed)
				}
			})
		})
	}
}

// comeAgain runs the busy world once more with those visitors, to the end.
func comeAgain(t *testing.T, speed float64, book *guestbook, end Mark) uint64 {
	k := New(3)
	defer k.Close()
	busyWorld(k)
	tick(k)
	d := NewDriver(k, speed, Limits{})
	var steps []Again
	for i, m := range book.marks {
		steps = append(steps, Again{m, func() { disturb(k, book.visitors[i]) }})
	}
	d.Replay(append(steps, Again{Mark: end}))
	var err error
	for err == nil {
		err = d.Run(k.Now()+7*time.Second, nil)
	}
	require.ErrorIs(t, err, ErrEnded)
	assert.Equal(t, end.At, k.Now())
	assert.Equal(t, end.Events, k.Events())
	return k.Hash()
}

func TestAReplayThatDiffersSaysWhere(t *testing.T) {
	cases := map[string]struct {
		change func(s []Again)
		says   string
	}{
		"another visitor": {func(s []Again) { s[1].Fn = s[0].Fn }, "before outside step 3: after "},
		"one too late":    {func(s []Again) { s[1].At += time.Hour }, "before outside step 2: after "},
		"one too early":   {func(s []Again) { s[1].At = 0 }, "before outside step 2: after "},
		"out of order":    {func(s []Again) { s[1].Events = 1 }, "before outside step 2: after "},
		"another end":     {func(s []Again) { s[3].Hash++ }, "before outside step 4: after "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			world := func() (*Kernel, *Driver) {
				k := newKernel(t, 3)
				tick(k)
				return k, NewDriver(k, 0, Limits{})
			}
			steps := func(k *Kernel, marks []Mark) (s []Again) {
				for i, m := range marks {
					s = append(s, Again{m, func() { disturb(k, i) }})
				}
				s[len(s)-1].Fn = nil
				return s
			}
			k, d := world()
			var marks []Mark
			for n := range 3 {
				require.NoError(t, d.Run(k.Now()+10*time.Second, nil))
				marks = append(marks, k.mark(k.Now()))
				k.outside(k.Now(), func() { disturb(k, n) })
			}
			require.NoError(t, d.Run(k.Now()+10*time.Second, nil))
			marks = append(marks, k.mark(k.Now()))

			k, d = world()
			d.Replay(steps(k, marks))
			require.ErrorIs(t, d.Run(time.Hour, nil), ErrEnded, "unchanged it fits")

			k, d = world()
			changed := steps(k, marks)
			c.change(changed)
			d.Replay(changed)
			err := d.Run(3*time.Hour, nil)
			require.ErrorAs(t, err, new(*DivergedError))
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestACallFromOutsideFindsThePresentOfThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		k.After(time.Hour, func() {})
		d := NewDriver(k, 60, Limits{})
		ended := make(chan error)
		go func() { ended <- d.Run(2*time.Hour, nil) }()
		time.Sleep(30 * time.Second)
		require.NoError(t, d.Do(nil, func(m Mark) {
			assert.Equal(t, Mark{At: 30 * time.Minute, Hash: m.Hash}, m)
			assert.Equal(t, 30*time.Minute, k.Now())
		}))
		d.Pause()
		time.Sleep(time.Hour)
		require.NoError(t, d.Do(nil, func(m Mark) { assert.Equal(t, 30*time.Minute, m.At, "a pause holds the time") }))
		d.Resume()
		require.NoError(t, <-ended)
	})
}

func TestALookLeavesNothingInTheHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(3)
		defer k.Close()
		busyWorld(k)
		d := NewDriver(k, 1, Limits{})
		ended := make(chan error)
		go func() { ended <- d.Run(Forever, nil) }()
		for range 50 {
			time.Sleep(31 * time.Millisecond)
			events := uint64(0)
			require.NoError(t, d.Look(nil, func() { events = k.Events() }))
			assert.Positive(t, events)
		}
		require.NoError(t, <-ended)
		undisturbed := newKernel(t, 3)
		busyWorld(undisturbed)
		finish(t, undisturbed)
		assert.Equal(t, undisturbed.Hash(), k.Hash())
	})
}

func TestNobodyWaitsForAWorldThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		d := NewDriver(k, 1, Limits{})
		waits := make(chan error)
		go func() { waits <- d.Do(nil, func(Mark) { t.Error("it ran") }) }()
		synctest.Wait()
		d.Over()
		assert.ErrorIs(t, <-waits, ErrOver, "came before the end")
		assert.ErrorIs(t, d.Look(nil, func() { t.Error("it ran") }), ErrOver, "came after it")
	})
}

func TestWhoGoesAwayBeforeTheirTurnDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		d := NewDriver(k, 1, Limits{})
		gone := make(chan struct{})
		waits := make(chan error)
		go func() { waits <- d.Do(gone, func(Mark) { t.Error("it ran") }) }()
		synctest.Wait()
		close(gone)
		require.ErrorIs(t, <-waits, ErrWithdrawn)
		require.NoError(t, d.Run(time.Second, nil))
		assert.Zero(t, k.Events())
	})
}

func TestTheInboxHoldsOnlySoMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		d := NewDriver(k, 0, Limits{})
		ran := 0
		var all sync.WaitGroup
		for range maxInbox {
			all.Go(func() { assert.NoError(t, d.Do(nil, func(Mark) { ran++ })) })
		}
		synctest.Wait()
		assert.ErrorIs(t, d.Do(nil, func(Mark) {}), ErrInboxFull)
		require.NoError(t, d.Run(time.Second, nil))
		all.Wait()
		assert.Equal(t, maxInbox, ran)
	})
}

func TestAPanicOfACallFailsTheWorldAndNobodyHangs(t *testing.T) {
	for name, post := range map[string]func(d *Driver) error{
		"an event": func(d *Driver) error { return d.Do(nil, func(Mark) { divide(0) }) },
		"a look":   func(d *Driver) error { return d.Look(nil, func() { divide(0) }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := New(1)
				defer k.Close()
				tick(k)
				d := NewDriver(k, 1, Limits{})
				ended := make(chan error)
				go func() { ended <- d.Run(time.Hour, nil) }()
				assert.NoError(t, post(d))
				assert.ErrorAs(t, <-ended, new(*Panic))
			})
		})
	}
}

func TestCallsFromOutsideCountAgainstTheLimitOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		d := NewDriver(k, 1, Limits{Events: 3})
		ended := make(chan error)
		go func() { ended <- d.Run(time.Hour, nil) }()
		for range 3 {
			require.NoError(t, d.Do(nil, func(Mark) {}))
		}
		require.ErrorIs(t, func() error { defer d.Over(); return d.Do(nil, func(Mark) { t.Error("it ran") }) }(), ErrOver)
		assert.ErrorAs(t, <-ended, new(*LimitError))
	})
}

func TestAtFullSpeedTheEndOfARunWaitsForPeopleToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		d := NewDriver(k, 0, Limits{})
		until := Forever
		k.After(time.Second, func() { until = 2 * time.Second })
		d.Within(func() time.Duration { return until })
		ended, stop := make(chan error), make(chan struct{})
		go func() { ended <- d.Run(time.Hour, stop) }()
		synctest.Wait()
		require.NoError(t, d.Look(nil, func() { assert.Equal(t, time.Second, k.Now()) }))
		close(stop)
		require.ErrorIs(t, <-ended, ErrStopped)
	})
}

func TestAtFullSpeedAWorldThatWaitsForPeopleDoesNotRunAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1)
		defer k.Close()
		tick(k)
		d := NewDriver(k, 0, Limits{})
		until := 10 * time.Second
		d.Within(func() time.Duration { return until })
		ended, stop := make(chan error), make(chan struct{})
		go func() { ended <- d.Run(1000*time.Hour, stop) }()
		synctest.Wait()
		time.Sleep(time.Hour)
		now := func() (at time.Duration) {
			require.NoError(t, d.Look(nil, func() { at = k.Now() }))
			return at
		}
		assert.Equal(t, 10*time.Second, now(), "it waits at the horizon")
		require.NoError(t, d.Do(nil, func(m Mark) {
			assert.Equal(t, 10*time.Second, m.At)
			until = 20 * time.Second
		}))
		synctest.Wait()
		assert.Equal(t, 20*time.Second, now(), "a call moved it")
		require.NoError(t, d.Do(nil, func(Mark) {
			until = Forever
			k.After(time.Hour, func() { until = 0 })
		}))
		synctest.Wait()
		assert.InDelta(t, time.Hour.Seconds(), now().Seconds(), 300, "it went on while there was something to do, and not for long after")
		close(stop)
		require.ErrorIs(t, <-ended, ErrStopped)
	})
}

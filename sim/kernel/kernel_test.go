package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// newKernel is a kernel that the test closes.
func newKernel(t testing.TB, seed uint64) *Kernel {
	k := New(seed)
	t.Cleanup(k.Close)
	return k
}

// finish runs a world until nothing is left to do.
func finish(t testing.TB, k *Kernel) {
	t.Helper()
	require.NoError(t, NewDriver(k, 0, Limits{Events: 1e6}).Run(Forever, nil))
}

// diary notes who did something when.
type diary struct {
	k     *Kernel
	lines []string
}

func (d *diary) note(what string) { d.lines = append(d.lines, fmt.Sprintf("%v %s", d.k.Now(), what)) }

func TestEventsRunInOrderOfTimeThenOfScheduling(t *testing.T) {
	k := newKernel(t, 1)
	d := &diary{k: k}
	k.After(2*time.Second, func() { d.note("c") })
	k.After(time.Second, func() { d.note("a"); k.After(0, func() { d.note("after b") }) })
	k.After(time.Second, func() { d.note("b") })
	k.After(-time.Second, func() { d.note("now") })
	finish(t, k)
	assert.Equal(t, []string{"0s now", "1s a", "1s b", "1s after b", "2s c"}, d.lines)
}

func TestQueueIsASortByTimeAndSequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var want []entry
		at := rapid.SliceOfN(rapid.IntRange(0, 20), 0, 200).Draw(t, "at")
		pops := rapid.SliceOfN(rapid.Bool(), len(at), len(at)).Draw(t, "pops")
		less := func(a, b entry) int { return int(a.at-b.at)*1000 + int(a.seq) - int(b.seq) }
		check := func() {
			slices.SortFunc(want, less)
			require.Equal(t, want[0], *q.peek())
			require.Equal(t, want[0], q.pop())
			want = want[1:]
		}
		for i, at := range at {
			e := entry{at: time.Duration(at), seq: uint64(i)}
			q.push(e)
			want = append(want, e)
			if pops[i] {
				check()
			}
		}
		for len(want) > 0 {
			check()
		}
		require.Zero(t, q.len())
	})
}

func TestAStoppedTimerNeverRuns(t *testing.T) {
	k := newKernel(t, 1)
	timer := k.After(time.Second, func() { t.Error("it ran") })
	ran := k.After(time.Second, func() {})
	assert.True(t, timer.Stop())
	assert.False(t, timer.Stop(), "stopped before")
	finish(t, k)
	assert.False(t, ran.Stop(), "it has run")
	assert.EqualValues(t, 1, k.Events())
}

func TestATimeBeyondTheEndOfTimeNeverComes(t *testing.T) {
	k := newKernel(t, 1)
	k.After(time.Second, func() { k.After(1<<63-1, func() { t.Error("it ran") }) })
	k.Go("p", func() { k.Sleep(time.Second); k.Wait(1<<63-1, NewSignal(k)); t.Error("it went on") })
	require.NoError(t, NewDriver(k, 0, Limits{}).Run(1e6*time.Hour, nil))
}

// busyWorld is a world in which everything that the kernel offers interacts.
func busyWorld(k *Kernel) {
	box := NewMailbox[int](k, 3)
	quit := NewSignal(k)
	group := k.NewGroup()
	for i := range 5 {
		name := fmt.Sprintf("worker-%d", i)
		r := k.Rand(name)
		group.Go(name, func() {
			defer k.Emit("worker.ended", name)
			for !quit.Fired() {
				k.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
				if box.Send(i) {
					k.Emit("sent", name, "n", fmt.Sprint(i))
				}
				k.Wait(time.Duration(r.IntN(100))*time.Millisecond, quit, box)
			}
		})
	}
	k.Go("reader", func() {
		for n := 0; n < 40; n++ {
			if v, ok := box.Recv(50 * time.Millisecond); ok {
				k.Emit("received", "reader", "n", fmt.Sprint(v))
			}
			if r := k.Rand("chaos"); r.IntN(10) == 0 {
				k.After(time.Duration(r.IntN(50))*time.Millisecond, func() { k.Go("late", func() { k.Sleep(time.Second) }) })
			}
		}
		quit.Fire()
		k.Sleep(time.Second)
		group.Kill()
	})
}

func TestARunIsAFunctionOfItsSeed(t *testing.T) {
	run := func(seed uint64) (uint64, uint64) {
		k := New(seed)
		defer k.Close()
		busyWorld(k)
		finish(t, k)
		return k.Hash(), k.Events()
	}
	seen := map[uint64]uint64{}
	for seed := range uint64(20) {
		hash, events := run(seed)
		require.Greater(t, events, uint64(50), "the world does something")
		again, _ := run(seed)
		require.Equal(t, hash, again, "seed %d", seed)
		require.NotContains(t, seen, hash, "another seed is another run")
		seen[hash] = seed
	}
}

func TestTheHashTellsHistoriesApart(t *testing.T) {
	hash := func(build func(k *Kernel)) uint64 {
		k := newKernel(t, 1)
		build(k)
		finish(t, k)
		return k.Hash()
	}
	histories := map[string]func(k *Kernel){
		"nothing":          func(k *Kernel) {},
		"an event":         func(k *Kernel) { k.Emit("a", "b") },
		"its strings":      func(k *Kernel) { k.Emit("ab", "") },
		"an attribute":     func(k *Kernel) { k.Emit("a", "b", "c", "d") },
		"its bounds":       func(k *Kernel) { k.Emit("a", "b", "cd", "") },
		"another time":     func(k *Kernel) { k.After(time.Second, func() { k.Emit("a", "b") }) },
		"two events":       func(k *Kernel) { k.Emit("a", "b"); k.Emit("a", "b") },
		"a callback":       func(k *Kernel) { k.After(0, func() {}) },
		"a process":        func(k *Kernel) { k.Go("p", func() {}) },
		"a later process":  func(k *Kernel) { k.After(0, func() {}).Stop(); k.Go("p", func() {}) },
		"a waiting one":    func(k *Kernel) { k.Go("p", func() { k.Sleep(0) }) },
		"a longer waiting": func(k *Kernel) { k.Go("p", func() { k.Sleep(1) }) },
	}
	seen := map[uint64]string{}
	for name, build := range histories {
		h := hash(build)
		assert.Empty(t, seen[h], "same hash as %s", name)
		seen[h] = name
	}
}

func TestARandomStreamDependsOnSeedAndNameOnly(t *testing.T) {
	draw := func(r *rand.Rand) (v [8]uint64) {
		for i := range v {
			v[i] = r.Uint64()
		}
		return v
	}
	alone := draw(New(7).Rand("wan/loss"))

	k := New(7)
	draw(k.Rand("guest/db-01"))
	first := k.Rand("wan/loss").Uint64()
	draw(k.Rand("disk"))
	assert.Equal(t, alone[:2], []uint64{first, k.Rand("wan/loss").Uint64()}, "draws of others do not shift it")

	assert.NotEqual(t, alone, draw(New(8).Rand("wan/loss")), "another seed")
	assert.NotEqual(t, alone, draw(New(7).Rand("wan/lost")), "another name")
}

func TestAPanicIsReportedWithProcessTimeAndStack(t *testing.T) {
	cases := map[string]struct {
		build func(k *Kernel)
		proc  string
	}{
		"in a process":  {func(k *Kernel) { k.Go("copier", func() { k.Sleep(time.Second); divide(0) }) }, "copier"},
		"in a callback": {func(k *Kernel) { k.After(time.Second, func() { divide(0) }) }, "callback"},
		"in a deferred function of a killed process": {func(k *Kernel) {
			p := k.Go("victim", func() { defer divide(0); k.Sleep(time.Hour) })
			k.After(time.Second, p.Kill)
		}, "victim"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, 1)
			c.build(k)
			k.After(2*time.Second, func() { t.Error("the world went on") })
			err := NewDriver(k, 0, Limits{}).Run(Forever, nil)
			var p *Panic
			require.ErrorAs(t, err, &p)
			assert.Equal(t, c.proc, p.Proc)
			assert.Equal(t, time.Second, p.At)
			assert.Contains(t, p.Stack, "divide", "the stack of where it happened")
			assert.Contains(t, p.Error(), "panic in "+c.proc+" at 1s: runtime error: integer divide by zero")
			assert.Same(t, p, k.Err())
		})
	}
}

//go:noinline
func divide(n int) int { return 1 / n }

func TestTheFirstFailureStands(t *testing.T) {
	k := newKernel(t, 1)
	k.Fail(assert.AnError)
	k.Fail(ErrStopped)
	assert.ErrorIs(t, NewDriver(k, 0, Limits{}).Run(Forever, nil), assert.AnError)
}

func TestCodeThatMayNotWaitFailsTheWorldWhenItDoes(t *testing.T) {
	cases := map[string]struct {
		build func(k *Kernel)
		says  string
	}{
		"a callback": {func(k *Kernel) { k.After(0, func() { k.Sleep(1) }) }, "outside of a process"},
		"an observer": {func(k *Kernel) {
			k.Observe(func(Event) { k.Sleep(1) })
			k.Go("p", func() { k.Emit("a", "b") })
		}, "in an observer"},
		"a half attribute":    {func(k *Kernel) { k.Go("p", func() { k.Emit("a", "b", "c") }) }, "key without a value"},
		"a close from within": {func(k *Kernel) { k.Go("p", k.Close) }, "by a process of the world"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, 1)
			c.build(k)
			assert.ErrorContains(t, NewDriver(k, 0, Limits{}).Run(Forever, nil), c.says)
		})
	}
}

func TestObserversHearEveryEventInTheMiddleOfItsCause(t *testing.T) {
	k := newKernel(t, 1)
	var heard []Event
	k.Observe(func(e Event) { heard = append(heard, e) })
	k.Go("p", func() {
		k.Emit("vm.power", "onprem/db-01", "state", "on", "by", "test")
		require.Len(t, heard, 1, "told before Emit returns")
		k.Sleep(time.Second)
		k.Emit("vm.power", "onprem/db-01", "state", "off")
	})
	finish(t, k)
	require.Len(t, heard, 2)
	assert.Equal(t, Event{Seq: 1, Kind: "vm.power", Subject: "onprem/db-01", Attrs: []Attr{{"state", "on"}, {"by", "test"}}}, heard[0])
	assert.Equal(t, time.Second, heard[1].At)
	assert.Equal(t, "off", heard[1].Attr("state"))
	assert.Empty(t, heard[1].Attr("by"))
}

func TestCloseEndsEveryCoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	k := New(1)
	var ended []string
	for i := range 20 {
		k.Go("p", func() {
			defer func() { ended = append(ended, fmt.Sprint(i)) }()
			defer k.Go("child", func() { t.Error("started while closing") })
			k.Sleep(time.Hour)
		})
	}
	require.NoError(t, NewDriver(k, 0, Limits{}).Run(time.Minute, nil))
	k.Go("never ran", func() { t.Error("it ran") })
	k.Close()
	assert.Equal(t, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19", strings.Join(ended, " "), "in order of creation")
	// An ended coroutine's goroutine goes a moment after the switch out of it.
	for i := 0; runtime.NumGoroutine() > before; i++ {
		require.Less(t, i, 1_000_000, "coroutines are left: %d goroutines, %d before", runtime.NumGoroutine(), before)
		runtime.Gosched()
	}
	k.Close()
}

func BenchmarkProcesses(b *testing.B) {
	k := New(1)
	defer k.Close()
	for i := range 1000 {
		k.Go("p", func() {
			for {
				k.Sleep(time.Duration(i+1) * time.Microsecond)
			}
		})
	}
	d := NewDriver(k, 0, Limits{Events: uint64(b.N)})
	b.ResetTimer()
	_ = d.Run(Forever, nil)
}

func BenchmarkCallbacks(b *testing.B) {
	k := New(1)
	defer k.Close()
	var again func()
	again = func() { k.After(time.Microsecond, again) }
	again()
	d := NewDriver(k, 0, Limits{Events: uint64(b.N)})
	b.ResetTimer()
	_ = d.Run(Forever, nil)
}

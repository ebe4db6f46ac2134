package machine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
)

func newKernel(t *testing.T) *kernel.Kernel {
	k := kernel.New(1)
	t.Cleanup(k.Close)
	return k
}

func run(t *testing.T, k *kernel.Kernel, until time.Duration) {
	t.Helper()
	require.NoError(t, kernel.NewDriver(k, 0, kernel.Limits{Events: 1e5}).Run(until, nil))
}

func TestWhenThePowerGoesEveryProcessDies(t *testing.T) {
	k := newKernel(t)
	m := machine.New(k, "appliance")
	var ended []string
	live := func(name string, then func(ctx context.Context)) func(context.Context) {
		return func(ctx context.Context) {
			defer func() { ended = append(ended, name) }()
			then(ctx)
			_ = m.Sleep(ctx, time.Hour)
			t.Errorf("%s lives at %v", name, k.Now())
		}
	}
	m.Go(context.Background(), "parent", live("parent", func(ctx context.Context) {
		m.Go(ctx, "child", live("child", func(context.Context) {}))
		k.Go("call", func() { live("call", func(context.Context) {})(ctx) }) // what it starts by other means, too
	}))
	k.After(time.Minute, m.PowerOff)
	run(t, k, 2*time.Hour)
	assert.Equal(t, []string{"parent", "child", "call"}, ended)

	task := m.Go(context.Background(), "ghost", func(context.Context) { t.Error("it ran on a dead machine") })
	other := machine.New(k, "appliance")
	rebooted := false
	other.Go(context.Background(), "next boot", func(ctx context.Context) {
		assert.NoError(t, task.Wait(ctx), "what never ran has ended")
		rebooted = true
	})
	run(t, k, 3*time.Hour)
	assert.True(t, rebooted)
}

func TestAProcessThatCutsItsOwnPowerDoesNotGoOn(t *testing.T) {
	k := newKernel(t)
	m := machine.New(k, "appliance")
	other := false
	m.Go(context.Background(), "suicide", func(ctx context.Context) {
		_ = m.Sleep(ctx, time.Second)
		m.PowerOff()
		t.Error("it went on")
	})
	m.Go(context.Background(), "other", func(ctx context.Context) {
		defer func() { other = true }()
		_ = m.Sleep(ctx, time.Hour)
		t.Error("it lived")
	})
	run(t, k, kernel.Forever)
	assert.True(t, other)
	assert.Less(t, k.Now(), time.Hour)
}

func TestAClockStepMovesTheWallClockOnly(t *testing.T) {
	k := newKernel(t)
	k.After(time.Hour, func() {
		m := machine.New(k, "appliance")
		assert.Equal(t, machine.Epoch.Add(time.Hour), m.Now())
		assert.Zero(t, m.Elapsed(), "a boot begins at nought")
		m.StepClock(-30 * time.Minute)
		assert.Equal(t, machine.Epoch.Add(30*time.Minute), m.Now())
		assert.Zero(t, m.Elapsed())
	})
	run(t, k, kernel.Forever)
}

func TestMachinesDrawFromStreamsOfTheirOwn(t *testing.T) {
	k := newKernel(t)
	a, b := machine.New(k, "a"), machine.New(k, "b")
	assert.NotEqual(t, a.Rand("backoff").Uint64(), b.Rand("backoff").Uint64())
	assert.Same(t, a.Rand("backoff"), machine.New(k, "a").Rand("backoff"), "the next boot does not repeat the last one's luck")
}

func TestWaitEndsForWhicheverComesFirst(t *testing.T) {
	cases := map[string]struct {
		fire, cancel, timeout time.Duration
		want                  error
		at                    time.Duration
	}{
		"the thing":           {fire: 1, cancel: 2, timeout: 3, at: 1},
		"the cancellation":    {fire: 2, cancel: 1, timeout: 3, want: context.Canceled, at: 1},
		"the timeout":         {fire: 3, cancel: 2, timeout: 1, at: 1},
		"both at once":        {fire: 1, cancel: 1, timeout: 3, want: context.Canceled, at: 1},
		"cancelled before":    {fire: 2, cancel: -1, timeout: 3, want: context.Canceled},
		"there before":        {fire: -1, cancel: 2, timeout: 3},
		"both before":         {fire: -1, cancel: -1, timeout: 3, want: context.Canceled},
		"no timeout is given": {fire: 5, cancel: 9, timeout: kernel.Forever, at: 5},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			m := machine.New(k, "appliance")
			ctx, cancel := m.WithCancel(context.Background())
			thing := kernel.NewSignal(k)
			if k.At(max(c.fire, 0), thing.Fire); c.fire < 0 {
				thing.Fire()
			}
			if k.At(max(c.cancel, 0), cancel); c.cancel < 0 {
				cancel()
			}
			done := false
			k.Go("p", func() {
				err := machine.Wait(ctx, k, c.timeout, thing)
				assert.Equal(t, c.want, err)
				assert.Equal(t, c.at, k.Now())
				done = true
			})
			run(t, k, kernel.Forever)
			assert.True(t, done)
		})
	}
}

func TestAContextDerivedByALibraryStillWakesAWait(t *testing.T) {
	k := newKernel(t)
	m := machine.New(k, "appliance")
	ctx, cancel := m.WithCancel(context.Background())
	derived, stop := context.WithCancel(context.WithValue(ctx, "library's", "value")) //nolint:staticcheck
	defer stop()
	k.After(time.Second, cancel)
	var err error
	k.Go("p", func() { err = m.Sleep(derived, time.Hour) })
	run(t, k, kernel.Forever)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, time.Second, k.Now())
}

var _ runtime.Runtime = (*machine.Machine)(nil)

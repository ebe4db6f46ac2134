package machine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
)

// promises are what code in core may rely on, on every runtime.
var promises = map[string]func(t *testing.T, rt runtime.Runtime){
	"sleep lasts as long as it says": func(t *testing.T, rt runtime.Runtime) {
		began, at := rt.Elapsed(), rt.Now()
		assert.NoError(t, rt.Sleep(context.Background(), time.Hour))
		assert.Equal(t, time.Hour, rt.Elapsed()-began)
		assert.Equal(t, time.Hour, rt.Now().Sub(at))
	},
	"sleep of nothing returns at once": func(t *testing.T, rt runtime.Runtime) {
		assert.NoError(t, rt.Sleep(context.Background(), 0))
		assert.NoError(t, rt.Sleep(context.Background(), -time.Hour))
		assert.Zero(t, rt.Elapsed())
	},
	"sleep ends when it is cancelled": func(t *testing.T, rt runtime.Runtime) {
		ctx, cancel := rt.WithCancel(context.Background())
		rt.Go(context.Background(), "canceller", func(ctx context.Context) {
			assert.NoError(t, rt.Sleep(ctx, time.Minute))
			cancel()
		})
		assert.ErrorIs(t, rt.Sleep(ctx, time.Hour), context.Canceled)
		assert.Equal(t, time.Minute, rt.Elapsed())
	},
	"sleep of whom is cancelled already does not begin": func(t *testing.T, rt runtime.Runtime) {
		ctx, cancel := rt.WithCancel(context.Background())
		cancel()
		for range 20 {
			assert.ErrorIs(t, rt.Sleep(ctx, 0), context.Canceled)
		}
		assert.ErrorIs(t, rt.Sleep(ctx, time.Hour), context.Canceled)
		assert.Zero(t, rt.Elapsed())
	},
	"cancelling a parent cancels its children, not its siblings": func(t *testing.T, rt runtime.Runtime) {
		parent, cancel := rt.WithCancel(context.Background())
		child, cancelChild := rt.WithCancel(parent)
		grandchild, cancelGrandchild := rt.WithCancel(child)
		sibling, cancelSibling := rt.WithCancel(context.Background())
		defer func() { cancelChild(); cancelGrandchild(); cancelSibling() }()
		rt.Go(context.Background(), "canceller", func(ctx context.Context) {
			assert.NoError(t, rt.Sleep(ctx, time.Minute))
			cancel()
		})
		task := rt.Go(sibling, "sibling", func(ctx context.Context) { assert.NoError(t, rt.Sleep(ctx, time.Hour)) })
		assert.ErrorIs(t, rt.Sleep(grandchild, 2*time.Hour), context.Canceled)
		assert.Equal(t, time.Minute, rt.Elapsed())
		assert.NoError(t, task.Wait(context.Background()))
		assert.Equal(t, time.Hour, rt.Elapsed())
	},
	"siblings are cancelled apart": func(t *testing.T, rt runtime.Runtime) {
		parent, cancelParent := rt.WithCancel(context.Background())
		defer cancelParent()
		one, cancelOne := rt.WithCancel(parent)
		two, cancelTwo := rt.WithCancel(parent)
		defer cancelOne()
		cancelTwo()
		assert.NoError(t, rt.Sleep(one, time.Minute))
		assert.ErrorIs(t, rt.Sleep(two, time.Minute), context.Canceled)
	},
	"tasks run beside one another": func(t *testing.T, rt runtime.Runtime) {
		var tasks []runtime.Task
		for range 3 {
			tasks = append(tasks, rt.Go(context.Background(), "task", func(ctx context.Context) { assert.NoError(t, rt.Sleep(ctx, time.Hour)) }))
		}
		for _, task := range tasks {
			assert.NoError(t, task.Wait(context.Background()))
		}
		assert.Equal(t, time.Hour, rt.Elapsed())
	},
	"cancel of a task reaches the task alone": func(t *testing.T, rt runtime.Runtime) {
		cancelled := rt.Go(context.Background(), "cancelled", func(ctx context.Context) {
			assert.ErrorIs(t, rt.Sleep(ctx, time.Hour), context.Canceled)
		})
		other := rt.Go(context.Background(), "other", func(ctx context.Context) { assert.NoError(t, rt.Sleep(ctx, time.Hour)) })
		assert.NoError(t, rt.Sleep(context.Background(), time.Minute))
		cancelled.Cancel()
		assert.NoError(t, cancelled.Wait(context.Background()))
		assert.Equal(t, time.Minute, rt.Elapsed())
		assert.NoError(t, other.Wait(context.Background()))
	},
	"cancel does not wait for the task": func(t *testing.T, rt runtime.Runtime) {
		task := rt.Go(context.Background(), "stubborn", func(context.Context) {
			assert.NoError(t, rt.Sleep(context.Background(), time.Hour))
		})
		task.Cancel()
		assert.Zero(t, rt.Elapsed())
		assert.NoError(t, task.Wait(context.Background()))
		assert.Equal(t, time.Hour, rt.Elapsed())
	},
	"a task runs even if its context is cancelled already": func(t *testing.T, rt runtime.Runtime) {
		ctx, cancel := rt.WithCancel(context.Background())
		cancel()
		ran := false
		task := rt.Go(ctx, "late", func(ctx context.Context) { ran = ctx.Err() != nil })
		assert.NoError(t, task.Wait(context.Background()))
		assert.True(t, ran)
	},
	"a task's context ends with it": func(t *testing.T, rt runtime.Runtime) {
		var inner context.Context
		task := rt.Go(context.Background(), "task", func(ctx context.Context) { inner = ctx })
		assert.NoError(t, task.Wait(context.Background()))
		assert.ErrorIs(t, inner.Err(), context.Canceled)
	},
	"wait for a task that has ended returns at once": func(t *testing.T, rt runtime.Runtime) {
		task := rt.Go(context.Background(), "task", func(context.Context) {})
		assert.NoError(t, rt.Sleep(context.Background(), time.Minute))
		assert.NoError(t, task.Wait(context.Background()))
		assert.NoError(t, task.Wait(context.Background()), "and again")
		assert.Equal(t, time.Minute, rt.Elapsed())
	},
	"wait ends when it is cancelled, the task goes on": func(t *testing.T, rt runtime.Runtime) {
		task := rt.Go(context.Background(), "task", func(ctx context.Context) { assert.NoError(t, rt.Sleep(ctx, time.Hour)) })
		ctx, cancel := rt.WithCancel(context.Background())
		rt.Go(context.Background(), "canceller", func(ctx context.Context) {
			assert.NoError(t, rt.Sleep(ctx, time.Minute))
			cancel()
		})
		assert.ErrorIs(t, task.Wait(ctx), context.Canceled)
		assert.Equal(t, time.Minute, rt.Elapsed())
		assert.NoError(t, task.Wait(context.Background()))
		assert.Equal(t, time.Hour, rt.Elapsed())
	},
	"wait of whom is cancelled already returns the cancellation": func(t *testing.T, rt runtime.Runtime) {
		task := rt.Go(context.Background(), "task", func(context.Context) {})
		assert.NoError(t, task.Wait(context.Background()))
		ctx, cancel := rt.WithCancel(context.Background())
		cancel()
		for range 20 {
			assert.ErrorIs(t, task.Wait(ctx), context.Canceled)
		}
	},
	"a random stream goes on where it was": func(t *testing.T, rt runtime.Runtime) {
		assert.Same(t, rt.Rand("backoff"), rt.Rand("backoff"))
		assert.NotEqual(t, rt.Rand("backoff").Uint64(), rt.Rand("jitter").Uint64())
	},
}

func TestLiveKeepsThePromises(t *testing.T) {
	for name, promise := range promises {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { promise(t, runtime.NewLive()) })
		})
	}
}

func TestMachineKeepsThePromises(t *testing.T) {
	for name, promise := range promises {
		t.Run(name, func(t *testing.T) {
			k := kernel.New(1)
			defer k.Close()
			m := machine.New(k, "appliance")
			ended := false
			m.Go(context.Background(), "test", func(context.Context) { promise(t, m); ended = true })
			require.NoError(t, kernel.NewDriver(k, 0, kernel.Limits{Events: 1000}).Run(kernel.Forever, nil))
			assert.True(t, ended)
		})
	}
}

package runtime

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// What every runtime promises is tested in sim/machine, on both.

func TestNoMoreThanMaxTasksRunAtOnceAndGoNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLive()
		ctx, cancel := context.WithCancel(context.Background())
		var last Task
		for range MaxTasks {
			last = l.Go(ctx, "task", func(ctx context.Context) { _ = l.Sleep(ctx, time.Hour) })
		}
		more := func() { l.Go(context.Background(), "one more", func(context.Context) {}) }
		assert.PanicsWithValue(t, `runtime: task "one more" would be one of more than 1024 at once: whoever starts it needs a limit`, more)
		cancel()
		assert.NoError(t, last.Wait(context.Background()))
		synctest.Wait()
		assert.NotPanics(t, more)
	})
}

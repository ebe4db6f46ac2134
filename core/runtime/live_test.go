package runtime

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// What every runtime promises is tested in sim/machine, on both.

func TestNoMoreThanMaxTasksRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLive()
		ctx, cancel := context.WithCancel(context.Background())
		var last Task
		for range MaxTasks {
			last = l.Go(ctx, "task", func(ctx context.Context) { _ = l.Sleep(ctx, time.Hour) })
		}
		started := make(chan bool, 1)
		go func() {
			l.Go(context.Background(), "one more", func(context.Context) { started <- true })
		}()
		synctest.Wait()
		assert.Empty(t, started, "no slot is free")

		cancelled, now := context.WithCancel(context.Background())
		now()
		ran := false
		assert.NoError(t, l.Go(cancelled, "cancelled", func(context.Context) { ran = true }).Wait(context.Background()))
		assert.True(t, ran, "what ends at once needs no slot")

		cancel()
		assert.True(t, <-started)
		assert.NoError(t, last.Wait(context.Background()))
	})
}

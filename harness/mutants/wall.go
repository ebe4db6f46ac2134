package mutants

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Stopwatch tells how much wall time has passed since it was made.
func Stopwatch() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// within bounds what a program may take of wall time.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, limit)
}

// Each does something with every record, so many at once, each with its number.
// After an error none is begun.
func Each(records []Record, workers int, do func(int, *Record) error) error {
	var mu sync.Mutex
	var failed error
	next := 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		i := next
		next++
		return i, failed == nil && i < len(records)
	}
	var all sync.WaitGroup
	for range max(workers, 1) {
		all.Add(1)
		go func() {
			defer all.Done()
			for i, ok := take(); ok; i, ok = take() {
				if err := do(i, &records[i]); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		}()
	}
	all.Wait()
	return failed
}

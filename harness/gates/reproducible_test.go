package gates

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/kernel"
)

// toy is a model with guests that write in some order at some time.
type toy struct {
	order func(guests map[string]int) []string
	stamp func(k *kernel.Kernel) string
}

func (m toy) run() (uint64, error) {
	k := kernel.New(1)
	defer k.Close()
	guests := map[string]int{}
	for i := range 64 {
		guests[fmt.Sprintf("guest-%02d", i)] = i
	}
	k.Go("starter", func() {
		for _, name := range m.order(guests) {
			k.Go(name, func() {
				k.Sleep(time.Duration(k.Rand(name).IntN(1000)))
				k.Emit("guest.write", name, "at", m.stamp(k))
			})
		}
	})
	err := kernel.NewDriver(k, 0, kernel.Limits{Events: 1000}).Run(kernel.Forever, nil)
	return k.Hash(), err
}

func sorted(guests map[string]int) []string     { return slices.Sorted(maps.Keys(guests)) }
func asTheyCome(guests map[string]int) []string { return slices.Collect(maps.Keys(guests)) }
func virtual(k *kernel.Kernel) string           { return k.Now().String() }

func TestAWorldThatTakesNothingFromTheMachineIsReproducible(t *testing.T) {
	assert.NoError(t, Reproducible(5, toy{sorted, virtual}.run))
}

func TestAPlantedLeakIsCaughtByRunningAgain(t *testing.T) {
	began := time.Now()
	leaks := map[string]toy{
		"the order of a map": {asTheyCome, virtual},
		"the wall clock":     {sorted, func(*kernel.Kernel) string { return time.Since(began).String() }},
		"the order of goroutines": {func(guests map[string]int) (names []string) {
			out := make(chan string)
			for name := range guests {
				go func() { out <- name }()
			}
			for range guests {
				names = append(names, <-out)
			}
			return names
		}, virtual},
	}
	for name, leak := range leaks {
		t.Run(name, func(t *testing.T) {
			err := Reproducible(5, leak.run)
			var diverged *DivergedError
			require.ErrorAs(t, err, &diverged)
			assert.Contains(t, err.Error(), fmt.Sprintf("run %d of the same seed", diverged.Run))
		})
	}
}

func TestAWorldThatFailsIsNotCalledReproducible(t *testing.T) {
	assert.ErrorIs(t, Reproducible(5, func() (uint64, error) { return 1, assert.AnError }), assert.AnError)
}

package appliance

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/runtime"
)

// listener is an Observer of late completions.
type listener struct {
	Observer // the rest is not told in these tests
	stale    []string
	writes   int
}

func (l *listener) Booted(int) {}

func (l *listener) JournalWrote(int, string)       { l.writes++ }
func (l *listener) Deployed(deployment.Deployment) {}
func (l *listener) Set(Settings)                   {}
func (l *listener) Recovering(recovery.Recovery)   {}
func (l *listener) HealthChanged(health.Panel)     {}

func (l *listener) EffectStale(id migration.ID, key, why string) {
	l.stale = append(l.stale, string(id)+": "+key+": "+why)
}

func TestALateCompletionIsToldToTheObserverAndNotWrittenDown(t *testing.T) {
	heard := &listener{}
	a, err := Boot(context.Background(), Config{Runtime: runtime.NewLive(), Journal: journal.NewMemory(), Knobs: few, Observer: heard})
	require.NoError(t, err)
	require.Equal(t, 1, heard.writes, "of the boot")
	for _, ev := range []migration.Event{migration.EffectDone{Key: "k-1"}, migration.EffectFailed{Key: "k-2"}, migration.EndReported{}} {
		_, err := a.deliver(Heard{"m-0007", ev}, "a test")
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"m-0007: k-1: no migration m-0007", "m-0007: k-2: no migration m-0007"}, heard.stale)
	assert.Equal(t, 1, heard.writes)
}

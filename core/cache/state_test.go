package cache

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheDiagramOfThePackageCommentIsTheTable(t *testing.T) {
	names := map[string]state{"absent": absent, "clean": clean, "dirty": dirty, "frozen": frozen, "diverged": diverged}
	events := map[string]event{"Fetched": fetched, "Written": written, "Evicted": evicted, "Cut": wasCut, "Applied": wasApplied, "Abandoned": wasAbandoned}
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	drawn := 0
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w+) +(\w+) +-> (\w+)`).FindAllSubmatch(text, -1) {
		from, known := names[string(m[1])]
		require.True(t, known, "%s", m[0])
		ev, known := events[string(m[2])]
		require.True(t, known, "%s", m[0])
		assert.Equal(t, names[string(m[3])], states[from][ev], "%s", m[0])
		drawn++
	}
	possible := 0
	for _, row := range states {
		for _, to := range row {
			if to != impossible {
				possible++
			}
		}
	}
	assert.Equal(t, possible, drawn, "every edge is drawn once")
}

func TestWhatIsUnflushedIsNeverEvicted(t *testing.T) {
	for s := range states {
		if state(s).unflushed() {
			assert.Panics(t, func() { state(s).after(evicted) }, "state %d", s)
		}
	}
}

func TestOnlyTheAnswerOfThePremisesMakesABlockClean(t *testing.T) {
	for s, row := range states {
		for ev, to := range row {
			if state(s).unflushed() && to == clean {
				assert.Equal(t, frozen, state(s))
				assert.Equal(t, wasApplied, event(ev))
			}
		}
	}
}

package run_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
)

// order1 is a step that most scenarios here begin with: vm-1 of the world pair
// is migrated, which takes about three minutes.
const order1 = "  - {at: 1m, migrate: {vm: vm-1, type: cold, request: r-1, target: {networks: {VM Network: Cloud Net}}}}\n"

// pair is a scenario in the world pair. sections are "faults:\n..." and the like.
func pair(t *testing.T, sections ...string) *scenario.Scenario {
	t.Helper()
	return parse(t, "title: A test\nworld: pair\nsteps:\n"+order1+strings.Join(sections, "\n"))
}

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.ParseText("test.yaml", []byte(text))
	require.NoError(t, err, text)
	return s
}

func play(t *testing.T, s *scenario.Scenario, o run.Options) record.Run {
	t.Helper()
	r, err := run.One(context.Background(), s, o)
	require.NoError(t, err)
	return r
}

// followed plays a scenario and returns its trace too.
func followed(t *testing.T, s *scenario.Scenario, o run.Options) (record.Run, *trace) {
	t.Helper()
	tr := &trace{}
	o.Watch = func(*scenario.Scenario, uint64) run.Watcher { return tr }
	return play(t, s, o), tr
}

// trace is a Watcher that remembers.
type trace struct {
	events  []record.Event
	driving func(*kernel.Driver)
	hear    func(record.Event)
	driven  bool
	closed  int
}

func (tr *trace) Event(e record.Event) {
	tr.events = append(tr.events, e)
	if tr.hear != nil {
		tr.hear(e)
	}
}

func (tr *trace) Driving(d *kernel.Driver) {
	tr.driven = true
	if tr.driving != nil {
		tr.driving(d)
	}
}

func (tr *trace) Close() error {
	tr.closed++
	return nil
}

// find are the events of that kind with all of these attributes ("key=value"),
// or with that subject ("=subject").
func (tr *trace) find(kind string, having ...string) []record.Event {
	var found []record.Event
	for _, e := range tr.events {
		if e.Kind == kind && has(e, having) {
			found = append(found, e)
		}
	}
	return found
}

func has(e record.Event, having []string) bool {
	for _, want := range having {
		key, value, _ := strings.Cut(want, "=")
		if key == "" && e.Subject == value || key != "" && attr(e, key) == value {
			continue
		}
		return false
	}
	return true
}

func attr(e record.Event, key string) string {
	for _, a := range e.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// at is when the one event of that kind with these attributes happened.
func (tr *trace) at(t *testing.T, kind string, having ...string) time.Duration {
	t.Helper()
	found := tr.find(kind, having...)
	require.Len(t, found, 1, "%s %v", kind, having)
	return found[0].At
}

// first is when the first such event happened.
func (tr *trace) first(t *testing.T, kind string, having ...string) time.Duration {
	t.Helper()
	found := tr.find(kind, having...)
	require.NotEmpty(t, found, "%s %v", kind, having)
	return found[0].At
}

// last is when the last such event happened.
func (tr *trace) last(t *testing.T, kind string, having ...string) time.Duration {
	t.Helper()
	found := tr.find(kind, having...)
	require.NotEmpty(t, found, "%s %v", kind, having)
	return found[len(found)-1].At
}

package appliance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// few are knobs so small that short histories meet every limit.
var few = func() migration.Knobs {
	k := migration.DefaultKnobs
	k.Cold, k.Queue, k.History = 2, 5, 3
	return k
}()

// image is everything that a State holds, as text that can be compared.
func image(t require.TestingT, s *State) string {
	list := func(of []migration.Migration) []migration.Migration {
		return append([]migration.Migration{}, of...) // none and nil are the same
	}
	text, err := json.MarshalIndent(map[string]any{
		"counters": s.Counters, "live": list(s.live), "ended": list(s.ended), "requests": s.byName,
		"settings": s.settings, "deployment": s.deployment,
		"recovery": s.recovery, "heard": s.heard, "notes": append([]Note{}, s.notes...),
	}, "", " ")
	require.NoError(t, err)
	return string(text)
}

// control is an appliance without a world: its state, its journal, and the
// effects that nobody has answered yet.
type control struct {
	t       require.TestingT
	knobs   migration.Knobs
	state   *State
	journal *journal.Memory
	now     migration.Now
	open    map[string]migration.Effect
}

func newControl(t require.TestingT) *control {
	c := &control{t: t, knobs: few, state: NewState(), journal: journal.NewMemory(), open: map[string]migration.Effect{}}
	c.now.Wall = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	c.hear(Booted{Incarnation: "0a0b0c0d"})
	return c
}

// hear takes an event through the loop, and holds every step of it against what
// is promised of Step, the journal and Apply.
func (c *control) hear(ev Event) Decision {
	before := image(c.t, c.state)
	d := c.state.Step(c.knobs, c.now, ev)
	require.Equal(c.t, before, image(c.t, c.state), "Step is pure: %#v", ev)
	require.Equal(c.t, d, c.state.Step(c.knobs, c.now, ev), "Step decides the same again: %#v", ev)
	if !d.nothing(c.state) {
		batch, err := records(d)
		require.NoError(c.t, err)
		require.NoError(c.t, c.journal.Write(batch))
		c.state.Apply(d)
	}
	require.Equal(c.t, image(c.t, c.loaded()), image(c.t, c.state), "what the journal holds is the state: %#v", ev)
	for _, e := range d.Effects {
		require.NotContains(c.t, c.open, e.Key, "every effect has a key of its own")
		c.open[e.Key] = e
	}
	return d
}

func (c *control) loaded() *State {
	all, err := c.journal.Load()
	require.NoError(c.t, err)
	s, err := load(all)
	require.NoError(c.t, err)
	return s
}

// restart loses all that is not in the journal.
func (c *control) restart() {
	c.state = c.loaded()
	clear(c.open)
	c.hear(Booted{Incarnation: "0a0b0c0d"})
}

func (c *control) answer(key string, answer func(e migration.Effect) migration.Event) {
	e := c.open[key]
	delete(c.open, key)
	c.hear(Heard{e.Migration, answer(e)})
}

// doneWell answers an effect well.
func doneWell(e migration.Effect) migration.Event {
	r := migration.Result{}
	switch e.Kind {
	case migration.Check:
		r.Plan = &migration.Plan{Source: "VirtualMachine:vm-1", Name: "vm", WasOn: true, Bytes: 10, NICs: []migration.NIC{{MAC: "00:50:56:00:00:01"}}}
	case migration.TakeSnapshot:
		r.Snapshot = "_hdm1"
	case migration.Transfer:
		r.Copy, r.Bytes = "VirtualMachine:vm-2", 10
	case migration.Bind:
		r.Served = &migration.Served{Datastore: "HDM_Cloud_Cache-0", Paths: []string{"[HDM_Cloud_Cache-0] 0.vmdk"}}
	case migration.MakeClone, migration.CreateCompute, migration.TransferImage:
		r.Copy = "VirtualMachine:vm-3"
	}
	return migration.EffectDone{Key: e.Key, Result: r}
}

// finish answers every effect well until none is open.
func (c *control) finish() {
	for len(c.open) > 0 {
		c.now.Wall, c.now.Up = c.now.Wall.Add(time.Second), c.now.Up+time.Second
		c.answer(slices.Min(slices.Collect(maps.Keys(c.open))), doneWell)
	}
}

func (c *control) order(request, vm string) Answer {
	return c.hear(OrderGiven{Order: migration.Order{Request: request, VM: vm, Type: migration.Cold}}).Answer
}

// sound holds the state against what must be so after every event.
func (c *control) sound() {
	shown := 0
	for _, m := range c.state.ended {
		if m.Shown() {
			shown++
		}
	}
	require.LessOrEqual(c.t, shown, c.knobs.History, "what has ended and is shown is bounded")
	require.True(c.t, len(c.state.ended) <= c.knobs.History || shown == 0, "what is shown is forgotten first")
	active := 0
	for _, m := range c.state.live {
		require.False(c.t, m.State.Final(), "%s is live", m.ID)
		if m.State != migration.Queued {
			require.Contains(c.t, c.open, m.Effect, "somebody works on %s, which is %s", m.ID, m.State)
		}
		if m.Active() {
			active++
		}
	}
	require.LessOrEqual(c.t, active, c.knobs.Cold)
	known := 0
	for _, m := range slices.Concat(c.state.live, c.state.ended) {
		if m.Order.Request != "" {
			known++
			require.Equal(c.t, m.ID, c.state.byName[m.Order.Request], "a request is known for as long as its migration")
		}
	}
	require.Len(c.t, c.state.byName, known, "no request is known without its migration")
}

func TestInEveryHistoryStepIsPureAndTheJournalHoldsTheState(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newControl(r)
		vm := rapid.SampledFrom([]string{"vm-1", "vm-2", "vm-3", "vm-4", "vm-5", "vm-6"})
		class := rapid.SampledFrom([]vsphere.Class{vsphere.Retryable, vsphere.Unreachable, vsphere.Refused, vsphere.Fatal, vsphere.Cancelled})
		open := func() (string, bool) {
			keys := slices.Sorted(maps.Keys(c.open))
			if len(keys) == 0 {
				return "", false
			}
			return rapid.SampledFrom(keys).Draw(r, "effect"), true
		}
		well := func(*rapid.T) {
			if key, ok := open(); ok {
				c.answer(key, doneWell)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"order": func(r *rapid.T) {
				kind := rapid.SampledFrom([]migration.Type{migration.Cold, migration.Cold, migration.Cold, "lukewarm"}).Draw(r, "type")
				request := rapid.SampledFrom([]string{"", "r-1", "r-2", "r-3", "r-4", "r-5"}).Draw(r, "request")
				c.hear(OrderGiven{Order: migration.Order{Request: request, VM: vm.Draw(r, "vm"), Type: kind}})
			},
			"cancel":         func(r *rapid.T) { c.hear(CancelGiven{vm.Draw(r, "vm")}) },
			"an effect done": well, "another effect done": well, "one more effect done": well,
			"an effect fails": func(r *rapid.T) {
				if key, ok := open(); ok {
					f := migration.Failure{Class: class.Draw(r, "class"), What: "no luck"}
					c.answer(key, func(e migration.Effect) migration.Event { return migration.EffectFailed{Key: e.Key, Failure: f} })
				}
			},
			"a refusal": func(r *rapid.T) {
				if key, ok := open(); ok && c.open[key].Kind == migration.Check {
					c.answer(key, func(e migration.Effect) migration.Event {
						return migration.EffectDone{Key: e.Key, Result: migration.Result{Refusals: []migration.Reason{{Code: migration.CodeTemplate}}}}
					})
				}
			},
			"the copy runs": func(r *rapid.T) {
				if key, ok := open(); ok && c.open[key].Kind == migration.ConfirmOff {
					c.answer(key, func(e migration.Effect) migration.Event {
						return migration.EffectDone{Key: e.Key, Result: migration.Result{Running: true}}
					})
				}
			},
			"an end is shown": func(r *rapid.T) {
				for _, m := range slices.Clone(c.state.ended) {
					c.hear(Heard{m.ID, migration.EndReported{}})
				}
			},
			"restart": func(*rapid.T) { c.restart() },
			"time passes": func(r *rapid.T) {
				c.now.Wall = c.now.Wall.Add(time.Duration(rapid.Int64Range(-int64(time.Minute), int64(10*time.Minute)).Draw(r, "by"))) // a clock can step back
			},
			"": func(*rapid.T) { c.sound() },
		})
	})
}

func TestAStateThatTheJournalDoesNotHoldIsNoticed(t *testing.T) {
	c := newControl(t)
	c.order("r-1", "vm-1")
	require.NoError(t, c.journal.Write([]journal.Record{{Kind: recordMigration, Key: "m-0001"}}))
	assert.NotEqual(t, image(t, c.loaded()), image(t, c.state))
}

func TestARepeatedRequestIsToldItsMigrationWhateverBecameOfIt(t *testing.T) {
	c := newControl(t)
	first := c.order("r-1", "vm-1")
	require.Equal(t, Accepted, first.Outcome)
	busy := c.order("r-2", "vm-1")
	require.Equal(t, Rejected, busy.Outcome)
	for _, moment := range []struct {
		name string
		pass func()
	}{{"under way", func() {}}, {"after a restart", c.restart}, {"ended", c.finish}, {"ended, after a restart", c.restart}} {
		moment.pass()
		orders := c.state.Orders
		assert.Equal(t, Answer{Outcome: Duplicate, Migration: first.Migration}, c.order("r-1", "vm-1"), moment.name)
		assert.Equal(t, Answer{Outcome: Duplicate, Migration: busy.Migration, Reasons: busy.Reasons}, c.order("r-2", "vm-1"), "%s: a refusal is told again", moment.name)
		assert.Equal(t, orders, c.state.Orders, "%s: a repetition is no order", moment.name)
	}
	assert.Equal(t, Accepted, c.order("", "vm-2").Outcome)
	c.finish()
	assert.Equal(t, Accepted, c.order("", "vm-2").Outcome, "orders without a name are new ones")
}

func TestOnlySoManyEndedMigrationsAreRememberedAndAForgottenRequestIsNew(t *testing.T) {
	c := newControl(t)
	for i := range c.knobs.History {
		require.Equal(t, Accepted, c.order(fmt.Sprint("r-", i), "vm").Outcome)
		c.finish()
	}
	// What is told of an ended migration makes no other one end.
	d := c.hear(Heard{"m-0001", migration.EndReported{}})
	assert.Empty(t, d.Forgotten)
	require.Len(t, c.state.ended, c.knobs.History)
	require.Equal(t, Duplicate, c.order("r-0", "vm").Outcome)

	require.Equal(t, Accepted, c.order("r-new", "vm").Outcome)
	c.finish()
	all, err := c.journal.Load()
	require.NoError(t, err)
	assert.NotContains(t, keys(all), "m-0001", "the journal forgets with the appliance")
	assert.Contains(t, keys(all), "m-0002")
	_, known := c.state.Migration("m-0001")
	assert.False(t, known)
	again := c.order("r-0", "vm")
	assert.Equal(t, Accepted, again.Outcome)
	assert.Equal(t, migration.ID("m-0005"), again.Migration, "numbers are not given twice")
}

func TestAMigrationWhoseEndVCenterDoesNotShowYetIsNotForgotten(t *testing.T) {
	c := newControl(t)
	for i := range c.knobs.History + 1 {
		require.Equal(t, Accepted, c.order(fmt.Sprint("r-", i), "vm").Outcome)
		c.finish()
	}
	require.Len(t, c.state.ended, c.knobs.History+1)
	d := c.hear(Heard{"m-0002", migration.EndReported{}})
	assert.Equal(t, []migration.ID{"m-0002"}, d.Forgotten)
}

func TestARequestOfAnotherOrderIsRefused(t *testing.T) { // MIG-14
	c := newControl(t)
	require.Equal(t, Accepted, c.order("r-1", "vm-1").Outcome)
	a := c.order("r-1", "vm-2")
	assert.Equal(t, Rejected, a.Outcome)
	assert.Equal(t, migration.CodeRequest, a.Reasons[0].Code)
	assert.Equal(t, Duplicate, c.order("r-1", "vm-1").Outcome)
}

func TestAnApplianceKeepsTheNameOfItsFirstBoot(t *testing.T) {
	c := newControl(t)
	c.hear(Booted{Incarnation: "another"})
	assert.Equal(t, "0a0b0c0d", c.state.Incarnation)
}

func TestAHistoryWhoseLimitWasLoweredIsForgottenLittleByLittle(t *testing.T) {
	c := newControl(t)
	const many = journal.MaxRecords + 100
	for i := range many {
		m := migration.RefusedAtOnce(i+1, migration.Order{VM: "vm"}, c.now.Wall, nil)
		value, err := json.Marshal(m)
		require.NoError(t, err)
		require.NoError(t, c.journal.Write([]journal.Record{{Kind: recordMigration, Key: string(m.ID), Value: value}}))
	}
	c.restart() // the journal would not take so many deletions at once
	require.Len(t, c.state.ended, many-mostForgotten)
	for range many/mostForgotten + 1 {
		c.restart()
	}
	assert.Len(t, c.state.ended, c.knobs.History)
}

func keys(all []journal.Record) []string {
	var names []string
	for _, r := range all {
		names = append(names, r.Key)
	}
	return names
}

func TestALateCompletionIsToldAndChangesNothing(t *testing.T) {
	c := newControl(t)
	c.order("", "vm-1")
	first := slices.Collect(maps.Values(c.open))[0]
	c.restart() // the check is asked for again, under another key
	before := image(t, c.state)
	for name, ev := range map[string]Event{
		"done before the restart":    Heard{first.Migration, doneWell(first)},
		"failed before the restart":  Heard{first.Migration, migration.EffectFailed{Key: first.Key}},
		"of nothing that is awaited": Heard{first.Migration, migration.EffectDone{}},
		"of a migration not known":   Heard{"m-9999", doneWell(first)},
		"an end before the end":      Heard{first.Migration, migration.EndReported{}},
	} {
		d := c.hear(ev)
		assert.NotEmpty(t, d.Ignored, name)
		assert.Empty(t, d.Effects, name)
		assert.Equal(t, before, image(t, c.state), name)
	}
	c.finish()
	m, _ := c.state.Migration(first.Migration)
	assert.Equal(t, migration.Completed, m.State, "the awaited one is heard")
}

func TestARefusedOrderIsAnsweredWithAllThatIsAgainstIt(t *testing.T) {
	c := newControl(t)
	for i := range c.knobs.Queue {
		require.Equal(t, Accepted, c.order("", fmt.Sprint("vm-", i)).Outcome)
	}
	a := c.hear(OrderGiven{Order: migration.Order{VM: "vm-0", Type: "lukewarm"}}).Answer
	assert.Equal(t, Rejected, a.Outcome)
	var codes []string
	for _, r := range a.Reasons {
		codes = append(codes, r.Code)
		assert.NotEmpty(t, r.What)
		assert.NotEmpty(t, r.Fix, "a refusal says what to do")
	}
	assert.Equal(t, []string{migration.CodeType, migration.CodeBusy, migration.CodeQueueFull}, codes)
	m, _ := c.state.Migration(a.Migration)
	assert.Equal(t, a.Reasons, m.Reasons, "the record says the same")
}

func TestAnOrderTooLargeForTheJournalIsRefusedAndLeavesNoRecord(t *testing.T) {
	c := newControl(t)
	a := c.order("", strings.Repeat("x", migration.MaxName+1))
	assert.Equal(t, Rejected, a.Outcome)
	require.Len(t, a.Reasons, 1)
	assert.Equal(t, migration.CodeTooLarge, a.Reasons[0].Code)
	assert.Zero(t, c.state.Orders)
	assert.Equal(t, Accepted, c.order("", strings.Repeat("x", migration.MaxName)).Outcome, "one that just fits")
}

func TestTheQueueKeepsTheOrderInWhichMigrationsWereOrdered(t *testing.T) {
	c := newControl(t)
	for i := range 5 {
		c.order("", fmt.Sprint("vm-", i))
	}
	for range 5 { // the checks come back in any order
		c.answer(slices.Max(slices.Collect(maps.Keys(c.open))), doneWell)
	}
	var running []migration.ID
	for _, m := range c.state.live {
		if m.Active() {
			running = append(running, m.ID)
		}
	}
	assert.Equal(t, []migration.ID{"m-0001", "m-0002"}, running)
}

func TestARecordThatCannotBeReadIsNamed(t *testing.T) {
	tests := map[string]journal.Record{
		"migration/m-0001": {Kind: recordMigration, Key: "m-0001", Value: []byte(`{"id": 7}`)},
		"migration/m-0002": {Kind: recordMigration, Key: "m-0002", Value: []byte("\x00torn")},
		"appliance/state":  {Kind: recordAppliance, Key: "state", Value: []byte("{")},
		"recipe/cake":      {Kind: "recipe", Key: "cake", Value: []byte("{}")},
	}
	for name, r := range tests {
		_, err := load([]journal.Record{r})
		require.ErrorContains(t, err, name)
		assert.ErrorContains(t, err, "restore the journal from a backup", "it says what to do")
	}
}

func TestAnOrderThatWasRefusedWhileHDMWasNotReadyStaysRefusedWhenItComesAgain(t *testing.T) {
	s := NewState()
	order := migration.Order{Request: "r-1", VM: "vm-1", Type: migration.Cold, Origin: migration.FromMessage}
	first := s.Step(migration.DefaultKnobs, migration.Now{}, OrderGiven{Order: order, Unready: []migration.Reason{migration.Unready("Services not ready or down Cloud vCenter")}})
	assert.Equal(t, Rejected, first.Answer.Outcome)
	require.Len(t, first.Changed, 1, "it is written down")
	s.Apply(first)
	again := s.Step(migration.DefaultKnobs, migration.Now{}, OrderGiven{Order: order})
	assert.Equal(t, Duplicate, again.Answer.Outcome)
	assert.Equal(t, migration.CodeNotReady, again.Answer.Reasons[0].Code)
	assert.Empty(t, again.Changed, "its client was told that it will not be migrated")
}

package appliance

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
)

// services are component services that only count flushes.
type services struct {
	component.Port
	kernel *kernel.Kernel
	at     []time.Duration
	ids    [][]string
	number uint64
	fails  int    // so many times more
	during func() // a flush that succeeds
}

func (s *services) Flush(_ context.Context, ids []string) ([]component.Flushed, error) {
	s.at, s.ids = append(s.at, s.kernel.Now()), append(s.ids, ids)
	if s.fails > 0 {
		s.fails--
		return nil, &vsphere.Error{Site: vsphere.Cloud, Op: "flush", Class: vsphere.Unreachable, Err: errors.New("no way")}
	}
	if s.during != nil {
		s.during()
	}
	s.number++
	var flushed []component.Flushed
	for _, id := range ids {
		flushed = append(flushed, component.Flushed{ID: id, Number: s.number})
	}
	return flushed, nil
}

// afterTBC is an appliance whose VMs of these groups have been tried for no time
// at all.
type afterTBC struct {
	t       *testing.T
	control *control
	kernel  *kernel.Kernel
	machine *machine.Machine
	saw     *services
	app     *Appliance
}

func newAfterTBC(t *testing.T, groups ...[]string) *afterTBC {
	c := deployed(t)
	var s Settings
	for _, g := range groups {
		if len(g) > 1 {
			s.Groups = append(s.Groups, Group{VMs: g})
		}
	}
	c.hear(SettingsGiven{s})
	for _, g := range groups {
		c.give(migration.Order{VM: g[0], Type: migration.TBC})
		c.finish()
	}
	for _, m := range slices.Clone(c.state.ended) {
		c.hear(Heard{m.ID, migration.EndReported{}})
	}
	k := kernel.New(1)
	t.Cleanup(k.Close)
	w := &afterTBC{t: t, control: c, kernel: k, saw: &services{kernel: k}}
	w.boot()
	return w
}

func (w *afterTBC) boot() {
	m := machine.New(w.kernel, "appliance")
	w.machine = m
	m.Go(context.Background(), "boot", func(context.Context) {
		var err error
		w.app, err = Boot(context.Background(), Config{ID: "hdm-1", Runtime: m, Journal: w.control.journal, Knobs: w.control.knobs, Components: func(component.ClientConfig) component.Port { return w.saw }})
		require.NoError(w.t, err)
		w.app.reporter.busy = true // there is no vCenter to show anything in
		m.Go(context.Background(), "component VMs", w.beats)
	})
}

// beats has every component VM be heard.
func (w *afterTBC) beats(ctx context.Context) {
	plan, err := deployment.Plan(w.app.Deployment().Mode)
	require.NoError(w.t, err)
	for {
		for _, v := range plan {
			h := component.Heartbeat{VM: v.Name, Boot: 1}
			for _, s := range v.Services {
				h.Services = append(h.Services, component.Beat{Name: s, Epoch: 1})
			}
			w.app.Hear(h)
		}
		if w.machine.Sleep(ctx, component.HeartbeatEvery) != nil {
			return
		}
	}
}

func (w *afterTBC) pass(d time.Duration) {
	w.t.Helper()
	require.NoError(w.t, kernel.NewDriver(w.kernel, 0, kernel.Limits{Events: 1e6}).Run(w.kernel.Now()+d, nil))
}

func every(d time.Duration, n int) (at []time.Duration) {
	for i := range n {
		at = append(at, time.Duration(i+1)*d)
	}
	return at
}

func TestEveryVMOnTheCloudCacheIsFlushedEveryTwentyMinutes(t *testing.T) { // POL-04
	w := newAfterTBC(t, []string{"web"})
	w.pass(4 * time.Hour)
	assert.Equal(t, every(20*time.Minute, 12), w.saw.at)
}

func TestAnotherIntervalHoldsForAllVMsOfTheCluster(t *testing.T) { // POL-04
	w := newAfterTBC(t, []string{"web"}, []string{"db"})
	w.machine.Go(context.Background(), "user", func(context.Context) {
		_, err := w.app.Set(Settings{FlushEvery: map[string]time.Duration{"": 5 * time.Minute}})
		require.NoError(t, err)
	})
	w.pass(31 * time.Minute)
	assert.Len(t, w.saw.at, 2*6)
	assert.Equal(t, 30*time.Minute, w.saw.at[11])
}

func TestVMsThatMoveTogetherAreFlushedAtOneInstant(t *testing.T) {
	w := newAfterTBC(t, []string{"web", "db"}, []string{"app"})
	w.pass(21 * time.Minute)
	assert.Len(t, w.saw.ids, 2)
	assert.Len(t, w.saw.ids[0], 2)
	assert.Len(t, w.saw.ids[1], 1)
}

func TestAFlushThatFailedIsTriedAgainSoon(t *testing.T) {
	w := newAfterTBC(t, []string{"web"})
	w.saw.fails = 3
	w.pass(time.Hour)
	require.GreaterOrEqual(t, len(w.saw.at), 5)
	assert.Less(t, w.saw.at[3], 23*time.Minute, "it is applied soon")
	assert.Equal(t, 20*time.Minute, w.saw.at[4]-w.saw.at[3], "and then the interval goes on")
}

func TestThePeriodicFlushResumesAfterARestart(t *testing.T) { // APP-06
	w := newAfterTBC(t, []string{"web"})
	w.pass(50 * time.Minute)
	w.machine.PowerOff()
	w.pass(2 * time.Minute)
	w.boot()
	w.pass(10 * time.Minute)
	require.Len(t, w.saw.at, 3)
	assert.Equal(t, time.Hour, w.saw.at[2], "the third is when it would have been")
}

func TestACacheThatIsFullIsFlushedAtOnce(t *testing.T) { // CACHE-08
	w := newAfterTBC(t, []string{"web"})
	w.pass(5 * time.Minute)
	w.machine.Go(context.Background(), "heartbeat", func(context.Context) {
		id := w.app.mark(w.app.bound()[0].ID)
		w.app.Hear(component.Heartbeat{VM: "HDM_Cloud_Cache-0", Boot: 1, FlushWanted: []string{id}})
	})
	w.pass(time.Minute)
	assert.Equal(t, []time.Duration{5 * time.Minute}, w.saw.at)
}

func TestOfAVMThatComesBackDuringAFlushTheFlusherKeepsNothing(t *testing.T) {
	w := newAfterTBC(t, []string{"web"}, []string{"db"})
	w.saw.during = func() {
		id := w.app.bound()[0].ID
		_, err := w.app.deliver(Heard{id, migration.CameBack{}}, "back")
		require.NoError(t, err)
	}
	w.pass(21 * time.Minute)
	f := w.app.flusher
	assert.Empty(t, w.app.bound())
	assert.Empty(t, f.flying)
	assert.Empty(t, f.due)
	assert.Empty(t, f.tries)
}

func TestAnApplianceWithoutComponentServicesLetsGoOfNothing(t *testing.T) {
	w := newAfterTBC(t, []string{"web"})
	w.pass(time.Minute)
	w.app.Components = nil
	for _, kind := range []migration.Kind{migration.Bind, migration.BringHome, migration.Release, migration.Discard, migration.FinalFlush} {
		_, err := w.app.onCloudCache(context.Background(), migration.Effect{Kind: kind}, w.app.bound()[0])
		assert.ErrorContains(t, err, "no component services", "%s", kind)
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
	}
}

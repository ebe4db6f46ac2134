package component_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"

	sim "github.com/hdm-project/hdm/sim/component"
)

const (
	cacheVM   = "HDM_Cloud_Cache-0"
	managerVM = "HDM_Cloud_Manager-0"
	homeVM    = "HDM_OnPrem_ESXi_Manager-0"
	gatewayVM = "HDM_OnPrem_Manager-0"
)

// ping asks a supervisor what runs.
func (s *stage) ping(vm string) (alive component.Alive) {
	s.t.Helper()
	s.do(func(ctx context.Context) (err error) {
		alive, err = s.client.Ping(ctx, vm)
		return err
	})
	return alive
}

// start has a supervisor start a service, and returns why it did not.
func (s *stage) start(vm string, service component.Service) (failure error) {
	s.t.Helper()
	s.do(func(ctx context.Context) error {
		failure = s.client.Start(ctx, vm, service)
		return nil
	})
	return failure
}

// epoch of a service as it was last heard; 0: not in the last twenty seconds.
func (s *stage) epoch(vm string, service component.Service) (epoch uint64) {
	s.t.Helper()
	s.beats = nil
	s.run(20 * time.Second)
	for _, b := range s.beats {
		for _, beat := range b.Services {
			if b.VM == vm && beat.Name == service {
				epoch = beat.Epoch
			}
		}
	}
	return epoch
}

// how is why a service went down, for each time.
func (s *stage) how() (all []string) {
	for _, e := range s.events(event.ServiceDown) {
		all = append(all, fmt.Sprint(e.Subject, "/", attr(e, "service"), "=", attr(e, "how")))
	}
	return all
}

func attr(e kernel.Event, key string) string {
	for _, a := range e.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

func TestASupervisorSaysWhatRunsAndStartsWhatDoesNot(t *testing.T) {
	for how, fault := range map[string]func(*sim.Host) error{
		"crash":     func(h *sim.Host) error { return h.Crash(cacheVM, component.CloudCache) },
		"no-memory": func(h *sim.Host) error { return h.Kill(cacheVM, component.CloudCache) },
	} {
		t.Run(how, func(t *testing.T) {
			s := newStage(t, "standard")
			require.NoError(t, fault(s.Components))
			assert.Equal(t, []string{cacheVM + "/Cloud Cache=" + how}, s.how())
			assert.Zero(t, s.epoch(cacheVM, component.CloudCache), "what is down does not beat")
			assert.Equal(t, uint64(1), s.epoch(cacheVM, component.IOInterceptor), "the others do")
			alive := s.ping(cacheVM)
			assert.Equal(t, []component.Beat{{Name: component.IOInterceptor, Epoch: 1}}, alive.Services)
			require.Len(t, alive.Down, 1)
			assert.Equal(t, component.CloudCache, alive.Down[0].Name)
			s.run(time.Hour)
			assert.Zero(t, s.epoch(cacheVM, component.CloudCache), "nobody restarts it")
			require.NoError(t, s.start(cacheVM, component.CloudCache))
			assert.Equal(t, uint64(2), s.epoch(cacheVM, component.CloudCache))
			assert.Len(t, s.events(event.ServiceUp), 1)
			require.NoError(t, s.start(cacheVM, component.CloudCache), "and anew if it runs")
			assert.Equal(t, uint64(3), s.epoch(cacheVM, component.CloudCache))
			assert.Equal(t, vsphere.Refused, vsphere.ClassOf(s.start(cacheVM, component.CloudSyncD)), "it has none")
		})
	}
}

func TestEpochsOfServicesGrowOverReboots(t *testing.T) {
	s := newStage(t, "standard")
	require.NoError(t, s.Components.Restart(managerVM, component.CloudSyncD))
	assert.Equal(t, uint64(2), s.epoch(managerVM, component.CloudSyncD), "it is back at once")
	s.power(managerVM, false)
	s.power(managerVM, true)
	s.run(time.Minute)
	assert.Equal(t, uint64(3), s.epoch(managerVM, component.CloudSyncD))
	assert.Equal(t, uint64(2), s.epoch(managerVM, component.CloudIOManager))
	assert.Equal(t, uint64(2), s.ping(managerVM).Boot)
}

func TestAHungServiceRunsSaysNothingAndGoesOnWhereItWas(t *testing.T) {
	s := newStage(t, "standard")
	require.NoError(t, s.Components.Hang(cacheVM, component.CloudCache, 10*time.Minute))
	assert.Zero(t, s.epoch(cacheVM, component.CloudCache))
	assert.Contains(t, s.ping(cacheVM).Services, component.Beat{Name: component.CloudCache, Epoch: 1}, "a supervisor cannot tell")
	var failure error
	began := s.Kernel.Now()
	s.do(func(ctx context.Context) error {
		_, failure = s.client.Bindings(ctx)
		return nil
	})
	assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(failure), "%v", failure)
	assert.GreaterOrEqual(t, s.Kernel.Now()-began, 90*time.Second, "three times nobody answers")
	s.run(10 * time.Minute)
	assert.Equal(t, uint64(1), s.epoch(cacheVM, component.CloudCache), "the same incarnation")

	require.NoError(t, s.Components.Hang(cacheVM, component.CloudCache, 0))
	s.run(time.Hour)
	assert.Zero(t, s.epoch(cacheVM, component.CloudCache), "for ever")
	require.NoError(t, s.start(cacheVM, component.CloudCache))
	assert.Equal(t, uint64(2), s.epoch(cacheVM, component.CloudCache))
}

func TestAFaultThatCannotActIsAnError(t *testing.T) {
	s := newStage(t, "standard")
	h := s.Components
	require.ErrorContains(t, h.Crash("nobody", component.CloudCache), "is not up")
	require.ErrorContains(t, h.Hang(cacheVM, component.CloudSyncD, 0), "has no service")
	require.NoError(t, h.Crash(cacheVM, component.CloudCache))
	require.ErrorContains(t, h.Restart(cacheVM, component.CloudCache), "does not run: it crashed")
	require.NoError(t, h.Hang(managerVM, component.CloudSyncD, 0))
	require.ErrorContains(t, h.Crash(managerVM, component.CloudSyncD), "does not run: it hangs")
	require.ErrorContains(t, h.FailDevice("nobody", "cache", disk.Write, disk.ErrIO, 1, nil), "no component VM")
	require.ErrorContains(t, h.FailDevice(managerVM, "cache", disk.Write, disk.ErrIO, 1, nil), "no disk for its cache")
	require.ErrorContains(t, h.FailDevice(cacheVM, "cache", disk.Read, disk.ErrTorn, 1, nil), "cannot be torn")
	require.ErrorContains(t, h.FailDevice(cacheVM, "cache", disk.Write, context.Canceled, 1, nil), "not what a device does")
	require.ErrorContains(t, h.FailDevice(cacheVM, "cache", disk.Write, disk.ErrIO, -1, nil), "cannot fail")
}

func TestALaneIsDownWhileOneOfItsGatewaysIs(t *testing.T) {
	for vm, gateway := range map[string]component.Service{managerVM: component.CloudGateway, gatewayVM: component.PremMessageGateway} {
		t.Run(vm, func(t *testing.T) {
			s := computing(t)
			s.run(5 * time.Minute)
			require.NoError(t, s.Components.Hang(vm, gateway, time.Minute))
			lanes := s.events(event.ComponentLane)
			assert.Equal(t, "down", attr(lanes[len(lanes)-1], "state"))
			s.flush("m-1") // rides it out
			lanes = s.events(event.ComponentLane)
			assert.Equal(t, "up", attr(lanes[len(lanes)-1], "state"))
			require.NoError(t, s.Components.Crash(vm, gateway))
			require.NoError(t, s.start(vm, gateway))
			s.power("db ARM", false)
			s.flush("m-1")
			s.assertSame("db")
		})
	}
}

// stalls is what stands between a guest and its cloud cache, and how it fails.
var stalls = map[string]struct {
	vm      string
	service component.Service
	fail    func(*sim.Host, string, component.Service) error
}{
	"cache crashes":            {cacheVM, component.CloudCache, (*sim.Host).Crash},
	"cache is killed":          {cacheVM, component.CloudCache, (*sim.Host).Kill},
	"cache hangs":              {cacheVM, component.CloudCache, func(h *sim.Host, vm string, c component.Service) error { return h.Hang(vm, c, 0) }},
	"interceptor crashes":      {cacheVM, component.IOInterceptor, (*sim.Host).Crash},
	"interceptor hangs":        {cacheVM, component.IOInterceptor, func(h *sim.Host, vm string, c component.Service) error { return h.Hang(vm, c, 0) }},
	"cloud IO manager crashes": {managerVM, component.CloudIOManager, (*sim.Host).Crash},
}

// What a guest was told is written is there when its cloud cache is back, and
// what it waits for is done then, whatever was in the cache's memory.
func TestAGuestStallsUntilItsWayIsBackAndLosesNothing(t *testing.T) {
	for name, c := range stalls {
		t.Run(name, func(t *testing.T) {
			s := computing(t)
			g := s.Guests().Guest("db")
			for n := range 2 {
				s.run(time.Minute + time.Duration(n)*1234*time.Millisecond)
				require.NoError(t, c.fail(s.Components, c.vm, c.service))
				s.run(time.Second)
				before := g.Counters()
				s.run(4 * time.Minute)
				after := g.Counters()
				assert.Equal(t, before.Writes+before.Reads, after.Writes+after.Reads, "nothing is done meanwhile")
				require.NoError(t, s.start(c.vm, c.service))
				s.run(time.Minute)
				assert.Greater(t, g.Counters().Writes, after.Writes+100, "it goes on")
			}
			got := g.Counters()
			assert.Zero(t, got.Misread+got.Failed)
			assert.Greater(t, got.Stalled, 7*time.Minute)
			s.ledger("db")
			s.power("db ARM", false)
			s.ledger("db")
			s.flush("m-1")
			s.assertSame("db")
		})
	}
}

// ledger holds what the disks of a compute VM hold against what its guest was
// told.
func (s *stage) ledger(name string) {
	s.t.Helper()
	for i, image := range s.images(s.Cloud, compute(name)) {
		assert.Empty(s.t, s.Guests().Guest(name).Check(i, image, 5))
	}
}

func TestACacheThatIsRebootedUnderARunningGuestLosesNothingOfIts(t *testing.T) {
	s := computing(t)
	g := s.Guests().Guest("db")
	for n := range 2 {
		s.run(time.Minute + time.Duration(n)*777*time.Millisecond)
		s.power(cacheVM, false)
		s.ledger("db")
		s.power(cacheVM, true)
		s.run(time.Minute)
		s.ledger("db")
	}
	assert.Zero(t, g.Counters().Misread+g.Counters().Failed)
}

func TestAComputeVMIsPoweredOffWhileItsCacheIsDownAsInAPowerCut(t *testing.T) {
	for _, wait := range []time.Duration{777 * time.Millisecond, 3 * time.Second} {
		s := computing(t)
		s.run(2*time.Minute + wait)
		require.NoError(t, s.Components.Crash(cacheVM, component.CloudCache))
		s.run(time.Minute)
		s.power("db ARM", false)
		s.ledger("db")
		require.NoError(t, s.start(cacheVM, component.CloudCache))
		s.ledger("db")
		s.power("db ARM", true)
		s.run(2 * time.Minute)
		assert.Zero(t, s.Guests().Guest("db").Counters().Misread)
		s.power("db ARM", false)
		s.ledger("db")
		s.power(cacheVM, false) // what is in the cache does not care
		s.power(cacheVM, true)
		s.run(time.Minute)
		s.ledger("db")
	}
}

func TestCommandsAndAnswersAreLostAndAskedForAgain(t *testing.T) {
	for act, name := range map[sim.Act]string{sim.LoseAnswer: "answer lost", sim.Hang: "hangs"} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, "standard", worker("db"))
			hit := map[component.Verb]bool{}
			s.Components.Intercept = func(vm string, c component.Command) sim.Act {
				if hit[c.Verb] {
					return sim.Pass
				}
				hit[c.Verb] = true
				return act
			}
			s.bind("m-1", "db", 32<<20)
			s.flush("m-1")
			require.NoError(t, s.start(cacheVM, component.CloudCache))
			s.do(func(ctx context.Context) error { return s.client.Release(ctx, "m-1") })
			assert.Len(t, s.events(event.Bound), 1, "each is done once")
			assert.Len(t, s.events(event.FlushApplied), 1)
			assert.Len(t, s.events(event.ServiceUp), 1)
			assert.Len(t, s.events(event.Released), 1)
		})
	}
	s := newStage(t, "standard")
	sent := 0
	s.Components.Intercept = func(string, component.Command) sim.Act {
		if sent++; sent > 2 {
			return sim.Pass
		}
		return sim.Hang
	}
	began := s.Kernel.Now()
	s.ping(cacheVM)
	assert.Greater(t, s.Kernel.Now()-began, time.Minute, "the third one is answered")
	assert.Less(t, s.Kernel.Now()-began, 2*time.Minute)
}

func TestFilterDaemonsAreHeardWhileTheyRun(t *testing.T) {
	s := newStage(t, "standard")
	var heard []component.Heartbeat
	s.Components.Heartbeat = func(b component.Heartbeat) {
		if slices.ContainsFunc(b.Services, func(x component.Beat) bool { return x.Name == component.IOFilter }) {
			heard = append(heard, b)
		}
	}
	filters := []sim.Filter(nil)
	s.Components.Filters = func() []sim.Filter { return filters }
	changed := func(now ...sim.Filter) {
		filters, heard = now, nil
		s.Components.FiltersChanged()
	}
	changed()
	s.run(time.Hour)
	assert.Empty(t, heard)
	changed(sim.Filter{Host: "esx-1", Boot: 1, Epoch: 1}, sim.Filter{Host: "esx-2", Boot: 3, Epoch: 7})
	s.run(95 * time.Second)
	require.Len(t, heard, 20, "at once, and every ten seconds")
	assert.Equal(t, component.Heartbeat{VM: "esx-2", Boot: 3, Services: []component.Beat{{Name: component.IOFilter, Epoch: 7}}}, heard[1])
	changed(sim.Filter{Host: "esx-1", Boot: 1, Epoch: 2}, sim.Filter{Host: "esx-2", Boot: 3, Epoch: 7})
	s.run(time.Second)
	require.Len(t, heard, 1, "who has started anew says so at once")
	assert.Equal(t, uint64(2), heard[0].Services[0].Epoch)
	changed()
	s.run(time.Hour)
	assert.Empty(t, heard)
}

package component_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/wan"
)

// worker is a VM that is off, with a guest that writes and reads a lot.
func worker(name string) site.VM {
	used, rate := site.Size(1<<20), 100.0
	return site.VM{
		Name: name, Power: site.Off,
		Disks:    []site.Disk{{Capacity: 64 << 20, Used: &used}, {Capacity: 32<<20 + 1024, Used: &used}},
		Workload: &site.Workload{Kind: "zipf", Rate: &rate, Reads: 0.3, Span: 16 << 20},
	}
}

// modes, and how many flushes each is watched for: one every twenty minutes.
var modes = map[string]uint64{
	"lite": 1, "standard": 3, "performance": 1, "lite cluster 2": 2, "standard cluster 2": 2, "performance cluster 3": 1,
}

func TestAfterEachFlushThePremisesHoldWhatTheComputeVMHeldAtItsInstant(t *testing.T) {
	for mode, flushes := range modes {
		t.Run(mode, func(t *testing.T) {
			s := newStage(t, mode, worker("db"))
			s.bind("m-1", "db", 32<<20)
			s.power("db ARM", true)
			var cut []disk.Reader
			s.Kernel.Observe(func(e kernel.Event) {
				if e.Kind == event.FlushCut {
					for _, d := range frozen(t, s.images(s.Cloud, "db ARM")) {
						cut = append(cut, d)
					}
				}
			})
			for n := range flushes {
				s.run(20 * time.Minute)
				cut = nil
				done := s.flush("m-1")
				require.Len(t, done, 1)
				assert.Equal(t, n+1, done[0].Number)
				assert.Greater(t, done[0].Blocks, 500)
				here := s.images(s.OnPremises, "db")
				require.Len(t, cut, len(here))
				for i := range here {
					same, block := disk.Same(here[i], cut[i])
					assert.True(t, same, "flush %d: disk %d differs in block %d", n+1, i, block)
				}
			}
			s.power("db ARM", false)
			s.flush("m-1")
			s.assertSame("db")
			assert.Len(t, s.events(event.FlushApplied), int(flushes)+1)
			s.do(func(ctx context.Context) error { return s.client.Release(ctx, "m-1") })
			assert.Len(t, s.events(event.Released), 1)
		})
	}
}

func TestAnOutageOfFourMinutesDuringAFlushIsRiddenOut(t *testing.T) {
	s := computing(t)
	s.run(20 * time.Minute)
	down := false
	s.Kernel.Observe(func(e kernel.Event) {
		if e.Kind == event.FlushCut && !down {
			down = true
			s.Kernel.After(80*time.Millisecond, func() { s.WAN.SetDown(wan.Both, true) })
			s.Kernel.After(4*time.Minute, func() { s.WAN.SetDown(wan.Both, false) })
		}
	})
	began := s.Kernel.Now()
	done := s.flush("m-1")
	assert.Equal(t, uint64(1), done[0].Number)
	assert.Greater(t, s.Kernel.Now()-began, 4*time.Minute)
	assert.Less(t, s.Kernel.Now()-began, 5*time.Minute)
	assert.Len(t, s.events(event.FlushCut), 1, "the instant is the first one")
	s.power("db ARM", false)
	s.flush("m-1")
	s.assertSame("db")
}

func TestReconcilePassesEndWithAnImageThatIsTheComputeVM(t *testing.T) {
	s := newStage(t, "standard", worker("db"))
	s.bind("m-1", "db", 32<<20)
	image := s.image("db")
	s.power("db ARM", true)
	pass := func() (left int) {
		s.do(func(ctx context.Context) (err error) {
			left, err = s.client.Reconcile(ctx, "m-1", image, nil)
			return err
		})
		return left
	}
	s.run(time.Hour)
	first := pass()
	s.run(20 * time.Minute)
	pass()
	s.power("db ARM", false)
	assert.Zero(t, pass())
	compute, copied := s.images(s.Cloud, "db ARM"), s.images(s.Cloud, "db image")
	for i := range compute {
		same, block := disk.Same(compute[i], copied[i])
		assert.True(t, same, "disk %d differs in block %d", i, block)
	}
	passes := s.events(event.Reconciled)
	require.Len(t, passes, 3)
	assert.GreaterOrEqual(t, first, 0)
}

// image makes a copy of a VM in the cloud, as a bulk transfer does.
func (s *stage) image(name string) vsphere.Ref {
	s.t.Helper()
	vm, _ := s.OnPremises.VCenter.VM(name)
	var made vsphere.Ref
	s.at(vsphere.Cloud, func(ctx context.Context, v *vsphere.Session, r vsphere.Resources) (err error) {
		spec := vsphere.NewVM{Name: name + " image", Mark: "image", Pool: r.Pools[0].Ref, Host: r.Hosts[0].Ref, Datastore: own(r), CPUs: 1, MemoryMB: 1024}
		for _, d := range vm.Disks {
			spec.Disks = append(spec.Disks, vsphere.NewDisk{Capacity: d.Disk.Capacity()})
		}
		made, err = v.EnsureVM(ctx, spec)
		return err
	})
	copied, _ := s.Cloud.VCenter.VM(name + " image")
	for i, d := range copied.Disks {
		from := vm.Disks[i].Disk
		for e := range from.Extents() {
			p := make([]byte, e.Len)
			_, err := from.ReadAt(p, e.Off)
			require.NoError(s.t, err)
			_, err = d.Disk.WriteAt(p, e.Off)
			require.NoError(s.t, err)
		}
	}
	return made
}

func TestAQuotaSmallerThanWhatIsDirtyStallsTheGuestAndAFlushLetsItGoOn(t *testing.T) {
	s := newStage(t, "standard", worker("db"))
	s.bind("m-1", "db", 2<<20)
	s.power("db ARM", true)
	var wanted []time.Duration
	s.Components.Heartbeat = func(b component.Heartbeat) {
		if len(b.FlushWanted) > 0 {
			wanted = append(wanted, s.Kernel.Now())
		}
	}
	s.run(10 * time.Minute)
	require.NotEmpty(t, wanted, "a heartbeat says so")
	guests := s.Guests().All()
	stalled := guests[0].Counters()
	assert.Greater(t, stalled.Stalled, time.Minute)
	for range 20 {
		s.flush("m-1")
		s.run(5 * time.Second)
	}
	after := guests[0].Counters()
	assert.Greater(t, after.Writes, stalled.Writes+500)
	assert.Zero(t, after.Failed+after.Misread)
	s.power("db ARM", false)
	s.flush("m-1")
	s.assertSame("db")
}

func TestAGroupOnOneCacheIsCutAtOneInstant(t *testing.T) {
	s := newStage(t, "standard cluster 2", worker("db"), worker("app"))
	s.group = "shop"
	s.bind("m-1", "db", 32<<20)
	s.bind("m-2", "app", 32<<20)
	s.power("db ARM", true)
	s.power("app ARM", true)
	s.run(20 * time.Minute)
	done := s.flush("m-2", "m-1")
	assert.Equal(t, "m-2", done[0].ID)
	cuts := s.events(event.FlushCut)
	require.Len(t, cuts, 2)
	assert.Equal(t, cuts[0].At, cuts[1].At)
}

func TestVMsSpreadOverTheCachesOfACluster(t *testing.T) {
	s := newStage(t, "standard cluster 2", worker("db"), worker("app"))
	s.bind("m-1", "db", 32<<20)
	s.bind("m-2", "app", 32<<20)
	var all []component.Status
	s.do(func(ctx context.Context) (err error) {
		all, err = s.client.Bindings(ctx)
		return err
	})
	require.Len(t, all, 2)
	assert.Equal(t, []string{"HDM_Cloud_Cache-0", "HDM_Cloud_Cache-1"}, []string{all[0].VM, all[1].VM})
	assert.Equal(t, []string{"HDM_OnPrem_ESXi_Manager-0", "HDM_OnPrem_ESXi_Manager-1"}, []string{all[0].Home, all[1].Home})
	var failure error
	s.do(func(ctx context.Context) error {
		_, failure = s.client.Flush(ctx, []string{"m-1", "m-2"})
		return nil
	})
	assert.Equal(t, vsphere.Refused, vsphere.ClassOf(failure), "two caches cannot be cut at one instant: %v", failure)
}

func TestEveryServiceOfTheModeIsHeardEveryTenSeconds(t *testing.T) {
	for mode, want := range map[string]int{"lite": 9, "standard": 9, "standard cluster 2": 18} {
		s := newStage(t, mode)
		s.beats = nil
		s.run(100 * time.Second)
		services, beats := 0, map[string]int{}
		for _, b := range s.beats {
			if beats[b.VM]++; beats[b.VM] == 1 {
				services += len(b.Services)
			}
		}
		assert.Equal(t, want, services, mode)
		for vm, n := range beats {
			assert.InDelta(t, 10, n, 1, vm)
		}
	}
}

func TestHeartbeatsFromTheCloudDoNotCrossAnOutage(t *testing.T) {
	s := newStage(t, "standard")
	s.WAN.SetDown(wan.Both, true)
	s.run(time.Second)
	s.beats = nil
	s.run(2 * time.Minute)
	for _, b := range s.beats {
		assert.Contains(t, b.VM, "OnPrem")
	}
	assert.NotEmpty(t, s.beats)
	var failure error
	s.do(func(ctx context.Context) error {
		_, failure = s.client.Bindings(ctx)
		return nil
	})
	assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(failure))
}

func TestAPowerCycleOfComponentVMsEndsWhatTheyHoldInMemoryAndNoMore(t *testing.T) {
	s := computing(t)
	s.run(5 * time.Minute)
	for _, name := range []string{"HDM_Cloud_Manager-0", "HDM_Cloud_Cache-0"} {
		s.power(name, false)
		assert.NotContains(t, s.Components.Up(), name)
		s.power(name, true)
		s.run(time.Minute)
	}
	_, err := s.OnPremises.Power("HDM_OnPrem_ESXi_Manager-0", false)
	require.NoError(t, err)
	s.run(time.Minute)
	_, err = s.OnPremises.Power("HDM_OnPrem_ESXi_Manager-0", true)
	require.NoError(t, err)
	s.run(5 * time.Minute)
	s.power("db ARM", false)
	s.flush("m-1")
	s.assertSame("db")
	assert.Len(t, s.events(event.ComponentDown), 3)
}

func TestAWorldWithComponentsIsAFunctionOfItsSeed(t *testing.T) {
	hash := func() uint64 {
		s := newStage(t, "lite cluster 2", worker("db"))
		s.bind("m-1", "db", 4<<20)
		s.power("db ARM", true)
		s.run(20 * time.Minute)
		s.flush("m-1")
		return s.Kernel.Hash()
	}
	assert.Equal(t, hash(), hash())
}

func TestBindingTenTerabytesTakesNoLongerThanTenGigabytes(t *testing.T) {
	bind := func(capacity int64) (took time.Duration) {
		vm := worker("db")
		vm.Disks = []site.Disk{{Capacity: site.Size(capacity)}}
		s := newStage(t, "performance", vm)
		rule, _ := s.mode.Cache()
		began := s.Kernel.Now()
		s.bind("m-1", "db", cache.Quota(rule, capacity, 0))
		took = s.Kernel.Now() - began
		s.power("db ARM", true)
		s.run(time.Minute)
		s.power("db ARM", false)
		s.flush("m-1")
		s.assertSame("db")
		return took
	}
	assert.Equal(t, bind(10*gb), bind(10<<10*gb))
}

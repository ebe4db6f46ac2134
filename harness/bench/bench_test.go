// Package bench measures what the testbed promises of its speed, as ratios of
// two things measured in turn in one run: so a slow machine, or a busy one,
// makes both slow. A promise that is not kept fails the benchmark.
//
//	make bench
package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/simulator"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// TestMain gives the garbage collector the room that hdm gives it.
func TestMain(m *testing.M) {
	run.RoomyHeap()
	m.Run()
}

func median[T time.Duration | float64](v []T) T {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// timed is how long f takes, without the garbage of what came before.
func timed(f func()) time.Duration {
	runtime.GC()
	began := time.Now()
	f()
	return time.Since(began)
}

// A world of two sites is there at least so many times as fast as two
// inventories of vcsim's own making.
const worldFactor = 15

func BenchmarkWorldOfSixVMsAgainstTwoModels(b *testing.B) {
	d := site.Description{
		OnPremises: site.Site{VMs: vms(3)},
		Cloud:      site.Site{VMs: vms(3)},
	}
	ours, theirs := make([]time.Duration, 9), make([]time.Duration, 9)
	for b.Loop() {
		for i := range ours {
			var w *site.World
			k := kernel.New(1)
			ours[i] = timed(func() {
				var err error
				w, err = site.Build(k, d, site.Options{})
				require.NoError(b, err)
			})
			require.NoError(b, w.Close())
			k.Close()
			theirs[i] = timed(func() {
				for range 2 {
					m := simulator.VPX()
					m.Host, m.ClusterHost, m.Machine = 0, 2, 3
					require.NoError(b, m.Create())
					defer m.Remove()
				}
			})
		}
	}
	report(b, "times-as-fast", float64(median(theirs))/float64(median(ours)), atLeast(worldFactor))
	b.ReportMetric(median(ours).Seconds()*1000, "ms/world")
	b.ReportMetric(median(theirs).Seconds()*1000, "ms/two-models")
}

// Ten times the VMs take at most so many times as much of each VM. Time is what
// the processors took, garbage collection included: at half a minute a run the
// wall clock would measure what else the machine does.
const growthFactor = 1.5

func BenchmarkTenThousandVMsAgainstAThousand(b *testing.B) {
	const few, many = 1_000, 10_000
	var times, walls, sizes = map[int][]float64{}, map[int][]float64{}, map[int][]float64{}
	for b.Loop() {
		inventory(b, few) // the first pays for what all share
		for range 3 {
			for _, n := range []int{few, few, few, many} {
				took, wall, bytes := inventory(b, n)
				times[n] = append(times[n], took.Seconds()*1e6/float64(n))
				walls[n] = append(walls[n], wall.Seconds()*1e6/float64(n))
				sizes[n] = append(sizes[n], float64(bytes)/float64(n))
			}
		}
	}
	report(b, "time-per-VM-ratio", median(times[many])/median(times[few]), atMost(growthFactor))
	report(b, "memory-per-VM-ratio", median(sizes[many])/median(sizes[few]), atMost(growthFactor))
	b.ReportMetric(median(walls[many])/median(walls[few]), "wall-time-per-VM-ratio")
	b.ReportMetric(median(times[many]), "µs/VM")
	b.ReportMetric(median(sizes[many]), "B/VM")
}

// inventory builds a site of n VMs and has the appliance read it all. took is
// processor time; bytes is what is alive afterwards: the world, and what was
// read.
func inventory(b *testing.B, n int) (took, wall time.Duration, bytes uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	k := kernel.New(1)
	var w *site.World
	var read []vsphere.VM
	began, worked := time.Now(), busy()
	var err error
	w, err = site.Build(k, site.Description{OnPremises: site.Site{VMs: vms(n)}}, site.Options{})
	require.NoError(b, err)
	m := w.Appliance()
	here, _ := w.Endpoints("bench")
	m.Go(context.Background(), "inventory", func(ctx context.Context) {
		s, err := vsphere.NewClient(m, here).Open(ctx)
		if !assertNoError(b, err) {
			return
		}
		defer s.Close(ctx)
		read, err = s.Inventory(ctx)
		assertNoError(b, err)
	})
	require.NoError(b, kernel.NewDriver(k, 0, kernel.Limits{}).Run(time.Hour, nil))
	took, wall = busy()-worked, time.Since(began)
	require.Len(b, read, n)

	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(read)
	require.NoError(b, w.Close())
	k.Close()
	return took, wall, after.HeapAlloc - before.HeapAlloc
}

// assertNoError reports an error from within a process of the kernel, which
// must not be left by runtime.Goexit.
func assertNoError(b *testing.B, err error) bool {
	if err != nil {
		b.Error(err)
	}
	return err == nil
}

func vms(n int) []site.VM {
	all := make([]site.VM, n)
	for i := range all {
		used := site.GB
		all[i] = site.VM{Name: fmt.Sprintf("vm-%05d", i), Disks: []site.Disk{{Capacity: 20 * site.GB, Used: &used}}}
	}
	return all
}

// A virtual hour with a cold migration in it, every oracle on, passes at least
// so many times as fast as a real one.
const hourFactor = 10_000

const hour = `
title: A virtual hour with a cold migration
world: small
limit: 2h
steps:
  - {at: 46m, migrate: {vm: db-01, type: cold, target: {networks: {VM Network: Cloud Net, Backend: Cloud Backend}}}}
expect:
  - {vm: db-01, migration: completed}
`

func BenchmarkColdHourAgainstRealTime(b *testing.B) {
	s, err := scenario.ParseText("hour.yaml", []byte(hour))
	require.NoError(b, err)
	factors := make([]float64, 9)
	for b.Loop() {
		for i := range factors {
			var r record.Run
			took := timed(func() {
				r, err = run.One(context.Background(), s, run.Options{})
			})
			require.NoError(b, err)
			require.Empty(b, r.Violations)
			require.GreaterOrEqual(b, r.VirtualSeconds, 59*60.0)
			factors[i] = r.VirtualSeconds / took.Seconds()
		}
	}
	report(b, "times-as-fast", median(factors), atLeast(hourFactor))
}

type bound func(ratio float64) (kept bool, promise string)

func atLeast(n float64) bound {
	return func(r float64) (bool, string) { return r >= n, fmt.Sprintf("at least %v", n) }
}

func atMost(n float64) bound {
	return func(r float64) (bool, string) { return r <= n, fmt.Sprintf("at most %v", n) }
}

func report(b *testing.B, what string, ratio float64, is bound) {
	b.ReportMetric(ratio, what)
	if kept, promise := is(ratio); !kept {
		b.Errorf("%s is %.2f: promised is %s", what, ratio, promise)
	}
}

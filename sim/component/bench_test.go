package component_test

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/site"
)

// BenchmarkFourHoursInTheCloud is a guest on a cloud cache that writes for four
// virtual hours, with a flush every twenty minutes and heartbeats of four
// component VMs every ten seconds. virtual/cpu is how many seconds of that a
// second of a processor is worth.
func BenchmarkFourHoursInTheCloud(b *testing.B) {
	for _, c := range []struct {
		name, kind string
		rate       float64
		span       site.Size
	}{
		{"trace-100-per-s-of-512MB", "trace", 100, 512 << 20},
		{"zipf-100-per-s-of-16MB", "zipf", 100, 16 << 20},
		{"zipf-10-per-s-of-16MB", "zipf", 10, 16 << 20},
	} {
		b.Run(c.name, func(b *testing.B) { fourHours(b, &site.Workload{Kind: c.kind, Rate: &c.rate, Span: c.span}) })
	}
}

func fourHours(b *testing.B, w *site.Workload) {
	for b.Loop() {
		b.StopTimer()
		used := site.Size(1 << 20)
		s := newStage(b, "standard", site.VM{Name: "db", Power: site.Off, Disks: []site.Disk{{Capacity: 1 << 30, Used: &used}}, Workload: w})
		s.bind("m-1", "db", 256<<20)
		s.power("db ARM", true)
		b.StartTimer()
		began, from := cpu(b), s.Kernel.Now()
		for s.Kernel.Now() < from+4*time.Hour {
			s.run(20 * time.Minute)
			s.flush("m-1")
		}
		spent := cpu(b) - began
		blocks := 0
		for _, e := range s.events(event.FlushApplied) {
			n, err := strconv.Atoi(e.Attr("blocks"))
			require.NoError(b, err)
			blocks += n
		}
		b.ReportMetric(float64(s.Kernel.Now()-from)/float64(spent), "virtual/cpu")
		b.ReportMetric(float64(blocks), "flushed-blocks")
		b.ReportMetric(float64(s.Guests().All()[0].Counters().Writes), "writes")
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package run

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// flushesOf lets flushes hear a history, one event a line: time, kind, subject and
// details. A VM whose name ends in -ARM runs on the binding of that name.
func flushesOf(t *testing.T, history string) *flushes {
	t.Helper()
	f := newFlushes(func(vm string) string {
		if strings.HasSuffix(vm, "-ARM") {
			return "b/" + strings.TrimSuffix(vm, "-ARM")
		}
		return ""
	}, func(string) guest.Counters { return guest.Counters{} })
	seq := uint64(0)
	for line := range strings.Lines(history) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		seq++
		at, err := time.ParseDuration(fields[0])
		require.NoError(t, err)
		e := kernel.Event{Seq: seq, At: at, Kind: fields[1], Subject: fields[2]}
		for _, attr := range fields[3:] {
			key, value, _ := strings.Cut(attr, "=")
			e.Attrs = append(e.Attrs, kernel.Attr{Key: key, Value: value})
		}
		f.hear(e)
	}
	return f
}

const inTheCloud = `
0s guest.write db-01 site=on-premises vm=db-01 block=1 write=1
1s guest.started db-01 site=cloud vm=db-01-ARM
10s guest.write db-01 site=cloud vm=db-01-ARM block=1,2 write=3
20s guest.write db-01 site=cloud vm=db-01-ARM block=1 write=4
`

func TestTheLossIsTheAgeOfTheOldestWriteThatThePremisesLack(t *testing.T) {
	tests := []struct {
		name    string
		history string
		loss    time.Duration
		atRisk  uint64
	}{
		{"until its flush is applied", "30s flush.cut b/db-01\n32s flush.applied b/db-01 bytes=8192", 22 * time.Second, 3},
		{"what is written while it is on its way is not in it", "30s flush.cut b/db-01\n31s guest.write db-01 site=cloud block=9 write=5\n32s flush.applied b/db-01 bytes=8192\n60s flush.cut b/db-01\n63s flush.applied b/db-01 bytes=4096", 32 * time.Second, 1},
		{"one that was abandoned carried nothing", "30s flush.cut b/db-01\n32s flush.abandoned b/db-01\n35s guest.write db-01 site=cloud block=9 write=5\n40s flush.cut b/db-01\n41s flush.applied b/db-01 bytes=1", 31 * time.Second, 4},
		{"one that was lost with its cloud cache neither", "30s flush.cut b/db-01\n50s flush.cut b/db-01\n51s flush.applied b/db-01 bytes=1", 41 * time.Second, 3},
		{"never applied, until the end", "30s flush.cut b/db-01", 90 * time.Second, 3},
		{"another VM's flush is not its own", "30s flush.cut b/web-01\n31s flush.applied b/web-01 bytes=1", 90 * time.Second, 3},
		{"a VM with disks of its own has nothing to flush", "30s flush.cut b/db-01\n31s flush.applied b/db-01 bytes=1\n32s guest.started db-01 site=cloud vm=db-01\n33s guest.write db-01 site=cloud block=1 write=7", 21 * time.Second, 3},
		{"nor has one that is off", "30s guest.stopped db-01 site=cloud\n31s flush.cut b/db-01\n32s flush.applied b/db-01 bytes=1\n33s binding.released b/db-01 blocks=0", 22 * time.Second, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := flushesOf(t, inTheCloud+test.history).end(100*time.Second, "Cluster", "w", 0)
			require.Len(t, got.VMs, 1)
			assert.Equal(t, test.loss, got.VMs[0].Loss)
			assert.Equal(t, test.atRisk, got.VMs[0].AtRisk)
		})
	}
}

func TestFlushesAreCountedWithWhatTheyCarried(t *testing.T) {
	f := flushesOf(t, `
0s settings appliance flush-every=Other=1m0s;Cluster=5m0s
`+inTheCloud+`
21s guest.started web-01 site=cloud vm=web-01-ARM
22s guest.write web-01 site=cloud vm=web-01-ARM block=7 write=1
30s flush.cut b/db-01
30s flush.cut b/web-01
32s flush.applied b/db-01 bytes=8192
34s flush.applied b/web-01 bytes=4096
`)
	assert.Equal(t, &record.Flushes{
		Interval: 5 * time.Minute, Workload: "w", Applied: 2, Bytes: 12288, WANBytes: 99, Absorbed: 4 * 4096, Longest: 4 * time.Second,
		VMs: []record.FlushedVM{{Name: "db-01", Writes: 3, Loss: 22 * time.Second, AtRisk: 3}, {Name: "web-01", Writes: 1, Loss: 12 * time.Second, AtRisk: 1}},
	}, f.end(time.Minute, "Cluster", "w", 99))
	assert.Equal(t, 20*time.Minute, f.end(time.Minute, "elsewhere", "w", 0).Interval, "the default, where nobody set another")
	assert.Nil(t, flushesOf(t, "1s guest.started db-01 site=cloud vm=db-01").end(time.Minute, "Cluster", "w", 99), "no VM ran on a cloud cache")
}

func TestFlushesOfManyVMsStaySmall(t *testing.T) {
	var history strings.Builder
	for i := range 3 * record.MostFlushedVMs {
		fmt.Fprintf(&history, "1s guest.started vm-%d site=cloud vm=vm-%d-ARM\n2s guest.write vm-%d site=cloud block=1 write=1\n", i, i, i)
	}
	got := flushesOf(t, history.String()).end(time.Minute, "Cluster", "w", 0)
	assert.Len(t, got.VMs, record.MostFlushedVMs)
	assert.Equal(t, 2*record.MostFlushedVMs, got.MoreVMs)
}

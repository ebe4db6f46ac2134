package record_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/reports/record"
)

var policies = record.Catalogue{{ID: "POL-05", Must: "A shorter interval costs more and loses less.", Together: true}, {ID: "POL-06", Must: "One run shows it."}}

// every is a run that passed with that flush interval.
func every(minutes int, bytes int64, loss time.Duration) record.Run {
	return record.Run{
		Scenario: fmt.Sprintf("%dm", minutes), Verdict: record.Passed, Covers: []string{"POL-05", "POL-06"}, Family: "flush-interval",
		Flushes: &record.Flushes{
			Interval: time.Duration(minutes) * time.Minute, Workload: "trace", Bytes: bytes, Absorbed: 1000, Longest: 2 * time.Second,
			VMs: []record.FlushedVM{{Name: "calm", Loss: time.Second}, {Name: "db-01", Loss: loss}},
		},
	}
}

func family() []record.Run { // in no order
	return []record.Run{every(40, 300, 40*time.Minute+time.Second), every(5, 900, 5*time.Minute), every(10, 600, 10*time.Minute), every(20, 450, 20*time.Minute+2*time.Second)}
}

func TestAShorterIntervalCostsMoreAndLosesLess(t *testing.T) {
	runs := family()
	found := record.Families(runs)
	require.Len(t, found, 1)
	assert.Equal(t, record.Family{Name: "flush-interval", Runs: []string{"5m", "10m", "20m", "40m"}, Compared: true}, found[0])
	clauses := policies.Judge(runs)
	assert.Equal(t, record.Held, clauses[0].Standing)
	assert.Len(t, clauses[0].By, 4)
	same := []record.Run{every(5, 500, time.Minute), every(10, 500, time.Minute)}
	assert.Empty(t, record.Families(same)[0].Broken, "without overwrites it costs the same")
}

func TestAFamilyThatSaysOtherwiseIsBroken(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(runs []record.Run) // 40m, 5m, 10m, 20m
		want  string
	}{
		{"a shorter interval costs less", func(r []record.Run) { r[1].Flushes.Bytes = 599 }, "a flush every 5m0s carried 599 bytes, fewer than the 600 of one every 10m0s"},
		{"a shorter interval loses more", func(r []record.Run) {
			r[2].Flushes.VMs[1].Loss = 10*time.Minute + 3*time.Second
			r[3].Flushes.VMs[1].Loss = 9 * time.Minute
		}, "a flush every 10m0s left 10m3s of writes at risk, more than the 9m0s of one every 20m0s"},
		{"one loses more than its bound", func(r []record.Run) { r[3].Flushes.VMs[1].Loss = 20*time.Minute + 4*time.Second }, "20m: db-01 could have lost 20m4s of writes, more than its interval of 20m0s, its longest flush of 2s and 1s on the way"},
		{"one has another seed", func(r []record.Run) { r[0].Seed = 7 }, "20m (seed 0, trace, 1000 bytes written) and 40m (seed 7, trace, 1000 bytes written) did not do the same: they say nothing about the interval"},
		{"one has another workload", func(r []record.Run) { r[0].Flushes.Workload = "zipf" }, "40m (seed 0, zipf, 1000 bytes written) did not do the same"},
		{"one wrote less", func(r []record.Run) { r[1].Flushes.Absorbed = 900 }, "5m (seed 0, trace, 900 bytes written) and 10m"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			runs := family()
			test.spoil(runs)
			s := record.Suite{Runs: runs}
			s.Judge(policies)
			require.Len(t, s.Families, 1)
			require.Len(t, s.Families[0].Broken, 1)
			assert.Contains(t, s.Families[0].Broken[0], test.want)
			assert.Equal(t, record.Violated, s.Clauses[0].Standing, "what the family shows together")
			assert.Equal(t, record.Held, s.Clauses[1].Standing, "what each shows by itself")
			assert.False(t, s.Held())
		})
	}
}

func TestWhatRunsShowTogetherNoneShowsAlone(t *testing.T) {
	flushless, failed := every(10, 1, 0), every(10, 1, 0)
	flushless.Flushes, failed.Verdict = nil, record.Failed
	stranger := every(10, 600, 10*time.Minute)
	stranger.Family = "other"
	for name, other := range map[string]record.Run{"nothing": {}, "one that flushed nothing": flushless, "one of another family": stranger, "itself": every(5, 900, 5*time.Minute)} {
		clauses := policies.Judge([]record.Run{every(5, 900, 5*time.Minute), other})
		assert.Equal(t, record.Uncovered, clauses[0].Standing, "with %s", name)
		assert.Equal(t, record.Held, clauses[1].Standing, "with %s", name)
	}
	assert.Equal(t, record.Violated, policies.Judge([]record.Run{every(5, 900, 0), failed})[0].Standing, "a failed run breaks what it covers")
}

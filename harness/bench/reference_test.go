package bench

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
)

func BenchmarkFourHoursInTheCloudAgainstRealTime(b *testing.B) {
	s, err := scenario.Parse("testdata/reference.yaml")
	require.NoError(b, err)
	factors := make([]float64, 5)
	for b.Loop() {
		for i := range factors {
			var r record.Run
			from := busy()
			r, err = run.One(context.Background(), s, run.Options{})
			took := busy() - from
			require.NoError(b, err)
			require.Empty(b, r.Violations)
			b.Log(r.VirtualSeconds, took, r.Events)
			factors[i] = r.VirtualSeconds / took.Seconds()
		}
	}
	report(b, "times-as-fast", median(factors), atLeast(hourFactor))
}

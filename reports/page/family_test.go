package page_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/reports/page"
	"github.com/hdm-project/hdm/reports/record"
)

// intervals are runs of a family, whose flushes carry less the rarer they are.
func intervals(workload string, minutes ...int) *page.Suite {
	s := &page.Suite{Record: &record.Suite{}}
	for _, m := range minutes {
		every := time.Duration(m) * time.Minute
		s.Record.Runs = append(s.Record.Runs, record.Run{
			Scenario: fmt.Sprintf("every-%dm", m), Verdict: record.Passed, Family: "flush-interval", Covers: []string{"POL-05"},
			Flushes: &record.Flushes{
				Interval: every, Workload: workload, Applied: 240 / m, Bytes: 400e6 / int64(m+5), WANBytes: 440e6 / int64(m+5), Absorbed: 92e6, Longest: 4 * time.Second,
				VMs: []record.FlushedVM{{Name: "db-01", Writes: 22_400, Loss: every - 3*time.Second, AtRisk: uint64(93 * m), Stalled: 1234 * time.Millisecond, Longest: 81 * time.Millisecond}},
			},
		})
		s.Runs = append(s.Runs, page.Run{})
	}
	s.Record.Judge(record.Catalogue{{ID: "POL-05", Must: "A shorter interval raises WAN traffic.", Together: true}})
	return s
}

func TestTheFlushIntervalIsDrawnAgainstItsCostAndWhatItSaves(t *testing.T) {
	html := drawn(t, intervals("trace: 5 requests a second, 70 % of them writes", 5, 10, 20, 40))
	has(t, html, "Workload: trace: 5 requests a second, 70 % of them writes.")
	assert.Equal(t, 1, strings.Count(html, `<svg class="chart"`))
	for _, class := range []string{"flushed", "loss"} {
		dots := regexp.MustCompile(`<circle class="`+class+`" cx="([\d.]+)" cy="([\d.]+)"`).FindAllStringSubmatch(html, -1)
		require.Len(t, dots, 4, class)
		var xs, ys []float64
		for _, d := range dots {
			x, err := strconv.ParseFloat(d[1], 64)
			require.NoError(t, err)
			y, err := strconv.ParseFloat(d[2], 64)
			require.NoError(t, err)
			xs, ys = append(xs, x), append(ys, y)
		}
		for i := 1; i < 4; i++ {
			assert.InDelta(t, xs[1]-xs[0], xs[i]-xs[i-1], 0.2, "each interval is twice the one before")
			assert.Equal(t, class == "flushed", ys[i] > ys[i-1], "bytes fall and loss rises with the interval")
		}
	}
	for _, text := range []string{"<title>Flush interval: bytes over the WAN", "<desc>every 5m: 40 MB flushed, 4m57s at risk; every 10m: 26.7 MB", "minutes</text>", ">MB</text>"} {
		has(t, html, text)
	}
	for _, m := range []string{"5", "10", "20", "40"} {
		has(t, html, `<th scope="row">`+m+`m</th>`, "the numbers stand in a table, too")
	}
	assert.Regexp(t, `<td class="n">1\.23s</td><td class="n">0\.08s</td><td><a href="#run-1">every-5m</a>`, html, "what guests waited")
}

func TestOneIntervalMakesNoCurve(t *testing.T) {
	html := drawn(t, intervals("w", 20))
	assert.NotContains(t, html, `<svg class="chart"`)
	has(t, html, `<th scope="row">20m</th>`)
	assert.NotContains(t, drawn(t, suite("x")), `class="together"`, "and runs without flushes nothing at all")
}

func TestEachVMTellsWhatWasAtRiskWhileItRanOnACloudCache(t *testing.T) {
	s := intervals("w", 20)
	assert.NotContains(t, drawn(t, suite("x")), "At risk", "none ran on one")
	s.Runs[0].Line = line("db-01")
	html := drawn(t, s)
	has(t, html, `<td class="n">19m57s, 1860 writes</td><td>1.23s; longest request 0.08s</td>`)
	has(t, html, "with a flush every 20m.")
}

func TestWhatAFamilyBreaksStandsAboveItsChart(t *testing.T) {
	s := intervals(hostile, 5, 10)
	s.Record.Runs[0].Flushes.Bytes = 1
	s.Record.Judge(record.Catalogue{{ID: "POL-05", Must: "A promise.", Together: true}})
	html := drawn(t, s)
	has(t, html, "1 promise broken by runs that were compared</h1>")
	assert.Regexp(t, `<li><p>a flush every 5m0s carried 1 bytes, fewer than`, html)
	assert.NotContains(t, html, "<script>alert")
}

package guest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func draw(w Workload, n int64, count int) []int64 {
	pick := w.withDefaults().picker(n, rand.New(rand.NewPCG(1, 1)))
	places := make([]int64, count)
	for i := range places {
		places[i] = pick()
	}
	return places
}

// popular is the share of the most frequent tenth of n places.
func popular(places []int64, n int64) float64 {
	counts := make([]int, n)
	for _, p := range places {
		counts[p]++
	}
	top := 0
	for range n / 10 {
		best := 0
		for i, c := range counts {
			if c > counts[best] {
				best = i
			}
		}
		top += counts[best]
		counts[best] = 0
	}
	return float64(top) / float64(len(places))
}

func TestEveryWorkloadStaysWithinItsPlaces(t *testing.T) {
	for _, kind := range []Kind{Sequential, Random, Zipf, Trace} {
		for _, n := range []int64{1, 2, 7, 1000, 1 << 33} {
			for _, p := range draw(Workload{Kind: kind}, n, 2000) {
				require.True(t, 0 <= p && p < n, "%s: place %d of %d", kind, p, n)
			}
		}
	}
}

func TestSequentialGoesRound(t *testing.T) {
	assert.Equal(t, []int64{0, 1, 2, 0, 1, 2, 0}, draw(Workload{Kind: Sequential}, 3, 7))
}

func TestWorkloadsDifferInWhatIsPopular(t *testing.T) {
	const n, count = 1000, 20_000
	assert.InDelta(t, 0.13, popular(draw(Workload{Kind: Random}, n, count), n), 0.03, "random: hardly anything")
	assert.Greater(t, popular(draw(Workload{Kind: Zipf}, n, count), n), 0.7, "Zipf: a tenth gets most")
	assert.Greater(t, popular(draw(Workload{Kind: Zipf, Skew: 3}, n, count), n), popular(draw(Workload{Kind: Zipf}, n, count), n), "more with more skew")
	assert.Greater(t, popular(draw(Workload{Kind: Trace}, n, count), n), 0.2, "the trace has a hot set")
}

func TestThePopularPlacesOfZipfLieScattered(t *testing.T) {
	counts := make([]int, 1000)
	for _, p := range draw(Workload{Kind: Zipf}, 1000, 20_000) {
		counts[p]++
	}
	neighbours := 0
	for i := 1; i < len(counts); i++ {
		if counts[i-1] > 200 && counts[i] > 200 {
			neighbours++
		}
	}
	assert.LessOrEqual(t, neighbours, 1)
}

func TestTheTraceIsTheRecordedOne(t *testing.T) {
	requests := recorded()
	require.Len(t, requests, 200_000)
	assert.Equal(t, []uint32{904906, 896511, 904187, 641085, 641086}, requests[:5])
	sum := sha256.New()
	require.NoError(t, binary.Write(sum, binary.LittleEndian, requests))
	assert.Equal(t, "f198fd9fbf27afef913032fd107b92b6f559adfe0eec8fe4eb218b5fffa2d064", hex.EncodeToString(sum.Sum(nil)))
}

func TestABrokenTraceIsAnError(t *testing.T) {
	_, err := decodeTrace(traceFile[:len(traceFile)/2])
	assert.Error(t, err)
	_, err = decodeTrace([]byte("not gzip"))
	assert.Error(t, err)
}

func TestPaceIsRateByBurst(t *testing.T) {
	for _, c := range []struct {
		w    Workload
		pace time.Duration
	}{
		{Workload{}, time.Second},
		{Workload{Rate: 10}, time.Second},
		{Workload{Rate: 10, Burst: 1}, 100 * time.Millisecond},
		{Workload{Rate: 0.1}, 10 * time.Second},
		{Workload{Rate: 1.5}, 4 * time.Second / 3},
		{Workload{Rate: 2560}, 100 * time.Millisecond},
	} {
		assert.InDelta(t, float64(c.pace), float64(c.w.withDefaults().pace()), 2, "%+v", c.w)
	}
}

func TestPlacesFitTheDiskAndTheSpan(t *testing.T) {
	for _, c := range []struct {
		w        Workload
		capacity int64
		places   int64
	}{
		{Workload{}, 1 << 30, 256},
		{Workload{}, 8192, 1},
		{Workload{}, 8191, 0},
		{Workload{}, 0, 0},
		{Workload{Span: 10 << 30}, 1 << 20, 255},
		{Workload{BlockSize: 64 << 10}, 1 << 30, 16},
		{Workload{Start: 1 << 20}, 1<<20 + 4096, 1},
	} {
		assert.Equal(t, c.places, c.w.withDefaults().places(c.capacity), "%+v on %d bytes", c.w, c.capacity)
	}
}

func TestImpossibleWorkloadsAreRefused(t *testing.T) {
	require.NoError(t, Workload{}.Validate())
	for name, w := range map[string]Workload{
		"kind":          {Kind: "heavy"},
		"negative rate": {Rate: -1},
		"huge rate":     {Rate: MaxRate + 1},
		"burst":         {Burst: MaxBurst + 1},
		"block size":    {BlockSize: 5000},
		"large block":   {BlockSize: 2 * MaxBlockSize},
		"boot block":    {Start: 1},
		"small span":    {Span: 4096, BlockSize: 8192},
		"flat skew":     {Skew: 1},
		"flush":         {FlushEvery: -time.Second},
	} {
		assert.Error(t, w.Validate(), name)
	}
}

func TestAWorkloadSaysForPeopleWhatItDoes(t *testing.T) {
	assert.Equal(t, "trace: requests of 4096 bytes, 10 a second, 70 % of them writes, over the first 64 MiB of each disk, in the order, and with the popularity, of the block trace w106 of CloudPhysics",
		Workload{Kind: Trace, Rate: 10, ReadShare: 0.3, Span: 64 << 20}.String())
	assert.Equal(t, "random: requests of 4096 bytes, 1 a second, 100 % of them writes, over the first 1 MiB of each disk, each equally often", Workload{Kind: Random}.String())
	assert.Equal(t, "none", Workload{}.String())
}

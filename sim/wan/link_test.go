package wan

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
)

var background = context.Background()

// quality of the link in these tests: a byte per millisecond, 10 ms away.
var quality = Quality{Latency: 10 * time.Millisecond, Bandwidth: 1000}

func world(t testing.TB, q Quality) (*kernel.Kernel, *Link) {
	k := kernel.New(1)
	t.Cleanup(k.Close)
	l, err := New(k, "wan", Symmetric(q))
	require.NoError(t, err)
	return k, l
}

func finish(t testing.TB, k *kernel.Kernel) {
	t.Helper()
	require.NoError(t, kernel.NewDriver(k, 0, kernel.Limits{Events: 1e6}).Run(kernel.Forever, nil))
}

// carry starts a transfer at a time and returns where its end will be noted.
func carry(k *kernel.Kernel, l *Link, at time.Duration, dir Direction, bytes int64) *time.Duration {
	end := new(time.Duration)
	k.Go("transfer", func() {
		k.Sleep(at)
		if err := l.Carry(background, dir, bytes); err != nil {
			k.Fail(err)
		}
		*end = k.Now()
	})
	return end
}

func TestATransferTakesItsBytesAtTheBandwidthAndTheLatency(t *testing.T) {
	k, l := world(t, quality)
	end := carry(k, l, 0, ToCloud, 5000)
	finish(t, k)
	assert.Equal(t, 5*time.Second+10*time.Millisecond, *end)
	assert.EqualValues(t, 5000, l.Carried(ToCloud))
	assert.Zero(t, l.Carried(ToPremises))
}

func TestConcurrentTransfersShareTheBandwidthFairly(t *testing.T) {
	latency := quality.Latency
	type transfer struct {
		at    time.Duration
		dir   Direction
		bytes int64
		end   time.Duration
	}
	s := time.Second
	cases := map[string][]transfer{
		"two alike take twice as long":     {{0, ToCloud, 1000, 2 * s}, {0, ToCloud, 1000, 2 * s}},
		"the rest has it alone":            {{0, ToCloud, 1000, 2 * s}, {0, ToCloud, 3000, 4 * s}},
		"a late one takes its share":       {{0, ToCloud, 2000, 3 * s}, {1 * s, ToCloud, 1000, 3 * s}},
		"directions do not share":          {{0, ToCloud, 1000, 1 * s}, {0, ToPremises, 1000, 1 * s}},
		"one after the other do not share": {{0, ToCloud, 1000, 1 * s}, {1 * s, ToCloud, 1000, 2 * s}},
		"three, ending one by one": {
			{0, ToCloud, 1000, 3 * s}, {0, ToCloud, 2000, 5 * s}, {0, ToCloud, 3000, 6 * s},
		},
	}
	for name, transfers := range cases {
		t.Run(name, func(t *testing.T) {
			k, l := world(t, quality)
			var ends []*time.Duration
			for _, x := range transfers {
				ends = append(ends, carry(k, l, x.at, x.dir, x.bytes))
			}
			finish(t, k)
			for i, x := range transfers {
				assert.Equal(t, x.end+latency, *ends[i], "transfer %d", i)
			}
			assert.Zero(t, l.Transfers(Both))
		})
	}
}

// However transfers come and whatever happens to the link: nothing crosses
// faster than the bandwidth, an open link with transfers never idles, and each
// byte is carried once.
func TestTheLinkIsUsedWhollyAndNeverBeyond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := kernel.New(1)
		defer k.Close()
		const rate = 1_000_000
		l, err := New(k, "wan", Symmetric(Quality{Bandwidth: rate}))
		require.NoError(t, err)
		var total int64
		for range rapid.IntRange(1, 8).Draw(t, "transfers") {
			bytes := rapid.Int64Range(1, 3_000_000).Draw(t, "bytes")
			total += bytes
			carry(k, l, 0, ToCloud, bytes)
		}
		var down time.Duration
		for at := time.Duration(0); at < time.Second; at += 500 * time.Millisecond {
			outage := time.Duration(rapid.IntRange(0, 400).Draw(t, "outage")) * time.Millisecond
			down += outage
			k.At(at, func() { l.SetDown(ToCloud, outage > 0) })
			k.At(at+outage, func() { l.SetDown(ToCloud, false) })
		}
		var last time.Duration
		k.After(250*time.Millisecond, func() {
			require.LessOrEqual(t, l.Carried(ToCloud), int64(rate/4), "not beyond the bandwidth")
		})
		k.Go("watch", func() {
			for l.Transfers(ToCloud) > 0 || k.Now() == 0 {
				k.Sleep(time.Millisecond)
			}
			last = k.Now()
		})
		require.NoError(t, kernel.NewDriver(k, 0, kernel.Limits{Events: 1e6}).Run(kernel.Forever, nil))
		require.Equal(t, total, l.Carried(ToCloud))
		alone := time.Duration(float64(total) / rate * float64(time.Second))
		require.GreaterOrEqual(t, last+time.Millisecond, alone)
		require.LessOrEqual(t, last, alone+down+10*time.Millisecond)
	})
}

func TestOnlyChangesOfTheSetOfTransfersAreEvents(t *testing.T) {
	k, l := world(t, Quality{Bandwidth: 125_000_000})
	for i := range 8 {
		carry(k, l, 0, ToCloud, int64(i+1)<<40) // terabytes
	}
	finish(t, k)
	assert.Less(t, k.Events(), uint64(100))
	assert.EqualValues(t, 36<<40, l.Carried(ToCloud), "and not a byte is lost to rounding")
}

func TestTransfersStallWhileDownAndGoOnAfterwards(t *testing.T) {
	for _, dir := range []Direction{ToCloud, Both} {
		t.Run(dir.String(), func(t *testing.T) {
			k, l := world(t, quality)
			end := carry(k, l, 0, ToCloud, 5000)
			other := carry(k, l, 0, ToPremises, 5000)
			k.After(2*time.Second, func() { l.SetDown(dir, true) })
			k.After(time.Minute, func() {
				assert.EqualValues(t, 2000, l.Carried(ToCloud))
				l.SetDown(dir, false)
			})
			finish(t, k)
			assert.Equal(t, time.Minute+3*time.Second+quality.Latency, *end)
			if dir == ToCloud {
				assert.Equal(t, 5*time.Second+quality.Latency, *other, "the other direction is up")
			}
		})
	}
}

func TestATransferCanStartWhileDown(t *testing.T) {
	k, l := world(t, quality)
	l.SetDown(ToCloud, true)
	end := carry(k, l, 0, ToCloud, 1000)
	k.After(time.Hour, func() { l.SetDown(ToCloud, false) })
	finish(t, k)
	assert.Equal(t, time.Hour+time.Second+quality.Latency, *end)
}

func TestATransferThatGivesUpFreesItsShare(t *testing.T) {
	leave := map[string]func(cancel context.CancelFunc, p *kernel.Proc){
		"cancelled": func(cancel context.CancelFunc, _ *kernel.Proc) { cancel() },
		"killed":    func(_ context.CancelFunc, p *kernel.Proc) { p.Kill() },
	}
	for name, leave := range leave {
		t.Run(name, func(t *testing.T) {
			k, l := world(t, quality)
			ctx, cancel := machine.New(k, "m").WithCancel(background)
			var failure error
			p := k.Go("gives up", func() { failure = l.Carry(ctx, ToCloud, 1_000_000) })
			end := carry(k, l, 0, ToCloud, 2000)
			k.After(2*time.Second, func() { leave(cancel, p) })
			finish(t, k)
			assert.Equal(t, 3*time.Second+quality.Latency, *end, "two seconds of half, one of the whole")
			assert.EqualValues(t, 3000, l.Carried(ToCloud), "what it had carried counts")
			assert.Zero(t, l.Transfers(Both))
			if name == "cancelled" {
				assert.ErrorIs(t, failure, context.Canceled)
			}
		})
	}
}

func TestANewQualityHoldsFromNowOn(t *testing.T) {
	k, l := world(t, quality)
	end := carry(k, l, 0, ToCloud, 4000)
	k.After(2*time.Second, func() {
		require.NoError(t, l.Configure(ToCloud, Quality{Latency: time.Second, Bandwidth: 100}))
	})
	finish(t, k)
	assert.Equal(t, 2*time.Second+20*time.Second+time.Second, *end)
	assert.Equal(t, quality, l.Quality(ToPremises))
}

func TestLossLowersTheGoodput(t *testing.T) {
	k, l := world(t, Quality{Bandwidth: 1000, Loss: 0.5})
	end := carry(k, l, 0, ToCloud, 1000)
	finish(t, k)
	assert.Equal(t, 2*time.Second, *end)
}

func TestAMessageTakesLatencyAndItsSize(t *testing.T) {
	k, l := world(t, quality)
	busy := carry(k, l, 0, ToCloud, 5000)
	var took time.Duration
	k.Go("m", func() {
		assert.NoError(t, l.Message(background, ToCloud, 500))
		took = k.Now()
	})
	finish(t, k)
	assert.Equal(t, 510*time.Millisecond, took, "it does not share with transfers")
	assert.Equal(t, 5*time.Second+quality.Latency, *busy)
	assert.EqualValues(t, 5500, l.Carried(ToCloud))
}

func TestAMessageIsLostWhenTheLinkIsDownAtEitherEndOfItsWay(t *testing.T) {
	ms := time.Millisecond
	cases := map[string]struct {
		down, up time.Duration
		lost     bool
	}{
		"never down":           {down: time.Hour, up: 2 * time.Hour},
		"down when it is sent": {down: 0, up: 1 * ms, lost: true},
		"down on its arrival":  {down: 5 * ms, up: time.Hour, lost: true},
		"a blink on its way":   {down: 5 * ms, up: 6 * ms},
		"down afterwards":      {down: 11 * ms, up: time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k, l := world(t, Quality{Latency: 10 * ms, Bandwidth: 1 << 40})
			k.At(c.down, func() { l.SetDown(ToCloud, true) })
			k.At(c.up, func() { l.SetDown(ToCloud, false) })
			ran := false
			k.Go("m", func() {
				err := l.Message(background, ToCloud, 1)
				if assert.Equal(t, c.lost, err != nil); c.lost {
					assert.ErrorIs(t, err, ErrDown)
				}
				assert.InDelta(t, 10*ms, k.Now(), 100, "told when it would have arrived")
				ran = true
			})
			finish(t, k)
			assert.True(t, ran)
		})
	}
}

func TestLossDelaysSomeMessagesByRetransmission(t *testing.T) {
	const n, loss = 2000, 0.1
	k, l := world(t, Quality{Latency: 50 * time.Millisecond, Bandwidth: 1 << 40, Loss: loss})
	late, sum := 0, 0
	for range n {
		l.Deliver(ToCloud, 100, func(err error) {
			assert.NoError(t, err)
			sum++
			if k.Now() > 51*time.Millisecond {
				late++
				assert.GreaterOrEqual(t, k.Now(), 250*time.Millisecond, "no sooner than a timeout later")
			}
		})
	}
	finish(t, k)
	assert.Equal(t, n, sum, "lost packets are sent again")
	assert.InDelta(t, n*loss, late, n*loss/4)
}

func TestTheRoundsOfALossyMessageFollowTheProbability(t *testing.T) {
	k := kernel.New(1)
	count := map[int]int{}
	const draws = 20_000
	for range draws {
		count[rounds(k.Rand("r"), 0.5, 1)]++
	}
	for i, p := range map[int]float64{1: 0.5, 2: 0.25, 3: 0.125} { //hdm:order-safe each is asserted by itself
		assert.InDelta(t, p*draws, count[i], draws*0.015, "rounds: %d", i)
	}
	assert.Equal(t, 1, rounds(k.Rand("r"), 0, 1<<40), "without loss, one")
	assert.Equal(t, maxRetransmit+1, rounds(k.Rand("r"), MaxLoss, 1<<40), "and never without end")
}

func TestLossOfOneDirectionDoesNotChangeTheLuckOfTheOther(t *testing.T) {
	arrivals := func(alsoBack bool) (at []time.Duration) {
		k, l := world(t, Quality{Latency: time.Millisecond, Bandwidth: 1 << 40, Loss: 0.5})
		for range 50 {
			l.Deliver(ToCloud, 100, func(error) { at = append(at, k.Now()) })
			if alsoBack {
				l.Deliver(ToPremises, 100, func(error) {})
			}
		}
		finish(t, k)
		return at
	}
	assert.Equal(t, arrivals(false), arrivals(true))
}

func TestAwaitUpWaitsForBothDirections(t *testing.T) {
	k, l := world(t, quality)
	l.SetDown(Both, true)
	k.After(1*time.Second, func() { l.SetDown(ToCloud, false) })
	k.After(2*time.Second, func() { l.SetDown(ToPremises, false) })
	outcomes := map[string]error{}
	at := map[string]time.Duration{}
	await := func(name string, timeout time.Duration, ctx context.Context) {
		k.Go(name, func() { outcomes[name] = l.AwaitUp(ctx, timeout); at[name] = k.Now() })
	}
	ctx, cancel := machine.New(k, "m").WithCancel(background)
	k.After(500*time.Millisecond, cancel)
	await("patient", kernel.Forever, background)
	await("impatient", 1500*time.Millisecond, background)
	await("without patience", 0, background)
	await("cancelled", time.Hour, ctx)
	finish(t, k)
	assert.NoError(t, outcomes["patient"])
	assert.Equal(t, 2*time.Second, at["patient"])
	assert.ErrorIs(t, outcomes["impatient"], ErrDown)
	assert.Equal(t, 1500*time.Millisecond, at["impatient"])
	assert.ErrorIs(t, outcomes["without patience"], ErrDown)
	assert.Zero(t, at["without patience"])
	assert.ErrorIs(t, outcomes["cancelled"], context.Canceled)
	assert.Equal(t, 500*time.Millisecond, at["cancelled"])
}

func TestTheTraceTellsWhichDirectionWentDownAndUp(t *testing.T) {
	k, l := world(t, quality)
	var heard []string
	k.Observe(func(e kernel.Event) { heard = append(heard, e.Kind+" "+e.Subject+" "+e.Attr("direction")) })
	l.SetDown(ToCloud, true)
	assert.True(t, l.Down(ToCloud))
	assert.False(t, l.Down(ToPremises))
	assert.True(t, l.Down(Both))
	l.SetDown(ToCloud, true) // already
	l.SetDown(Both, true)    // the rest
	l.SetDown(Both, false)
	l.SetDown(ToCloud, false) // already
	assert.Equal(t, []string{
		event.LinkDown + " wan to-cloud", event.LinkDown + " wan to-premises", event.LinkUp + " wan both",
	}, heard)
}

func TestImpossibleQualitiesAreRefused(t *testing.T) {
	for name, q := range map[string]Quality{ //hdm:order-safe each case by itself
		"no bandwidth":       {},
		"negative bandwidth": {Bandwidth: -1},
		"negative latency":   {Bandwidth: 1, Latency: -1},
		"interplanetary":     {Bandwidth: 1, Latency: 2 * time.Minute},
		"all is lost":        {Bandwidth: 1, Loss: 1},
		"negative loss":      {Bandwidth: 1, Loss: -0.1},
	} {
		t.Run(name, func(t *testing.T) {
			k := kernel.New(1)
			_, err := New(k, "wan", Symmetric(q))
			require.ErrorIs(t, err, ErrQuality)
			assert.ErrorContains(t, err, "give ", "it says what to do")
			l, err := New(k, "wan", Symmetric(quality))
			require.NoError(t, err)
			require.ErrorIs(t, l.Configure(Both, q), ErrQuality)
			assert.Equal(t, quality, l.Quality(ToCloud), "and nothing has changed")
		})
	}
}

func TestTransfersBeyondTheLimitAreRefused(t *testing.T) {
	k, l := world(t, quality)
	for range MaxTransfers {
		carry(k, l, 0, ToCloud, 1)
	}
	var failure error
	k.Go("one more", func() {
		k.Sleep(time.Nanosecond)
		failure = l.Carry(background, ToCloud, 1)
	})
	finish(t, k)
	require.ErrorIs(t, failure, ErrBusy)
	assert.ErrorContains(t, failure, fmt.Sprint(MaxTransfers))
}

package gateway

import "time"

// maxRetry is the longest wait between two tries, unless Config.Retry is.
const maxRetry = time.Minute

// timing is how long to wait for an acknowledgement, as RFC 6298 has it: the
// smoothed round trip and four times its variation, doubled when it ran out,
// until a message that was sent only once is acknowledged.
type timing struct {
	least, most     time.Duration
	trip, variation time.Duration
	wait            time.Duration
}

func newTiming(retry time.Duration) timing {
	return timing{least: retry, most: max(retry, maxRetry), wait: retry}
}

func (t *timing) sample(trip time.Duration) {
	if t.trip == 0 {
		t.trip, t.variation = trip, trip/2
	} else {
		t.variation += ((trip - t.trip).Abs() - t.variation) / 4
		t.trip += (trip - t.trip) / 8
	}
	t.wait = min(max(t.trip+4*t.variation, t.least), t.most)
}

func (t *timing) backOff() { t.wait = min(2*t.wait, t.most) }

// bucket keeps a rate: a frame may go while nothing is owed, and is owed then.
// So over any time the rate is exceeded by one frame at most.
type bucket struct {
	rate int64 // bytes/s; 0: any
	owed time.Duration
	at   time.Duration // when owed was true
}

// free is the first time at which a frame may go.
func (b *bucket) free(now time.Duration) time.Duration { return max(now, b.at+b.owed) }

func (b *bucket) spend(now time.Duration, bytes int64) {
	if b.rate == 0 {
		return
	}
	left := max(b.at+b.owed-now, 0)
	b.owed, b.at = left+time.Duration(float64(bytes)/float64(b.rate)*float64(time.Second)), now
}

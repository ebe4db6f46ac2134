package guest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/hdm-project/hdm/sim/disk"
)

// Workload is what a guest writes to each of its disks, and reads from them,
// while it runs. The zero value does nothing.
type Workload struct {
	Kind       Kind
	Rate       float64       // requests per second; default 1
	ReadShare  float64       // of the requests, 0 to 1: they read, and the others write; default 0
	Burst      int           // requests that are outstanding together; default those of a second
	Start      int64         // bytes: where on each disk it begins; default after the boot block
	Span       int64         // bytes from there, and never more than the disk; default 1 MiB
	BlockSize  int64         // bytes of a request; default 4 KiB
	Skew       float64       // of Zipf, above 1: the larger the fewer blocks get most writes; default 1.2
	FlushEvery time.Duration // from a write to the flush that makes it durable; default 5 s, as ext4 commits
}

// Kind says in which order a workload asks for blocks, to read or to write.
type Kind string

// The kinds of workload.
const (
	None       Kind = "none"
	Sequential Kind = "sequential" // one after another, again and again
	Random     Kind = "random"     // each equally often
	Zipf       Kind = "zipf"       // few very often, most hardly ever; the popular ones lie scattered
	Trace      Kind = "trace"      // as a production VM asked for blocks: see trace.go
)

// Limits of a workload.
const (
	MaxRate      = 10_000 // requests per second
	MaxBurst     = 256
	MaxBlockSize = 1 << 20
)

func (w Workload) withDefaults() Workload {
	orDefault(&w.Kind, None)
	orDefault(&w.Rate, 1)
	orDefault(&w.Burst, min(int(math.Ceil(w.Rate)), MaxBurst))
	orDefault(&w.Start, disk.BlockSize)
	orDefault(&w.Span, 1<<20)
	orDefault(&w.BlockSize, disk.BlockSize)
	orDefault(&w.Skew, 1.2)
	orDefault(&w.FlushEvery, 5*time.Second)
	return w
}

func orDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// origins say where the order comes from in which a workload asks for blocks.
var origins = map[Kind]string{
	Sequential: "one after another", Random: "each equally often", Zipf: "few of them often, after Zipf",
	Trace: "in the order, and with the popularity, of the block trace w106 of CloudPhysics",
}

// String is the workload for people.
func (w Workload) String() string {
	w = w.withDefaults()
	if w.Kind == None {
		return "none"
	}
	return fmt.Sprintf("%s: requests of %d bytes, %.3g a second, %.3g %% of them writes, over the first %d MiB of each disk, %s",
		w.Kind, w.BlockSize, w.Rate, 100*(1-w.ReadShare), w.Span>>20, origins[w.Kind])
}

// Validate says whether a guest can do it.
func (w Workload) Validate() error {
	w = w.withDefaults()
	switch w.Kind {
	case None, Sequential, Random, Zipf, Trace:
	default:
		return fmt.Errorf("a workload of kind %q: use %s, %s, %s, %s or %s", w.Kind, None, Sequential, Random, Zipf, Trace)
	}
	switch {
	case !(w.Rate > 0 && w.Rate <= MaxRate):
		return fmt.Errorf("a workload of %v requests per second: use at most %d", w.Rate, MaxRate)
	case !(w.ReadShare >= 0 && w.ReadShare <= 1):
		return fmt.Errorf("a workload of which %v are reads: use a share from 0 to 1", w.ReadShare)
	case w.Burst < 1 || w.Burst > MaxBurst:
		return fmt.Errorf("a workload of %d requests at once: use 1 to %d", w.Burst, MaxBurst)
	case w.BlockSize < disk.BlockSize || w.BlockSize > MaxBlockSize || w.BlockSize%disk.BlockSize != 0:
		return fmt.Errorf("a workload with requests of %d bytes: use a multiple of %d up to %d", w.BlockSize, disk.BlockSize, MaxBlockSize)
	case w.Start < disk.BlockSize || w.Start%disk.BlockSize != 0:
		return fmt.Errorf("a workload that begins at byte %d: use a multiple of %d, after the boot block", w.Start, disk.BlockSize)
	case w.Span < w.BlockSize:
		return fmt.Errorf("a workload on %d bytes of disk: one request takes %d", w.Span, w.BlockSize)
	case w.Skew <= 1 || w.Skew > 100:
		return fmt.Errorf("a workload with a skew of %v: use more than 1, at most 100", w.Skew)
	case w.FlushEvery < 0:
		return fmt.Errorf("a workload that flushes every %v: use a positive duration", w.FlushEvery)
	}
	return nil
}

// pace is the mean time between two bursts.
func (w Workload) pace() time.Duration {
	return time.Duration(float64(w.Burst) / w.Rate * float64(time.Second))
}

// places is how many different requests fit into what the workload may use of a
// disk of that capacity in bytes.
func (w Workload) places(capacity int64) int64 {
	return max(0, min(w.Span, capacity-w.Start)) / w.BlockSize
}

// scatter is a prime, so that multiplying by it modulo a smaller number visits
// every place once.
const scatter = 2_654_435_761

// picker returns a function that says at which place, from 0 to n-1, the next
// request goes.
func (w Workload) picker(n int64, r *rand.Rand) func() int64 {
	switch w.Kind {
	case Sequential:
		next := int64(-1)
		return func() int64 {
			next = (next + 1) % n
			return next
		}
	case Zipf:
		z := rand.NewZipf(r, w.Skew, 1, uint64(n-1))
		if n >= scatter {
			return func() int64 { return int64(z.Uint64()) }
		}
		return func() int64 { return int64(z.Uint64() * scatter % uint64(n)) }
	case Trace:
		requests := recorded()
		at := r.IntN(len(requests))
		return func() int64 {
			at = (at + 1) % len(requests)
			return int64(requests[at]) % n
		}
	default:
		return func() int64 { return r.Int64N(n) }
	}
}

package wan

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hdm-project/hdm/sim/kernel"
)

// pipe is one direction. Its flows share the goodput equally:
//
//	     join/leave/change: settle what has crossed, then arm the next end
//	       |
//	flows [remaining 40][remaining 7][remaining 93]   each at goodput/3
//	                         |
//	                       the first to end, in 7*3/goodput
//
// Remaining bytes are fractions, so that a change costs no flow what it has
// carried; a flow ends when less than half a byte is left.
type pipe struct {
	kernel  *kernel.Kernel
	chance  *rand.Rand
	quality Quality
	down    bool

	flows   []*flow // in order of arrival
	settled time.Duration
	end     *kernel.Timer // when the first flow ends; nil if none moves
	carried int64         // by flows that have ended, and messages
}

type flow struct {
	bytes     int64
	remaining float64
	done      *kernel.Signal
	then      func() // called when it is done; nil: nobody asks
}

func newPipe(k *kernel.Kernel, chance *rand.Rand) *pipe {
	return &pipe{kernel: k, chance: chance}
}

// goodput in bytes per second: what is lost is sent again.
func (p *pipe) goodput() float64 { return float64(p.quality.Bandwidth) * (1 - p.quality.Loss) }

func (p *pipe) moving() bool { return !p.down && len(p.flows) > 0 }

// change applies f to the pipe between what has crossed and what will.
func (p *pipe) change(f func()) {
	p.settle()
	f()
	p.arm()
}

func (p *pipe) join(bytes int64) *flow {
	f := &flow{bytes: bytes, remaining: float64(bytes), done: kernel.NewSignal(p.kernel)}
	p.change(func() { p.flows = append(p.flows, f) })
	return f
}

// leave takes a flow out: nothing if it has ended, and what it has carried
// counts if it gave up.
func (p *pipe) leave(f *flow) {
	if f.done.Fired() {
		return
	}
	p.change(func() {
		p.flows = slices.DeleteFunc(p.flows, func(g *flow) bool { return g == f })
		p.carried += f.crossed()
	})
}

func (f *flow) crossed() int64 { return f.bytes - int64(math.Ceil(f.remaining)) }

// settle takes off what has crossed since the last change.
func (p *pipe) settle() {
	passed := p.kernel.Now() - p.settled
	p.settled = p.kernel.Now()
	if passed == 0 || !p.moving() {
		return
	}
	each := p.goodput() * passed.Seconds() / float64(len(p.flows))
	for _, f := range p.flows {
		f.remaining = max(f.remaining-each, 0)
	}
}

// arm schedules the end of the first flow to end.
func (p *pipe) arm() {
	if p.end != nil {
		p.end.Stop()
		p.end = nil
	}
	if !p.moving() {
		return
	}
	least := p.flows[0].remaining
	for _, f := range p.flows {
		least = min(least, f.remaining)
	}
	p.end = p.kernel.After(span(least*float64(len(p.flows)), p.goodput()), p.finish)
}

// finish ends the flows that have crossed.
func (p *pipe) finish() {
	p.end = nil
	var then []func()
	p.change(func() {
		p.flows = slices.DeleteFunc(p.flows, func(f *flow) bool {
			if f.remaining >= 0.5 {
				return false
			}
			p.carried += f.bytes
			f.done.Fire()
			if f.then != nil {
				then = append(then, f.then)
			}
			return true
		})
	})
	for _, t := range then { // what they begin changes the pipe
		t()
	}
}

// sofar is what has crossed, flows on the way included.
func (p *pipe) sofar() int64 {
	p.settle()
	sum := p.carried
	for _, f := range p.flows {
		sum += f.crossed()
	}
	return sum
}

// messageTime is how long a message is on its way, drawn once from chance.
func (p *pipe) messageTime(bytes int64, roundTrip time.Duration) time.Duration {
	bytes = max(bytes, 0)
	return span(float64(bytes), float64(p.quality.Bandwidth)) + p.delay(bytes, roundTrip)
}

// delay is how long a message is on its way once it has entered the link.
func (p *pipe) delay(bytes int64, roundTrip time.Duration) time.Duration {
	d := p.quality.Latency
	timeout := max(minTimeout, 2*roundTrip)
	for range rounds(p.chance, p.quality.Loss, bytes/segment+1) - 1 {
		d += timeout
		timeout = min(2*timeout, maxTimeout)
	}
	return d
}

// century is where span ends: no world lasts so long, and no sum overflows.
const century = 100 * 365 * 24 * time.Hour

// span is the time that bytes take at a rate in bytes per second, rounded up.
func span(bytes, rate float64) time.Duration {
	ns := math.Ceil(bytes / rate * float64(time.Second))
	if ns > float64(century) {
		return century
	}
	return time.Duration(ns)
}

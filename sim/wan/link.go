// Package wan is the links between places: latency, bandwidth that concurrent
// transfers share fairly, loss and outages, each direction apart.
//
// It decides when bytes arrive. It never looks into them, never times out (the
// caller knows how patient it is) and schedules nothing per packet: a transfer
// is a fluid, and something happens only when the set of transfers or the link
// changes. Read this file, then pipe.go (one direction: the fluid) and
// stream.go (connections that last).
package wan

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
)

// Direction of a link, or both.
type Direction uint8

// The directions.
const (
	ToCloud Direction = 1 << iota
	ToPremises
	Both = ToCloud | ToPremises
)

func (d Direction) String() string {
	switch d {
	case ToCloud:
		return "to-cloud"
	case ToPremises:
		return "to-premises"
	case Both:
		return "both"
	}
	return fmt.Sprintf("Direction(%d)", uint8(d))
}

// Opposite is the direction that the answer takes.
func (d Direction) Opposite() Direction { return Both &^ d }

// Quality of one direction of a link.
type Quality struct {
	Latency   time.Duration // one way
	Bandwidth int64         // bytes per second
	Loss      float64       // of packets, 0 to MaxLoss
}

// Limits of a Quality, and of the transfers in one direction at once.
const (
	MaxLoss      = 0.9
	MaxLatency   = time.Minute
	MaxTransfers = 4096
)

// Config is the quality of both directions.
type Config struct{ ToCloud, ToPremises Quality }

// Symmetric is a Config with equal directions.
func Symmetric(q Quality) Config { return Config{ToCloud: q, ToPremises: q} }

// ErrQuality is what an impossible Quality is refused with.
var ErrQuality = errors.New("impossible quality of a link")

// Validate returns an error that wraps ErrQuality and says what to change.
func (q Quality) Validate() error {
	switch {
	case q.Bandwidth <= 0:
		return fmt.Errorf("%w: bandwidth is %d bytes/s: give at least 1, and take the link down for none", ErrQuality, q.Bandwidth)
	case q.Latency < 0 || q.Latency > MaxLatency:
		return fmt.Errorf("%w: latency is %v: give 0s to %v", ErrQuality, q.Latency, MaxLatency)
	case math.IsNaN(q.Loss) || q.Loss < 0 || q.Loss > MaxLoss:
		return fmt.Errorf("%w: loss is %v: give 0 to %v, and take the link down for more", ErrQuality, q.Loss, MaxLoss)
	}
	return nil
}

// ErrDown is wrapped by the errors of what was lost because the link was down.
var ErrDown = errors.New("link is down")

// ErrBusy is wrapped by the error of a transfer beyond MaxTransfers.
var ErrBusy = errors.New("too many transfers at once")

// Link is two directions, each with its own quality, transfers and outages.
type Link struct {
	kernel  *kernel.Kernel
	name    string
	cloud   *pipe
	prem    *pipe
	changed *kernel.Signal // fires, and is replaced, when a direction comes up

	streams  []*Stream
	watchers []func(Direction, bool)
}

// New returns a link that is up. Its random streams are named after it.
func New(k *kernel.Kernel, name string, cfg Config) (*Link, error) {
	l := &Link{kernel: k, name: name, changed: kernel.NewSignal(k)}
	l.cloud = newPipe(k, k.Rand("wan/"+name+"/to-cloud/loss"))
	l.prem = newPipe(k, k.Rand("wan/"+name+"/to-premises/loss"))
	if err := l.Configure(ToCloud, cfg.ToCloud); err != nil {
		return nil, err
	}
	if err := l.Configure(ToPremises, cfg.ToPremises); err != nil {
		return nil, err
	}
	return l, nil
}

// Name is what New was given.
func (l *Link) Name() string { return l.name }

// Configure changes the quality of a direction, or both, from now on: what is
// on the way keeps what it has carried.
func (l *Link) Configure(dir Direction, q Quality) error {
	if err := q.Validate(); err != nil {
		return fmt.Errorf("link %s %v: %w", l.name, dir, err)
	}
	for _, p := range l.pipes(dir) {
		p.change(func() { p.quality = q })
	}
	return nil
}

// Quality of one direction.
func (l *Link) Quality(dir Direction) Quality { return l.pipe(dir).quality }

// SetDown takes a direction, or both, down or up. Transfers stall while down
// and go on afterwards; messages that are on the way are lost.
func (l *Link) SetDown(dir Direction, down bool) {
	var did Direction
	for _, d := range []Direction{ToCloud, ToPremises} {
		if p := l.pipe(d); dir&d != 0 && p.down != down {
			p.change(func() { p.down = down })
			did |= d
		}
	}
	if did == 0 {
		return
	}
	if down {
		l.kernel.Emit(event.LinkDown, l.name, "direction", did.String())
		l.told(did, true)
		return
	}
	l.kernel.Emit(event.LinkUp, l.name, "direction", did.String())
	was := l.changed
	l.changed = kernel.NewSignal(l.kernel)
	was.Fire()
	l.told(did, false)
}

// Down reports whether that direction is down, or for Both, any.
func (l *Link) Down(dir Direction) bool {
	for _, p := range l.pipes(dir) {
		if p.down {
			return true
		}
	}
	return false
}

// AwaitUp makes the running process wait until both directions are up. It
// returns an error that wraps ErrDown after timeout (kernel.Forever: none), or
// ctx.Err().
func (l *Link) AwaitUp(ctx context.Context, timeout time.Duration) error {
	patience := deadline(l.kernel, timeout)
	for l.Down(Both) {
		left := patience()
		if left == 0 {
			return l.lost(Both)
		}
		if err := machine.Wait(ctx, l.kernel, left, l.changed); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// deadline returns a function that tells what is left of timeout.
func deadline(k *kernel.Kernel, timeout time.Duration) func() time.Duration {
	end := k.Now() + timeout
	return func() time.Duration {
		if timeout < 0 {
			return kernel.Forever
		}
		return max(end-k.Now(), 0)
	}
}

// Carry makes the running process wait until that many bytes have crossed,
// sharing the bandwidth with the other transfers. While the direction is down
// it stalls. Errors: ErrBusy, ctx.Err().
func (l *Link) Carry(ctx context.Context, dir Direction, bytes int64) error {
	if err := l.Push(ctx, dir, bytes); err != nil {
		return err
	}
	return machine.Wait(ctx, l.kernel, l.Quality(dir).Latency)
}

// Push is Carry as far as the near end: the running process waits until the
// last byte has entered the link. One piece of a stream is pushed, so that only
// the last one pays the latency.
func (l *Link) Push(ctx context.Context, dir Direction, bytes int64) error {
	if err := ctx.Err(); err != nil || bytes <= 0 {
		return err
	}
	p := l.pipe(dir)
	if len(p.flows) >= MaxTransfers {
		return fmt.Errorf("%w: link %s %v carries %d already: start fewer at once", ErrBusy, l.name, dir, MaxTransfers)
	}
	f := p.join(bytes)
	defer p.leave(f) // a process may be killed while it waits
	return machine.Wait(ctx, l.kernel, kernel.Forever, f.done)
}

// Deliver sends a message, too small to be worth a share of the bandwidth, and
// calls arrived when it is there: after the latency, its bytes at full
// bandwidth, and a retransmission timeout for each round of lost packets. If
// the direction is down when it is sent or when it should arrive, arrived gets
// an error that wraps ErrDown at that time. arrived must not wait.
func (l *Link) Deliver(dir Direction, bytes int64, arrived func(error)) {
	p := l.pipe(dir)
	wasDown := p.down
	l.kernel.After(p.messageTime(bytes, l.roundTrip()), func() {
		if wasDown || p.down {
			arrived(l.lost(dir))
			return
		}
		p.carried += bytes
		arrived(nil)
	})
}

func (l *Link) roundTrip() time.Duration { return l.cloud.quality.Latency + l.prem.quality.Latency }

// Message makes the running process wait until a message that it sends has
// arrived: see Deliver. Errors: ErrDown, ctx.Err().
func (l *Link) Message(ctx context.Context, dir Direction, bytes int64) error {
	l.kernel.CheckAlive()
	if err := ctx.Err(); err != nil {
		return err
	}
	arrived := kernel.NewSignal(l.kernel)
	var failure error
	l.Deliver(dir, bytes, func(err error) {
		failure = err
		arrived.Fire()
	})
	if err := machine.Wait(ctx, l.kernel, kernel.Forever, arrived); err != nil {
		return err
	}
	return failure
}

// Carried is the bytes that have crossed in that direction so far, or for
// Both, in both.
func (l *Link) Carried(dir Direction) int64 {
	var sum int64
	for _, p := range l.pipes(dir) {
		sum += p.sofar()
	}
	return sum
}

// Transfers is the number of transfers that share that direction, or for Both,
// in both.
func (l *Link) Transfers(dir Direction) int {
	n := 0
	for _, p := range l.pipes(dir) {
		n += len(p.flows)
	}
	return n
}

func (l *Link) lost(dir Direction) error {
	return fmt.Errorf("%w: %s %v: try again when it is up", ErrDown, l.name, dir)
}

// pipe of a single direction; anything else is a bug of the caller.
func (l *Link) pipe(dir Direction) *pipe {
	switch dir {
	case ToCloud:
		return l.cloud
	case ToPremises:
		return l.prem
	}
	panic(fmt.Sprintf("wan: %v is not one direction", dir))
}

func (l *Link) pipes(dir Direction) []*pipe {
	if dir == Both {
		return []*pipe{l.cloud, l.prem}
	}
	return []*pipe{l.pipe(dir)}
}

// Retransmission, as in RFC 6298 with Linux's floor: a timeout that doubles.
const (
	segment       = 1448 // bytes of payload in a packet
	minTimeout    = 200 * time.Millisecond
	maxTimeout    = 120 * time.Second
	maxRetransmit = 15
)

// rounds draws in how many rounds n packets get through when each is lost with
// probability loss in each: the least k with (1 - loss^k)^n >= a uniform draw.
func rounds(r *rand.Rand, loss float64, n int64) int {
	if loss == 0 {
		return 1
	}
	u, lost := r.Float64(), loss
	for k := 1; k <= maxRetransmit; k++ {
		if math.Pow(1-lost, float64(n)) >= u {
			return k
		}
		lost *= loss
	}
	return maxRetransmit + 1
}

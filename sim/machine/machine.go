// Package machine is a computer in the world: the one that the appliance runs
// on. It has a wall clock that can step, a monotonic clock, and processes that
// all die at once when its power goes. It implements runtime.Runtime on kernel
// processes, so that core's code runs on it unchanged.
//
// It decides nothing: what its processes do is core's, when they run is the
// kernel's. It never reads the computer's own clocks. Read core/runtime first.
package machine

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Epoch is the wall time at which every world begins.
var Epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Machine is one boot of a computer: after PowerOff it stays dead, and the next
// boot is another Machine.
type Machine struct {
	kernel *kernel.Kernel
	group  *kernel.Group
	booted time.Duration
	name   string
	step   time.Duration
}

// New boots a machine now.
func New(k *kernel.Kernel, name string) *Machine {
	return &Machine{kernel: k, group: k.NewGroup(), booted: k.Now(), name: name}
}

// PowerOff kills every process of the machine where it waits. Called by one of
// them, it does not return.
func (m *Machine) PowerOff() { m.group.Kill() }

// StepClock moves the wall clock by d. The monotonic clock does not notice.
func (m *Machine) StepClock(d time.Duration) { m.step += d }

// Now, Elapsed, Rand, Sleep, Go and WithCancel are those of runtime.Runtime.
func (m *Machine) Now() time.Time         { return Epoch.Add(m.kernel.Now() + m.step) }
func (m *Machine) Elapsed() time.Duration { return m.kernel.Now() - m.booted }

func (m *Machine) Rand(name string) *rand.Rand { return m.kernel.Rand(m.name + "/" + name) }

func (m *Machine) Sleep(ctx context.Context, d time.Duration) error {
	return Wait(ctx, m.kernel, max(d, 0)) // below nought would be for ever
}

func (m *Machine) Go(ctx context.Context, name string, fn func(ctx context.Context)) runtime.Task {
	ctx, cancel := m.WithCancel(ctx)
	p := m.group.Go(m.name+"/"+name, func() {
		defer cancel()
		fn(ctx)
	})
	return &task{kernel: m.kernel, proc: p, cancel: cancel}
}

func (m *Machine) WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signal := kernel.NewSignal(m.kernel)
	// A full copy: siblings must not share the tail of their parent's list.
	signals := append(append([]kernel.Waitable(nil), cancellations(parent)...), signal)
	ctx = context.WithValue(ctx, signalsKey{}, signals)
	return ctx, func() { cancel(); signal.Fire() }
}

// signalsKey finds the signals that fire when a context or one above it is
// cancelled. context.AfterFunc would start a goroutine outside of the order.
type signalsKey struct{}

func cancellations(ctx context.Context) []kernel.Waitable {
	if ctx.Done() == nil { // context.WithoutCancel keeps values
		return nil
	}
	s, _ := ctx.Value(signalsKey{}).([]kernel.Waitable)
	return s
}

// Wait makes the running process wait until one of ws is ready (it returns
// nil), timeout has passed (nil too: look at ws), or ctx is cancelled (it
// returns ctx.Err()). Everything in sim that waits on behalf of code in core
// waits with this, so that cancelling works. Of two things at one time the
// cancellation wins.
func Wait(ctx context.Context, k *kernel.Kernel, timeout time.Duration, ws ...kernel.Waitable) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	all := append(append([]kernel.Waitable(nil), ws...), cancellations(ctx)...)
	k.Wait(timeout, all...)
	return ctx.Err()
}

type task struct {
	kernel *kernel.Kernel
	proc   *kernel.Proc
	cancel context.CancelFunc
}

func (t *task) Cancel() { t.cancel() }

func (t *task) Wait(ctx context.Context) error {
	return Wait(ctx, t.kernel, kernel.Forever, t.proc.Done())
}

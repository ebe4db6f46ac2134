package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/wan"
)

// How long a command waits.
const (
	connectTimeout = 20 * time.Second // for a link that is down
	callTimeout    = 30 * time.Second // for its completion so far
)

// mostInFlight bounds the commands that are on their way.
const mostInFlight = 1024

// Link is the way of commands from the appliance's machine to the component
// VMs. A process waits between the three events of a call, as in sim/transport:
// sent, applied, answered.
func (h *Host) Link() component.Link { return &link{host: h} }

type link struct {
	host     *Host
	inFlight int
}

// Error is a command that got no answer.
type Error struct {
	VM      string
	Command component.Verb
	Reason  Reason
	After   time.Duration // virtual time since it was sent
}

// Reason why there was no answer.
type Reason string

// The reasons.
const (
	Unreachable Reason = "unreachable" // nothing was sent
	TimedOut    Reason = "timeout"     // it may have been taken up, or yet be
	NoService   Reason = "no service"  // the VM is up, and nobody there takes it
	Busy        Reason = "busy"        // nothing was sent
)

var explanations = map[Reason]string{
	Unreachable: "the component VM cannot be reached: nothing was sent, wait for the link",
	TimedOut:    "no answer: it may have been taken up or yet be, ask again",
	NoService:   "no such service runs there: wait until it does",
	Busy:        "too many commands are on their way: send fewer at once",
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s (after %v)", e.VM, e.Command, explanations[e.Reason], e.After)
}

// Timeout is true if the command may have been taken up.
func (e *Error) Timeout() bool { return e.Reason == TimedOut }

// Unreachable is true if the way was down and nothing was sent.
func (e *Error) Unreachable() bool { return e.Reason == Unreachable }

// Waited is for how long the way had been waited for.
func (e *Error) Waited() time.Duration {
	if e.Reason == Unreachable {
		return e.After
	}
	return 0
}

// Call implements component.Link. It waits on the running process. Errors:
// *Error, ctx.Err(), or one that wraps component.ErrMessage.
func (l *link) Call(ctx context.Context, vm string, cmd component.Command) (component.Completion, error) {
	h := l.host
	k, began := h.cfg.Kernel, h.cfg.Kernel.Now()
	k.CheckAlive()
	fail := func(r Reason) (component.Completion, error) {
		return component.Completion{}, &Error{VM: vm, Command: cmd.Verb, Reason: r, After: k.Now() - began}
	}
	body, err := component.Encode(cmd)
	if err != nil {
		return component.Completion{}, err
	}
	if err := l.connect(ctx, component.SiteOf(vm)); errors.Is(err, wan.ErrDown) {
		return fail(Unreachable)
	} else if err != nil {
		return component.Completion{}, err
	}
	if l.inFlight >= mostInFlight {
		return fail(Busy)
	}
	answered := kernel.NewSignal(k)
	var done component.Completion
	there := false
	l.fly(vm, cmd, int64(len(body)), func(c component.Completion, ok bool) {
		done, there = c, ok
		answered.Fire()
	})
	if err := machine.Wait(ctx, k, callTimeout, answered); err != nil {
		return component.Completion{}, err
	}
	switch {
	case !answered.Fired():
		return fail(TimedOut)
	case !there:
		return fail(NoService)
	}
	return done, nil
}

func (l *link) connect(ctx context.Context, site vsphere.Site) error {
	if site == vsphere.OnPremises {
		return ctx.Err()
	}
	return l.host.cfg.WAN.AwaitUp(ctx, connectTimeout)
}

// fly takes a command to its service, has it taken up, and takes the completion
// so far back. Whoever waits for that may have gone by then.
func (l *link) fly(vm string, cmd component.Command, bytes int64, answered func(c component.Completion, there bool)) {
	h, site := l.host, component.SiteOf(vm)
	l.inFlight++
	back := func(c component.Completion, there bool) {
		body, err := component.Encode(c)
		if there && err != nil {
			h.cfg.Kernel.Fail(err)
		}
		h.deliver(site, wan.ToPremises, int64(len(body)), func(err error) {
			l.inFlight--
			if err == nil {
				answered(c, there)
			}
		})
	}
	act := h.act(vm, cmd)
	arrive := func(err error) {
		n := h.node(vm)
		if err != nil || n == nil || n.mute(cmd.Service) {
			l.inFlight-- // a machine that is off says nothing
			return
		}
		done, there := n.command(cmd)
		if n.mute(cmd.Service) || act == LoseAnswer { // it broke at this
			l.inFlight--
			return
		}
		back(done, there)
	}
	h.deliver(site, wan.ToCloud, bytes, func(err error) {
		if act == Hang {
			h.cfg.Kernel.After(callTimeout, func() { arrive(err) })
			return
		}
		arrive(err)
	})
}

// mute says whether a service is there and does not answer.
func (n *node) mute(s component.Service) bool {
	svc := n.service(s)
	return svc != nil && svc.state == hung
}

// command has a service take a command up.
func (n *node) command(cmd component.Command) (done component.Completion, there bool) {
	now := n.host.cfg.Kernel.Now()
	switch {
	case cmd.Service == component.CloudCache && n.cache != nil:
		done = n.cache.Command(now, cmd)
	case cmd.Service == component.PremIOManager && n.homes != nil:
		done = n.homes.Command(now, cmd)
	case cmd.Service == component.Supervisor:
		done = n.supervise(cmd)
	default:
		return done, false
	}
	if n.broke(); cmd.Service != component.Supervisor && !n.runs(cmd.Service) {
		return component.Completion{}, false // it cannot be trusted
	}
	if cmd.Verb != component.Report && cmd.Verb != component.Ping && (cmd.Epoch == 0 || done.State != component.Running) {
		attrs := []string{"key", cmd.Key, "service", string(cmd.Service), "verb", string(cmd.Verb), "state", string(done.State)}
		if done.Error != nil {
			attrs = append(attrs, "error", done.Error.What)
		}
		n.host.cfg.Kernel.Emit(event.Command, n.name, attrs...)
	}
	n.pump()
	return done, true
}

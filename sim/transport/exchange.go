package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/wan"
)

// Sizes that a call is charged on a link. Nominal, so that they are the same
// in process, where nothing has a size, and over SOAP.
const (
	requestBytes = 1 << 10
	answerBytes  = 4 << 10
)

// work is what a call does at the vCenter.
type work struct {
	// upload sends the body from the caller's process, before the rest; may be nil.
	upload func(context.Context) error
	// apply does the call and returns its outcome for the trace. It runs at most
	// once, perhaps when the caller has gone: it must not touch what is the
	// caller's, nor wait.
	apply func() (outcome string)
	// refuse makes fault the answer, and returns its name.
	refuse func(types.BaseMethodFault) (outcome string)
}

// exchange sends a call and waits for the answer. With a nil error the answer
// of w is there for the caller to take. Errors: *Error, ctx.Err(), or what
// w.upload returned.
func (p *Path) exchange(ctx context.Context, method, object string, w work) error {
	p.Kernel.CheckAlive() // a dying process logs out, and no call of a dead machine is sent
	if err := ctx.Err(); err != nil {
		return err
	}
	k, began := p.Kernel, p.Kernel.Now()
	c, act := p.send(method, object)
	end := func(outcome string, err error) error {
		p.emit(event.CallAnswered, c, "outcome", outcome)
		return err
	}
	fail := func(r Reason) error {
		return end(string(r), &Error{Site: c.Site, Method: method, Object: object, Reason: r, After: k.Now() - began})
	}
	if err := p.connect(ctx); errors.Is(err, wan.ErrDown) {
		return fail(Unreachable)
	} else if err != nil {
		return end("cancelled", err)
	}
	if p.inFlight >= maxInFlight {
		return fail(Busy)
	}
	if w.upload != nil && p.down() {
		return fail(Refused)
	}
	if w.upload != nil && act.kind != fails {
		if err := w.upload(ctx); err != nil {
			return end(outcomeOf(err), err)
		}
	}
	answered := kernel.NewSignal(k)
	var outcome string
	p.fly(c, act, w, func(o string) {
		outcome = o
		answered.Fire()
	})
	err := machine.Wait(ctx, k, p.CallTimeout, answered)
	switch {
	case answered.Fired() && outcome == string(Refused):
		return fail(Refused)
	case answered.Fired():
		return end(outcome, nil)
	case err != nil:
		return end("cancelled", err)
	}
	return fail(TimedOut)
}

// send numbers and counts a call and asks what shall happen to it.
func (p *Path) send(method, object string) (Call, Act) {
	p.calls++
	p.counts[method]++
	c := Call{Number: p.calls, Nth: p.counts[method], Site: p.Target.Site, Method: method, Object: object}
	p.emit(event.CallSent, c)
	if p.Intercept == nil {
		return c, Pass()
	}
	return c, p.Intercept(c)
}

func (p *Path) emit(kind string, c Call, kv ...string) {
	kv = append([]string{"call", fmt.Sprint(c.Number), "method", c.Method, "object", c.Object}, kv...)
	p.Kernel.Emit(kind, string(c.Site), kv...)
}

// connect waits as long as a TCP connection tries when the link is down.
func (p *Path) connect(ctx context.Context) error {
	if p.Link == nil {
		return nil
	}
	return p.Link.AwaitUp(ctx, p.ConnectTimeout)
}

// fly takes the call to the vCenter, has it applied, and takes the answer
// back: then it calls answered. Whoever waits for that may have gone by then.
func (p *Path) fly(c Call, a Act, w work, answered func(outcome string)) {
	if a.kind == hangs {
		return
	}
	p.inFlight++
	answer := func(outcome string) {
		p.deliver(back, answerBytes, func(lost bool) {
			p.inFlight--
			if !lost {
				answered(outcome)
			}
		})
	}
	apply := func() {
		outcome := w.apply()
		p.emit(event.CallApplied, c, "outcome", outcome)
		if a.kind == loses || a.kind == lags {
			p.inFlight--
			return
		}
		answer(outcome)
	}
	p.deliver(out, requestBytes, func(lost bool) {
		switch {
		case lost:
			p.inFlight--
		case p.down():
			answer(string(Refused))
		case a.kind == fails:
			answer(w.refuse(a.fault))
		case a.kind == lags:
			p.Kernel.After(a.delay, apply)
		default:
			apply()
		}
	})
}

func (p *Path) down() bool { return p.Target.Down != nil && p.Target.Down() }

// deliver calls arrived when bytes are at the other end, or should be.
func (p *Path) deliver(dir wan.Direction, bytes int64, arrived func(lost bool)) {
	if p.Link == nil {
		p.Kernel.After(p.LANLatency, func() { arrived(false) })
		return
	}
	p.Link.Deliver(dir, bytes, func(err error) { arrived(err != nil) })
}

// outcomeOf names, for the trace, an error that ended a call before its answer.
func outcomeOf(err error) string {
	var e *Error
	switch {
	case errors.As(err, &e):
		return string(e.Reason)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	}
	return string(Broken)
}

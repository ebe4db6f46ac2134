package appliance

import (
	"context"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/runtime"
)

// filter is the one service that an ESXi host has.
var filter = []component.Service{component.IOFilter}

// expect begins to wait for the heartbeats of these component VMs.
func (a *Appliance) expect(plan []deployment.VM) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range plan {
		if v.Kind != component.Appliance {
			a.pulse.Expect(a.Runtime.Elapsed(), v.Name, v.Services)
		}
	}
	a.lookout.wake()
	a.tellHealth() // who was silent before has its full time again
}

// recall waits again for whom an earlier boot waited for. Each has its full time
// from now on, and is held against the incarnation that was heard last.
func (a *Appliance) recall() {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.state.deployment
	plan, err := deployment.Plan(d.Mode)
	if d.Phase != deployment.Deployed || err != nil {
		return
	}
	now := a.Runtime.Elapsed()
	for _, v := range plan {
		if v.Kind != component.Appliance {
			known := a.state.heard[v.Name]
			known.VM = v.Name
			a.pulse.Recall(now, known, v.Services)
		}
	}
	for _, host := range a.state.hosts() {
		a.pulse.Recall(now, a.state.heard[host], filter)
	}
	a.lookout.wake()
}

// forgetPulses ends the waiting for the component VMs of a plan, and for hosts.
func (a *Appliance) forgetPulses(plan []deployment.VM) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range plan {
		a.pulse.Forget(v.Name)
	}
	for _, host := range a.state.hosts() {
		a.pulse.Forget(host)
	}
	a.tellHealth()
}

// Hear takes a heartbeat of a component VM, or of a host's iofilter daemon: that is
// waited for from its first one on.
func (a *Appliance) Hear(h component.Heartbeat) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed != nil {
		return
	}
	now := a.Runtime.Elapsed()
	if !a.pulse.Expects(h.VM) {
		if !filters(h) || a.state.deployment.Phase == deployment.None || a.state.deployment.Phase == deployment.Undeploying {
			return
		}
		a.pulse.Expect(now, h.VM, filter)
	}
	changes := a.pulse.Heard(now, h)
	switch {
	case !includes(a.state.heard[h.VM], h):
		if known := a.pulse.Known(h.VM); !includes(a.state.heard[h.VM], known) {
			a.lookout.heard(known, changes)
		}
	case len(changes) > 0: // it is back
		a.lookout.wake()
		a.tellHealth()
	}
	if len(h.FlushWanted) > 0 {
		a.flusher.wanted(h.FlushWanted)
	}
}

// includes says whether everything that a heartbeat tells of incarnations is known.
func includes(known, h component.Heartbeat) bool {
	if known.Boot != h.Boot {
		return false
	}
	for _, b := range h.Services {
		if !slices.Contains(known.Services, b) {
			return false
		}
	}
	return true
}

// lookout acts on what heartbeats tell, and owns the timer of what has to be looked
// at in time: silence, a recovery that takes long, a flush that is late. It knows
// nothing durable.
type lookout struct {
	appliance *Appliance
	news      []BeatHeard  // not decided about yet
	busy      bool         // a task is at the news
	timer     runtime.Task // nil: there is nothing to look at
	until     time.Duration
	flushes   *lateness
}

func newLookout(a *Appliance) *lookout { return &lookout{appliance: a, flushes: newLateness(a)} }

// heard takes up incarnations that are new, and what has failed by them. The
// appliance's mu is held.
func (l *lookout) heard(known component.Heartbeat, changes []component.Change) {
	ev := BeatHeard{Beat: &known}
	for _, c := range changes {
		if f, failed := failureOf(c); failed {
			ev.Failed = append(ev.Failed, f)
		}
	}
	l.tell(ev)
}

// failureOf is the failure that a change of what is heard means.
func failureOf(c component.Change) (recovery.Failure, bool) {
	f := recovery.Failure{VM: c.VM, Service: c.Service}
	onHost := c.Service == component.IOFilter || c.Kind == component.Rebooted && component.KindOf(c.VM) == ""
	switch {
	case c.Kind == component.Back:
		return f, false
	case onHost && c.Kind == component.Rebooted:
		f.Service, f.Cause = component.IOFilter, recovery.HostRestarted
	case onHost && c.Kind == component.Restarted:
		f.Cause = recovery.FilterRestarted
	case c.Kind == component.Rebooted:
		f.Cause = recovery.Rebooted
	case c.Kind == component.Restarted:
		f.Cause = recovery.Restarted
	}
	return f, true
}

// tell has a decision made about news, in a task of its own: a heartbeat waits for
// nobody. The appliance's mu is held.
func (l *lookout) tell(ev BeatHeard) {
	l.news = append(l.news, ev)
	if l.busy {
		return
	}
	l.busy = true
	a := l.appliance
	a.Runtime.Go(a.ctx, "lookout", func(context.Context) {
		for {
			a.mu.Lock()
			if len(l.news) == 0 {
				l.busy = false
				a.mu.Unlock()
				return
			}
			next := l.news[0]
			l.news = l.news[1:]
			a.mu.Unlock()
			if _, err := a.deliver(next, "heartbeat"); err != nil {
				return
			}
		}
	})
}

// silent are the failures of those that are missed now. The appliance's mu is held.
func (a *Appliance) silent() (failures []recovery.Failure) {
	for _, c := range a.pulse.Down() {
		failures = append(failures, recovery.Failure{VM: c.VM, Service: c.Service})
	}
	return failures
}

// wake sets the timer to what has to be looked at first. Heartbeats only put that
// off, so that one which is set stays. The appliance's mu is held.
func (l *lookout) wake() {
	a := l.appliance
	at, any := l.next()
	if !any || l.timer != nil && l.until <= at {
		return
	}
	if l.timer != nil {
		l.timer.Cancel()
	}
	l.until = at
	var timer runtime.Task
	timer = a.Runtime.Go(a.ctx, "lookout timer", func(ctx context.Context) {
		if a.Runtime.Sleep(ctx, at-a.Runtime.Elapsed()) != nil {
			return
		}
		a.mu.Lock()
		mine := l.timer == timer
		if mine {
			l.timer = nil
			l.look()
		}
		late := l.flushes.due()
		takesLong := l.takesLong()
		a.mu.Unlock()
		if !mine {
			return
		}
		// An error is the journal's.
		if takesLong {
			_, _ = a.deliver(RecoveryHeard{recovery.Looked{}}, "degraded for long")
		}
		if len(late) > 0 {
			_, _ = a.deliver(FlushIsLate{late}, "flush is late")
		}
		a.mu.Lock()
		l.wake()
		a.mu.Unlock()
	})
	l.timer = timer
}

// next is when something has to be looked at. The appliance's mu is held.
func (l *lookout) next() (at time.Duration, any bool) {
	a := l.appliance
	earlier := func(d time.Duration, is bool) {
		if is && (!any || d < at) {
			at, any = d, true
		}
	}
	earlier(a.pulse.Next())
	if r := a.state.recovery; recovers(r) && r.Offered == "" {
		left := recoveryKnobs(a.Knobs).Degraded - a.Runtime.Now().Sub(r.Since)
		earlier(a.Runtime.Elapsed()+max(left, 0), true)
	}
	earlier(l.flushes.next())
	return at, any
}

// recovers says whether HDM is at it.
func recovers(r recovery.Recovery) bool {
	return r.Phase == recovery.Probing || r.Phase == recovery.Repairing || r.Phase == recovery.Returning
}

// takesLong says whether a recovery has. The appliance's mu is held.
func (l *lookout) takesLong() bool {
	a := l.appliance
	r := a.state.recovery
	return recovers(r) && r.Offered == "" && a.Runtime.Now().Sub(r.Since) >= recoveryKnobs(a.Knobs).Degraded
}

// look finds out who is missed by now. The appliance's mu is held.
func (l *lookout) look() {
	a := l.appliance
	if changes := a.pulse.Look(a.Runtime.Elapsed()); len(changes) > 0 {
		l.tell(BeatHeard{Failed: a.silent()})
		a.tellHealth()
	}
}

package component

import (
	"slices"
	"time"
)

// MissedAfter is the silence after which a component is marked failed, counted
// from its last heartbeat (HLT-01).
const MissedAfter = 2 * time.Minute

// ChangeKind is what a Watch notices.
type ChangeKind string

// What a Watch notices. The appliance decides what it means.
const (
	Missed    ChangeKind = "missed"    // nothing was heard for MissedAfter
	Back      ChangeKind = "back"      // one that was missed is heard again
	Restarted ChangeKind = "restarted" // the service has another epoch: it lost its memory
	Rebooted  ChangeKind = "rebooted"  // the VM has another boot; its services are not named one by one
)

// Change is something that a Watch noticed.
type Change struct {
	Kind    ChangeKind
	VM      string
	Service Service // "" if Rebooted
}

// Watch keeps what was heard of the components of a deployment: when last, and
// in which incarnation. It is pure: it is told the time, as that of a clock
// which does not step. What it has never heard counts as heard when it was
// first expected, so that a restart of the appliance gives every component its
// full time again.
type Watch struct {
	vms []*watched // in the order in which they are expected
}

type watched struct {
	name     string
	boot     uint64
	services []*pulse
}

type pulse struct {
	name   Service
	epoch  uint64 // 0: never heard
	last   time.Duration
	missed bool
}

// Expect begins to wait for the heartbeats of a component VM and its services.
// One that is expected already begins anew.
func (w *Watch) Expect(now time.Duration, vm string, services []Service) {
	w.Forget(vm)
	v := &watched{name: vm}
	for _, s := range services {
		v.services = append(v.services, &pulse{name: s, last: now})
	}
	w.vms = append(w.vms, v)
}

// Forget ends the waiting for a component VM.
func (w *Watch) Forget(vm string) {
	w.vms = slices.DeleteFunc(w.vms, func(v *watched) bool { return v.name == vm })
}

// Heard takes a heartbeat. One of a VM that is not expected, or of a boot that
// is over, says nothing.
func (w *Watch) Heard(now time.Duration, h Heartbeat) []Change {
	i := slices.IndexFunc(w.vms, func(v *watched) bool { return v.name == h.VM })
	if i < 0 || h.Boot < w.vms[i].boot {
		return nil
	}
	v := w.vms[i]
	var changes []Change
	rebooted := v.boot != 0 && h.Boot != v.boot
	if rebooted {
		changes = append(changes, Change{Kind: Rebooted, VM: v.name})
	}
	v.boot = h.Boot
	for _, s := range v.services {
		b := slices.IndexFunc(h.Services, func(b Beat) bool { return b.Name == s.name })
		if b < 0 {
			continue
		}
		if s.epoch != 0 && h.Services[b].Epoch != s.epoch && !rebooted {
			changes = append(changes, Change{Kind: Restarted, VM: v.name, Service: s.name})
		}
		if s.missed {
			changes = append(changes, Change{Kind: Back, VM: v.name, Service: s.name})
		}
		s.epoch, s.last, s.missed = h.Services[b].Epoch, now, false
	}
	return changes
}

// Look tells what has been missed by now and was not told before.
func (w *Watch) Look(now time.Duration) []Change {
	var changes []Change
	w.each(func(v *watched, s *pulse) {
		if !s.missed && now-s.last >= MissedAfter {
			s.missed = true
			changes = append(changes, Change{Kind: Missed, VM: v.name, Service: s.name})
		}
	})
	return changes
}

// Next is when Look will have something to tell if nothing is heard until then;
// false if never.
func (w *Watch) Next() (at time.Duration, ok bool) {
	w.each(func(_ *watched, s *pulse) {
		if due := s.last + MissedAfter; !s.missed && (!ok || due < at) {
			at, ok = due, true
		}
	})
	return at, ok
}

// Down are the services that are missed, each with its VM, in the order in which
// they were expected.
func (w *Watch) Down() []Change {
	var down []Change
	w.each(func(v *watched, s *pulse) {
		if s.missed {
			down = append(down, Change{Kind: Missed, VM: v.name, Service: s.name})
		}
	})
	return down
}

// Unheard are the services that have not been heard since they were expected:
// a deployment is up when there are none.
func (w *Watch) Unheard() []Change {
	var unheard []Change
	w.each(func(v *watched, s *pulse) {
		if s.epoch == 0 {
			unheard = append(unheard, Change{Kind: Missed, VM: v.name, Service: s.name})
		}
	})
	return unheard
}

func (w *Watch) each(f func(*watched, *pulse)) {
	for _, v := range w.vms {
		for _, s := range v.services {
			f(v, s)
		}
	}
}

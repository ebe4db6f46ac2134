package component

import (
	"slices"
	"time"
)

// Recall is Expect with what is known of the component VM from before: another
// boot or epoch than that counts as new, however long nobody listened.
func (w *Watch) Recall(now time.Duration, known Heartbeat, services []Service) {
	w.Expect(now, known.VM, services)
	v := w.vms[len(w.vms)-1]
	v.boot = known.Boot
	for _, s := range v.services {
		if i := slices.IndexFunc(known.Services, func(b Beat) bool { return b.Name == s.name }); i >= 0 {
			s.epoch = known.Services[i].Epoch
		}
	}
}

// Expects says whether the heartbeats of a VM are waited for.
func (w *Watch) Expects(vm string) bool {
	return slices.ContainsFunc(w.vms, func(v *watched) bool { return v.name == vm })
}

// Known is what is known of a VM: its boot, and the epochs of the services that
// were heard.
func (w *Watch) Known(vm string) Heartbeat {
	h := Heartbeat{VM: vm}
	for _, v := range w.vms {
		if v.name != vm {
			continue
		}
		h.Boot = v.boot
		for _, s := range v.services {
			if s.epoch != 0 {
				h.Services = append(h.Services, Beat{Name: s.name, Epoch: s.epoch})
			}
		}
	}
	return h
}

// Last is when a service was heard last, and whether it is missed by now; a service
// that nobody waits for was never heard.
func (w *Watch) Last(vm string, service Service) (at time.Duration, missed bool) {
	w.each(func(v *watched, s *pulse) {
		if v.name == vm && s.name == service {
			at, missed = s.last, s.missed
		}
	})
	return at, missed
}

// Newest is when any of these VMs was heard last; 0 if nobody waits for any.
func (w *Watch) Newest(of func(vm string) bool) (at time.Duration) {
	w.each(func(v *watched, s *pulse) {
		if of(v.name) {
			at = max(at, s.last)
		}
	})
	return at
}

// Quiet is since when all of these VMs are known to be silent: the first heartbeat
// of any that did not come although the last one that came, of any, is older.
func (w *Watch) Quiet(of func(vm string) bool) time.Duration {
	newest := w.Newest(of)
	since := newest + HeartbeatEvery
	for _, v := range w.vms {
		if !of(v.name) {
			continue
		}
		last := w.Newest(func(vm string) bool { return vm == v.name })
		if due := last + HeartbeatEvery; due > newest {
			since = min(since, due)
		}
	}
	return since
}

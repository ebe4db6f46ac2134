package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

// flusher owns the timers of the periodic flush (POL-04): every interval of its
// cluster each VM on the cloud cache is flushed, those that move together at one
// instant. It knows nothing durable but what the migrations tell: after a
// restart it goes on from their last flush (APP-06).
type flusher struct {
	appliance *Appliance
	due       map[migration.ID]time.Duration // by group, on the clock of the boot
	flying    map[migration.ID]bool          // groups that are being flushed
	tries     map[migration.ID]int           // failures in a row
	timer     runtime.Task                   // sleeps until the earliest; nil: nothing is due
	until     time.Duration
}

func newFlusher(a *Appliance) *flusher {
	return &flusher{appliance: a, due: map[migration.ID]time.Duration{}, flying: map[migration.ID]bool{}, tries: map[migration.ID]int{}}
}

// bound are the migrations whose VM is on the cloud cache and runs there, or may,
// in order of their numbers: not those that are brought back or run from their
// image. The appliance's mu is held.
func (a *Appliance) bound() []migration.Migration {
	var all []migration.Migration
	if a.state.recovery.Phase == recovery.Resetting {
		return nil
	}
	for _, list := range [][]migration.Migration{a.state.live, a.state.ended} {
		for _, m := range list {
			comesBack := slices.ContainsFunc(a.state.live, func(back migration.Migration) bool { return back.Of == m.ID })
			if m.Bound && m.Of == "" && m.State != migration.Undoing && !comesBack && !slices.Contains(m.Started, migration.StepReboot) {
				all = append(all, m)
			}
		}
	}
	slices.SortFunc(all, byNumber)
	return all
}

// interval of a VM: that of the cluster which it comes from.
func (f *flusher) interval(m migration.Migration) time.Duration {
	return f.appliance.state.settings.interval(m.Plan.Cluster)
}

// plan brings what is due up to date with what is bound. The appliance's mu is
// held.
func (f *flusher) plan() {
	a := f.appliance
	now, wall := a.Runtime.Elapsed(), a.Runtime.Now()
	there := map[migration.ID]bool{}
	for _, m := range a.bound() {
		there[m.Group] = true
		every := f.interval(m)
		since := wall.Sub(m.Flushed.At) // a clock that was stepped must not keep it waiting
		next := now + min(max(every-since, 0), every)
		if m.Flushed.At.IsZero() {
			next = now + every
		}
		if at, known := f.due[m.Group]; !known || next < at && f.tries[m.Group] == 0 {
			f.due[m.Group] = next
		}
	}
	for _, group := range sortedIDs(f.due) {
		if !there[group] {
			delete(f.due, group)
			delete(f.tries, group)
		}
	}
}

// wake sets the timer to what is due first. The appliance's mu is held.
func (f *flusher) wake() {
	a := f.appliance
	if a.Components == nil {
		return
	}
	f.plan()
	first, any := time.Duration(0), false
	for _, group := range sortedIDs(f.due) {
		if at := f.due[group]; !f.flying[group] && (!any || at < first) {
			first, any = at, true
		}
	}
	if f.timer != nil && any && first == f.until {
		return
	}
	if f.timer != nil {
		f.timer.Cancel()
		f.timer = nil
	}
	if !any {
		return
	}
	f.until = first
	var timer runtime.Task
	timer = a.Runtime.Go(a.ctx, "flush timer", func(ctx context.Context) {
		if a.Runtime.Sleep(ctx, first-a.Runtime.Elapsed()) != nil {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if f.timer == timer {
			f.timer = nil
			f.fly()
			f.wake()
		}
	})
	f.timer = timer
}

// fly flushes every group that is due. The appliance's mu is held.
func (f *flusher) fly() {
	a := f.appliance
	now := a.Runtime.Elapsed()
	all := a.bound()
	for _, group := range sortedIDs(f.due) {
		if f.flying[group] || f.due[group] > now {
			continue
		}
		members := slices.DeleteFunc(slices.Clone(all), func(m migration.Migration) bool { return m.Group != group })
		f.flying[group] = true
		a.Runtime.Go(a.ctx, "flush "+string(group), func(ctx context.Context) { f.flush(ctx, group, members) })
	}
}

// flush flushes the VMs of a group at one instant. One that failed is tried
// again soon: what is dirty stays so until it is applied.
func (f *flusher) flush(ctx context.Context, group migration.ID, members []migration.Migration) {
	a := f.appliance
	heard, err := a.flush(ctx, members)
	if len(heard) > 0 {
		// An error is the journal's, and then nothing more is flushed.
		_, _ = a.deliver(FlushHeard{heard}, "flush "+string(group))
	}
	// The group counts as flying until here: what is due now is planned from the
	// flush that was just heard of, and a group that is gone is not due again.
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(f.flying, group)
	now := a.Runtime.Elapsed()
	if err != nil {
		f.tries[group]++
		f.due[group] = now + min(a.Knobs.Backoff<<min(f.tries[group], 8), a.Knobs.MaxBackoff)
	} else {
		f.tries[group] = 0
		f.due[group] += f.interval(members[0])
		if f.due[group] < now { // it took longer than that
			f.due[group] = now
		}
	}
	f.wake()
}

// flush flushes these VMs at one instant and tells which flushes are applied.
func (a *Appliance) flush(ctx context.Context, members []migration.Migration) (map[migration.ID]migration.Flushed, error) {
	cut := a.Runtime.Now().Round(0)
	var ids []string
	for _, m := range members {
		ids = append(ids, a.mark(m.Maker()))
	}
	flushed, err := a.services().Flush(ctx, ids)
	if err != nil {
		return nil, err
	}
	heard := map[migration.ID]migration.Flushed{}
	for i, m := range members {
		heard[m.ID] = migration.Flushed{Number: flushed[i].Number, At: cut}
	}
	return heard, nil
}

// bringHome brings home what a VM that is off has written in the cloud, and
// releases its cloud cache. It does nothing if the VM is on none. A cache that has
// lost what a VM wrote that was never started has lost nothing.
func (a *Appliance) bringHome(ctx context.Context, m migration.Migration) error {
	_, _, err := a.flushed(ctx, m)
	switch {
	case errors.Is(err, errCacheLost) && !slices.Contains(m.Started, migration.StepPowerOn):
		return a.discard(ctx, m)
	case err != nil:
		return err
	}
	return a.services().Release(ctx, a.mark(m.Maker()))
}

// discard lets go of a VM's cloud cache with whatever is dirty. The premises may hold
// a flush of which nobody heard that it is applied: then that is its last one, and it
// is written down before nobody can tell it any more.
func (a *Appliance) discard(ctx context.Context, m migration.Migration) error {
	return a.services().Discard(ctx, a.mark(m.Maker()), func(last uint64) error {
		if last <= m.Flushed.Number {
			return nil
		}
		_, err := a.deliver(FlushHeard{map[migration.ID]migration.Flushed{m.ID: {Number: last}}}, "discard "+string(m.ID))
		return err
	})
}

// finalFlush flushes a VM that is off and must be on a cloud cache: one whose cache
// has forgotten it has lost what it wrote, and must not come back as if it had not
// (BACK-03).
func (a *Appliance) finalFlush(ctx context.Context, m migration.Migration) error {
	_, there, err := a.flushed(ctx, m)
	if err == nil && !there {
		return &vsphere.Error{
			Site: vsphere.Cloud, Op: "flush", Object: m.Plan.Name, Class: vsphere.Refused,
			Hint: "reset HDM: the VM on premises holds its last flush", Err: errors.New("its cloud cache does not know it any more"),
		}
	}
	return err
}

// flushed flushes what a VM that is off has written, and tells what was flushed, and
// whether there is a cloud cache.
func (a *Appliance) flushed(ctx context.Context, m migration.Migration) (heard map[migration.ID]migration.Flushed, there bool, err error) {
	bindings, err := a.services().Bindings(ctx, a.mark(m.Maker()))
	if err != nil {
		return nil, false, err
	}
	for _, b := range bindings {
		switch {
		case b.ID != a.mark(m.Maker()):
			continue
		case b.Damaged != "":
			return nil, true, a.cacheLost(m, b.Damaged)
		case b.Dirty > 0:
			heard, err = a.flush(ctx, []migration.Migration{m})
		}
		there = true
	}
	return heard, there, err
}

// errCacheLost: nothing can be flushed any more.
var errCacheLost = errors.New("its cloud cache has lost what it wrote since its last flush")

// cacheLost has the VM brought back as of its last flush, unless it is being brought
// back.
func (a *Appliance) cacheLost(m migration.Migration, why string) error {
	if m.Order.Type == migration.Back || slices.Contains(m.Started, migration.StepPowerOn) {
		_, _ = a.deliver(CacheLost{m.ID, why}, "cache lost "+string(m.ID)) // an error is the journal's
	}
	return &vsphere.Error{
		Site: vsphere.Cloud, Op: "flush", Object: m.Plan.Name, Class: vsphere.Refused,
		Hint: "HDM brings it back as of its last flush", Err: fmt.Errorf("%w: %s", errCacheLost, why),
	}
}

// wanted flushes soon what cannot wait for its time: a cloud cache is full of
// what is dirty (CACHE-08). The appliance's mu is held.
func (f *flusher) wanted(ids []string) {
	for _, m := range f.appliance.bound() {
		if slices.Contains(ids, f.appliance.mark(m.ID)) && f.tries[m.Group] == 0 {
			f.due[m.Group] = f.appliance.Runtime.Elapsed()
		}
	}
	f.wake()
}

func sortedIDs[V any](m map[migration.ID]V) []migration.ID {
	ids := make([]migration.ID, 0, len(m))
	for id := range m { //hdm:order-safe sorted below
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[migration.ID])
	return ids
}

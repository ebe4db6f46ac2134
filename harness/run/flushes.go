package run

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/wan"
)

// flushes measures what the flushes of a run carry, and how old the oldest write
// gets that a guest was told is done and that the premises do not hold. Of a
// write it keeps nothing: what is at risk is known by its oldest and its number.
type flushes struct {
	// served is the binding whose disks a VM in the cloud has; "" if it has its own.
	served func(vm string) string
	// counters are those of a guest so far.
	counters func(guest string) guest.Counters

	runs     map[string]string // guests that run on a cloud cache: their bindings
	bindings map[string]*dirt  // by id
	guests   map[string]*dirt  // by name, those of the last binding of each
	order    []*dirt           // one for each guest, as they came up in the cloud
	more     int               // guests beyond the limit
	total    record.Flushes
	every    map[string]time.Duration // the clusters' intervals, as set

	failed    time.Duration   // when the last fault began
	returning map[string]bool // guests whose VMs are being brought back after a failure
	lost      map[string]loss // what they had lost then
}

// loss is what a VM has lost that was brought back.
type loss struct {
	writes uint64
	age    time.Duration // of the oldest of them when the last fault before began
}

// dirt is what the premises do not hold of a guest's writes.
type dirt struct {
	vm     record.FlushedVM
	before guest.Counters // when it came up in the cloud
	cut    atRisk         // what the flush that is under way carries
	cutAt  time.Duration
	since  atRisk // what was written after it

}

// atRisk is acknowledged writes.
type atRisk struct {
	writes uint64
	oldest time.Duration // when it was acknowledged; of no meaning if there is none
}

func (a *atRisk) add(b atRisk) {
	if b.writes > 0 && (a.writes == 0 || b.oldest < a.oldest) {
		a.oldest = b.oldest
	}
	a.writes += b.writes
}

func newFlushes(served func(vm string) string, counters func(string) guest.Counters) *flushes {
	return &flushes{
		served: served, counters: counters, runs: map[string]string{},
		bindings: map[string]*dirt{}, guests: map[string]*dirt{}, every: map[string]time.Duration{},
		returning: map[string]bool{}, lost: map[string]loss{},
	}
}

// hear takes the next event, in constant time.
func (f *flushes) hear(e kernel.Event) {
	switch e.Kind {
	case event.GuestStarted:
		f.started(e)
	case event.GuestStopped:
		if e.Attr("site") == string(vsphere.Cloud) {
			delete(f.runs, e.Subject)
		}
	case event.GuestWrite:
		if id, is := f.runs[e.Subject]; is && e.Attr("site") == string(vsphere.Cloud) {
			f.wrote(e, f.bindings[id])
		}
	case event.FlushCut, event.FlushApplied, event.FlushAbandoned, event.Released:
		if d := f.bindings[e.Subject]; d != nil {
			f.flush(e, d)
		}
	case event.Settings:
		f.set(e.Attr("flush-every"))
	case event.FaultBegan:
		f.failed = e.At
	case event.Migration:
		f.comesBack(e)
	}
}

// comesBack takes note of a VM that is brought back after a failure. What its data
// path did not bring home by the time that it is let go is lost; if nobody lets
// go of it, by the time that the VM is back.
func (f *flushes) comesBack(e kernel.Event) {
	if e.Attr("type") != string(migration.Recover) {
		return
	}
	vm := e.Attr("vm")
	switch d := f.guests[vm]; {
	case migration.State(e.Attr("to")) == migration.Running:
		f.returning[vm] = true
	case migration.State(e.Attr("to")).Final() && f.returning[vm]:
		if _, known := f.lost[vm]; !known && d != nil {
			f.losing(d)
		}
		delete(f.returning, vm)
	}
}

// losing notes that what is at risk of a VM is lost.
func (f *flushes) losing(d *dirt) {
	all := d.cut
	all.add(d.since)
	l := loss{writes: all.writes}
	if all.writes > 0 {
		l.age = max(f.failed-all.oldest, 0)
	}
	f.lost[d.vm.Name] = l
}

// started takes note of a guest that comes up on a cloud cache.
func (f *flushes) started(e kernel.Event) {
	delete(f.runs, e.Subject)
	if e.Attr("site") != string(vsphere.Cloud) {
		return
	}
	id := f.served(e.Attr("vm"))
	if id == "" {
		return
	}
	d := f.guests[e.Subject]
	if d == nil && len(f.order) == record.MostFlushedVMs {
		f.more++
		return
	}
	if d == nil {
		d = &dirt{vm: record.FlushedVM{Name: e.Subject}, before: f.counters(e.Subject)}
		f.guests[e.Subject] = d
		f.order = append(f.order, d)
	}
	f.runs[e.Subject], f.bindings[id] = id, d
}

// wrote takes note of writes that were acknowledged. A burst is told at its end,
// so that a write may count as younger than it is by as long as its burst took.
func (f *flushes) wrote(e kernel.Event, d *dirt) {
	n := 1 + uint64(strings.Count(e.Attr("block"), ","))
	d.since.add(atRisk{n, e.At})
	d.vm.Writes += n
	f.total.Absorbed += int64(n) * disk.BlockSize
}

func (f *flushes) flush(e kernel.Event, d *dirt) {
	switch e.Kind {
	case event.FlushCut:
		d.cut.add(d.since)
		d.since, d.cutAt = atRisk{}, e.At
	case event.FlushApplied:
		d.look(e.At)
		d.cut = atRisk{}
		f.total.Applied++
		f.total.Bytes += amount(e, "bytes")
		f.total.Longest = max(f.total.Longest, e.At-d.cutAt)
	case event.FlushAbandoned:
		d.since.add(d.cut)
		d.cut = atRisk{}
	case event.Released:
		d.look(e.At)
		if f.returning[d.vm.Name] {
			f.losing(d)
		}
		d.cut, d.since = atRisk{}, atRisk{}
		delete(f.bindings, e.Subject)
	}
}

// look notes what a failure now would lose. It grows until a flush is applied, so
// that just before one is when to look.
func (d *dirt) look(now time.Duration) {
	all := d.cut
	all.add(d.since)
	if all.writes > 0 && now-all.oldest > d.vm.Loss {
		d.vm.Loss, d.vm.AtRisk = now-all.oldest, all.writes
	}
}

// set takes settings as the trace tells them: "Cluster=5m0s;Other=1h0m0s".
func (f *flushes) set(told string) {
	clear(f.every)
	for _, one := range strings.Split(told, ";") {
		cluster, text, _ := strings.Cut(one, "=")
		if every, err := time.ParseDuration(text); err == nil {
			f.every[cluster] = every
		}
	}
}

// end is what it came to; nil if no guest came up on a cloud cache. cluster is
// where the VMs are at home, workload what their guests do.
func (f *flushes) end(now time.Duration, cluster, workload string, overWAN int64) *record.Flushes {
	if len(f.order) == 0 {
		return nil
	}
	total := f.total
	total.Interval, total.Workload, total.WANBytes, total.MoreVMs = cmp.Or(f.every[cluster], appliance.DefaultFlushEvery), workload, overWAN, f.more
	for _, d := range f.order {
		d.look(now)
		c := f.counters(d.vm.Name)
		vm := d.vm
		vm.Stalled, vm.Longest = c.Stalled-d.before.Stalled, c.Longest
		vm.Misreads, vm.Failed = c.Misread-d.before.Misread, c.Failed-d.before.Failed
		total.VMs = append(total.VMs, vm)
	}
	return &total
}

// amount reads a number of bytes that an event tells.
func amount(e kernel.Event, key string) int64 {
	n, err := strconv.ParseInt(e.Attr(key), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("run: event %d (%s of %s): %s=%q is no number", e.Seq, e.Kind, e.Subject, key, e.Attr(key))) // the trace is ours
	}
	return n
}

// servedBy is the binding whose disks a VM in the cloud has.
func (st *stage) servedBy(vm string) string {
	if st.world == nil {
		return ""
	}
	v, ok := st.world.Cloud.VCenter.VM(vm)
	if !ok || len(v.Disks) == 0 || !v.Disks[0].Served {
		return ""
	}
	return path.Dir(v.Disks[0].Path)
}

func (st *stage) countersOf(name string) guest.Counters {
	if st.world == nil {
		return guest.Counters{}
	}
	if g := st.world.Guests().Guest(name); g != nil {
		return g.Counters()
	}
	return guest.Counters{}
}

// flushed is what the run's flushes came to.
func (st *stage) flushed() *record.Flushes {
	f := st.flushes
	cluster, words := "", []string{}
	for _, d := range f.order {
		if m, ok := st.last(d.vm.Name); ok && cluster == "" {
			cluster = m.Plan.Cluster
		}
		if g := st.world.Guests().Guest(d.vm.Name); g != nil {
			words = append(words, g.Workload().String())
		}
	}
	slices.Sort(words)
	return f.end(st.kernel.Now(), cluster, strings.Join(slices.Compact(words), "; and "), st.world.WAN.Carried(wan.Both))
}

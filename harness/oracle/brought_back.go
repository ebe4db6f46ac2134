package oracle

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// BroughtBack: a VM that a recovery brings back holds on premises what its last
// flush that was applied held, block by block, and nothing that is newer or half
// of it (POL-06), and HDM says which flush that is (REC-04). A flush that was under
// way may have been applied as a whole although its cache never heard so; its disks
// tell. The VM is off, in one of the two recovery pools, with its
// migrate-time snapshot (REC-05). What it lost was written after that flush, and
// that is no older than the interval, the flush that the failure interrupted, and
// what delayed them (POL-08, A-26), unless HDM has said so.
//
// It takes from Flushed what a flush held at its cut.
type BroughtBack struct {
	verdicts
	rules    Rules
	flushed  *Flushed
	parts    parts
	bindings map[string]*home  // by id, until they end
	homes    map[string]*home  // by guest, the last one
	pools    map[string]string // of VMs by subject, as they were moved
	power    map[string]bool   // whether they are on
	taken    map[string]int    // migrate-time snapshots of VMs by subject
	byHand   map[string]bool   // VMs that a person powered on or off while they were brought back
	untried  map[string]bool   // recoveries that could not find out whether the VM boots: that counts against it
	late     map[string]bool   // VMs of which HDM noted that their last flush is late
	told     map[string]uint64 // the flush with which HDM noted that a VM is back; 0: with none
	spoilt   bool              // storage was damaged: an image may hold anything
	every    time.Duration     // the longest interval that was set
	delays   delays            // what keeps flushes from being applied
	broke    time.Duration     // when the last part failed before the present recovery; 0: none
	lost     []record.Loss     // of the VMs that were brought back
	shown    bool              // one was, with something lost
}

// home is what a binding's disks on premises must hold.
type home struct {
	id, guest string
	bound     time.Duration
	holds     map[place]content // the blocks that any flush held: what the last applied one left there
	cuts      map[uint64]*cut
	cutAt     map[uint64]time.Duration
	number    uint64        // of the last flush that is applied
	last      time.Duration // when it was cut
	seq       uint64
	took      time.Duration // from that cut until it was applied
	delayed   time.Duration // what there was of delays by then
	stopped   time.Duration // when the guest was last stopped in the cloud
}

// delays adds up for how long something keeps flushes from being applied.
type delays struct {
	open  map[string]bool
	since time.Duration
	total time.Duration
}

func (d *delays) set(what string, on bool, at time.Duration) {
	before := len(d.open) > 0
	if on {
		d.open[what] = true
	} else {
		delete(d.open, what)
	}
	switch after := len(d.open) > 0; {
	case after && !before:
		d.since = at
	case before && !after:
		d.total += at - d.since
	}
}

// by is the sum at that time.
func (d *delays) by(at time.Duration) time.Duration {
	if len(d.open) > 0 {
		return d.total + at - d.since
	}
	return d.total
}

// NewBroughtBack returns the oracle for one run. f must hear of each event first.
func NewBroughtBack(r Rules, f *Flushed) *BroughtBack {
	return &BroughtBack{
		verdicts: verdicts{oracle: "brought-back"}, rules: r, flushed: f, parts: newParts(),
		bindings: map[string]*home{}, homes: map[string]*home{}, pools: map[string]string{}, power: map[string]bool{}, taken: map[string]int{},
		byHand: map[string]bool{}, untried: map[string]bool{}, late: map[string]bool{}, told: map[string]uint64{}, delays: delays{open: map[string]bool{}},
	}
}

// Observe implements Oracle. At a cut it takes as long as there are blocks in the
// flush; when a VM is back, as long as there were in all of them.
func (o *BroughtBack) Observe(e kernel.Event) []record.Violation {
	if o.parts.hear(&e) {
		o.failing(&e)
	}
	switch e.Kind {
	case event.Bound:
		name := strings.TrimPrefix(e.Attr("source"), onPremises)
		h := &home{id: e.Subject, guest: name, bound: e.At, last: e.At, seq: e.Seq, holds: map[place]content{}, cuts: map[uint64]*cut{}, cutAt: map[uint64]time.Duration{}}
		o.bindings[h.id], o.homes[name] = h, h
	case event.Released:
		delete(o.bindings, e.Subject)
	case event.FlushCut:
		o.cut(&e)
	case event.FlushApplied:
		o.applied(&e)
	case event.VMPool:
		o.pools[e.Subject] = e.Attr("pool")
	case event.VMPower:
		o.power[e.Subject] = e.Attr("state") == "on"
	case event.VMSnapshot:
		o.snapshot(&e)
	case event.GuestStopped:
		if h := o.homes[e.Subject]; h != nil && strings.HasPrefix(vmOf(&e), inCloud) {
			h.stopped = e.At
		}
	case event.Settings:
		o.set(&e)
	case event.FaultBegan:
		o.spoilt = o.spoilt || spoiling[e.Attr("kind")]
	case event.Note:
		o.note(&e)
	case event.EffectEnded:
		if e.Attr("kind") == "judge" {
			o.untried[e.Subject] = e.Attr("outcome") != "done"
		}
	case event.Step:
		if vm := byHand(&e); vm != "" {
			o.byHand[vm] = true // what it holds now, and where it is, is theirs
		}
	case event.Migration:
		if e.Attr("type") == typeRecover && e.Attr("from") == "" {
			delete(o.byHand, e.Attr("vm"))
			delete(o.told, e.Attr("vm"))
		}
		if e.Attr("type") == typeRecover && e.Attr("to") == stateCompleted {
			o.back(&e)
		}
	}
	return o.take()
}

// withFlush is how HDM says which flush a VM is back with.
var withFlush = regexp.MustCompile(`^(.*) is back, off, in [^:]*: (?:with the data of its flush ([0-9]+),|no flush of it had been applied)`)

func (o *BroughtBack) note(e *kernel.Event) {
	switch text := e.Attr("text"); e.Attr("type") {
	case noteLate:
		for name := range o.homes { //hdm:order-safe each by itself
			o.late[name] = o.late[name] || strings.Contains(text, name)
		}
	case noteRecovered:
		if found := withFlush.FindStringSubmatch(text); found != nil {
			o.told[found[1]], _ = strconv.ParseUint("0"+found[2], 10, 64) // as the expression has it
		}
	}
}

// failing follows what fails, and since when.
func (o *BroughtBack) failing(e *kernel.Event) {
	o.delays.set("wan", o.parts.wan.down || len(o.parts.slow) > 0, e.At)
	o.delays.set("appliance", !o.parts.up, e.At)
	switch e.Kind {
	case event.ServiceDown, event.ComponentDown, event.HostDown, event.HostFilter, event.LinkDown:
		// What passes before anything is recovered says nothing: the last one before
		// the recovery counts.
		if o.parts.phase == idle && e.Attr("state") != "up" {
			o.broke = e.At
		}
	case event.Recovery:
		switch {
		case o.parts.phase == idle:
			o.broke = 0
		case o.broke == 0:
			o.broke = e.At
		}
	}
}

// spoiling are the faults after which an image may hold anything.
var spoiling = map[string]bool{"storage-corrupt": true, "device-error": true, "datastore-error": true, "flush-torn": true}

// set: the longest interval counts, for which cluster a VM is in is not told.
func (o *BroughtBack) set(e *kernel.Event) {
	o.every = 0
	for one := range strings.SplitSeq(e.Attr("flush-every"), ";") {
		if _, text, ok := strings.Cut(one, "="); ok {
			if d, err := time.ParseDuration(text); err == nil {
				o.every = max(o.every, d)
			}
		}
	}
}

func (o *BroughtBack) snapshot(e *kernel.Event) {
	if !strings.HasPrefix(e.Attr("name"), o.rules.SnapshotPrefix) {
		return
	}
	switch e.Attr("op") {
	case "created":
		o.taken[e.Subject]++
	case "removed":
		o.taken[e.Subject]--
	}
}

// cut: what the blocks of a flush hold on premises until it is applied.
func (o *BroughtBack) cut(e *kernel.Event) {
	h, from := o.bindings[e.Subject], o.flushed.bindings[e.Subject]
	if h == nil || from == nil {
		return
	}
	n := uint64(number(e, "number"))
	c := from.cuts[n]
	h.cuts[n], h.cutAt[n] = c, e.At
	here := o.flushed.world.Disks(onPremises + h.guest)
	for at := range c.held { //hdm:order-safe from a map into a map
		if _, known := h.holds[at]; !known {
			h.holds[at] = o.flushed.held(here, at)
		}
	}
}

func (o *BroughtBack) applied(e *kernel.Event) {
	h := o.bindings[e.Subject]
	if h == nil {
		return
	}
	n := uint64(number(e, "number"))
	c := h.cuts[n]
	if c == nil {
		return
	}
	o.holds(h, n, e)
}

// holds: its disks hold that flush, and the ones before.
func (o *BroughtBack) holds(h *home, n uint64, e *kernel.Event) {
	maps.Copy(h.holds, h.upTo(n))
	h.number, h.last, h.seq, h.took, h.delayed = n, h.cutAt[n], e.Seq, e.At-h.cutAt[n], o.delays.by(h.cutAt[n])
	for before := range h.cuts { //hdm:order-safe each by itself
		if before <= n {
			delete(h.cuts, before)
			delete(h.cutAt, before)
		}
	}
}

// upTo is what the blocks of the flushes hold that are cut and not applied, up to
// that one.
func (h *home) upTo(n uint64) map[place]content {
	held := map[place]content{}
	for _, number := range slices.Sorted(maps.Keys(h.cuts)) {
		if number <= n {
			maps.Copy(held, h.cuts[number].held)
		}
	}
	return held
}

// back: a recovery has brought a VM back.
func (o *BroughtBack) back(e *kernel.Event) {
	vm := e.Attr("vm")
	subject := onPremises + vm
	h := o.homes[vm]
	if h == nil {
		o.broken("REC-04", e.At, subject, []uint64{e.Seq}, "%s brought it back, and it never was on a cloud cache", e.Subject)
		return
	}
	if !o.byHand[vm] {
		o.stands(e, subject, leftovers(e.Attr("left")))
	}
	if !o.spoilt && !o.byHand[vm] {
		o.image(e, h, subject)
	}
	blocks := o.flushed.lost[vm].after(h.number)
	loss := record.Loss{VM: vm, Migration: e.Subject, Blocks: blocks, Flush: h.number, Seconds: max(0, h.stopped-h.last).Seconds(), Pool: o.pools[subject]}
	o.shown = o.shown || blocks > 0
	o.bound(e, h, subject, &loss)
	o.lost = append(o.lost, loss)
}

// stands: it is where a VM is that was brought back.
func (o *BroughtBack) stands(e *kernel.Event, subject string, left leftovers) {
	switch pool := o.pools[subject]; {
	case pool != o.rules.RecoverySuccess && pool != o.rules.RecoveryFailed:
		o.broken("REC-05", e.At, subject, []uint64{e.Seq}, "%s brought it back, and it is in pool %q, not in %s or %s", e.Subject, pool, o.rules.RecoverySuccess, o.rules.RecoveryFailed)
	case pool == o.rules.RecoveryFailed && !o.spoilt && !left.has(leftBinding) && !o.untried[e.Subject]:
		o.broken("REC-05", e.At, subject, []uint64{e.Seq}, "%s brought it back into %s, and its image is that of a flush that was applied whole", e.Subject, pool)
	}
	if o.power[subject] {
		o.broken("REC-05", e.At, subject, []uint64{e.Seq}, "%s brought it back, and it is on", e.Subject)
	}
	if o.taken[subject] == 0 {
		o.broken("REC-05", e.At, subject, []uint64{e.Seq}, "%s brought it back, and its migrate-time snapshot is gone", e.Subject)
	}
}

// image: its disks are those of the last flush that was applied, and that is the one
// of which HDM says so.
func (o *BroughtBack) image(e *kernel.Event, h *home, subject string) {
	wrong := o.differs(h, h.number, subject)
	is, found := h.number, wrong.disk < 0
	told, said := o.told[h.guest]
	for _, n := range slices.Sorted(maps.Keys(h.cuts)) { // one of which no end was heard
		if (!found || n == told) && o.differs(h, n, subject).disk < 0 {
			is, found = n, true
		}
	}
	if !found {
		o.broken("POL-06", e.At, subject, []uint64{h.seq, e.Seq}, "%s brought it back, and disk %d block %#x is not what it was after flush %d, the last that was applied", e.Subject, wrong.disk, wrong.block, h.number)
		return
	}
	if is > h.number {
		o.holds(h, is, e)
	}
	if said && told != is {
		o.broken("REC-04", e.At, subject, []uint64{h.seq, e.Seq}, "%s brought it back as of flush %d, and HDM says that it is as of flush %d", e.Subject, is, told)
	}
}

// differs is the first block that is not what it was, or would be, once a flush was
// applied; disk -1 if there is none.
func (o *BroughtBack) differs(h *home, n uint64, subject string) place {
	here := o.flushed.world.Disks(subject)
	want := maps.Clone(h.holds)
	maps.Copy(want, h.upTo(n))
	wrong := place{-1, 0}
	for at, held := range want { //hdm:order-safe the lowest of those that differ
		if o.flushed.held(here, at) != held && (wrong.disk < 0 || at.before(wrong)) {
			wrong = at
		}
	}
	return wrong
}

// schedule is how much later than its interval a flush may be cut: others may be
// under way.
const schedule = time.Minute

// bound: how old the oldest write is that was lost when the failure came.
func (o *BroughtBack) bound(e *kernel.Event, h *home, subject string, loss *record.Loss) {
	every := o.every
	if every == 0 {
		every = o.rules.FlushEvery
	}
	failed := o.broke
	if failed == 0 || failed < h.last {
		failed = h.last
	}
	bound := every + schedule + h.took + o.delays.by(failed) - h.delayed
	for _, at := range h.cutAt { //hdm:order-safe the longest of them
		bound = max(bound, every+schedule+failed-at)
	}
	age := failed - h.last
	loss.Age, loss.Bound = age.Seconds(), bound.Seconds()
	if age > bound && !o.late[h.guest] {
		o.broken("POL-08", e.At, subject, []uint64{h.seq, e.Seq}, "when the failure came its last flush was %v old, more than %v, and HDM has not said so", age, bound)
	}
}

// Losses are what the VMs lost that were brought back, in order.
func (o *BroughtBack) Losses() []record.Loss { return o.lost }

// Finish implements Oracle.
func (o *BroughtBack) Finish(*Truth) []record.Violation { return nil }

// Tested implements Oracle: a VM came back, and had written after its last flush.
func (o *BroughtBack) Tested() []string { return tested(o.shown, "POL-06", "POL-08") }

package oracle

import (
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Flushed: what a flush brings home is what the VM's disks held at one instant,
// the cut (CACHE-05, CACHE-06), and a VM is not let go of before everything that
// its guest wrote in the cloud is on premises (BACK-03).
//
// It remembers which blocks the guest was told are written since the last cut,
// looks at them at the cut, and at the same ones on premises once the flush is
// applied. While the compute VM is off it compares the disks whole.
type Flushed struct {
	verdicts
	world    World
	bindings map[string]*cached // by id, until they end
	guests   map[string]*away   // by name: those in the cloud
	shown    bool               // a flush brought home what a guest had written
	brought  bool               // a binding ended with all of it on premises

	given map[string]string  // what is not to be flushed any more, by guest: why
	lost  map[string]*unsent // what had not been heard to be applied when that was let go

	damage damage
	block  [disk.BlockSize]byte // what is looked at
}

// cached is a binding.
type cached struct {
	source, guest string
	cuts          map[uint64]*cut
}

// cut is a flush under way, or one that was given up: then what it holds is in the
// next one.
type cut struct {
	event  uint64
	held   map[place]content
	failed bool
}

// unsent is what a guest wrote and no flush was heard to bring home.
type unsent struct {
	pending map[place]bool // in no flush
	cuts    map[uint64]*cut
}

// after counts the blocks of it that a flush does not hold either, nor one before.
func (u *unsent) after(number uint64) int {
	if u == nil {
		return 0
	}
	left := maps.Clone(u.pending)
	for n, c := range u.cuts { //hdm:order-safe into a map
		if n > number {
			for at := range c.held { //hdm:order-safe into a map
				left[at] = true
			}
		}
	}
	return len(left)
}

// place is a block of a guest's disks.
type place struct {
	disk  int
	block int64
}

// content tells what a block holds from anything else: a sum of it, which is
// nothing outside of this process. The zero content is what cannot be read.
type content struct {
	read bool
	sum  uint64
}

var seed = maphash.MakeSeed()

// away is a guest that runs in the cloud, or ran there last.
type away struct {
	vm      string // subject of the VM
	up      bool
	wrote   bool
	pending map[place]bool // told as written, and in no flush yet
	last    uint64         // the event that told of the last write
}

// NewFlushed returns the oracle for one run.
func NewFlushed(w World) *Flushed {
	return &Flushed{verdicts: verdicts{oracle: "flushed"}, world: w, bindings: map[string]*cached{}, guests: map[string]*away{}, given: map[string]string{}, lost: map[string]*unsent{}, damage: damage{}}
}

// Observe implements Oracle. At a cut, and once a flush is applied, it takes as
// long as there are blocks in the flush.
func (o *Flushed) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.Bound:
		source := e.Attr("source")
		b := &cached{source: source, guest: strings.TrimPrefix(source, onPremises), cuts: map[uint64]*cut{}}
		o.bindings[e.Subject] = b
		delete(o.given, b.guest)
		delete(o.lost, b.guest)
	case event.Released:
		o.released(&e)
	case event.FlushCut:
		o.cut(&e)
	case event.FlushApplied:
		o.applied(&e)
	case event.FlushAbandoned:
		o.abandoned(&e)
	case event.DiskDamaged:
		o.damage.hear(o.world, &e)
	case event.GuestStarted:
		o.started(&e)
	case event.GuestStopped:
		if g := o.guests[e.Subject]; g != nil && g.vm == vmOf(&e) {
			g.up = false
		}
	case event.GuestWrite:
		o.write(&e)
	case event.Migration:
		if e.Attr("type") == typeRecover && e.Attr("from") == "" {
			o.given[e.Attr("vm")] = e.Subject
		}
	case event.Recovery:
		if e.Attr("phase") == "resetting" {
			for _, b := range o.bindings { //hdm:order-safe each by itself
				o.given[b.guest] = "a reset"
			}
		}
	}
	return o.take()
}

// started: where a guest comes up somewhere else, what it wrote before is judged
// by the disks that it comes up on (no-lost-write).
func (o *Flushed) started(e *kernel.Event) {
	vm := vmOf(e)
	g := o.guests[e.Subject]
	switch {
	case vm != inCloud+migration.ComputeName(e.Subject): // on premises, or on disks of its own in the cloud
		delete(o.guests, e.Subject)
	case g == nil || g.vm != vm:
		o.guests[e.Subject] = &away{vm: vm, up: true, pending: map[place]bool{}}
	default:
		g.up = true
	}
}

func (o *Flushed) write(e *kernel.Event) {
	g := o.guests[e.Subject]
	if g == nil || g.vm != vmOf(e) {
		return
	}
	on := int(number(e, "disk"))
	for text := range strings.SplitSeq(e.Attr("block"), ",") {
		block, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic("oracle: a guest wrote block " + text)
		}
		g.pending[place{on, block}] = true
	}
	g.wrote, g.last = true, e.Seq
}

func (o *Flushed) cut(e *kernel.Event) {
	b := o.bindings[e.Subject]
	if b == nil {
		return
	}
	c := &cut{event: e.Seq, held: map[place]content{}}
	g := o.guests[b.guest]
	for n, before := range b.cuts { //hdm:order-safe into a map
		if before.failed && g != nil {
			for at := range before.held { //hdm:order-safe into a map
				g.pending[at] = true
			}
			delete(b.cuts, n)
		}
	}
	b.cuts[uint64(number(e, "number"))] = c
	if g == nil {
		return
	}
	disks := o.world.Disks(g.vm)
	for at := range g.pending { //hdm:order-safe from a map into a map
		c.held[at] = o.held(disks, at)
	}
	g.pending = map[place]bool{}
}

// held is what a block holds; the zero content if it cannot be read.
func (o *Flushed) held(disks []Disk, at place) content {
	if at.disk >= len(disks) {
		return content{}
	}
	if _, err := disks[at.disk].Image.ReadAt(o.block[:], at.block*disk.BlockSize); err != nil {
		return content{}
	}
	return content{true, maphash.Bytes(seed, o.block[:])}
}

func (o *Flushed) applied(e *kernel.Event) {
	b := o.bindings[e.Subject]
	if b == nil {
		return
	}
	n := uint64(number(e, "number"))
	c := b.cuts[n]
	delete(b.cuts, n)
	if c == nil {
		return
	}
	here := o.world.Disks(b.source)
	wrong := place{-1, 0}
	for at, want := range c.held { //hdm:order-safe the lowest of those that differ
		if o.held(here, at) != want && (wrong.disk < 0 || at.before(wrong)) {
			wrong = at
		}
	}
	if wrong.disk >= 0 {
		o.broken("CACHE-05", e.At, b.source, []uint64{c.event, e.Seq}, "flush %d is applied, and disk %d block %#x does not hold what it held in the cloud at the cut", n, wrong.disk, wrong.block)
		return
	}
	o.shown = o.shown || len(c.held) > 0
	if g := o.guests[b.guest]; g != nil && !g.up && (&unsent{g.pending, b.cuts}).after(0) == 0 {
		o.whole(e.At, b.source, g.vm, []uint64{c.event, e.Seq}, here)
	}
}

func (p place) before(q place) bool { return p.disk < q.disk || p.disk == q.disk && p.block < q.block }

// whole: the disks on premises are those of the compute VM, which is off, what no
// guest wrote included.
func (o *Flushed) whole(at time.Duration, source, compute string, evidence []uint64, here []Disk) {
	there := o.world.Disks(compute)
	for i := range min(len(here), len(there)) {
		for block := range differences(here[i].Image, there[i].Image) {
			if o.damage.met(here[i].ID, block) {
				continue // the cloud cache may hold what it was
			}
			o.broken("CACHE-05", at, source, evidence, "everything is flushed, and disk %d block %#x is not what it is in %s, which is off", i, block, compute)
			return
		}
	}
}

// abandoned: what a flush held is in the next one.
func (o *Flushed) abandoned(e *kernel.Event) {
	if b := o.bindings[e.Subject]; b != nil {
		if c := b.cuts[uint64(number(e, "number"))]; c != nil {
			c.failed = true
		}
	}
}

// released: a guest that went on elsewhere needs its cloud cache no more.
func (o *Flushed) released(e *kernel.Event) {
	b := o.bindings[e.Subject]
	if b == nil {
		return
	}
	delete(o.bindings, e.Subject)
	g := o.guests[b.guest]
	if g == nil || !o.onCache(g.vm) {
		return
	}
	delete(o.guests, b.guest)
	left := &unsent{g.pending, b.cuts}
	if o.given[b.guest] != "" {
		o.lost[b.guest] = left // brought-back says whether it may be
		return
	}
	if left := left.after(0); left > 0 {
		o.broken("BACK-03", e.At, b.source, []uint64{g.last, e.Seq}, "its cloud cache is released, and %d blocks that its guest wrote on %s were never applied on premises", left, g.vm)
		return
	}
	o.brought = o.brought || g.wrote
}

// onCache says whether the VM's name is that of a compute VM.
func (o *Flushed) onCache(vm string) bool { return strings.HasSuffix(vm, computeSuffix) }

// Finish implements Oracle. What is bound in the end is still to be flushed.
func (o *Flushed) Finish(*Truth) []record.Violation { return nil }

// Tested implements Oracle.
func (o *Flushed) Tested() []string {
	return slices.Concat(tested(o.shown, "CACHE-05", "CACHE-06"), tested(o.brought, "BACK-03"))
}

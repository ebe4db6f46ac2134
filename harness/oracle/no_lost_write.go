package oracle

import (
	"bytes"
	"iter"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// NoLostWrite: wherever a guest lives in the end, its disks hold every write
// that was acknowledged to it (COLD-05), and it never reads anything older
// meanwhile (in the cloud on disks that were not carried there: CACHE-08); and
// its VM is off from before the export until it starts in the cloud (COLD-07). An
// image holds what the VM on the cloud cache held that it comes from (WARM-05), and
// a VM that is brought back every cloud write (BACK-03).
//
// What must be there is in the guest's own ledger: a write that a power cut may
// take (it was not flushed) is not held against anybody, nor one that storage lost
// below everybody. Of a VM's way it
// watches this much:
//
//	        first byte                 whole                  guest starts in the cloud
//	off ------------------> exporting --------> exported -----------------------------------> done
//	                            |                  |
//	<--- given up --------------+                  +-- on again here: the export is stale,
//	                                                   and no guest may ever start from it
type NoLostWrite struct {
	verdicts
	world   World
	guests  map[string]*life
	vms     map[string]*outgoing // by subject of the VM
	carried bool                 // a guest that had written started elsewhere
	off     bool                 // a VM that had run was exported, and its guest started from that
	image   bool                 // a guest that had written on the cloud cache started from an image of that
	back    bool                 // one came back from there

	bindings map[string]string // ids: the guest
	damage   damage
}

// life is where a guest has lived and when it wrote.
type life struct {
	writes  []written
	vm      string // where it ran last
	started uint64 // the event that started it there
	served  bool   // in the cloud, and its disks were not exported there
	wrote   bool   // there
	back    string // the VM on premises that it was brought back to; "" else
	theirs  bool   // a person restored a snapshot, or a recovery brought it back: what was written since is meant to be lost
}

// clause is the one that a lost write breaks.
func (g *life) clause() string {
	switch {
	case g.served:
		return "CACHE-08"
	case g.back != "":
		return "BACK-03"
	}
	return "COLD-05"
}

// written says which event told of the guest's writes up to that number.
type written struct{ write, event uint64 }

// outgoing is a VM whose bytes are leaving, or have left.
type outgoing struct {
	on     uint64          // the event that says it runs; 0 if it is off
	leases map[string]bool // exports under way, with a byte sent
	first  uint64          // the first byte of the present export
	whole  uint64          // the event that completed an export
	since  uint64          // the event after that export that says it runs again
}

// NewNoLostWrite returns the oracle for one run.
func NewNoLostWrite(w World) *NoLostWrite {
	return &NoLostWrite{
		verdicts: verdicts{oracle: "no-lost-write"}, world: w, guests: map[string]*life{}, vms: map[string]*outgoing{},
		bindings: map[string]string{}, damage: damage{},
	}
}

// Observe implements Oracle.
func (o *NoLostWrite) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.GuestWrite:
		o.write(&e)
	case event.GuestMisread:
		o.misread(&e)
	case event.DiskDamaged:
		o.damage.hear(o.world, &e)
	case event.GuestStarted:
		o.started(&e)
	case event.GuestStopped:
		o.vm(vmOf(&e)).on = 0
	case event.VMPower:
		if e.Attr("state") == "on" {
			o.runs(&e, e.Subject)
		} else {
			o.vm(e.Subject).on = 0
		}
	case event.VMSnapshot:
		o.restored(&e)
	case event.Bound:
		o.bindings[e.Subject] = strings.TrimPrefix(e.Attr("source"), onPremises)
	case event.Released:
		o.released(&e)
	case event.Migration:
		if e.Attr("type") == typeRecover && e.Attr("from") == "" {
			o.guest(e.Attr("vm")).theirs = true // brought-back judges what it lost
		}
	case event.Recovery:
		if e.Attr("phase") == "resetting" {
			for _, name := range o.bindings { //hdm:order-safe each by itself
				o.guest(name).theirs = true
			}
		}
	case event.LeaseFirstByte:
		o.firstByte(&e)
	case event.LeaseClosed:
		o.closed(&e)
	}
	return o.take()
}

func (o *NoLostWrite) guest(name string) *life {
	g := o.guests[name]
	if g == nil {
		g = &life{}
		o.guests[name] = g
	}
	return g
}

func (o *NoLostWrite) vm(subject string) *outgoing {
	v := o.vms[subject]
	if v == nil {
		v = &outgoing{leases: map[string]bool{}}
		o.vms[subject] = v
	}
	return v
}

func (o *NoLostWrite) write(e *kernel.Event) {
	g, n := o.guest(e.Subject), uint64(number(e, "write"))
	g.writes = append(g.writes, written{n, e.Seq})
	g.wrote = g.wrote || g.served
	if v := o.vm(vmOf(e)); len(v.leases) > 0 {
		o.broken("COLD-07", e.At, e.Subject, []uint64{v.first, e.Seq}, "write #%d on %s while the VM is being exported", n, vmOf(e))
	}
}

// misread: what a guest read lacked a write that was acknowledged to it.
func (o *NoLostWrite) misread(e *kernel.Event) {
	g, n := o.guest(e.Subject), uint64(number(e, "write"))
	if g.theirs || o.damage.tookLast(o.world.Guest(e.Subject), int(number(e, "disk")), number(e, "block")) {
		return
	}
	o.broken(g.clause(), e.At, e.Subject, []uint64{g.toldOf(n), e.Seq},
		"read on %s that block %#x of disk %s %s, but write #%d to it was acknowledged", vmOf(e), number(e, "block"), e.Attr("disk"), e.Attr("got"), n)
}

func (o *NoLostWrite) started(e *kernel.Event) {
	g, subject := o.guest(e.Subject), vmOf(e)
	from, home := o.from(g, subject)
	committed := g.served && g.vm != subject
	if g.vm != subject {
		g.served = strings.HasPrefix(subject, inCloud) && strings.HasPrefix(from, onPremises) && home.whole == 0
	}
	ran := g.vm != ""
	g.vm, g.started, g.back = subject, e.Seq, ""
	o.runs(e, subject)
	if home == nil {
		return
	}
	o.carried = o.carried || len(g.writes) > 0 && home.whole != 0
	o.off = o.off || ran && home.whole != 0
	if home.since != 0 {
		o.broken("COLD-07", e.At, e.Subject, []uint64{home.whole, home.since, e.Seq},
			"started on %s from an export after which it had run again on %s", subject, from)
	}
	delete(o.vms, from)
	if software := o.world.Guest(e.Subject); software != nil && !g.theirs {
		clause := "COLD-05"
		if committed {
			clause = "WARM-05"
			o.image = o.image || g.wrote
		}
		there := o.world.Disks(subject)
		o.holds(clause, e.At, subject, software, g, there)
		o.equals(clause, e, from, o.world.Disks(from), there)
	}
}

// released: the VM of a guest that has not gone on elsewhere is back, with every
// cloud write.
func (o *NoLostWrite) released(e *kernel.Event) {
	name := o.bindings[e.Subject]
	delete(o.bindings, e.Subject)
	g := o.guests[name]
	if g == nil || !g.served || o.vm(g.vm).on != 0 {
		return
	}
	delete(o.vms, g.vm)
	o.back = o.back || g.wrote
	g.vm, g.served, g.back, g.wrote, g.started = onPremises+name, false, onPremises+name, false, e.Seq
	if software := o.world.Guest(name); software != nil && !g.theirs {
		o.holds(g.clause(), e.At, g.vm, software, g, o.world.Disks(g.vm))
	}
}

// restored: a person has restored a snapshot of a VM (MIG-12). What its guest has
// written since is lost, and meant to be.
func (o *NoLostWrite) restored(e *kernel.Event) {
	if name, ok := strings.CutPrefix(e.Subject, onPremises); ok && e.Attr("op") == "reverted" {
		o.guest(name).theirs = true
	}
}

// from is the VM from which a guest has come that starts on subject; nil if it
// comes from nowhere. One that never ran comes from the VM of that name that was
// exported.
func (o *NoLostWrite) from(g *life, subject string) (string, *outgoing) {
	if g.vm != "" && g.vm != subject {
		return g.vm, o.vm(g.vm)
	}
	if name, ok := strings.CutPrefix(subject, inCloud); ok && g.vm == "" {
		if home := o.vms[onPremises+name]; home != nil && home.whole != 0 {
			return onPremises + name, home
		}
	}
	return "", nil
}

// told is the event that told of an acknowledged write; 0 if the guest had it
// when the world began.
func (g *life) told(a guest.Ack) uint64 {
	if a.At == 0 {
		return 0
	}
	return g.toldOf(a.Write)
}

// toldOf is the event that told of the write of that number; 0 if none did.
func (g *life) toldOf(write uint64) uint64 {
	i := sort.Search(len(g.writes), func(i int) bool { return g.writes[i].write >= write })
	if i == len(g.writes) {
		return 0
	}
	return g.writes[i].event
}

// runs: the VM was powered on, or a guest came up on it.
func (o *NoLostWrite) runs(e *kernel.Event, vm string) {
	v := o.vm(vm)
	if v.on == 0 && len(v.leases) > 0 {
		o.broken("COLD-07", e.At, vm, []uint64{v.first, e.Seq}, "it runs again while it is being exported")
	}
	if v.on == 0 {
		v.on = e.Seq
	}
	if v.whole != 0 && v.since == 0 {
		v.since = e.Seq
	}
}

func (o *NoLostWrite) firstByte(e *kernel.Event) {
	if e.Attr("mode") != "export" {
		return
	}
	v := o.vm(e.Subject)
	if len(v.leases) == 0 {
		v.first = e.Seq
	}
	if v.on != 0 && !v.leases[e.Attr("lease")] {
		o.broken("COLD-07", e.At, e.Subject, []uint64{v.on, e.Seq}, "its export began while it was on")
	}
	v.leases[e.Attr("lease")] = true
}

func (o *NoLostWrite) closed(e *kernel.Event) {
	v := o.vms[e.Subject]
	if v == nil || !v.leases[e.Attr("lease")] {
		return
	}
	delete(v.leases, e.Attr("lease"))
	if e.Attr("how") == "completed" {
		v.whole, v.since = e.Seq, 0
	}
}

// lossesTold is how many lost blocks are told of one disk: they have one cause.
const lossesTold = 2

// holds: the disks of the VM hold what was acknowledged to the guest on it.
func (o *NoLostWrite) holds(clause string, at time.Duration, vm string, software *guest.Guest, g *life, disks []Disk) {
	for n, id := range software.Disks() {
		image := imageOf(disks, id)
		if image == nil {
			continue // no-lost-vm tells that
		}
		told := 0
		for _, loss := range software.Check(n, image, lossesTold+len(o.damage[id])) {
			if told == lossesTold || !loss.Whole && o.damage.took(id, loss.Block, loss.Want.At) {
				continue
			}
			told++
			o.broken(clause, at, vm, []uint64{g.told(loss.Want), g.started}, "%v", loss)
		}
	}
}

// equals: the disks that a guest comes up on are byte for byte those that it
// left, what no guest wrote included.
func (o *NoLostWrite) equals(clause string, e *kernel.Event, from string, here, there []Disk) {
	for _, d := range here {
		image := imageOf(there, d.ID)
		if image == nil {
			continue
		}
		for block := range differences(d.Image, image) {
			if o.damage.met(d.ID, block) {
				continue // one of them may have been looked at before
			}
			o.broken(clause, e.At, vmOf(e), []uint64{e.Seq}, "disk %s block %#x is not what it is in %s when the guest comes up", d.ID, block, from)
			break // the first shows it
		}
	}
}

// Finish implements Oracle: it holds the disks where each guest lives now
// against the guest's ledger.
func (o *NoLostWrite) Finish(t *Truth) []record.Violation {
	for _, software := range t.Guests {
		g := o.guest(software.Name())
		if home := g.home(t, software); home != nil && !g.theirs {
			o.holds(g.clause(), t.At, home.Subject(), software, g, home.Disks)
		}
	}
	return o.take()
}

// home is the VM that the guest lives on: the one that is on with its disks,
// else the one that it ran on last or, if it never ran, the first that there
// was.
func (g *life) home(t *Truth, software *guest.Guest) *VM {
	var last, first *VM
	for i := range t.VMs {
		v := &t.VMs[i]
		switch {
		case !v.holds(software.Disks()):
			continue
		case v.On:
			return v
		case v.Subject() == g.vm:
			last = v
		case first == nil:
			first = v
		}
	}
	if g.vm == "" {
		return first
	}
	return last
}

func imageOf(disks []Disk, id string) disk.Reader {
	i := slices.IndexFunc(disks, func(d Disk) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	return disks[i].Image
}

// differences are the blocks in which two disks differ, ascending; those that
// only one of them has differ, and those that cannot be read.
func differences(a, b disk.Reader) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		var x, y [disk.BlockSize]byte
		common := min(a.Capacity(), b.Capacity())
		for _, block := range touched(a, b) {
			off := block * disk.BlockSize
			if off >= common {
				break
			}
			size := min(disk.BlockSize, common-off)
			_, errA := a.ReadAt(x[:size], off)
			_, errB := b.ReadAt(y[:size], off)
			if (errA != nil || errB != nil || !bytes.Equal(x[:size], y[:size])) && !yield(block) {
				return
			}
		}
		if a.Capacity() != b.Capacity() {
			yield(common / disk.BlockSize)
		}
	}
}

func touched(disks ...disk.Reader) []int64 {
	var all []int64
	for _, d := range disks {
		for e := range d.Extents() {
			for off := e.Off; off < e.Off+e.Len; off += disk.BlockSize {
				all = append(all, off/disk.BlockSize)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Tested implements Oracle: of a guest that never wrote no write could be lost,
// and a VM that never ran could not be on while it was exported.
func (o *NoLostWrite) Tested() []string {
	return slices.Concat(tested(o.carried, "COLD-05"), tested(o.off, "COLD-07"), tested(o.image, "WARM-05"), tested(o.back, "BACK-03"))
}

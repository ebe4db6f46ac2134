package oracle

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// NoLostWrite: wherever a guest lives in the end, its disks hold every write
// that was acknowledged to it (COLD-05); and its VM is off from before the
// export until it starts in the cloud (COLD-07).
//
// What a guest may lose by itself is not held against anybody: when the power
// goes without a shutdown, each write since its last flush may be kept, lost or
// torn.
//
//	VM:  running --off--> (export: first byte) --> exporting --whole--> frozen --guest starts in the cloud--> done
//	                                                  |                    |
//	                            given up: back <------+                    +-- runs again here: the export is
//	                                                                           stale, and must never be started
type NoLostWrite struct {
	verdicts
	guests  map[string]*ledger
	vms     map[string]*exported // by subject of the VM
	written bool
	carried bool
}

// ledger is what was acknowledged to one guest.
type ledger struct {
	blocks  map[address]*entry
	dirty   []*entry // written since the last flush
	last    uint64   // number of the last write
	flushed uint64   // everything up to this one is durable
	vm      string   // where it ran last
	started uint64   // the event that started it there
	carried *carry   // how it came to where it runs; nil if it never moved
}

type address struct {
	disk  int
	block int64
}

// entry is what one block must hold: write acked, or a later one that was not
// acknowledged any more.
type entry struct {
	address
	acked   uint64
	at      time.Duration
	event   uint64
	durable uint64 // the last write of it that was flushed
	torn    bool   // the power went since: it may hold anything
}

// carry is the start of a guest in a new place, after its write of that number.
type carry struct{ after, event uint64 }

// exported is a VM whose bytes are leaving, or have left.
type exported struct {
	on       uint64          // the event that powered it on; 0 if off
	leases   map[string]bool // under way, with a byte sent
	first    uint64          // the first byte of the present export
	whole    uint64          // the event that completed an export
	since    uint64          // it ran again after that export: the event
	sinceHow string
}

// NewNoLostWrite returns the oracle for one run.
func NewNoLostWrite() *NoLostWrite {
	return &NoLostWrite{
		verdicts: verdicts{oracle: "no-lost-write"}, guests: map[string]*ledger{}, vms: map[string]*exported{},
	}
}

// Observe implements Oracle.
func (o *NoLostWrite) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.GuestWrite:
		o.write(&e)
	case event.GuestFlush:
		o.guest(e.Subject).flush(uint64(number(&e, "write")))
	case event.GuestStopped:
		o.vm(vmOf(&e)).on = 0
		if e.Attr("how") == "power-off" {
			o.guest(e.Subject).powerCut()
		}
	case event.GuestStarted:
		o.started(&e)
	case event.VMPower:
		o.power(&e)
	case event.LeaseFirstByte:
		o.firstByte(&e)
	case event.LeaseClosed:
		o.closed(&e)
	}
	return o.take()
}

func (o *NoLostWrite) guest(name string) *ledger {
	g := o.guests[name]
	if g == nil {
		g = &ledger{blocks: map[address]*entry{}}
		o.guests[name] = g
	}
	return g
}

func (o *NoLostWrite) vm(subject string) *exported {
	v := o.vms[subject]
	if v == nil {
		v = &exported{leases: map[string]bool{}}
		o.vms[subject] = v
	}
	return v
}

func (o *NoLostWrite) write(e *kernel.Event) {
	g := o.guest(e.Subject)
	at := address{int(number(e, "disk")), number(e, "block")}
	b := g.blocks[at]
	if b == nil {
		b = &entry{address: at}
		g.blocks[at] = b
	}
	if b.acked <= g.flushed {
		b.durable = b.acked
		g.dirty = append(g.dirty, b)
	}
	b.acked, b.at, b.event, b.torn = uint64(number(e, "write")), e.At, e.Seq, false
	g.last = max(g.last, b.acked)
	o.written = true
	if v := o.vm(vmOf(e)); len(v.leases) > 0 {
		o.broken("COLD-07", e.At, e.Subject, []uint64{v.first, e.Seq}, "write %d of the guest on %s while the VM is being exported", b.acked, vmOf(e))
	}
}

func (g *ledger) flush(upTo uint64) {
	g.flushed = max(g.flushed, upTo)
	g.dirty = slices.DeleteFunc(g.dirty, func(b *entry) bool { return b.acked <= g.flushed })
}

func (g *ledger) powerCut() {
	for _, b := range g.dirty {
		b.acked, b.torn = b.durable, true
	}
	g.dirty = nil
}

func (o *NoLostWrite) started(e *kernel.Event) {
	g, subject := o.guest(e.Subject), vmOf(e)
	if home := o.vms[g.vm]; g.vm != "" && g.vm != subject && home != nil {
		if home.since != 0 {
			o.broken("COLD-07", e.At, e.Subject, []uint64{home.whole, home.since, e.Seq},
				"started on %s from an export after which %s had %s", subject, g.vm, home.sinceHow)
		}
		g.carried = &carry{after: g.last, event: e.Seq}
		o.carried = true
		delete(o.vms, g.vm)
	}
	g.vm, g.started = subject, e.Seq
	o.vm(subject).on = e.Seq
}

func (o *NoLostWrite) power(e *kernel.Event) {
	v := o.vm(e.Subject)
	if e.Attr("state") != "on" {
		v.on = 0
		return
	}
	v.on = e.Seq
	if len(v.leases) > 0 {
		o.broken("COLD-07", e.At, e.Subject, []uint64{v.first, e.Seq}, "powered on while it is being exported")
	}
	if v.whole != 0 && v.since == 0 {
		v.since, v.sinceHow = e.Seq, "run again"
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
		o.broken("COLD-07", e.At, e.Subject, []uint64{v.on, e.Seq}, "its export began while it was powered on")
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

// Finish implements Oracle: it reads every block that a guest wrote off the
// disks where the guest lives now, and compares a VM in the cloud with the one
// that it was made from.
func (o *NoLostWrite) Finish(t *Truth) []record.Violation {
	for i := range t.Guests {
		guest := &t.Guests[i]
		g := o.guests[guest.Name]
		if g == nil {
			continue
		}
		home := o.home(t, guest, g)
		if home == nil {
			continue // no-lost-vm tells that
		}
		for n, id := range guest.Disks {
			o.compareWithLedger(t, guest, g, home, n, imageOf(home, id))
		}
		if g.carried == nil {
			continue
		}
		for n, id := range guest.Disks {
			o.compareWithSource(t, guest, g, home, n, id)
		}
	}
	return o.take()
}

// home is the VM that the guest ran on last.
func (o *NoLostWrite) home(t *Truth, guest *Guest, g *ledger) *VM {
	site, name := place(g.vm)
	for i := range t.VMs {
		v := &t.VMs[i]
		if string(v.Site) == site && v.Name == name && v.holds(guest.Disks) {
			return v
		}
	}
	return nil
}

func imageOf(v *VM, id string) disk.Reader {
	for _, d := range v.Disks {
		if d.ID == id {
			return d.Image
		}
	}
	return nil
}

func (o *NoLostWrite) compareWithLedger(t *Truth, guest *Guest, g *ledger, home *VM, n int, image disk.Reader) {
	for _, b := range g.sorted(n) {
		got, ok := t.Stamp(image, b.block)
		mine := ok && got.Guest == guest.Name && got.Disk == n && got.Block == b.block
		switch {
		case b.acked == 0 || b.torn && !ok || mine && got.Write >= b.acked:
		case ok && !mine:
			o.broken("COLD-05", t.At, guest.Name, []uint64{b.event, g.started},
				"disk %d block %#x of %s holds what belongs to %s disk %d block %#x", n, b.block, home.Subject(), got.Guest, got.Disk, got.Block)
		case ok:
			o.broken("COLD-05", t.At, guest.Name, []uint64{b.event, g.started},
				"disk %d block %#x: write %d, acknowledged at %v, is lost: %s holds write %d", n, b.block, b.acked, b.at, home.Subject(), got.Write)
		default:
			o.broken("COLD-05", t.At, guest.Name, []uint64{b.event, g.started},
				"disk %d block %#x: write %d, acknowledged at %v, is lost: %s holds no write there", n, b.block, b.acked, b.at, home.Subject())
		}
	}
}

// compareWithSource: what the guest has not written since it started in the
// cloud is byte for byte what it left on premises.
func (o *NoLostWrite) compareWithSource(t *Truth, guest *Guest, g *ledger, home *VM, n int, id string) {
	source := o.source(t, guest)
	if source == nil {
		return
	}
	here, there := imageOf(source, id), imageOf(home, id)
	for block := range differences(here, there) {
		if got, ok := t.Stamp(there, block); ok && got.Write > g.carried.after {
			continue // written since
		}
		if b := g.blocks[address{n, block}]; b != nil && b.torn {
			continue
		}
		o.broken("COLD-05", t.At, guest.Name, []uint64{g.carried.event},
			"disk %d block %#x differs between %s and %s, and nobody wrote it since", n, block, source.Subject(), home.Subject())
		return // the first shows it
	}
}

// source is the VM on premises that the guest ran on when the world began.
func (o *NoLostWrite) source(t *Truth, guest *Guest) *VM {
	for i := range t.Before {
		b := &t.Before[i]
		if b.Site == vsphere.OnPremises && b.Name == guest.Name {
			if v := t.same(b); v != nil && v.holds(guest.Disks) {
				return v
			}
		}
	}
	return nil
}

// sorted are the blocks of one disk that were written, ascending.
func (g *ledger) sorted(disk int) []*entry {
	var all []*entry
	for at, b := range g.blocks { //hdm:order-safe sorted below
		if at.disk == disk {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.block, b.block) })
	return all
}

// differences are the blocks in which two disks differ, those that only one of
// them has included, ascending. A block that cannot be read differs.
func differences(a, b disk.Reader) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		var x, y [disk.BlockSize]byte
		for _, block := range touched(a, b) {
			off := block * disk.BlockSize
			n, err := a.ReadAt(x[:min(disk.BlockSize, max(0, a.Capacity()-off))], off)
			m, err2 := b.ReadAt(y[:min(disk.BlockSize, max(0, b.Capacity()-off))], off)
			if (err != nil || err2 != nil || !bytes.Equal(x[:n], y[:m])) && !yield(block) {
				return
			}
		}
		if a.Capacity() != b.Capacity() {
			yield(min(a.Capacity(), b.Capacity()) / disk.BlockSize)
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

// Tested implements Oracle.
func (o *NoLostWrite) Tested() []string {
	return append(tested(o.written && o.carried, "COLD-05"), tested(o.carried, "COLD-07")...)
}

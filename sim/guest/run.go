package guest

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Run is one boot of a guest on one VM.
//
//	booting --> up ----------------> off
//	   |         |                    ^ ^
//	   |         +-- halting: waits --+ |  for its device, and for ever if that hangs
//	   +--------------------------------+
//
// While a burst is outstanding the next one waits, and so does a flush: what a
// flush makes durable is then all that was written before it.
type Run struct {
	guest    *Guest
	site, vm string
	number   int32
	state    state
	trial    bool     // it only shows that it comes up: see Trial
	tools    bool     // its VMware Tools run
	disks    []volume // those that it writes

	chance   *rand.Rand
	next     *kernel.Timer // boot, then each burst
	flush    *kernel.Timer // nil: nothing to flush
	stop     *kernel.Timer // the end of shutting down; nil: nobody asked
	halt     func()        // shutting down is over but for what is outstanding
	bursts   int
	burst    burst
	waits    bool          // a burst does, for the one before
	stalled  time.Duration // since when
	sync     flushing
	flushed  uint64           // the guest's last write that is durable
	doubtful map[place]uint64 // writes that failed since: they may be there or not
	counters Counters
	workload Workload
}

// Counters are what a guest has done with its disks.
type Counters struct {
	Reads, Writes uint64        // that were done
	Failed        uint64        // that were not: an error was the answer
	Misread       uint64        // reads that lacked an acknowledged write
	Stalled       time.Duration // a burst waited for the one before, which was outstanding
	Longest       time.Duration // from asking for a read or write until it was done
}

func (c *Counters) add(o Counters) {
	c.Reads += o.Reads
	c.Writes += o.Writes
	c.Failed += o.Failed
	c.Misread += o.Misread
	c.Stalled += o.Stalled
	c.Longest = max(c.Longest, o.Longest)
}

// flushing is a flush of all disks.
type flushing struct {
	due    bool   // it waits for what is outstanding
	left   int    // devices that have not answered, and one more while they are being asked
	failed bool   // one has refused
	last   uint64 // the write up to which it makes all durable
}

// place is a block of one of the guest's disks.
type place struct {
	disk  int
	block int64
}

// volume is a disk of the VM that the guest knows as one of its own.
type volume struct {
	Device
	index int // in the guest's order
	name  string
	pick  func() int64
}

type state int

const (
	booting state = iota
	up
	off
)

// PowerOn says that a VM was powered on with these disks, the boot disk first.
// It returns the run of the guest that lives on that disk, or nil if none
// does: keep it with the VM. A guest whose boot block is not on the disk does
// not come up.
func (g *Guests) PowerOn(site, vm string, disks []Device) *Run {
	r := g.boot(site, vm, disks)
	if r != nil && r.guest.bootable(disks[0]) {
		late := r.guest.late(site)
		r.tools = r.tools && late.tools
		r.next = g.kernel.After(r.guest.spec.Boot+late.by, r.up)
	}
	return r
}

// Running is PowerOn for a VM that was on before the world began: its guest
// works already, with its tools.
func (g *Guests) Running(site, vm string, disks []Device) *Run {
	r := g.boot(site, vm, disks)
	if r != nil && r.guest.bootable(disks[0]) {
		r.up()
	}
	return r
}

// boot makes the run of the guest that lives on the boot disk, if one does.
func (g *Guests) boot(site, vm string, disks []Device) *Run {
	if len(disks) == 0 || g.byBoot[disks[0].ID()] == nil {
		return nil
	}
	guest := g.byBoot[disks[0].ID()]
	guest.runs++
	r := &Run{guest: guest, site: site, vm: vm, number: guest.runs, tools: !guest.spec.NoTools, flushed: guest.write, workload: guest.spec.Workload}
	guest.live = append(guest.live, r)
	if r.workload.Kind != None {
		r.mount(disks)
	}
	return r
}

// bootable says whether the guest's own boot block is there.
func (g *Guest) bootable(boot Device) bool {
	if _, installed := g.ledgers[0][0]; !installed {
		return true
	}
	p := make([]byte, disk.BlockSize)
	if boot.Boot(p) != nil {
		return false
	}
	s, whole := parseStamp(p, 0)
	return whole && s.Guest == g.identity && s.Disk == 0
}

// mount finds the disks that the guest writes among those of the VM.
func (r *Run) mount(disks []Device) {
	r.chance = r.kernel().Rand("guest/" + r.guest.spec.Name)
	for index, id := range r.guest.spec.Disks {
		for _, d := range disks {
			n := r.workload.places(d.Capacity())
			if d.ID() == id && n > 0 {
				r.disks = append(r.disks, volume{Device: d, index: index, name: strconv.Itoa(index), pick: r.workload.picker(n, r.chance)})
			}
		}
	}
}

func (r *Run) kernel() *kernel.Kernel { return r.guest.guests.kernel }

func (r *Run) host() Host { return r.guest.guests.host }

// Rename says that the VM has another name from now on.
func (r *Run) Rename(vm string) { r.vm = vm }

// Up says whether the guest works: booted, and not stopped.
func (r *Run) Up() bool { return r.state == up }

// Booting says whether it is on, and will be up.
func (r *Run) Booting() bool { return r.state == booting && r.next != nil }

// Counters are what it has done with its disks so far.
func (r *Run) Counters() Counters {
	c := r.counters
	if r.waits {
		c.Stalled += r.kernel().Now() - r.stalled
	}
	return c
}

// Guest is the name of the guest that runs.
func (r *Run) Guest() string { return r.guest.spec.Name }

func (r *Run) up() {
	r.state = up
	r.kernel().Emit(event.GuestStarted, r.guest.spec.Name, "site", r.site, "vm", r.vm)
	if r.tools {
		r.host().Tools(r.site, r.vm, true)
	}
	if len(r.disks) > 0 {
		r.again()
	}
}

// again schedules the next burst: half a pace from now to one and a half.
func (r *Run) again() {
	pace := r.workload.pace()
	r.next = r.kernel().After(pace/2+time.Duration(r.chance.Int64N(int64(pace)+1)), r.turn)
}

// turn is the time of a burst.
func (r *Run) turn() {
	switch {
	case r.halt != nil: // it begins nothing any more
	case r.burst.outstanding():
		r.waits, r.stalled = true, r.kernel().Now()
	default:
		r.begin()
	}
}

// proceed does what has waited for something that was outstanding.
func (r *Run) proceed() {
	if r.state != up || r.burst.outstanding() {
		return
	}
	if r.sync.due && r.sync.left == 0 {
		r.flushAll()
	}
	switch {
	case r.state != up || r.burst.outstanding(): // what was asked for was done at once, and this with it
	case r.halt != nil:
		if !r.sync.due && r.sync.left == 0 {
			r.halt()
		}
	case r.waits:
		r.resume()
		r.begin()
	}
}

// resume ends a stall, if there is one.
func (r *Run) resume() {
	if r.waits {
		r.waits = false
		r.counters.Stalled += r.kernel().Now() - r.stalled
	}
}

// flushDue is the time of a flush.
func (r *Run) flushDue() {
	r.flush = nil
	r.sync.due = true
	r.proceed()
}

// flushAll flushes every disk. When one fails, nothing was promised, and the
// guest tries again after its next write.
func (r *Run) flushAll() {
	r.sync = flushing{left: 1, last: r.guest.write}
	if r.sync.last != r.flushed {
		for i := range r.disks {
			if r.sync.failed {
				break
			}
			r.sync.left++
			r.disks[i].Flush(r.flushDone)
		}
	}
	r.flushDone(nil)
}

// flushDone is a device's answer to a flush.
func (r *Run) flushDone(err error) {
	if r.state != up {
		return // too late
	}
	s := &r.sync
	s.left--
	s.failed = s.failed || err != nil
	if s.left > 0 {
		return
	}
	if !s.failed && s.last != r.flushed {
		r.flushed = s.last
		maps.DeleteFunc(r.doubtful, func(_ place, write uint64) bool { return write <= s.last })
		r.kernel().Emit(event.GuestFlush, r.guest.spec.Name, "site", r.site, "vm", r.vm, "write", strconv.FormatUint(s.last, 10))
	}
	r.proceed()
}

// Shutdown says that the guest is asked to shut down, and returns whether it
// hears: it works, its tools run, and it is not deaf. It halts after its
// shutdown time, once all that it asked of its disks is done: never, if they
// hang.
func (r *Run) Shutdown() (heard bool) { return r.down(r.host().Halted) }

// Reboot is Shutdown for a guest that is to come up again: see Host.Rebooted.
func (r *Run) Reboot() (heard bool) { return r.down(r.host().Rebooted) }

// down lets a guest that hears go down in good order, once, and then tells it.
func (r *Run) down(tell func(site, vm string)) (heard bool) {
	s := r.guest.spec
	if r.state != up || !r.tools || s.Deaf {
		return false
	}
	if r.stop == nil {
		r.stop = r.kernel().After(s.Shutdown, func() {
			r.halt = func() {
				r.end("shutdown")
				r.host().Tools(r.site, r.vm, false)
				tell(r.site, r.vm)
			}
			r.flushDue()
		})
	}
	return true
}

// PowerOff says that the VM is off, however that came. For a guest that has
// not shut down it is a power cut.
func (r *Run) PowerOff() { r.end("power-off") }

// end stops the guest. What no flush has made durable is the power cut's, and
// so is what is outstanding.
func (r *Run) end(how string) {
	was := r.state
	r.state = off
	for _, t := range []*kernel.Timer{r.next, r.flush, r.stop} {
		if t != nil {
			t.Stop()
		}
	}
	r.resume()
	r.guest.retire(r)
	if was != up || r.trial {
		return
	}
	r.tell()
	for _, q := range r.burst.flying {
		r.doubt(q)
	}
	r.burst = burst{}
	lost := 0
	cut := r.kernel().Rand("guest/" + r.guest.spec.Name + "/power-cut")
	for i := range r.disks {
		v := &r.disks[i]
		atRisk := v.Unflushed() > 0 || len(r.doubtful) > 0
		v.PowerCut(cut)
		if atRisk {
			lost += r.settle(v)
		}
	}
	r.kernel().Emit(event.GuestStopped, r.guest.spec.Name, "site", r.site, "vm", r.vm, "how", how, "lost", strconv.Itoa(lost))
}

// retire adds what a run has done to what the guest has.
func (g *Guest) retire(r *Run) {
	if i := slices.Index(g.live, r); i >= 0 {
		g.live = slices.Delete(g.live, i, i+1)
		g.counters.add(r.counters)
	}
}

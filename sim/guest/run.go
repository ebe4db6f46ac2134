package guest

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Run is one boot of a guest on one VM.
//
//	booting --> up --> off
//	   |                ^
//	   +----------------+
type Run struct {
	guest    *Guest
	site, vm string
	number   int32
	state    state
	disks    []volume // those that it writes

	chance   *rand.Rand
	flushed  uint64        // the guest's last write that is durable
	next     *kernel.Timer // boot, then each burst
	flush    *kernel.Timer // nil: nothing to flush
	stop     *kernel.Timer // the end of shutting down; nil: nobody asked
	bursts   int
	list     []byte // the blocks of a burst, for the trace
	workload Workload
}

// volume is a disk of the VM that the guest knows as one of its own.
type volume struct {
	*disk.Disk
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
func (g *Guests) PowerOn(site, vm string, disks []*disk.Disk) *Run {
	r := g.boot(site, vm, disks)
	if r != nil && r.guest.bootable(disks[0]) {
		r.next = g.kernel.After(r.guest.spec.Boot, r.up)
	}
	return r
}

// Running is PowerOn for a VM that was on before the world began: its guest
// works already.
func (g *Guests) Running(site, vm string, disks []*disk.Disk) *Run {
	r := g.boot(site, vm, disks)
	if r != nil && r.guest.bootable(disks[0]) {
		r.up()
	}
	return r
}

// boot makes the run of the guest that lives on the boot disk, if one does.
func (g *Guests) boot(site, vm string, disks []*disk.Disk) *Run {
	if len(disks) == 0 || g.byBoot[disks[0].ID()] == nil {
		return nil
	}
	guest := g.byBoot[disks[0].ID()]
	guest.runs++
	r := &Run{guest: guest, site: site, vm: vm, number: guest.runs, flushed: guest.write, workload: guest.spec.Workload}
	if r.workload.Kind != None {
		r.mount(disks)
	}
	return r
}

// bootable says whether the guest's own boot block is there.
func (g *Guest) bootable(boot *disk.Disk) bool {
	if _, installed := g.ledgers[0][0]; !installed {
		return true
	}
	s, whole := ReadStamp(boot, 0)
	return whole && s.Guest == g.identity && s.Disk == 0
}

// mount finds the disks that the guest writes among those of the VM.
func (r *Run) mount(disks []*disk.Disk) {
	r.chance = r.kernel().Rand("guest/" + r.guest.spec.Name)
	for index, id := range r.guest.spec.Disks {
		for _, d := range disks {
			n := r.workload.places(d.Capacity())
			if d.ID() == id && n > 0 {
				r.disks = append(r.disks, volume{Disk: d, index: index, name: strconv.Itoa(index), pick: r.workload.picker(n, r.chance)})
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

// Guest is the name of the guest that runs.
func (r *Run) Guest() string { return r.guest.spec.Name }

func (r *Run) up() {
	r.state = up
	r.kernel().Emit(event.GuestStarted, r.guest.spec.Name, "site", r.site, "vm", r.vm)
	if !r.guest.spec.NoTools {
		r.host().Tools(r.site, r.vm, true)
	}
	if len(r.disks) > 0 {
		r.again()
	}
}

// again schedules the next burst: half a pace from now to one and a half.
func (r *Run) again() {
	pace := r.workload.pace()
	r.next = r.kernel().After(pace/2+time.Duration(r.chance.Int64N(int64(pace)+1)), r.burst)
}

// burst writes to one disk, to each in turn. The event tells what the device
// acknowledged; at an error the guest gives up the rest of the burst.
func (r *Run) burst() {
	v := r.disks[r.bursts%len(r.disks)]
	r.bursts++
	r.list = r.list[:0]
	g, last := r.guest, uint64(0)
	for range r.workload.Burst {
		block := (r.workload.Start + v.pick()*r.workload.BlockSize) / disk.BlockSize
		if !r.write(v, block) {
			break
		}
		if len(r.list) > 0 {
			r.list = append(r.list, ',')
		}
		r.list = strconv.AppendInt(r.list, block, 10)
		last = g.write
	}
	if last != 0 {
		r.kernel().Emit(event.GuestWrite, g.spec.Name, "site", r.site, "vm", r.vm, "disk", v.name, "block", string(r.list), "write", strconv.FormatUint(last, 10))
		if r.flush == nil {
			r.flush = r.kernel().After(r.workload.FlushEvery, r.sync)
		}
	}
	r.again()
}

// write is one write of the workload at block and those after it, and says
// whether it was acknowledged.
func (r *Run) write(v volume, block int64) bool {
	g := r.guest
	g.write++
	blocks := r.workload.BlockSize / disk.BlockSize
	buffer := g.guests.scratch(r.workload.BlockSize)
	for i := range blocks {
		Stamp{Guest: g.identity, Disk: v.index, Block: block + i, Write: g.write}.put(buffer[i*disk.BlockSize : (i+1)*disk.BlockSize])
	}
	if _, err := v.WriteAt(buffer, block*disk.BlockSize); err != nil {
		return false
	}
	for i := range blocks {
		g.acknowledge(v.index, block+i, r.number)
	}
	return true
}

// sync flushes every disk. When one fails, nothing was promised, and the guest
// tries again after its next write.
func (r *Run) sync() {
	r.flush = nil
	last := r.guest.write
	if last == r.flushed {
		return
	}
	for _, v := range r.disks {
		if v.Flush() != nil {
			return
		}
	}
	r.flushed = last
	r.kernel().Emit(event.GuestFlush, r.guest.spec.Name, "site", r.site, "vm", r.vm, "write", strconv.FormatUint(last, 10))
}

// Shutdown says that the guest is asked to shut down, and returns whether it
// hears: it works, has tools, and is not deaf. It halts after its shutdown
// time.
func (r *Run) Shutdown() (heard bool) { return r.down(r.host().Halted) }

// Reboot is Shutdown for a guest that is to come up again: see Host.Rebooted.
func (r *Run) Reboot() (heard bool) { return r.down(r.host().Rebooted) }

// down lets a guest that hears go down in good order, once, and then tells it.
func (r *Run) down(tell func(site, vm string)) (heard bool) {
	s := r.guest.spec
	if r.state != up || s.NoTools || s.Deaf {
		return false
	}
	if r.stop == nil {
		r.stop = r.kernel().After(s.Shutdown, func() {
			r.sync()
			r.end("shutdown")
			r.host().Tools(r.site, r.vm, false)
			tell(r.site, r.vm)
		})
	}
	return true
}

// PowerOff says that the VM is off, however that came. For a guest that has
// not shut down it is a power cut.
func (r *Run) PowerOff() { r.end("power-off") }

// end stops the guest. What no flush has made durable is the power cut's.
func (r *Run) end(how string) {
	was := r.state
	r.state = off
	for _, t := range []*kernel.Timer{r.next, r.flush, r.stop} {
		if t != nil {
			t.Stop()
		}
	}
	if was != up {
		return
	}
	lost := 0
	cut := r.kernel().Rand("guest/" + r.guest.spec.Name + "/power-cut")
	for _, v := range r.disks {
		if v.Unflushed() > 0 {
			v.Crash(cut)
			lost += r.guest.settle(v.index, v.Disk, r.number, r.flushed)
		}
	}
	r.kernel().Emit(event.GuestStopped, r.guest.spec.Name, "site", r.site, "vm", r.vm, "how", how, "lost", strconv.Itoa(lost))
}

// Package guest is the software on the virtual disks: it boots where a VM with
// its boot disk is powered on, writes stamped blocks, and keeps a ledger of
// what the disks must hold, which no part of the product can see.
//
// It decides what a guest writes and when, and what of it must survive. It
// never decides whether a VM runs (the vCenters do, sim/site tells), and knows
// no vCenter: what guests have to say goes through Host.
//
//	PowerOn --boot time--> up: GuestStarted, tools --bursts--> GuestWrite, GuestFlush
//	   |                   |    \                      \--> Device --> acknowledged
//	   |                   |     Shutdown --stop time--> flushed, GuestStopped, Halted
//	   +-- PowerOff <------+--- PowerOff: a power cut on every disk, GuestStopped
//
// A write counts once its device has acknowledged it, be that at once or hours
// later; meanwhile the guest stalls. The same guest can run at two places at
// once: nobody keeps HDM's mistakes from showing.
//
// Read this file, device.go (what a disk is to a guest), run.go (one boot),
// request.go (its reads and writes), late.go (boots without tools), trial.go
// (boots that only show whether it would come up), ledger.go
// (what must be there), stamp.go (what a block says), workload.go.
package guest

import (
	"fmt"
	"time"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Host is what guests tell the world: their VMware Tools run or not, and they
// have shut down by themselves, so that the VM goes off. Both are called in
// the middle of an event and must not wait.
type Host interface {
	Tools(site, vm string, running bool)
	Halted(site, vm string)
	// Rebooted says that a guest has gone down to come up again: the VM is on.
	Rebooted(site, vm string)
}

// Spec describes a guest.
type Spec struct {
	Name     string
	Disks    []string      // the ids of its disks, the boot disk first
	Boot     time.Duration // from power-on until it works
	Shutdown time.Duration // from being asked until it halts; it works on meanwhile
	NoTools  bool          // has no VMware Tools: nobody can ask it to shut down
	Deaf     bool          // is asked to shut down and does not
	Late     ToolsLate
	Workload Workload
}

// Guests are all the guests of a world.
type Guests struct {
	kernel *kernel.Kernel
	host   Host
	all    []*Guest // in order of Add
	byName map[string]*Guest
	byBoot map[string]*Guest // by the id of the boot disk
	free   requests
}

// Guest is one of them. Where it runs is a Run.
type Guest struct {
	guests   *Guests
	spec     Spec
	identity uint64
	write    uint64         // the number of its last write
	runs     int32          // how often it was powered on
	boots    int            // how often where its tools come up late
	missed   func(boot int) // hears of boots without tools; nil: nobody does
	ledgers  []ledger       // of its disks, in its order
	live     []*Run         // that have not ended
	counters Counters       // of those that have
}

// New returns a world's guests: none yet.
func New(k *kernel.Kernel, host Host) *Guests {
	return &Guests{kernel: k, host: host, byName: map[string]*Guest{}, byBoot: map[string]*Guest{}}
}

// Add adds a guest. It refuses a name or boot disk that another has, no disks,
// negative times and a workload that cannot be.
func (g *Guests) Add(s Spec) (*Guest, error) {
	switch {
	case len(s.Disks) == 0:
		return nil, fmt.Errorf("guest %s has no disk to live on", s.Name)
	case g.byName[s.Name] != nil:
		return nil, fmt.Errorf("there are two guests %s", s.Name)
	case g.byBoot[s.Disks[0]] != nil:
		return nil, fmt.Errorf("guests %s and %s live on the same disk %s", g.byBoot[s.Disks[0]].spec.Name, s.Name, s.Disks[0])
	case s.Boot < 0 || s.Shutdown < 0:
		return nil, fmt.Errorf("guest %s boots in %v and shuts down in %v: neither can be negative", s.Name, s.Boot, s.Shutdown)
	}
	if err := s.Late.validate(); err != nil {
		return nil, fmt.Errorf("guest %s: %w", s.Name, err)
	}
	if err := s.Workload.Validate(); err != nil {
		return nil, fmt.Errorf("guest %s: %w", s.Name, err)
	}
	s.Workload = s.Workload.withDefaults()
	guest := &Guest{guests: g, spec: s, identity: Identity(s.Name), ledgers: make([]ledger, len(s.Disks))}
	g.all = append(g.all, guest)
	g.byName[s.Name], g.byBoot[s.Disks[0]] = guest, guest
	return guest, nil
}

// Guest is the guest of that name, or nil.
func (g *Guests) Guest(name string) *Guest { return g.byName[name] }

// All are the guests in the order in which they were added.
func (g *Guests) All() []*Guest { return g.all }

// Name is the guest's name, which it keeps wherever it runs.
func (g *Guest) Name() string { return g.spec.Name }

// Disks are the ids of the guest's disks, the boot disk first.
func (g *Guest) Disks() []string { return g.spec.Disks }

// Workload is what the guest does with its disks while it runs.
func (g *Guest) Workload() Workload { return g.spec.Workload }

// Writes is the number of the guest's last write.
func (g *Guest) Writes() uint64 { return g.write }

// Counters are what the guest has done with its disks so far, wherever it ran.
func (g *Guest) Counters() Counters {
	c := g.counters
	for _, r := range g.live {
		c.add(r.Counters())
	}
	return c
}

// Install puts the guest onto its disks as if that had happened before the
// world began: the boot block, and blocks more on each disk, spread over all
// of it; stamped, durable, and no event. From then on the guest boots only
// from a disk that holds its boot block. disks are the guest's, in its order.
func (g *Guest) Install(disks []*disk.Disk, blocks int) error {
	var block [disk.BlockSize]byte
	for i, d := range disks {
		last := d.Capacity()/disk.BlockSize - 1 // whole blocks only
		if i >= len(g.spec.Disks) || d.ID() != g.spec.Disks[i] {
			return fmt.Errorf("guest %s: disk %d is %s, not its own", g.spec.Name, i, d.ID())
		}
		if last < 0 {
			continue // smaller than a block
		}
		for n := range int64(blocks) + 1 {
			at := last * n / max(int64(blocks), 1)
			g.write++
			Stamp{Guest: g.identity, Disk: i, Block: at, Write: g.write}.put(block[:])
			if _, err := d.WriteAt(block[:], at*disk.BlockSize); err != nil {
				return fmt.Errorf("guest %s: %w", g.spec.Name, err)
			}
			g.acknowledge(i, at, g.write, 0)
		}
		if err := d.Flush(); err != nil {
			return fmt.Errorf("guest %s: %w", g.spec.Name, err)
		}
	}
	return nil
}

// acknowledge enters a write of the guest into the ledger.
func (g *Guest) acknowledge(disk int, block int64, write uint64, run int32) {
	if g.ledgers[disk] == nil {
		g.ledgers[disk] = ledger{}
	}
	g.ledgers[disk][block] = Ack{Write: write, At: g.guests.kernel.Now(), run: run}
}

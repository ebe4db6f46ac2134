package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/home"
	"github.com/hdm-project/hdm/sim/disk"
)

const (
	disks    = 2        // of the VM
	capacity = 4 << 20  // bytes of each
	quota    = 96 << 12 // bytes that a cache holds: less than the database has
	chunk    = 7        // blocks: many chunks to a flush
	staged   = 64 << 20 // bytes that the stage holds
	patience = 1 << 20  // rounds until a cache that does not come to rest is a bug
	never    = 1 << 60  // operations until the power goes
)

var errPower = errors.New("the power is gone")

// supply is the power of one site: it goes after so many operations of the
// devices there.
type supply struct {
	left int
	used int
	gone bool
}

func (s *supply) operate() error {
	if s.gone || s.left == 0 {
		s.gone = true
		return errPower
	}
	s.left--
	s.used++
	return nil
}

// restore the power for so many operations.
func (s *supply) restore(operations int) { *s = supply{left: operations} }

// device is a disk of a site.
type device struct {
	*disk.Disk
	power *supply
}

func (d device) ReadAt(p []byte, off int64) (int, error) {
	if err := d.power.operate(); err != nil {
		return 0, err
	}
	return d.Disk.ReadAt(p, off)
}

func (d device) WriteAt(p []byte, off int64) (int, error) {
	if err := d.power.operate(); err != nil {
		return 0, err
	}
	return d.Disk.WriteAt(p, off)
}

func (d device) Flush() error {
	if err := d.power.operate(); err != nil {
		return err
	}
	return d.Disk.Flush()
}

// premises are where the VM's disks are.
type premises struct {
	power  supply
	stage  device
	source [disks]device
	end    end
	torn   bool // a mistake: chunks go to the disks as they come
}

// end is the on-premises end: a home.Home.
type end interface {
	Read(disk int, block int64, p []byte) error
	Begin(number uint64) error
	Put(number uint64, seq int, blocks []cache.Block) error
	Commit(number uint64, chunks int, sum [32]byte) error
	Last() uint64
}

// open the end, as it does after a start. Until it succeeds nothing is served.
func (p *premises) open() error {
	var source []home.Disk
	for _, d := range p.source {
		source = append(source, d)
	}
	h, err := home.Open(p.stage, source)
	if err != nil {
		return err
	}
	p.end = h
	if p.torn {
		p.end = &unstaged{Home: h, source: p.source}
	}
	return nil
}

// crash takes what was not flushed, as chance wants.
func (p *premises) crash(r *rand.Rand) {
	p.stage.Crash(r)
	for _, d := range p.source {
		d.Crash(r)
	}
}

// image of the VM's disks as they are, to be written on.
func (p *premises) image() ([]drive, error) {
	var image []drive
	for _, d := range p.source {
		c := disk.New(d.ID(), d.Capacity())
		for x := range d.Extents() {
			b := make([]byte, x.Len)
			if _, err := d.Disk.ReadAt(b, x.Off); err != nil {
				return nil, err
			}
			if _, err := c.WriteAt(b, x.Off); err != nil {
				return nil, err
			}
		}
		image = append(image, c)
	}
	return image, nil
}

// unstaged is a mistake: an end that does without a stage.
type unstaged struct {
	*home.Home
	source [disks]device
	last   uint64
}

func (u *unstaged) Begin(uint64) error { return nil }

func (u *unstaged) Put(_ uint64, _ int, blocks []cache.Block) error {
	for _, b := range blocks {
		if _, err := u.source[b.Disk].WriteAt(b.Data, b.Block*cache.BlockSize); err != nil {
			return err
		}
	}
	return nil
}

func (u *unstaged) Commit(number uint64, _ int, _ [32]byte) error {
	for _, d := range u.source {
		if err := d.Flush(); err != nil {
			return err
		}
	}
	u.last = number
	return nil
}

func (u *unstaged) Last() uint64 { return u.last }

// cloud is where the VM runs: a cache for all its disks, or one for each, cut
// together.
type cloud struct {
	power  supply
	caches []*cached
	deaf   bool // a mistake: FLUSH is acknowledged and not done
}

type cached struct {
	config  cache.Config
	dev     device
	cache   *cache.Cache
	first   int              // the VM's disk that is its disk 0
	done    map[uint64]error // requests
	chunks  []cache.Chunk    // that were pulled
	waiting []cache.Op       // fetches, for the premises to be back
	number  uint64           // of the open cut
}

// owner of a disk, and what the disk is called there.
func (c *cloud) owner(disk int) (*cached, int) {
	for i := len(c.caches) - 1; i >= 0; i-- {
		if c.caches[i].first <= disk {
			return c.caches[i], disk - c.caches[i].first
		}
	}
	panic("sqlite: no cache begins with disk 0")
}

// absorb does what a cache asks for, on its device and on premises.
func (p *path) absorb(c *cached, out cache.Out) {
	for range patience {
		out = cache.Drive(c.cache, c.dev, out)
		for _, d := range out.Done {
			c.done[d.ID] = d.Err
		}
		c.chunks = append(c.chunks, out.Chunks...)
		if len(out.Ops) == 0 {
			return
		}
		fetches := out.Ops
		out = cache.Out{}
		for _, f := range fetches {
			next := p.fetch(c, f)
			out.Ops = append(out.Ops, next.Ops...)
			out.Done = append(out.Done, next.Done...)
			out.Chunks = append(out.Chunks, next.Chunks...)
		}
	}
	panic("sqlite: a cache never comes to rest")
}

// fetch a block from the premises. While they have no power it waits.
func (p *path) fetch(c *cached, f cache.Op) cache.Out {
	err := p.premises.end.Read(c.first+f.Disk, f.Block, f.Data)
	if errors.Is(err, errPower) {
		c.waiting = append(c.waiting, f)
		return cache.Out{}
	}
	return c.cache.Complete(f.ID, err)
}

// refetch what waits, now that the premises have power.
func (p *path) refetch(c *cached) {
	waiting := c.waiting
	c.waiting = nil
	for _, f := range waiting {
		p.absorb(c, p.fetch(c, f))
	}
}

// guestDisk is a disk of the VM in the cloud.
type guestDisk struct {
	path *path
	disk int
}

func (g guestDisk) ReadAt(p []byte, off int64) (int, error) {
	return len(p), g.path.request(cache.Request{Kind: cache.Read, Disk: g.disk, Off: off, Data: p})
}

func (g guestDisk) WriteAt(p []byte, off int64) (int, error) {
	return len(p), g.path.request(cache.Request{Kind: cache.Write, Disk: g.disk, Off: off, Data: append([]byte(nil), p...)})
}

func (g guestDisk) Flush() error {
	if g.path.cloud.deaf {
		return nil
	}
	return g.path.request(cache.Request{Kind: cache.Flush, Disk: g.disk})
}

// request of the guest. Before each it may be time for a flush. One that waits
// for room makes one.
func (p *path) request(q cache.Request) error {
	if err := p.step(); err != nil {
		p.failed = err
		return err
	}
	c, disk := p.cloud.owner(q.Disk)
	p.requests++
	q.ID, q.Disk = p.requests, disk
	p.absorb(c, c.cache.Submit(q))
	if _, done := c.done[q.ID]; !done {
		if err := p.flush(); err != nil {
			p.failed = err
			return err
		}
	}
	err, done := c.done[q.ID]
	if !done {
		return fmt.Errorf("a request of %d bytes to disk %d never ends", len(q.Data), q.Disk)
	}
	delete(c.done, q.ID)
	return err
}

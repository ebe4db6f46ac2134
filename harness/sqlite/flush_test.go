package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/home"
	"github.com/hdm-project/hdm/sim/disk"
)

// variant of the data path: the right one, one with a cache for each disk, and
// mistakes that must be caught.
type variant struct {
	apart bool // a cache for each disk, cut in one instant
	deaf  bool // the cache ignores FLUSH
	torn  bool // a flush goes straight to the disks
	late  bool // the second disk is cut later than the first
	undo  bool // SQLite keeps a journal of what to undo, not a log of what is new
}

// path is a VM's data path, with what was committed at which instant.
type path struct {
	seed     uint64
	r        *rand.Rand
	cloud    cloud
	premises premises
	late     bool
	mode     string // of SQLite

	requests uint64
	wait     int    // requests until the next flush
	number   uint64 // of the last flush that was begun
	cutting  bool   // the first disk is cut, the second is not yet
	now      bounds // as of this instant
	next     bounds // of the open cut
	flushed  bounds // of the last flush that the premises hold
	failed   error  // why a request could not be done, which SQLite calls an I/O error
	steps    int    // operations that the last whole flush took on premises

	points  int // flushes that were cut short, and judged
	decided int // of them, those that had been decided, so that the recovery applied them
	twice   int // of them, those whose recovery was cut short too
	flushes int // that were not
}

func newPath(seed uint64, v variant) (*path, error) {
	p := &path{seed: seed, r: rand.New(rand.NewPCG(seed, 0)), late: v.late, mode: ahead}
	if v.undo {
		p.mode = undo
	}
	p.premises.torn, p.cloud.deaf = v.torn, v.deaf
	p.premises.power.restore(never)
	p.cloud.power.restore(never)
	p.premises.stage = device{disk.New("stage", staged), &p.premises.power}
	for i := range p.premises.source {
		p.premises.source[i] = device{disk.New(fmt.Sprint("disk-", i), capacity), &p.premises.power}
	}
	if err := p.found(); err != nil {
		return nil, err
	}
	if err := p.premises.open(); err != nil {
		return nil, err
	}
	sizes := []int64{capacity, capacity}
	if !v.apart && !v.late {
		return p, p.addCache(0, sizes)
	}
	return p, errors.Join(p.addCache(0, sizes[:1]), p.addCache(1, sizes[1:]))
}

// found makes the database on premises, before the VM is migrated.
func (p *path) found() error {
	f, err := mount([]drive{p.premises.source[0], p.premises.source[1]})
	if err != nil {
		return err
	}
	db, err := openBank(f, p.mode)
	if err != nil {
		return err
	}
	return errors.Join(db.found(), db.close())
}

func (p *path) addCache(first int, sizes []int64) error {
	c := &cached{config: cache.Config{Disks: sizes, Quota: quota, Tag: 1}, first: first, done: map[uint64]error{}}
	c.dev = device{disk.New("cache", c.config.Size()), &p.cloud.power}
	p.cloud.caches = append(p.cloud.caches, c)
	var out cache.Out
	c.cache, out = cache.New(c.config)
	p.absorb(c, out)
	return nil
}

// step is one request nearer to the next flush.
func (p *path) step() error {
	p.wait--
	if p.wait > 0 {
		return nil
	}
	if p.late && !p.cutting {
		// The mistake: the first disk is cut now, the second some requests later.
		p.cutting, p.wait = true, 1+p.r.IntN(600)
		return p.cut(p.cloud.caches[:1])
	}
	return p.flush()
}

// flush cuts all that is not cut yet, and sends it.
func (p *path) flush() error {
	p.wait = 1 + p.r.IntN(400)
	caches := p.cloud.caches
	if p.cutting {
		caches = caches[1:]
		p.cutting = false
	}
	if err := p.cut(caches); err != nil {
		return err
	}
	return p.send()
}

func (p *path) cut(caches []*cached) error {
	p.next = p.now
	for _, c := range caches {
		var err error
		if c.number, _, err = c.cache.Cut(); err != nil {
			return err
		}
	}
	return nil
}

// send the open cut to the premises, whose power may go meanwhile. Whether they
// have it is asked of them.
func (p *path) send() error {
	p.number++
	err := p.transmit()
	switch {
	case p.premises.power.gone:
		if err := p.recover(); err != nil {
			return err
		}
	case err == nil:
		p.flushes++
	case !p.cloud.power.gone:
		return err
	}
	p.premises.power.restore(never)
	applied := p.premises.end.Last() == p.number
	if applied {
		p.flushed = p.next
	}
	if p.cloud.power.gone {
		return errPower
	}
	for _, c := range p.cloud.caches {
		p.refetch(c)
		if applied {
			p.absorb(c, c.cache.Applied(c.number))
		} else {
			p.absorb(c, c.cache.Abandon(c.number))
		}
	}
	return nil
}

// transmit stages the cut and commits it.
func (p *path) transmit() error {
	if p.flushes > 0 && p.r.IntN(4) > 0 {
		p.premises.power.restore(p.r.IntN(p.steps + 3))
	} else {
		p.premises.power.restore(never)
	}
	end := p.premises.end
	if err := end.Begin(p.number); err != nil {
		return err
	}
	seq := 0
	var sum home.Sum
	for _, c := range p.cloud.caches {
		for last := false; !last; {
			c.chunks = nil
			p.absorb(c, c.cache.Pull(chunk))
			if len(c.chunks) != 1 || c.chunks[0].Err != nil {
				return fmt.Errorf("a cut cannot be read: %d chunks", len(c.chunks))
			}
			blocks := c.chunks[0].Blocks
			for i := range blocks {
				blocks[i].Disk += c.first
			}
			sum.Add(blocks)
			if err := end.Put(p.number, seq, blocks); err != nil {
				return err
			}
			seq++
			last = c.chunks[0].Last
		}
	}
	err := end.Commit(p.number, seq, sum.Bytes())
	if err == nil {
		p.steps = p.premises.power.used
	}
	return err
}

// recover is what the premises do when the power is back, and it may go again
// meanwhile. Then the image is judged: it holds the last flush that was
// completed, or the one that was under way.
func (p *path) recover() error {
	p.premises.crash(p.r)
	p.premises.power.restore(p.r.IntN(p.steps + 3))
	if p.premises.open() != nil {
		p.twice++
		p.premises.crash(p.r)
	}
	p.premises.power.restore(never)
	if err := p.premises.open(); err != nil {
		return err
	}
	p.points++
	want := p.flushed
	if p.premises.end.Last() == p.number {
		want = p.next
		p.decided++
	}
	return p.judge(want)
}

// judge what the premises hold.
func (p *path) judge(want bounds) error {
	image, err := p.premises.image()
	if err != nil {
		return err
	}
	if err := want.judge(p.seed, p.mode, image); err != nil {
		return &badImage{fmt.Errorf("on premises, after flush %d: %w", p.premises.end.Last(), err)}
	}
	return nil
}

// badImage is the verdict that a test is after; any other error is a bug of it.
type badImage struct{ err error }

func (b *badImage) Error() string { return b.err.Error() }

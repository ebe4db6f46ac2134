package guest

import (
	"strconv"
	"time"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
)

// request is a read or a write of the workload: drawn, then with its device,
// then done and ready to be used again.
type request struct {
	run    *Run
	volume *volume
	read   bool
	block  int64  // the first
	write  uint64 // the number of the write
	buffer []byte // of a write: nothing but stamps
	since  time.Duration
	done   func(error)
}

// maxFree bounds the requests that are kept for reuse.
const maxFree = MaxBurst

// requests holds requests that no device has, so that a guest that reads and
// writes takes no new memory. Writes and reads do not share theirs: what was
// read may be anything, and a stamp is put on zeros.
type requests struct{ reads, writes []*request }

func (f *requests) list(read bool) *[]*request {
	if read {
		return &f.reads
	}
	return &f.writes
}

func (f *requests) take(read bool, size int64) *request {
	list := f.list(read)
	var q *request
	if n := len(*list); n > 0 {
		q, *list = (*list)[n-1], (*list)[:n-1]
	} else {
		q = &request{read: read}
		q.done = q.complete
	}
	if int64(cap(q.buffer)) < size {
		q.buffer = make([]byte, size)
	}
	q.buffer = q.buffer[:size]
	return q
}

func (f *requests) put(q *request) {
	q.run, q.volume = nil, nil
	if list := f.list(q.read); len(*list) < maxFree {
		*list = append(*list, q)
	}
}

// burst is the requests of a guest that are outstanding together: all to one
// disk, and never two at one place of which one is a write.
//
//	left --draw--> [held, while it would overlap] --> flying --> acknowledged, told
type burst struct {
	volume *volume
	left   int        // not with the device yet
	held   *request   // the next of those, when it has been drawn
	flying []*request // with the device
	asking bool       // the device is being given requests
	blocks []byte     // those that were acknowledged, for the trace
	last   uint64     // the highest number of a write among them; 0: none
}

func (b *burst) outstanding() bool { return b.left > 0 || len(b.flying) > 0 }

// overlaps says whether a request must wait for one that is flying.
func (b *burst) overlaps(q *request, blocks int64) bool {
	for _, f := range b.flying {
		if !(q.read && f.read) && q.block < f.block+blocks && f.block < q.block+blocks {
			return true
		}
	}
	return false
}

// begin starts a burst to one disk, to each in turn, and sets the time of the
// next.
func (r *Run) begin() {
	r.burst.volume = &r.disks[r.bursts%len(r.disks)]
	r.bursts++
	r.burst.left = r.workload.Burst
	r.ask()
	r.again()
}

// ask gives the device what it may have now. At an error the guest gives up the
// rest of the burst.
func (r *Run) ask() {
	b := &r.burst
	if b.asking {
		return // it was done at once: the loop below goes on
	}
	b.asking = true
	for b.left > 0 {
		if b.held == nil {
			b.held = r.draw(b.volume)
		}
		q := b.held
		if b.overlaps(q, r.workload.BlockSize/disk.BlockSize) {
			break
		}
		b.held = nil
		b.left--
		b.flying = append(b.flying, q)
		r.send(q)
	}
	b.asking = false
	if !b.outstanding() {
		if r.tell() && r.flush == nil {
			r.flush = r.kernel().After(r.workload.FlushEvery, r.flushDue)
		}
		r.proceed()
	}
}

// draw is the next request of the workload to that disk.
func (r *Run) draw(v *volume) *request {
	w := &r.workload
	block := (w.Start + v.pick()*w.BlockSize) / disk.BlockSize
	q := r.guest.guests.free.take(w.ReadShare > 0 && r.chance.Float64() < w.ReadShare, w.BlockSize)
	q.run, q.volume, q.block = r, v, block
	return q
}

// send gives a request to its device.
func (r *Run) send(q *request) {
	q.since = r.kernel().Now()
	if q.read {
		q.volume.Read(q.buffer, q.block*disk.BlockSize, q.done)
		return
	}
	r.guest.write++
	q.write = r.guest.write
	for i := range int64(len(q.buffer)) / disk.BlockSize {
		Stamp{Guest: r.guest.identity, Disk: q.volume.index, Block: q.block + i, Write: q.write}.put(q.buffer[i*disk.BlockSize : (i+1)*disk.BlockSize])
	}
	q.volume.Write(q.buffer, q.block*disk.BlockSize, q.done)
}

// complete is the device's answer. One that comes when the guest is off is too
// late: nobody was told, so nothing was promised.
func (q *request) complete(err error) {
	r := q.run
	defer r.guest.guests.free.put(q)
	if r.state != up {
		return
	}
	r.land(q)
	r.counters.Longest = max(r.counters.Longest, r.kernel().Now()-q.since)
	switch {
	case err != nil:
		r.fail(q)
	case q.read:
		r.counters.Reads++
		r.compare(q)
	default:
		r.counters.Writes++
		r.acknowledged(q)
	}
	r.ask()
}

// land takes a request off those that are flying.
func (r *Run) land(q *request) {
	flying := r.burst.flying
	for i, f := range flying {
		if f == q {
			copy(flying[i:], flying[i+1:])
			flying[len(flying)-1] = nil
			r.burst.flying = flying[:len(flying)-1]
			return
		}
	}
}

// fail gives up the rest of the burst.
func (r *Run) fail(q *request) {
	r.counters.Failed++
	r.burst.left = 0
	if r.burst.held != nil {
		r.guest.guests.free.put(r.burst.held)
		r.burst.held = nil
	}
	r.doubt(q)
}

// doubt notes that a write may be there or not, or in part.
func (r *Run) doubt(q *request) {
	if q.read {
		return
	}
	if r.doubtful == nil {
		r.doubtful = map[place]uint64{}
	}
	for i := range int64(len(q.buffer)) / disk.BlockSize {
		r.doubtful[place{q.volume.index, q.block + i}] = q.write
	}
}

// acknowledged enters a write into the ledger.
func (r *Run) acknowledged(q *request) {
	for i := range int64(len(q.buffer)) / disk.BlockSize {
		r.guest.acknowledge(q.volume.index, q.block+i, q.write, r.number)
	}
	b := &r.burst
	if b.last != 0 {
		b.blocks = append(b.blocks, ',')
	}
	b.blocks = strconv.AppendInt(b.blocks, q.block, 10)
	b.last = max(b.last, q.write)
}

// compare holds what was read against the ledger: no write to it is under way.
func (r *Run) compare(q *request) {
	for i := range int64(len(q.buffer)) / disk.BlockSize {
		want, ok := r.guest.ledgers[q.volume.index][q.block+i]
		if !ok || want.Torn {
			continue
		}
		got, whole := parseStamp(q.buffer[i*disk.BlockSize:(i+1)*disk.BlockSize], q.block+i)
		if r.guest.holds(q.volume.index, want, got, whole) {
			continue
		}
		r.counters.Misread++
		loss := Loss{Guest: r.guest.spec.Name, Disk: q.volume.index, Block: q.block + i, Want: want, Got: got, Whole: whole}
		r.kernel().Emit(event.GuestMisread, r.guest.spec.Name, "site", r.site, "vm", r.vm, "disk", q.volume.name,
			"block", strconv.FormatInt(loss.Block, 10), "write", strconv.FormatUint(want.Write, 10), "got", loss.found())
		return // the first shows it
	}
}

// tell says which writes were acknowledged since it last did, if any were.
func (r *Run) tell() bool {
	b := &r.burst
	if b.last == 0 {
		return false
	}
	r.kernel().Emit(event.GuestWrite, r.guest.spec.Name, "site", r.site, "vm", r.vm, "disk", b.volume.name, "block", string(b.blocks), "write", strconv.FormatUint(b.last, 10))
	b.blocks, b.last = b.blocks[:0], 0
	return true
}

package run

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// story is what the trace told of VMs on the cloud cache, as far as scenarios
// expect something of it.
type story struct {
	bindings map[string]*bound // by id
	byVM     map[string]*bound // the last one, by the name of its VM on premises
	turn     map[string]time.Duration
	arrived  map[string]time.Duration // when the guest was first up in the cloud after that
	wanted   map[string]bool          // VMs whose snapshot's image is asked for
	images   map[string][]digest      // theirs, by VM: each disk as its guest left it before it ran in the cloud
}

// bound is a binding.
type bound struct {
	quota    int64
	ended    bool
	cuts     map[uint64]time.Duration // of flushes that are not over
	applied  []time.Duration          // the cuts of those that were applied
	released time.Duration
}

// digest is what a disk holds.
type digest [sha256.Size]byte

func newStory(s *scenario.Scenario) *story {
	y := &story{
		bindings: map[string]*bound{}, byVM: map[string]*bound{}, turn: map[string]time.Duration{}, arrived: map[string]time.Duration{},
		wanted: map[string]bool{}, images: map[string][]digest{},
	}
	for _, e := range s.Expect {
		if p, is := e.Promise.(*scenario.SnapshotImage); is {
			y.wanted[p.VM] = true
		}
	}
	return y
}

// tell takes one event of the trace to the story.
func (st *stage) tell(e kernel.Event) {
	y := st.story
	switch e.Kind {
	case event.Bound:
		q, _ := strconv.ParseInt(e.Attr("quota"), 10, 64) // ours, and 0 if nobody knows
		b := &bound{quota: q, cuts: map[uint64]time.Duration{}}
		y.bindings[e.Subject] = b
		y.byVM[strings.TrimPrefix(e.Attr("source"), string(vsphere.OnPremises)+"/")] = b
	case event.Released:
		if b := y.bindings[e.Subject]; b != nil {
			b.ended, b.released = true, e.At
		}
	case event.FlushCut, event.FlushApplied, event.FlushAbandoned:
		y.flush(e)
	case event.Migration:
		if vm := e.Attr("vm"); e.Attr("type") != string(migration.Back) && e.Attr("to") == string(migration.Running) && e.Attr("from") == string(migration.Queued) {
			y.turn[vm] = e.At
			delete(y.arrived, vm)
		}
	case event.GuestStarted:
		if _, known := y.arrived[e.Subject]; !known && e.Attr("site") == string(vsphere.Cloud) {
			y.arrived[e.Subject] = e.At
		}
	case event.GuestStopped:
		// Who restores the snapshot is to lose what was written in the cloud and
		// nothing else: what is written on premises after it was taken is lost, too.
		_, up := y.arrived[e.Subject]
		if y.images[e.Subject] != nil && !up && e.Attr("site") == string(vsphere.OnPremises) && e.Attr("vm") == e.Subject {
			y.images[e.Subject] = st.digests(e.Subject)
		}
	case event.VMSnapshot:
		name, here := strings.CutPrefix(e.Subject, string(vsphere.OnPremises)+"/")
		if here && y.wanted[name] && e.Attr("op") == "created" && strings.HasPrefix(e.Attr("name"), rules().SnapshotPrefix) {
			y.images[name] = st.digests(name)
		}
	}
}

func (y *story) flush(e kernel.Event) {
	b := y.bindings[e.Subject]
	n, err := strconv.ParseUint(e.Attr("number"), 10, 64)
	if b == nil || err != nil {
		return
	}
	switch e.Kind {
	case event.FlushCut:
		b.cuts[n] = e.At
		return
	case event.FlushApplied:
		if cut, known := b.cuts[n]; known {
			b.applied = append(b.applied, cut)
		}
	}
	delete(b.cuts, n)
}

// digests are what the disks of a VM on premises hold now.
func (st *stage) digests(name string) (all []digest) {
	v, _ := st.world.OnPremises.VCenter.VM(name)
	for _, d := range v.Disks {
		all = append(all, digestOf(d.Disk))
	}
	return all
}

// digestOf is what a disk holds: blocks that hold nothing but zeros are as those
// that were never touched.
func digestOf(d disk.Reader) (sum digest) {
	h := sha256.New()
	var block, zeros [disk.BlockSize]byte
	var at [8]byte
	for e := range d.Extents() {
		for off := e.Off - e.Off%disk.BlockSize; off < e.Off+e.Len; off += disk.BlockSize {
			p := block[:min(disk.BlockSize, d.Capacity()-off)]
			if _, err := d.ReadAt(p, off); err != nil {
				return digest{} // equals nothing
			}
			if string(p) == string(zeros[:len(p)]) {
				continue
			}
			binary.BigEndian.PutUint64(at[:], uint64(off))
			h.Write(at[:])
			h.Write(p)
		}
	}
	return digest(h.Sum(nil))
}

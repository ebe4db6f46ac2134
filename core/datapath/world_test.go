package datapath

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
)

// memory is a device without faults.
type memory struct {
	b      []byte
	failed error // what every call says
}

func newMemory(size int64) *memory { return &memory{b: make([]byte, size)} }

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	if m.failed != nil {
		return 0, m.failed
	}
	return copy(p, m.b[off:]), nil
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if m.failed != nil {
		return 0, m.failed
	}
	return copy(m.b[off:], p), nil
}

func (m *memory) Flush() error    { return m.failed }
func (m *memory) Capacity() int64 { return int64(len(m.b)) }

const (
	mib       = 1 << 20
	cacheName = "HDM_Cloud_Cache-0"
	homeName  = "HDM_OnPrem_ESXi_Manager-0"
	way       = 20 * time.Millisecond
)

// pair is a cloud cache and an IO manager, with a wire between them that can be
// cut.
type pair struct {
	t       *testing.T
	wanted  func() // starts a flush that a write waits for; nil: nobody does
	now     time.Duration
	cache   *CloudCache
	homes   *IOManager
	device  *memory
	stage   *memory
	sources map[vsphere.Ref][]*memory
	images  map[vsphere.Ref][]*memory
	on      map[vsphere.Ref]bool
	wire    []sent
	wakes   [2]time.Duration
	cut     bool
	keys    int
	epochs  uint64
	events  []Event
	onCut   func() // at each
}

// watch calls f at each cut.
func (p *pair) watch(f func()) { p.onCut = f }

func (p *pair) observe(e Event) {
	p.events = append(p.events, e)
	if e.Kind == FlushCut && p.onCut != nil {
		p.onCut()
	}
}

type sent struct {
	at     time.Duration
	toHome bool
	frame  Frame
}

func (p *pair) OpenSource(vm vsphere.Ref, _ []component.BoundDisk) ([]Device, error) {
	if p.on[vm] {
		return nil, &vsphere.Error{Site: vsphere.OnPremises, Op: "open", Object: string(vm), Class: vsphere.Refused, Err: errOn}
	}
	return devices(p.sources[vm]), nil
}

func (p *pair) OpenImage(vm vsphere.Ref) ([]Device, error) { return devices(p.images[vm]), nil }

var errOn = &component.Error{What: "the VM is powered on"}

func devices(list []*memory) (all []Device) {
	for _, m := range list {
		all = append(all, m)
	}
	return all
}

func newPair(t *testing.T) *pair { return newPairOf(t, 64*mib, 32*mib) }

func newPairOf(t *testing.T, device, stage int64) *pair {
	p := &pair{
		t: t, device: newMemory(device), stage: newMemory(stage), on: map[vsphere.Ref]bool{},
		sources: map[vsphere.Ref][]*memory{}, images: map[vsphere.Ref][]*memory{},
	}
	p.bootHomes()
	p.bootCache()
	return p
}

func (p *pair) bootCache() {
	p.epochs++
	c, err := NewCloudCache(CacheConfig{
		VM: cacheName, Epoch: p.epochs, Device: p.device, Images: p, Gateway: GatewayConfig(1, p.epochs),
		Observe: p.observe,
	})
	require.NoError(p.t, err)
	p.cache, p.wakes[0] = c, p.now
}

func (p *pair) bootHomes() {
	p.epochs++
	m, err := NewIOManager(HomeConfig{Epoch: p.epochs, Stage: p.stage, Sources: p, Gateway: GatewayConfig(1, p.epochs)})
	require.NoError(p.t, err)
	p.homes, p.wakes[1] = m, p.now
}

// poll both ends and put what they send on the wire.
func (p *pair) poll() {
	for i, out := range []Out{p.cache.Poll(p.now), p.homes.Poll(p.now)} {
		p.wakes[i] = out.Wake
		for _, f := range out.Frames {
			if !p.cut {
				p.wire = append(p.wire, sent{p.now + way, i == 0, f})
			}
		}
	}
}

// run lets time pass until done, or for a while.
func (p *pair) run(most time.Duration, done func() bool) {
	end := p.now + most
	for p.poll(); !done(); p.poll() {
		next := min(p.wakes[0], p.wakes[1])
		if len(p.wire) > 0 {
			next = min(next, p.wire[0].at)
		}
		if next > end {
			p.now = end
			return
		}
		p.now = max(p.now, next)
		for len(p.wire) > 0 && p.wire[0].at <= p.now {
			s := p.wire[0]
			p.wire = p.wire[1:]
			if s.toHome {
				p.homes.Arrived(p.now, cacheName, s.frame.Lane, s.frame.Bytes)
			} else {
				p.cache.Arrived(p.now, homeName, s.frame.Lane, s.frame.Bytes)
			}
		}
	}
}

func never() bool { return false }

// lose power of the wire: what is on it is lost.
func (p *pair) setCut(cut bool) {
	p.cut = cut
	if cut {
		p.wire = nil
	}
	p.cache.Lane(p.now, 0, !cut)
	p.homes.Lane(p.now, 0, !cut)
}

func (p *pair) key(c component.Command) component.Command {
	p.keys++
	c.Key = string(rune('a'+p.keys/26%26)) + string(rune('a'+p.keys%26)) + string(c.Verb)
	return c
}

// do has a command done at the cache, or at the home.
func (p *pair) do(c component.Command) component.Completion {
	if c.Key == "" {
		c = p.key(c)
	}
	ask := p.cache.Command
	if c.Service == component.PremIOManager {
		ask = p.homes.Command
	}
	done := ask(p.now, c)
	p.run(time.Hour, func() bool {
		done = ask(p.now, c)
		return done.State != component.Running
	})
	return done
}

func (p *pair) flush(ids ...string) component.Completion {
	return p.do(component.Command{Service: component.CloudCache, Verb: component.Flush, IDs: ids})
}

// bind makes a VM with disks of random content and binds it.
func (p *pair) bind(id string, quota int64, disks ...int64) {
	p.t.Helper()
	ref := vsphere.Ref("VirtualMachine:" + id)
	b := component.Binding{ID: id, Source: ref, Quota: quota}
	r := rand.New(rand.NewPCG(1, uint64(len(id))))
	for i, size := range disks {
		m := newMemory(size)
		for at := 0; at < len(m.b); at += cache.BlockSize * (1 + r.IntN(3)) {
			m.b[at] = byte(r.IntN(256))
		}
		p.sources[ref] = append(p.sources[ref], m)
		b.Disks = append(b.Disks, component.BoundDisk{Key: int32(2000 + i), Capacity: size})
	}
	opened := p.do(component.Command{Service: component.PremIOManager, Verb: component.Open, Bind: &b})
	require.Equal(p.t, component.Done, opened.State, "%v", opened.Error)
	done := p.do(component.Command{Service: component.CloudCache, Verb: component.Bind, Bind: &b, Home: homeName, Stream: opened.Stream})
	require.Equal(p.t, component.Done, done.State, "%v", done.Error)
}

// write has a guest write, and does not wait for the premises unless it must.
func (p *pair) write(id string, disk int, off int64, data []byte) {
	p.t.Helper()
	p.writeThen(id, disk, off, data, func() {})
}

// writeThen is write, and calls then when it is acknowledged.
func (p *pair) writeThen(id string, disk int, off int64, data []byte, then func()) {
	p.t.Helper()
	over := false
	p.cache.Submit(p.now, id, cache.Request{Kind: cache.Write, Disk: disk, Off: off, Data: bytes.Clone(data)}, func(err error) {
		require.NoError(p.t, err)
		over = true
		then()
	})
	for !over && p.wanted != nil {
		p.run(time.Hour, func() bool { return over || p.starved(id) })
		if !over {
			p.wanted()
		}
	}
	p.run(time.Hour, func() bool { return over })
	require.True(p.t, over)
}

// starved says whether a write waits for a flush, and none is under way.
func (p *pair) starved(id string) bool {
	return len(p.cache.flushes) == 0 && slices.ContainsFunc(p.cache.report(), func(s component.Status) bool { return s.ID == id && s.FlushWanted })
}

func (p *pair) read(id string, disk int, off int64, n int) []byte {
	p.t.Helper()
	over, data := false, make([]byte, n)
	p.cache.Submit(p.now, id, cache.Request{Kind: cache.Read, Disk: disk, Off: off, Data: data}, func(err error) {
		require.NoError(p.t, err)
		over = true
	})
	p.run(time.Hour, func() bool { return over })
	require.True(p.t, over)
	return data
}

// premises is what the VM's disks hold there now.
func (p *pair) premises(id string) (all [][]byte) {
	for _, m := range p.sources[vsphere.Ref("VirtualMachine:"+id)] {
		all = append(all, bytes.Clone(m.b))
	}
	return all
}

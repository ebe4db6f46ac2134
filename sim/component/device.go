package component

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/datapath"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/vcenter"
)

const blockSize = cache.BlockSize

// mostCalls bounds the requests to a disk that wait for its cloud cache.
const mostCalls = 1024

// shell is a disk that a cloud cache serves: what the cloud's vCenter knows of
// it, and what a guest drives. The vCenter's disk has the identity and the size
// of the source's, and no content: that is in the cache and on the premises.
type shell struct {
	host    *Host
	cacheVM string
	binding string
	index   int
	disk    *disk.Disk           // in the cloud's vCenter
	home    *disk.Disk           // on premises
	calls   []*call              // that are not done, by number
	held    []cache.Request      // writes that are done, and that the cache has lost: see hold
	sending *datapath.CloudCache // that was sent those
	numbers uint64
	spare   []*call
}

// Backing opens what the datastore of a cloud cache holds at a path. It is
// vcenter.Config's.
func (h *Host) Backing(datastore, path string) (*disk.Disk, error) {
	s, err := h.open(datastore, path)
	if err != nil {
		return nil, err
	}
	return s.disk, nil
}

func (h *Host) open(datastore, path string) (*shell, error) {
	file := fmt.Sprintf("[%s] %s", datastore, path)
	if s := h.shells[file]; s != nil {
		return s, nil
	}
	n := h.node(datastore)
	if n == nil || n.cache == nil {
		return nil, fmt.Errorf("%s does not answer: power it on", datastore)
	}
	id := path[:max(strings.LastIndexByte(path, '/'), 0)]
	b, ok := n.cache.Binding(id)
	if !ok {
		return nil, fs.ErrNotExist
	}
	index := slices.IndexFunc(b.Disks, func(d component.BoundDisk) bool { return diskPath(b, d) == path })
	if index < 0 {
		return nil, fs.ErrNotExist
	}
	homes, err := (sources{h}).find(b.Source, b.Disks)
	if err != nil {
		return nil, err
	}
	s := &shell{host: h, cacheVM: datastore, binding: id, index: index, home: homes[index]}
	s.disk = disk.New(s.home.ID(), s.home.Capacity())
	h.shells[file] = s
	return s, nil
}

func diskPath(b component.Binding, d component.BoundDisk) string {
	return datapath.DiskPath(b.ID, slices.Index(b.Disks, d))
}

// forget the disks of a binding that is released.
func (h *Host) forget(cacheVM, binding string) {
	for file, s := range h.shells { //hdm:order-safe they are only removed
		if s.cacheVM == cacheVM && s.binding == binding {
			delete(h.shells, file)
		}
	}
}

// Device is what a guest drives as disk i of a VM in the cloud: nil if no cloud
// cache serves it. It is site.World's.
func (h *Host) Device(site vsphere.Site, vm vcenter.VM, i int) guest.Device {
	d := vm.Disks[i]
	if site != vsphere.Cloud || !d.Served {
		return nil
	}
	s := h.shells[fmt.Sprintf("[%s] %s", d.Datastore, d.Path)]
	if s == nil {
		return nil // released: the vCenter's own empty disk is what is left
	}
	return s
}

// call is a request of a guest that is not done.
type call struct {
	shell  *shell
	number uint64
	r      cache.Request
	done   func(error)
	finish func(error)          // of this call: made once, for it is used again
	node   *node                // that it was last given to
	to     *datapath.CloudCache // there; nil: it waits
}

func (s *shell) ID() string      { return s.disk.ID() }
func (s *shell) Capacity() int64 { return s.disk.Capacity() }

func (s *shell) Write(p []byte, off int64, done func(error)) {
	s.begin(cache.Request{Kind: cache.Write, Disk: s.index, Off: off, Data: p}, done)
}

func (s *shell) Read(p []byte, off int64, done func(error)) {
	s.begin(cache.Request{Kind: cache.Read, Disk: s.index, Off: off, Data: p}, done)
}

// Flush is of the whole VM's cache: what it makes durable besides does no harm.
func (s *shell) Flush(done func(error)) { s.begin(cache.Request{Kind: cache.Flush}, done) }

// PowerCut withdraws what has not been written: what is in the cache does not
// care for the power of a compute VM. The file is closed, and with that what was
// written made durable. What only the host held is lost with it.
func (s *shell) PowerCut(*rand.Rand) {
	s.calls, s.held = nil, nil
	n := s.host.node(s.cacheVM)
	if n == nil {
		return
	}
	c := n.memory()
	if c == nil {
		return
	}
	now := s.host.cfg.Kernel.Now()
	c.Withdraw(now, s.binding, s.index)
	c.Submit(now, s.binding, cache.Request{Kind: cache.Flush}, func(error) {})
	n.pump()
}

// Unflushed is what only the host has: see PowerCut.
func (s *shell) Unflushed() int { return len(s.held) }

// Boot is what a guest would read, and what it would meet there.
func (s *shell) Boot(p []byte) error {
	_, err := image{shell: s, fails: true}.ReadAt(p, 0)
	return err
}

// Image is what the disk holds, whatever a guest that reads it would meet.
func (s *shell) Image() disk.Reader { return image{shell: s} }

// begin a request. While the cloud cache is not there it waits, as the
// initiator of a guest's host does.
func (s *shell) begin(r cache.Request, done func(error)) {
	if len(s.calls) >= mostCalls {
		done(fmt.Errorf("%s: %d requests wait for %s already", s.ID(), mostCalls, s.cacheVM))
		return
	}
	var c *call
	if n := len(s.spare); n > 0 {
		c, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		c = &call{shell: s}
		c.finish = c.over
	}
	s.numbers++
	c.number, c.r, c.done = s.numbers, r, done
	s.calls = append(s.calls, c)
	s.submit(c)
}

func (s *shell) submit(c *call) {
	n := s.host.node(s.cacheVM)
	if n == nil || !n.serves || len(s.held) > 0 {
		c.node, c.to = nil, nil
		return
	}
	c.node, c.to = n, n.cache
	if n.cache.Submit(s.host.cfg.Kernel.Now(), s.binding, c.r, c.finish) {
		n.pump()
	} else {
		n.broke()
	}
}

// over ends a call. One that its VM has not outlived has been forgotten. An
// answer that does not get through to the guest is asked for again.
func (c *call) over(err error) {
	s := c.shell
	if c.node != nil && !c.node.serves {
		c.node, c.to = nil, nil
		return
	}
	i := len(s.calls) - 1 // most often the last one began
	for i >= 0 && s.calls[i] != c {
		i--
	}
	if i < 0 {
		return
	}
	copy(s.calls[i:], s.calls[i+1:])
	s.calls[len(s.calls)-1] = nil
	s.calls = s.calls[:len(s.calls)-1]
	done := c.done
	c.done, c.r, c.node, c.to = nil, cache.Request{}, nil, nil
	if len(s.spare) < mostCalls {
		s.spare = append(s.spare, c)
	}
	done(err)
}

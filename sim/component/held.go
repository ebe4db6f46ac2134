package component

import (
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/datapath"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/sim/disk"
)

// A host keeps what a guest has written, and the server of the datastore has
// acknowledged, until that has made it durable: a server that comes back with
// nothing in its memory is sent it again, as an NFS client does with what was
// not committed. So what a guest was told is done stays done whatever happens to
// a cloud cache while the guest runs; if the host of the guest dies as well, it
// is a power cut, which takes what was not flushed.

// hold keeps for the guests of a cloud cache what would be lost with its memory.
func (h *Host) hold(n *node) {
	c := n.memory()
	if c == nil {
		return
	}
	dev, err := h.Disk(n.name, deployment.Cache)
	if err != nil {
		return
	}
	for _, s := range h.shellsOf(n.name) {
		for _, b := range c.Volatile(s.binding, s.index, disk.Seen{Disk: dev}) {
			s.held = append(s.held, cache.Request{
				Kind: cache.Write, Disk: s.index, Off: b.Block * blockSize, Data: b.Data[:min(blockSize, s.Capacity()-b.Block*blockSize)],
			})
		}
	}
}

// shellsOf are the disks that a cloud cache serves, in an order that does not
// change.
func (h *Host) shellsOf(cacheVM string) (all []*shell) {
	for _, s := range h.shells { //hdm:order-safe sorted below
		if s.cacheVM == cacheVM {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *shell) int { return strings.Compare(a.disk.ID(), b.disk.ID()) })
	return all
}

// resubmit asks a cloud cache that guests reach again for what has not been
// done: first it is told what it was told before, then asked what waits.
func (h *Host) resubmit(n *node) {
	for _, s := range h.shellsOf(n.name) {
		s.resume(n)
	}
}

// resume sends what the host holds, and once that is written, what waits. What
// this incarnation of the cache has been asked already it will do.
func (s *shell) resume(n *node) {
	if n.cache == nil {
		return // what another disk had to say broke its device: it is told when it is there again
	}
	if len(s.held) == 0 {
		for _, c := range slices.Clone(s.calls) {
			if c.to != n.cache {
				s.submit(c)
			}
		}
		return
	}
	// Each is the cache's until it is done; once, for what comes late must not
	// overwrite what the guest has written since.
	to := n.cache
	if s.sending == to {
		return
	}
	s.sending = to
	for _, r := range slices.Clone(s.held) {
		if n.cache != to {
			return
		}
		if to.Submit(s.host.cfg.Kernel.Now(), s.binding, r, func(err error) { s.sent(to, r, err) }) {
			n.pump()
		}
	}
	n.broke()
}

// sent takes the end of a write that a host has sent again.
func (s *shell) sent(to *datapath.CloudCache, r cache.Request, err error) {
	n := s.host.node(s.cacheVM)
	if n == nil || n.cache != to || err != nil {
		return
	}
	s.held = slices.DeleteFunc(s.held, func(h cache.Request) bool { return h.Off == r.Off })
	if len(s.held) == 0 && n.serves {
		s.resume(n)
	}
}

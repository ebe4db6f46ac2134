package component

import (
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/wan"
)

// Filter is a daemon of HDM's IO filter that runs on a host on premises.
type Filter struct {
	Host  string
	Boot  uint64 // of the host: grows with each
	Epoch uint64 // of the daemon: grows with each start
}

// filters are the daemons' heartbeats.
type filters struct {
	beat  *kernel.Timer
	heard map[string]Filter // what each said last
	beats map[string]*beats // by host
}

// FiltersChanged says that daemons were installed, started or stopped, or that
// hosts went down or came up: Filters tells which run. One that has just
// started is heard at once, and all every component.HeartbeatEvery.
func (h *Host) FiltersChanged() {
	running := h.daemons()
	said := h.filters.heard
	h.filters.heard = map[string]Filter{}
	for _, f := range running {
		h.filters.heard[f.Host] = f
		if said[f.Host] != f {
			h.beatFilter(f)
		}
	}
	if h.filters.beat == nil && len(running) > 0 {
		h.filters.beat = h.cfg.Kernel.After(component.HeartbeatEvery, h.beatFilters)
	}
}

func (h *Host) daemons() []Filter {
	if h.Filters == nil {
		return nil
	}
	return h.Filters()
}

// beatFilters lets every daemon that runs say so, until none does.
func (h *Host) beatFilters() {
	h.filters.beat = nil
	running := h.daemons()
	for _, f := range running {
		h.beatFilter(f)
	}
	if len(running) > 0 {
		h.filters.beat = h.cfg.Kernel.After(component.HeartbeatEvery, h.beatFilters)
	}
}

func (h *Host) beatFilter(f Filter) {
	b := component.Heartbeat{VM: f.Host, Boot: f.Boot, Services: []component.Beat{{Name: component.IOFilter, Epoch: f.Epoch}}}
	known := h.filters.beats[f.Host]
	if known == nil {
		known = &beats{}
		h.filters.beats[f.Host] = known
	}
	size, err := known.sizeOf(b)
	if err != nil {
		h.cfg.Kernel.Fail(err)
		return
	}
	h.deliver(vsphere.OnPremises, wan.ToPremises, size, func(err error) {
		if err == nil && h.Heartbeat != nil {
			h.Heartbeat(b)
		}
	})
}

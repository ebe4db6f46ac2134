package oracle

import (
	"strings"
	"time"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// hostsDown finds out which VMs went off because their host did: the two happen at
// the same time, in any order. What a host takes down nobody has to start again
// but people.
type hostsDown struct {
	sites map[string]time.Duration // when a host of a site went down last
	off   map[string]time.Duration // when VMs went off last, by subject
}

func newHostsDown() hostsDown {
	return hostsDown{sites: map[string]time.Duration{}, off: map[string]time.Duration{}}
}

// took hears of a host that went down, or of a VM that went off, and says which
// VMs went off with their host.
func (o *hostsDown) took(e *kernel.Event) (vms []string) {
	site, _, _ := strings.Cut(e.Subject, "/")
	switch {
	case e.Kind == event.HostDown && e.Attr("how") == "restart":
		o.sites[site] = e.At
		for _, vm := range sortedKeys(o.off) {
			if o.off[vm] == e.At && strings.HasPrefix(vm, site+"/") {
				vms = append(vms, vm)
			}
		}
	case e.Kind == event.VMPower && e.Attr("state") == "off":
		o.off[e.Subject] = e.At
		if at, down := o.sites[site]; down && at == e.At {
			vms = append(vms, e.Subject)
		}
	}
	return vms
}

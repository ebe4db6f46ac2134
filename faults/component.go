package faults

import (
	"maps"
	"slices"

	"github.com/hdm-project/hdm/core/component"
)

// ComponentService is a service in a component VM of HDM's.
type ComponentService struct {
	VM      string            `yaml:"vm"`      // HDM_Cloud_Cache-0
	Service component.Service `yaml:"service"` // as health names it: Cloud Cache
}

// Target implements Kind for all faults of services.
func (s *ComponentService) Target() string { return s.VM + "/" + string(s.Service) }

func (s *ComponentService) check(c *checker) {
	if services := c.component(s.VM); services != nil && !slices.Contains(services, s.Service) {
		c.fail("service", "use one of "+list(services), "no service %q runs in %s: it would never act", s.Service, s.VM)
	}
}

// component says that a component VM is one that a step deploys, and which
// services run in it; nil if it is none.
func (c *checker) component(vm string) []component.Service {
	services, known := c.Components[vm]
	switch {
	case known:
	case len(c.Components) == 0:
		c.fail("vm", "add a step that deploys HDM", "no step deploys component VMs: it would never act")
	default:
		c.fail("vm", "use one of "+list(slices.Sorted(maps.Keys(c.Components))), "no step deploys a component VM %q: it would never act", vm)
	}
	return services
}

package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
)

// Health: what HDM says of itself at the end, on every surface.
type Health struct {
	Health struct {
		Status  health.Status `yaml:"status" jsonschema:"enum=Ready,enum=Not Ready"`
		Details string        `yaml:"details,omitempty"`
		// Components are those that are not Healthy, each as "<VM>/<service>", those and
		// no others; left out: they may be any.
		Components *map[string]health.Level `yaml:"components,omitempty"`
		// ResetOffered says whether the dashboard offers a reset.
		ResetOffered *bool `yaml:"reset-offered,omitempty"`
	} `yaml:"health"`
}

// Recovered: what HDM did about failures.
type Recovered struct {
	// Number of the recovery that is meant, from 1; left out: the last one. None if
	// there must have been none.
	Number   int `yaml:"number,omitempty" nonzero:"count from 1"`
	Recovery struct {
		// None: there was no recovery at all.
		None bool `yaml:"none,omitempty"`
		// Phases that it went through, all of them, in order.
		Phases []string `yaml:"phases,omitempty" nonzero:"name phases"`
		// Failed is the cause of each part that has failed: a service as
		// "<VM>/<service>", a component VM or a host by its name, the link as "link".
		Failed map[string]recovery.Cause `yaml:"failed,omitempty"`
		// Affected are the VMs that were brought back, all of them, and Held those
		// whose migrations waited.
		Affected *[]string `yaml:"affected,omitempty"`
		Held     *[]string `yaml:"held,omitempty"`
		// Multiple: something failed meanwhile.
		Multiple *bool `yaml:"multiple,omitempty"`
		// Offered is a part of why a reset was offered; "none" if it was not.
		Offered string `yaml:"offered,omitempty"`
		// Fatal is a part of why it could not be repaired.
		Fatal string `yaml:"fatal,omitempty"`
	} `yaml:"recovery"`
}

// NotOffered is what Recovered says of a reset that was not offered.
const NotOffered = "none"

// Notes: how many events of a type are in HDM's own log that contain a text.
type Notes struct {
	Notes struct {
		Type     string `yaml:"type"`
		Contains string `yaml:"contains,omitempty"`
		Count    *int   `yaml:"count,omitempty"` // left out: at least one
	} `yaml:"notes"`
}

// Posted: how many events of a type were posted in the on-premises vCenter that
// contain a text.
type Posted struct {
	Posted struct {
		Type     string `yaml:"type"`
		Contains string `yaml:"contains,omitempty"`
		Count    *int   `yaml:"count,omitempty"` // left out: at least one
	} `yaml:"posted"`
}

// Lost: what a VM had lost when it was brought back. The age of what was lost is
// that of the oldest write of it when the last fault before began.
type Lost struct {
	VM   string `yaml:"vm"`
	Lost struct {
		AtMost Duration `yaml:"at-most,omitempty" nonzero:"use writes: false"`
		// Writes says whether any was lost.
		Writes *bool `yaml:"writes,omitempty"`
	} `yaml:"lost"`
}

// ResetWaited: the steps of the last reset at which its task waited, all of them,
// in order (RST-02).
type ResetWaited struct {
	ResetSteps []recovery.ResetStep `yaml:"reset-steps"`
}

// Subject implements Promise.
func (e *Health) Subject() string      { return "health" }
func (e *Recovered) Subject() string   { return "the recovery" }
func (e *Notes) Subject() string       { return "HDM's log" }
func (e *Posted) Subject() string      { return "the events in vCenter" }
func (e *Lost) Subject() string        { return e.VM }
func (e *ResetWaited) Subject() string { return "the reset" }

func (e *Health) check(c *checker) {
	h := &e.Health
	for _, name := range sorted(of(h.Components)) {
		c.part("health.components", name)
		if l := of(h.Components)[name]; l != health.Degraded && l != health.Poor {
			c.fail("health.components."+name, "use Degraded or Poor", "a component that is not Healthy is never %q", l)
		}
	}
	if h.Status == health.Ready && h.Details != "" && h.Details != health.Of(nil, nil).Details {
		c.fail("health.details", "leave it out", "a system that is Ready says %q", health.Of(nil, nil).Details)
	}
}

// part says that a name is one of a component's: "<VM>/<service>".
func (c *checker) part(key, name string) {
	vm, service, _ := strings.Cut(name, "/")
	services, known := c.context.Components[vm]
	if !known {
		c.fail(key, "use one of "+join(sorted(c.context.Components)), "no step deploys a component VM %q", vm)
		return
	}
	if service != "" && !slices.ContainsFunc(services, func(s component.Service) bool { return string(s) == service }) {
		c.fail(key, "use one of "+join(services), "no service %q runs in %s", service, vm)
	}
}

func (e *Recovered) check(c *checker) {
	r := &e.Recovery
	said := len(r.Phases) > 0 || len(r.Failed) > 0 || r.Affected != nil || r.Held != nil || r.Multiple != nil || r.Offered != "" || r.Fatal != ""
	switch {
	case e.Number < 0:
		c.fail("number", "count from 1", "%d is no number of a recovery", e.Number)
	case r.None && (said || e.Number > 0):
		c.fail("recovery", "keep none: true alone", "what there was none of was nothing")
	case !r.None && !said:
		c.fail("recovery", "add phases:, failed:, affected:, held:, multiple:, offered: or fatal:", "it expects nothing")
	}
	for i, p := range r.Phases {
		if !slices.Contains(faults.Recoveries(), p) {
			c.fail(fmt.Sprintf("recovery.phases[%d]", i), "use "+join(faults.Recoveries()), "a recovery is never %q", p)
		}
	}
	for _, name := range sorted(r.Failed) {
		if name != "link" && !slices.Contains(c.hosts(), name) {
			c.part("recovery.failed", name)
		}
	}
	for i, vm := range of(r.Affected) {
		c.affected(fmt.Sprintf("recovery.affected[%d]", i), vm)
	}
	for i, vm := range of(r.Held) {
		c.affected(fmt.Sprintf("recovery.held[%d]", i), vm)
	}
}

// of is what a pointer points to; nothing, if to nothing.
func of[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (c *checker) hosts() (all []string) {
	for _, at := range []vsphere.Site{vsphere.OnPremises, vsphere.Cloud} {
		all = append(all, c.context.Hosts[at]...)
	}
	return all
}

func (c *checker) affected(key, vm string) {
	if _, ok := c.context.Migrations[vm]; !ok {
		c.fail(key, "name a VM that a step migrates", "no step migrates %q", vm)
	}
}

func (c *checker) eventType(key, t string) {
	if !strings.HasPrefix(t, "com.hdm.") {
		c.fail(key, "use a type that begins with com.hdm., such as com.hdm.component.failed", "HDM tells of no event %q", t)
	}
}

func (e *Notes) check(c *checker) {
	c.eventType("notes.type", e.Notes.Type)
	if e.Notes.Count != nil {
		c.notNegative("notes.count", *e.Notes.Count)
	}
}

func (e *Posted) check(c *checker) {
	c.eventType("posted.type", e.Posted.Type)
	if e.Posted.Count != nil {
		c.notNegative("posted.count", *e.Posted.Count)
	}
}

func (e *Lost) check(c *checker) {
	c.migrated(e.VM)
	switch {
	case e.Lost.AtMost == 0 && e.Lost.Writes == nil:
		c.fail("lost", "add at-most: or writes:", "it expects nothing")
	case e.Lost.AtMost < 0:
		c.fail("lost.at-most", "use a duration above 0", "%v is no age of a write", e.Lost.AtMost)
	}
}

func (e *ResetWaited) check(c *checker) {
	if len(e.ResetSteps) == 0 {
		c.fail("reset-steps", "name steps", "it expects nothing")
	}
	for i, step := range e.ResetSteps {
		if !slices.Contains(faults.ResetSteps(), step) {
			c.fail(fmt.Sprintf("reset-steps[%d]", i), "use "+join(faults.ResetSteps()), "a reset has no step %q", step)
		}
	}
}

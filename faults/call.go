package faults

import (
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Calls says which calls to a vCenter a fault acts on: of those that match,
// counted from when the trigger holds, number Nth and the Count-1 after it.
type Calls struct {
	Site   vsphere.Site `yaml:"site" jsonschema:"enum=on-premises,enum=cloud"`
	Method string       `yaml:"method"` // as in vSphere: PowerOnVM_Task
	// Object narrows it to calls on the VM of that name; "" means any.
	Object string `yaml:"object,omitempty"`
	// Nth counts from 1; 0 means 1.
	Nth int `yaml:"nth,omitempty" nonzero:"count from 1"`
	// Count is how many calls in a row; 0 means 1.
	Count int `yaml:"count,omitempty" nonzero:"default"`
}

// MaxCount bounds how many calls a fault can act on.
const MaxCount = 10_000

// Match says whether a call is one of those that are counted.
func (m *Calls) Match(site vsphere.Site, method, object string) bool {
	return m.Site == site && m.Method == method && (m.Object == "" || m.Object == object)
}

// Hits says whether the fault acts on matching call number n, from 1.
func (m *Calls) Hits(n int) bool { return n >= m.first() && n <= m.Last() }

// Last is the number of the last matching call that the fault acts on: with it
// the fault has ended.
func (m *Calls) Last() int { return m.first() + max(m.Count, 1) - 1 }

func (m *Calls) first() int { return max(m.Nth, 1) }

// Target implements Kind for all faults of calls.
func (m *Calls) Target() string {
	t := fmt.Sprintf("%s %s", m.Site, m.Method)
	if m.Object != "" {
		t += " " + m.Object
	}
	return t
}

// meets says whether two faults claim a call in common.
func (m *Calls) meets(o *Calls) bool {
	return m.Site == o.Site && m.Method == o.Method && (m.Object == "" || o.Object == "" || m.Object == o.Object) &&
		m.first() <= o.Last() && o.first() <= m.Last()
}

func (m *Calls) check(c *checker) {
	method, ok := FindMethod(m.Method)
	switch {
	case !ok:
		c.fail("method", "use one of "+list(MethodNames()), "HDM never calls %q: it would never act", m.Method)
	case m.Site != vsphere.OnPremises && m.Site != vsphere.Cloud:
		c.fail("site", "use on-premises or cloud", "there is no site %q", m.Site)
	case !slices.Contains(method.Sites, m.Site):
		c.fail("site", "use "+list(method.Sites), "HDM never calls %s on the %s site: it would never act", m.Method, m.Site)
	}
	if m.Nth < 0 || m.Nth > MaxNth {
		c.fail("nth", fmt.Sprintf("use 1 to %d", MaxNth), "%d is no number of a call", m.Nth)
	}
	if m.Count < 0 || m.Count > MaxCount {
		c.fail("count", fmt.Sprintf("use 1 to %d", MaxCount), "%d is no number of calls", m.Count)
	}
}

// Calls are the calls that the fault acts on, or nil if it is of another kind.
func (f Fault) calls() *Calls {
	switch {
	case f.CallError != nil:
		return &f.CallError.Calls
	case f.CallHang != nil:
		return &f.CallHang.Calls
	case f.CallLost != nil:
		return &f.CallLost.Calls
	case f.CallLate != nil:
		return &f.CallLate.Calls
	}
	return nil
}

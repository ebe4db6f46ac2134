package faults

import (
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Calls says which calls to a vCenter a fault acts on: of those that match,
// counted from when the trigger holds, number Nth and the Count-1 after it. A call
// that another fault acts on already is put off to the next.
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

// Match says whether a call is one of those that are counted.
func (m *Calls) Match(site vsphere.Site, method, object string) bool {
	return m.Site == site && m.Method == method && (m.Object == "" || m.Object == object)
}

// Numbers are those of the calls that the fault acts on.
func (m *Calls) Numbers() Numbers { return numbers(m.Nth, m.Count) }

// Target implements Kind for all faults of calls.
func (m *Calls) Target() string {
	t := fmt.Sprintf("%s %s", m.Site, m.Method)
	if m.Object != "" {
		t += " " + m.Object
	}
	return t
}

func (m *Calls) claim() claim {
	return claim{[4]string{"vCenter", string(m.Site), m.Method, m.Object}, m.Numbers()}
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
	c.numbers(m.Nth, m.Count)
}

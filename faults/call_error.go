package faults

import (
	"reflect"

	"github.com/vmware/govmomi/vim25/types"
)

// CallError makes calls fail: the vCenter answers with a fault and does
// nothing. NotAuthenticated is a session that has expired.
type CallError struct {
	Calls `yaml:",inline"`
	Fault string `yaml:"fault"` // type of a vSphere fault: InvalidState, TaskInProgress, ...
}

// Name implements Kind.
func (*CallError) Name() string { return "call-error" }

func (e *CallError) check(c *checker) {
	e.Calls.check(c)
	if NewMethodFault(e.Fault) == nil {
		c.fail("fault", "use the name of a type of fault in the vSphere API, such as TaskInProgress, InvalidState or NotAuthenticated", "vSphere has no fault %q", e.Fault)
	}
}

// NewMethodFault returns an empty fault of that type, as the vSphere API names
// it, or nil if there is none.
func NewMethodFault(name string) types.BaseMethodFault {
	t, ok := types.TypeFunc()(name)
	if !ok || t.Kind() != reflect.Struct {
		return nil
	}
	fault, _ := reflect.New(t).Interface().(types.BaseMethodFault)
	return fault
}

package faults

// ComponentKill is the memory of a component VM running out: its system kills a
// service (SYS-01).
type ComponentKill struct {
	ComponentService `yaml:",inline"`
}

// Name implements Kind.
func (*ComponentKill) Name() string { return "component-kill" }

package faults

// ComponentCrash ends a service by a fault of its own. What it held in memory is
// gone, and it stays down until somebody starts it.
type ComponentCrash struct {
	ComponentService `yaml:",inline"`
}

// Name implements Kind.
func (*ComponentCrash) Name() string { return "component-crash" }

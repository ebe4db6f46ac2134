package faults

// ComponentRestart makes a service restart by itself, without what it held in
// memory: it is silent for no time that anybody would notice.
type ComponentRestart struct {
	ComponentService `yaml:",inline"`
}

// Name implements Kind.
func (*ComponentRestart) Name() string { return "component-restart" }

package faults

// CommandLost loses the answers to commands: a service does them, and the
// appliance does not hear of it until it asks again.
type CommandLost struct {
	ComponentCommands `yaml:",inline"`
}

// Name implements Kind.
func (*CommandLost) Name() string { return "command-lost" }

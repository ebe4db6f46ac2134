package faults

// CommandHang makes commands hang: each reaches its service once the appliance has
// stopped waiting for the answer, and nobody hears it.
type CommandHang struct {
	ComponentCommands `yaml:",inline"`
}

// Name implements Kind.
func (*CommandHang) Name() string { return "command-hang" }

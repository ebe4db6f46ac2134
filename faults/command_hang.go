package faults

// CommandHang makes commands hang: they never reach a service, and nobody answers.
type CommandHang struct {
	ComponentCommands `yaml:",inline"`
}

// Name implements Kind.
func (*CommandHang) Name() string { return "command-hang" }

package faults

// CallLost loses the answers of calls: the vCenter does them, and the caller
// never hears of it.
type CallLost struct {
	Calls `yaml:",inline"`
}

// Name implements Kind.
func (*CallLost) Name() string { return "call-lost" }

package faults

// CallHang makes calls hang: the vCenter never does them and never answers.
// The caller gives up when its patience ends.
type CallHang struct {
	Calls `yaml:",inline"`
}

// Name implements Kind.
func (*CallHang) Name() string { return "call-hang" }

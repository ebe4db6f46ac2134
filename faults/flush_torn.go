package faults

// FlushTorn cuts the writing of the next flush of a VM on premises short: a part
// of it has reached the disk beneath, and the rest has not. It acts when that is
// written.
type FlushTorn struct {
	VM string `yaml:"vm"` // on premises
}

// Name implements Kind.
func (*FlushTorn) Name() string { return "flush-torn" }

// Target implements Kind.
func (f *FlushTorn) Target() string { return "flush of " + f.VM }

func (f *FlushTorn) check(c *checker) { c.onCache("vm", f.VM) }

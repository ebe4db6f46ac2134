package faults

// CallLate makes calls succeed late: the caller has given up by then, and the
// vCenter does them nonetheless, if the session in which they were sent still
// lives.
type CallLate struct {
	Calls `yaml:",inline"`
	By    Duration `yaml:"by"` // from when they arrived
}

// Name implements Kind.
func (*CallLate) Name() string { return "call-late" }

func (l *CallLate) check(c *checker) {
	l.Calls.check(c)
	c.positive("by", l.By)
}

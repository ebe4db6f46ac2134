package faults

import "time"

// ClockStep steps the wall clock of the appliance, forward or back. How much
// time passes does not change.
type ClockStep struct {
	By Duration `yaml:"by"` // below 0: back
}

// MaxStep bounds a ClockStep.
const MaxStep = Duration(366 * 24 * time.Hour)

// Name implements Kind.
func (*ClockStep) Name() string { return "clock-step" }

// Target implements Kind.
func (*ClockStep) Target() string { return "appliance clock" }

func (s *ClockStep) check(c *checker) {
	if s.By == 0 || s.By > MaxStep || s.By < -MaxStep {
		c.fail("by", "use a duration of up to a year, below 0 for a step back", "a clock does not step by %v", s.By)
	}
}

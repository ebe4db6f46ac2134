package faults

import "fmt"

// FlushFails makes the next flushes of a VM fail on premises: a write to its
// disks ends with EIO, and nothing of it is there. It acts when the first is
// written.
type FlushFails struct {
	VM    string `yaml:"vm"`                                // on premises
	Times int    `yaml:"times,omitempty" nonzero:"default"` // writes in a row that fail; 0 means 1
}

// Name implements Kind.
func (*FlushFails) Name() string { return "flush-fails" }

// Target implements Kind.
func (f *FlushFails) Target() string { return "flush of " + f.VM }

// Count is how many writes fail.
func (f *FlushFails) Count() int { return max(f.Times, 1) }

func (f *FlushFails) check(c *checker) {
	c.onCache("vm", f.VM)
	c.times(f.Times)
}

// times checks how often something fails.
func (c *checker) times(n int) {
	if n < 0 || n > MaxCount {
		c.fail("times", fmt.Sprintf("use 1 to %d", MaxCount), "%d is no number of times", n)
	}
}

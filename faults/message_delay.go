package faults

// MessageDelay holds messages up on their way into a queue. Who sent one gets no
// answer, and may send it again meanwhile.
type MessageDelay struct {
	QueueCalls `yaml:",inline"`
	By         Duration `yaml:"by"` // from when it arrived
}

var holdable = []string{Send}

// Name implements Kind.
func (*MessageDelay) Name() string { return "message-delay" }

// Target implements Kind.
func (k *MessageDelay) Target() string { return k.target(k.operation(holdable)) }

// Calls implements OfQueue.
func (k *MessageDelay) Calls() (*QueueCalls, string) { return &k.QueueCalls, k.operation(holdable) }

func (k *MessageDelay) check(c *checker) {
	k.QueueCalls.check(c, holdable)
	c.positive("by", k.By)
}

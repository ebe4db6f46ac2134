package faults

// MessageLateDelete lets deletes be answered at once and take effect later: until
// then a message may come again.
type MessageLateDelete struct {
	QueueCalls `yaml:",inline"`
	By         Duration `yaml:"by"` // from when the delete was answered
}

var delayable = []string{Delete}

// Name implements Kind.
func (*MessageLateDelete) Name() string { return "message-late-delete" }

// Target implements Kind.
func (k *MessageLateDelete) Target() string { return k.target(k.operation(delayable)) }

// Calls implements OfQueue.
func (k *MessageLateDelete) Calls() (*QueueCalls, string) {
	return &k.QueueCalls, k.operation(delayable)
}

func (k *MessageLateDelete) check(c *checker) {
	k.QueueCalls.check(c, delayable)
	c.positive("by", k.By)
}

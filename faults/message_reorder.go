package faults

// MessageReorder hands messages out in another order: of a standard queue the
// newer ones first, of a FIFO queue the later groups.
type MessageReorder struct {
	QueueCalls `yaml:",inline"`
}

var reorderable = []string{Receive}

// Name implements Kind.
func (*MessageReorder) Name() string { return "message-reorder" }

// Target implements Kind.
func (k *MessageReorder) Target() string { return k.target(k.operation(reorderable)) }

// Calls implements OfQueue.
func (k *MessageReorder) Calls() (*QueueCalls, string) {
	return &k.QueueCalls, k.operation(reorderable)
}

func (k *MessageReorder) check(c *checker) {
	k.QueueCalls.check(c, reorderable)
}

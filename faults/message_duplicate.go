package faults

// MessageDuplicate makes a standard queue deliver twice, as it may: what is handed
// out stays to be handed out again, or what is sent is stored twice.
type MessageDuplicate struct {
	QueueCalls `yaml:",inline"`
}

var duplicable = []string{Receive, Send}

// Name implements Kind.
func (*MessageDuplicate) Name() string { return "message-duplicate" }

// Target implements Kind.
func (k *MessageDuplicate) Target() string { return k.target(k.operation(duplicable)) }

// Calls implements OfQueue.
func (k *MessageDuplicate) Calls() (*QueueCalls, string) {
	return &k.QueueCalls, k.operation(duplicable)
}

func (k *MessageDuplicate) check(c *checker) {
	k.QueueCalls.check(c, duplicable)
	c.standard()
}

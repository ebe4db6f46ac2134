package faults

// MessageLost lets calls be done and their answers get lost: what was received is
// in flight and nobody has it; what was sent is there and its sender does not
// know.
type MessageLost struct {
	QueueCalls `yaml:",inline"`
}

var losable = []string{Receive, Send, Delete}

// Name implements Kind.
func (*MessageLost) Name() string { return "message-lost" }

// Target implements Kind.
func (k *MessageLost) Target() string { return k.target(k.operation(losable)) }

// Calls implements OfQueue.
func (k *MessageLost) Calls() (*QueueCalls, string) { return &k.QueueCalls, k.operation(losable) }

func (k *MessageLost) check(c *checker) {
	k.QueueCalls.check(c, losable)
}

package faults

// MessageCorrupt makes the MD5 sum in an answer wrong, so that the client takes
// it for damaged on the way. What it was about has been done.
type MessageCorrupt struct {
	QueueCalls `yaml:",inline"`
}

var corruptible = []string{Receive, Send}

// Name implements Kind.
func (*MessageCorrupt) Name() string { return "message-corrupt" }

// Target implements Kind.
func (k *MessageCorrupt) Target() string { return k.target(k.operation(corruptible)) }

// Calls implements OfQueue.
func (k *MessageCorrupt) Calls() (*QueueCalls, string) {
	return &k.QueueCalls, k.operation(corruptible)
}

func (k *MessageCorrupt) check(c *checker) {
	k.QueueCalls.check(c, corruptible)
}

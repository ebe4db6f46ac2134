package faults

// QueueUnavailable makes SQS answer with 503 and do nothing.
type QueueUnavailable struct {
	QueueCalls `yaml:",inline"`
}

var refusable = []string{Send, Receive, Delete, Extend}

// Name implements Kind.
func (*QueueUnavailable) Name() string { return "queue-unavailable" }

// Target implements Kind.
func (k *QueueUnavailable) Target() string { return k.target(k.operation(refusable)) }

// Calls implements OfQueue.
func (k *QueueUnavailable) Calls() (*QueueCalls, string) {
	return &k.QueueCalls, k.operation(refusable)
}

func (k *QueueUnavailable) check(c *checker) {
	k.QueueCalls.check(c, refusable)
}

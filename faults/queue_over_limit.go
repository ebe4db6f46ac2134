package faults

// QueueOverLimit makes SQS refuse to hand anything out: too many messages are in
// flight.
type QueueOverLimit struct {
	QueueCalls `yaml:",inline"`
}

var limitable = []string{Receive}

// Name implements Kind.
func (*QueueOverLimit) Name() string { return "queue-over-limit" }

// Target implements Kind.
func (k *QueueOverLimit) Target() string { return k.target(k.operation(limitable)) }

// Calls implements OfQueue.
func (k *QueueOverLimit) Calls() (*QueueCalls, string) { return &k.QueueCalls, k.operation(limitable) }

func (k *QueueOverLimit) check(c *checker) {
	k.QueueCalls.check(c, limitable)
}

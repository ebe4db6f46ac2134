package faults

// DatastoreError makes reads or writes of a datastore fail with EIO (SYS-01).
type DatastoreError struct {
	Datastore `yaml:",inline"`
	Op        Op   `yaml:"op" jsonschema:"enum=read,enum=write"`
	For       Span `yaml:"for,omitempty" nonzero:"default"` // default ever
}

// Name implements Kind.
func (*DatastoreError) Name() string { return "datastore-error" }

// Target implements Kind.
func (e *DatastoreError) Target() string { return e.Datastore.Target() + " " + string(e.Op) }

// Lasts is how long they fail.
func (e *DatastoreError) Lasts() Span { return e.For.or(Ever) }

func (e *DatastoreError) clash(other Kind) string { return sameTarget(e, other) }

func (e *DatastoreError) check(c *checker) {
	e.Datastore.check(c)
	c.op(e.Op)
	c.span(e.Lasts())
}

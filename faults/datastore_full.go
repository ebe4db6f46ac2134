package faults

// DatastoreFull fills a datastore: what would grow on it fails (SYS-01).
type DatastoreFull struct {
	Datastore `yaml:",inline"`
	For       Span `yaml:"for,omitempty" nonzero:"default"` // default ever
}

// Name implements Kind.
func (*DatastoreFull) Name() string { return "datastore-full" }

// Lasts is how long it is full.
func (f *DatastoreFull) Lasts() Span { return f.For.or(Ever) }

func (f *DatastoreFull) clash(other Kind) string { return sameTarget(f, other) }

func (f *DatastoreFull) check(c *checker) {
	f.Datastore.check(c)
	c.span(f.Lasts())
}

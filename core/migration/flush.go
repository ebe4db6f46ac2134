package migration

// flushed notes a flush that is applied on premises. Numbers rise; one that was
// heard before says nothing new.
func (d *decision) flushed(f Flushed) {
	switch {
	case !d.m.Bound:
		d.ignore("it has no cloud cache")
	case f.Number <= d.m.Flushed.Number:
		d.ignore("flush %d was heard before", f.Number)
	default:
		d.m.Flushed = f
	}
}

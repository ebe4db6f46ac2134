package faults

// JournalFull fills the disk of the appliance: nothing more can be written to its
// journal.
type JournalFull struct {
	For Span `yaml:"for,omitempty" nonzero:"default"` // default ever
}

// Name implements Kind.
func (*JournalFull) Name() string { return "journal-full" }

// Target implements Kind.
func (*JournalFull) Target() string { return "appliance journal" }

// Lasts is how long it is full.
func (f *JournalFull) Lasts() Span { return f.For.or(Ever) }

func (f *JournalFull) clash(other Kind) string { return sameTarget(f, other) }

func (f *JournalFull) check(c *checker) { c.span(f.Lasts()) }

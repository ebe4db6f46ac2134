package faults

// JournalLost makes the disk of the appliance lie: what is written from now on it
// says is durable, and it is not until the fault ends. A power cut meanwhile
// takes it all.
type JournalLost struct {
	For Span `yaml:"for,omitempty" nonzero:"default"` // default ever
}

// Name implements Kind.
func (*JournalLost) Name() string { return "journal-lost" }

// Target implements Kind.
func (*JournalLost) Target() string { return "appliance journal" }

// Lasts is how long it lies.
func (l *JournalLost) Lasts() Span { return l.For.or(Ever) }

func (l *JournalLost) clash(other Kind) string { return sameTarget(l, other) }

func (l *JournalLost) check(c *checker) { c.span(l.Lasts()) }

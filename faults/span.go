package faults

import (
	"math"
	"time"
)

// Span is how long a fault lasts: a Duration, or for ever.
type Span Duration

// Ever is the Span of what does not end before the run does.
const Ever = Span(math.MaxInt64)

const ever = "ever"

func (s Span) String() string {
	if s == Ever {
		return ever
	}
	return Duration(s).String()
}

// Time is the span as a duration; false if it never ends.
func (s Span) Time() (d time.Duration, ends bool) { return time.Duration(s), s != Ever }

// MarshalText writes the span as UnmarshalText reads it.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a duration with units, or "ever".
func (s *Span) UnmarshalText(text []byte) error {
	if string(text) == ever {
		*s = Ever
		return nil
	}
	return (*Duration)(s).UnmarshalText(text)
}

// or is the span, or def where none was given.
func (s Span) or(def Span) Span {
	if s == 0 {
		return def
	}
	return s
}

// Lasting is a kind that begins, and ends by itself or not at all.
type Lasting interface {
	Kind
	// Lasts is how long it acts.
	Lasts() Span
	// clash says what is wrong with it while another one of its kind lasts; ""
	// if both can.
	clash(other Kind) string
}

// sameTarget is clash for kinds of which one thing can suffer only one.
func sameTarget(a, b Kind) string {
	if a.Target() == b.Target() {
		return "the same would begin there while it lasts"
	}
	return ""
}

package faults

import "fmt"

// Numbers are those of the calls, of all that match, that a fault acts on: First
// and what follows up to Last, counted from 1.
type Numbers struct{ First, Last int }

// numbers are number nth and the count-1 after it; 0 means 1 of either.
func numbers(nth, count int) Numbers {
	first := max(nth, 1)
	return Numbers{first, first + max(count, 1) - 1}
}

// Hits says whether the fault acts on matching call number n.
func (s Numbers) Hits(n int) bool { return n >= s.First && n <= s.Last }

// Limits of what a fault counts.
const (
	MaxNth   = 10_000 // how many it can let pass before it acts
	MaxCount = 10_000 // how many it can act on
)

func (c *checker) numbers(nth, count int) {
	c.nth(nth)
	if count < 0 || count > MaxCount {
		c.fail("count", fmt.Sprintf("use 1 to %d", MaxCount), "%d is no number of calls", count)
	}
}

func (c *checker) nth(n int) {
	if n < 0 || n > MaxNth {
		c.fail("nth", fmt.Sprintf("use 1 to %d", MaxNth), "%d is no number to count to", n)
	}
}

// claim is which calls a fault acts on: words that say what they are, of which ""
// is any, and their numbers.
type claim struct {
	words [4]string
	Numbers
}

// claiming is a kind that claims calls.
type claiming interface {
	Kind
	claim() claim
}

// claimOf is what a kind claims; false: nothing.
func claimOf(k Kind) (claim, bool) {
	switch k := k.(type) {
	case claiming:
		return k.claim(), true
	case OfQueue:
		q, operation := k.Calls()
		return claim{[4]string{"SQS", string(q.Queue), operation}, q.Numbers()}, true
	}
	return claim{}, false
}

// meets says whether two claims have a call in common.
func (a claim) meets(b claim) bool {
	for i, w := range a.words {
		if v := b.words[i]; w != v && w != "" && v != "" {
			return false
		}
	}
	return a.First <= b.Last && b.First <= a.Last
}

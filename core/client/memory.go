package client

import "crypto/sha256"

// memory knows the last so many names that it was given, and how often. It keeps
// sums of them, so that a long name takes no more room than a short one.
type memory struct {
	known map[sum]int
	order []sum // as they came, the oldest at next
	next  int
}

type sum [sha256.Size]byte

func newMemory(most int) *memory {
	return &memory{known: map[sum]int{}, order: make([]sum, 0, most)}
}

func (m *memory) knows(name string) bool { return m.known[sha256.Sum256([]byte(name))] > 0 }

// add takes in a name, and returns how often it was given.
func (m *memory) add(name string) int {
	s := sum(sha256.Sum256([]byte(name)))
	m.known[s]++
	switch times := m.known[s]; {
	case times > 1:
		return times
	case len(m.order) < cap(m.order):
		m.order = append(m.order, s)
	default:
		delete(m.known, m.order[m.next])
		m.order[m.next] = s
		m.next = (m.next + 1) % len(m.order)
	}
	return 1
}

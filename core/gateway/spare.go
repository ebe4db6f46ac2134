package gateway

import "slices"

// spare is memory of messages and bodies that are done with, for those to come.
type spare struct{ blocks [][]byte }

// Limits of what is kept, and in which sizes: a few small bytes are not worth it.
const (
	mostSpare     = 32
	smallestSpare = 1 << 10
	largestSpare  = 64 << 10
)

// take returns no bytes, with room for n.
func (s *spare) take(n int) []byte {
	if n >= smallestSpare {
		for i := len(s.blocks) - 1; i >= 0; i-- {
			if b := s.blocks[i]; cap(b) >= n {
				s.blocks = slices.Delete(s.blocks, i, i+1)
				return b[:0]
			}
		}
	}
	return make([]byte, 0, n)
}

func (s *spare) put(b []byte) {
	if len(s.blocks) < mostSpare && cap(b) >= smallestSpare && cap(b) <= largestSpare {
		s.blocks = append(s.blocks, b)
	}
}

// Spare is memory for a payload of about n bytes: empty, and the caller's until
// it is sent.
func (e *End) Spare(n int) []byte { return e.body.spare.take(n) }

// Return gives back the payload of a message that was delivered, once nobody
// looks at it any more. Who keeps it need not.
func (e *End) Return(payload []byte) { e.body.spare.put(payload) }

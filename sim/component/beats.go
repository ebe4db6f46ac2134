package component

import (
	"slices"

	"github.com/hdm-project/hdm/core/component"
)

// beats knows what the heartbeats of one sender take on the way. Nearly all are
// equal to the one before.
type beats struct {
	last component.Heartbeat
	size int64 // bytes; 0 before the first
}

// sizeOf is how many bytes a heartbeat takes. Errors: that of component.Encode.
func (s *beats) sizeOf(b component.Heartbeat) (int64, error) {
	if s.size > 0 && same(b, s.last) {
		return s.size, nil
	}
	encoded, err := component.Encode(b)
	if err != nil {
		return 0, err
	}
	s.last, s.size = b, int64(len(encoded))
	return s.size, nil
}

// same says whether two heartbeats tell the same.
func same(a, b component.Heartbeat) bool {
	return a.VM == b.VM && a.Boot == b.Boot && slices.Equal(a.Services, b.Services) && slices.Equal(a.FlushWanted, b.FlushWanted)
}

package cache

// A slot is free when nothing refers to it. Each of these can at most once,
// since a slot holds one version of one block.
const (
	refNow     uint8 = 1 << iota // what the guest sees, or a write that is under way
	refHeld                      // what the cut holds
	refDurable                   // what the index on the device has
	refSyncing                   // what the sync that runs writes into the index
	refDoubt                     // what a sync that failed may have written into the index
)

// slots are the places for data on the device. Free ones are taken in the
// order in which they became free.
type slots struct {
	refs []uint8
	pins []uint16 // reads that are under way
	ring []int32  // the free ones
	head int
	free int
}

func newSlots(n int) slots {
	s := slots{refs: make([]uint8, n), pins: make([]uint16, n), ring: make([]int32, n), free: n}
	for i := range s.ring {
		s.ring[i] = int32(i)
	}
	return s
}

// take returns a free slot, referred to as now. There must be one.
func (s *slots) take() int32 {
	if s.free == 0 {
		panic("cache: no slot is free")
	}
	i := s.ring[s.head]
	s.head = (s.head + 1) % len(s.ring)
	s.free--
	s.refs[i] = refNow
	return i
}

func (s *slots) ref(i int32, r uint8) { s.refs[i] |= r }

// unref drops a reference; none is no slot.
func (s *slots) unref(i int32, r uint8) {
	if i == none || s.refs[i]&r == 0 {
		return
	}
	s.refs[i] &^= r
	s.release(i)
}

func (s *slots) pin(i int32) { s.pins[i]++ }

func (s *slots) unpin(i int32) {
	s.pins[i]--
	s.release(i)
}

func (s *slots) release(i int32) {
	if s.refs[i] == 0 && s.pins[i] == 0 {
		s.ring[(s.head+s.free)%len(s.ring)] = i
		s.free++
	}
}

// refill makes free what nothing refers to, and nothing else.
func (s *slots) refill() {
	s.head, s.free = 0, 0
	for i := range s.refs {
		s.release(int32(i))
	}
}

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

// slots are the places for data on the device. One that was used before is
// taken first, in the order in which they became free; then the lowest one that
// never was. What is known of slots grows with those that were used, so that a
// cache of terabytes costs no more than what it holds.
type slots struct {
	total int
	refs  []uint8
	pins  []uint16 // reads that are under way
	queue []int32  // those that are free again
	head  int      // of the queue: what is before it was taken
	free  int      // those that never were used included
}

func newSlots(n int) slots { return slots{total: n, free: n} }

// take returns a free slot, referred to as now. There must be one.
func (s *slots) take() int32 {
	if s.free == 0 {
		panic("cache: no slot is free")
	}
	i := int32(len(s.refs))
	if s.head < len(s.queue) {
		i = s.queue[s.head]
		if s.head++; s.head > 1024 && s.head > len(s.queue)/2 {
			s.queue = s.queue[:copy(s.queue, s.queue[s.head:])]
			s.head = 0
		}
	}
	s.reach(i)
	s.free--
	s.refs[i] = refNow
	return i
}

// reach makes a slot one that was used.
func (s *slots) reach(i int32) {
	if n := int(i) + 1 - len(s.refs); n > 0 {
		s.refs = append(s.refs, make([]uint8, n)...)
		s.pins = append(s.pins, make([]uint16, n)...)
	}
}

// used says whether something refers to a slot.
func (s *slots) used(i int32) bool { return int(i) < len(s.refs) && s.refs[i] != 0 }

func (s *slots) ref(i int32, r uint8) {
	s.reach(i)
	s.refs[i] |= r
}

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
		s.queue = append(s.queue, i)
		s.free++
	}
}

// refill makes free what nothing refers to, and nothing else.
func (s *slots) refill() {
	s.queue, s.head, s.free = s.queue[:0], 0, s.total-len(s.refs)
	for i := range s.refs {
		s.release(int32(i))
	}
}

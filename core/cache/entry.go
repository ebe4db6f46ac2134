package cache

import "hash/crc32"

// key names a block of a disk of the VM.
type key uint64

const keyBits = 40 // of the block's number

func keyOf(disk int, block int64) key { return key(disk)<<keyBits | key(block) }
func (k key) disk() int               { return int(k >> keyBits) }
func (k key) block() int64            { return int64(k & (1<<keyBits - 1)) }

// sum is the checksum of a block's content. It depends on the block, so that
// the content of another one is not taken for it.
func (k key) sum(p []byte) uint32 {
	return crc32.Update(uint32(k)^uint32(k>>32)*0x9e3779b1, castagnoli, p)
}

const none = -1

// entry is what is known of a block. Fields that are slots are none if there
// is none.
type entry struct {
	key     key
	state   state
	now     int32  // slot of what the guest sees
	held    int32  // slot of what the cut holds
	durable int32  // slot that the index on the device has for it
	syncing int32  // slot that the sync that runs writes into the index
	sum     uint32 // of now
	heldSum uint32 // of held
	pending bool   // the index on the device is not as it should be
	prev    int32  // in the list of clean blocks, least recently used first
	next    int32
	inList  bool
	dirtyAt int32 // place in table.dirty
	fetch   *fetch
	writers []*part // write parts in order; the first one has the block
}

// table holds the entries, and finds them by their key. Its order depends on
// nothing but what was done to it.
type table struct {
	at      map[key]int32
	entries []entry
	unused  []int32
	dirty   []int32 // entries that are unflushed
	first   int32   // of the list of clean blocks that may be evicted
	last    int32
	listed  int
	clean   int
}

func newTable() table { return table{at: map[key]int32{}, first: none, last: none} }

// get returns the entry of a block, or none.
func (t *table) get(k key) int32 {
	if i, ok := t.at[k]; ok {
		return i
	}
	return none
}

// ensure returns the entry of a block, a new one if there is none.
func (t *table) ensure(k key) int32 {
	if i, ok := t.at[k]; ok {
		return i
	}
	var i int32
	if n := len(t.unused); n > 0 {
		i, t.unused = t.unused[n-1], t.unused[:n-1]
	} else {
		i = int32(len(t.entries))
		t.entries = append(t.entries, entry{})
	}
	t.entries[i] = entry{key: k, now: none, held: none, durable: none, syncing: none, prev: none, next: none, writers: t.entries[i].writers[:0]}
	t.at[k] = i
	return i
}

// tidy forgets an entry that says nothing any more.
func (t *table) tidy(i int32) {
	e := &t.entries[i]
	if e.state != absent || e.durable != none || e.syncing != none || e.pending || e.fetch != nil || len(e.writers) > 0 {
		return
	}
	delete(t.at, e.key)
	t.unused = append(t.unused, i)
}

// move takes an entry along an event, and keeps the lists as its state says.
func (t *table) move(i int32, ev event) {
	e := &t.entries[i]
	old := e.state
	e.state = old.after(ev)
	switch was, is := old.unflushed(), e.state.unflushed(); {
	case is && !was:
		e.dirtyAt = int32(len(t.dirty))
		t.dirty = append(t.dirty, i)
	case was && !is:
		last := len(t.dirty) - 1
		moved := t.dirty[last]
		t.dirty[e.dirtyAt] = moved
		t.entries[moved].dirtyAt = e.dirtyAt
		t.dirty = t.dirty[:last]
	}
	if old == clean && e.state != clean {
		t.clean--
		t.unlist(i)
	} else if old != clean && e.state == clean {
		t.clean++
	}
	t.list(i)
}

// list puts a clean block among those that may be evicted, as the one used
// last. One that the index on the device still calls dirty has to wait: after a
// crash its slot would be read.
func (t *table) list(i int32) {
	e := &t.entries[i]
	if e.state != clean || e.inList || e.durable != none || e.syncing != none {
		return
	}
	e.inList, e.prev, e.next = true, t.last, none
	if t.last == none {
		t.first = i
	} else {
		t.entries[t.last].next = i
	}
	t.last = i
	t.listed++
}

func (t *table) unlist(i int32) {
	e := &t.entries[i]
	if !e.inList {
		return
	}
	if e.prev == none {
		t.first = e.next
	} else {
		t.entries[e.prev].next = e.next
	}
	if e.next == none {
		t.last = e.prev
	} else {
		t.entries[e.next].prev = e.prev
	}
	e.inList, e.prev, e.next = false, none, none
	t.listed--
}

// use makes a clean block the one used last.
func (t *table) use(i int32) {
	if t.last != i && t.entries[i].inList {
		t.unlist(i)
		t.list(i)
	}
}

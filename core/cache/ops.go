package cache

// pending is an operation that the owner does, and what its end means.
type pending struct {
	turn  uint32 // how often the place was used: part of the operation's id
	taken bool
	done  func(c *Cache, p pending, err error)
	part  *part
	fetch *fetch
	pull  *pull
	at    int   // of a pull: which block
	slot  int32 // that is read
	data  []byte
}

// ops are the operations that are outstanding.
type ops struct {
	places []pending
	unused []int32
}

// begin asks the owner for an operation.
func (c *Cache) begin(op Op, p pending) {
	o := &c.ops
	var i int32
	if n := len(o.unused); n > 0 {
		i, o.unused = o.unused[n-1], o.unused[:n-1]
	} else {
		i = int32(len(o.places))
		o.places = append(o.places, pending{})
	}
	p.turn, p.taken, p.data = o.places[i].turn+1, true, op.Data
	o.places[i] = p
	op.ID = uint64(p.turn)<<32 | uint64(i)
	c.out.Ops = append(c.out.Ops, op)
}

// end takes an operation out, or returns false if it is not outstanding.
func (o *ops) end(id uint64) (pending, bool) {
	i := int64(uint32(id))
	if i >= int64(len(o.places)) {
		return pending{}, false
	}
	p := o.places[i]
	if !p.taken || uint64(p.turn) != id>>32 {
		return pending{}, false
	}
	o.places[i] = pending{turn: p.turn}
	o.unused = append(o.unused, int32(i))
	return p, true
}

// request is a request that is not done.
type request struct {
	Request
	parts []part
	left  int // parts that are not done
	err   error
}

// part is what a request asks of one block.
type part struct {
	req  *request
	key  key
	at   int32  // of a write that has its slot: the entry of the block
	from int    // within the block
	data []byte // of the request
	slot int32  // of a write: where it goes
	sum  uint32
	buf  []byte // a whole block, if the part is not one
}

func (p *part) whole() bool { return len(p.data) == BlockSize }

// memory keeps requests and blocks for reuse.
type memory struct {
	requests []*request
	blocks   [][]byte
}

// maxSpare is one chunk of blocks, and as many requests.
const maxSpare = 64

func (m *memory) request(r Request) *request {
	if n := len(m.requests); n > 0 {
		q := m.requests[n-1]
		m.requests = m.requests[:n-1]
		*q = request{Request: r, parts: q.parts[:0]}
		return q
	}
	return &request{Request: r}
}

func (m *memory) drop(q *request) {
	for i := range q.parts {
		m.giveBack(q.parts[i].buf)
	}
	clear(q.parts)
	q.Data = nil
	if len(m.requests) < maxSpare {
		m.requests = append(m.requests, q)
	}
}

func (m *memory) block() []byte {
	if n := len(m.blocks); n > 0 {
		b := m.blocks[n-1]
		m.blocks = m.blocks[:n-1]
		return b
	}
	return make([]byte, BlockSize)
}

func (m *memory) giveBack(b []byte) {
	if b != nil && len(m.blocks) < maxSpare {
		m.blocks = append(m.blocks, b)
	}
}

package kernel

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Event is one line of the trace: something that happened in the world.
type Event struct {
	Seq     uint64        // its number in the trace, from 1
	At      time.Duration // virtual time
	Kind    string        // see package sim/event for the vocabulary
	Subject string        // whom it happened to, such as "onprem/db-01" or "m-0003"
	Attrs   []Attr        // in the order in which they were given
}

// Attr is a named detail of an Event.
type Attr struct{ Key, Value string }

// Attr is the value of the attribute of that key, or "".
func (e *Event) Attr(key string) string {
	for _, a := range e.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// Emit adds an event to the trace: it goes into the hash and to every
// observer. kv are keys and values in turn. What is not a function of the seed
// (a UUID that a library made up, a wall-clock stamp, a port) must not be in
// it.
func (k *Kernel) Emit(kind, subject string, kv ...string) {
	if len(kv)%2 != 0 {
		panic(fmt.Sprintf("kernel: the event %s of %s has a key without a value: %q", kind, subject, kv))
	}
	k.traced++
	e := Event{Seq: k.traced, At: k.now, Kind: kind, Subject: subject}
	if len(kv) > 0 {
		e.Attrs = make([]Attr, len(kv)/2)
		for i := range e.Attrs {
			e.Attrs[i] = Attr{kv[2*i], kv[2*i+1]}
		}
	}
	k.hash.trace(&e)
	k.tell(e)
}

func (k *Kernel) tell(e Event) {
	outer := k.telling
	k.telling = true
	defer func() { k.telling = outer }()
	for _, fn := range k.observe {
		fn(e)
	}
}

// Observe calls fn for every event of the trace from now on, in the middle of
// what causes it: fn must not wait, nor change the world except through After
// and Signal.Fire.
func (k *Kernel) Observe(fn func(Event)) { k.observe = append(k.observe, fn) }

// hash is FNV-1a over a canonical encoding: numbers as one symbol each, strings
// by their length and then eight bytes at a time. A symbol is stirred before the
// next, since what is multiplied reaches higher bits only.
type hash uint64

func newHash() hash { return hash(fnvOffset) }

var fnvOffset = fnv.New64a().Sum64()

const fnvPrime = 1099511628211

// What a part of the encoding is of: no two histories encode alike.
const (
	ofEvent = iota + 1
	ofTrace
)

func (h hash) sum() uint64 { return uint64(h) }

func (h *hash) number(n uint64) {
	x := (*h ^ hash(n)) * fnvPrime
	*h = x ^ x>>32
}

func (h *hash) text(s string) {
	h.number(uint64(len(s)))
	for len(s) >= 8 {
		h.number(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
		s = s[8:]
	}
	last := uint64(0)
	for i := range len(s) {
		last = last<<8 | uint64(s[i])
	}
	h.number(last)
}

func (h *hash) event(e entry) {
	h.number(ofEvent)
	h.number(uint64(e.at))
	h.number(e.seq)
	if e.proc != nil {
		h.number(e.proc.id)
	}
}

func (h *hash) trace(e *Event) {
	h.number(ofTrace)
	h.number(e.Seq)
	h.number(uint64(e.At))
	h.text(e.Kind)
	h.text(e.Subject)
	h.number(uint64(len(e.Attrs)))
	for _, a := range e.Attrs {
		h.text(a.Key)
		h.text(a.Value)
	}
}

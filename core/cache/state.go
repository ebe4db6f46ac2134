package cache

import "fmt"

// state is where a block is; see the package comment.
type state uint8

const (
	absent state = iota
	clean
	dirty
	frozen
	diverged // frozen and dirty
)

// event is what can happen to a block.
type event uint8

const (
	fetched event = iota
	written
	evicted
	wasCut
	wasApplied
	wasAbandoned
	events
)

// impossible: the event cannot happen to a block in that state.
const impossible state = 0xff

// states says where each event moves a block.
var states = [...][events]state{
	//          fetched     written   evicted     wasCut      wasApplied  wasAbandoned
	absent:   {clean, dirty, impossible, impossible, impossible, impossible},
	clean:    {impossible, dirty, absent, impossible, impossible, impossible},
	dirty:    {impossible, dirty, impossible, frozen, impossible, impossible},
	frozen:   {impossible, diverged, impossible, impossible, clean, dirty},
	diverged: {impossible, diverged, impossible, impossible, dirty, dirty},
}

// after is the one step of a block. An event that cannot happen is a bug of
// this package: to go on could lose what a guest wrote.
func (s state) after(e event) state {
	next := states[s][e]
	if next == impossible {
		panic(fmt.Sprintf("cache: event %d in state %d", e, s))
	}
	return next
}

// unflushed says whether the premises lack what the guest sees.
func (s state) unflushed() bool { return s == dirty || s == frozen || s == diverged }

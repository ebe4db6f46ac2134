package datapath

import (
	"cmp"
	"slices"
)

// asked is a request of a guest that is not done.
type asked struct {
	write bool
	disk  int
	done  func(error)
}

// requests are those that are not done, by the number that the cache knows them
// by: a place, and how often it was used.
type requests struct {
	places []place
	unused []uint32
	count  uint64
}

type place struct {
	asked
	turn  uint32
	order uint64 // among all
}

func (r *requests) add(a asked) (id uint64) {
	var i uint32
	if n := len(r.unused); n > 0 {
		i, r.unused = r.unused[n-1], r.unused[:n-1]
	} else {
		i = uint32(len(r.places))
		r.places = append(r.places, place{})
	}
	p := &r.places[i]
	r.count++
	p.asked, p.order = a, r.count
	p.turn++
	return p.id(i)
}

func (p *place) id(i uint32) uint64 { return uint64(p.turn)<<32 | uint64(i) }

// take a request out, which is done.
func (r *requests) take(id uint64) asked {
	i := uint32(id)
	p := &r.places[i]
	a := p.asked
	p.asked = asked{}
	r.unused = append(r.unused, i)
	return a
}

// writes are those to a disk, in the order in which they came.
func (r *requests) writes(disk int) []uint64 {
	var places []uint32
	for i, p := range r.places {
		if p.done != nil && p.write && p.disk == disk {
			places = append(places, uint32(i))
		}
	}
	slices.SortFunc(places, func(a, b uint32) int { return cmp.Compare(r.places[a].order, r.places[b].order) })
	ids := make([]uint64, len(places))
	for n, i := range places {
		ids[n] = r.places[i].id(i)
	}
	return ids
}

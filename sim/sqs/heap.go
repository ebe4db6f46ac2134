package sqs

import "container/heap"

// index is a heap whose members know their places in it, so that any of them
// can be taken out in logarithmic time.
type index[T comparable] struct {
	members []T
	before  func(a, b T) bool
	place   func(T) *int // where a member keeps its place, plus 1; 0 is outside
}

func (x *index[T]) Len() int           { return len(x.members) }
func (x *index[T]) Less(i, j int) bool { return x.before(x.members[i], x.members[j]) }
func (x *index[T]) Swap(i, j int) {
	m := x.members
	m[i], m[j] = m[j], m[i]
	*x.place(m[i]), *x.place(m[j]) = i+1, j+1
}

// Push is container/heap's.
func (x *index[T]) Push(v any) {
	t := v.(T)
	x.members = append(x.members, t)
	*x.place(t) = len(x.members)
}

// Pop is container/heap's.
func (x *index[T]) Pop() any {
	last := len(x.members) - 1
	t := x.members[last]
	var none T
	x.members[last] = none
	x.members = x.members[:last]
	*x.place(t) = 0
	return t
}

func (x *index[T]) add(t T) { heap.Push(x, t) }

// drop takes t out, if it is in.
func (x *index[T]) drop(t T) {
	if p := *x.place(t); p > 0 {
		heap.Remove(x, p-1)
	}
}

// moved restores the order after t's key has changed.
func (x *index[T]) moved(t T) { heap.Fix(x, *x.place(t)-1) }

func (x *index[T]) first() (T, bool) {
	if len(x.members) == 0 {
		var none T
		return none, false
	}
	return x.members[0], true
}

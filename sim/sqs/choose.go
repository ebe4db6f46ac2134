package sqs

import (
	"cmp"
	"slices"
)

// width is among how many times as many messages, or groups, as are wanted the
// ones are chosen that are handed out, if the order is open.
const width = 3

// open is among how many a receive may choose: messages of a standard queue, or
// groups of a FIFO one.
func (q *queue) open() int {
	if q.fifo {
		return q.ready.Len()
	}
	if g := q.groups[""]; g != nil {
		return g.visible.Len()
	}
	return 0
}

// choose is which messages a receive gets, at most n, in the order in which it
// gets them. What is exhausted on the way goes to the dead-letter queue.
func (s *Service) choose(q *queue, n int, reorder, short bool) []*message {
	if q.fifo {
		return s.chooseGroups(q, n, reorder)
	}
	g := q.groups[""]
	if g == nil {
		return nil
	}
	open := n
	if reorder || s.config.Chance != nil {
		open = n * width
	}
	messages := s.ahead(q, g, open)
	if chance := s.config.Chance; chance != nil {
		chance.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
		if short {
			// A short poll asks some of the servers that keep a queue; what the
			// others have it does not see.
			messages = slices.DeleteFunc(messages, func(*message) bool { return chance.IntN(4) == 0 })
		}
	}
	if reorder {
		slices.SortFunc(messages, func(a, b *message) int { return cmp.Or(b.since.Compare(a.since), cmp.Compare(b.number, a.number)) })
	}
	return messages[:min(n, len(messages))]
}

// chooseGroups takes as many as it can from one group before it goes on to the
// next, as AWS does.
func (s *Service) chooseGroups(q *queue, n int, reorder bool) []*message {
	var groups []*group
	for have := 0; have < n; {
		g, any := q.ready.first()
		if !any {
			break
		}
		some := len(s.ahead(q, g, n-have)) // which may move what is exhausted
		q.ready.drop(g)
		if some == 0 {
			continue
		}
		groups = append(groups, g)
		if !reorder {
			have += some
		} else if len(groups) == n*width {
			break
		}
	}
	for _, g := range groups {
		q.ready.add(g)
	}
	if reorder {
		slices.Reverse(groups)
	}
	var messages []*message
	for _, g := range groups {
		if len(messages) == n {
			break
		}
		messages = append(messages, s.ahead(q, g, n-len(messages))...)
	}
	return messages
}

// ahead are the first n visible messages of a group, after those that are
// exhausted have gone.
func (s *Service) ahead(q *queue, g *group, n int) []*message {
	var ahead, exhausted []*message
	for len(ahead) < n {
		m, any := g.visible.first()
		if !any {
			break
		}
		g.visible.drop(m)
		if s.exhausted(q, m) {
			exhausted = append(exhausted, m)
		} else {
			ahead = append(ahead, m)
		}
	}
	for _, m := range slices.Concat(ahead, exhausted) {
		g.visible.add(m)
	}
	for _, m := range exhausted {
		s.redrive(q, m)
	}
	return ahead
}

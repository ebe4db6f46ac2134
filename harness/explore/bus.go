package explore

import (
	"fmt"
	"time"

	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
)

// mostInARow is how many calls to SQS in a row go wrong at most: fewer than a
// client tries, so that what it sends arrives.
const mostInARow = 5

// bus gives half of all scenarios a message bus, and people who use it.
func (g *generator) bus(s *scenario.Scenario) {
	if g.oneIn(2) {
		return
	}
	s.Bus = &scenario.Bus{Queues: pick(g, faults.FIFO, faults.Standard)}
	for i := range g.between(0, 2) {
		step := scenario.Step{Trigger: after(g.duration(0, 10*time.Minute))}
		switch g.chance.IntN(3) {
		case 0:
			step.Message = &scenario.Message{Body: pick(g, strange...)}
		default:
			step.Inventory = &scenario.Inventory{Request: fmt.Sprintf("inventory-%d", i+1), PageSize: pick(g, 0, 1, 2)}
		}
		s.Steps = append(s.Steps, step)
	}
}

// strange are messages that HDM does not carry out.
var strange = []string{
	"no JSON", `{"hello": "world"}`, `{"v": 2, "type": "SourceInventoryRequest", "request_id": "x-1", "token": "$TOKEN"}`,
	`{"v": 1, "type": "SourceInventoryRequest", "request_id": "x-2", "token": "guessed"}`,
	`{"v": 1, "type": "SourceCloneRequest", "request_id": "x-3", "token": "$TOKEN", "vm": "vm-1", "mode": "tbc"}`,
	`{"v": 1, "type": "SourceCloneRequest", "request_id": "x-4", "token": "$TOKEN", "vm": "nobody", "mode": "cold"}`,
}

// busFault is one of the message bus.
func (g *generator) busFault(queues faults.Bus) (f faults.Fault) {
	calls := func(operations ...string) faults.QueueCalls {
		return faults.QueueCalls{
			Queue: pick(g, faults.Commands, faults.Commands, faults.Responses), Operation: pick(g, operations...),
			Nth: g.between(1, 4), Count: g.between(1, mostInARow),
		}
	}
	switch g.chance.IntN(8) {
	case 0:
		down := pick(g, g.duration(time.Second, time.Minute), g.duration(time.Minute, 10*time.Minute))
		f.InternetDown = &faults.InternetDown{For: faults.Span(down), Direction: pick(g, faults.Both, faults.ToCloud, faults.ToPremises)}
	case 1:
		f.MessageReorder = &faults.MessageReorder{QueueCalls: calls(faults.Receive)}
	case 2:
		f.MessageLost = &faults.MessageLost{QueueCalls: calls(faults.Receive, faults.Send, faults.Delete)}
	case 3:
		f.MessageLateDelete = &faults.MessageLateDelete{QueueCalls: calls(faults.Delete), By: faults.Duration(g.duration(time.Second, 15*time.Minute))}
	case 4:
		f.MessageCorrupt = &faults.MessageCorrupt{QueueCalls: calls(faults.Receive, faults.Send)}
	case 5:
		f.QueueUnavailable = &faults.QueueUnavailable{QueueCalls: calls(faults.Send, faults.Receive, faults.Delete, faults.Extend)}
	case 6:
		f.QueueOverLimit = &faults.QueueOverLimit{QueueCalls: calls(faults.Receive)}
	default:
		if queues == faults.FIFO {
			f.MessageLost = &faults.MessageLost{QueueCalls: calls(faults.Receive)}
			break
		}
		f.MessageDuplicate = &faults.MessageDuplicate{QueueCalls: calls(faults.Receive, faults.Send)}
	}
	return f
}

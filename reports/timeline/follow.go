package timeline

import "github.com/hdm-project/hdm/reports/record"

func (b *Builder) applianceUp(e *record.Event) {
	epoch := e.Attr("epoch")
	b.begin("appliance", &b.line.Appliance, e, Up, join("up", "boot "+epoch))
	if epoch != "1" {
		b.line.Appliance.mark(Mark{e.At, Boot, "up again, boot " + text(epoch), e.Seq})
	}
}

// heartbeat follows what the appliance says of itself. It says so often, so only
// a change is a span of its own.
func (b *Builder) heartbeat(e *record.Event) {
	kind, says := Ready, join(e.Attr("status"), e.Attr("details"))
	if e.Attr("status") != heartbeatReady {
		kind = NotReady
	}
	if o := b.open["heartbeat"]; o != nil && o.span.Kind == kind && o.span.Text == text(says) {
		return
	}
	b.begin("heartbeat", &b.line.Health, e, kind, says)
}

func (b *Builder) transfer(e *record.Event) {
	if e.Subject != "wan" {
		return
	}
	k := key(e.Attr("direction"), e.Attr("what"))
	if e.Attr("state") == "started" {
		if len(b.goes) < mostKnown {
			b.goes[k] = flow{from: e.At}
		}
		return
	}
	b.over(k, e, e.Attr("state") == "finished") // else how much of it was carried is not told
}

// flush is a transfer from its cut until it is applied.
func (b *Builder) flush(e *record.Event) {
	k := key("flush", e.Subject)
	if e.Kind != flushCut {
		b.over(k, e, e.Kind == flushApplied)
	} else if len(b.goes) < mostKnown {
		b.goes[k] = flow{from: e.At}
	}
}

// over ends a transfer.
func (b *Builder) over(k string, e *record.Event, whole bool) {
	f, is := b.goes[k]
	delete(b.goes, k)
	if !whole {
		return
	}
	bytes := number(e.Attr("bytes"))
	b.line.Carried += bytes
	if is && len(b.flows) < mostKnown {
		b.flows = append(b.flows, flow{f.from, e.At, float64(bytes)})
	}
}

func (b *Builder) guest(e *record.Event) {
	site, name := e.Attr("site"), e.Attr("vm")
	vm, k := b.vm(e.Subject), key("guest", e.Subject, site, name)
	if vm == nil {
		return
	}
	if e.Kind == guestStarted {
		kind := Premises
		if site == cloudSite {
			kind = Cloud
		}
		b.begin(k, &vm.Guest, e, kind, "runs in "+site+"/"+name)
		return
	}
	b.end(k, e.At)
	lost := uint64(number(e.Attr("lost")))
	if e.Attr("how") == "shutdown" && lost == 0 {
		return
	}
	vm.Cut += lost
	b.line.Cut += lost
	vm.trouble = vm.trouble || lost > 0
	vm.Guest.mark(Mark{e.At, PowerCut, text("its power was cut in " + site + "/" + name + "; blocks that lost a write not flushed: " + e.Attr("lost")), e.Seq})
}

// ends are the states that end a migration.
var ends = map[string]Kind{"completed": Completed, "failed": Failed, "cancelled": Cancelled, "refused": Refused}

func (b *Builder) migration(e *record.Event) {
	m := b.moves[e.Subject]
	if m == nil {
		vm := b.vm(e.Attr("vm"))
		if vm == nil || len(b.moves) >= mostKnown {
			return
		}
		m = &move{vm: vm}
		b.moves[e.Subject] = m
		vm.Migrations++
		b.line.People.mark(Mark{e.At, Order, text("order: " + e.Attr("type") + " migration of " + e.Attr("vm")), e.Seq})
	}
	m.cold = m.cold || e.Attr("type") == "cold"
	to, at := e.Attr("to"), e.Attr("step")
	b.tally(m.state, -1)
	b.tally(to, 1)
	m.state = to
	b.line.Waiting.set(e.At, float64(b.count.waiting))
	b.line.Running.set(e.At, float64(b.count.running))
	k, what := key("migration", e.Subject), e.Subject+": "+to
	if at != "" {
		what += ", " + at
	}
	if end, over := ends[to]; over {
		b.end(k, e.At)
		m.vm.Ended = end
		if end == Completed {
			b.line.Completed++
			if m.cold {
				b.line.Cold++
			}
		}
		m.vm.trouble = m.vm.trouble || end == Failed
		m.vm.Migration.mark(Mark{e.At, end, text(join(what, reason(e))), e.Seq})
		delete(b.moves, e.Subject)
		return
	}
	kind := Before
	switch {
	case to == "undoing":
		kind = Undoing
		m.vm.trouble = true
	case to != "running":
		kind = Waits
	case at == bulkTransfer:
		kind, m.moved = Moving, true
	case m.moved:
		kind = After
	}
	b.begin(k, &m.vm.Migration, e, kind, join(what, reason(e)))
}

func reason(e *record.Event) string {
	if r := e.Attr("reason"); r != "" && r != e.Attr("to") {
		return "because: " + r
	}
	return ""
}

func (b *Builder) tally(state string, by int) {
	switch state {
	case "checking", "queued":
		b.count.waiting += by
	case "running", "undoing":
		b.count.running += by
	}
}

// effect marks what is tried again: after a failure, or after a restart.
func (b *Builder) effect(e *record.Event) {
	if m := b.moves[e.Subject]; m != nil && number(e.Attr("attempt")) > 1 {
		m.vm.Migration.mark(Mark{e.At, Retry, text(e.Subject + ": " + e.Attr("kind") + ", attempt " + e.Attr("attempt")), e.Seq})
	}
}

func (b *Builder) fault(e *record.Event) {
	if e.Kind == faultBegan {
		if len(b.line.Faults) == MostFaults {
			b.line.MoreFaults++
			return
		}
		b.line.Faults = append(b.line.Faults, Fault{
			Number: text(e.Subject), Kind: text(e.Attr("kind")), Target: text(e.Attr("target")), From: e.At, Seq: e.Seq,
		})
		return
	}
	for i := range b.line.Faults {
		if f := &b.line.Faults[i]; !f.Ended && f.Number == text(e.Subject) {
			f.To, f.Ended = e.At, true
			return
		}
	}
}

func (b *Builder) queue(e *record.Event) {
	q := b.queueOf(e.Subject)
	if q == nil {
		return
	}
	id := e.Attr("message")
	gone := func(n *int) {
		if q.messages[id] { // a late or second call of the kind changes nothing
			delete(q.messages, id)
			*n++
		}
	}
	switch e.Kind {
	case queueSent:
		q.Sent++
		q.take(id)
	case queueReceived:
		q.Received++
	case queueDeleted:
		gone(&q.Deleted)
	case queueExpired:
		gone(&q.Expired)
	case queueMoved:
		gone(&q.Moved)
		if to := b.queueOf(e.Attr("to")); to != nil && to != q {
			to.take(id)
			to.Depth.set(e.At, float64(len(to.messages)))
		}
	}
	q.Depth.set(e.At, float64(len(q.messages)))
}

func (q *Queue) take(id string) {
	if len(q.messages) < mostKnown {
		q.messages[id] = true
	}
}

func (b *Builder) queueOf(name string) *Queue {
	for i := range b.line.Queues {
		if b.line.Queues[i].Name == text(name) {
			return &b.line.Queues[i]
		}
	}
	if name == "" || len(b.line.Queues) == MostQueues {
		b.line.MoreQs = b.line.MoreQs || name != ""
		return nil
	}
	if b.line.Queues == nil { // queues are pointed at: they must not move
		b.line.Queues = make([]Queue, 0, MostQueues)
	}
	b.line.Queues = append(b.line.Queues, Queue{Name: text(name), messages: map[string]bool{}})
	return &b.line.Queues[len(b.line.Queues)-1]
}

package timeline

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
)

// The kinds of events that matter here, and the values in them: sim/event has
// them all.
const (
	applianceUp    = "appliance.up"
	applianceDown  = "appliance.down"
	heartbeat      = "heartbeat"
	linkDown       = "link.down"
	linkUp         = "link.up"
	transfer       = "link.transfer"
	flushCut       = "flush.cut"
	flushApplied   = "flush.applied"
	flushAbandoned = "flush.abandoned"
	guestStarted   = "guest.started"
	guestStopped   = "guest.stopped"
	guestWrite     = "guest.write"
	migration      = "migration"
	effectStarted  = "effect.started"
	faultBegan     = "fault.began"
	faultEnded     = "fault.ended"
	step           = "step"
	foreignCall    = "foreign.call"
	queuePrefix    = "sqs."
	queueSent      = "sqs.sent"
	queueReceived  = "sqs.received"
	queueDeleted   = "sqs.deleted"
	queueMoved     = "sqs.moved"
	queueExpired   = "sqs.expired"
	bulkTransfer   = "bulk-transfer"
	cloudSite      = "cloud"
	heartbeatReady = "Ready"
	recovery       = "recovery"
	note           = "note"
	hostDown       = "host.down"
	hostUp         = "host.up"
	componentDown  = "component.down"
	componentUp    = "component.up"
	serviceDown    = "service.down"
	serviceUp      = "service.up"
)

// Builder makes a Timeline of the events of one run, as they come. It belongs to
// one goroutine at a time.
type Builder struct {
	line  Timeline
	at    time.Duration
	open  map[string]*opened // spans under way, by what they are of
	vms   map[string]*VM
	names []string // of vms, as they came
	more  map[string]bool
	moves map[string]*move // by migration
	goes  map[string]flow  // transfers under way
	flows []flow
	count struct{ waiting, running int }
}

type opened struct {
	lane *Lane
	span Span
}

// move is a migration.
type move struct {
	vm    *VM
	state string
	moved bool // its bulk transfer was begun
	cold  bool
}

// NewBuilder returns one for a run.
func NewBuilder() *Builder {
	b := &Builder{
		open: map[string]*opened{}, vms: map[string]*VM{}, more: map[string]bool{},
		moves: map[string]*move{}, goes: map[string]flow{},
	}
	b.line.Appliance.Name, b.line.Health.Name, b.line.People.Name = "appliance", "heartbeat", "orders, people"
	b.line.Recovery.Name = "recovery"
	return b
}

// Add takes the next event. It takes constant time, but for curves that are
// thinned out from time to time.
func (b *Builder) Add(e *record.Event) {
	b.at = max(b.at, e.At)
	switch e.Kind {
	case guestWrite:
		n := 1 + uint64(strings.Count(e.Attr("block"), ","))
		b.line.Writes += n
		if vm := b.vm(e.Subject); vm != nil {
			vm.Writes += n
		}
	case applianceUp:
		b.applianceUp(e)
	case applianceDown:
		b.begin("appliance", &b.line.Appliance, e, Down, join("down: "+e.Attr("how"), e.Attr("point")))
	case heartbeat:
		b.heartbeat(e)
	case linkDown:
		b.begin(key("link", e.Subject, e.Attr("direction")), b.link(e.Subject), e, Down, join("down", e.Attr("direction")))
	case linkUp:
		b.end(key("link", e.Subject, e.Attr("direction")), e.At)
	case transfer:
		b.transfer(e)
	case flushCut, flushApplied, flushAbandoned:
		b.flush(e)
	case guestStarted, guestStopped:
		b.guest(e)
	case migration:
		b.migration(e)
	case effectStarted:
		b.effect(e)
	case recovery:
		b.recovery(e)
	case note:
		b.note(e)
	case hostDown, hostUp, componentDown, componentUp, serviceDown, serviceUp:
		b.part(e)
	case faultBegan, faultEnded:
		b.fault(e)
	case step:
		b.line.People.mark(Mark{e.At, Step, text("step " + e.Subject + ": " + e.Attr("what")), e.Seq})
	case foreignCall:
		b.line.People.mark(Mark{e.At, Foreign, text(join("foreign call to "+e.Subject, e.Attr("method"), e.Attr("from"))), e.Seq})
	default:
		if strings.HasPrefix(e.Kind, queuePrefix) {
			b.queue(e)
		}
	}
}

// End says that the run is over. The Builder is used up.
func (b *Builder) End() *Timeline {
	for _, k := range slices.Sorted(maps.Keys(b.open)) {
		b.end(k, b.at)
	}
	b.line.End = b.at
	for i := range b.line.Faults {
		if f := &b.line.Faults[i]; !f.Ended {
			f.To = b.at
		}
	}
	for i := range b.line.Links {
		slices.SortStableFunc(b.line.Links[i].Spans, bySpan)
	}
	for i := range b.line.Parts {
		slices.SortStableFunc(b.line.Parts[i].Spans, bySpan)
	}
	b.line.Rate = rate(b.flows)
	b.choose()
	return &b.line
}

func bySpan(a, b Span) int { return cmp.Compare(a.Seq, b.Seq) }

// choose keeps the VMs that are worth most: those with trouble, then those that
// migrated, then the first.
func (b *Builder) choose() {
	worth := func(vm *VM) int {
		switch {
		case vm.trouble:
			return 0
		case vm.Migrations > 0:
			return 1
		}
		return 2
	}
	var all []*VM
	for _, name := range b.names {
		all = append(all, b.vms[name])
	}
	slices.SortStableFunc(all, func(x, y *VM) int { return cmp.Compare(worth(x), worth(y)) })
	if more := len(all) - MostVMs; more > 0 {
		b.line.MoreVMs = more
		all = all[:MostVMs]
	}
	b.line.MoreVMs += len(b.more)
	first := func(vm *VM) uint64 {
		if vm.Migrations == 0 {
			return 1 << 63
		}
		for _, s := range vm.Migration.Spans {
			return s.Seq
		}
		for _, m := range vm.Migration.Marks {
			return m.Seq
		}
		return 1<<63 - 1
	}
	slices.SortStableFunc(all, func(x, y *VM) int {
		return cmp.Or(cmp.Compare(first(x), first(y)), cmp.Compare(slices.Index(b.names, x.Name), slices.Index(b.names, y.Name)))
	})
	for _, vm := range all {
		slices.SortStableFunc(vm.Guest.Spans, bySpan)
		slices.SortStableFunc(vm.Migration.Spans, bySpan)
		b.line.VMs = append(b.line.VMs, *vm)
	}
}

// begin ends what was under way there, and begins another span.
func (b *Builder) begin(k string, lane *Lane, e *record.Event, kind Kind, what string) {
	b.end(k, e.At)
	if lane == nil || len(b.open) >= mostKnown {
		return
	}
	b.open[k] = &opened{lane, Span{From: e.At, Kind: kind, Text: text(what), Seq: e.Seq}}
}

func (b *Builder) end(k string, at time.Duration) {
	o := b.open[k]
	if o == nil {
		return
	}
	delete(b.open, k)
	o.span.To = at
	o.lane.span(o.span)
}

// vm returns the VM of a name, or nil if there are too many.
func (b *Builder) vm(name string) *VM {
	vm := b.vms[name]
	if vm == nil {
		switch {
		case name == "":
			return nil
		case len(b.vms) >= mostKnown:
			if len(b.more) < mostKnown {
				b.more[name] = true
			}
			return nil
		}
		vm = &VM{Name: text(name)}
		b.vms[name] = vm
		b.names = append(b.names, name)
	}
	return vm
}

func (b *Builder) link(name string) *Lane {
	for i := range b.line.Links {
		if b.line.Links[i].Name == name {
			return &b.line.Links[i]
		}
	}
	if len(b.line.Links) == MostQueues {
		return nil
	}
	if b.line.Links == nil { // lanes are pointed at: they must not move
		b.line.Links = make([]Lane, 0, MostQueues)
	}
	b.line.Links = append(b.line.Links, Lane{Name: text(name)})
	return &b.line.Links[len(b.line.Links)-1]
}

func key(parts ...string) string { return strings.Join(parts, "\x00") }

// join puts what is not empty together.
func join(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.TrimSuffix(strings.Join(parts, ", "), ": ")
}

// text cuts what others say to its limit.
func text(s string) string {
	if len(s) > MostText {
		s = strings.ToValidUTF8(s[:MostText], "") + "…"
	}
	return s
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0 // an event without it counts for nothing
	}
	return max(n, 0)
}

// Package timeline makes of the events of one run what people look at: lanes of
// spans and marks, and curves, on virtual time.
//
// It decides which events matter to the eye, and what is left out when there are
// too many: whatever a run did, a Timeline stays small, and says how much more
// there was. It draws nothing (package page does) and judges nothing. Of the
// kinds of events that traces of passed runs leave out it reads only the writes
// of guests, for their number.
//
// Read this file, then builder.go.
package timeline

import "time"

// The limits of one run. What is beyond them is counted.
const (
	MostVMs    = 40   // shown
	MostFaults = 120  // kept
	MostSpans  = 48   // of a lane
	MostMarks  = 48   // of a lane
	MostPoints = 480  // of a curve
	MostQueues = 8    // with a curve each
	MostParts  = 16   // hosts and component VMs that were down, with a lane each
	MostText   = 160  // bytes of a name or a text
	mostKnown  = 20e3 // VMs, migrations, transfers and messages that are followed at once
)

// Timeline is one run.
type Timeline struct {
	End        time.Duration
	Appliance  Lane   // spans: Up, Down; marks: Boot
	Health     Lane   // spans: Ready, NotReady
	Links      []Lane // a link each; spans: Down, named by their direction
	Parts      []Lane // a host or component VM each that was down, or a service in it; spans: Down
	MoreParts  bool   // there were more than MostParts
	Recovery   Lane   // spans: Probing to Resetting; marks: Detected, Repaired, Recovered, Failed
	People     Lane   // marks: Order, Step, Foreign
	VMs        []VM   // those that migrate first, in their order; then the others
	MoreVMs    int
	Faults     []Fault // in the order in which they began
	MoreFaults int

	Waiting Curve // migrations that are checked or queued
	Running Curve // migrations under way, or being undone
	Rate    Curve // bytes per second over the WAN
	Carried int64 // bytes over the WAN, of whole transfers and flushes
	Queues  []Queue
	MoreQs  bool // there were more than MostQueues

	Completed int // migrations
	Cold      int // those of them that were cold

	Writes uint64 // that guests were told are done; 0 if the trace does not tell
	Cut    uint64 // blocks whose last write a power cut took before it was flushed
}

// Lane is a component on the time line.
type Lane struct {
	Name  string
	Spans []Span
	Marks []Mark
	More  int // spans and marks beyond the limits
}

// Kind is what a span or a mark is drawn as.
type Kind string

// Kinds of spans.
const (
	Up       Kind = "up"
	Down     Kind = "down"
	Ready    Kind = "ready"
	NotReady Kind = "not-ready"
	Premises Kind = "premises" // a guest runs on premises
	Cloud    Kind = "cloud"    // a guest runs in the cloud
	Waits    Kind = "waits"    // a migration that is checked, or queued
	Before   Kind = "before"   // a step before the bulk transfer
	Moving   Kind = "moving"   // the bulk transfer
	After    Kind = "after"    // a step after it
	Undoing  Kind = "undoing"

	Probing       Kind = "probing" // of a recovery, as are the next ones
	Repairing     Kind = "repairing"
	Returning     Kind = "returning"
	Unrecoverable Kind = "unrecoverable"
	Resetting     Kind = "resetting"
)

// Kinds of marks.
const (
	Boot      Kind = "boot"
	Retry     Kind = "retry"
	PowerCut  Kind = "power-cut" // of a guest
	Completed Kind = "completed"
	Failed    Kind = "failed"
	Cancelled Kind = "cancelled"
	Refused   Kind = "refused"
	Order     Kind = "order"
	Step      Kind = "step"
	Foreign   Kind = "foreign"
	Detected  Kind = "detected" // a failure, by HDM
	Repaired  Kind = "repaired" // a part of HDM
	Recovered Kind = "brought-back"
)

// Span is a stretch of virtual time. Seq is the number of the event that began
// it.
type Span struct {
	From, To time.Duration
	Kind     Kind
	Text     string
	Seq      uint64
}

// Mark is a moment.
type Mark struct {
	At   time.Duration
	Kind Kind
	Text string
	Seq  uint64
}

// VM is a VM and its guest.
type VM struct {
	Name       string
	Guest      Lane // spans: Premises, Cloud; marks: PowerCut
	Migration  Lane // spans: Waits to Undoing; marks: Retry, and how it ended
	Migrations int
	Ended      Kind   // how its last migration ended; "" if it has none, or it did not end
	Writes     uint64 // as Timeline.Writes
	Cut        uint64 // as Timeline.Cut
	trouble    bool
}

// Fault is something that was done to the world.
type Fault struct {
	Number   string
	Kind     string
	Target   string
	From, To time.Duration
	Ended    bool
	Seq      uint64
}

// Queue is a message queue.
type Queue struct {
	Name                           string
	Depth                          Curve // messages that are neither deleted, nor moved, nor expired
	Sent, Received, Moved, Expired int
	Deleted                        int
	messages                       map[string]bool
}

func (l *Lane) span(s Span) {
	if len(l.Spans) == MostSpans {
		l.More++
		return
	}
	l.Spans = append(l.Spans, s)
}

func (l *Lane) mark(m Mark) {
	if len(l.Marks) == MostMarks {
		l.More++
		return
	}
	l.Marks = append(l.Marks, m)
}

// Empty says whether there is nothing to draw.
func (l *Lane) Empty() bool { return len(l.Spans)+len(l.Marks)+l.More == 0 }
